"""What can go wrong in a store: killed while it deletes, and databases that go away."""

import os
import time

from base import check
from mailbox import normalised
from pop import Pop

MARKED = 150


def killed_at_quit(bench):
    """SIGKILL at many moments of QUIT: what was not marked is whole, what was reported deleted is gone (P037, P038)."""
    cut = 0
    # on a machine that never ends between a command and its answer there is more than one round
    for step in range(60):
        if step >= 12 and cut:
            break
        user = f"{bench.user}-{step}"
        bench.upstream.create_user(user)
        bench.upstream.deliver(user, [b"Subject: all alike\r\n\r\nx\r\n"] * 4)
        bench.upstream.fill_more(user, b"Subject: many\r\n\r\ny\r\n", MARKED)
        before = bench.upstream.messages(user)
        gateway = bench.gateway().start()
        pop = Pop(gateway.port)
        pop.login(user, bench.password)
        kept, marked = before[:4], before[4:]
        for number in range(5, 5 + len(marked)):
            pop.send(f"DELE {number}\r\n".encode())
        for _ in marked:
            check(pop.line().startswith(b"+OK"), "DELE was refused")
        pop.send(b"QUIT\r\n")
        time.sleep(0.0008 * (step % 12))
        gateway.kill()
        heard = pop.to_end()
        after = bench.upstream.settled(user)
        check(after[:4] == kept, f"what was not marked changed: {len(after)} are left")
        check(all(message in marked for message in after[4:]), "something half deleted is left")
        if heard.startswith(b"+OK"):
            check(len(after) == 4, f"reported deleted, and {len(after) - 4} are there")
        elif bench.upstream.atomic:
            check(len(after) in (4, len(before)), f"{len(after) - 4} of {len(marked)} are left")
        cut += not heard
        with gateway:
            with Pop(gateway.port) as pop:
                pop.login(user, bench.password)
                check(pop.ok("STAT").startswith(f"+OK {len(after)} ".encode()), "another number of messages")
                for number, message in enumerate(after[:6], 1):
                    pop.ok(f"RETR {number}")
                    check(pop.body().removesuffix(b".\r\n") == normalised(message.body), "another message")
                pop.ok("QUIT")
    check(cut, "no kill came in time")
    return f"{cut} of {step} before the answer"


def database_gone(bench):
    """A database that goes away: [SYS/TEMP], nothing is deleted; it comes back, and so does the maildrop (G20)."""
    if not hasattr(bench.upstream, "daemon"):
        return "no server"
    before = bench.deliver()
    with bench.gateway() as gateway:
        pop = bench.logged_in(gateway)
        pop.ok("DELE 1")
        bench.upstream.pause()
        try:
            pop.refused("QUIT", b"")
            with Pop(gateway.port) as other:
                other.greeting()
                other.ok(f"USER {bench.user}")
                other.refused(f"PASS {bench.password}", b"[SYS/TEMP]")
        finally:
            bench.upstream.resume()
        bench.untouched(before)
        with bench.logged_in(gateway) as pop:
            check(pop.ok("STAT").startswith(b"+OK 5 "), "the maildrop is another one")
            pop.ok("DELE 1")
            pop.ok("QUIT")
    check(len(bench.upstream.messages(bench.user)) == 4, "the deletion was lost")


ALL = [killed_at_quit, database_gone]
