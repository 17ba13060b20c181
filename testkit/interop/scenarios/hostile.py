"""Clients that mean harm, or are broken."""

import random
import socket
import time
from pathlib import Path

from base import check, wait_until
from pop import Pop

MIB = 1024 * 1024
# what no machine needs, however slow: a guard against waiting for ever, not a measure
PATIENCE = 600


def survives(bench, gateway, **options):
    """After whatever happened: another client is served, and memory is where it was."""
    with bench.logged_in(gateway, **options) as pop:
        pop.ok("STAT")
        pop.ok("QUIT")


def _answers(heard, what):
    """Nothing but -ERR lines within the limits."""
    lines = heard.split(b"\r\n")
    check(lines[-1] == b"", f"{what}: the last line is cut: {lines[-1][:80]!r}")
    for line in lines[:-1]:
        check(line.startswith((b"-ERR", b"+OK")) and len(line) <= 510, f"{what}: answered {line[:120]!r}")
    return [line for line in lines[:-1] if line.startswith(b"-ERR")]


def garbage(bench):
    """Random bytes, NULs, a megabyte without a line end: -ERR, then cut; memory stays (P067, X001)."""
    bench.deliver()
    rng = random.Random(7)
    samples = {
        "random bytes": rng.randbytes(20_000),
        "NULs": b"\0" * 50_000,
        "NULs in lines": b"\0\0\0\r\n" * 100,
        "a megabyte without a line end": b"a" * MIB,
        "a megabyte without a line end after a verb": b"USER " + b"b" * MIB + b"\r\n",
        "line ends": b"\r\n" * 2000,
        "bare CR": b"\r" * 5000,
        "8-bit": bytes(range(128, 256)) * 40 + b"\r\n" + b"\xff\xfe\r\n" * 50,
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\nAccept: */*\r\n\r\n",
        "TLS on the plain port": bytes.fromhex("16030100") + rng.randbytes(300),
    }
    with bench.gateway() as gateway:
        survives(bench, gateway)
        now, _ = gateway.memory()
        for _ in range(10):
            for what, sample in samples.items():
                with Pop(gateway.port) as pop:
                    pop.greeting()
                    try:
                        pop.send(sample)
                        pop.half_close()
                    except OSError:
                        pass  # cut before all of it was sent
                    heard = pop.to_end()
                errors = _answers(heard, what)
                check(len(errors) <= 11, f"{what}: {len(errors)} errors and no cut")
        survives(bench, gateway)
        after, peak = gateway.memory()
        check(peak - now - bench.hashing < 16 * 1024, f"memory grew from {now} KiB to {peak} KiB")
        return f"memory {now} KiB before, {after} KiB after, {peak} KiB at most"


def garbage_after_login(bench):
    """The same after a login: cut after 50 bad commands at the latest, nothing is deleted."""
    before = bench.deliver()
    with bench.gateway() as gateway:
        for sample in (b"NONSENSE\r\n" * 200, b"\0\xff\r\n" * 200, b"RETR 99\r\n" * 200, b"x" * MIB):
            pop, _ = bench.login_soon(gateway)
            pop.ok("DELE 1")
            try:
                pop.send(sample)
                pop.half_close()
            except OSError:
                pass
            errors = _answers(pop.to_end(), repr(sample[:10]))
            check(len(errors) <= 51, f"{len(errors)} errors and no cut")
            pop.close()
        bench.untouched(before)


def garbage_instead_of_tls(bench):
    """Nonsense on the TLS port, and handshakes that break off: closed, no other client suffers (V10)."""
    bench.deliver()
    rng = random.Random(8)
    with bench.gateway() as gateway:
        for sample in (rng.randbytes(500), b"USER x\r\nPASS y\r\n", b"", bytes.fromhex("1603010200010001fc0303") + b"\0" * 40):
            pop = Pop(gateway.port_tls)
            pop.send(sample)
            pop.half_close()
            heard = pop.to_end()
            check(b"+OK" not in heard, f"in the clear on the TLS port: {heard[:80]!r}")
            pop.close()
        silent = [Pop(gateway.port_tls) for _ in range(30)]
        survives(bench, gateway)
        for pop in silent:
            pop.reset()


def slow_single_bytes(bench):
    """A session sent byte by byte, each in a segment of its own, is a session like any other."""
    bench.deliver()
    with bench.gateway() as gateway, Pop(gateway.port) as pop:
        pop.greeting()
        pop.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in f"USER {bench.user}\r\nPASS {bench.password}\r\nSTAT\r\nQUIT\r\n".encode():
            pop.send(bytes([octet]))
            time.sleep(0.003)
        answers = pop.to_end().split(b"\r\n")
        check([answer[:3] for answer in answers] == [b"+OK"] * 4 + [b""], f"{answers}")


def bytes_behind_stls(bench):
    """What comes after STLS in the clear is never executed: the connection is closed (T005)."""
    before = bench.deliver()
    login = f"USER {bench.user}\r\nPASS {bench.password}\r\nDELE 1\r\nQUIT\r\n".encode()
    with bench.gateway() as gateway:
        for behind in (login, b"N", b"NOOP\r\n", b"CAPA\r\n" * 1000):
            with Pop(gateway.port) as pop:
                pop.greeting()
                pop.send(b"STLS\r\n" + behind)
                heard = pop.to_end()
                check(heard.count(b"\r\n") <= 1, f"STLS with {behind[:20]!r} after it in one segment: {heard!r}")
        for behind in (login, b"NOOP\r\n"):
            with Pop(gateway.port) as pop:
                pop.greeting()
                pop.ok("STLS")
                pop.send(behind)
                # a TLS alert may come, never an answer
                heard = pop.to_end()
                check(b"+OK" not in heard and b"-ERR" not in heard, f"STLS with {behind[:20]!r} afterwards: {heard!r}")
        # half a command before, in the clear, does not join the first one inside
        with Pop(gateway.port) as pop:
            pop.greeting()
            pop.ok(f"USER {bench.user}")
            pop.ok("STLS")
            pop.wrap(gateway.certificates.ca)
            pop.refused(f"PASS {bench.password}")
        bench.untouched(before)
        said = ("plaintext", "stls")
        wait_until(lambda: any(word in gateway.log().lower() for word in said), "a line about it in the log")


def _unread(pop):
    """How many octets the server has sent that have not reached this client's side."""
    ports = (pop.socket.getpeername()[1], pop.socket.getsockname()[1])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if tuple(int(end.split(":")[1], 16) for end in (local, remote)) == ports:
            return int(queues.split(":")[0], 16)
    return 0


def _wait_for_standstill(pops):
    """Until the server has octets for each of them that it cannot get rid of, and no more come to these."""
    last = []

    def stands_still():
        nonlocal last
        before, last = last, [_unread(pop) for pop in pops]
        return last == before and all(last)

    wait_until(stands_still, "all sockets to be full", PATIENCE, pause=0.5)


def clients_that_do_not_read(bench):
    """Twenty clients ask for 25 MiB each and read nothing: memory stays bounded, others are served (X015, G14)."""
    large = b"Subject: large\r\n\r\n" + (b"z" * 78 + b"\r\n") * (25 * MIB // 80)
    users = [f"{bench.runtime}reader{number}" for number in range(20)]
    for user in users:
        bench.upstream.create_user(user)
        bench.upstream.deliver(user, [large])
    bench.deliver()
    with bench.gateway() as gateway:
        survives(bench, gateway, timeout=PATIENCE)
        now, _ = gateway.memory()
        stalled = []
        for user in users:
            pop = Pop(gateway.port, timeout=PATIENCE, receive_buffer=4096)
            pop.login(user, bench.password)
            pop.send(b"RETR 1\r\n" * 1000)
            stalled.append(pop)
        for pop in stalled:
            check(pop.socket.recv(3, socket.MSG_PEEK) == b"+OK", "RETR was refused")
        _wait_for_standstill(stalled)
        survives(bench, gateway, timeout=PATIENCE)
        _, peak = gateway.memory()
        each = (peak - now - bench.hashing) / len(users)
        for pop in stalled:
            pop.reset()
        check(each < 1024, f"{each:.0f} KiB for each client that does not read")
        return f"{each:.0f} KiB for each of {len(users)}"


ALL = [
    garbage,
    garbage_after_login,
    garbage_instead_of_tls,
    slow_single_bytes,
    bytes_behind_stls,
    clients_that_do_not_read,
]
