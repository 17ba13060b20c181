"""The whole chain of tokens: clients with a device's password, the gateway, a provider of tokens, a server that asks it.

Each scenario has a provider, a Dovecot and a gateway of its own, and ends with a search for everything secret in all
that the gateway has written.
"""

import base64
import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from base import HOST, Daemon, check, free_port, program, run, wait_until
from clients import Curl, Fetchmail, Poplib
from gateway import quoted
from mailbox import normalised
from oidc import ELSEWHERE, SECRET, Provider, TlsFront
from pop import Pop, stuffed
from scenarios import MAILS, Bench
from servers import Dovecot
from stores import Postgresql

ANN, BOB, SHARED = "ann@example.org", "bob@example.org", "info@example.org"
CLIENTS = (Curl, Fetchmail, Poplib)
# a profile whose servers take XOAUTH2, and one for OAUTHBEARER
XOAUTH2, OAUTHBEARER = "yandex", "oidc"


class Chain(Bench):
    """`username`: what of a user's name Dovecot wants in the token; `life`: an access token's, in seconds; `quiet`: as
    the gateway runs for most people, without transcripts; `lines`: what stands at the upstream besides."""

    def __init__(self, binary, runtime, flow="code", profile=OAUTHBEARER, client="persons", proof="", life=3600, username="%u", state="sqlite:state.db", quiet=False, lines=""):
        self.provider = Provider(life)
        self.dovecot = Dovecot(self.provider.dovecot(username))
        super().__init__(binary, runtime, self.dovecot, ANN)
        self.mechanism = "OAUTHBEARER" if profile == OAUTHBEARER else "XOAUTH2"
        self.passwords = []
        self.devices = 0
        self.state, self.quiet = state, quiet
        watched = {} if quiet else {"log": 'format = "json"\nlevel = "trace"', "transcript": 'dir = "transcripts"'}
        tables = self.tables(flow, profile, client, proof)
        self.gateway = super().gateway(upstream_lines=f'grant = "mail"\n{lines}', more=tables, **watched)

    def tables(self, flow, profile, client, proof):
        issuer = self.provider.issuer
        places = {"authorization": "auth", "token": "token", "device": "device/auth"}
        # other profiles know their own
        lines = [f'issuer = "{issuer}"'] + [f'{key}_endpoint = "{issuer}/{path}"' for key, path in places.items() if profile != OAUTHBEARER]
        if client == "generous":
            lines.append('scopes = ["openid"]')
        return "\n".join([
            f'[state]\nurl = {quoted(self.state)}\nkey_file = "state.key"',
            f'[[provider]]\nname = "office"\nprofile = "{profile}"\nclient_id = "{client}"', *lines, self.proof(proof),
            f'[[grant]]\nname = "mail"\nprovider = "office"\nflow = "{flow}"\n',
        ])

    def proof(self, lines):
        """Where the provider's files are: not where the gateway writes."""
        secret = self.provider.folder / "app.secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        files = {"secret": secret, "certificate": self.provider.certificate, "key": self.provider.key}
        return lines.format(**{name: quoted(path) for name, path in files.items()})

    @staticmethod
    def as_client(client, body):
        """What a client has in its hands of this mail."""
        return client.expected(client, normalised(body))

    def tool(self, *words, **options):
        return run([self.binary, *words], cwd=self.gateway.folder, **options).stdout.decode()

    def account(self, mailbox, *words):
        """A device's name and password; printed once, looked for ever after."""
        made = json.loads(self.tool("account", "add", "--config", self.gateway.config, "--json", "--mailbox", mailbox, *words))
        self.passwords.append(made["password"])
        return made["account"], made["password"]

    def sign_in(self, mailbox, *words, browser=None):
        """A person signs in beside the gateway, with a browser of this person; gives what the tool said."""
        self.devices += 1
        folder = self.gateway.folder
        words = ["--config", self.gateway.config, *words]
        return sign_in(self.binary, self.provider, folder, folder / f"sign-in{self.devices}.log", mailbox, words, browser)

    def logged(self, what):
        """How often the mail server has noted this."""
        return (self.dovecot.folder / "dovecot.log").read_text(errors="replace").count(what)

    def status(self):
        return self.tool("status", "--config", self.gateway.config)

    def log_in(self, account):
        pop = Pop(self.gateway.port)
        pop.login(*account)
        return pop

    def not_let_in(self, account, code):
        with Pop(self.gateway.port) as pop:
            pop.greeting()
            pop.ok(f"USER {account[0]}")
            return pop.refused(f"PASS {account[1]}", code)

    def gets_in(self, account):
        with Pop(self.gateway.port) as pop:
            pop.greeting()
            pop.ok(f"USER {account[0]}")
            answer = pop.command(f"PASS {account[1]}")
            check(answer.startswith((b"+OK", b"-ERR [SYS/TEMP]")), lambda: f"login: {answer!r}")
            return answer.startswith(b"+OK")

    def deletions(self, account, expected):
        """Two mails go, the first and the third; gives what is left."""
        curl = self.download(Curl, account, "-deletes")
        curl.call([[f'url = "{curl.url}/{number}"', 'request = "DELE"', "list-only"] for number in (1, 3)], curl.new_folder())
        left = [expected[1], *expected[3:]]
        self.untouched(left)
        return left

    def two_mailboxes(self):
        """Two mailboxes of one app, with one token."""
        self.dovecot.create_user(BOB)
        self.dovecot.deliver(BOB, MAILS[:3])
        expected = self.deliver()
        self.provider.person.write_text("app@example.org")
        with self.gateway:
            ann, bob = self.account(ANN), self.account(BOB)
            # at once, and still there is one request
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(self.reads, (ann, bob), (len(expected), 3)))
            self.not_let_in((ANN, bob[1]), b"[AUTH]")
            self.reads(bob, 3)
            given = len(self.provider.given("access_token"))
            check(given == 1, f"{given} tokens were asked for, not one")
            self.deletions(ann, expected)

    def reads(self, account, expected=None):
        """A whole session."""
        with self.log_in(account) as pop:
            heard = pop.ok("STAT").split()[1]
            check(expected is None or int(heard) == expected, lambda: f"{heard!r} mails instead of {expected}")
            pop.ok("QUIT")

    def download(self, client, account, name=""):
        folder = self.folder / f"client{name}-{client.name}-{self.devices}"
        return client(folder, self.gateway.server, "plain", *account)

    def nothing_leaked(self):
        """No token, code, secret or password in anything that the gateway or a tool wrote."""
        secrets = self.provider.secrets() + self.passwords
        check(len(secrets) > 2 and min(map(len, secrets)) > 8, "there is nothing to look for")
        control = self.provider.folder / "control"
        for secret in secrets:
            control.write_bytes(b"..." + base64.b64encode(f"user=x\1auth=Bearer {secret}\1\1".encode()))
            check(found_in([control], [secret]), "the search finds nothing at all")
        files = [path for path in self.gateway.folder.rglob("*") if path.is_file()]
        names = {path.name for path in files}
        wanted = {"gateway.log", "state.key", "gateway.toml"} | ({"state.db"} if self.state.startswith("sqlite:") else set())
        check(wanted <= names, f"only {names} were looked at")
        transcripts = b"".join(path.read_bytes() for path in files if "transcripts" in path.parts)
        check(f"AUTHENTICATE {self.mechanism}".encode() in transcripts, lambda: f"no {self.mechanism} in {transcripts[-2000:]!r}")
        found = found_in(files, secrets)
        check(not found, lambda: f"secrets are written down: {found[:4]}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.gateway.stop()
                if not self.quiet:
                    self.nothing_leaked()
            else:
                self.gateway.kill()
        finally:
            self.dovecot.stop()
            self.provider.stop()


def forms(secret):
    """A secret as it is, and within something in base64, without what depends on the neighbours."""
    yield secret.encode()
    for before in range(3):
        encoded = base64.b64encode(b"." * before + secret.encode())
        yield encoded[4 if before else 0 : -4]


def found_in(files, secrets):
    """Which secrets stand in which files, in any of their forms."""
    wanted = {form: secret for secret in secrets for form in forms(secret)}
    return [(path.name, secret) for path in files for form, secret in wanted.items() if form in path.read_bytes()]


def count_in(pieces, secrets):
    """How often secrets stand in pieces of memory, in any of their forms."""
    return sum(piece.count(form) for piece in pieces for secret in secrets for form in forms(secret))


def sign_in(binary, provider, folder, log, mailbox, words, browser=None):
    """A person does what `sign-in` asks for; gives what it said."""
    tool = Daemon([binary, "sign-in", *words, mailbox], log, cwd=folder, stdin=subprocess.PIPE)

    jar = provider.folder / f"cookies-{browser or mailbox}"

    def shown(pattern):
        check(tool.alive(), lambda: f"sign-in ended with {tool.process.returncode}: {tool.tail()}")
        return re.search(pattern, tool.tail(), re.MULTILINE)

    try:
        if "--device" in words:
            found = wait_until(lambda: shown(r"Open (\S+) on any device, and enter the code\s+(\S+)\s"), "a code")
            provider.enter_code(mailbox, found[1], found[2])
        elif ELSEWHERE in words:
            found = wait_until(lambda: shown(r"^(http\S+)\s"), "a link")
            back = provider.way_back(jar, found[1])
            # what is not the answer to this sign-in is passed over
            tool.process.stdin.write(f"{ELSEWHERE}?code=forged&state=old\n{back}\n".encode())
            tool.process.stdin.flush()
        else:
            found = wait_until(lambda: shown(r"^(http\S+)\s"), "a link")
            page = provider.curl(jar, found[1])
            check("close this page" in page, lambda: f"the browser was shown {page!r}")
        wait_until(lambda: not tool.alive(), "sign-in to end", 30)
        check(tool.process.returncode == 0, lambda: f"sign-in ended with {tool.process.returncode}: {tool.tail()}")
    finally:
        tool.kill()
    return tool.tail()


def signed_in_by_link(binary, runtime):
    """A person signs in with a browser; three clients download and delete; the second device hears that the mailbox is
    in use, and all that must not get in does not."""
    with Chain(binary, runtime) as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.not_let_in((ANN, "nothing-yet"), b"[AUTH]")
            said = chain.sign_in(ANN)
            check(f"account add --config {chain.gateway.config} --mailbox {ANN}" in said, lambda: f"sign-in said {said!r}")
            scanner, phone = chain.account(ANN), chain.account(ANN, "phone", "--label", "Ann's phone")
            for client in CLIENTS:
                mails = chain.download(client, scanner).download()
                wanted = [chain.as_client(client, message.body) for message in expected]
                check(mails == wanted, lambda: f"{client.name} has {mails}, expected {wanted}")
            with chain.log_in(phone) as pop:
                chain.not_let_in(scanner, b"[IN-USE]")
                pop.ok("QUIT")
            chain.not_let_in((ANN, "wrong-pass-word-here"), b"[AUTH]")
            chain.not_let_in((BOB, scanner[1]), b"[AUTH]")
            left = chain.deletions(scanner, expected)
            reader = chain.account(ANN, "reader", "--access", "read-only")
            with chain.log_in(reader) as pop:
                pop.ok("RETR 1")
                pop.body()
                pop.refused("DELE 1")
                pop.ok("QUIT")
            printer = chain.account(ANN, "printer", "--access", "no-delete")
            with chain.log_in(printer) as pop:
                pop.ok("DELE 1")
                check(b"kept" in pop.ok("QUIT"), "QUIT does not say that the mail is kept")
            chain.untouched(left)
            chain.tool("account", "remove", "--config", chain.gateway.config, "--mailbox", ANN, "phone")
            chain.not_let_in(phone, b"[AUTH]")
            given = len(chain.provider.given("access_token"))
            check(given == 1, f"{given} tokens were asked for, though the first one lived")
            # as by the power switch, and everything is as before
            chain.gateway.kill()
            chain.gateway.start()
            chain.reads(scanner, len(left))
            given = len(chain.provider.given("access_token"))
            check(given == 1, f"{given} tokens were asked for, though the first one was kept")
            chain.untouched(left)


def signed_in_by_code(binary, runtime):
    """A person enters a code on another device; the server takes XOAUTH2."""
    with Chain(binary, runtime, "device", XOAUTH2, "generous") as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN, "--device")
            account = chain.account(ANN)
            chain.reads(account, len(expected))
            chain.deletions(account, expected)


def signed_in_by_pasting(binary, runtime):
    """The browser is on another machine, and its last address is pasted; a forged one before it is passed over."""
    with Chain(binary, runtime) as chain:
        expected = chain.deliver()
        with chain.gateway:
            said = chain.sign_in(ANN, "--redirect", ELSEWHERE)
            check("no answer to this sign-in" in said, lambda: f"sign-in said {said!r}")
            chain.reads(chain.account(ANN), len(expected))


def app_with_secret(binary, runtime):
    """The app has the right to all mailboxes, so one token serves two of them."""
    proof = "client_secret_file = {secret}"
    with Chain(binary, runtime, "app", OAUTHBEARER, "app", proof, username="%d") as chain:
        chain.two_mailboxes()


def app_with_certificate(binary, runtime):
    """The same; the app is proven by a certificate (`private_key_jwt`, PS256)."""
    proof = "certificate = {certificate}\nprivate_key = {key}"
    with Chain(binary, runtime, "app", OAUTHBEARER, "certified", proof, username="%d") as chain:
        chain.two_mailboxes()


def shared_mailbox(binary, runtime):
    """Ann's grant opens a mailbox of many."""
    with Chain(binary, runtime, profile=XOAUTH2, client="generous", username="%d") as chain:
        chain.dovecot.create_user(SHARED)
        chain.dovecot.deliver(SHARED, MAILS[:2])
        chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            own, shared = chain.account(ANN), chain.account(SHARED, "--grant-of", ANN)
            # two mailboxes are no one's rivals
            with chain.log_in(own) as pop:
                chain.reads(shared, 2)
                check(pop.ok("STAT").split()[1] == b"5", "Ann's own mailbox is another one")
                pop.ok("QUIT")
            chain.not_let_in((ANN, shared[1]), b"[AUTH]")


def short_lives(binary, runtime):
    """Tokens live for three seconds, and each refresh token is good for one use. The provider goes and comes back:
    nothing is lost."""
    with Chain(binary, runtime, life=3) as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            account = chain.account(ANN)
            for _ in range(3):
                chain.reads(account, len(expected))
                time.sleep(1.2)
            refreshed = chain.provider.given("refresh_token")
            check(len(set(refreshed)) >= 3, lambda: f"{len(refreshed)} refresh tokens: they were not replaced")
            chain.provider.leave()
            chain.not_let_in(account, b"[SYS/TEMP]")
            chain.gateway.kill()
            chain.gateway.start()
            chain.not_let_in(account, b"[SYS/TEMP]")
            chain.provider.come_back()
            # the gateway leaves a provider that failed alone for ten seconds
            wait_until(lambda: chain.gets_in(account), "the login to work again", 30, pause=0.5)
            check("ended" not in chain.status(), lambda: f"a grant is lost: {chain.status()}")
            chain.untouched(expected)


def ends_of_tokens(binary, runtime):
    """A token that lives goes on while the provider is away; one that the server refuses is replaced once, and one that
    the server cannot look at is kept. Each session asks the server: none is left waiting."""
    with Chain(binary, runtime, lines='park = "off"') as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            account = chain.account(ANN)
            chain.provider.leave()
            chain.reads(account, len(expected))
            chain.reads(account, len(expected))
            chain.provider.come_back()
            before = len(chain.provider.given("access_token"))
            chain.provider.control("forget")
            chain.reads(account, len(expected))
            chain.reads(account, len(expected))
            asked = len(chain.provider.given("access_token")) - before
            check(asked == 1, f"after a refusal {asked} tokens were asked for, not one")
            check("good" in chain.status(), lambda: chain.status())
            # the server's own trouble says nothing about the token
            chain.provider.control("deaf")
            chain.not_let_in(account, b"[SYS/TEMP]")
            chain.provider.control("deaf")
            chain.reads(account, len(expected))
            asked = len(chain.provider.given("access_token")) - before
            check(asked == 1, f"{asked - 1} tokens were asked for though none was refused")


def revoked(binary, runtime):
    """A grant that the provider revoked has ended, `status` says it, and the next sign-in mends it beside the running
    gateway."""
    with Chain(binary, runtime, lines='park = "off"') as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            account = chain.account(ANN)
            chain.reads(account, len(expected))
            chain.provider.control("revoke")
            chain.not_let_in(account, b"[SYS/PERM]")
            check(f"{ANN} (grant \"mail\"): ended" in chain.status(), lambda: chain.status())
            chain.sign_in(ANN)
            check(f"{ANN} (grant \"mail\"): good" in chain.status(), lambda: chain.status())
            chain.reads(account, len(expected))
            chain.untouched(expected)


def polled(binary, runtime):
    """Two devices of one mailbox look for mail in turn: one login at the server, whose connection waits as long as its
    token lives."""
    with Chain(binary, runtime, life=75) as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            devices = chain.account(ANN), chain.account(ANN, "phone")
            # a sign-in opens the mailbox, too
            before = chain.logged("Info: Login: user=<")
            for _ in range(20):
                for device in devices:
                    chain.reads(device, len(expected))
            upstream, tokens = chain.logged("Info: Login: user=<") - before, len(chain.provider.given("access_token"))
            check((upstream, tokens) == (1, 1), f"{upstream} logins upstream by {tokens} tokens for 40 of devices")
            # no token is used in the last minute of its life
            while len(chain.provider.given("access_token")) == 1:
                chain.reads(devices[0], len(expected))
                time.sleep(0.5)
            chain.reads(devices[0], len(expected))
            upstream = chain.logged("Info: Login: user=<") - before
            check(upstream == 2, f"{upstream} logins upstream by two tokens")


def rested(binary, runtime):
    """A session that needs nothing is logged out upstream. It comes back by another token if the first was called back;
    once the grant has ended it gets nothing more, and what it marked stays."""
    with Chain(binary, runtime, lines='park = "off"\nrest = "1s"') as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            account = chain.account(ANN)
            with chain.log_in(account) as pop:
                wait_until(lambda: chain.logged("Logged out") == 1, "the session to rest")
                pop.ok("RETR 2")
                check(pop.body() == stuffed(normalised(expected[1].body)), "another mail than was asked for")
                wait_until(lambda: chain.logged("Logged out") == 2, "the session to rest again")
                before = len(chain.provider.given("access_token"))
                chain.provider.control("forget")
                pop.ok("RETR 1")
                check(pop.body() == stuffed(normalised(expected[0].body)), "another mail than was asked for")
                asked = len(chain.provider.given("access_token")) - before
                check(asked == 1, f"{asked} tokens were asked for, not one")
                pop.ok("DELE 1")
                wait_until(lambda: chain.logged("Logged out") >= 3, "the session to rest once more")
                chain.provider.control("revoke")
                pop.refused("RETR 3")
                check(pop.command("QUIT").startswith(b"-ERR"), "QUIT says that the mail is removed")
            chain.untouched(expected)


class WholeTls(Chain):
    """As it is outside: clients, the provider and the upstream all speak TLS, whose buffers have all that passes."""

    def tables(self, *settings):
        self.front = TlsFront(self.folder / "front", self.certificates, self.provider)
        lines = [f"ca_file = {quoted(self.certificates.ca)}", f'token_endpoint = "{self.front.url}/token"']
        name = '[[provider]]\nname = "office"\n'
        return super().tables(*settings).replace(name, name + "\n".join(lines) + "\n")

    def log_in(self, account):
        pop = Pop(self.gateway.port_tls, tls=self.certificates.ca)
        pop.login(*account)
        return pop

    def __exit__(self, *how):
        self.front.stop()
        return super().__exit__(*how)


def in_memory(binary, runtime, logins=20):
    """How often each kind of secret stands in the memory when nobody is logged in; tokens live for three seconds. The
    mailbox's name, which is no secret, is the positive control."""
    life = 3
    with WholeTls(binary, runtime, life=life, quiet=True) as chain:
        expected = chain.deliver()
        with chain.gateway:
            chain.sign_in(ANN)
            account = chain.account(ANN)
            for _ in range(logins):
                chain.reads(account, len(expected))
                time.sleep(life / 10)
            # what runs beside the logins ends
            time.sleep(1)
            pieces = list(chain.gateway.memory_pieces())
        access, refresh = chain.provider.given("access_token"), chain.provider.given("refresh_token")
        check(len(refresh) > 3, f"only {len(refresh)} refresh tokens: nothing was refreshed")
        check(count_in(pieces, [ANN]) > 0, "the search finds nothing at all")
        kinds = {
            "refresh tokens": refresh,
            "access token that lives": access[-1:],
            "access tokens of before": access[:-1],
            "passwords of devices": chain.passwords,
        }
        found = {kind: count_in(pieces, secrets) for kind, secrets in kinds.items()}
        return len(refresh), found


def nothing_in_memory(binary, runtime):
    """When nobody is logged in, no token and no password stands in the memory in the clear."""
    refreshes, found = in_memory(binary, runtime)
    check(not any(found.values()), f"{refreshes} refreshes, and in memory: {found}")
    return f"{refreshes} refreshes, and in memory: {found}"


def newcomer(binary, _):
    """From an empty folder to the first mail by four commands; no file is written or edited by hand."""
    with Provider() as provider, Dovecot(provider.dovecot()) as dovecot:
        folder = dovecot.folder / "newcomer"
        folder.mkdir()
        dovecot.create_user(ANN)
        dovecot.deliver(ANN, MAILS[:1])
        port = free_port()
        places = ["--upstream", f"imap://{HOST}:{dovecot.port}", "--listen", f"{HOST}:{port}"]
        run([binary, "setup", ANN, "--issuer", provider.issuer, "--client-id", "persons", *places], cwd=folder)
        config = ["--config", "pop3-gateway.toml"]
        sign_in(binary, provider, folder, folder / "sign-in.log", ANN, config)
        made = run([binary, "account", "add", *config, "--mailbox", ANN], cwd=folder).stdout.decode()
        name, password = (re.search(rf"{word}: +(\S+)$", made, re.MULTILINE)[1] for word in ("Name", "Password"))
        gateway = Daemon([binary, "serve", *config], folder / "gateway.log", cwd=folder)
        try:
            gateway.wait_port(port)
            heard = run([program("curl", "curl"), "-q", "-sS", "-u", f"{name}:{password}", f"pop3://{HOST}:{port}/1"]).stdout
        finally:
            status = gateway.stop()
        check(heard == normalised(MAILS[0]), lambda: f"the first mail is {heard!r}")
        check(status == 0, lambda: f"the gateway ended with {status}: {gateway.tail()}")


def state_in_postgresql(binary, runtime):
    """The state is in a real PostgreSQL, which dies and comes back: logins wait for it, nothing is lost, and no secret
    stands in its files. Two devices are one mailbox, and who is removed is not let in."""
    with Postgresql(binary) as database, Chain(binary, runtime, state=database.url) as chain:
        expected = chain.deliver()
        # one key for all nodes, so none of them makes it
        key = chain.gateway.folder / "state.key"
        key.touch(0o600)
        key.write_bytes(run([program("openssl", "openssl"), "rand", "-base64", "32"]).stdout)
        with chain.gateway:
            chain.sign_in(ANN)
            scanner, phone = chain.account(ANN), chain.account(ANN, "phone")
            for device, other in ((scanner, phone), (phone, scanner)):
                with chain.log_in(device) as pop:
                    chain.not_let_in(other, b"[IN-USE]")
                    check(int(pop.ok("STAT").split()[1]) == len(expected), "a mail is missing")
                    pop.ok("QUIT")
            database.pause()
            chain.not_let_in(scanner, b"[SYS/TEMP]")
            database.resume()
            wait_until(lambda: chain.gets_in(scanner), "the login to work again", 30, pause=0.5)
            chain.tool("account", "remove", "--config", chain.gateway.config, "--mailbox", ANN, "phone")
            chain.not_let_in(phone, b"[AUTH]")
            left = chain.deletions(scanner, expected)
            chain.gateway.kill()
            chain.gateway.start()
            chain.reads(scanner, len(left))
            given = len(chain.provider.given("access_token"))
            check(given == 1, f"{given} tokens were asked for, though the first one was kept")
        files = [path for path in database.data.rglob("*") if path.is_file()]
        check(found_in(files, [ANN]), "the search finds nothing at all in the database")
        found = found_in(files, chain.provider.secrets() + chain.passwords)
        check(not found, lambda: f"secrets are in the database: {found[:4]}")


def somebody_else(binary, runtime):
    """Ann's link is opened in Bob's browser, where Bob is signed in already: the tool says so, and Bob's token opens
    nothing of Ann's. Ann's own sign-in mends it at once."""
    with Chain(binary, runtime) as chain:
        expected = chain.deliver()
        with chain.gateway:
            said = chain.sign_in(BOB)
            check("signed in, not" not in said, lambda: f"sign-in said {said!r}")
            said = chain.sign_in(ANN, browser=BOB)
            check(f"{BOB} signed in, not {ANN}" in said, lambda: f"sign-in said {said!r}")
            account = chain.account(ANN)
            chain.not_let_in(account, b"[SYS/PERM]")
            chain.sign_in(ANN)
            chain.reads(account, len(expected))


ALL = [
    newcomer,
    state_in_postgresql,
    signed_in_by_link,
    signed_in_by_code,
    signed_in_by_pasting,
    app_with_secret,
    app_with_certificate,
    shared_mailbox,
    short_lives,
    ends_of_tokens,
    revoked,
    polled,
    rested,
    somebody_else,
    nothing_in_memory,
]
# on one runtime, the one that there is without a setting
ONCE = [newcomer]
