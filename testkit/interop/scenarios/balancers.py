"""A balancer in front, which says who its clients are by the PROXY protocol: real haproxy and nginx."""

import contextlib
import json
import random
import socket
import ssl
import time

import lines
from base import HOST, Daemon, check, free_port, program, room_for_files, wait_until
from pop import Pop

ADDRESSES = 500
CLIENTS = 2000
PER_ADDRESS = 3


class Balancer:
    """haproxy and nginx before both listeners of a gateway, a port for each way."""

    def __init__(self, folder, gateway, address=HOST):
        folder.mkdir(parents=True, exist_ok=True)
        self.plain, self.tls, daemons = {}, {}, []
        ways = ("haproxy, version 1", "haproxy, version 2", "nginx")
        self.plain = {way: free_port() for way in ways}
        self.tls = {way: free_port() for way in ways}
        first, second, stream = ways
        sends = {first: "send-proxy", second: "send-proxy-v2"}
        text = "global\n  maxconn 6000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 2m\n  timeout server 2m\n"
        for way, send in sends.items():
            for port, behind in ((self.plain[way], gateway.port), (self.tls[way], gateway.port_tls)):
                # its own checks come with a header too: LOCAL, or UNKNOWN
                text += f"listen at{port}\n  bind {address}:{port}\n"
                text += f"  server gateway {HOST}:{behind} {send} check check-send-proxy inter 300ms\n"
        config = folder / "haproxy.cfg"
        config.write_text(text)
        daemons.append(Daemon([program("haproxy", "haproxy"), "-db", "-f", config], folder / "haproxy.log"))
        servers = "".join(
            f"  server {{ listen {address}:{port}; proxy_pass {HOST}:{behind}; proxy_protocol on; }}\n"
            for port, behind in ((self.plain[stream], gateway.port), (self.tls[stream], gateway.port_tls))
        )
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        config = folder / "nginx.conf"
        config.write_text(
            f"load_module {module};\ndaemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n"
            f"events {{ worker_connections 1000; }}\nstream {{\n{servers}}}\n"
        )
        nginx = program("nginx", "nginx-light libnginx-mod-stream")
        daemons.append(Daemon([nginx, "-c", config], folder / "nginx.out"))
        self.daemons = daemons
        for port in (*self.plain.values(), *self.tls.values()):
            daemons[0 if port not in (self.plain[stream], self.tls[stream]) else 1].wait_port(port, address=address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.stop(seconds=2)


def proxied(bench, **settings):
    lines = f'proxy_protocol = ["{HOST}"]\nallow_clear_login = true'
    return bench.gateway(listener_lines=lines, log='format = "json"\nlevel = "debug"', **settings)


def lines_of(gateway):
    """Its log; the last line may be half written."""
    return [json.loads(line) for line in gateway.log().rpartition("\n")[0].splitlines()]


def clients_of_a_balancer(bench):
    """haproxy (versions 1 and 2) and nginx, in the clear, STLS, and TLS passed through: log and upstream know the client."""
    bench.deliver()
    with proxied(bench, upstream_lines="own = true") as gateway, Balancer(bench.folder / "balancer", gateway) as balancer:
        ca = gateway.certificates.ca
        expected = []

        def session(port, source, tls=None, stls=False):
            with Pop(port, tls=tls, source=source) as pop:
                pop.greeting()
                if stls:
                    pop.ok("STLS")
                    pop.wrap(ca)
                pop.ok(f"USER {bench.user}")
                pop.ok(f"PASS {bench.password}")
                pop.ok("RETR 1")
                pop.body()
                pop.ok("QUIT")
            expected.append(source)

        for number, way in enumerate(balancer.plain, 1):
            session(balancer.plain[way], f"127.0.7.{number}")
            session(balancer.plain[way], f"127.0.8.{number}", stls=True)
            session(balancer.tls[way], f"127.0.9.{number}", tls=ca)

        def ended():
            lines = [line for line in lines_of(gateway) if line["message"] == "session ended"]
            return [line for line in lines if line.get("logged_in")] if len(lines) >= len(expected) else None

        wait_until(lambda: len(ended() or []) == len(expected), "all sessions in the log")
        peers = {line["peer"].rpartition(":")[0] for line in ended()}
        check(peers == set(expected), lambda: f"the log names {peers}")
        through = [line for line in lines_of(gateway) if line["message"] == "connected through a proxy"]
        check(all(line["proxy"].startswith(f"{HOST}:") for line in through), "the proxy is another one")
        through = {line["peer"].rpartition(":")[0] for line in through}
        check(through >= set(expected), lambda: f"the log names {through} as clients of a proxy")
        log = (bench.upstream.folder / "dovecot.log").read_text()
        for source in expected:
            # lip: the balancer's address, where the client connected to
            check(f"rip={source}, lip={HOST}," in log, f"the upstream does not know {source}")
        check(not any(line["level"] == "WARN" and "header" in line["message"] for line in lines_of(gateway)),
              lambda: f"the balancers' own checks are complained about: {gateway.log()[-2000:]}")
    return f"{len(expected)} sessions"


def who_is_no_balancer(bench):
    """Other peers are closed at once; from a balancer garbage is, and silence after three seconds, without a word."""
    bench.deliver()
    with proxied(bench) as gateway:
        def closed(says, source, port):
            begin = time.monotonic()
            with Pop(port, source=source) as pop:
                with contextlib.suppress(OSError):
                    pop.send(says)
                check(pop.to_end() == b"", "it had something to say")
            return time.monotonic() - begin

        header = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 110\r\n"
        for port in (gateway.port, gateway.port_tls):
            for says in (b"", header, header + b"CAPA\r\n"):
                closed(says, "127.0.0.9", port)
            for says in (b"USER joe\r\n", b"\x16\x03\x01\x02\x00\x01", b"PROXY TCP4 a b c d\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0"):
                closed(says, HOST, port)
            for says in (b"", header[:-1]):
                seconds = closed(says, HOST, port)
                check(2.5 < seconds, f"silence was closed after {seconds:.1f} s")
        with Pop(gateway.port, source=HOST) as pop:
            pop.send(header + b"CAPA\r\n")
            pop.greeting()
        # what was not waited for says the log: a clock would only measure the machine
        for text, count in (("may not say who", 6), ("no valid header", 8), ("not come in time", 4)):
            def lines(text=text):
                return [line for line in lines_of(gateway) if line["level"] == "DEBUG" and text in line["message"]]

            wait_until(lambda count=count: len(lines()) >= count, f"{count} lines about {text!r}")
            check(len(lines()) == count, lambda: f"{len(lines())} lines about {text!r}")


@contextlib.contextmanager
def many_addresses():
    """500 addresses and a way to them: on a machine of their own, if one may be made here, else on this one's loopback.
    The addresses, where they find this machine, and what makes sockets over there."""
    if not lines.may_be_apart():
        addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(ADDRESSES)]
        yield addresses, HOST, contextlib.nullcontext
        return
    # somebody else may make one at the same time
    numbers = random.sample(range(100, 251), 151)
    machine = lines.Machine(next(number for number in numbers if not lines.is_there(number)))
    try:
        yield machine.also(ADDRESSES), machine.near, machine.there
    finally:
        machine.stop()


def clients_are_counted_by_their_own_address(bench):
    """2,000 clients from 500 addresses after haproxy, TLS passed through: limits and delays are each client's own."""
    room_for_files(2 * CLIENTS)
    bench.deliver()
    limits = f"connections = 4000\nconnections_before_login = 4000\nconnections_per_address = {PER_ADDRESS}"
    with many_addresses() as (sources, near, there), proxied(bench, limits=limits) as gateway:
        with Balancer(bench.folder / "balancer", gateway, near) as balancer:
            ca, way = gateway.certificates.ca, "haproxy, version 2"
            told = []
            for port, tls in ((balancer.plain[way], None), (balancer.tls[way], ca)):
                begin = time.monotonic()
                crowd(sources, near, there, port, tls)
                told.append(f"{time.monotonic() - begin:.1f} s {'with' if tls else 'without'} TLS")
            others = delays(bench, gateway, sources, near, there, balancer.tls[way], ca)
    where = "in a network of their own" if near != HOST else "on the loopback"
    return f"{CLIENTS} clients {where} in {' and '.join(told)}; another client's login took {others * 1000:.0f} ms"


def crowd(sources, near, there, port, tls):
    """As many clients of each address as it may have are served, and no other."""
    context = tls and ssl.create_default_context(cafile=str(tls))
    open_, heard = [], {}
    try:
        # all of one address together: after three seconds a newcomer may have the oldest one's place
        for source in sources:
            own = []
            for _ in range(CLIENTS // ADDRESSES):
                with there():
                    client = socket.socket()
                open_.append(client)
                client.bind((source, 0))
                client.settimeout(60)
                client.connect((near, port))
                own.append(client)
            heard[source] = sorted(greeting(client, context, open_) for client in own)
    finally:
        for client in open_:
            client.close()
    # no handshake is made with who gets no place
    refusal = b"" if tls else b"-ERR"
    wanted = sorted([b"+OK "] * PER_ADDRESS + [refusal] * (CLIENTS // ADDRESSES - PER_ADDRESS))
    wrong = {source: answers for source, answers in heard.items() if answers != wanted}
    check(not wrong, lambda: f"{len(wrong)} addresses heard something else, such as {list(wrong.items())[:3]}")


def greeting(client, context, open_):
    if context:
        try:
            client = context.wrap_socket(client, server_hostname="localhost")
        except (ssl.SSLEOFError, ConnectionResetError):
            return b""
        open_.append(client)
    return client.recv(100)[:4]


def delays(bench, gateway, sources, near, there, port, ca):
    """Who guesses is kept waiting, and another client of the same balancer is not; how long that one's login took."""
    guesser, other = sources[:2]

    def client(source):
        with there():
            return Pop(port, tls=ca, source=source, host=near, timeout=60)

    def wrong_login():
        with client(guesser) as pop:
            pop.greeting()
            pop.ok(f"USER nobody-{guesser}")
            begin = time.monotonic()
            pop.refused("PASS wrong", b"[AUTH]")
            return time.monotonic() - begin

    wrong_login()
    check(wrong_login() > 1.5, "one address was not kept waiting")
    begin = time.monotonic()
    with client(other) as pop:
        pop.login(bench.user, bench.password)
        others = time.monotonic() - begin
        pop.ok("QUIT")
    gateway.wait_log(f'"peer":"{other}:')
    delayed = [line for line in lines_of(gateway) if line["message"].startswith("login delayed")]
    check(delayed and all(line["peer"].startswith(f"{guesser}:") for line in delayed), f"delayed: {delayed}")
    return others


ALL = [clients_of_a_balancer, who_is_no_balancer, clients_are_counted_by_their_own_address]
