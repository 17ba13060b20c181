#!/usr/bin/env python3
"""Three gateways before one Dovecot, an engine that they share, haproxy in front, clients without pause, and faults.

    fleet.py --gateway target/debug/pop3-gateway [--engine redis|valkey|postgresql] [--on-failure open|closed] [--seconds N]

With root's rights each gateway is in a network namespace of its own, and faults are also cables that are pulled and
packets that are lost. The gateways' clocks show other days (`nodes.CLOCKS`).

What each client saw is recorded, and then looked at as a whole (`judge`):

 1. one session at most had a maildrop at any moment that a client could tell, unless a fault fell into it;
 2. a QUIT with marks was acknowledged only if no other session had the maildrop since the login (`closed`: whatever
    happened; `open`: unless the engine was out of order);
 3. what is gone was marked by a session that said QUIT, and what an acknowledged QUIT marked is gone; nothing else is;
 4. after a node died, its maildrops were free within a lease and a second (and what a busy machine adds);
 5. with `closed` no login passed without the engine, with `open` some did.
"""

import argparse
import collections
import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import engines
import lines
import servers
from base import HOST, Daemon, Failure, Scratch, check, free_port, program, run, wait_until
from nodes import LEASE, Node

NODES = 3
USERS = 4
CLIENTS_OF_A_USER = 3
MAILS = 400
PASSWORD = "correct-horse"
# what a machine with much to do adds to any wait
BUSY = 4.0
# connections of one account
CAP = 3


class Gone(Exception):
    """The connection ended."""


class Session:
    """One session of a client, and when it heard what."""

    def __init__(self, fleet, user, node):
        self.fleet, self.user, self.node = fleet, user, node
        self.asked = self.let_in = self.quit = self.done = None
        self.last = 0.0
        self.answer = ""
        self.marks, self.seen = [], []
        own = fleet.nodes[node] if node is not None else None
        place = (own.address, own.port) if own else (HOST, fleet.port)
        self.link = socket.create_connection(place, 3)
        self.link.settimeout(20)
        self.file = self.link.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Gone
        return line.decode("latin-1").strip()

    def say(self, text):
        sent = time.monotonic()
        try:
            self.link.sendall(text.encode() + b"\r\n")
            answer = self.line()
        except OSError as error:
            raise Gone from error
        if answer.startswith("+OK"):
            # it had the maildrop after this moment, however late this thread hears of it
            self.last = sent
        return answer

    def lines(self, text):
        answer = self.say(text)
        if not answer.startswith("+OK"):
            raise Gone
        found = []
        while (line := self.line()) != ".":
            found.append(line)
        return found

    def log_in(self, password=PASSWORD):
        self.asked = time.monotonic()
        try:
            self.line()
        except OSError as error:
            raise Gone from error
        self.say(f"USER {self.user}")
        self.answer = self.say(f"PASS {password}")
        if self.answer.startswith("+OK"):
            self.let_in = time.monotonic()
        return self.let_in is not None

    def leave(self):
        self.quit = time.monotonic()
        self.answer = self.say("QUIT")
        self.done = time.monotonic()

    def close(self):
        self.link.close()

    def record(self):
        return {
            "user": self.user, "node": self.node, "asked": self.asked, "let_in": self.let_in, "last": self.last,
            "quit": self.quit, "done": self.done, "answer": self.answer, "marks": self.marks,
        }


class Fleet:
    def __init__(self, binary, engine, on_failure, seed, apart=False, clocks=False, **tables):
        self.binary = Path(binary).resolve()
        self.on_failure = on_failure
        self.apart, self.clocks, self.tables = apart, clocks, tables
        self.lease, self.one_way = LEASE, 0
        self.random = random.Random(seed)
        self.scratch = Scratch("fleet")
        self.folder = self.scratch.path
        self.history, self.faults = [], []
        self.lock = threading.Lock()
        self.ends = threading.Event()
        self.dovecot = servers.start("dovecot")
        self.parts = [self.dovecot]
        self.engine = engines.start(engine, self.folder / "engine")
        self.parts.append(self.engine)
        self.nodes = [Node(number, self) for number in range(NODES)]
        self.parts += self.nodes
        self.users = [f"user{number}" for number in range(USERS)]
        for user in [*self.users, "probe"]:
            self.dovecot.create_user(user)
            self.dovecot.deliver(user, [f"Subject: {user} {n}\r\n\r\nmail {n}\r\n".encode() for n in range(MAILS)])
        for node in self.nodes:
            node.start()
        self.balance()

    def balance(self):
        self.port = free_port()
        text = "global\n  maxconn 500\ndefaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1m\n  timeout server 1m\n"
        text += f"listen pop3\n  bind {HOST}:{self.port}\n  option httpchk GET /readyz\n"
        for node in self.nodes:
            text += f"  server {node.name} {node.address}:{node.port} check port {node.http} inter 500ms fall 1 rise 1\n"
        config = self.folder / "haproxy.cfg"
        config.write_text(text)
        daemon = Daemon([program("haproxy", "haproxy"), "-db", "-f", config], self.folder / "haproxy.log")
        self.parts.append(daemon)
        daemon.wait_port(self.port)

    def stop(self):
        for part in reversed(self.parts):
            part.stop()
        self.scratch.remove()

    # what clients do

    def play(self, user, seed):
        choose = random.Random(seed)
        while not self.ends.is_set():
            node = choose.choice([None, *range(NODES)])
            try:
                session = Session(self, user, node)
            except OSError:
                time.sleep(0.1)
                continue
            try:
                self.act(session, choose)
            except (Gone, OSError):
                pass
            finally:
                session.close()
                with self.lock:
                    self.history.append(session.record())
            time.sleep(choose.uniform(0, 0.1))

    def act(self, session, choose):
        if not session.log_in():
            return
        ids = session.lines("UIDL")
        for line in choose.sample(ids, min(len(ids), choose.randint(0, 3))):
            number, unique = line.split()
            if choose.random() < 0.5:
                session.lines(f"RETR {number}")
            if session.say(f"DELE {number}").startswith("+OK"):
                session.marks.append(unique)
        # some stay, and speak now and then: long enough for a lease to end
        for _ in range(choose.choice([0, 0, 0, 3, 20])):
            if self.ends.is_set():
                break
            time.sleep(0.3)
            if not session.say("NOOP").startswith("+OK"):
                raise Gone
        if choose.random() < 0.8:
            session.leave()

    # what goes wrong

    def fault(self, what, begin, end, node=None):
        self.faults.append({"what": what, "begin": begin, "end": end, "node": node})

    def disturb(self, until):
        kinds = [self.stop_node, self.kill_node, self.cut_wire, self.freeze_engine, self.restart_engine, self.roll]
        if self.engine.name != "postgresql":
            kinds += [self.forget, self.fail_over]
        if self.apart:
            kinds += [self.unplug, self.swallow]
        last = []
        while time.monotonic() < until - 3 * LEASE:
            # each kind comes before one comes again
            last = last or self.random.sample(kinds, len(kinds))
            last.pop()()
            time.sleep(self.random.uniform(0.5, 1.5))

    def stop_node(self):
        """For longer than a lease, and less."""
        node = self.random.randrange(NODES)
        daemon, begin = self.nodes[node].daemon, time.monotonic()
        daemon.send(signal.SIGSTOP)
        time.sleep(self.random.choice([0.5, LEASE + 1]))
        daemon.send(signal.SIGCONT)
        self.fault("stopped", begin, time.monotonic(), node)

    def kill_node(self):
        node = self.random.randrange(NODES)
        held = None
        try:
            held = Session(self, "probe", node)
            if not held.log_in():
                held = None
        except (Gone, OSError):
            held = None
        begin = time.monotonic()
        self.nodes[node].daemon.kill()
        if held:
            self.free_again(begin, (node + 1) % NODES)
        else:
            time.sleep(LEASE / 2)
        self.nodes[node].start()
        self.fault("killed", begin, time.monotonic(), node)

    def free_again(self, begin, node):
        while True:
            waited = time.monotonic() - begin
            try:
                session = Session(self, "probe", node)
                is_free = session.log_in()
                if is_free:
                    session.leave()
                session.close()
            except (Gone, OSError):
                is_free = False
            if is_free:
                break
            check(waited < LEASE + 1 + BUSY, f"the maildrop of a dead node is not free after {waited:.1f} s: {session.answer}")
            time.sleep(0.1)
        with self.lock:
            self.freed.append(waited)

    freed = []

    def cut_wire(self):
        node = self.random.randrange(NODES)
        begin = time.monotonic()
        self.nodes[node].wire.cut()
        time.sleep(self.random.choice([0.7, LEASE + 1]))
        self.nodes[node].wire.mend()
        self.fault("cut", begin, time.monotonic() + 1, node)

    def unplug(self):
        """A node's cable: clients, mailboxes and engine are all gone for it."""
        node = self.random.randrange(NODES)
        machine, begin = self.nodes[node].machine, time.monotonic()
        machine.unplug()
        time.sleep(self.random.choice([0.7, LEASE + 1]))
        machine.plug()
        self.late("unplugged", begin, node)

    def swallow(self):
        """The same, by a network that says nothing."""
        node = self.random.randrange(NODES)
        machine, begin = self.nodes[node].machine, time.monotonic()
        machine.swallow(True)
        time.sleep(self.random.choice([0.7, LEASE + 1]))
        machine.swallow(False)
        self.late("swallowed", begin, node)

    def late(self, what, begin, node):
        """What was said meanwhile comes when TCP says it again: after as long as it had waited, at most."""
        end = time.monotonic()
        self.fault(what, begin, 2 * end - begin + 1, node)

    def freeze_engine(self):
        begin = time.monotonic()
        self.engine.freeze()
        time.sleep(self.random.choice([1.0, LEASE + 2]))
        self.engine.thaw()
        self.fault("engine frozen", begin, time.monotonic())

    def restart_engine(self):
        begin = time.monotonic()
        self.engine.restart()
        self.fault("engine restarted", begin, time.monotonic() + 1)

    def forget(self):
        begin = time.monotonic()
        self.engine.forget()
        self.fault("engine emptied", begin, time.monotonic() + 1)

    def fail_over(self):
        begin = time.monotonic()
        self.engine.fail_over()
        self.fault("engine failed over", begin, time.monotonic() + 1)

    def roll(self):
        """A node is upgraded: it drains, ends, and starts anew. Nobody is cut: the history shows it no fault."""
        node = self.random.randrange(NODES)
        daemon = self.nodes[node].daemon
        daemon.send(signal.SIGTERM)
        daemon.process.wait(60)
        check(daemon.process.returncode == 0, f"{self.nodes[node].name} ended with {daemon.process.returncode}:\n{daemon.tail()}")
        self.nodes[node].start()

    # what came of it

    def judge(self, before, after):
        findings = []
        self.lapses()
        self.overlaps(findings)
        self.updates(findings)
        self.mail(findings, before, after)
        self.without_engine(findings)
        for node in self.nodes:
            if "panicked at" in node.log():
                findings.append(f"{node.name} panicked:\n{node.log()[-2000:]}")
        return findings

    def lapses(self):
        """What a node itself says is a fault, too: that it lost holds, or was without the engine for longer than it was
        put upon it. A busy machine is late for such short leases."""
        for number, node in enumerate(self.nodes):
            gone = None
            for line in node.log().splitlines():
                words = line.split()
                if not words or "T" not in words[0] or not words[0].endswith("Z"):
                    continue
                at = node.moment(datetime.fromisoformat(words[0].replace("Z", "+00:00")).timestamp())
                if "holds of maildrops were lost" in line:
                    self.fault("lapsed", at - LEASE, at, number)
                elif "does not answer" in line:
                    gone = at
                elif "answers again" in line and gone:
                    self.fault("apart", gone - LEASE, at, number)
                    gone = None

    def is_disturbed(self, session, begin, end):
        """Whether a fault that may have cost this session its hold fell into this time."""
        return any(
            fault["begin"] < end and fault["end"] + LEASE > begin and fault["node"] in (None, session["node"])
            or (session["node"] is None and fault["begin"] < end and fault["end"] + LEASE > begin)
            for fault in self.faults
        )

    def overlaps(self, findings):
        for user in self.users:
            own = sorted((s for s in self.history if s["user"] == user and s["let_in"]), key=lambda s: s["let_in"])
            for position, first in enumerate(own):
                # it could tell that it had the maildrop until it said QUIT, or until the last answer
                end = min(first["quit"] or first["last"], first["last"])
                for second in own[position + 1:]:
                    if second["let_in"] >= end:
                        break
                    # without the engine a node decides alone, whoever holds the maildrop elsewhere
                    sessions = [first, second] if self.on_failure == "open" else [first]
                    if not any(self.is_disturbed(own, first["let_in"], second["let_in"]) for own in sessions):
                        findings.append(f"two sessions had {user} at once:\n  {first}\n  {second}")

    def updates(self, findings):
        removed = [s for s in self.history if s["marks"] and s["done"] and s["answer"].startswith("+OK")]
        for first in removed:
            for second in self.history:
                inside = (
                    second is not first and second["user"] == first["user"] and second["let_in"]
                    and first["let_in"] < second["asked"] and second["let_in"] < first["quit"]
                )
                if not inside:
                    continue
                engine = any(
                    fault["begin"] < first["quit"] and fault["end"] + LEASE > first["let_in"] and fault["what"] != "killed"
                    for fault in self.faults
                )
                if self.on_failure == "closed" or not engine:
                    findings.append(f"a QUIT was acknowledged though another session came between:\n  {first}\n  {second}")

    def mail(self, findings, before, after):
        for user in self.users:
            gone = before[user] - after[user]
            sessions = [s for s in self.history if s["user"] == user]
            asked = {mark for s in sessions if s["quit"] for mark in s["marks"]}
            refused = [s for s in sessions if s["done"] and not s["answer"].startswith("+OK")]
            granted = {mark for s in sessions if s["done"] and s["answer"].startswith("+OK") for mark in s["marks"]}
            if gone - asked:
                findings.append(f"{user}: gone, and nobody had marked it: {sorted(gone - asked)[:5]}")
            if granted - gone:
                findings.append(f"{user}: removal was acknowledged, and it is there: {sorted(granted - gone)[:5]}")
            # one whose answer never came may have removed them; one that was refused may not
            open_ends = {mark for s in sessions if s["quit"] and not s["done"] for mark in s["marks"]}
            # decided alone, two may remove the same, and one of them hears that not all was there
            if self.on_failure == "open":
                continue
            # where Dovecot itself left some of them, the answer "some were not removed" is true if one is there
            torn = self.was_torn(user)
            refused = [s for s in refused if not torn or set(s["marks"]) <= gone]
            wrong = {mark for s in refused for mark in s["marks"]} & gone - granted - open_ends
            if wrong:
                findings.append(f"{user}: removed though QUIT was refused: {sorted(wrong)[:5]}")

    def was_torn(self, user):
        """Whether a node saw Dovecot say OK to a removal and leave something of it."""
        lines = (line for node in self.nodes for line in node.log().splitlines())
        return any(f'user="{user}"' in line and "upstream said OK, and message" in line for line in lines)

    def without_engine(self, findings):
        """Frozen for longer than it takes to notice."""
        passed = 0
        for fault in self.faults:
            if fault["what"] != "engine frozen" or fault["end"] - fault["begin"] < 2:
                continue
            for session in self.history:
                if session["let_in"] and fault["begin"] + 1.5 < session["asked"] and session["let_in"] < fault["end"]:
                    passed += 1
                    if self.on_failure == "closed":
                        findings.append(f"a login passed without the engine: {session}")
        long = any(f["what"] == "engine frozen" and f["end"] - f["begin"] > LEASE for f in self.faults)
        if self.on_failure == "open" and long and not passed:
            findings.append("no login passed while the engine was frozen, with on_failure = \"open\"")

    def unique_ids(self, user):
        end = time.monotonic() + 3 * LEASE + BUSY
        while True:
            session = Session(self, user, None)
            try:
                if session.log_in():
                    found = {line.split()[1] for line in session.lines("UIDL")}
                    session.leave()
                    return found
            finally:
                session.close()
            check(time.monotonic() < end, f"{user} cannot log in when all is well again: {session.answer}")
            time.sleep(0.1)

    def run(self, seconds, seed):
        before = {user: self.unique_ids(user) for user in self.users}
        check(all(len(ids) == MAILS for ids in before.values()), "the mailboxes are not as they were filled")
        self.freed = []
        clients = [
            threading.Thread(target=self.play, args=(user, f"{seed} {user} {number}"), daemon=True)
            for user in self.users for number in range(CLIENTS_OF_A_USER)
        ]
        for client in clients:
            client.start()
        time.sleep(2)
        try:
            self.disturb(time.monotonic() + seconds - 2)
        finally:
            self.ends.set()
            for client in clients:
                client.join(60)
        check(not any(client.is_alive() for client in clients), "a client is stuck")
        after = {user: self.unique_ids(user) for user in self.users}
        self.status()
        return self.judge(before, after)

    def status(self):
        """All nodes are there, and hold nothing, once the last session has ended."""
        node = self.nodes[0]

        def is_calm():
            done = run([self.binary, "status", "--cluster", "--json", "--config", node.config], check_status=False,
                       env={**os.environ, "POP3_GATEWAY_TEST_LEASE": str(int(LEASE * 1000))})
            if done.returncode:
                return False
            self.seen = json.loads(done.stdout)
            return [own["name"] for own in self.seen["nodes"]] == [own.name for own in self.nodes] and all(
                own["holds"] == 0 for own in self.seen["nodes"]
            )

        self.seen = None
        wait_until(is_calm, lambda: f"the nodes to be there and hold nothing: {self.seen}", 3 * LEASE + BUSY, 0.3)


def bad_input(binary, engine_name):
    """What a cluster is told that cannot work: one clear text each."""
    fleet = Fleet(binary, engine_name, "closed", 1)
    try:
        node = fleet.nodes[0]
        good = node.config.read_text()

        def checked(text, *wanted):
            node.config.write_text(text)
            done = run([fleet.binary, "check", "--connect", "--config", node.config], check_status=False)
            said = (done.stdout + done.stderr).decode()
            check(done.returncode in (1, 2), f"check took it, {wanted}: {said}")
            for word in wanted:
                check(word in said, f"{word!r} is not in: {said}")
            check("engine-password" not in said and "what all nodes" not in said, f"a secret was shown: {said}")

        if fleet.engine.password:
            (node.folder / "wrong").write_text("a wrong one\n")
            checked(good.replace('"engine.password"', '"wrong"'), "cluster")
        (node.folder / "other").write_text("short\n")
        checked(good.replace('"cluster.secret"', '"other"'), "secret", "16 octets")
        checked(good.replace('"cluster.secret"', '"missing"'), "missing", "No such file")
        checked(good.replace(str(node.wire.port), str(free_port())), "cluster")
        checked(good.replace('on_failure = "closed"', 'on_failure = "ajar"'), "on_failure", "open")
        node.config.write_text(good)
        environment = {**os.environ, "POP3_GATEWAY_TEST_LEASE": str(int(LEASE * 1000))}
        # another secret than the others have: it says so, and lets nobody in
        double = good.replace(str(node.port), str(free_port())).replace(str(node.http), str(free_port()))
        (node.folder / "other").write_text("another secret than the others have\n")
        other = node.folder / "double.toml"
        other.write_text(double.replace('"cluster.secret"', '"other"').replace('"node-0"', '"stranger"'))
        stranger = Daemon([fleet.binary, "serve", "--config", other], node.folder / "stranger.log", env=environment)
        try:
            log = node.folder / "stranger.log"
            wait_until(lambda: "another secret" in log.read_text(), "the log to name the other secret")
        finally:
            stranger.stop()
        # two nodes with one name: the younger one ends with code 2
        other.write_text(double)
        done = run([fleet.binary, "serve", "--config", other], check_status=False, env=environment, timeout=60)
        said = (done.stdout + done.stderr).decode()
        check(done.returncode == 2 and "same name" in said, f"ended with {done.returncode}: {said[-1500:]}")
        check(node.daemon.alive(), "the older node ended, too")
    finally:
        fleet.stop()


def counted_together(binary, engine):
    """Failed logins and connections of an account count for all nodes. They are in one network: a guesser has one address
    then."""
    fleet = Fleet(binary, engine, "closed", 1, False, limits="", upstream=f"max_per_account = {CAP}",
                  listener='read_only = "always"')
    try:
        guessed(fleet)
        capped(fleet)
    finally:
        fleet.stop()


def guessed(fleet):
    """A wrong password at one node lets the next guess at another wait."""
    times = []
    for node, password in ((0, "wrong"), (1, "wrong, too")):
        session = Session(fleet, fleet.users[0], node)
        begin = time.monotonic()
        check(not session.log_in(password) and "[AUTH]" in session.answer, f"node {node}: {session.answer}")
        times.append(time.monotonic() - begin)
        session.close()
        # what one node says is under way to the engine for a moment
        time.sleep(0.5)
    # the usual 2 s, doubled after each
    check(times[1] > times[0] + 1, f"the guess at the second node did not wait: {times}")


def capped(fleet):
    """Sessions without pause at all nodes: Dovecot never sees more than the cap of one account, and a short queue is
    served."""
    user, most, served, refused = fleet.users[1], 0, [], []
    ends = threading.Event()
    # a connection at each node that waits for the next login, and as many sessions as there may be at one of them
    for node in range(NODES):
        session = Session(fleet, user, node)
        check(session.log_in(), session.answer)
        session.leave()
    sessions = [Session(fleet, user, 0) for _ in range(CAP)]
    for session in sessions:
        check(session.log_in(), lambda: f"no session though nobody uses the connections: {session.answer}")
    most = fleet.dovecot.connections_of(user)
    check(most == CAP, f"{most} connections of one account, of which {CAP} may be")
    for session in sessions:
        session.leave()

    def visit(number):
        while not ends.is_set():
            session = Session(fleet, user, number % NODES)
            try:
                if session.log_in():
                    time.sleep(0.2)
                    session.leave()
                    served.append(session.done - session.asked)
                else:
                    refused.append(session.answer)
            except Gone:
                refused.append("gone")
            session.close()

    clients = [threading.Thread(target=visit, args=(number,), daemon=True) for number in range(2 * CAP)]
    for client in clients:
        client.start()
    end = time.monotonic() + 8
    while time.monotonic() < end:
        most = max(most, fleet.dovecot.connections_of(user))
    ends.set()
    for client in clients:
        client.join(30)
    check(0 < most <= CAP, f"{most} connections of one account at once, where {CAP} may be")
    check(not refused, f"refused, though the queue was short: {refused[:3]}, and {len(served)} served")
    check(len(served) > 5 * CAP, f"only {len(served)} were served")


def attempt(title, scenario, *arguments):
    """Whether it held."""
    try:
        scenario(*arguments)
    except Failure as error:
        print(f"FAIL  {title}\n      {error}", flush=True)
        return False
    print(f"ok    {title}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--engine", action="append", choices=tuple(engines.ENGINES))
    parser.add_argument("--on-failure", action="append", choices=("open", "closed"))
    parser.add_argument("--seconds", type=float, default=30, help="of each run")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--network", choices=("apart", "one"), default="apart", help="of the nodes")
    parser.add_argument("--clocks", choices=("apart", "one"), default="apart", help="of the nodes")
    parser.add_argument("--faults-only", action="store_true", help="leave out what needs no faults")
    parser.add_argument("--history", type=Path, help="a folder for what was recorded")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    failed = False
    apart = arguments.network == "apart" and lines.apart()
    if not apart:
        print("      the nodes are in one network", flush=True)
    for engine in arguments.engine or tuple(engines.ENGINES):
        if not arguments.faults_only:
            failed |= not attempt(f"{engine}, what cannot work", bad_input, arguments.gateway, engine)
            failed |= not attempt(f"{engine}, counted together", counted_together, arguments.gateway, engine)
        for on_failure in arguments.on_failure or ("closed", "open"):
            title = f"{engine}, {on_failure}, seed {seed}"
            begin = time.monotonic()
            fleet = Fleet(arguments.gateway, engine, on_failure, seed, apart, arguments.clocks == "apart")
            try:
                findings = fleet.run(arguments.seconds, seed)
            except Failure as error:
                findings = [str(error)]
            finally:
                if arguments.history:
                    arguments.history.mkdir(parents=True, exist_ok=True)
                    record = {"faults": fleet.faults, "sessions": fleet.history, "freed": fleet.freed}
                    (arguments.history / f"{engine}-{on_failure}-{seed}.json").write_text(json.dumps(record, indent=1))
                    for node in fleet.nodes:
                        (arguments.history / f"{engine}-{on_failure}-{seed}-{node.name}.log").write_text(node.log())
                logs = "\n".join(f"== {node.name}\n{node.log()[-1500:]}" for node in fleet.nodes)
                fleet.stop()
            sessions = [s for s in fleet.history if s["let_in"]]
            removed = [s for s in sessions if s["marks"] and s["done"] and s["answer"].startswith("+OK")]
            refused = [s for s in sessions if s["done"] and not s["answer"].startswith("+OK")]
            busy = [s for s in fleet.history if "[IN-USE]" in s["answer"] and not s["let_in"]]
            kinds = collections.Counter(fault["what"] for fault in fleet.faults)
            counts = ", ".join(f"{what} {count}" for what, count in sorted(kinds.items()))
            text = f"{len(sessions)} sessions, {len(busy)} found it in use, {len(removed)} removed, {len(refused)} QUITs refused, "
            text += f"{len(fleet.faults)} faults ({counts}), free again after {max(fleet.freed, default=0):.1f} s at most"
            word = "FAIL " if findings else "ok   "
            print(f"{word} {title}: {text} ({time.monotonic() - begin:.0f} s)", flush=True)
            for finding in findings[:5]:
                print("      " + finding.replace("\n", "\n      "), flush=True)
            if findings:
                failed = True
                print(logs)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
