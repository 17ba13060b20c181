#!/usr/bin/env python3
"""What is watched: the alerts and the dashboard, by promtool and by a real Prometheus that scrapes a real gateway.

    watched.py --gateway target/debug/pop3-gateway

Sessions whose figures are known go through the gateway; then Prometheus is asked for these figures, for every query of the
dashboard, and for the health of every alert. At last 10,000 sessions are open, or as many as files allow, and a scrape costs what it costs without.
"""

import argparse
import contextlib
import json
import poplib
import re
import socket
import ssl
import statistics
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from base import HOST, REPOSITORY, Certificates, Daemon, Failure, Scratch, check, free_port, hard_limit_of_files, program, room_for_files, run, wait_until
from gateway import RUNTIMES, quoted

RULES = REPOSITORY / "packaging/prometheus/alerts.yml"
TESTS = REPOSITORY / "packaging/prometheus/alerts.test.yml"
BOARD = REPOSITORY / "packaging/grafana/pop3-gateway.json"
MAILS = 3
# open at once, and how often they are scraped then
SESSIONS = 10_000
SCRAPES = 31
# what one may take of a processor then, in seconds
MOST = 0.005


def queries():
    """Every query of the dashboard, with values in the place of its variables."""
    board = json.loads(BOARD.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "1m")
            text = re.sub(r"\$(instance|listener|upstream)", ".*", text)
            check("$" not in text, f"{panel['title']}: {text}")
            yield panel["title"], text


def check_files(folder):
    """The rules are well-formed and fire when they should; the dashboard's queries are well-formed."""
    promtool = program("promtool", "prometheus")
    run([promtool, "check", "rules", RULES])
    run([promtool, "test", "rules", TESTS], cwd=TESTS.parent)
    rules = [{"record": f"board:query{number}", "expr": text} for number, (_, text) in enumerate(queries())]
    check(len(rules) > 40, f"{len(rules)} queries in the dashboard")
    board = folder / "board.yml"
    # JSON is YAML
    board.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    run([promtool, "check", "rules", board])


class Watched:
    """A gateway with a Maildir for each of two users and an upstream that is away, and a Prometheus that scrapes it."""

    def __init__(self, gateway, folder, runtime):
        self.folder = folder
        self.clear, self.secured, self.http, self.port = (free_port() for _ in range(4))
        self.certificates = Certificates(folder / "tls")
        for user in ("tim", "sue"):
            for part in ("new", "cur", "tmp"):
                (folder / "mail" / user / part).mkdir(parents=True)
            for number in range(MAILS):
                mail = folder / "mail" / user / "new" / f"{number}.watched"
                mail.write_bytes(b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * 100))
        (folder / "users").write_text("tim:{PLAIN}tanstaaf\nsue:{PLAIN}sesame\n")
        (folder / "users").chmod(0o600)
        config = folder / "gateway.toml"
        config.write_text(
            f"""runtime = {quoted(runtime)}
[[listener]]
name = "clear"
listen = "{HOST}:{self.clear}"
[[listener]]
name = "secured"
listen = "{HOST}:{self.secured}"
tls = "implicit"
[[listener.certificate]]
cert = {quoted(self.certificates.certificate)}
key = {quoted(self.certificates.key)}
[[http]]
listen = "{HOST}:{self.http}"
[[store]]
name = "local"
kind = "maildir"
path = "mail"
users = "each"
accounts = "users"
[[upstream]]
name = "away"
url = "imap://{HOST}:{free_port()}"
[routing]
default = "local"
[routing.domain]
"away.example" = "away"
[limits]
failed_login_delay = "0s"
failed_login_delay_max = "0s"
connections_per_user = 1
"""
        )
        self.gateway = Daemon([gateway, "serve", "--config", config], folder / "gateway.log", cwd=folder)
        for port in (self.clear, self.secured, self.http):
            self.gateway.wait_port(port)
        settings = folder / "prometheus.yml"
        settings.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [
                        {"job_name": "pop3-gateway", "static_configs": [{"targets": [f"{HOST}:{self.http}"]}]}
                    ],
                }
            )
        )
        self.prometheus = Daemon(
            [program("prometheus", "prometheus"), f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}"]
            + [f"--web.listen-address={HOST}:{self.port}"],
            folder / "prometheus.log",
        )
        self.prometheus.wait_port(self.port, 60)

    def stop(self):
        self.prometheus.stop()
        status = self.gateway.stop()
        check(status == 0, lambda: f"the gateway ended with {status}:\n{self.gateway.tail()}")

    def api(self, path, **parameters):
        url = f"http://{HOST}:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            said = json.load(answer)
        check(said["status"] == "success", f"{url}: {said}")
        return said["data"]

    def figure(self, query):
        found = self.api("query", query=query)["result"]
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def comes_to(self, query, wanted):
        """Waits until Prometheus has scraped this figure."""
        try:
            wait_until(lambda: self.figure(query) == wanted, query, 60)
        except Failure as error:
            raise Failure(f"{query} is {self.figure(query)}, not {wanted}\n{self.metrics()}") from error

    def metrics(self, accept="*/*"):
        request = urllib.request.Request(f"http://{HOST}:{self.http}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def log_in(self, user, password, secured=False):
        if secured:
            context = ssl.create_default_context(cafile=self.certificates.ca)
            client = poplib.POP3_SSL("localhost", self.secured, context=context, timeout=30)
        else:
            client = poplib.POP3(HOST, self.clear, timeout=30)
        client.user(user)
        client.pass_(password)
        return client


def refused(watched, user, password):
    try:
        watched.log_in(user, password)
    except poplib.error_proto:
        return
    raise Failure(f"{user} is logged in")


def play(watched):
    """Three good sessions, two of them in the clear; a wrong password; an upstream that is away; a maildrop in use."""
    for secured in (False, False, True):
        client = watched.log_in("tim", "tanstaaf", secured)
        client.retr(1)
        client.top(1, 0)
        client.quit()
    client = watched.log_in("tim", "tanstaaf", True)
    client.dele(1)
    refused(watched, "tim", "tanstaaf")
    client.quit()
    refused(watched, "tim", "wrong")
    refused(watched, "sue@away.example", "sesame")
    # these stay
    return [watched.log_in("sue", "sesame"), poplib.POP3(HOST, watched.clear, timeout=30)]


def look(watched):
    store = 'upstream="local"'
    for query, wanted in [
        ('up{job="pop3-gateway"}', 1),
        ("count(pop3_gateway_build_info)", 1),
        (f'sum(pop3_gateway_logins_total{{{store},result="ok"}})', 5),
        (f'pop3_gateway_logins_total{{{store},result="ok",listener="secured"}}', 2),
        (f'sum(pop3_gateway_logins_total{{{store},result="in_use"}})', 1),
        (f'sum(pop3_gateway_logins_total{{{store},result="credentials"}})', 1),
        ('sum(pop3_gateway_logins_total{upstream="away",result="temporary"})', 1),
        ('pop3_gateway_upstream_connects_total{upstream="away",result="unreachable"}', 1),
        (f'sum(pop3_gateway_messages_total{{{store},what="retrieved"}})', 3),
        (f'sum(pop3_gateway_messages_total{{{store},what="top"}})', 3),
        (f'sum(pop3_gateway_messages_total{{{store},what="deleted"}})', 1),
        (f"sum(pop3_gateway_first_octet_seconds_count{{{store}}})", 6),
        (f"pop3_gateway_update_seconds_count{{{store}}}", 4),
        (f'pop3_gateway_login_seconds_count{{{store},result="ok"}}', 5),
        (f'pop3_gateway_login_seconds_bucket{{{store},result="ok",le="+Inf"}}', 5),
        ('pop3_gateway_tls_sessions_total{version="TLSv1.3",listener="secured"}', 2),
        ('pop3_gateway_sessions_ended_total{reason="quit",listener="secured"}', 2),
        ('pop3_gateway_sessions{listener="clear",state="authorization"}', 1),
        ('pop3_gateway_sessions{listener="clear",state="transaction"}', 1),
        ("sum(pop3_gateway_sessions)", 2),
        ("pop3_gateway_maildrops_held", 1),
    ]:
        watched.comes_to(query, wanted)
    end = watched.figure("pop3_gateway_certificate_not_after_timestamp_seconds - time()")
    check(end is not None and 28 * 86400 < end < 31 * 86400, f"the certificate ends in {end} s")
    for title, query in queries():
        watched.api("query", query=query)
    rules = [rule for group in watched.api("rules")["groups"] for rule in group["rules"]]
    wait_until(lambda: all(rule["health"] == "ok" for rule in rules), "every alert to be looked at", 60)
    check(len(rules) == RULES.read_text().count("alert: "), f"{len(rules)} rules")


def watch(gateway, folder, runtime):
    watched = Watched(gateway, folder, runtime)
    try:
        stay = play(watched)
        look(watched)
        promtool = program("promtool", "prometheus")
        said = folder / "said"
        said.write_text(watched.metrics())
        with open(said, encoding="utf-8") as text:
            run([promtool, "check", "metrics"], stdin=text)
        for client in stay:
            client.close()
        watched.comes_to("sum(pop3_gateway_sessions)", 0)
    finally:
        watched.stop()


def processor(daemon):
    """The seconds of a processor that the threads of a process have taken."""
    seconds = 0
    for file in Path(f"/proc/{daemon.pid}/task").glob("*/schedstat"):
        # a thread may be gone by now
        with contextlib.suppress(OSError):
            seconds += int(file.read_text().split()[0]) / 1e9
    return seconds


def crowded(gateway, folder, runtime):
    """What a scrape costs does not grow with the sessions: the processor time of the gateway alone, so that whatever else
    this machine does is not measured."""
    # the gateway keeps room for a connection onwards for each
    sessions = min(SESSIONS, (hard_limit_of_files() - 2000) // 2)
    room_for_files(sessions)
    port, http = free_port(), free_port()
    (folder / "users").write_text("tim:{PLAIN}tanstaaf\n")
    (folder / "users").chmod(0o600)
    config = folder / "gateway.toml"
    config.write_text(
        f"""runtime = {quoted(runtime)}
[[listener]]
listen = "{HOST}:{port}"
[[http]]
listen = "{HOST}:{http}"
[[store]]
name = "local"
kind = "maildir"
path = "mail"
users = "each"
accounts = "users"
[limits]
connections = {sessions + 100}
connections_before_login = {sessions + 100}
connections_per_address = {sessions}
[timers]
login_grace = "10m"
"""
    )
    daemon = Daemon([gateway, "serve", "--config", config], folder / "gateway.log", cwd=folder)
    for each in (port, http):
        daemon.wait_port(each)

    def scrape():
        begin = processor(daemon)
        with urllib.request.urlopen(f"http://{HOST}:{http}/metrics", timeout=60) as answer:
            said = answer.read().decode()
        return processor(daemon) - begin, sum(map(float, re.findall(r"^pop3_gateway_sessions\{.*\} (\S+)$", said, re.M)))

    def cost(wanted):
        wait_until(lambda: scrape()[1] == wanted, lambda: f"{wanted} sessions in the figures: {scrape()}", 60)
        return statistics.median(scrape()[0] for _ in range(SCRAPES))

    clients = []
    try:
        alone = cost(0)
        for number in range(sessions):
            client = socket.socket()
            clients.append(client)
            # an address has not ports enough for all
            client.bind((f"127.3.0.{number % 100 + 1}", 0))
            client.settimeout(60)
            client.connect((HOST, port))
        for client in clients:
            check(client.recv(100).startswith(b"+OK"), "a client was not greeted")
        beside = cost(sessions)
        check(beside < min(2 * alone, MOST), f"a scrape took {alone * 1000:.2f} ms, and {beside * 1000:.2f} ms beside {sessions} sessions")
    finally:
        for client in clients:
            client.close()
        daemon.stop()
    print(f"ok: a scrape takes {alone * 1000:.2f} ms of a processor, {beside * 1000:.2f} ms beside {sessions:,} sessions on {runtime}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True)
    arguments = parser.parse_args()
    scratch = Scratch("watched")
    try:
        check_files(scratch.path)
        for runtime in RUNTIMES:
            folder = scratch.path / runtime
            folder.mkdir()
            watch(Path(arguments.gateway).resolve(), folder, runtime)
            print(f"ok: Prometheus has the figures of a gateway on {runtime}")
        for runtime in RUNTIMES:
            folder = scratch.path / f"crowded-{runtime}"
            folder.mkdir()
            crowded(Path(arguments.gateway).resolve(), folder, runtime)
    except Failure as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        scratch.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
