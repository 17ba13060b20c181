"""Starts Courier's listeners and an authentication daemon in one process group (see servers.Courier).

Speaks the small protocol of Courier's authlib (`PRE`, `AUTH`) on the socket whose path Courier has compiled in.
Courier has also compiled in an account named `courier`, which its TLS helper turns into. Both exist only in the
mount namespace that this program is started in.
Usage: unshare -m courier_launcher.py PLAN.json
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

SOCKET = Path("/run/courier/authdaemon/socket")


def main():
    path = Path(sys.argv[1])
    plan = json.loads(path.read_text())
    make_private(path.parent, plan["auth"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    SOCKET.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(SOCKET))
    os.chmod(SOCKET, 0o777)
    listener.listen(64)
    children = [subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL) for argv, env in plan["daemons"]]
    try:
        while True:
            link, _ = listener.accept()
            threading.Thread(target=answer, args=(link, plan["auth"]), daemon=True).start()
    finally:
        SOCKET.unlink(missing_ok=True)
        for child in children:
            child.terminate()
        for child in children:
            child.wait()


def make_private(folder, auth):
    """An own /run, and an account file with `courier` in it, for this process and its children alone."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    for name, line in (
        ("passwd", f"courier:x:{auth['uid']}:{auth['gid']}::/nonexistent:/usr/sbin/nologin\n"),
        ("group", f"courier:x:{auth['gid']}:\n"),
    ):
        original, copy = Path("/etc") / name, folder / name
        copy.write_text(original.read_text() + line)
        copy.chmod(0o644)
        subprocess.run(["mount", "--bind", copy, original], check=True)


def answer(link, auth):
    """One request per connection; unknown users and wrong passwords get the same answer."""
    with link, link.makefile("rwb") as stream:
        words = stream.readline().split()
        # the client's address may come first, as settings
        while words and b"=" in words[0]:
            words = stream.readline().split()
        user = None
        if words[:1] == [b"AUTH"]:
            _service, kind, *rest = stream.read(int(words[1])).split(b"\n")
            if kind == b"login" and rest[1] == auth["password"].encode():
                user = rest[0].decode("utf-8", "replace")
        elif words[:1] == [b"PRE"]:
            user = words[3].decode("utf-8", "replace")
        home = Path(auth["mail"]) / (user or "")
        if user is None or "/" in user or not home.is_dir():
            stream.write(b"FAIL\n")
            return
        stream.write(
            f"UID={auth['uid']}\nGID={auth['gid']}\nHOME={home}\nMAILDIR={home}/Maildir\n"
            f"ADDRESS={user}\nNAME={user}\n.\n".encode()
        )


if __name__ == "__main__":
    main()
