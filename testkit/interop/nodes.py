"""One gateway of a fleet: its configuration, its process, its machine and its clocks.

Owns the process and the line to the engine. `fleet` says what all nodes have in common: `binary`, `folder`, `engine`
(none: no cluster), `dovecot`, `on_failure`, `lease` in seconds (none: the usual one), `one_way` to the engine in seconds,
`apart` and `clocks` whether each has a network and clocks of its own, `tables` what stands in the configuration besides.
"""

import os
import signal
import socket
import time
import urllib.request
from pathlib import Path

import lines
from base import HOST, Daemon, check, free_port, program, seconds_of, wait_until
from gateway import quoted

# the usual times of a cluster, ten times as fast
LEASE = 3.0
# by how many seconds each node's date is wrong. How fast clocks go cannot be changed for a process that waits by them;
# the simulated world in gateway-cluster does that
CLOCKS = (0, 37 * 86400, -400 * 86400)
NO_DELAY = 'failed_login_delay = "0s"\nfailed_login_delay_max = "0s"'


def faketime():
    """The library that lies about the date. The program that brings it would stand between a node and its signals."""
    program("faketime", "faketime")
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    check(found, "libfaketimeMT.so.1 is not below /usr/lib: apt-get install faketime")
    return found[0]


class Node:
    def __init__(self, number, fleet):
        self.name = f"node-{number}"
        self.fleet = fleet
        self.folder = fleet.folder / self.name
        self.folder.mkdir()
        self.machine = lines.Machine(number) if fleet.apart else None
        self.address, near = (self.machine.far, lines.HERE) if self.machine else (HOST, HOST)
        if self.machine:
            self.machine.reaches(fleet.dovecot.port)
        self.wire = lines.Wire(fleet.engine, near, fleet.one_way)
        self.runtime = ("tokio", "smol", "tokio")[number % 3]
        self.port, self.http = free_port(), free_port()
        self.config = self.folder / "gateway.toml"
        (self.folder / "engine.password").write_text("engine-password\n")
        (self.folder / "cluster.secret").write_text("what all nodes of this fleet share\n")
        self.config.write_text(self.text(near))
        self.daemon = None
        self.offset = CLOCKS[number % len(CLOCKS)] if fleet.clocks else 0

    def text(self, near):
        fleet = self.fleet
        mailboxes = fleet.tables.get("mailboxes") or f"""
[[upstream]]
name = "dovecot"
url = "imap://{near}:{fleet.dovecot.port}"
allow_clear = true
{fleet.tables.get("upstream", "")}"""
        password = fleet.engine and fleet.engine.password
        return f"""runtime = {quoted(self.runtime)}
[[listener]]
listen = "{self.address}:{self.port}"
allow_clear_login = true
{fleet.tables.get("listener", "")}
[[http]]
listen = "{self.address}:{self.http}"
{mailboxes}
[limits]
{fleet.tables.get("limits", NO_DELAY)}
[timers]
drain_delay = "2s"
""" + (f"""[cluster]
url = {quoted(fleet.engine.url(self.wire.port, near))}
{'password_file = "engine.password"' if password else ""}
secret_file = "cluster.secret"
node = "{self.name}"
on_failure = "{fleet.on_failure}"
{fleet.tables.get("cluster", "")}
""" if fleet.engine else "")

    def start(self):
        environment = {**os.environ, "RUST_BACKTRACE": "1"}
        if self.fleet.lease:
            environment["POP3_GATEWAY_TEST_LEASE"] = str(int(self.fleet.lease * 1000))
        environment.pop("RUST_LOG", None)
        argv = self.machine.inside if self.machine else []
        if self.offset:
            argv = [*argv, "env", f"LD_PRELOAD={faketime()}", f"FAKETIME={self.offset:+}s", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        argv = [*argv, self.fleet.binary, "serve", "--config", self.config]
        self.daemon = Daemon(argv, self.folder / "gateway.log", env=environment, cwd=self.folder)
        wait_until(self.listens, lambda: f"{self.name} to listen:\n{self.daemon.tail()}")
        return self

    def listens(self):
        check(self.daemon.alive(), lambda: f"{self.name} ended with {self.daemon.process.returncode}:\n{self.daemon.tail()}")
        try:
            with socket.create_connection((self.address, self.port), 1):
                return True
        except OSError:
            return False

    def moment(self, shown):
        """When its clock showed this, by the harness's own."""
        return shown - self.offset - time.time() + time.monotonic()

    def daemon_seconds(self):
        return seconds_of(self.daemon.pid)

    def log(self):
        return (self.folder / "gateway.log").read_text(errors="replace")

    def figures(self):
        """What /metrics says, by name with labels."""
        with urllib.request.urlopen(f"http://{self.address}:{self.http}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def stop(self):
        if self.daemon:
            if self.daemon.alive():
                self.daemon.send(signal.SIGCONT)
            self.daemon.stop(seconds=20)
        self.wire.stop()
        if self.machine:
            self.machine.stop()
