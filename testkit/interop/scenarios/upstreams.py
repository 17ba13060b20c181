"""An upstream that is gone, dies, or is not the one it should be."""

import contextlib
import random
import socket
import threading
import time

from base import HOST, Certificates, check, free_port, wait_until
from mailbox import normalised
from pop import Pop, stuffed

MIB = 1024 * 1024


def killed_within_a_message(bench):
    """The upstream dies in the midst of 25 MiB: the client's connection closes without the final dot (G06)."""
    large = b"Subject: large\r\n\r\n" + (b"z" * 78 + b"\r\n") * (25 * MIB // 80)
    before = bench.deliver([large])
    with bench.gateway() as gateway:
        pop = bench.logged_in(gateway, receive_buffer=65536)
        pop.send(b"RETR 1\r\n")
        check(pop.line().startswith(b"+OK"), "RETR was refused")
        start = pop.exactly(MIB)
        bench.upstream.kill()
        begin = time.monotonic()
        heard = start + pop.to_end()
        seconds = time.monotonic() - begin
        check(not heard.endswith(b"\r\n.\r\n"), "the message was ended as if it were whole")
        whole = stuffed(normalised(large))
        check(whole.startswith(heard), lambda: f"something else than the message came: {heard[-120:]!r}")
        check(seconds < 10, f"it took {seconds:.0f} s to close")
        bench.upstream.restart()
        with bench.logged_in(gateway) as pop:
            check(pop.ok("STAT").startswith(b"+OK 1 "), "the mail is gone")
            pop.ok("QUIT")
        bench.untouched(before)
        return f"{len(heard) / MIB:.1f} MiB came, closed {seconds * 1000:.0f} ms after the last of it"


def restarted_between_commands(bench):
    """The upstream is restarted while the session is idle: the client notices nothing, and its deletions happen (G05)."""
    before = bench.deliver()
    with bench.gateway() as gateway, bench.logged_in(gateway) as pop:
        pop.ok("DELE 2")
        bench.upstream.kill()
        bench.upstream.restart()
        for number in (1, 5):
            pop.ok(f"RETR {number}")
            heard = pop.body()
            check(heard == stuffed(normalised(before[number - 1].body)), f"{heard!r}")
        pop.ok("DELE 1")
        pop.ok("QUIT")
    check(bench.upstream.uids(bench.user) == [message.uid for message in before[2:]], "the wrong mails are left")


def gone_between_commands(bench):
    """The upstream dies while the session is idle: a passing trouble, said at once, and nothing is deleted (G07)."""
    before = bench.deliver()
    with bench.gateway() as gateway, bench.logged_in(gateway) as pop:
        pop.ok("DELE 4")
        bench.upstream.kill()
        for number in (1, 2, 3):
            begin = time.monotonic()
            pop.refused(f"RETR {number}", b"[SYS/TEMP]")
            check(time.monotonic() - begin < 5, "it took long to find out")
        check(pop.ok("LIST 1").startswith(b"+OK 1 "), "what is known needs no upstream")
        pop.close()
        bench.upstream.restart()
        bench.untouched(before)


def gone_before_quit(bench):
    """Marks that could not be applied: QUIT says -ERR, and nothing is half-deleted (P038, G08)."""
    before = bench.deliver()
    with bench.gateway() as gateway, bench.logged_in(gateway) as pop:
        pop.ok("DELE 1")
        pop.ok("DELE 3")
        bench.upstream.kill()
        time.sleep(0.2)
        pop.refused("QUIT", b"[SYS/TEMP]")
        check(pop.closed(), "the connection stays open after QUIT")
        bench.upstream.restart()
        bench.untouched(before)
        pop, _ = bench.login_soon(gateway)
        pop.close()


def polled_for_an_hour(bench):
    """A device looks for mail sixty times, as in an hour of minutes: one login upstream. What arrives meanwhile comes, and
    what others remove is gone. A wrong password is refused by the upstream."""
    before = bench.deliver()
    log = bench.upstream.folder / "dovecot.log"

    def logins():
        return log.read_text(errors="replace").count(f"imap-login: Info: Login: user=<{bench.user}>")

    def listed(gateway):
        with bench.logged_in(gateway) as pop:
            _, lines = pop.multi("UIDL")
            pop.ok("QUIT")
            return len(lines)

    with bench.gateway() as gateway:
        start, times = logins(), []
        for _ in range(60):
            begin = time.monotonic()
            check(listed(gateway) == len(before), "mail is missing")
            times.append(time.monotonic() - begin)
        wait_until(lambda: logins() > start, "the log of the upstream")
        polls = logins() - start
        check(polls == 1, f"{polls} logins upstream for 60 polls")
        bench.upstream.deliver(bench.user, [b"Subject: new\r\n\r\nnew\r\n"])
        wait_until(lambda: listed(gateway) == len(before) + 1, "the new mail")
        with bench.logged_in(gateway) as pop:
            pop.ok("DELE 1")
            pop.ok("QUIT")
        check(listed(gateway) == len(before), "a deletion is not seen")
        check(logins() - start == 1, "another login upstream")
        pop = Pop(gateway.port)
        pop.greeting()
        pop.ok(f"USER {bench.user}")
        pop.refused("PASS wrong", b"[AUTH]")
        pop.close()
        check(listed(gateway) == len(before), "the right password after a wrong one")
        check(logins() - start == 1, "another login upstream after a wrong password")
        bench.upstream.kill()
        bench.upstream.restart()
        check(listed(gateway) == len(before), "mail is missing after a restart")
        check(logins() - start <= 2, "more than one login after a restart")
    with bench.gateway(upstream_lines='park = "off"') as gateway:
        start = logins()
        for _ in range(5):
            listed(gateway)
        wait_until(lambda: logins() - start == 5, "a login upstream for each poll without park")
    times.sort()
    return f"1 login upstream for 60 polls; a poll takes {times[30] * 1000:.1f} ms (median), {times[-1] * 1000:.0f} ms with the login"


def down(bench):
    """No server listens at the upstream's port: the login hears [SYS/TEMP], not [AUTH] (X025)."""
    for security in ("plain", "starttls", "tls"):
        with bench.gateway(security, upstream_port=free_port()) as gateway, Pop(gateway.port) as pop:
            pop.greeting()
            pop.ok(f"USER {bench.user}")
            begin = time.monotonic()
            pop.refused(f"PASS {bench.password}", b"[SYS/TEMP]")
            check(time.monotonic() - begin < 5, "it took long to find out")


def not_who_it_should_be(bench):
    """A certificate of a foreign authority or for another name: fails closed, the password is never sent (cT021)."""
    bench.deliver()
    foreign = Certificates(bench.upstream.folder / "foreign", "foreign").ca
    for security in ("starttls", "tls"):
        for wrong in ({"upstream_ca": foreign}, {"upstream_lines": 'server_name = "imap.example.org"'}):
            with bench.gateway(security, **wrong) as gateway, Pop(gateway.port) as pop:
                pop.greeting()
                pop.ok(f"USER {bench.user}")
                pop.refused(f"PASS {bench.password}", b"[SYS/PERM]")
    log = (bench.upstream.folder / "dovecot.log").read_text()
    logins = [line for line in log.splitlines() if "Login: user=" in line and "imap-login" in line]
    # the harness's own look at the mailbox, and no other
    check(len(logins) == 1, f"the upstream saw logins: {logins}")


def knows_where_clients_are(bench):
    """Dovecot logs the client's address for an upstream marked as one's own, else the gateway's (W026)."""
    if bench.upstream.name != "dovecot":
        return "Dovecot reads it from ID"
    bench.deliver()
    client = "127.9.8.7"
    log = bench.upstream.folder / "dovecot.log"
    for own, seen in (("true", client), ("false", HOST)):
        before = len(log.read_text())
        with bench.gateway(upstream_lines=f"own = {own}") as gateway, Pop(gateway.port, source=client) as pop:
            pop.greeting()
            pop.ok(f"USER {bench.user}")
            pop.ok(f"PASS {bench.password}")
            pop.ok("QUIT")
        lines = [line for line in log.read_text()[before:].splitlines() if "Login: user=" in line]
        check(any(f"rip={seen}," in line for line in lines), lambda: f"own = {own}: {lines}")
        check(own == "true" or not any(client in line for line in lines), lambda: f"told to a stranger: {lines}")
    return f"rip={client}"


def talks_nonsense(bench):
    """An upstream that is not an IMAP server, or a broken one: [SYS/TEMP] within the timeout, the reason in the log."""
    rng = random.Random(9)
    greeting = b"* OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\r\n"
    nonsense = {
        "silence": [],
        "closes at once": None,
        "random bytes": [rng.randbytes(5000) + b"\r\n"],
        "a line without end": [b"* OK " + b"x" * MIB],
        "NULs": [b"\0" * 1000 + b"\r\n"],
        "says goodbye": [b"* BYE too busy\r\n"],
        "POP3": [b"+OK POP3 ready\r\n", b"-ERR what\r\n"],
        "HTTP": [b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"],
        "nonsense for an answer": [greeting, b"* 1 FETCH (((((\r\nA1 MAYBE\r\n"],
        "an endless literal": [greeting, b"* 1 FETCH (BODY[] {99999999999}\r\n" + b"y" * MIB],
        "silence after the greeting": [greeting],
        "deep nesting": [greeting, b"* 1 FETCH " + b"(" * 50_000 + b"\r\n"],
    }
    for what, says in nonsense.items():
        with Nonsense(says) as upstream:
            lines = 'reply_timeout = "2s"\nconnect_timeout = "2s"'
            with bench.gateway("plain", upstream_port=upstream.port, upstream_lines=lines) as gateway:
                with Pop(gateway.port) as pop:
                    pop.greeting()
                    pop.ok(f"USER {bench.user}")
                    begin = time.monotonic()
                    answer = pop.command(f"PASS {bench.password}")
                    seconds = time.monotonic() - begin
                    check(answer.startswith(b"-ERR [SYS/TEMP]"), f"{what}: the login heard {answer!r}")
                    check(seconds < 8, f"{what}: it took {seconds:.0f} s")
                gateway.wait_log("login failed")
                check(gateway.memory()[1] < 64 * 1024, f"{what}: {gateway.memory()[1]} KiB")


def kept_without_rights(bench):
    """Dovecot says OK to a user without the right to expunge, and keeps the message: QUIT does not say deleted (P038)."""
    before = bench.deliver()
    uids = [message.uid for message in before]
    rights = bench.upstream.maildir_of(bench.user) / "dovecot-acl"
    with bench.gateway() as gateway:
        for granted in ("lrws", "lrwse", "lrwst"):
            rights.write_text(f"owner {granted}\n")
            with bench.logged_in(gateway) as pop:
                pop.ok("DELE 2")
                pop.refused("QUIT", b"[SYS/TEMP]")
            left = [message.uid for message in bench.upstream.messages(bench.user)]
            check(left == uids, lambda: f"with the rights {granted}: {left} of {uids}")
        rights.unlink()
        with bench.logged_in(gateway) as pop:
            pop.ok("DELE 2")
            pop.ok("QUIT")
        left = [message.uid for message in bench.upstream.messages(bench.user)]
        check(left == uids[:1] + uids[2:], lambda: f"with all rights: {left} of {uids}")


class Nonsense:
    """A TCP server that says the same to every client, a piece for each thing it hears."""

    def __init__(self, says):
        self.says = says
        self.socket = socket.create_server((HOST, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.socket.accept()
                threading.Thread(target=self.talk, args=(link,), daemon=True).start()

    def talk(self, link):
        with link, contextlib.suppress(OSError):
            for piece in self.says or ():
                link.sendall(piece)
                if not link.recv(4096):
                    return
            if self.says is not None:
                while link.recv(4096):
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


ALL = [killed_within_a_message, restarted_between_commands, gone_between_commands, polled_for_an_hour, gone_before_quit, kept_without_rights, down, not_who_it_should_be, knows_where_clients_are, talks_nonsense]
