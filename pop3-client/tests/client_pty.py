#!/usr/bin/env python3
"""The client at a terminal, against real servers: a pseudo-terminal, somebody who types, and what is shown.

    client_pty.py --client target/debug/pop3-client [--gateway target/debug/pop3-gateway] [--server NAME]

Servers: dovecot and cyrus with their own POP3, and gateway (in front of Dovecot) if a binary is named. They run in
scratch folders on loopback (testkit/interop). Prints one line a case; the exit status is 0 only if nothing failed.
A server that is not installed is a failure, not a case left out.
"""

import argparse
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "testkit" / "interop"))

import servers  # noqa: E402
from base import Failure, Scratch, check, free_port, unpacked  # noqa: E402
from gateway import Gateway  # noqa: E402

USER = "alice"
PROMPT = "alice> "


def mails():
    """Every kind that the issue names, and one that attacks the terminal."""
    koi8 = "Привет".encode("koi8-r")
    jis = "日本語".encode("iso-2022-jp")
    return [
        b"From: =?UTF-8?B?SsO8cmdlbg==?= <j@example.org>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Date: Fri, 20 Nov 2026 10:00:00 +0100\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6n\r\n.dot\r\n",
        b"From: b@example.org\r\nSubject: =?koi8-r?B?8NLJ18XU?=\r\nContent-Type: text/plain; charset=koi8-r\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + koi8 + b"\r\n",
        b"From: c@example.org\r\nSubject: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=\r\n"
        b"Content-Type: text/plain; charset=ISO-2022-JP\r\n\r\n" + jis + b"\r\n",
        b"From: d@example.org\r\nSubject: evil\r\n =?utf-8?Q?=1B=5D0=3Bpwned=07=1B=5B2J?=\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"=1B[31mred=1B[2J\r\n",
        b"From: e@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain\r\n\r\nthe text\r\n"
        b"--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=x.pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--m--\r\n",
    ] + [
        f"From: f@example.org\r\nSubject: number {n}\r\n\r\nmail {n}\r\n".encode() for n in range(6, 31)
    ]


class Cyrus(servers.Cyrus):
    """Cyrus with its own POP3 server as well: one more service, put in before it starts."""

    def __init__(self):
        unpacked("usr/lib/cyrus/bin/pop3d", "cyrus-pop3d")
        self.port_pop3 = free_port()
        super().__init__()

    def daemon(self, argv, log, **options):
        binary = unpacked("usr/lib/cyrus/bin/pop3d", "cyrus-pop3d")
        services = self.folder / "cyrus.conf"
        line = f'  pop3 cmd="{binary} -C {self.config}" listen="127.0.0.1:{self.port_pop3}" prefork=1 maxchild=50\n'
        services.write_text(services.read_text().replace("SERVICES {\n", "SERVICES {\n" + line))
        return super().daemon(argv, log, **options)


class Terminal:
    """Somebody at a terminal of 80 columns and 24 rows."""

    def __init__(self, argv, environment):
        self.seen = ""
        self.unread = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            octets = os.read(self.fd, 65536)
        except OSError:
            return False
        text = octets.decode("utf-8", "replace")
        self.seen += text
        self.unread += text
        return bool(octets)

    def expect(self, text, seconds=20):
        """Reads until this is shown and gives back what came before it."""
        end = time.monotonic() + seconds
        while text not in self.unread:
            alive = self.read(max(0.0, end - time.monotonic()))
            check(alive or text in self.unread, lambda: f"{text!r} does not come; shown was:\n{self.seen[-3000:]}")
        before, _, self.unread = self.unread.partition(text)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def say(self, line):
        """Types a command at the prompt and gives back what it shows."""
        self.type(line + "\r")
        return plain(self.expect(PROMPT))

    def end(self):
        while self.read(10):
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def plain(text):
    """What is left without what the line editor itself sends: bracketed paste, synchronized output, cursor moves."""
    return re.sub(r"\x1b\[\??[0-9;]*[hlKCDGJm]", "", text)


class Case:
    def __init__(self, client, upstream, port, authorities, tls):
        self.client = client
        self.upstream = upstream
        self.folder = Path(tempfile.mkdtemp(prefix="client-pty-"))
        self.options = ["--host", "localhost", "--port", str(port), "--tls", tls, "--user", USER]
        self.options += ["--ca-file", str(authorities), "--timeout", "20s"]
        self.environment = {
            **os.environ,
            "XDG_CONFIG_HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder),
            "TERM": "xterm",
            "PAGER": "",
            "SECRET": upstream.password,
        }

    def run(self, *arguments, status=0):
        argv = [self.client, *self.options, "--password-from", "env:SECRET", *arguments]
        done = subprocess.run(argv, env=self.environment, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
        check(
            status is None or done.returncode == status,
            lambda: f"{arguments} gives {done.returncode}: {done.stderr.decode()}",
        )
        return done.stdout.decode()

    def console(self):
        bodies = mails()
        terminal = Terminal([self.client, *self.options], self.environment)
        question = f"Password of {USER} at localhost: "
        terminal.expect(question)
        terminal.type("certainly wrong\n")
        terminal.expect("refuses the login")
        terminal.expect(question)
        terminal.type(self.upstream.password + "\n")
        check(f"{len(bodies)} messages" in terminal.expect(PROMPT), "the number of messages is not shown")

        terminal.type("li\t\r")
        page = plain(terminal.expect("-- more"))
        for subject in ("Grüße", "Jürgen", "Привет", "日本語", "evil", "number 20"):
            check(subject in page, lambda: f"{subject!r} is not listed:\n{page}")
        check("\x1b" not in page and "\x07" not in page, lambda: f"an escape sequence passes: {page!r}")
        check("number 30" not in page, "more than a page is shown")
        terminal.type("\r")
        check("number 30" in terminal.expect(PROMPT), "the second page is not shown")

        for number, text in enumerate(("Schön", "Привет", "日本語"), 1):
            shown = terminal.say(f"show {number}")
            check(text in shown, lambda: f"{text!r} is not shown:\n{shown}")
        shown = terminal.say("show 4")
        check("\x1b" not in shown and "red" in shown, lambda: f"an escape sequence passes: {shown!r}")
        check("the text" in terminal.say("show 5"), "the text of a multipart is not shown")
        check("Subject: evil" in terminal.say("headers 4"), "the header is not shown")
        target = self.folder / "x"
        check("saved as x.pdf" in terminal.say(f"attachments 5 {target}"), "the attachment is not saved")
        check((target / "x.pdf").read_bytes() == b"%PDF", "the attachment is not what it was")
        saved = self.folder / "one.eml"
        terminal.say(f"save 1 {saved}")
        check(saved.read_bytes() == bodies[0], "the saved message is not what it was")

        check("2 messages marked" in terminal.say("delete 6-7"), "nothing is marked")
        check("2 marks taken back" in terminal.say("rollback"), "nothing is taken back")
        check("1 message marked" in terminal.say("delete 8"), "nothing is marked")
        check(f"{len(bodies) - 1} messages" in terminal.say("stat"), "the mark does not count")
        check("UIDL" in terminal.say("capa"), "the capabilities are not shown")
        terminal.type("quit\r")
        terminal.expect("1 message deleted")
        check(terminal.end() == 0, "the console fails")
        left = self.run("--json", "stat")
        check(json.loads(left)["messages"] == len(bodies) - 1, lambda: f"not one message less: {left}")
        history = (self.folder / "pop3-client" / "history").read_text()
        check(self.upstream.password not in terminal.seen + history, "the password is shown or remembered")
        check("list" in history and "delete 8" in history, lambda: f"no history: {history}")

    def words(self):
        """The name is asked for, and what other programs call things is understood (W080)."""
        at = self.options.index("--user")
        options = self.options[:at] + self.options[at + 2 :]
        environment = {**self.environment, "PAGER": "sed s/^/paged:/"}
        terminal = Terminal([self.client, *options], environment)
        terminal.expect("User at localhost: ")
        terminal.type(USER + "\r")
        terminal.expect(f"Password of {USER} at localhost: ")
        terminal.type(self.upstream.password + "\n")
        terminal.expect(PROMPT)
        check("paged:list" in terminal.say("help"), "$PAGER shows nothing")
        check("Schön" in terminal.say("retr 1"), "retr shows nothing")
        found = terminal.say("/number 20")
        check("number 20" in found and "number 21" not in found, lambda: f"not what was looked for:\n{found}")
        terminal.say("dele 1")
        terminal.type("exit\r")
        terminal.expect("[y/N] ")
        terminal.type("n\r")
        terminal.expect("nothing was deleted")
        check(terminal.end() == 0, "the console fails")

    def abort(self):
        terminal = Terminal([self.client, *self.options, "--password-from", "env:SECRET"], self.environment)
        terminal.expect(PROMPT)
        terminal.say("delete all")
        terminal.type("\x04")
        terminal.expect("[y/N] ")
        terminal.type("\x04")
        terminal.expect("nothing was deleted")
        check(terminal.end() == 0, "the console fails")

    def download(self):
        wanted = sorted(body.replace(b"\r\n", b"\n") for n, body in enumerate(mails(), 1) if n != 8)
        maildir = self.folder / "maildir"
        report = json.loads(self.run("--json", "download", "--to", f"maildir:{maildir}"))
        found = sorted(path.read_bytes() for path in (maildir / "new").iterdir())
        check(report["fetched"] == len(wanted) and found == wanted, lambda: f"not the mailbox: {report}")
        again = json.loads(self.run("--json", "download", "--to", f"maildir:{maildir}", "--delete-after"))
        check(
            (again["fetched"], again["removed"]) == (0, len(wanted)) and json.loads(self.run("--json", "stat"))["messages"] == 0,
            lambda: f"not removed: {again}",
        )

    def probe(self):
        report = json.loads(self.run("--json", "check", "--intrusive", status=None))
        faults = [finding for finding in report["findings"] if finding["verdict"] == "fault"]
        told = "; ".join(f"{fault['title']}: {fault['detail']} ({', '.join(fault['ids'])})" for fault in faults)
        return f"{len(report['findings'])} probes, {told or 'no fault'}"


def run(name, case):
    failed = 0
    for title, work in (
        ("console", case.console),
        ("words", case.words),
        ("abort", case.abort),
        ("check", case.probe),
        ("download", case.download),
    ):
        try:
            note = work()
            print(f"ok    {name} {title}" + (f"\n      {note}" if note else ""), flush=True)
        except Failure as error:
            failed += 1
            print(f"FAIL  {name} {title}\n      {error}", flush=True)
        except Exception:  # whatever goes wrong in one case must not hide the others
            failed += 1
            print(f"FAIL  {name} {title}\n{traceback.format_exc()}", flush=True)
    shutil.rmtree(case.folder)
    return failed


def deliver(upstream):
    upstream.create_user(USER)
    refused = upstream.deliver(USER, mails())
    check(not refused, lambda: f"the store refuses mails {refused}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client", required=True)
    parser.add_argument("--gateway")
    parser.add_argument("--server", action="append", choices=["dovecot", "cyrus", "gateway"])
    arguments = parser.parse_args()
    client = str(Path(arguments.client).resolve())
    wanted = arguments.server or ["dovecot", "cyrus"] + (["gateway"] if arguments.gateway else [])
    failed = 0
    if "dovecot" in wanted:
        for tls in ("implicit", "starttls"):
            with servers.start("dovecot") as upstream:
                deliver(upstream)
                port = upstream.port_pop3s if tls == "implicit" else upstream.port_pop3
                failed += run(f"dovecot {tls}", Case(client, upstream, port, upstream.certificates.ca, tls))
    if "cyrus" in wanted:
        with Cyrus() as upstream:
            deliver(upstream)
            failed += run("cyrus", Case(client, upstream, upstream.port_pop3, upstream.certificates.ca, "starttls"))
    if "gateway" in wanted:
        scratch = Scratch("client-gateway")
        with servers.start("dovecot") as upstream:
            deliver(upstream)
            gateway = Gateway(arguments.gateway, scratch.path, upstream.certificates, upstream).start()
            try:
                failed += run("gateway", Case(client, upstream, gateway.port, upstream.certificates.ca, "starttls"))
            finally:
                gateway.stop()
        scratch.remove()
    print("failed" if failed else "all well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
