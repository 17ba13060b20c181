#!/usr/bin/env python3
"""Large mailboxes through the gateway: time and peak memory of it, as a table for the documentation.

    big.py --gateway target/release/pop3-gateway [--small] [--runtime NAME] [--messages N] [--gigabytes N] [--store NAME]

100,000 messages: login, STAT, LIST, UIDL. One message of 1 GiB: RETR, every octet checked. Dovecot is the upstream,
over TLS, or a store is in its place; the client is a bare socket on the same machine. `--small` does the same with
2,000 messages and 64 MiB and fails if the memory is out of bounds: that is what the gate runs.
"""

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

import stores
from base import Failure, check
from gateway import RUNTIMES
from mailbox import Imap
from pop import Pop
from scenarios import MIB, Bench
from servers import Dovecot

# KiB that a session may take beside what it must know of each message
ROOM = 8 * 1024
# octets a message: UID and size are 12, a vector that grows may be twice that, the list of sizes for STAT the same
EACH = 64
# with a store there is an id to be kept for each, and a name
STORE_EACH = 400


BODY = b"From: a@example.org\nSubject: one of many\n\n" + b"text\n" * 20


def many(bench, count):
    """The table row of a mailbox of `count` small messages."""
    user = f"many-{bench.runtime}"
    bench.upstream.create_user(user)
    if bench.is_store:
        bench.upstream.fill(user, BODY, count)
        return [walk(bench, user, count, f"{bench.upstream.name}, {when} login") for when in ("first", "next")]
    folder = bench.upstream.maildir_of(user) / "new"
    body = BODY
    for number in range(count):
        name = folder / f"{1_700_000_000 + number // 1000}.M{number:07}.interop,S={len(body)},W={len(body) + body.count(10)}"
        name.write_bytes(body)
        os.chown(name, bench.upstream.uid, bench.upstream.gid)
    # the upstream makes its index once: that is its time, not ours
    begin = time.monotonic()
    with Imap(bench.upstream, user, "tls") as imap:
        imap.done(imap.link.uid("FETCH", "1:*", "(UID RFC822.SIZE)"))
        cold = time.monotonic() - begin
        begin = time.monotonic()
        imap.done(imap.link.uid("FETCH", "1:*", "(UID RFC822.SIZE)"))
        warm = time.monotonic() - begin
    note = f"the scan alone takes the upstream {warm:.2f} s ({cold:.2f} s the first time)"
    return [walk(bench, user, count, note)]


def walk(bench, user, count, note):
    """Login, STAT, LIST and UIDL of that many messages."""
    times = {}
    with bench.gateway("tls") as gateway:
        idle = idle_memory(gateway)
        with Pop(gateway.port, timeout=300) as pop:
            begin = time.monotonic()
            pop.login(user, bench.password)
            times["login"] = time.monotonic() - begin
            begin = time.monotonic()
            answer = pop.ok("STAT")
            check(answer.startswith(f"+OK {count} ".encode()), f"STAT: {answer!r}")
            times["STAT"] = time.monotonic() - begin
            for text in ("LIST", "UIDL"):
                begin = time.monotonic()
                pop.ok(text)
                lines = pop.body().count(b"\r\n") - 1
                times[text] = time.monotonic() - begin
                check(lines == count, f"{text} has {lines} lines")
            pop.ok("QUIT")
        _, peak = gateway.memory()
    took = ", ".join(f"{what} {seconds * 1000:.0f} ms" for what, seconds in times.items())
    bound = idle + ROOM + bench.hashing + count * (STORE_EACH if bench.is_store else EACH) // 1024
    check(peak <= bound, f"peak memory {peak} KiB, more than {bound} KiB for {count} messages")
    return row(f"{count:,} messages", bench, took, sum(times.values()), idle, peak, note)


def large(bench, size):
    """The table row of one message of about `size` octets."""
    user = f"large-{bench.runtime}"
    bench.upstream.create_user(user)
    head = b"From: a@example.org\r\nSubject: large\r\n\r\n"
    # lines of base64 and, now and then, a dot to stuff
    block = b".QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\r\n" + (b"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo9" * 2 + b"\r\n") * 1000
    copies = size // len(block)
    octets = len(head) + copies * len(block)
    path = bench.folder / "large.eml" if bench.is_store else bench.upstream.maildir_of(user) / "new" / "1700000000.M1.interop"
    on_the_wire = hashlib.sha256(head)
    with path.open("wb") as file:
        file.write(head)
        for _ in range(copies):
            file.write(block)
            on_the_wire.update(b"." + block)
    if bench.is_store:
        note = bench.upstream.name
        bench.upstream.take(user, path)
    else:
        os.chown(path, bench.upstream.uid, bench.upstream.gid)
        directly = octets / MIB / by_imap(bench, user, octets)
        note = f"the same by IMAP, without the gateway: {directly:.0f} MiB/s"
    with bench.gateway("tls") as gateway:
        idle = idle_memory(gateway)
        with Pop(gateway.port, timeout=300) as pop:
            pop.login(user, bench.password)
            begin = time.monotonic()
            pop.ok("RETR 1")
            heard, left, data = hashlib.sha256(), octets + copies, pop.buffer
            pop.buffer = b""
            while left:
                data = data or pop.receive()
                check(data, lambda: f"the connection ended, {left} octets are missing")
                pop.buffer, data = data[left:], data[:left]
                left -= len(data)
                heard.update(data)
                data = b""
            check(pop.exactly(3) == b".\r\n", "no final dot")
            seconds = time.monotonic() - begin
            check(heard.digest() == on_the_wire.digest(), "the octets differ")
            pop.ok("QUIT")
        _, peak = gateway.memory()
    path.unlink(missing_ok=True)
    bound = idle + ROOM + bench.hashing
    check(peak <= bound, f"peak memory {peak} KiB, more than {bound} KiB")
    return [row(f"1 message, {octets / MIB:,.0f} MiB", bench, f"RETR {octets / MIB / seconds:.0f} MiB/s", seconds, idle, peak, note)]


def by_imap(bench, user, octets):
    """How long the upstream takes for the body by itself, when it knows the size already."""
    with Imap(bench.upstream, user, "tls") as imap:
        imap.done(imap.link.uid("FETCH", "1:*", "(UID RFC822.SIZE)"))
        begin = time.monotonic()
        imap.link.send(b"x1 UID FETCH 1 (BODY.PEEK[])\r\n")
        imap.link.readline()
        while octets:
            octets -= len(imap.link.read(min(octets, MIB)))
        seconds = time.monotonic() - begin
        imap.link.readline()
        imap.link.readline()
        return seconds


def idle_memory(gateway):
    """KiB before anybody logged in, but with one connection served."""
    with Pop(gateway.port) as pop:
        pop.greeting()
        pop.ok("CAPA")
        pop.body()
    return gateway.memory()[0]


def row(what, bench, each, seconds, idle, peak, note):
    return [what, bench.runtime, each, f"{seconds:.2f} s", f"{(peak - idle) / 1024:.1f} MiB", f"{peak / 1024:.1f} MiB", note]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="the binary, a release build for figures")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--runtime", action="append", choices=RUNTIMES)
    parser.add_argument("--store", choices=stores.NAMES)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    arguments = parser.parse_args()
    messages = 2_000 if arguments.small else arguments.messages
    size = 64 * MIB if arguments.small else int(arguments.gigabytes * 1024 * MIB)
    binary = Path(arguments.gateway).resolve()
    print("| mailbox | runtime | each | all | more memory than idle | peak memory | |")
    print("|---|---|---|---|---|---|---|")
    failures = []
    for measure, amount in ((many, messages), (large, size)):
        for runtime in arguments.runtime or RUNTIMES:
            try:
                with stores.start(arguments.store, binary) if arguments.store else Dovecot() as upstream:
                    for line in measure(Bench(binary, runtime, upstream), amount):
                        print("| " + " | ".join(line) + " |", flush=True)
            except Failure as error:
                failures.append(f"{measure.__name__} on {runtime}: {error}")
    for failure in failures:
        print(f"FAIL  {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
