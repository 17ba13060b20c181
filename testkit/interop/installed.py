#!/usr/bin/env python3
"""The .deb of the gateway in a clean Debian: installed, one line edited, a mail by curl, removed, purged.

    packaging/make
    unshare --net --mount testkit/interop/installed.py --packages target/packages

Needs root, debootstrap and a mirror of Debian, and takes some minutes the first time: the clean root is kept as an
archive in the folder of --cache. By hand, not in the gate. There is no systemd in the root, so the gateway is started by
the command of the unit. A network of its own (unshare) keeps port 995 apart from the machine's.
"""

import argparse
import contextlib
import os
import time
from pathlib import Path

from base import Daemon, Scratch, check, program, run
from servers import Dovecot

MIRROR = "http://deb.debian.org/debian"
# what Debian 12 needs of systemd where systemd itself is not
INCLUDED = "systemd-standalone-sysusers,systemd-standalone-tmpfiles,ca-certificates"
UNIT = "usr/lib/systemd/system/pop3-gateway.service"
# dpkg's own records, and what it and other packages touch when a user is made
KEPT = ("var/lib/dpkg", "var/cache", "var/log/dpkg.log", "var/log/alternatives.log", "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow")


def prepare(cache):
    archive = cache / "bookworm.tar"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        root = cache / "bookworm"
        argv = [program("debootstrap", "debootstrap"), "--variant=minbase", f"--include={INCLUDED}", "bookworm", root, MIRROR]
        run(argv, timeout=1200)
        run(["tar", "-C", root, "-cf", archive, "."])
    return archive


def files(root):
    """Every path but those that dpkg and the making of a user change."""
    found = set()
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if str(inside / name) not in (*KEPT, "proc", "sys", "dev")]
        found.update(str(inside / name) for name in (*folders, *names))
    return {path for path in found if not path.startswith(KEPT)}


def inside(root, *argv, **options):
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return run([program("chroot", "coreutils"), root, *argv], env=environment, **options)


def edit(root, upstream):
    """The one line."""
    config = root / "etc/pop3-gateway/pop3-gateway.toml"
    text = config.read_text()
    edited = text.replace("imaps://imap.example.org", f"imap://127.0.0.1:{upstream.port}")
    check(edited != text, "the configuration has not the line to edit")
    config.write_text(edited)


def unit_command(root):
    lines = (root / UNIT).read_text().splitlines()
    command = next(line for line in lines if line.startswith("ExecStart=")).removeprefix("ExecStart=").split()
    user = next(line for line in lines if line.startswith("User=")).removeprefix("User=")
    return [*command, "--user", user]


def first_mail(root, upstream, log):
    with_file = unit_command(root)
    without = [word for word in with_file if word not in ("--config", "/etc/pop3-gateway/pop3-gateway.toml")]
    check(len(without) == len(with_file) - 2, f"the unit starts another command: {with_file}")
    for command in (with_file, without):
        daemon = Daemon([program("chroot", "coreutils"), root, *command], log)
        try:
            daemon.wait_port(995)
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            check("\nUid:\t0\t" not in status, "it stayed root")
            url = "pop3s://127.0.0.1/1"
            said = run([program("curl", "curl"), "-sSk", "-u", f"alice:{upstream.password}", url]).stdout
            check(b"The first mail" in said, lambda: f"curl got {said!r}\n{daemon.tail()}")
        finally:
            daemon.stop()
    check((root / "var/lib/pop3-gateway/tls").is_dir(), "no certificate was made in the state folder")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="what packaging/make made")
    parser.add_argument("--cache", type=Path, default=Path("/var/cache/pop3-gateway-interop"), help="keeps the clean root")
    arguments = parser.parse_args()
    run([program("ip", "iproute2"), "link", "set", "lo", "up"])
    archive = prepare(arguments.cache)
    scratch = Scratch("installed")
    with contextlib.ExitStack() as stack:
        stack.callback(scratch.remove)
        upstream = stack.enter_context(Dovecot())
        upstream.create_user("alice")
        upstream.deliver("alice", [b"Subject: one\r\n\r\nThe first mail.\r\n"])
        root = scratch.path / "root"
        root.mkdir()
        root.chmod(0o755)
        run(["tar", "-C", root, "-xpf", archive])
        run(["mount", "-t", "proc", "proc", root / "proc"])
        stack.callback(run, ["umount", root / "proc"])
        before = files(root)
        begin = time.monotonic()
        for package in sorted(arguments.packages.glob("*.deb")):
            (root / "tmp" / package.name).write_bytes(package.read_bytes())
            inside(root, "dpkg", "--install", f"/tmp/{package.name}")
            (root / "tmp" / package.name).unlink()
        took = time.monotonic() - begin
        config = (root / "etc/pop3-gateway/pop3-gateway.toml").stat()
        check(config.st_mode & 0o777 == 0o640 and config.st_gid != 0, "the configuration is not the group's")
        edit(root, upstream)
        said = inside(root, "pop3-gateway", "check").stdout.decode()
        check("main" in said, said)
        check(b"pop3-client" in inside(root, "pop3-client", "--version").stdout, "the client does not run")
        first_mail(root, upstream, scratch.path / "log")
        print(f"ok: installed in {took:.1f} s; a mail by curl, by the unit's command and without --config")
        inside(root, "dpkg", "--remove", "pop3-gateway", "pop3-client")
        left = files(root) - before
        check("etc/pop3-gateway/pop3-gateway.toml" in left, "removal took the configuration")
        inside(root, "dpkg", "--purge", "pop3-gateway", "pop3-client")
        left = {path for path in files(root) - before if not path.startswith("var/lib/pop3-gateway")}
        check(not left, f"left after the purge: {sorted(left)}")
        check((root / "var/lib/pop3-gateway/tls").is_dir(), "the purge took data")
        print("ok: removed and purged; nothing but /var/lib/pop3-gateway is left")


if __name__ == "__main__":
    main()
