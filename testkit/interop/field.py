#!/usr/bin/env python3
"""What the field showed, one small input each: the same for any gateway, so that two can be compared.

    field.py --gateway target/debug/pop3-gateway [--only W041]

Each measure says in one line what it saw. Root, for the name with dead addresses (a mount namespace with a
hosts file of its own; the system's is neither read nor written).
"""

import argparse
import contextlib
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from base import HOST, free_port, wait_until

MAILS = [f"Subject: {n}\r\n\r\nmail {n}\r\n" for n in (1, 2, 3)]


class Upstream:
    """An IMAP server of a few lines; `odd` may answer a command in its place, or close by giving None."""

    def __init__(self, greeting="ready", odd=lambda _: False, host=HOST, port=0, tls=None, loses=False):
        self.greeting, self.odd, self.tls, self.loses = greeting, odd, tls, loses
        self.heard = []
        self.socket = socket.create_server((host, port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError), client:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            client.sendall(f"* OK [CAPABILITY IMAP4rev1 UIDPLUS] {self.greeting}\r\n".encode())
            waiting = b""
            while True:
                while b"\r\n" not in waiting:
                    piece = client.recv(65536)
                    if not piece:
                        return
                    waiting += piece
                line, waiting = waiting.split(b"\r\n", 1)
                self.heard.append(line.decode())
                tag, command = line.decode().split(" ", 1)
                answer = self.odd(command)
                if answer is None:
                    return
                client.sendall(((answer or self.answer(command)) + f"{tag} OK done\r\n").encode())
                if self.loses and command.startswith("LOGIN"):
                    waiting = b""

    def answer(self, command):
        if command.startswith(("SELECT", "EXAMINE")):
            flags = "* OK [PERMANENTFLAGS (\\Deleted \\Seen)] ok\r\n"
            return f"* {len(MAILS)} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n{flags}"
        if command == "CAPABILITY":
            return "* CAPABILITY IMAP4rev1 UIDPLUS\r\n"
        asked = re.match(r"UID FETCH (\S+) \(.*BODY", command)
        if not asked and command.startswith("UID FETCH"):
            numbered = enumerate(MAILS, 1)
            return "".join(f"* {n} FETCH (UID {n} RFC822.SIZE {len(mail)} FLAGS ())\r\n" for n, mail in numbered)
        answer = ""
        for part in asked[1].split(",") if asked else ():
            first, _, last = part.partition(":")
            for n in range(int(first), int(last or first) + 1):
                said = self.odd(n)
                if said:
                    return answer + said
                answer += f"* {n} FETCH (UID {n} BODY[] {{{len(MAILS[n - 1])}}}\r\n{MAILS[n - 1]})\r\n"
        return answer


class Gateway:
    """A gateway with this configuration; `before` are the words that start it."""

    def __init__(self, binary, folder, text, before=()):
        self.port = free_port()
        self.log = folder / "log"
        listener = f'[[listener]]\nlisten = "{HOST}:{self.port}"\ntls = "none"\nallow_clear_login = true\n'
        (folder / "g.toml").write_text(listener + text)
        self.argv = [*before, binary, "serve", "--config", folder / "g.toml"]

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is not None or b"listening" in self.log.read_bytes(), "a start", 20.0)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def session(self, user, password, *commands, seconds=90.0):
        """The first line of each answer, from that to PASS on; the time that PASS took."""
        with socket.create_connection((HOST, self.port), timeout=seconds) as client:
            lines = client.makefile("rb")
            lines.readline()
            client.sendall(f"USER {user}\r\n".encode())
            lines.readline()
            begin = time.monotonic()
            said, took = [], 0.0
            for command in (f"PASS {password}", *commands):
                client.sendall(f"{command}\r\n".encode())
                try:
                    said.append(lines.readline().decode().strip() or "closed")
                    took = took or time.monotonic() - begin
                    if said[-1].startswith("+OK") and command.startswith("RETR"):
                        while lines.readline() not in (b".\r\n", b""):
                            pass
                except OSError as error:
                    said.append(type(error).__name__)
                if said[-1] in ("closed", "TimeoutError", "ConnectionResetError"):
                    break
            return said, took


def before_upstream(port, more="", scheme="imap", host=HOST):
    return f'[[upstream]]\nname = "main"\nurl = "{scheme}://{host}:{port}"\n{more}'


def of_directory(folder):
    (folder / "mail").mkdir()
    return (
        f'[[store]]\nname = "a"\nkind = "directory"\npath = "{folder}/mail"\n'
        f'accounts = "{folder}/users"\nsettle = "0s"\n'
    )


def w002_a_scan_under_an_old_name(binary, folder):
    (folder / "users").write_text("tim:{PLAIN}tim\n")
    store = of_directory(folder)
    ids = []
    for text in ("first", "second"):
        (folder / "mail/scan0001.eml").unlink(missing_ok=True)
        (folder / "mail/scan0001.eml").write_text(f"Subject: {text}\n\n{text}\n")
        with Gateway(binary, folder, store) as gateway:
            ids.append(gateway.session("tim", "tim", "UIDL 1")[0][1].removeprefix("+OK 1 "))
    return f"ids {ids[0]} and {ids[1]}"


def w007_one_message_that_cannot_be_sent(binary, folder):
    short = "* 2 FETCH (UID 2 BODY[] {9000}\r\nSubject: 2\r\n\r\n)\r\n"
    upstream = Upstream(odd=lambda what: what == 2 and short)
    with Gateway(binary, folder, before_upstream(upstream.port, 'reply_timeout = "5s"\n')) as gateway:
        polls = []
        for _ in range(4):
            said, _ = gateway.session("tim", "tim", "RETR 1", "RETR 2", "RETR 3")
            polls.append(" ".join(re.match(r"-ERR \[\S*\]|\S+", answer)[0] for answer in said[1:]))
    return "; ".join(polls)


def w027_a_name_in_other_capitals(binary, folder):
    main, other = Upstream(), Upstream()
    routing = (
        f'[[upstream]]\nname = "other"\nurl = "imap://{HOST}:{other.port}"\n'
        '[routing]\ndefault = "main"\n[routing.user]\n"Scanner" = "other"\n'
    )
    with Gateway(binary, folder, before_upstream(main.port) + routing) as gateway:
        for user in ("Scanner", "scanner", "SCANNER"):
            gateway.session(user, "secret")
    logins = [sum("LOGIN" in line for line in upstream.heard) for upstream in (main, other)]
    return f"{logins[0]} of 3 passwords to the default upstream, {logins[1]} to the one of [routing.user]"


def w040_a_certificate_that_is_named(binary, folder):
    argv = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {folder}/k -out {folder}/c"
    )
    subprocess.run(argv.split(), check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "c", folder / "k")
    upstream = Upstream(tls=tls)
    text = before_upstream(upstream.port, f'ca_file = "{folder}/c"\n', "imaps", "localhost")
    with Gateway(binary, folder, text) as gateway:
        return gateway.session("tim", "tim")[0][0]


def w041_a_proxy_that_loses_what_follows_login(binary, folder):
    upstream = Upstream("Dovecot ready.", loses=True)
    with Gateway(binary, folder, before_upstream(upstream.port)) as gateway:
        logins = [gateway.session("tim", "tim") for _ in range(2)]
    return "; ".join(f"{said[0]} after {took:.2f} s" for said, took in logins)


def w042_a_name_with_four_dead_addresses(binary, folder):
    port, held = free_port(), []
    for n in range(2, 6):
        # a full queue: the kernel drops what asks for a connection
        dead = socket.create_server((f"127.0.0.{n}", port), backlog=0)
        held.append(dead)
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((f"127.0.0.{n}", port))
            held.append(client)
    Upstream(host="127.0.0.6", port=port)
    (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.{n} many.example\n" for n in range(2, 7)))
    within = ["unshare", "-m", "sh", "-c", f'mount --bind {folder}/hosts /etc/hosts && exec "$@"', "sh"]
    with Gateway(binary, folder, before_upstream(port, "allow_clear = true\n", host="many.example"), within) as gateway:
        logins = [gateway.session("tim", "tim") for _ in range(2)]
    for one in held:
        one.close()
    return "; ".join(f"{said[0]} after {took:.2f} s" for said, took in logins)


def w060_a_bad_line_among_the_accounts(binary, folder):
    (folder / "users").write_text("ann:{PLAIN}a\nbad:{LANMAN}9186d855\n")
    store = of_directory(folder)
    with Gateway(binary, folder, store) as gateway:
        if gateway.process.poll() is not None:
            return f"does not start: {gateway.log.read_text().strip()[-120:]}"
        first = gateway.session("ann", "a")[0][0]
        (folder / "users").write_text("tom:{PLAIN}t\nbad:{LANMAN}9186d855\n")
        gone, new = (gateway.session(*login)[0][0] for login in (("ann", "a"), ("tom", "t")))
        return f"ann {first}; ann is removed: {gone}; tom is new: {new}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="the binary")
    parser.add_argument("--only", default="", help="the measures whose name contains this, in any case")
    arguments = parser.parse_args()
    for name, measure in globals().items():
        if re.match(r"w\d{3}_", name) and arguments.only.lower() in name:
            with tempfile.TemporaryDirectory() as folder:
                seen = measure(Path(arguments.gateway).resolve(), Path(folder))
                print(f"{name[:4].upper()} {name[5:].replace('_', ' ')}: {seen}", flush=True)


if __name__ == "__main__":
    main()
