#!/usr/bin/env python3
"""Logins by token through this gateway and through email-oauth2-proxy, on one machine.

    python3 -m venv VENV && VENV/bin/pip install emailproxy
    beside_emailproxy.py --gateway target/release/pop3-gateway --emailproxy VENV/bin/emailproxy [--users 100] [--logins 300]

The same provider, the same Dovecot, the same POP3 clients without TLS; the app's own grant (client credentials), so that
nobody signs in. The gateway reads by IMAP, the proxy by POP3, both over TLS. Each user has logged in once before anything
is measured. Prints logins a second, processor time for a login, and memory without and with a session of each user.
"""

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from base import HOST, Certificates, Daemon, Missing, check, free_port, run
from gateway import Gateway, quoted
from oidc import SECRET, Provider
from pop import Pop
from scenarios import MAILS
from servers import Dovecot
from token_costs import processor

# clients at a time
AT_ONCE = 8


def memory(pid):
    """Resident, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def session(port, account):
    pop = Pop(port, timeout=120)
    pop.login(*account)
    return pop


def log_in(port, account):
    with session(port, account) as pop:
        pop.ok("QUIT")


def in_turn(port, accounts, times):
    """One client after the other; a mailbox has one session at a time."""
    for number in range(times):
        log_in(port, accounts[number % len(accounts)])


def measured(name, pid, port, accounts, logins):
    idle = memory(pid)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        shares = [accounts[number::AT_ONCE] for number in range(AT_ONCE)]
        list(pool.map(lambda share: in_turn(port, share, len(share)), shares))
        begin, busy = time.monotonic(), processor(pid)
        list(pool.map(lambda share: in_turn(port, share, logins // AT_ONCE), shares))
        seconds, busy = time.monotonic() - begin, processor(pid) - busy
        open_ones = list(pool.map(lambda account: session(port, account), accounts))
    full = memory(pid)
    for pop in open_ones:
        pop.ok("QUIT")
        pop.close()
    rate, cost = logins / seconds, busy / logins / 1e6
    print(f"{name:20}{rate:8.0f} logins/s{cost:10.2f} ms each{idle:8.1f} MiB at first{full:8.1f} MiB with {len(accounts)} sessions")


def gateway(arguments, provider, dovecot, users):
    secret = provider.folder / "app.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    tables = f"""
[state]
url = "sqlite:state.db"
key_file = "state.key"
[[provider]]
name = "office"
issuer = {quoted(provider.issuer)}
client_id = "app"
client_secret_file = {quoted(secret)}
[[grant]]
name = "mail"
provider = "office"
flow = "app"
"""
    folder = dovecot.folder / "gateway"
    certificates = Certificates(dovecot.folder / "gateway-tls", "gateway")
    binary = Path(arguments.gateway).resolve()
    lines = {"upstream_lines": 'grant = "mail"', "limits": "connections_per_address = 500"}
    made = Gateway(binary, folder, certificates, dovecot, "tls", more=tables, **lines)
    accounts = []
    with made:
        for user in users:
            words = ["account", "add", "--config", made.config, "--json", "--mailbox", user]
            account = json.loads(run([binary, *words], cwd=folder).stdout)
            accounts.append((account["account"], account["password"]))
        measured("pop3-gateway", made.daemon.pid, made.port, accounts, arguments.logins)


def emailproxy(arguments, provider, dovecot, users):
    if not os.access(arguments.emailproxy, os.X_OK):
        raise Missing("emailproxy is not there: python3 -m venv VENV && VENV/bin/pip install emailproxy")
    folder = dovecot.folder / "emailproxy"
    folder.mkdir()
    port = free_port()
    lines = [f"[POP-{port}]", f"local_address = {HOST}", "server_address = localhost", f"server_port = {dovecot.port_pop3s}"]
    for user in users:
        lines += [
            "", f"[{user}]", f"token_url = {provider.issuer}/token", "oauth2_scope = mail", "oauth2_flow = client_credentials",
            "client_id = app", f"client_secret = {SECRET}",
        ]
    config = folder / "emailproxy.config"
    config.write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "SSL_CERT_FILE": str(dovecot.certificates.ca)}
    words = ["--no-gui", "--config-file", config, "--log-file", folder / "emailproxy.log"]
    daemon = Daemon([arguments.emailproxy, *words], folder / "output.log", env=environment, cwd=folder)
    try:
        daemon.wait_port(port)
        measured("email-oauth2-proxy", daemon.pid, port, [(user, "a-password") for user in users], arguments.logins)
    finally:
        log = folder / "emailproxy.log"
        check(daemon.alive(), lambda: f"the proxy ended: {daemon.tail()} {log.read_text()[-2000:]}")
        daemon.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="the binary; a release build, to tell anything")
    parser.add_argument("--emailproxy", required=True, help="its command")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--logins", type=int, default=300)
    arguments = parser.parse_args()
    users = [f"user{number}@example.org" for number in range(arguments.users)]
    with Provider() as provider, Dovecot(provider.dovecot("%d")) as dovecot:
        provider.person.write_text("app@example.org")
        for user in users:
            dovecot.create_user(user)
            dovecot.deliver(user, MAILS)
        for through in (gateway, emailproxy):
            through(arguments, provider, dovecot, users)


if __name__ == "__main__":
    main()
