"""Connections that end too early, and the lock of the maildrop."""

import threading
import time

from base import check
from pop import Pop

MIB = 1024 * 1024


def client_cut_anywhere(bench):
    """A client that vanishes after any byte of a session with DELE removes nothing; the lock is free at once (P037)."""
    before = bench.deliver()
    script = (
        f"USER {bench.user}\r\nPASS {bench.password}\r\nSTAT\r\nRETR 1\r\nDELE 1\r\nLIST\r\nDELE 2\r\nTOP 3 1\r\nDELE 3\r\nQUIT"
    ).encode()
    slowest = 0.0
    with bench.gateway() as gateway:
        for position in range(len(script) + 1):
            for end in ("close", "reset", "wait"):
                if end == "wait" and position % 7:
                    continue
                pop = Pop(gateway.port)
                pop.greeting()
                pop.send(script[:position])
                if end == "wait":
                    # let it be worked through first
                    time.sleep(0.02)
                    pop.close()
                else:
                    getattr(pop, end)()
                after, seconds = bench.login_soon(gateway)
                slowest = max(slowest, seconds)
                answer = after.ok("STAT")
                check(answer.startswith(b"+OK 5 "), f"cut ({end}) after {script[:position]!r}: STAT says {answer!r}")
                after.ok("QUIT")
                after.to_end()
                after.close()
        bench.untouched(before)
    return f"{(len(script) + 1) * 2} cuts; free again after {slowest * 1000:.0f} ms at most"


def client_cut_within_a_message(bench):
    """A client that vanishes while a large mail comes: nothing is deleted, the lock is free at once."""
    before = bench.deliver([b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" * 1 + (b"y" * 78 + b"\r\n") * (5 * MIB // 80), *_small()])
    with bench.gateway() as gateway:
        slowest = 0.0
        for taken in (0, 1, 100, 65_536, 1_000_000, 4_000_000):
            for end in ("close", "reset"):
                pop = bench.logged_in(gateway)
                pop.ok("DELE 2")
                pop.send(b"RETR 1\r\n")
                pop.exactly(taken)
                getattr(pop, end)()
                after, seconds = bench.login_soon(gateway)
                slowest = max(slowest, seconds)
                after.ok("QUIT")
                after.close()
        bench.untouched(before)
    return f"free again after {slowest * 1000:.0f} ms at most"


def _small():
    return [b"Subject: small\r\n\r\ntext\r\n"] * 2


def two_logins(bench):
    """The second login hears [IN-USE] (after good credentials only) and gets in when the first is cut (P016, X022)."""
    bench.deliver()
    for end in ("close", "reset"):
        with bench.gateway() as gateway:
            first = bench.logged_in(gateway)
            with Pop(gateway.port) as second:
                second.greeting()
                second.ok(f"USER {bench.user}")
                second.refused(f"PASS {bench.password}", b"[IN-USE]")
                second.ok(f"USER {bench.user}")
                second.refused("PASS wrong", b"[AUTH]")
                first.ok("NOOP")
                getattr(first, end)()
                # at once: as soon as the news has arrived
                third, _ = bench.login_soon(gateway)
                third.ok("QUIT")
                second.ok(f"USER {bench.user}")
                second.ok(f"PASS {bench.password}")
                second.ok("QUIT")


def logins_at_the_same_moment(bench):
    """Of twenty logins in the same moment exactly one gets in; nineteen hear [IN-USE]."""
    bench.deliver()
    with bench.gateway(limits="connections_per_user = 100") as gateway:
        pops = [Pop(gateway.port) for _ in range(20)]
        for pop in pops:
            pop.greeting()
            pop.ok(f"USER {bench.user}")
        answers = {}

        def login(position):
            answers[position] = pops[position].command(f"PASS {bench.password}")

        threads = [threading.Thread(target=login, args=(position,)) for position in range(len(pops))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        inside = [answer for answer in answers.values() if answer.startswith(b"+OK")]
        in_use = [answer for answer in answers.values() if answer.startswith(b"-ERR [IN-USE]")]
        check(len(inside) == 1 and len(in_use) == 19, f"{sorted(set(answers.values()))}")
        for pop in pops:
            pop.close()


def half_close_after_quit(bench):
    """A client that half-closes right after QUIT gets its answers, and its deletions happen (G15)."""
    before = bench.deliver()
    with bench.gateway() as gateway, Pop(gateway.port) as pop:
        pop.greeting()
        pop.send(f"USER {bench.user}\r\nPASS {bench.password}\r\nDELE 2\r\nQUIT\r\n".encode())
        pop.half_close()
        answers = pop.to_end().split(b"\r\n")
        check([answer[:3] for answer in answers] == [b"+OK"] * 4 + [b""], f"{answers}")
    left = bench.upstream.uids(bench.user)
    check(left == [message.uid for message in before if message.uid != before[1].uid], f"UIDs {left} are left")


ALL = [client_cut_anywhere, client_cut_within_a_message, two_logins, logins_at_the_same_moment, half_close_after_quit]
