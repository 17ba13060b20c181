"""The gateway under test: its configuration, its process, how much memory it takes.

Owns one `pop3-gateway serve` process at a time. `restart` keeps ports and configuration, nothing else.
"""

import contextlib
import json
import os
import signal
from pathlib import Path

from base import HOST, Daemon, Failure, check, free_port, wait_until
from clients import Server

RUNTIMES = ("tokio", "smol")
SCHEMES = {"plain": "imap", "starttls": "imap+starttls", "tls": "imaps"}


def quoted(value):
    """A TOML basic string (JSON's escapes are a subset of TOML's)."""
    return json.dumps(str(value))


class Gateway:
    def __init__(self, binary, folder, certificates, upstream, security="plain", runtime="tokio", **settings):
        self.binary = Path(binary)
        check(os.access(self.binary, os.X_OK), f"{self.binary} is not there: cargo build -p pop3-gateway")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificates = certificates
        self.upstream = upstream
        self.security = security
        self.runtime = runtime
        self.settings = settings
        self.port = free_port()
        self.port_tls = free_port()
        self.config = self.folder / "gateway.toml"
        self.daemon = None
        self.write_config()

    @property
    def server(self):
        return Server(self.port, self.port_tls, self.certificates.ca)

    def write_config(self):
        settings = self.settings
        certificate = f"cert = {quoted(self.certificates.certificate)}\nkey = {quoted(self.certificates.key)}\n"
        text = f"""runtime = {quoted(self.runtime)}

[[listener]]
name = "pop3"
listen = "{HOST}:{self.port}"
tls = "stls"
{settings.get("listener_lines", "")}
[[listener.certificate]]
{certificate}
[[listener]]
name = "pop3s"
listen = "{HOST}:{self.port_tls}"
tls = "implicit"
{settings.get("listener_lines", "")}
[[listener.certificate]]
{certificate}
{self.mailboxes()}
"""
        for table in ("limits", "timers", "log", "transcript"):
            text += f"\n[{table}]\n{settings[table]}\n" if table in settings else ""
        self.config.write_text(text + settings.get("more", ""))

    def mailboxes(self):
        """Where they are: on an IMAP server, or in a store."""
        settings = self.settings
        if hasattr(self.upstream, "table"):
            return self.upstream.table() + settings.get("upstream_lines", "")
        ca = settings.get("upstream_ca", self.upstream.certificates.ca)
        port = self.upstream.port_tls if self.security == "tls" else self.upstream.port
        port = settings.get("upstream_port", port)
        text = f"""[[upstream]]
name = {quoted(self.upstream.name)}
url = "{SCHEMES[self.security]}://{HOST}:{port}"
{settings.get("upstream_lines", "")}
"""
        return text if self.security == "plain" else text + f"ca_file = {quoted(ca)}\n"

    def start(self):
        argv = [self.binary, "serve", "--config", self.config]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("RUST_LOG", "NO_COLOR"))}
        environment["RUST_BACKTRACE"] = "1"
        self.daemon = Daemon(argv, self.folder / "gateway.log", env=environment, cwd=self.folder)
        self.daemon.wait_port(self.port)
        self.daemon.wait_port(self.port_tls)
        return self

    def restart(self):
        self.stop()
        return self.start()

    def stop(self):
        """SIGTERM. A gateway that does not go by itself, or complains about itself, is a failure."""
        daemon, self.daemon = self.daemon, None
        if daemon is None:
            return
        already = None if daemon.alive() else daemon.process.returncode
        status = daemon.stop(seconds=45)
        log = self.log()
        check(already is None, lambda: f"the gateway had ended by itself with {already}:\n{log[-3000:]}")
        check(status == 0, lambda: f"the gateway ended with {status} after SIGTERM:\n{log[-3000:]}")
        check("panicked at" not in log, lambda: f"the gateway panicked:\n{log[-3000:]}")

    def stop_checked(self):
        """What `stop` looks at, for a gateway that has ended as it was asked to."""
        self.daemon.kill()
        self.daemon = None
        log = self.log()
        check("panicked at" not in log, lambda: f"the gateway panicked:\n{log[-3000:]}")

    def kill(self):
        """Without a word, as by the power switch."""
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon = None

    def reload(self):
        self.daemon.send(signal.SIGHUP)

    def log(self):
        path = self.folder / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_log(self, text, seconds=10.0):
        wait_until(lambda: text in self.log(), f"{text!r} in the gateway's log:\n{self.log()[-1500:]}", seconds)

    def memory(self):
        """(now, peak) of the resident memory in KiB."""
        found = {}
        for line in Path(f"/proc/{self.daemon.pid}/status").read_text().splitlines():
            if line.startswith(("VmRSS:", "VmHWM:")):
                found[line[:5]] = int(line.split()[1])
        if len(found) != 2:
            raise Failure("the gateway has no memory figures: is it gone?")
        return found["VmRSS"], found["VmHWM"]

    def memory_pieces(self):
        """What stands in the process's memory now."""
        pid = self.daemon.pid
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as whole:
            for line in maps:
                places, rights = line.split()[:2]
                if "r" not in rights or "[v" in line:
                    continue
                begin, end = (int(place, 16) for place in places.split("-"))
                # what is mapped may go meanwhile
                with contextlib.suppress(OSError):
                    whole.seek(begin)
                    yield whole.read(end - begin)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()


class OwnPop3:
    """Dovecot's POP3 server in the gateway's place: what the harness itself is tried out on."""

    def __init__(self, upstream):
        self.server = Server(upstream.port_pop3, upstream.port_pop3s, upstream.certificates.ca)

    def restart(self):
        return self

    def log(self):
        return ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass
