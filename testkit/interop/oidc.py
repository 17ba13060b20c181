"""An OpenID Connect provider on loopback: the npm package oidc-provider, with people who sign in and consent by curl.

Owns its process and folder. It is never asked by anything but this machine; packages.sh has fetched it before.
"""

import json
import re
import shutil
import signal

from base import HERE, HOST, Daemon, Scratch, check, free_port, npm_package, port_open, program, run, wait_until

SOURCE = HERE / "oidc"
# where a browser is sent that is not on the gateway's machine
ELSEWHERE = "https://mail.example.org/back"
SECRET = "the-app's-secret-8c1f"


class Provider:
    """One issuer; `life` is that of access tokens, in seconds; `audience`: what else an app's proof may be made for; `scopes`: what
    else may be asked for."""

    def __init__(self, life=3600, audience=None, scopes=()):
        node = program("node", "nodejs")
        folder = npm_package("oidc", "oidc-provider", SOURCE)
        self.scratch = Scratch("oidc")
        self.folder = self.scratch.path
        self.port = free_port()
        self.introspection = free_port()
        self.issuer = f"http://{HOST}:{self.port}"
        self.person = self.folder / "person"
        self.issued = self.folder / "issued"
        self.issued.touch()
        self.key, self.certificate = self.folder / "app.key", self.folder / "app.pem"
        openssl = program("openssl", "openssl")
        run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.certificate]
            + ["-days", "30", "-subj", "/CN=app"])
        self.key.chmod(0o600)
        settings = {
            "port": self.port,
            "introspection": self.introspection,
            "person": str(self.person),
            "issued": str(self.issued),
            "life": life,
            "audience": audience,
            "scopes": list(scopes),
            "clients": self.clients(),
        }
        file = self.folder / "settings.json"
        file.write_text(json.dumps(settings))
        # a module finds its packages beside itself
        source = self.folder / "provider.mjs"
        shutil.copy(SOURCE / "provider.mjs", source)
        (self.folder / "node_modules").symlink_to(folder / "node_modules")
        self.daemon = Daemon([node, source, file], self.folder / "provider.log", cwd=self.folder)
        self.daemon.wait_port(self.port)

    def clients(self):
        persons = {
            "redirect_uris": ["http://127.0.0.1/", "http://127.0.0.1/signed-in", "http://localhost/", ELSEWHERE],
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "application_type": "native",
            "token_endpoint_auth_method": "none",
        }
        app = {"redirect_uris": [], "response_types": [], "grant_types": ["client_credentials"]}
        by_secret = {"token_endpoint_auth_method": "client_secret_post", "client_secret": SECRET}
        by_key = {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "PS256",
            "certificate": str(self.certificate),
        }
        return [
            {"client_id": "persons", **persons},
            {"client_id": "generous", **persons},
            {"client_id": "app", **app, **by_secret},
            {"client_id": "certified", **app, **by_key},
            # the mail server
            {"client_id": "imap", **app, "client_secret": "imap-secret"},
        ]

    def dovecot(self, username="%u"):
        """Options of a Dovecot that asks here about tokens. `username`: what of the name must be the token's."""
        file = self.folder / "dovecot-oauth2.conf"
        file.write_text(
            f"introspection_url = http://imap:imap-secret@{HOST}:{self.introspection}/token/introspection\n"
            "introspection_mode = post\nusername_attribute = mail\n"
            f"username_format = {username}\nactive_attribute = active\nactive_value = true\n"
        )
        file.chmod(0o644)
        return f"auth_mechanisms = plain login xoauth2 oauthbearer\npassdb {{\n  driver = oauth2\n  args = {file}\n}}\n"

    def given(self, kind):
        """Everything of this kind that was given out so far."""
        lines = [line.split(" ", 1) for line in self.issued.read_text().splitlines()]
        return [value for found, value in lines if found == kind]

    def secrets(self):
        lines = self.issued.read_text().splitlines()
        return [line.split(" ", 1)[1] for line in lines] + [SECRET]

    def curl(self, jar, *words):
        """What a browser with these cookies is shown."""
        curl = [program("curl", "curl"), "-q", "-sS", "-f", "-L", "--max-time", "20", "-b", jar, "-c", jar]
        return run([*curl, *words]).stdout.decode("utf-8", "replace")

    def way_back(self, jar, address):
        """The address that a browser with these cookies ends at, elsewhere."""
        headers = self.folder / "headers"
        curl = [program("curl", "curl"), "-q", "-sS", "-L", "--proto-redir", "=http", "-b", jar, "-c", jar, "-D", headers]
        run([*curl, address], check_status=False)
        found = [line[10:] for line in headers.read_text().splitlines() if line.lower().startswith("location: " + ELSEWHERE)]
        check(len(found) == 1, lambda: f"the browser was sent elsewhere: {headers.read_text()}")
        return found[0]

    def enter_code(self, person, address, code):
        """A person opens the address, enters the code, and consents."""
        self.person.write_text(person)
        jar = self.folder / f"cookies-{person}"
        words = ()
        for fields in ({"user_code": code}, {"user_code": code, "confirm": "yes"}):
            page = self.curl(jar, *words, address)
            token = re.search(r'name="xsrf" value="([^"]+)"', page)
            check(token, lambda: f"no form at {address}: {page[:500]}")
            fields["xsrf"] = token[1]
            words = [word for key, value in fields.items() for word in ("--data-urlencode", f"{key}={value}")]
        self.curl(jar, *words, address)

    def control(self, what):
        """`revoke`: the provider's administrator ends all grants; `forget`: access tokens alone; `deaf`: the mail
        server's questions fail from now on, or are answered again."""
        run([program("curl", "curl"), "-q", "-sS", "-f", "-X", "POST", f"http://{HOST}:{self.introspection}/control/{what}"])

    def leave(self):
        """Off the network; what it knows it keeps."""
        self.daemon.send(signal.SIGUSR2)
        wait_until(lambda: not port_open(self.port), "the provider to leave")

    def come_back(self):
        self.daemon.send(signal.SIGUSR2)
        self.daemon.wait_port(self.port)

    def stop(self):
        self.daemon.stop(seconds=2)
        self.scratch.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class TlsFront:
    """haproxy before a provider: the same endpoints through TLS, on a port of its own."""

    def __init__(self, folder, certificates, provider):
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"https://{HOST}:{port}"
        config = folder / "front.cfg"
        config.write_text(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n"
            f"listen provider\n  bind {HOST}:{port} ssl crt {certificates.both}\n  server provider {HOST}:{provider.port}\n"
        )
        self.daemon = Daemon([program("haproxy", "haproxy"), "-db", "-f", config], folder / "front.log")
        self.daemon.wait_port(port)

    def stop(self):
        self.daemon.stop(seconds=2)
