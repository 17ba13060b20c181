#!/usr/bin/env python3
"""The packages in a clean Debian that its own systemd has started: installed, one line edited, a mail by curl, upgraded
with a state, removed, purged; the .deb first, then the .rpm.

    packaging/make
    testkit/interop/installed.py --packages target/packages [--from OLDER.deb]

The upgrade is from OLDER.deb, which another commit's packaging/make has made; without it from the same package as an
earlier version, for that takes no second build.

Needs root, debootstrap, systemd-nspawn and rpm, and a mirror of Debian the first time: the clean root is kept as an
archive in the folder of --cache. It works in a network of its own, so port 995 is not the machine's. rpm has no clean
root of its own kind here: it installs into the Debian, without asking for what the package depends on.
"""

import argparse
import contextlib
import os
import ssl
import sys
import time
from pathlib import Path

from base import HOST, Daemon, Scratch, check, port_open, program, run, wait_until
from run import Report
from servers import Dovecot

MIRROR = "http://deb.debian.org/debian"
INCLUDED = "systemd,systemd-sysv,ca-certificates"
CONFIG = "etc/pop3-gateway/pop3-gateway.toml"
DATA = "var/lib/pop3-gateway"
# records of dpkg, rpm and systemd, and what they and other packages touch when a user is made
KEPT = ("var/lib/dpkg", "var/lib/rpm", "var/lib/systemd", "var/cache", "var/log", "var/tmp", "tmp", "run")
KEPT += tuple(f"etc/{name}{end}" for name in ("passwd", "group", "shadow", "gshadow", ".pwd.lock") for end in ("", "-"))
STATE = """
[state]
url = "sqlite:/var/lib/pop3-gateway/state.db"
key_file = "/var/lib/pop3-gateway/state.key"

[[provider]]
name = "office"
profile = "microsoft"
tenant = "example.org"
client_id = "an-app"

[[grant]]
name = "office"
provider = "office"

[[upstream]]
name = "office"
url = "imaps://imap.example.org"
grant = "office"

[routing]
default = "main"
"""


def prepare(cache):
    """The clean root; the only part that needs a network."""
    archive = cache / "bookworm-systemd.tar"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        root = cache / "bookworm-systemd"
        run(["rm", "-rf", root])
        argv = [program("debootstrap", "debootstrap"), "--variant=minbase", f"--include={INCLUDED}", "bookworm", root, MIRROR]
        run(argv, timeout=1200)
        run(["rm", "-rf", *(root / "var/cache/apt/archives").glob("*.deb")])
        run(["tar", "-C", root, "-cf", f"{archive}.new", "."])
        os.replace(f"{archive}.new", archive)
        run(["rm", "-rf", root])
    return archive


class Machine:
    """The root, and the systemd that runs in it."""

    def __init__(self, scratch, archive):
        self.root = scratch.path / "root"
        self.root.mkdir()
        self.root.chmod(0o755)
        run(["tar", "-C", self.root, "-xpf", archive])
        nspawn = program("systemd-nspawn", "systemd-container")
        argv = [nspawn, "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--boot", f"--directory={self.root}"]
        self.daemon = Daemon(argv, scratch.path / "boot.log")
        self.init = None
        wait_until(self.booted, "systemd in the root", 120, 0.2)
        self.before = self.files()

    def booted(self):
        check(self.daemon.alive(), self.daemon.tail)
        children = Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children").read_text().split()
        if not children:
            return False
        self.init = children[0]
        said = self.inside("systemctl", "is-system-running", check_status=False)
        return said.stdout.strip() in (b"running", b"degraded")

    def inside(self, *argv, **options):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        enter = [program("nsenter", "util-linux"), f"--target={self.init}", "--all"]
        return run([*enter, *argv], env=environment, **options)

    def said(self, *argv):
        return self.inside(*argv).stdout.decode().strip()

    def files(self):
        """Every path but those that change by themselves."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            inside = Path(folder).relative_to(self.root)
            folders[:] = [name for name in folders if str(inside / name) not in (*KEPT, "proc", "sys", "dev")]
            found.update(str(inside / name) for name in (*folders, *names))
        return found - set(KEPT)

    def left(self):
        return self.files() - self.before

    def put(self, package):
        (self.root / "root" / package.name).write_bytes(package.read_bytes())
        return f"/root/{package.name}"

    def edit(self, upstream):
        """The one line."""
        config = self.root / CONFIG
        text = config.read_text()
        edited = text.replace("imaps://imap.example.org", f"imap://{HOST}:{upstream.port}")
        check(edited != text, "the configuration has not the line to edit")
        config.write_text(edited)

    def start(self):
        self.inside("pop3-gateway", "check")
        self.inside("systemctl", "enable", "--now", "pop3-gateway", timeout=60)
        self.served()

    def served(self):
        """It runs, and not as root."""
        check(self.said("systemctl", "is-active", "pop3-gateway") == "active", self.journal)
        check("\nUid:\t0\t" not in self.inside("cat", f"/proc/{self.pid()}/status").stdout.decode(), "it runs as root")

    def pid(self):
        return self.said("systemctl", "show", "--property=MainPID", "--value", "pop3-gateway")

    def journal(self):
        return self.said("journalctl", "--no-pager", "--unit=pop3-gateway", "--lines=50")

    def stop(self):
        self.daemon.stop(60)


def first_mail(upstream, protocol="pop3s"):
    curl = program("curl", "curl")
    said = run([curl, "-sSk", "-u", f"alice:{upstream.password}", f"{protocol}://{HOST}/1"]).stdout
    check(b"The first mail" in said, f"curl got {said!r}")


def only(packages, pattern):
    found = list(packages.glob(pattern))
    check(len(found) == 1, f"{pattern} in {packages}: {found}")
    return found[0]


def older(package, folder):
    """A package as an earlier version, whatever it says of itself."""
    run(["dpkg-deb", "--raw-extract", package, folder])
    control = folder / "DEBIAN/control"
    lines = control.read_text().splitlines(keepends=True)
    control.write_text("".join("Version: 0.0.1-1\n" if line.startswith("Version:") else line for line in lines))
    out = folder.with_suffix(".deb")
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", folder, out])
    run(["rm", "-rf", folder])
    return out


def deb(machine, packages, before, upstream, folder):
    """The earlier version installed, used, upgraded, removed, purged."""
    earlier = machine.put(older(before or only(packages, "pop3-gateway_*.deb"), folder / "pop3-gateway_0.0.1"))
    begin = time.monotonic()
    machine.inside("dpkg", "--install", earlier)
    machine.inside("dpkg", "--install", machine.put(only(packages, "pop3-client_*.deb")))
    config = machine.root / CONFIG
    check(config.stat().st_mode & 0o777 == 0o640 and config.stat().st_gid != 0, "the configuration is not the group's")
    check(machine.inside("systemctl", "is-enabled", "pop3-gateway", check_status=False).returncode != 0, "it is enabled unasked")
    machine.edit(upstream)
    machine.start()
    first_mail(upstream)
    took = time.monotonic() - begin
    check(b"pop3-client" in machine.inside("pop3-client", "--version").stdout, "the client does not run")
    upgraded = with_state(machine, packages, upstream)
    check((machine.root / "usr/share/man/man1/pop3-gateway-serve.1.gz").exists(), "the manual is missing")
    machine.inside("dpkg", "--remove", "pop3-gateway", "pop3-client")
    check(not port_open(995), "it still runs")
    check(CONFIG in machine.left(), "removal took the configuration")
    without_systemd(machine, packages, upstream)
    machine.inside("dpkg", "--purge", "pop3-gateway", "pop3-client")
    only_data(machine)
    return f"first mail {took:.1f} s after dpkg began; {upgraded}; nothing but /{DATA} is left"


def with_state(machine, packages, upstream):
    """An account and a certificate of the version before are there after the upgrade, and so is the administrator's file."""
    config = machine.root / CONFIG
    config.write_text(config.read_text() + STATE)
    own = ["setpriv", "--reuid=pop3-gateway", "--regid=pop3-gateway", "--clear-groups", "pop3-gateway", "account"]
    listed = [*own, "list", "--config", f"/{CONFIG}", "--mailbox", "ann@example.org"]
    machine.inside(*own, "add", "--config", f"/{CONFIG}", "--mailbox", "ann@example.org", "--upstream", "office")
    machine.inside("systemctl", "restart", "pop3-gateway", timeout=60)
    before = config.read_bytes(), machine.said(*listed), ssl.get_server_certificate((HOST, 995))
    check("ann@example.org" in before[1], lambda: f"the account is not listed: {before[1]}")
    pid, program_before = machine.pid(), digest(machine)
    # where the packages' files differ, the administrator's file stays
    machine.inside("dpkg", "--force-confold", "--install", machine.put(only(packages, "pop3-gateway_*.deb")))
    check("0.0.1" not in machine.said("dpkg-query", "--show", "pop3-gateway"), "it is not upgraded")
    check(machine.pid() != pid, "the upgrade left the old program running")
    machine.served()
    first_mail(upstream)
    after = config.read_bytes(), machine.said(*listed), ssl.get_server_certificate((HOST, 995))
    check(before == after, lambda: f"before the upgrade {before}, after it {after}")
    return f"configuration, accounts and certificate outlive the upgrade from {program_before}"


def digest(machine):
    """Which program is installed."""
    return "the program " + machine.said("sha256sum", "/usr/bin/pop3-gateway")[:12]


def without_systemd(machine, packages, upstream):
    """The program alone, as root, with the file that it finds by itself."""
    gateway = machine.root / "root/pop3-gateway"
    tar = "dpkg-deb --fsys-tarfile \"$0\" | tar -xO ./usr/bin/pop3-gateway >\"$1\""
    run(["sh", "-c", tar, only(packages, "pop3-gateway_*.deb"), gateway])
    gateway.chmod(0o755)
    argv = ["chroot", machine.root, "/root/pop3-gateway", "serve", "--user", "pop3-gateway"]
    daemon = Daemon(argv, machine.root / "root/log")
    try:
        daemon.wait_port(995)
        first_mail(upstream)
        check("\nUid:\t0\t" not in Path(f"/proc/{daemon.pid}/status").read_text(), "it stayed root")
    finally:
        daemon.stop()


def only_data(machine):
    left = {path for path in machine.left() if not path.startswith(("root", DATA))}
    check(not left, f"left: {sorted(left)}")
    check((machine.root / DATA / "tls").is_dir() and (machine.root / DATA / "state.db").exists(), "data is gone")


def rpm(machine, packages, upstream):
    """Installed beside the data of before, used, removed."""
    tool = [program("rpm", "rpm"), f"--root={machine.root}", "--nodeps"]
    names = ("pop3-gateway", "pop3-client")
    # what every system of rpm has
    for folder in ("licenses", "fish/vendor_completions.d", "zsh/site-functions"):
        (machine.root / "usr/share" / folder).mkdir(parents=True, exist_ok=True)
    machine.before = machine.files()
    begin = time.monotonic()
    run([*tool, "--install", *(only(packages, f"{name}-[0-9]*.rpm") for name in names)])
    check((machine.root / CONFIG).stat().st_gid != 0, "the configuration is not the group's")
    machine.edit(upstream)
    machine.inside("systemctl", "daemon-reload")
    machine.start()
    first_mail(upstream)
    took = time.monotonic() - begin
    check(b"pop3-client" in machine.inside("pop3-client", "--version").stdout, "the client does not run")
    # its scripts see no systemd: rpm runs them outside of the machine
    machine.inside("systemctl", "disable", "--now", "pop3-gateway", timeout=60)
    run([*tool, "--erase", *names])
    kept = machine.root / f"{CONFIG}.rpmsave"
    check(kept.exists(), "removal took the configuration")
    kept.unlink()
    kept.parent.rmdir()
    only_data(machine)
    return f"first mail {took:.1f} s after rpm began; the edited configuration and data are left"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="what packaging/make made")
    parser.add_argument("--from", dest="before", type=Path, help="the .deb of an earlier commit")
    parser.add_argument("--cache", type=Path, default=Path("/var/cache/pop3-gateway-interop"), help="keeps the clean root")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    archive = prepare(arguments.cache)
    if not arguments.inside:
        own = [program("unshare", "util-linux"), "--net", "--mount", sys.executable, *sys.argv, "--inside"]
        os.execv(own[0], own)
    run([program("ip", "iproute2"), "link", "set", "lo", "up"])
    report = Report()
    scratch = Scratch("installed")
    with contextlib.ExitStack() as stack:
        stack.callback(scratch.remove)
        upstream = stack.enter_context(Dovecot())
        upstream.create_user("alice")
        upstream.deliver("alice", [b"Subject: one\r\n\r\nThe first mail.\r\n"])
        machine = Machine(scratch, archive)
        stack.callback(machine.stop)
        report.run(".deb", deb, machine, arguments.packages, arguments.before, upstream, scratch.path)
        report.run(".rpm", rpm, machine, arguments.packages, upstream)
    sys.exit(report.close())


if __name__ == "__main__":
    main()
