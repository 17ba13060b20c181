#!/usr/bin/env python3
"""The quick starts of the book, played from their own text to the first mail.

    testkit/interop/quickstarts.py --programs target/debug

Each page of docs/book/start is read: a block of TOML becomes /etc/pop3-gateway/pop3-gateway.toml, each command of a
block for the shell is run as it stands. They see a network, an /etc and a /var/lib of their own, in which the names and
addresses of the pages lead to a real Dovecot and a real provider of tokens, and a user `pop3-gateway`. Three things are
not real: systemd (the gateway is started with the user and the right that the unit gives it), sudo, and the person at the
browser and the terminal. Installing is installed.py's.

PROGRAMS has pop3-gateway and mails_tokio, of `cargo build --workspace --bins --examples`. Needs root.
"""

import argparse
import contextlib
import os
import pty
import re
import select
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

from base import HOST, REPOSITORY, Daemon, Scratch, check, program, run, wait_until
from oidc import Provider
from run import Report
from scenarios.tokens import sign_in
from servers import Dovecot

PAGES = REPOSITORY / "docs/book/start"
CONFIG = Path("/etc/pop3-gateway/pop3-gateway.toml")
USER = "pop3-gateway"
# what the pages call machines, and where that is here
SERVERS, LOGIN, BALANCER = "127.0.0.2", "127.0.0.3", "10.0.0.7"
LOGIN_HOST = "login.microsoftonline.com"
NAMES = {
    "imap.example.org": SERVERS,
    "imap.new.example.org": SERVERS,
    "imap.gmail.com": SERVERS,
    "outlook.office365.com": SERVERS,
    LOGIN_HOST: LOGIN,
    "pop.example.org": BALANCER,
}
# what Microsoft's clients ask for
MAIL = "https://outlook.office.com/IMAP.AccessAsUser.All"
# of the gateway, the balancers, a printer
ADDRESSES = ("192.168.1.10", "192.168.1.40", "10.0.0.7", "10.0.0.8", "10.0.0.9")
PEOPLE = ("ann@example.org", "tickets@example.org", "fax@example.org", "somebody@example.org", "ann@gmail.com")
# for the programs that a page calls and that are not here
SUDO = '#!/bin/sh\nshift\nuser=$1\nshift\nexec setpriv --reuid="$user" --regid="$user" --clear-groups "$@"\n'


def blocks(page):
    """The language and text of each block of a page, in its order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", (PAGES / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)


def commands(text):
    """Each command of a block."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def at_terminal(command, answer, seconds=60):
    """Runs a command as a person does, who types this answer where a password is asked for. Gives status and output."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir("/")
        os.execvp("sh", ["sh", "-ec", command])
    said, answered, end = b"", 0, time.monotonic() + seconds
    # the terminal is gone when the command is
    with contextlib.suppress(OSError):
        while time.monotonic() < end and select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            said += os.read(terminal, 65536)
            if re.search(rb"assword[^\n]*:\s*$", said[answered:]):
                answered = len(said)
                os.write(terminal, answer.encode() + b"\n")
    if time.monotonic() >= end:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return status, said.decode("utf-8", "replace").replace("\r", "")


def certificates(folder):
    """An authority of our own, and one certificate for every name of the pages."""
    openssl = program("openssl", "openssl")
    ca, key, both = folder / "ca.pem", folder / "key.pem", folder / "both.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    ca_key = folder / "ca.key"
    run([openssl, "req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-subj", "/CN=Quick starts"])
    names = ",".join(f"DNS:{name}" for name in NAMES)
    run([openssl, "req", "-x509", *curve, "-keyout", key, "-out", folder / "own.pem", "-subj", "/CN=all", "-CA", ca, "-CAkey", ca_key]
        + ["-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE"])
    both.write_bytes(key.read_bytes() + (folder / "own.pem").read_bytes())
    return ca, key, folder / "own.pem", both


class Place:
    """The machine that the pages are about."""

    def __init__(self, scratch, programs, stack):
        self.folder = scratch.path
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.ca, self.key, self.certificate, both = certificates(self.folder)
        self.of_its_own(stack)
        self.gateway = self.bin / "pop3-gateway"
        shutil.copy(programs / "pop3-gateway", self.gateway)
        self.programs = programs
        for name, text in (("sudo", SUDO), ("systemctl", "#!/bin/sh\n")):
            script = self.bin / name
            script.write_text(text)
            script.chmod(0o755)
        # what the gateway says of itself to Microsoft is for this address
        self.provider = stack.enter_context(Provider(audience=f"https://{LOGIN_HOST}/TENANT-ID/oauth2/v2.0/token", scopes=[MAIL]))
        self.dovecot = stack.enter_context(Dovecot(self.provider.dovecot()))
        for person in PEOPLE:
            self.dovecot.create_user(person)
            self.deliver(person)
        stack.callback(self.front(both).stop, 2)
        os.environ |= {
            "PATH": f"{self.bin}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "SSL_CERT_FILE": str(self.ca),
            "CURL_CA_BUNDLE": str(self.ca),
            "HOME": str(self.folder),
            "LC_ALL": "C",
        }

    def deliver(self, person):
        self.dovecot.deliver(person, [b"Subject: one\r\n\r\nThe first mail.\r\n"])

    def of_its_own(self, stack):
        """/etc and /var/lib may be written to, and nothing of it stays."""
        kept = self.folder / "kept"
        kept.mkdir()
        run(["mount", "-t", "tmpfs", "tmpfs", kept])
        stack.callback(run, ["umount", "--lazy", kept])
        for path in ("/etc", "/var/lib"):
            upper, work = kept / f"upper{path}", kept / f"work{path}"
            upper.mkdir(parents=True)
            work.mkdir(parents=True)
            run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={path},upperdir={upper},workdir={work}", path])
            stack.callback(run, ["umount", "--lazy", path])
        run(["ip", "link", "set", "lo", "up"])
        for address in (*ADDRESSES, SERVERS, LOGIN):
            run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
        # clients of the balancer are on another machine than it
        run(["ip", "route", "change", "local", BALANCER, "dev", "lo", "table", "local", "src", "192.168.1.40"])
        with open("/etc/hosts", "a", encoding="ascii") as hosts:
            hosts.write("".join(f"{address} {name}\n" for name, address in NAMES.items()))
        sysusers = program("systemd-sysusers", "systemd")
        run([sysusers, REPOSITORY / "packaging/systemd/pop3-gateway.sysusers"])
        # as the package leaves it
        run(["install", "-d", "-o", "root", "-g", USER, "-m", "750", CONFIG.parent])
        run(["install", "-d", "-o", USER, "-g", USER, "-m", "700", "/var/lib/pop3-gateway"])

    def front(self, both):
        """The providers' servers, each by its name and port."""
        oidc, imap = f"{HOST}:{self.provider.port}", f"{HOST}:{self.dovecot.port}"
        config = self.folder / "front.cfg"
        config.write_text(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n"
            f"listen imaps\n  bind {SERVERS}:993 ssl crt {both}\n  server imap {imap}\n"
            f"listen login\n  mode http\n  bind {LOGIN}:443 ssl crt {both}\n"
            # a person's browser goes on to the provider itself, which knows no choice between accounts
            f"  http-request set-query %[query,regsub(prompt=select_account,prompt=consent)]\n"
            f"  http-request redirect location http://{oidc}/auth?%[query] if {{ path /TENANT-ID/oauth2/v2.0/authorize }}\n"
            f"  http-request set-path /token\n  http-request set-header Host {oidc}\n  server oidc {oidc}\n"
        )
        return haproxy(config, f"{SERVERS}:993")

    def balancer(self):
        config = self.folder / "balancer.cfg"
        config.write_text(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n"
            f"listen pop3s\n  bind {BALANCER}:995\n  source {BALANCER}\n  server gateway 10.0.0.9:995 send-proxy-v2\n"
        )
        return haproxy(config, f"{BALANCER}:995")


def haproxy(config, address):
    daemon = Daemon([program("haproxy", "haproxy"), "-db", "-f", config], config.with_suffix(".log"))
    wait_until(lambda: address in run(["ss", "-Hltn"]).stdout.decode(), "haproxy to listen")
    return daemon


class Reader:
    """Who follows a page, command by command."""

    def __init__(self, place, own=None):
        self.place = place
        # what stands in the place of a page's words
        self.own = own or {}
        self.running = None
        self.password = place.dovecot.password
        self.commands = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        running, self.running = self.running, None
        if running:
            running.stop(45)

    def follows(self, page):
        """The whole page."""
        for language, text in blocks(page):
            if language == "toml":
                self.writes(text)
            elif language == "sh":
                for command in commands(text):
                    self.does(command)

    def own_words(self, text):
        for word, own in self.own.items():
            text = text.replace(word, own)
        return text

    def writes(self, text):
        """The configuration."""
        # that of the mailbox, until there is another one
        self.password = self.place.dovecot.password
        CONFIG.write_text(self.own_words(text))
        shutil.chown(CONFIG, "root", USER)
        CONFIG.chmod(0o640)

    def runs(self, argv):
        """A program that goes on until the page is over, or another one takes its place."""
        self.stop()
        log = self.place.folder / "running.log"
        log.unlink(missing_ok=True)
        self.running = Daemon(argv, log, cwd="/")

        def listens():
            check(self.running.alive(), lambda: f"it ended: {self.running.tail()}")
            return re.search(r"listening|^127\.0\.0\.1:\d+$", self.running.tail(), re.MULTILINE)

        wait_until(listens, "it to listen")

    def starts(self):
        """As the unit does."""
        right = ("--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service")
        user = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        self.runs(["setpriv", *user, *right, self.place.gateway, "serve", "--config", CONFIG])

    def does(self, command):
        """One command of the page."""
        self.commands += 1
        command = self.own_words(command)
        words = shlex.split(command, comments=True)
        if words[:2] == ["apt", "install"]:
            return
        if words[:3] == ["systemctl", "enable", "--now"]:
            self.starts()
        elif words[:2] == ["pop3-gateway", "serve"]:
            self.runs([self.place.gateway, *words[1:]])
        elif words[:2] == ["cargo", "run"]:
            example = words[words.index("--example") + 1 :]
            self.runs([self.place.programs / example[0], *example[1:]])
        elif "sign-in" in words:
            self.signs_in(words[words.index("sign-in") + 1 :])
        elif words[0] == "curl":
            self.reads(command)
        else:
            self.says(command)

    def says(self, command, status=0):
        """What a command says."""
        ended, said = at_terminal(command, self.password)
        check(ended == status, lambda: f"{command} ended with {ended}:\n{said}")
        if "account add" in command:
            found = re.search(r"[Pp]assword\W+(\S+)", said)
            check(found, lambda: f"no password in {said}")
            self.password = found[1]
        return said

    def reads(self, command):
        said = self.says(command)
        check("Subject: " in said, lambda: f"{command} got {said!r}\n{self.running.tail()}")

    def signs_in(self, words):
        """A person opens the address that is shown."""
        tool = self.place.bin / "as-the-gateway"
        tool.write_text(f'#!/bin/sh\nexec sudo -u {USER} pop3-gateway "$@"\n')
        tool.chmod(0o755)
        sign_in(tool, self.place.provider, "/", self.place.folder / "sign-in.log", words[-1], words[:-1])


def first(page, language):
    """The first block in this language."""
    return next(text for found, text in blocks(page) if found == language)


def firm(place):
    """A person signs in, a device gets a password."""
    with Reader(place, {"CLIENT-ID": "persons"}) as reader:
        reader.follows("firm")
        return f"{reader.commands} commands"


def erp(place):
    """With a right of the app, and then with a password; what was fetched goes where `delete` says."""
    for name, file in (("pem", place.provider.certificate), ("key", place.provider.key)):
        shutil.copy(file, CONFIG.parent / f"office.{name}")
    place.provider.person.write_text("tickets@example.org")
    with Reader(place, {"CLIENT-ID": "certified"}) as reader:
        reader.follows("erp")
        reader.says("curl --user tickets@example.org --request DELE --list-only pop3://127.0.0.1:1110/1")
    done = place.dovecot.maildir_of("tickets@example.org") / ".Done"
    check(any((done / part).is_dir() and any((done / part).iterdir()) for part in ("new", "cur")), "nothing came to the folder Done")
    return f"{reader.commands} commands"


def scanner(place):
    """Both listeners; then with the tables of erp.md, where an account works from its address only."""
    with Reader(place, {"CLIENT-ID": "certified"}) as reader:
        own, with_tokens = first("scanner", "toml"), first("erp", "toml")
        both = own[: own.index("[[upstream]]")] + with_tokens[with_tokens.index("[state]") :]
        for language, text in blocks("scanner"):
            if "account add" in text:
                place.provider.person.write_text("fax@example.org")
                reader.writes(both)
                reader.starts()
            if language == "toml":
                reader.writes(text)
            else:
                for command in commands(text):
                    reader.does(command)
        reader.reads("curl -k --interface 192.168.1.40 --user fax pop3s://192.168.1.10/1")
        # 67: the login is refused
        reader.says("curl -k --interface 10.0.0.7 --user fax pop3s://192.168.1.10/1", status=67)
        return f"{reader.commands} commands"


def retro(place):
    """By flags, and then by the file, with the name as an old program writes it."""
    with Reader(place) as reader:
        reader.follows("retro")
        reader.stop()
        reader.writes(first("retro", "toml") + '[routing]\ndefault = "mail"\nseparators = "%"\n')
        reader.starts()
        reader.reads("curl --user ann%gmail.com pop3://192.168.1.10:110/1")
        return f"{reader.commands} commands"


def hoster(place):
    """Through a balancer, with its header; then each client of clients/tools.md and libraries.md that is here."""
    tls = CONFIG.parent / "tls/pop.example.org"
    tls.mkdir(parents=True)
    for name, file in (("fullchain.pem", place.certificate), ("privkey.pem", place.key)):
        shutil.copy(file, tls / name)
        shutil.chown(tls / name, USER, USER)
    with Reader(place) as reader, contextlib.ExitStack() as stack:
        stack.callback(place.balancer().stop, 2)
        reader.follows("hoster")
        check("peer=10.0.0.7" not in reader.running.tail(), lambda: f"the balancer is taken for the client: {reader.running.tail()}")
        clients(place, reader)
        return f"{reader.commands} commands"


def clients(place, reader):
    """curl, fetchmail and poplib as their pages have them."""
    tools = (REPOSITORY / "docs/book/clients/tools.md").read_text()
    curl = re.search(r"^## curl\n\n```sh\n(.*?)```$", tools, re.MULTILINE | re.DOTALL)[1]
    for command in commands(curl):
        said = reader.says(command)
        if "DELE" in command:
            place.deliver("ann@example.org")
            continue
        check(re.search(r"^1 [\d.]+$|^Subject: ", said, re.MULTILINE), lambda: f"{command} got {said!r}")
    settings = re.search(r"^`~/.fetchmailrc`.*?```text\n(.*?)```$", tools, re.MULTILINE | re.DOTALL)[1]
    mbox = place.folder / "fetched"
    mda = place.bin / "mda"
    mda.write_text(f"#!/bin/sh\ncat >>{mbox}\n")
    mda.chmod(0o755)
    file = place.folder / ".fetchmailrc"
    file.write_text(settings.replace('"..."', f'"{reader.password}"').replace('/usr/bin/procmail -d %T', str(mda)))
    file.chmod(0o600)
    run([program("fetchmail", "fetchmail"), "--nodetach", "--fetchmailrc", file])
    check(b"Subject: one" in mbox.read_bytes(), "fetchmail has not fetched the mail")
    python = (REPOSITORY / "docs/book/clients/libraries.md").read_text()
    python = re.search(r"^```python\n(.*?)```$", python, re.MULTILINE | re.DOTALL)[1].replace('"..."', repr(reader.password))
    said = run([sys.executable, "-c", python + "print(mail.decode())\n"]).stdout
    check(b"Subject: one" in said, lambda: f"poplib got {said!r}")


def developer(place):
    """The example of the libraries."""
    with Reader(place) as reader:
        reader.follows("developer")
        return f"{reader.commands} commands"


ALL = (firm, erp, scanner, retro, hoster, developer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, help="the folder of pop3-gateway and mails_tokio")
    parser.add_argument("--only", default="", help="the pages whose name contains this")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        own = [program("unshare", "util-linux"), "--net", "--mount", sys.executable, *sys.argv, "--inside"]
        os.execv(own[0], own)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report()
    scratch = Scratch("quickstarts")
    with contextlib.ExitStack() as stack:
        stack.callback(scratch.remove)
        place = Place(scratch, arguments.programs.resolve(), stack)
        for page in ALL:
            if arguments.only in page.__name__:
                report.run(f"quick start: {page.__name__}", page, place)
    sys.exit(report.close())


if __name__ == "__main__":
    main()
