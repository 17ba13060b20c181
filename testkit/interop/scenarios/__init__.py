"""What no mail client plays: cuts, kills, races, garbage, signals. Dovecot is the upstream.

Each scenario is a function of a `Bench`; its name and its doc string say what it shows.
"""

import os
import time

from base import Certificates, check, wait_until
from gateway import RUNTIMES, Gateway
from pop import Pop
from servers import Dovecot

MIB = 1024 * 1024
MAILS = [f"Subject: mail {n}\r\nFrom: a@example.org\r\n\r\ntext {n}\r\n.dot\r\n".encode() for n in range(1, 6)]


class Bench:
    """An upstream with one user, and gateways in front of it."""

    def __init__(self, binary, runtime, upstream, user="alice"):
        self.binary = binary
        self.runtime = runtime
        self.upstream = upstream
        self.user = user
        self.is_store = hasattr(upstream, "table")
        # KiB that argon2id takes for passwords, one on each core at a time
        self.hashing = 19 * 1024 * os.cpu_count() if self.is_store else 0
        self.password = upstream.password
        self.folder = upstream.folder / "benches" / f"{runtime}-{user}"
        self.certificates = Certificates(self.folder / "tls", "gateway")
        self.gateways = 0
        upstream.create_user(self.user)

    def deliver(self, bodies=MAILS):
        self.upstream.deliver(self.user, bodies)
        return self.upstream.messages(self.user)

    def gateway(self, security="tls", **settings):
        self.gateways += 1
        folder = self.folder / f"gateway{self.gateways}"
        return Gateway(self.binary, folder, self.certificates, self.upstream, security, self.runtime, **settings)

    def logged_in(self, gateway, **options):
        pop = Pop(gateway.port, **options)
        pop.login(self.user, self.password)
        return pop

    def login_soon(self, gateway, seconds=3.0):
        """Logs in as soon as the lock is free; gives how long that took from now."""
        begin = time.monotonic()

        def attempt():
            pop = Pop(gateway.port)
            pop.greeting()
            pop.ok(f"USER {self.user}")
            answer = pop.command(f"PASS {self.password}")
            if answer.startswith(b"+OK"):
                return pop
            check(answer.startswith(b"-ERR [IN-USE]"), lambda: f"login: {answer!r}")
            pop.close()
            return None

        pop = wait_until(attempt, "the maildrop to be free again", seconds, pause=0.005)
        return pop, time.monotonic() - begin

    def untouched(self, expected):
        """Same UIDs, flags and bodies as before."""
        found = self.upstream.messages(self.user)
        check(found == expected, lambda: f"the mailbox changed: {summary(found)} instead of {summary(expected)}")


def summary(messages):
    return [(message.uid, message.flags, len(message.body)) for message in messages]


def play(scenario, binary, runtime):
    with Dovecot() as upstream:
        return scenario(Bench(binary, runtime, upstream))


def play_store(scenario, binary, runtime, store):
    """With a user of its own in a store that others use too."""
    user = f"{scenario.__name__}-{runtime}".replace("_", "-")
    return scenario(Bench(binary, runtime, store, user))


def play_policies(upstream, binary):
    """(title, work) of every delete policy on this server, on one runtime or the other by turns."""
    steps = [(f"delete={policy} without [{without}]", policies.apply, policy, without) for policy, without in policies.policies(upstream.name)]
    steps.append(("foreign marks without UIDPLUS", policies.foreign_marks_without_uidplus))
    if upstream.name == "courier":
        steps.append(("delete=trash where there is none", policies.no_trash))
    for number, (title, work, *arguments) in enumerate(steps):
        runtime = RUNTIMES[number % len(RUNTIMES)]
        user = f"policy{number}"
        yield f"{upstream.name:8}{runtime:6}{title}", lambda: work(Bench(binary, runtime, upstream, user), *arguments)


def same_transcript(binary):
    """The same session, byte for byte, on both runtimes."""
    with Dovecot() as upstream:
        benches = {}
        for runtime in RUNTIMES:
            benches[runtime] = Bench(binary, runtime, upstream)
        upstream.deliver("alice", MAILS)
        upstream.messages("alice")
        heard = {runtime: content.transcript(bench) for runtime, bench in benches.items()}
        first, second = (heard[runtime] for runtime in RUNTIMES)
        check(
            first == second,
            lambda: next(f"{RUNTIMES[0]} {a!r}, {RUNTIMES[1]} {b!r}" for a, b in zip(first, second) if a != b),
        )
        return f"{sum(map(len, first)):,} octets in {len(first)} answers"


from scenarios import attacks, balancers, content, cuts, hostile, operation, policies, stores, upstreams  # noqa: E402

ALL = [*content.ALL, *cuts.ALL, *upstreams.ALL, *operation.ALL, *hostile.ALL, *attacks.ALL, *balancers.ALL]
# what is about IMAP itself has no place in front of a store
IMAP = [content.awkward_credentials, content.others_deletions_stay, *upstreams.ALL, *balancers.ALL]
STORES = [scenario for scenario in ALL if scenario not in IMAP] + stores.ALL
