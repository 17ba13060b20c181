#!/usr/bin/env python3
"""Which secrets stand in a gateway's memory when nobody is logged in.

    memory_secrets.py --gateway target/release/pop3-gateway [--runtime smol] [--logins 20]

A person signs in, a device logs in and out again, tokens are refreshed, all of it through TLS. Then all of the
process's memory is searched for every token and password that there was, as it is and in base64.
"""

import argparse
from pathlib import Path

from scenarios import tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--runtime", default="tokio")
    parser.add_argument("--logins", type=int, default=20)
    arguments = parser.parse_args()
    refreshes, found = tokens.in_memory(Path(arguments.gateway).resolve(), arguments.runtime, arguments.logins)
    print(f"{refreshes} refreshes")
    for kind, count in found.items():
        print(f"{count:6} {kind}")


if __name__ == "__main__":
    main()
