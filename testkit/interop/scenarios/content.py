"""What stands on the wire: exact bytes, sizes, numbers, credentials."""

import base64
import re

import corpus
from base import check
from mailbox import Imap, normalised
from pop import Pop, stuffed


def bytes_on_the_wire(bench):
    """RETR is the stuffed mail, LIST says its size, TOP its beginning; no flag is touched (P028, P031, P043)."""
    mails = [mail for mail in corpus.generate() if not mail.large]
    before = bench.deliver([mail.body for mail in mails])
    with bench.gateway() as gateway, bench.logged_in(gateway) as pop:
        sent = [normalised(message.body) for message in before]
        # line ends are repaired on the way: until then the size is the upstream's (G09); a store counts
        sizes = [len(body) for body in sent] if bench.is_store else [len(message.body) for message in before]
        answer = pop.ok("STAT")
        check(answer == f"+OK {len(sent)} {sum(sizes)}\r\n".encode(), f"STAT: {answer!r}")
        _, listed = pop.multi("LIST")
        wanted = [f"{number} {size}".encode() for number, size in enumerate(sizes, 1)]
        check(listed == wanted, lambda: f"LIST: {[pair for pair in zip(listed, wanted) if pair[0] != pair[1]][:5]}")
        for number, (mail, body) in enumerate(zip(mails, sent), 1):
            pop.ok(f"RETR {number}")
            heard = pop.body()
            check(heard == stuffed(body), lambda: f"RETR of {mail.name}: {heard[:200]!r}, {stuffed(body)[:200]!r}")
            pop.ok(f"TOP {number} 99999999")
            heard = pop.body()
            check(heard == stuffed(body), lambda: f"TOP 99999999 of {mail.name}: {heard[:200]!r}")
            for lines in (0, 1, 3):
                pop.ok(f"TOP {number} {lines}")
                heard = pop.body()
                wanted = stuffed(top(body, lines))
                check(heard == wanted, lambda: f"TOP {lines} of {mail.name}: {heard[-300:]!r}, not {wanted[-300:]!r}")
        pop.ok("QUIT")
        bench.untouched(before)
        return f"{len(mails)} mails"


def top(body, lines):
    head, blank, rest = (b"", b"\r\n", body[2:]) if body.startswith(b"\r\n") else body.partition(b"\r\n\r\n")
    kept = rest.split(b"\r\n")[:lines]
    tail = b"\r\n".join(kept) + b"\r\n" if kept and rest else b""
    return (head + blank + tail)[: len(body)]


END = b".\r\n"


def top_of_large_mails(bench):
    """TOP n 0 of a large mail is RETR up to the blank line, wherever the server thinks that the header ends (I011, P031)."""
    text = b"0123456789" * 6 + b"\r\n"
    body = text * 2_000
    heads = {
        "plain": b"Subject: plain\r\nTo: a@example.org\r\n\r\n",
        "line without colon": b"Subject: a\r\nthis is no header line\r\nTo: b\r\n\r\n",
        "no header": b"\r\n",
        "no blank line": b"Subject: x\r\n" + b"X-Long: y\r\n" * 10_000,
        "only header": b"Subject: x\r\n" + b"X-Long: y\r\n" * 10_000 + b"\r\n",
        "bare LF": b"Subject: x\nTo: y\n\n",
        "bare LF in CRLF": b"Subject: x\r\nTo: y\n\nZ: a\r\n\r\n",
        "CR before CRLF": b"Subject: x\r\r\nTo: y\r\r\n\r\r\n",
        "NUL": b"Subject: a\0b\r\n\r\n",
        "8-bit": b"Subject: \xe4\xff\xf6\r\n\r\n",
        "From line": b"From me Mon Jan  1 00:00:00 2001\r\nSubject: x\r\n\r\n",
        "space for a blank line": b"Subject: x\r\n \r\nTo: y\r\n\t\r\n\r\n",
        "dots": b".Subject: x\r\n..To: y\r\n\r\n.",
        "100 KiB of header": b"Subject: x\r\n" + b"X-Long: y\r\n" * 10_000 + b"\r\n",
        "100 KiB in one line": b"Subject: " + b"x" * 100_000 + b"\r\n\r\n",
    }
    bodies = [head if name in ("no blank line", "only header") else head + body for name, head in heads.items()]
    refused = bench.upstream.deliver(bench.user, bodies) or []
    names = [name for position, name in enumerate(heads) if position not in refused]
    before = bench.upstream.messages(bench.user)
    with bench.gateway() as gateway, bench.logged_in(gateway) as pop:
        for number, name in enumerate(names, 1):
            pop.ok(f"RETR {number}")
            whole = pop.body()[: -len(END)]
            head, blank, _ = (b"", b"\r\n", b"") if whole.startswith(b"\r\n") else whole.partition(b"\r\n\r\n")
            wanted = head + blank
            for _ in range(2):
                pop.ok(f"TOP {number} 0")
                heard = pop.body()
                check(heard == wanted + END, lambda: f"TOP 0 of {name}: {heard[-200:]!r}, not {wanted[-200:]!r}")
            pop.ok(f"TOP {number} 1")
            check(pop.body().startswith(wanted), f"TOP 1 of {name}")
        pop.ok("QUIT")
    bench.untouched(before)
    return f"{len(names)} mails"


def unique_ids_last(bench):
    """UIDL is UIDVALIDITY.UID (a store has ids of its own) and stays the same over a restart of the gateway (P047, P050)."""
    before = bench.deliver()
    gateway = bench.gateway()
    if bench.is_store:
        with gateway, bench.logged_in(gateway) as pop:
            _, wanted = pop.multi("UIDL")
            pop.ok("QUIT")
        ids = {line.split()[1] for line in wanted}
        check(len(ids) == len(before), f"UIDL: {wanted}")
    else:
        with Imap(bench.upstream, bench.user, readonly=True) as imap:
            validity = imap.uid_validity()
        wanted = [f"{number} {validity}.{message.uid}".encode() for number, message in enumerate(before, 1)]
    for _ in range(2):
        with gateway, bench.logged_in(gateway) as pop:
            _, lines = pop.multi("UIDL")
            check(lines == wanted, f"UIDL: {lines} instead of {wanted}")
            answer = pop.ok("UIDL 2")
            check(answer == b"+OK " + wanted[1] + b"\r\n", f"UIDL 2: {answer!r}")
            pop.ok("QUIT")


def awkward_credentials(bench):
    """Spaces, quotes, backslashes and 8-bit characters in name and password, by PASS and by AUTH PLAIN (P056, I003)."""
    user, password = bench.upstream.awkward_user, bench.upstream.awkward_password
    bench.upstream.create_user(user)
    bench.upstream.deliver(user, [b"Subject: hard to reach\r\n\r\ntext\r\n"])
    for security in ("plain", "starttls", "tls"):
        with bench.gateway(security) as gateway:
            with Pop(gateway.port) as pop:
                pop.login(user, password)
                check(pop.ok("STAT").startswith(b"+OK 1 "), "the wrong maildrop")
                pop.ok("QUIT")
            with Pop(gateway.port_tls, tls=gateway.certificates.ca) as pop:
                pop.greeting()
                response = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
                pop.ok(f"AUTH PLAIN {response}")
                check(pop.ok("STAT").startswith(b"+OK 1 "), "the wrong maildrop")
                pop.ok("QUIT")


def pipelined_in_one_write(bench):
    """1000 commands in one write are answered in order (X014)."""
    before = bench.deliver()
    with bench.gateway() as gateway, Pop(gateway.port) as pop:
        pop.greeting()
        commands = [f"USER {bench.user}", f"PASS {bench.password}"]
        commands += [f"LIST {1 + n % 5}" if n % 3 else "NOOP" for n in range(1000)] + ["QUIT"]
        pop.send("".join(f"{command}\r\n" for command in commands).encode())
        for command in commands:
            answer = pop.line()
            check(answer.startswith(b"+OK"), f"{command}: {answer!r}")
            if command.startswith("LIST"):
                number = int(command.split()[1])
                size = len(normalised(before[number - 1].body))
                check(answer == f"+OK {number} {size}\r\n".encode(), f"{command}: {answer!r}")
        check(pop.closed(), "something came after QUIT")


def others_deletions_stay(bench):
    """A mail that someone else marked \\Deleted survives our UPDATE, one that vanished is an error (P039, G01, G02)."""
    before = bench.deliver()
    with bench.gateway() as gateway, bench.logged_in(gateway) as pop:
        with Imap(bench.upstream, bench.user) as imap:
            imap.store([before[1].uid], "(\\Deleted)")
            imap.store([before[4].uid], "(\\Deleted)")
            imap.done(imap.link.uid("EXPUNGE", str(before[4].uid)))
        bench.upstream.deliver(bench.user, [b"Subject: too late\r\n\r\ntext\r\n"])
        check(pop.ok("STAT").startswith(b"+OK 5 "), "the maildrop changed within the session")
        pop.refused("RETR 5")
        pop.ok("RETR 4")
        pop.body()
        pop.ok("DELE 1")
        pop.ok("DELE 5")
        pop.ok("QUIT")
    left = bench.upstream.uids(bench.user)
    wanted = [message.uid for message in before[1:4]]
    check(left[:3] == wanted and len(left) == 4, f"UIDs {left} are left, expected {wanted} and a new one")


STRANGER = "CAPA, NOOP, STAT, XYZZY, , USER, PASS x, AUTH, AUTH NOSUCH, LANG, QUIT"
CUSTOMER = (
    "CAPA, STLS now, STLS, CAPA, STLS, USER {user}, PASS {password}, CAPA, USER again, STAT, LIST, LIST 1, LIST 0, LIST 9, "
    "LIST 1x, UIDL, UIDL 3, RETR 1, RETR 5, RETR 6, RETR, TOP 2 0, TOP 2 1, TOP 2 100, TOP 2, DELE 2, DELE 2, RETR 2, STAT, "
    "LIST, UIDL, RSET, STAT, NOOP, list 3, RETR 3 4, UTF8, STLS, QUIT"
)


def transcript(bench):
    """Every command, right and wrong; gives what the server said, answer by answer. Changes nothing."""
    heard = []
    with bench.gateway("starttls") as gateway:
        for script in (STRANGER, CUSTOMER):
            with Pop(gateway.port) as pop:
                heard.append(pop.line())
                for text in script.format(user=bench.user, password=bench.password).split(", "):
                    pop.send(text.encode() + b"\r\n")
                    first = pop.line()
                    if text == "STLS" and first.startswith(b"+OK"):
                        pop.wrap(gateway.certificates.ca)
                    multi = re.match(r"(CAPA|LIST|UIDL|AUTH|LANG)$|RETR|TOP", text) and first.startswith(b"+OK")
                    heard.append(first + (pop.body() if multi else b""))
                heard.append(pop.to_end())
    return heard


ALL = [bytes_on_the_wire, top_of_large_mails, unique_ids_last, awkward_credentials, pipelined_in_one_write, others_deletions_stay]
