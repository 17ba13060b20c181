#!/usr/bin/env python3
"""What packaging/ has, with the real systemd, certbot's way of calling, and fail2ban.

    packaging.py --gateway target/debug/pop3-gateway

Prints one line for each case and a closing line; the exit status is 0 only if nothing failed.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

from base import HOST, REPOSITORY, Certificates, Daemon, check, free_port, program, run, wait_until
from gateway import quoted
from pop import Pop
from run import Report
from scenarios import Bench
from scenarios.operation import certificate_of
from servers import Dovecot

PACKAGING = REPOSITORY / "packaging"
# systemd calls that OK
EXPOSURE = 2.0


def systemd_version():
    return int(run([program("systemd-analyze", "systemd"), "--version"]).stdout.split()[1])


def units(bench):
    """systemd reads both units without a word of complaint."""
    folder = bench.folder / "units"
    folder.mkdir(parents=True, exist_ok=True)
    text = (PACKAGING / "systemd/pop3-gateway.service").read_text()
    text = text.replace("/usr/bin/pop3-gateway", str(bench.binary))
    if systemd_version() < 253:
        check("\nType=notify-reload\n" in text, "the unit does not announce its reloads")
        text = text.replace("Type=notify-reload\n", (PACKAGING / "systemd/before-253.conf").read_text().split("[Service]\n")[1])
    (folder / "pop3-gateway.service").write_text(text)
    shutil.copy(PACKAGING / "systemd/pop3-gateway.socket", folder)
    files = sorted(folder.iterdir())
    done = run([program("systemd-analyze", "systemd"), "verify", "--man=no", *files], check_status=False)
    check(done.returncode == 0 and not done.stderr, done.stderr.decode())
    sysusers = program("systemd-sysusers", "systemd")
    root = folder / "root"
    (root / "etc").mkdir(parents=True, exist_ok=True)
    done = run([sysusers, f"--root={root}", PACKAGING / "systemd/pop3-gateway.sysusers"], check_status=False)
    check(done.returncode == 0, done.stderr.decode())
    check("pop3-gateway" in (root / "etc/passwd").read_text(), "the user is not made")


def hardened(bench):
    """`systemd-analyze security` says at most 2.0."""
    unit = PACKAGING / "systemd/pop3-gateway.service"
    # tenths
    limit = f"--threshold={EXPOSURE * 10:.0f}"
    done = run([program("systemd-analyze", "systemd"), "security", "--offline=yes", "--no-pager", limit, unit], check_status=False)
    said = done.stdout.decode()
    check(done.returncode == 0, said)
    return re.search(r"Overall exposure level.*: ([0-9.]+)", said).group(0)


def listener(port, name="pop3"):
    return f'[[listener]]\nname = "{name}"\nlisten = "{HOST}:{port}"\n'


def configuration(bench, folder, port, lines=""):
    folder.mkdir(parents=True, exist_ok=True)
    upstream = bench.upstream
    text = f"runtime = {quoted(bench.runtime)}\n{listener(port)}{lines}[[upstream]]\nname = \"dovecot\"\n"
    text += f'url = "imap://{HOST}:{upstream.port}"\n[limits]\nconnections_per_address = 1000\nconnections_per_user = 1000\n'
    (folder / "gateway.toml").write_text(text)
    return folder / "gateway.toml"


def socket_activated(bench):
    """systemd's own program for it starts the gateway when the first client connects, and passes the socket."""
    port = free_port()
    config = configuration(bench, bench.folder / "activated", port)
    activate = program("systemd-socket-activate", "systemd")
    argv = [activate, "-l", f"{HOST}:{port}", "--fdname=pop3", bench.binary, "serve", "--config", config]
    daemon = Daemon(argv, bench.folder / "activated" / "log")
    try:
        wait_until(lambda: "Listening on" in daemon.tail(), "the socket")
        bench.deliver()
        for _ in range(2):
            with Pop(port) as pop:
                pop.login(bench.user, bench.password)
                pop.ok("QUIT")
        check("address already in use" not in daemon.tail().lower(), daemon.tail())
    finally:
        daemon.stop()


class Unit:
    """The service manager's part: a socket that stays, and processes that come and go."""

    def __init__(self, bench, folder, port):
        self.config = configuration(bench, folder, port)
        self.binary, self.log = bench.binary, folder / "log"
        self.socket = socket.create_server((HOST, port), backlog=1024)
        self.process = None

    def start(self):
        argv = ["sh", "-c", 'exec 3<&0 </dev/null; LISTEN_PID=$$ exec "$@"', "sh", self.binary, "serve", "--config", self.config]
        environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "pop3"}
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(argv, stdin=self.socket, stdout=out, stderr=out, env=environment)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        check(status == 0, lambda: f"it ended with {status}: {self.log.read_text()[-2000:]}")

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.socket.close()


class Load:
    """Clients that come all the time, each with a session of one message; `tls`: the certificates that they trust, which
    may change."""

    def __init__(self, bench, port, tls=None):
        self.password, self.port, self.tls = bench.password, port, tls
        self.over = threading.Event()
        self.whole, self.goodbyes, self.faults = [], [], []
        users = [f"load{number}" for number in range(4)]
        for user in users:
            bench.upstream.create_user(user)
            bench.upstream.deliver(user, [b"Subject: load\r\n\r\n" + b"x" * 70 + b"\r\n" * 2000])
        self.threads = [threading.Thread(target=self.client, args=(user,)) for user in users]

    def client(self, user):
        while not self.over.is_set():
            try:
                self.session(user)
            except Exception as error:  # each kind of it counts
                self.faults.append(repr(error))

    def session(self, user):
        with Pop(self.port, tls=self.tls, timeout=60) as pop:
            for command in (None, f"USER {user}", f"PASS {self.password}", "RETR 1", "QUIT"):
                if command:
                    try:
                        pop.send(command.encode() + b"\r\n")
                    except OSError:
                        self.goodbyes.append("gone")
                        return
                line = pop.line()
                if not line.startswith(b"+OK"):
                    # between two responses, and whole
                    if line and not line.startswith(b"-ERR [SYS/TEMP]") and not line.startswith(b"-ERR [IN-USE]"):
                        self.faults.append(f"{command}: {line!r}")
                    self.goodbyes.append(line)
                    return
                if command == "RETR 1":
                    pop.body()
            self.whole.append(user)

    def goes_on(self, sessions=4):
        """Waits for this many more whole sessions."""
        before = len(self.whole)
        wait_until(lambda: len(self.whole) >= before + sessions or self.faults, "sessions", 60)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        if kind is None:
            check(not self.faults, lambda: f"{len(self.faults)} faults, such as {self.faults[:3]}")


def restarts_under_load(bench):
    """Ten restarts while clients come all the time: no connection is refused, no session is cut in a response."""
    port = free_port()
    unit = Unit(bench, bench.folder / "load", port)
    try:
        unit.start()
        with Load(bench, port) as load:
            for _ in range(10):
                load.goes_on()
                unit.stop()
                unit.start()
            load.goes_on(1)
    finally:
        unit.close()
    return f"{len(load.whole)} whole sessions, {len(load.goodbyes)} ended between two responses, 0 refused, 0 cut"


def certificates_change_under_load(bench):
    """Twenty certificates after one another while clients come all the time through TLS: each handshake has one whole pair,
    and not one session ends before its QUIT."""
    folder = bench.folder / "changing"
    folder.mkdir(parents=True)
    pairs = [Certificates(folder / str(number), f"number {number}") for number in range(2)]
    trusted, own = folder / "trusted.pem", folder / "own.pem"
    trusted.write_bytes(b"".join(pair.ca.read_bytes() for pair in pairs))

    def show(pair):
        # key and certificate in one file, so that they change together
        (folder / "next").write_bytes(pair.both.read_bytes())
        os.replace(folder / "next", own)

    show(pairs[0])
    port = free_port()
    lines = f'tls = "implicit"\n[[listener.certificate]]\ncert = "{own}"\nkey = "{own}"\n'
    log = folder / "log"
    daemon = Daemon([bench.binary, "serve", "--config", configuration(bench, folder, port, lines)], log)
    reloaded = "configuration and certificates reloaded"

    class Shown:
        port_tls = port

    try:
        daemon.wait_port(port)
        with Load(bench, port, trusted) as load:
            # it listens before it hears signals
            load.goes_on(1)
            for number in range(1, 21):
                show(pairs[number % 2])
                daemon.send(signal.SIGHUP)
                wait_until(lambda number=number: log.read_text().count(reloaded) >= number, "the reload", 60)
                certificate_of(Shown, pairs[number % 2].ca)
                load.goes_on(2)
        check(not load.goodbyes, lambda: f"sessions ended early: {load.goodbyes[:3]}")
    finally:
        daemon.stop(30)
    return f"{len(load.whole)} whole sessions, 0 refused, 0 cut"


def renewed_by_certbot(bench):
    """The hook copies the pair for the gateway and reloads it; a session goes on, other certificates stay."""
    folder = bench.folder / "certbot"
    lineage, tls, bin_ = folder / "live/pop.example.org", folder / "tls", folder / "bin"
    for path in (lineage, folder / "archive", tls / "pop.example.org", bin_):
        path.mkdir(parents=True)
    # certbot has links to the newest pair
    for name, file in (("fullchain.pem", "certificate"), ("privkey.pem", "key")):
        shutil.copy(getattr(bench.certificates, file), folder / "archive" / name)
        (lineage / name).symlink_to(folder / "archive" / name)
    calls = folder / "calls"
    systemctl = bin_ / "systemctl"

    def renew(lineage, reload="true"):
        # systemd is not there in every container
        systemctl.write_text(f"#!/bin/sh\necho \"$*\" >>{calls}\ncase \"$1\" in reload) {reload} ;; esac\n")
        systemctl.chmod(0o755)
        environment = {"PATH": f"{bin_}:{os.environ['PATH']}", "RENEWED_LINEAGE": str(lineage)}
        environment |= {"POP3_GATEWAY_TLS": str(tls), "POP3_GATEWAY_GROUP": "daemon"}
        run([PACKAGING / "certbot/pop3-gateway"], env=environment)

    renew(lineage)
    pair = [tls / "pop.example.org" / name for name in ("fullchain.pem", "privkey.pem")]
    check(all(file.stat().st_mode & 0o777 == 0o640 and file.group() == "daemon" for file in pair), "the rights of the copies")
    check(len(list(pair[0].parent.iterdir())) == 2, "more than the pair is left")
    calls.unlink()
    renew(folder / "live/other.example.org")
    check(not calls.exists(), "another certificate was taken for the gateway's")
    port = free_port()
    lines = f'tls = "implicit"\n[[listener.certificate]]\ncert = "{pair[0]}"\nkey = "{pair[1]}"\n'
    config = configuration(bench, folder, port, lines)
    daemon = Daemon([bench.binary, "serve", "--config", config], folder / "log")
    try:
        daemon.wait_port(port)
        bench.deliver()

        class Shown:
            port_tls = port

        old = certificate_of(Shown, bench.certificates.ca)
        session = Pop(port, tls=bench.certificates.ca)
        session.login(bench.user, bench.password)
        fresh = Certificates(folder / "fresh", "fresh")
        shutil.copy(fresh.certificate, folder / "archive/fullchain.pem")
        shutil.copy(fresh.key, folder / "archive/privkey.pem")
        renew(lineage, f"kill -HUP {daemon.pid}")

        def renewed():
            try:
                return certificate_of(Shown, fresh.ca) != old
            except ssl.SSLCertVerificationError:
                return False

        wait_until(renewed, "the new certificate to be shown")
        session.ok("STAT")
        session.ok("QUIT")
    finally:
        daemon.stop()


def banned_by_fail2ban(bench):
    """The filter finds each refused login and its address, and nothing else, in a file and as the journal shows it."""
    regex = program("fail2ban-regex", "fail2ban")
    folder = bench.folder / "fail2ban"
    etc = folder / "etc"
    shutil.copytree("/etc/fail2ban", etc)
    for part in ("filter.d", "jail.d"):
        shutil.copy(PACKAGING / f"fail2ban/{part}/pop3-gateway.conf", etc / part)
    # Debian's own jail wants a log of sshd
    (etc / "jail.d/zz-only-ours.conf").write_text("[sshd]\nenabled = false\n")
    bench.deliver()
    guessers = ["127.0.5.1", "127.0.5.2"]
    with bench.gateway(limits='failed_login_delay_max = "0s"\nfailed_login_delay = "0s"') as gateway:
        for source in guessers:
            for user in (bench.user, "x session=1 peer=192.0.2.66:1 y", "y kind=Credentials"):
                with Pop(gateway.port, source=source) as pop:
                    pop.greeting()
                    pop.ok(f"USER {user}")
                    pop.refused("PASS wrong", b"[AUTH]")
        with Pop(gateway.port, source="127.0.5.3") as pop:
            pop.login(bench.user, bench.password)
            pop.ok("QUIT")
        wait_until(lambda: gateway.log().count("login refused") == 6, "the refused logins in the log")
    lines = gateway.log().splitlines()
    # a client of IPv6, which loopback has one address of only
    refused = next(line for line in lines if "login refused" in line)
    lines.append(re.sub(r"peer=\S+", "peer=[2001:db8::5]:4711", refused))
    as_file = folder / "file.log"
    as_file.write_text("\n".join(lines) + "\n")
    as_journal = folder / "journal.log"
    stamp = time.strftime("%b %d %H:%M:%S")
    bare = [line.split("Z ", 1)[1] for line in lines]
    as_journal.write_text("".join(f"{stamp} host pop3-gateway[4711]: {line}\n" for line in bare))
    for file in (as_file, as_journal):
        argv = [regex, "-c", etc, "--print-all-matched", "-v", file, etc / "filter.d/pop3-gateway.conf"]
        said = run(argv).stdout.decode()
        wanted = {"127.0.5.1": 3, "127.0.5.2": 3, "2001:db8::5": 1}
        found = {address: 0 for address in wanted}
        for address in re.findall(r"^\|\s+([0-9a-f.:]+)\s+\w{3} \w{3} ", said, re.MULTILINE):
            found[address] = found.get(address, 0) + 1
        check(found == wanted, lambda: f"in {file.name} found {found}:\n{said[-3000:]}")
    done = run([program("fail2ban-client", "fail2ban"), "-c", etc, "-t"], check_status=False)
    check(done.returncode == 0, done.stdout.decode() + done.stderr.decode())
    return f"{sum(wanted.values())} of {len(lines)} lines, twice"


ALL = [units, hardened, socket_activated, restarts_under_load, certificates_change_under_load, renewed_by_certbot]
ALL += [banned_by_fail2ban]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="the binary")
    parser.add_argument("--only", default="", help="the cases whose name contains this")
    parser.add_argument("--runtime", action="append", choices=("tokio", "smol"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report()
    with Dovecot() as upstream:
        for runtime in arguments.runtime or ("tokio", "smol"):
            bench = Bench(Path(arguments.gateway).resolve(), runtime, upstream)
            for case in ALL:
                if arguments.only in case.__name__:
                    report.run(f"{runtime:6}{case.__name__}", case, bench)
    sys.exit(report.close())


if __name__ == "__main__":
    main()
