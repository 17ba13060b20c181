#!/usr/bin/env python3
"""Attacks on a gateway, and figures: guessing, crowds before login, few descriptors, a log that is not read.

    attack.py --gateway target/debug/pop3-gateway [--seconds 20]

Runs as root (addresses are added to the loopback interface). Local accounts and Dovecot are attacked by turns. Each
measure is a function that gives its figures, so that the scenarios of the interop run use them in a short form.
"""

import argparse
import os
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from base import check, free_port, wait_until

PASSWORD = "correct-horse"
NETWORK = "fd77:1:2:3::"


def lines(answer, count):
    return answer.count(b"\r\n") >= count


class Client:
    """A POP3 client that may come from any address of this machine."""

    def __init__(self, port, source=None, timeout=40.0):
        family = socket.AF_INET6 if source and ":" in source else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))

    def hear(self, count=1):
        answer = b""
        while not lines(answer, count):
            piece = self.socket.recv(4096)
            if not piece:
                break
            answer += piece
        return answer

    def login(self, user, password, patience=None):
        """The answer to PASS; nothing if it does not come within the patience."""
        self.hear()
        self.socket.sendall(f"USER {user}\r\nPASS {password}\r\n".encode())
        begin = time.monotonic()
        if patience:
            self.socket.settimeout(patience)
        try:
            heard = self.hear(2)
        except TimeoutError:
            heard = b""
        return heard.split(b"\r\n")[1] if lines(heard, 2) else b"", time.monotonic() - begin

    def close(self):
        self.socket.close()


def guess(port, sources, seconds, logged, parallel=20, patience=0.3):
    """Comes, guesses, hangs up when nothing is said at once, and comes again: what was said and how often.

    Gives tries in all, how many of them the log tells, and how many of those were not looked at."""
    end, tries = time.monotonic() + seconds, [0]
    before = logged()
    lock = threading.Lock()

    def work(worker):
        number = worker
        while time.monotonic() < end:
            number += parallel
            try:
                client = Client(port, sources[number % len(sources)])
                try:
                    client.login("victim", f"guess{number}", patience)
                    asked = True
                finally:
                    client.close()
            except OSError:
                asked = False
            with lock:
                tries[0] += asked

    workers = [threading.Thread(target=work, args=(n,)) for n in range(parallel)]
    for worker in workers:
        worker.start()
    return workers, lambda: (tries[0], *(now - then for now, then in zip(logged(), before)))


def others(port, seconds, sources):
    """Logins with the right password meanwhile: how many, of how many, and the longest wait."""
    end, waits, number = time.monotonic() + seconds, [], 0
    while time.monotonic() < end:
        client = Client(port, sources[number % len(sources)])
        heard, waited = client.login(f"user{number % 8}", PASSWORD)
        if heard.startswith(b"+OK"):
            waits.append(waited)
            client.socket.sendall(b"QUIT\r\n")
            client.hear()
        client.close()
        number += 1
        time.sleep(0.2)
    return len(waits), number, max(waits, default=0)


def guessing(port, sources, seconds, logged):
    # one device of the attacked address was right before
    known = Client(port, sources[0])
    heard, _ = known.login("user8", PASSWORD)
    check(heard.startswith(b"+OK"), lambda: f"the first login heard {heard!r}")
    known.socket.sendall(b"QUIT\r\n")
    known.hear()
    known.close()
    workers, figures = guess(port, sources, seconds, logged)
    time.sleep(min(2.0, seconds / 4))
    known = Client(port, sources[0])
    heard, known_waited = known.login("user8", PASSWORD)
    known.close()
    right, asked, longest = others(port, seconds - min(2.0, seconds / 4), [f"127.0.1.{n}" for n in range(1, 9)])
    for worker in workers:
        worker.join()
    time.sleep(0.5)
    tries, told, waited = figures()
    return {
        "tries a second": round(tries / seconds, 1),
        "guesses looked at a second": round((tries - waited) / seconds, 2),
        "logged": f"{told} of {tries}",
        "known device": f"{heard[:4].decode()} after {known_waited:.2f} s",
        "right logins meanwhile": f"{right} of {asked}, the longest {longest:.2f} s",
    }


def crowd(port, origins=40, each=50):
    """Idles before login from many addresses, as many from each as are let in; then others log in."""
    idle = []
    for host in range(1, origins + 1):
        for _ in range(each):
            try:
                idle.append(Client(port, f"127.0.2.{host}"))
            except OSError:
                pass
    waits = []
    for host in range(1, 21):
        try:
            client = Client(port, f"127.0.3.{host}", timeout=5.0)
            heard, seconds = client.login(f"user{host % 8}", PASSWORD)
            client.close()
        except OSError:
            heard, seconds = b"", 5.0
        if heard.startswith(b"+OK"):
            waits.append(seconds)
    for client in idle:
        client.close()
    return {"idling": len(idle), "right logins": f"{len(waits)} of 20, the longest {max(waits, default=0):.2f} s"}


class Gateway:
    """A gateway in front of local accounts, or of an IMAP server on this port."""

    def __init__(self, binary, folder, imap=None, limits="", soft=None, stderr=None, level="info"):
        self.folder = Path(folder)
        self.port = free_port()
        self.log = self.folder / "log"
        place = f'[[upstream]]\nname = "imap"\nurl = "imap://127.0.0.1:{imap}"\n' if imap else (
            f'[[store]]\nname = "local"\nkind = "list"\naccounts = "{self.folder}/users"\n'
            '[[store.message]]\nsubject = "hello"\ntext = "hello\\n"\ndate = 2026-11-20\n')
        (self.folder / "gateway.toml").write_text(
            f'[[listener]]\nname = "pop3"\nlisten = ["127.0.0.1:{self.port}", "[::1]:{self.port}"]\ntls = "none"\n'
            f'allow_clear_login = true\n{place}\n[limits]\n{limits}\n[log]\nlevel = "{level}"\n')
        if not imap and not (self.folder / "users").exists():
            hashed = subprocess.run([binary, "hash-password", "--password-stdin"], input=PASSWORD + "\n", capture_output=True, text=True)
            check(hashed.returncode == 0, hashed.stderr)
            names = ["victim"] + [f"user{n}" for n in range(9)]
            users = self.folder / "users"
            users.write_text("".join(f"{name}:{hashed.stdout.strip()}\n" for name in names))
            users.chmod(0o600)

        def limit():
            if soft:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

        self.process = subprocess.Popen(
            [binary, "serve", "--config", self.folder / "gateway.toml"],
            stderr=stderr or self.log.open("wb"), stdout=subprocess.DEVNULL, preexec_fn=limit)
        wait_until(self.listens, "the gateway to listen", 20)

    def listens(self):
        try:
            Client(self.port).close()
            return True
        except OSError:
            return False

    def refused(self):
        """Lines about refused logins, and how many of these were not looked at."""
        log = self.log.read_text(errors="replace")
        return log.count("login refused"), log.count("while the login waited")

    def stop(self, seconds=20):
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        return time.monotonic() - begin


def sessions(binary, folder, count=2000):
    """Thousands of connections at once, under a soft limit of 1,024 descriptors."""
    # half of all may be there before login
    limits = f"connections = {2 * count + 100}\nconnections_per_address = {count}"
    gateway = Gateway(binary, folder, limits=limits, soft=1024)
    mine = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (mine[1], mine[1]))
    clients, greeted = [], 0
    try:
        for n in range(count):
            client = Client(gateway.port, f"127.0.4.{n % 200 + 1}", timeout=5.0)
            clients.append(client)
            greeted += client.hear().startswith(b"+OK")
    except OSError:
        pass
    for client in clients:
        client.close()
    gateway.stop()
    return {"greeted": f"{greeted} of {count}"}


# a login has three lines at this level: more than the pipe and the queue hold
FILLING = 4000


def silent_reader(binary, folder, seconds=20):
    """Standard error is a pipe that is not read: does the service go on, and SIGTERM?"""
    reading, writing = os.pipe()
    gateway = Gateway(binary, folder, stderr=writing, level="trace", limits="connections_per_address = 500")
    os.close(writing)
    end, served, failed = time.monotonic() + seconds, 0, 0
    while (time.monotonic() < end or served < FILLING) and failed < 3:
        try:
            client = Client(gateway.port, timeout=20.0)
            heard, _ = client.login("user1", PASSWORD)
            client.socket.sendall(b"QUIT\r\n")
            client.hear()
            client.close()
            served += heard.startswith(b"+OK")
        except OSError:
            failed += 1
    # it flows again for a moment
    told = b""
    os.set_blocking(reading, False)
    until = time.monotonic() + 20
    while time.monotonic() < until and b"are lost" not in told:
        try:
            told += os.read(reading, 65536)
        except BlockingIOError:
            try:
                Client(gateway.port, timeout=1.0).close()
            except OSError:
                pass
            time.sleep(0.05)
    ended = gateway.stop()
    os.close(reading)
    return {
        "logins while the log is not read": f"{served}, {failed} stuck",
        "says what was lost": b"are lost" in told,
        "SIGTERM": "killed after 20 s" if ended is None else f"ended after {ended:.1f} s",
    }


def addresses(count, add=True):
    for n in range(1, count + 1):
        command = ["ip", "-6", "addr", "add" if add else "del", f"{NETWORK}{n:x}/128", "dev", "lo"]
        subprocess.run(command, check=False, capture_output=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--seconds", type=float, default=20.0)
    arguments.add_argument("--only", help="a part of the title")
    chosen = arguments.parse_args()
    binary = Path(chosen.gateway).resolve()

    def tell(title, measure):
        if chosen.only and chosen.only not in title:
            return
        with tempfile.TemporaryDirectory() as folder:
            for what, figure in measure(folder).items():
                print(f"{title:34} {what:26} {figure}", flush=True)

    def guessed(sources, imap=None):
        def measure(folder):
            gateway = Gateway(binary, folder, imap=imap, limits="connections_per_address = 200")
            try:
                return guessing(gateway.port, sources, chosen.seconds, gateway.refused)
            finally:
                gateway.stop()
        return measure

    def crowded(folder):
        gateway = Gateway(binary, folder)
        try:
            return crowd(gateway.port)
        finally:
            gateway.stop()

    network = [f"{NETWORK}{n:x}" for n in range(1, 65)]
    addresses(64)
    dovecot = None
    try:
        tell("guessing, one address, local", guessed(["127.0.0.9"]))
        tell("guessing, one /64, local", guessed(network))
        if not chosen.only or "dovecot" in chosen.only:
            import servers
            dovecot = servers.Dovecot()
            check(dovecot.password == PASSWORD, "the servers of the interop run have another password")
            for user in ["victim"] + [f"user{n}" for n in range(9)]:
                dovecot.create_user(user)
            tell("guessing, one address, dovecot", guessed(["127.0.0.9"], dovecot.port))
            tell("guessing, one /64, dovecot", guessed(network, dovecot.port))
        tell("40 addresses idle before login", crowded)
        tell("2,000 sessions, soft limit 1,024", lambda folder: sessions(binary, folder))
        tell("standard error is not read", lambda folder: silent_reader(binary, folder))
    finally:
        addresses(64, add=False)
        if dovecot:
            dovecot.stop()


if __name__ == "__main__":
    main()
