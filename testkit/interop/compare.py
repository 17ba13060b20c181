#!/usr/bin/env python3
"""Whether two programs say the same to a POP3 client, octet for octet: a commit beside the one before, for instance.

    cargo run -p testkit --example write_corpus -- CORPUS
    compare.py --gateway PROGRAM --other PROGRAM --corpus CORPUS [--upstream LINES] [--other-upstream LINES]

Both have the same configuration and the same mailbox, put back before each dialogue: in Dovecot, and as a Maildir of
their own. A dialogue is played command by command and all at once, on either runtime. The timestamps of greetings are
taken out. Each difference is shown once, and where.
"""

import argparse
import base64
import contextlib
import difflib
import os
import re
import shutil
import sys
from pathlib import Path

import servers
import stores
from base import Failure, Scratch, check, wait_until
from gateway import RUNTIMES, Gateway
from pop import Pop

USER, PASSWORD = "tim", "correct-horse"
LOGIN = [f"USER {USER}", f"PASS {PASSWORD}"]
# what is answered in several lines: always, and without an argument
BODIES = ("RETR", "TOP")
LISTS = ("CAPA", "LIST", "UIDL", "LANG", "AUTH")


def plain(user=USER, password=PASSWORD):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def dialogues(count):
    """A name for each, and its commands."""
    every = range(1, count + 1)
    yield "capabilities", ["CAPA", *LOGIN, "CAPA", "QUIT"]
    yield "overview", [*LOGIN, "STAT", "LIST", "UIDL", "NOOP", "LAST", "RSET", "QUIT"]
    yield "one by one", [*LOGIN, *(f"{word} {n}" for n in every for word in ("LIST", "UIDL")), "QUIT"]
    yield "bodies", [*LOGIN, *(f"RETR {n}" for n in every), "QUIT"]
    yield "bodies backwards", [*LOGIN, *(f"RETR {n}" for n in reversed(every)), "QUIT"]
    for lines in (0, 1, 5, 10_000_000):
        yield f"tops of {lines}", [*LOGIN, *(f"TOP {n} {lines}" for n in every), "QUIT"]
    yield "removal", [*LOGIN, "DELE 2", "DELE 2", "RETR 2", "TOP 2 0", "LIST 2", "UIDL 2", "STAT", "LIST", "QUIT"]
    yield "after a removal", [*LOGIN, "DELE 1", "DELE 3", "STAT", "QUIT", ("again",), *LOGIN, "STAT", "UIDL", "QUIT"]
    yield "removal taken back", [*LOGIN, "DELE 1", "DELE 2", "RSET", "STAT", "DELE 1", "QUIT", ("again",), *LOGIN, "STAT", "QUIT"]
    yield "removal without QUIT", [*LOGIN, "DELE 1", ("end",), ("again",), *LOGIN, "STAT", "QUIT"]
    numbers = ("", " ", " 0", " -1", " 1 1", " x", f" {count + 1}", " 4294967296", " 99999999999999999999", " 1.5", " +1", " 01", "  1")
    for word in ("LIST", "UIDL", "RETR", "DELE", "TOP"):
        yield f"numbers of {word}", [*LOGIN, *(word + number for number in numbers), "RSET", "QUIT"]
    yield "lines of TOP", [*LOGIN, *(f"TOP 1{rest}" for rest in (" x", " -1", " 0 0", " 99999999999999999999", " 00", "  3")), "QUIT"]
    strange = ["", " ", "NONSENSE", "NOOP NOOP", "noop", "NoOp", "STAT 1", "QUIT 1", "RSET 1", "XTND XMIT", "APOP", "USER", "PASS", "\0", "é", "A" * 300]
    yield "strange words before a login", [*strange, "QUIT"]
    yield "strange words after it", [*LOGIN, *strange, "USER x", "PASS x", "AUTH PLAIN", "STLS", "APOP a b", "QUIT"]
    yield "too early", ["STAT", "LIST", "UIDL", "RETR 1", "DELE 1", "TOP 1 0", "RSET", "NOOP", "LAST", "PASS x", "QUIT"]
    yield "a wrong password", [f"USER {USER}", "PASS wrong", *LOGIN, "STAT", "QUIT"]
    yield "two names", ["USER x", f"USER {USER}", f"PASS {PASSWORD}", "STAT", "QUIT"]
    yield "mechanisms", ["AUTH", "AUTH NONE", "AUTH PLAIN =", "AUTH PLAIN !", f"AUTH PLAIN {plain()}", "STAT", "QUIT"]
    yield "a response later", ["AUTH PLAIN", plain(), "STAT", "QUIT"]
    yield "a response taken back", ["AUTH PLAIN", "*", "AUTH PLAIN", plain(password="wrong"), *LOGIN, "STAT", "QUIT"]
    yield "LOGIN", ["AUTH LOGIN", *(base64.b64encode(word.encode()).decode() for word in (USER, PASSWORD)), "STAT", "QUIT"]
    yield "languages", ["LANG", "LANG en", "LANG xx", "UTF8", *LOGIN, "LANG", "UTF8", "QUIT"]
    yield "in use", [*LOGIN, ("second", [*LOGIN, "QUIT"]), "STAT", "QUIT"]
    yield "the end at once", ["QUIT"]
    yield "nothing", [("end",)]
    yield "a line without an end", [*LOGIN, ("octets", b"STA"), ("end",)]
    yield "bare ends", [("octets", f"USER {USER}\nPASS {PASSWORD}\nSTAT\nQUIT\n".encode())]
    yield "carriage returns", [("octets", f"USER {USER}\r\nPASS {PASSWORD}\r\nSTAT\r\r\nNOOP\rQUIT\r\nQUIT\r\n".encode())]
    yield "TLS", [("tls",), "CAPA", *LOGIN, "STAT", "RETR 1", "QUIT"]


class Player:
    """Plays dialogues with one program."""

    def __init__(self, gateway):
        self.gateway = gateway

    def play(self, steps, at_once):
        said, client = [], Pop(self.gateway.port)
        said.append(client.line())
        commands = []
        for step in steps:
            if isinstance(step, str):
                commands.append(step)
                if at_once:
                    continue
            self.send(client, commands, said, at_once)
            commands = []
            if isinstance(step, str):
                continue
            kind, *rest = step
            said.append(f"({kind})\r\n".encode())
            match kind:
                case "end":
                    client.socket.shutdown(1)
                    said.append(client.to_end())
                case "again":
                    said.append(client.to_end())
                    client = Pop(self.gateway.port)
                    said.append(client.line())
                case "octets":
                    client.send(rest[0])
                case "second":
                    said += self.play(rest[0], at_once=False)
                case "tls":
                    client.send(b"STLS\r\n")
                    said.append(client.line())
                    client.wrap(self.gateway.certificates.ca)
        self.send(client, commands, said, at_once)
        said.append(client.to_end())
        return said

    @staticmethod
    def send(client, commands, said, at_once):
        pieces = [command + "\r\n" for command in commands]
        for piece in ["".join(pieces)] if at_once else pieces:
            # it may have closed already
            with contextlib.suppress(ConnectionError):
                client.send(piece.encode())
            if at_once:
                continue
            line = client.line()
            said += [f"> {piece}".encode(), line]
            word, *rest = piece.upper().split() or [""]
            if line.startswith(b"+OK") and (word in BODIES or word in LISTS and not rest):
                said.append(client.body())


def cleaned(said):
    """In lines, without the timestamps of greetings."""
    text = re.sub(rb"(?m)^(\+OK [^<\r\n]*)<[^<>\s]+>(?=\r$)", rb"\1<stamp>", b"".join(said))
    return [line + b"\n" for line in text.split(b"\n")]


class Mailbox:
    """A folder that is put back as it was."""

    def __init__(self, folder, daemons=()):
        self.folder, self.kept, self.daemons = folder, folder.with_name("kept"), daemons
        self.copy(folder, self.kept)

    def put_back(self):
        wait_until(lambda: not self.is_open(), "the end of the session in the mailbox")
        shutil.rmtree(self.folder)
        self.copy(self.kept, self.folder)

    def is_open(self):
        """Whether a process of the server's still is in there."""
        for daemon in self.daemons:
            for child in Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split():
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{child}/comm").read_text() == "imap\n":
                        return True
        return False

    @staticmethod
    def copy(source, target):
        """With all owners and times."""
        shutil.copytree(source, target)
        for path in [target, *target.rglob("*")]:
            owned = (source / path.relative_to(target)).stat()
            os.chown(path, owned.st_uid, owned.st_gid)


def compare(programs, folder, upstream, mailbox, count, upstream_lines):
    same, changes = 0, {}
    for runtime in RUNTIMES:
        gateways = []
        for number, binary in enumerate(programs):
            settings = {"limits": 'failed_login_delay = "0s"'}
            if not hasattr(upstream, "table"):
                settings["upstream_lines"] = upstream_lines[number]
            gateways.append(Gateway(binary, folder / f"{runtime}-{number}", upstream.certificates, upstream, runtime=runtime, **settings))
        for gateway in gateways:
            gateway.start()
        try:
            for name, steps in dialogues(count):
                for at_once in (False, True):
                    heard = []
                    for gateway in gateways:
                        mailbox.put_back()
                        heard.append(cleaned(Player(gateway).play(steps, at_once)))
                    if name == "overview":
                        listed = f"+OK {count} ".encode()
                        check(any(line.startswith(listed) for line in heard[1]), lambda: f"no mailbox to compare: {heard[1]}")
                    title = f"{upstream.name}, {runtime}, {name}, {'all at once' if at_once else 'one by one'}"
                    if heard[0] == heard[1]:
                        same += 1
                        continue
                    for change in changed(*reversed(heard)):
                        changes.setdefault(change, []).append(title)
        finally:
            for gateway in gateways:
                gateway.stop()
    return same, changes


def changed(before, after):
    """What became of which lines."""
    if len(before) == len(after):
        # line by line, which is quick for long bodies
        yield from (pair for pair in zip(before, after, strict=True) if pair[0] != pair[1])
        return
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, *places in matcher.get_opcodes():
        if kind != "equal":
            yield b"".join(before[places[0]:places[1]]), b"".join(after[places[2]:places[3]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--other", required=True)
    parser.add_argument("--corpus", required=True, type=Path)
    for which, title in (("--upstream", "the first"), ("--other-upstream", "the other; empty for one that does not know them")):
        parser.add_argument(which, default='park = "off"', help=f"lines for [[upstream]] of {title}")
    arguments = parser.parse_args()
    programs = [Path(arguments.gateway).resolve(), Path(arguments.other).resolve()]
    lines = [arguments.upstream, arguments.other_upstream]
    bodies = [path.read_bytes() for path in sorted(arguments.corpus.glob("*.eml"))]
    bodies = [body for body in bodies if len(body) < 1_000_000]
    scratch, same, changes = Scratch("compare"), 0, {}
    try:
        with servers.Dovecot() as dovecot, stores.start("maildir", programs[0]) as store:
            for place in (dovecot, store):
                place.create_user(USER)
                place.deliver(USER, bodies)
            # Dovecot gives the mails their numbers
            dovecot.messages(USER)
            for place, folder, daemons in ((dovecot, dovecot.maildir_of(USER), dovecot.daemons), (store, store.home(USER), ())):
                mailbox = Mailbox(folder, daemons)
                found = compare(programs, scratch.path / place.name, place, mailbox, len(bodies), lines)
                same += found[0]
                for change, titles in found[1].items():
                    changes.setdefault(change, []).extend(titles)
    except Failure as error:
        sys.exit(f"FAIL  {error}")
    finally:
        scratch.remove()
    for (before, after), titles in changes.items():
        print(f"{before[:300]!r}\n -> {after[:300]!r}\n    {len(titles)} times; first in {titles[0]}")
    print(f"{same} dialogues the same; {len(changes)} differences in {len(set(sum(changes.values(), [])))} others")
    sys.exit(1 if changes else 0)


if __name__ == "__main__":
    main()
