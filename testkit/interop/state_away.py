#!/usr/bin/env python3
"""How often a login by token waits for the state where that is a PostgreSQL.

    state_away.py --gateway target/release/pop3-gateway [--logins 50] [--runtime smol]

The account of a device is looked up there at each login, so that one that was taken back is refused at once. A relay counts
how often the gateway asks and waits: each time costs a login one round trip to the database, however busy the machine
is. Logins come one after the other, at once and with two seconds between them.
"""

import argparse
import asyncio
import threading
import time
from pathlib import Path

from base import HOST, free_port, program, run
from gateway import RUNTIMES
from scenarios.tokens import ANN, Chain, Postgresql


class Relay:
    """To the database's socket. Counts questions: what the gateway says after it was answered. A loop of its own thread."""

    def __init__(self, socket):
        self.socket, self.port, self.asked = socket, free_port(), 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        listening = asyncio.start_server(self.joined, HOST, self.port)
        asyncio.run_coroutine_threadsafe(listening, self.loop).result()

    async def joined(self, reader, writer):
        to, back = await asyncio.open_unix_connection(self.socket)
        answered = [True]

        async def pump(source, target, asks):
            while octets := await source.read(65536):
                self.asked += asks and answered[0]
                answered[0] = not asks
                target.write(octets)
            target.close()

        await asyncio.gather(pump(reader, back, True), pump(to, writer, False))


def asked(relay, chain, account, logins, pause):
    before = relay.asked
    for _ in range(logins):
        with chain.log_in(account) as pop:
            pop.ok("QUIT")
        time.sleep(pause)
    return (relay.asked - before) / logins


def measure(binary, runtime, logins):
    with Postgresql(binary) as database:
        relay = Relay(str(next(database.data.glob(".s.PGSQL.*[0-9]"))))
        url = f"postgres://test@{HOST}:{relay.port}/pop3?sslmode=disable"
        with Chain(binary, runtime, state=url, quiet=True) as chain:
            chain.deliver()
            key = chain.gateway.folder / "state.key"
            key.touch(0o600)
            key.write_bytes(run([program("openssl", "openssl"), "rand", "-base64", "32"]).stdout)
            with chain.gateway:
                chain.sign_in(ANN)
                account = chain.account(ANN)
                asked(relay, chain, account, 10, 0)
                at_once = asked(relay, chain, account, logins, 0)
                apart = asked(relay, chain, account, min(logins, 10), 2)
        print(f"{runtime:5} round trips to the state for a login: {at_once:.1f}, after a pause {apart:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="the binary")
    parser.add_argument("--logins", type=int, default=50)
    parser.add_argument("--runtime", choices=RUNTIMES, help="both, if it is left out")
    arguments = parser.parse_args()
    for runtime in [arguments.runtime] if arguments.runtime else RUNTIMES:
        measure(Path(arguments.gateway).resolve(), runtime, arguments.logins)


if __name__ == "__main__":
    main()
