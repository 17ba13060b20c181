#!/usr/bin/env python3
"""Which secrets stand in a gateway's memory when nobody is logged in.

    memory_secrets.py --gateway target/release/pop3-gateway [--runtime smol] [--logins 20]

A person signs in, devices log in and out again, tokens are refreshed. Then all of the process's memory is searched for
every token and password that there was, as it is and in base64. Prints how often each kind was found; the name of the
mailbox, which is no secret, is the positive control.
"""

import argparse
import base64
import re
import time
from pathlib import Path

from base import check
from scenarios.tokens import ANN, Chain

# tokens live for so long, in seconds: some refreshes fit into a run
LIFE = 3


def memory(pid):
    """The readable pieces of a process's own memory."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as whole:
        for line in maps:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            begin, end = int(begin, 16), int(end, 16)
            try:
                whole.seek(begin)
                yield line.split()[-1], whole.read(end - begin)
            except OSError:
                continue


def forms(secret):
    """As it is, and within something in base64 at any place."""
    yield secret.encode()
    for before in range(3):
        encoded = base64.b64encode(b"." * before + secret.encode())
        yield encoded[4 if before else 0 : -4]


def count(pieces, secrets):
    return sum(piece.count(form) for _, piece in pieces for secret in secrets for form in forms(secret))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--runtime", default="tokio")
    parser.add_argument("--logins", type=int, default=20)
    arguments = parser.parse_args()
    with Chain(Path(arguments.gateway).resolve(), arguments.runtime, life=LIFE, quiet=True) as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            account = chain.account(ANN)
            for _ in range(arguments.logins):
                chain.reads(account, len(expected))
                time.sleep(LIFE / 10)
            time.sleep(1)
            issued = chain.provider
            access, refresh = issued.given("access_token"), issued.given("refresh_token")
            check(len(refresh) > 3, f"only {len(refresh)} refresh tokens: nothing was refreshed")
            pieces = list(memory(chain.gateway.daemon.pid))
            check(count(pieces, [ANN]) > 0, "the search finds nothing at all")
            kinds = {
                "the access token that lives": access[-1:],
                "access tokens of before": access[:-1],
                "refresh tokens": refresh,
                "passwords of devices": chain.passwords,
                "the mailbox's name (control)": [ANN],
            }
            for kind, secrets in kinds.items():
                print(f"{kind:30}{count(pieces, secrets):6}")


if __name__ == "__main__":
    main()
