#!/usr/bin/env python3
"""What a cluster costs: logins a second and processor time with each engine beside none, near and far; idle sessions.

    cargo build --release -p pop3-gateway && cargo build --release -p testkit --example far
    fleet_cost.py --gateway target/release/pop3-gateway --far target/release/examples/far
                  [--engine redis|valkey|postgresql] [--rounds N] [--logins N] [--at-once N]
                  [--only logins|nodes|idle]

All gateways run at the same time before one Dovecot and take turns, block by block, so that a busy machine is busy for
all of them; a figure is the median of its blocks, a ratio the median of the ratios within a round. A login is connect,
USER, PASS, STAT, QUIT. Connections to Dovecot are not parked: each login goes there. The engine is a relay away that lets
each octet take its time; the relay's own share of the processor, which no network takes, stands in a column of its own.
Processor time is what the kernel says of a process.
"""

import argparse
import json
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import engines
import servers
from base import HERE, HOST, Daemon, Failure, Scratch, check, free_port, seconds_of
from nodes import Node

PASSWORD = "correct-horse"
# milliseconds to the engine and back
FAR = (0, 0.5, 5)
IDLE = 10_000
IDLE_SECONDS = 30
ROOM = "connections_per_address = 200\nconnections_before_login = 200"
WATCHED = ("batches", "questions", "failures")


class Place:
    """What the nodes of one variant have in common."""

    on_failure, lease, apart, clocks, one_way = "open", None, False, False, 0

    def __init__(self, arguments, folder, dovecot, engine, far=0, nodes=1, **tables):
        folder.mkdir()
        self.binary, self.folder, self.dovecot = Path(arguments.gateway).resolve(), folder, dovecot
        self.engine = engine and Far(engine, arguments.far, far, folder)
        # each is a cluster of its own
        own = folder.name.replace(".", "-")
        self.tables = {"upstream": 'park = "off"', "cluster": f'name = "{own}"', "limits": ROOM, **tables}
        self.nodes = [Node(number, self) for number in range(nodes)]
        for node in self.nodes:
            # one runtime: nodes are compared with each other
            node.config.write_text(node.config.read_text().replace('runtime = "smol"', 'runtime = "tokio"'))
            node.start()

    def seconds(self):
        """Of processor, so far: the gateways', the engine's, the relay's."""
        gateways = sum(node.daemon_seconds() for node in self.nodes)
        return gateways, *(self.engine.seconds() if self.engine else (0.0, 0.0))

    def asked(self):
        """Batches and questions so far."""
        if not self.engine:
            return [0] * len(WATCHED)
        all_nodes = [node.figures() for node in self.nodes]
        names = [f'pop3_gateway_cluster_engine_total{{what="{what}"}}' for what in WATCHED]
        return [sum(figures[name] for figures in all_nodes) for name in names]

    def stop(self):
        for node in self.nodes:
            node.stop()
        if self.engine:
            self.engine.stop()


class Far:
    """An engine as nodes see it that are so many milliseconds away from it, there and back; none: what goes there is
    counted."""

    def __init__(self, engine, relay, far, folder):
        self.engine, self.password = engine, engine.password
        self.port, self.near, self.relay = engine.port, engine.port, None
        if far is None:
            self.near = None
        elif far:
            self.near = free_port()
            self.relay = Daemon([relay, self.near, engine.port, round(far * 500)], folder / "relay.log")
            self.relay.wait_port(self.near)

    def url(self, counted, host):
        return self.engine.url(self.near or counted, host)

    def seconds(self):
        return self.engine.time_used(), seconds_of(self.relay.pid) if self.relay else 0.0

    def stop(self):
        if self.relay:
            self.relay.stop()


def visits(port, users, count, at_once):
    """Visits mailboxes, so many at once; a process of its own. Says how long it took, in seconds."""
    poll = selectors.DefaultSelector()
    spare, begun, done = list(users), 0, 0

    def begin():
        link = socket.socket()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.connect((HOST, port))
        poll.register(link, selectors.EVENT_READ, [spare.pop(0), b""])

    start = time.perf_counter()
    while done < count:
        while begun < count and begun - done < at_once:
            begin()
            begun += 1
        for key, _ in poll.select():
            link, (user, heard) = key.fileobj, key.data
            octets = link.recv(4096)
            if not heard:
                link.sendall(f"USER {user}\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n".encode())
            key.data[1] = heard = heard + octets
            if octets:
                continue
            if heard.count(b"+OK") != 5:
                raise SystemExit(f"{user}: {heard!r}")
            poll.unregister(link)
            link.close()
            spare.append(user)
            done += 1
    return time.perf_counter() - start


def visit(node, users, count, at_once):
    """The same, begun in a process of its own."""
    task = json.dumps([node.port, users, count, at_once])
    return subprocess.Popen([sys.executable, __file__, "--visits", task], stdout=subprocess.PIPE)


def block(place, users, count, at_once, nodes=1):
    """Seconds by the clock, of the gateways, of the engine and of the relay, and what was asked, all for one login."""
    before, asked = place.seconds(), place.asked()
    share = len(users) // nodes
    running = [
        visit(place.nodes[n], users[n * share:(n + 1) * share], count // nodes, at_once // nodes) for n in range(nodes)
    ]
    took = [float(process.communicate()[0] or "nan") for process in running]
    check(all(process.returncode == 0 for process in running), "logins failed")
    after = place.seconds()
    questions = [now - then for then, now in zip(asked, place.asked(), strict=True)]
    values = [max(took), *(now - then for then, now in zip(before, after, strict=True)), *questions]
    return [value / (count // nodes * nodes) for value in values]


def row(title, cells):
    print("| " + " | ".join(map(str, [title, *cells])) + " |", flush=True)


def ratios(rounds, title, column, base="none"):
    return statistics.median(found[title][column] / found[base][column] for found in rounds)


def logins(arguments, dovecot, users, folder, started):
    """Each engine beside, near and far, and none."""
    places = {"none": Place(arguments, folder / "none", dovecot, None)}
    for name, engine in started.items():
        for far in FAR:
            places[f"{name}, {far} ms"] = Place(arguments, folder / f"{name}-{far}", dovecot, engine, far)
    try:
        rounds = {arguments.at_once: [], 1: []}
        for number in range(-1, arguments.rounds):
            for at_once, all_rounds in rounds.items():
                order = list(places)[:: 1 if number % 2 else -1]
                count = arguments.logins if at_once > 1 else arguments.logins // 4
                found = {title: block(places[title], users, count, at_once) for title in order}
                # the first round warms up
                if number >= 0:
                    all_rounds.append(found)
        print(f"\nLogins, {arguments.at_once} at once, and one after the other; {arguments.rounds} rounds of {arguments.logins}\n")
        row("engine", ["logins a second", "of those without", "gateway, µs each", "engine, µs each", "relay, µs each",
                       "batches, questions each, late", "one alone, ms", "more than without"])
        row("---", ["---"] * 8)
        for title in places:
            many, alone = rounds[arguments.at_once], rounds[1]
            middle = [statistics.median(found[title][column] for found in many) for column in range(7)]
            single = statistics.median(found[title][0] for found in alone)
            row(title, [
                f"{1 / middle[0]:.0f}", f"{100 / ratios(many, title, 0):.1f} %", f"{middle[1] * 1e6:.0f}", f"{middle[2] * 1e6:.0f}",
                f"{middle[3] * 1e6:.0f}", f"{middle[4]:.2f}, {middle[5]:.2f}, {middle[6] * arguments.logins:.0f}", f"{single * 1e3:.2f}",
                f"{1e3 * statistics.median(found[title][0] - found['none'][0] for found in alone):.2f}",
            ])
    finally:
        for place in places.values():
            place.stop()


def nodes(arguments, dovecot, users, folder, started):
    """One, two and three nodes, beside the engine."""
    for name, engine in started.items():
        place = Place(arguments, folder / f"{name}-nodes", dovecot, engine, 0, nodes=3)
        try:
            rounds = []
            for number in range(-1, arguments.rounds):
                found = {count: block(place, users, arguments.logins, arguments.at_once, count) for count in (1, 2, 3)}
                if number >= 0:
                    rounds.append(found)
            print(f"\nNodes that share {name}, {arguments.at_once} logins at once in all\n")
            row("nodes", ["logins a second", "gateways, µs each", "of those of one node", "engine, µs each"])
            row("---", ["---"] * 4)
            for count in (1, 2, 3):
                middle = [statistics.median(found[count][column] for found in rounds) for column in range(3)]
                row(count, [f"{1 / middle[0]:.0f}", f"{middle[1] * 1e6:.0f}", f"{100 * ratios(rounds, count, 1, 1):.1f} %",
                            f"{middle[2] * 1e6:.0f}"])
        finally:
            place.stop()


def idle(arguments, dovecot, users, folder, started):
    """Sessions that do nothing, each with a maildrop of its own in a Maildir: no IMAP server has room for so many here.
    Each has some open files, so there may be fewer of them than wanted."""
    many = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 6)
    accounts = folder / "accounts"
    mail = folder / "mail"
    for number in range(many):
        for part in ("cur", "new", "tmp"):
            (mail / f"idle{number}" / part).mkdir(parents=True)
    accounts.write_text("".join(f"idle{number}:{{PLAIN}}{PASSWORD}\n" for number in range(many)))
    accounts.chmod(0o600)
    store = f'[[store]]\nname = "mail"\nkind = "maildir"\npath = "{mail}"\nusers = "each"\naccounts = "{accounts}"\n'
    limits = "\n".join(f"{key} = {many + 100}" for key in ("connections", "connections_before_login", "connections_per_address"))
    print(f"\nIdle sessions, over {IDLE_SECONDS} s\n")
    row("engine", ["sessions", "octets there", "octets back", "requests", "gateway, ms of processor", "engine, ms"])
    row("---", ["---"] * 6)
    for name, engine in started.items():
        place = Place(arguments, folder / f"{name}-idle", dovecot, engine, None, mailboxes=store, limits=limits)
        node, links = place.nodes[0], []
        try:
            for count in (0, many):
                links += sessions(node, range(len(links), count))
                time.sleep(3)
                wire = node.wire
                octets, pieces, seconds = dict(wire.octets), dict(wire.pieces), place.seconds()
                time.sleep(IDLE_SECONDS)
                used = [1e3 * (now - then) for then, now in zip(seconds, place.seconds(), strict=True)]
                there, back = (wire.octets[way] - octets[way] for way in ("there", "back"))
                row(name, [f"{count:,}", f"{there:,}", f"{back:,}", wire.pieces["there"] - pieces["there"], *(f"{ms:.0f}" for ms in used)])
        finally:
            for link in links:
                link.close()
            place.stop()


def sessions(node, numbers):
    """Logs in, a hundred at a time."""
    found = []
    numbers = list(numbers)
    for first in range(0, len(numbers), 100):
        fresh = []
        for number in numbers[first:first + 100]:
            link = socket.create_connection((HOST, node.port), 30)
            link.sendall(f"USER idle{number}\r\nPASS {PASSWORD}\r\n".encode())
            fresh.append(link)
        for link in fresh:
            heard = b""
            while heard.count(b"\r\n") < 3:
                octets = link.recv(4096)
                check(octets, f"a session ended: {heard!r}")
                heard += octets
            check(heard.count(b"+OK") == 3, lambda: f"a login failed: {heard!r}\n{node.log()[-1500:]}")
        found += fresh
    return found


PARTS = {"logins": logins, "nodes": nodes, "idle": idle}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway")
    parser.add_argument("--far", default=HERE.parent.parent / "target/release/examples/far", help="the relay")
    parser.add_argument("--engine", action="append", choices=tuple(engines.ENGINES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--logins", type=int, default=800, help="of a block")
    parser.add_argument("--at-once", type=int, default=32, help="clients")
    parser.add_argument("--only", action="append", choices=tuple(PARTS))
    parser.add_argument("--visits", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.visits:
        print(visits(*json.loads(arguments.visits)))
        return
    if not arguments.gateway:
        parser.error("--gateway is missing")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    scratch = Scratch("cost")
    started, dovecot = {}, None
    try:
        dovecot = servers.Dovecot(QUICK)
        users = [f"user{number}" for number in range(2 * arguments.at_once)]
        for user in users:
            dovecot.create_user(user)
            dovecot.deliver(user, [f"Subject: {n}\r\n\r\nmail {n}\r\n".encode() for n in range(10)])
        for name in arguments.engine or ("redis", "postgresql"):
            started[name] = engines.start(name, scratch.path / name)
        for part in arguments.only or PARTS:
            PARTS[part](arguments, dovecot, users, scratch.path, started)
    except Failure as error:
        sys.exit(f"FAIL  {error}")
    finally:
        for engine in started.values():
            engine.stop()
        if dovecot:
            dovecot.stop()
        scratch.remove()


# processes that serve many logins: a login costs Dovecot as little as it can
QUICK = """
service imap-login {
  service_count = 0
}
service imap {
  service_count = 1000
  process_min_avail = 4
}
"""

if __name__ == "__main__":
    main()
