#!/usr/bin/env python3
"""What a login by token costs the gateway, beside the same login with the mailbox's own password.

    token_costs.py --gateway target/release/pop3-gateway [--logins 50] [--rounds 60] [--runtime smol]
    token_costs.py --gateway ... --instructions         counts instructions under valgrind in the place of time

A provider and a Dovecot that asks it, a device's account in the gateway's state, and a token that lives: the provider is
asked for none of the logins, which is checked. Both gateways run at the same time and take turns in short blocks, so that
a busy machine is busy for both; what is printed is the median of the differences of neighbours. No connection
is parked. Instructions are those of the gateway's own code; time has the kernel's share in it.
"""

import argparse
import json
import re
import statistics
import time
from pathlib import Path

from base import HERE, Certificates, Daemon, check, program, run
from gateway import RUNTIMES, Gateway, quoted
from oidc import Provider
from pop import Pop
from scenarios import MAILS
from scenarios.tokens import ANN, sign_in
from servers import Dovecot

# the first logins compute a hash, fetch a token and fill what is kept
WARM_UP = 30


class Counted(Gateway):
    """A gateway under valgrind, which says at its end how many instructions it took."""

    def start(self):
        log = self.folder / "gateway.log"
        argv = [program("valgrind", "valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        self.daemon = Daemon([*argv, self.binary, "serve", "--config", self.config], log, cwd=self.folder)
        self.daemon.wait_port(self.port, 120)
        return self

    def instructions(self):
        self.daemon.stop(60)
        return int(re.findall(r"Collected : (\d+)", self.log())[-1])


class Place:
    """A provider, a Dovecot, and what a gateway needs to reach Ann's mailbox by either way."""

    def __init__(self, gateway, runtime):
        self.binary = Path(gateway).resolve()
        self.runtime = runtime
        self.provider = Provider()
        self.dovecot = Dovecot(self.provider.dovecot())
        self.dovecot.create_user(ANN)
        self.dovecot.deliver(ANN, MAILS)
        self.certificates = Certificates(self.dovecot.folder / "gateway-tls", "gateway")
        self.gateways = 0

    def gateway(self, kind=Gateway, **settings):
        self.gateways += 1
        folder = self.dovecot.folder / f"gateway{self.gateways}"
        settings["upstream_lines"] = settings.get("upstream_lines", "") + '\npark = "off"'
        return kind(self.binary, folder, self.certificates, self.dovecot, "plain", self.runtime, **settings)

    def without(self, kind=Gateway):
        """The client's password is the mailbox's."""
        return self.gateway(kind), (ANN, self.dovecot.password)

    def tables(self):
        return f"""
[state]
url = "sqlite:state.db"
key_file = "state.key"
[[provider]]
name = "office"
issuer = {quoted(self.provider.issuer)}
client_id = "persons"
[[grant]]
name = "mail"
provider = "office"
"""

    def with_token(self, kind=Gateway):
        gateway = self.gateway(kind, upstream_lines='grant = "mail"', more=self.tables())
        config = ["--config", gateway.config]
        sign_in(self.binary, self.provider, gateway.folder, gateway.folder / "sign-in.log", ANN, config)
        made = run([self.binary, "account", "add", *config, "--json", "--mailbox", ANN], cwd=gateway.folder)
        made = json.loads(made.stdout)
        return gateway, (made["account"], made["password"])

    def stop(self):
        self.dovecot.stop()
        self.provider.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def log_in(port, account, times):
    for _ in range(times):
        with Pop(port) as pop:
            pop.login(*account)
            pop.ok("QUIT")


def processor(pid):
    """Nanoseconds that all threads of a process took, ended ones too (CPUCLOCK_SCHED of Linux)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def timed(place, arguments):
    """Microseconds of processor for a login, with and without, in each round."""
    both = [place.without(), place.with_token()]
    for gateway, account in both:
        gateway.start()
        log_in(gateway.port, account, WARM_UP)
    asked = len(place.provider.given("access_token"))
    found = ([], [])
    for number in range(arguments.rounds):
        # who comes first changes, too
        for (gateway, account), rounds in list(zip(both, found))[:: -1 if number % 2 else 1]:
            begin = processor(gateway.daemon.pid)
            log_in(gateway.port, account, arguments.logins)
            rounds.append((processor(gateway.daemon.pid) - begin) / arguments.logins / 1000)
    asked = len(place.provider.given("access_token")) - asked
    for gateway, _ in both:
        gateway.stop()
    return found, asked


def counted(place, arguments):
    """Instructions for a login, with and without."""
    found, asked = [], 0
    for prepare in (place.without, place.with_token):
        gateway, account = prepare(Counted)
        totals = []
        for logins in (WARM_UP, WARM_UP + arguments.logins):
            gateway.start()
            before = len(place.provider.given("access_token"))
            log_in(gateway.port, account, logins)
            asked += len(place.provider.given("access_token")) - before
            totals.append(gateway.instructions())
        found.append((totals[1] - totals[0]) / arguments.logins)
    return found, asked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="the binary; a release build, to tell anything")
    parser.add_argument("--logins", type=int, default=50, help="in each block")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--runtime", choices=RUNTIMES, help="both, if it is left out")
    parser.add_argument("--instructions", action="store_true")
    arguments = parser.parse_args()
    for runtime in [arguments.runtime] if arguments.runtime else RUNTIMES:
        with Place(arguments.gateway, runtime) as place:
            if arguments.instructions:
                (without, with_token), asked = counted(place, arguments)
                unit, more = "instructions", with_token - without
            else:
                rounds, asked = timed(place, arguments)
                without, with_token = map(statistics.median, rounds)
                unit, more = "µs of processor", statistics.median(by - own for own, by in zip(*rounds))
            print(f"{runtime:5} {without:11,.0f} without, {with_token:11,.0f} by token: {more:+,.0f} {unit} a login")
            check(asked == 0, f"the provider was asked for {asked} tokens though one lived")


if __name__ == "__main__":
    main()
