"""Real POP3 clients: curl, Python's poplib, fetchmail, getmail6, mpop.

Each driver keeps a client's own state (seen ids) in a scratch folder and offers two operations:

- `download()`: everything that is new to this client, left on the server; gives the mails in the order of arrival;
- `remove(sizes)`: a session that deletes; gives the positions (from 1) of what the client asked to delete.

What a client itself does to a mail is modelled in `expected`, with the reason beside it; EXCEPTIONS lists it all.
"""

import json
import poplib
import re
import ssl
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from base import HERE, HOST, Failure, check, program, run

# the standard library refuses lines above 2048 octets; programs that read real mail raise the limit, as getmail does
poplib._MAXLINE = 1 << 20

SECURITIES = ("plain", "stls", "tls")

# (client, what, why): everything in which a client's files may differ from the mail as IMAP gives it
EXCEPTIONS = (
    ("curl", "a mail without a single octet", "it counts the line end of the status line to the mail"),
    ("getmail", "no STLS", "getmail6 6.18 knows plain POP3 and implicit TLS only, so it has no stls column"),
    (
        "getmail",
        "mails pass through Python's email package",
        "it parses and writes each mail anew and puts a Return-Path of its own in front; compared is what getmail's "
        "own code makes of the mail's true bytes",
    ),
    (
        "fetchmail",
        "lines above 8 KiB",
        "it inserts up to 4 octets of junk after every 8191st octet of such a line and takes a dot there as stuffed",
    ),
    ("fetchmail", "a mail that begins with a line `From ...`", "it takes that line away, as one of a mbox file"),
    ("fetchmail", "NUL in a header", "it takes it away; in a body it stays"),
    ("fetchmail", "a header line with a leading dot", "it takes the stuffed dot away from the body only"),
    ("fetchmail", "a mail without header", "it puts From, To and Subject of its own in front"),
    ("fetchmail", "a header without a blank line after it", "it adds the blank line"),
    ("mpop", "a CR before a line end", "it takes the CR for a part of the line end, and leaves it out"),
    ("poplib", "line limit raised from 2048 to 1 MiB", "a client-side limit; with the default, long lines are refused"),
)


@dataclass(frozen=True)
class Server:
    """Where a client connects."""

    port: int
    port_tls: int
    ca: Path
    host: str = HOST


class Client:
    name = ""
    package = ""
    securities = SECURITIES

    def __init__(self, folder, server, security, user, password):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.server = server
        self.security = security
        self.user = user
        self.password = password
        self.runs = 0

    @property
    def port(self):
        return self.server.port_tls if self.security == "tls" else self.server.port

    def download(self):
        raise NotImplementedError

    def remove(self, sizes):
        raise NotImplementedError

    def expected(self, body):
        """What this client has in its hands when the server sent `body` (CRLF line ends)."""
        return body

    def received(self, body):
        """A client's file with CRLF line ends."""
        return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def same(self, expected, received):
        return expected == received

    def file(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def new_folder(self):
        """Where one run of a client puts its mails."""
        self.runs += 1
        path = self.folder / f"run{self.runs}"
        path.mkdir()
        return path


class Curl(Client):
    name = "curl"
    package = "curl"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seen = set()
        scheme = "pop3s" if self.security == "tls" else "pop3"
        self.url = f"{scheme}://{self.server.host}:{self.port}"

    def call(self, steps, folder):
        """One process, one connection: every step is the options of one transfer."""
        common = [f'user = "{self.user}:{self.password}"', "silent", "show-error", "max-time = 300", "fail-early"]
        if self.security == "stls":
            common.append("ssl-reqd")
        if self.security != "plain":
            common.append(f'cacert = "{self.server.ca}"')
        text = "\nnext\n".join("\n".join([*common, *step]) for step in steps)
        run([program("curl", self.package), "-q", "-K", self.file("curlrc", text)], timeout=300, cwd=folder)

    def unique_ids(self):
        folder = self.new_folder()
        self.call([[f'url = "{self.url}/"', 'request = "UIDL"', 'output = "uidl"']], folder)
        lines = (folder / "uidl").read_bytes().split(b"\r\n") if (folder / "uidl").exists() else []
        return [tuple(line.split(b" ")) for line in lines if line]

    def retrieve(self, number):
        return [f'url = "{self.url}/{int(number)}"', f'output = "{int(number)}"']

    def download(self):
        new = [(number, unique_id) for number, unique_id in self.unique_ids() if unique_id not in self.seen]
        if not new:
            return []
        folder = self.new_folder()
        self.call([self.retrieve(number) for number, _ in new], folder)
        self.seen.update(unique_id for _, unique_id in new)
        files = [folder / str(int(number)) for number, _ in new]
        return [path.read_bytes() for path in files]

    def expected(self, body):
        return body or b"\r\n"

    def remove(self, sizes):
        chosen = list(range(2, len(sizes) + 1, 3))
        # `list-only` tells curl that the answer to this custom request is one line
        steps = [[f'url = "{self.url}/{number}"', 'request = "DELE"', "list-only"] for number in chosen]
        self.call(steps, self.new_folder())
        return chosen


class Poplib(Client):
    name = "poplib"
    package = "python3"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seen = set()

    def connect(self):
        context = ssl.create_default_context(cafile=str(self.server.ca))
        if self.security == "tls":
            link = poplib.POP3_SSL(self.server.host, self.port, context=context, timeout=120)
        else:
            link = poplib.POP3(self.server.host, self.port, timeout=120)
            if self.security == "stls":
                link.stls(context)
        link.user(self.user)
        link.pass_(self.password)
        return link

    def download(self):
        link = self.connect()
        mails = []
        for line in link.uidl()[1]:
            number, unique_id = line.split(b" ")
            if unique_id not in self.seen:
                lines = link.retr(int(number))[1]
                mails.append(b"".join(line + b"\r\n" for line in lines))
                self.seen.add(unique_id)
        link.quit()
        return mails

    def remove(self, sizes):
        chosen = [number for number in range(1, len(sizes) + 1) if number % 4 in (0, 1)]
        undone = chosen[:2]
        link = self.connect()
        # what RSET takes back must not go
        for number in undone:
            link.dele(number)
        link.rset()
        kept = chosen[2:]
        for number in kept:
            link.dele(number)
        link.quit()
        return kept


class Fetchmail(Client):
    name = "fetchmail"
    package = "fetchmail"
    ids = "fetchids"
    # MSGBUFSIZE without the NUL
    buffer = 8190

    def call(self, options, count=None, ids=None):
        mails = self.new_folder()
        tls = {
            "plain": "sslproto '' no sslcertck",
            "stls": f"sslproto 'TLS1.2+' sslcertck sslcertfile '{self.server.ca}'",
            "tls": f"ssl sslproto 'TLS1.2+' sslcertck sslcertfile '{self.server.ca}'",
        }[self.security]
        store = self.file("store", f'#!/bin/sh\nexec cat > "{mails}/$(date +%s%N)"\n', stat.S_IRWXU)
        rules = self.file(
            "fetchmailrc",
            f'set invisible\nset no bouncemail\nset no syslog\nset idfile "{self.folder / (ids or self.ids)}"\n'
            f"poll localhost protocol pop3 service {self.port} uidl no dns bad-header accept\n"
            f'  user "{self.user}" password "{self.password}" {tls} {options}\n'
            f'  no rewrite no stripcr no mimedecode no dropstatus no dropdelivered pass8bits\n'
            f'  fetchlimit {count or 0} mda "{store}"\n',
        )
        done = run(
            [program("fetchmail", self.package), "-f", rules, "--nodetach", "--nosyslog", "--pidfile", self.folder / "pid"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "FETCHMAILHOME": str(self.folder), "LC_ALL": "C"},
            check_status=False,
            timeout=300,
        )
        # 0: mail was fetched, 1: there was none, 13: the fetch limit was reached
        check(
            done.returncode in (0, 1, 13),
            lambda: f"fetchmail ended with {done.returncode}:\n{(done.stdout + done.stderr)[-1500:].decode(errors='replace')}",
        )
        return [path.read_bytes() for path in sorted(mails.iterdir(), key=lambda path: int(path.name))]

    def download(self):
        return self.call("keep")

    def remove(self, sizes):
        count = len(sizes) // 2
        self.call("no keep fetchall", count, ids="other-ids")
        return list(range(1, count + 1))

    def expected(self, body):
        if body.startswith(b"From "):
            body = body[body.find(b"\n") + 1 :]
        if body.startswith(b"\r\n"):
            return body
        header, blank, rest = body.partition(b"\r\n\r\n")
        first, *others = header.replace(b"\0", b"").split(b"\r\n")
        # a stuffed dot stays in the header; a header without its end gets one
        header = b"\r\n".join([first, *(b"." + line if line.startswith(b".") else line for line in others)])
        return header + (blank or b"\r\n") + rest

    def received(self, body):
        body = super().received(body)
        head = re.match(rb"From: FETCHMAIL-DAEMON\r\nTo: .*\r\nSubject: Headerless mail from .*\r\n(?=\r\n)", body)
        return body[head.end() :] if head else body

    def same(self, expected, received):
        if max(map(len, expected.split(b"\n"))) < self.buffer:
            return expected == received
        # a few octets of junk at each border of its buffer, a dot lost if it stands right there, else nothing
        junk = 16 * (1 + len(expected) // self.buffer)
        expected, received = expected.replace(b".", b""), received.replace(b".", b"")
        surplus = len(received) - len(expected)
        letters = iter(received)
        return 0 <= surplus <= junk and all(octet in letters for octet in expected)


class Getmail(Client):
    name = "getmail"
    package = "getmail6"
    securities = ("plain", "tls")

    def call(self, options):
        mails = self.new_folder()
        for part in ("", "tmp", "new", "cur"):
            (mails / part).mkdir(exist_ok=True)
            # getmail refuses to deliver as root
            (mails / part).chmod(0o777)
        for path in (self.folder, *self.folder.parents):
            if path.stat().st_uid == 0 and str(path).startswith("/tmp/"):
                path.chmod(path.stat().st_mode | 0o011)
        kind = "SimplePOP3SSLRetriever" if self.security == "tls" else "SimplePOP3Retriever"
        trust = f"ca_certs = {self.server.ca}\n" if self.security == "tls" else ""
        rules = self.file(
            "getmailrc",
            f"[retriever]\ntype = {kind}\nserver = {self.server.host}\nport = {self.port}\nusername = {self.user}\n"
            f"password = {self.password}\ntimeout = 120\n{trust}\n"
            f"[destination]\ntype = Maildir\npath = {mails}/\nuser = nobody\n\n"
            f"[options]\n{options}received = false\ndelivered_to = false\nverbose = 1\n",
        )
        done = run(
            ["/usr/bin/python3", HERE / "getmail_patiently.py", program("getmail", self.package), "--getmaildir", self.folder, "--rcfile", rules],
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            timeout=300,
            check_status=False,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        check(done.returncode == 0 and "error" not in said.lower(), f"getmail ended with {done.returncode}:\n{said[-1500:]}")
        names = sorted((mails / "new").iterdir(), key=lambda path: int(re.search(r"Q(\d+)", path.name)[1]))
        return [path.read_bytes() for path in names]

    def download(self):
        return self.call("delete = false\nread_all = false\n")

    def remove(self, sizes):
        count = len(sizes) // 2
        self.call(f"delete = true\nread_all = true\nmax_messages_per_session = {count}\n")
        return list(range(1, count + 1))

    def same(self, expected, received):
        # a boundary that the email package has to invent is another one each time
        invented = re.compile(rb"={15}\d+==")
        return invented.sub(b"", expected) == invented.sub(b"", received)


class Mpop(Client):
    name = "mpop"
    package = "mpop"
    limit = 4096

    def call(self, options):
        mails = self.new_folder()
        store = self.file("store", f'#!/bin/sh\nexec cat > "{mails}/$(date +%s%N)"\n', stat.S_IRWXU)
        tls = {
            "plain": "tls off\n",
            "stls": f"tls on\ntls_starttls on\ntls_trust_file {self.server.ca}\n",
            "tls": f"tls on\ntls_starttls off\ntls_trust_file {self.server.ca}\n",
        }[self.security]
        rules = self.file(
            "mpoprc",
            f'defaults\naccount default\nhost {self.server.host}\nport {self.port}\nuser {self.user}\n'
            f'password "{self.password}"\nauth {"user" if self.security == "plain" else "on"}\ntimeout 120\n{tls}'
            f'uidls_file {self.folder}/uidls\nreceived_header off\ndelivery mda "{store}"\n{options}',
        )
        run(
            [program("mpop", self.package), "-C", rules, "-Q"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C"},
            timeout=300,
        )
        return [path.read_bytes() for path in sorted(mails.iterdir(), key=lambda path: int(path.name))]

    def expected(self, body):
        return re.sub(rb"\r+\n", b"\r\n", body)

    def download(self):
        return self.call("keep on\nonly_new on\n")

    def remove(self, sizes):
        self.call(f"keep off\nonly_new off\nskipsize {self.limit}\n")
        return [number for number, size in enumerate(sizes, 1) if size <= self.limit]


def getmail_makes(bodies):
    """What getmail's own code writes for these mails (see EXCEPTIONS), by the interpreter that has its modules."""
    helper = (
        "import json,sys\n"
        "from getmailcore.message import Message\n"
        "for text in json.load(sys.stdin):\n"
        "    body = text.encode('latin-1')\n"
        "    lines = body.split(b'\\r\\n')[:-1]\n"
        "    message = Message(fromlines=lines + [b''])\n"
        "    print(json.dumps(message.flatten(False, False).decode('latin-1')))\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", helper],
        input=json.dumps([body.decode("latin-1") for body in bodies]).encode(),
        capture_output=True,
        timeout=120,
    )
    check(done.returncode == 0, lambda: f"getmail's modules failed: {done.stderr[-800:]!r}")
    return [json.loads(line).encode("latin-1").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for line in done.stdout.splitlines()]


CLIENTS = {client.name: client for client in (Curl, Poplib, Fetchmail, Getmail, Mpop)}
