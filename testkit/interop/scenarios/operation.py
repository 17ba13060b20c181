"""Signals, reload, credentials that do not fit."""

import base64
import json
import shutil
import signal
import ssl
import time

from base import HOST, Certificates, check, port_open, run, wait_until
from mailbox import normalised
from pop import Pop, stuffed

MIB = 1024 * 1024


def stop_gracefully(bench):
    """SIGTERM: the running response is finished, the next command refused, nothing is deleted (G19)."""
    large = b"Subject: large\r\n\r\n" + (b"z" * 78 + b"\r\n") * (25 * MIB // 80)
    before = bench.deliver([large, b"Subject: small\r\n\r\ntext\r\n"])
    gateway = bench.gateway(timers='shutdown_grace = "20s"').start()
    pop = bench.logged_in(gateway, receive_buffer=65536)
    pop.ok("DELE 2")
    pop.send(b"RETR 1\r\n")
    check(pop.line().startswith(b"+OK"), "RETR was refused")
    start = pop.exactly(MIB)
    daemon = gateway.daemon
    daemon.send(signal.SIGTERM)
    wait_until(lambda: not port_open(gateway.port), "the listener to be closed")
    rest = pop.exactly(len(stuffed(normalised(large))) - len(start))
    check(start + rest == stuffed(normalised(large)), "the response was not finished")
    pop.send(b"QUIT\r\n")
    heard = pop.to_end()
    check(heard.startswith(b"-ERR [SYS/TEMP]"), f"the next command heard {heard!r}")
    begin = time.monotonic()
    wait_until(lambda: not daemon.alive(), "the gateway to end", 25)
    check(daemon.process.returncode == 0, f"it ended with {daemon.process.returncode}")
    gateway.stop_checked()
    bench.untouched(before)
    return f"ended {time.monotonic() - begin:.1f} s after the last session"


def stop_with_idle_sessions(bench):
    """SIGTERM with clients that say nothing: the gateway ends within its grace, nothing is deleted."""
    before = bench.deliver()
    gateway = bench.gateway(timers='shutdown_grace = "3s"').start()
    idle = bench.logged_in(gateway)
    idle.ok("DELE 1")
    strangers = [Pop(gateway.port) for _ in range(3)] + [Pop(gateway.port_tls) for _ in range(3)]
    strangers[0].greeting()
    begin = time.monotonic()
    daemon = gateway.daemon
    daemon.send(signal.SIGTERM)
    wait_until(lambda: not daemon.alive(), "the gateway to end", 10)
    seconds = time.monotonic() - begin
    check(daemon.process.returncode == 0, f"it ended with {daemon.process.returncode}")
    heard = idle.to_end()
    check(heard == b"" or heard.startswith(b"-ERR [SYS/TEMP]"), f"the idle client heard {heard!r}")
    gateway.stop_checked()
    bench.untouched(before)
    return f"ended after {seconds:.1f} s"


def killed(bench):
    """SIGKILL with marks: nothing is removed (G18)."""
    before = bench.deliver()
    gateway = bench.gateway().start()
    pop = bench.logged_in(gateway)
    pop.ok("DELE 1")
    gateway.kill()
    bench.untouched(before)
    pop.close()
    with gateway, bench.logged_in(gateway) as pop:
        check(pop.ok("STAT").startswith(b"+OK 5 "), "marks survived")


def certificate_of(gateway, ca):
    """The certificate that the listener shows, if it is one of this authority's."""
    context = ssl.create_default_context(cafile=str(ca))
    with Pop(gateway.port_tls) as pop:
        with context.wrap_socket(pop.socket, server_hostname="localhost") as link:
            return link.getpeercert(binary_form=True)


def reload_certificate(bench):
    """SIGHUP: new connections see the new certificate, sessions go on; a broken one changes nothing (design 9)."""
    bench.deliver()
    with bench.gateway() as gateway:
        old = certificate_of(gateway, gateway.certificates.ca)
        sessions = [bench.logged_in(gateway)]
        stranger = Pop(gateway.port_tls, tls=gateway.certificates.ca)
        stranger.greeting()
        fresh = Certificates(bench.folder / "fresh", "fresh")
        shutil.copy(fresh.certificate, gateway.certificates.certificate)
        shutil.copy(fresh.key, gateway.certificates.key)
        gateway.reload()

        def renewed():
            try:
                return certificate_of(gateway, fresh.ca) != old
            except ssl.SSLCertVerificationError:
                return False

        wait_until(renewed, "the new certificate to be shown")
        for pop in sessions:
            pop.ok("RETR 1")
            pop.body()
        stranger.refused("NOOP")
        gateway.certificates.certificate.write_text("this is no certificate\n")
        gateway.reload()
        time.sleep(0.5)
        check(renewed(), "a broken certificate was taken over")
        for pop in sessions:
            pop.ok("STAT")
            pop.ok("QUIT")


def reload_configuration(bench):
    """SIGHUP with another configuration: new sessions follow it; a wrong one changes nothing."""
    bench.deliver()
    with bench.gateway(listener_lines='greeting = "before"') as gateway:
        def greeting():
            with Pop(gateway.port) as pop:
                return pop.greeting()

        check(b"before" in greeting(), "the greeting is another one")
        old = bench.logged_in(gateway)
        gateway.settings["listener_lines"] = 'greeting = "behind"'
        gateway.write_config()
        gateway.reload()
        wait_until(lambda: b"behind" in greeting(), "the new greeting")
        gateway.config.write_text(gateway.config.read_text() + "\n[nonsense]\n")
        gateway.reload()
        time.sleep(0.5)
        check(b"behind" in greeting(), "a wrong configuration was taken over")
        old.ok("STAT")
        old.ok("QUIT")


def wrong_configuration(bench):
    """An unknown key: exit code 2 and one message with file, line and the nearest known key."""
    gateway = bench.gateway()
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace("listen =", "lisen =", 1))
    for command in ("serve", "check"):
        done = run([gateway.binary, command, "--config", gateway.config], check_status=False, timeout=20)
        said = (done.stdout + done.stderr).decode()
        check(done.returncode == 2, f"{command} ended with {done.returncode}: {said}")
        check("gateway.toml:5" in said and '"listen"' in said, f"{command} said {said}")
    gateway.config.write_text(text)
    done = run([gateway.binary, "check", "--config", gateway.config], check_status=False, timeout=20)
    check(done.returncode == 0, f"check of a right one ended with {done.returncode}: {done.stderr.decode()}")


def wrong_password(bench):
    """[AUTH], a wait before the next one, and a cut after three; the same for names that do not exist (X027, P065)."""
    bench.deliver()
    # the wait grows with every failure from the same address: not for minutes here
    with bench.gateway(limits='failed_login_delay_max = "3s"') as gateway:
        heard = set()
        for user in (bench.user, "nobody-there"):
            with Pop(gateway.port, timeout=60) as pop:
                pop.greeting()
                for attempt in range(3):
                    pop.ok(f"USER {user}")
                    begin = time.monotonic()
                    heard.add(pop.refused("PASS wrong", b"[AUTH]"))
                    seconds = time.monotonic() - begin
                    # the first one is looked at at once; after it the address waits before each next one (W020)
                    check((1.5 if attempt else 0) <= seconds <= 20, f"the answer came after {seconds:.1f} s")
                check(pop.closed(), "not cut after three failures")
            if user == bench.user:
                with bench.logged_in(gateway) as pop:
                    pop.ok("QUIT")
        check(len(heard) == 1, f"the answers differ: {heard}")


def log_and_transcript(bench):
    """One summary line a session, with all that it is about; no secret in the log or in a transcript (T016)."""
    bench.deliver()
    secrets = [bench.password, "wrong-secret", base64.b64encode(f"\0{bench.user}\0{bench.password}".encode()).decode()]
    with bench.gateway("tls", log='format = "json"\nlevel = "trace"', transcript='dir = "transcripts"') as gateway:
        with Pop(gateway.port_tls, tls=gateway.certificates.ca) as pop:
            pop.greeting()
            pop.ok(f"AUTH PLAIN {secrets[2]}")
            pop.ok("RETR 1")
            pop.body()
            pop.ok("DELE 2")
            pop.ok("QUIT")
        with Pop(gateway.port) as pop:
            pop.greeting()
            pop.ok(f"USER {bench.user}")
            pop.refused(f"PASS {secrets[1]}", b"[AUTH]")
            pop.ok("QUIT")
        # a secret where none belongs: a user in a hurry
        with Pop(gateway.port) as pop:
            pop.greeting()
            pop.refused(f"PASS {bench.password}")
            pop.ok("QUIT")
    lines = [json.loads(line) for line in gateway.log().splitlines()]
    ended = [line for line in lines if "session ended" in json.dumps(line) and bench.user in json.dumps(line)]
    text = json.dumps(ended[0]) if ended else ""
    for word in (bench.upstream.name, "TLSv1", "quit", '"deleted": 1', '"retrieved": 1', '"octets"', HOST):
        check(word in text, f"{word!r} is not in the summary line {text}")
    written = [gateway.log(), *(path.read_text() for path in (gateway.folder / "transcripts").iterdir())]
    check(len(written) >= 3, "transcripts are missing")
    for secret in secrets:
        check(not any(secret in whole for whole in written), "a secret was written down")


ALL = [
    stop_gracefully,
    stop_with_idle_sessions,
    killed,
    reload_certificate,
    reload_configuration,
    wrong_configuration,
    wrong_password,
    log_and_transcript,
]
