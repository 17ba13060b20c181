"""The pages in a real browser: a mailbox is connected, a device gets a password, uses it, and has it taken back.

What goes wrong at a call-back is tried here as a browser meets it; the rest is in pop3-gateway/tests/pages.
"""

import os
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from base import HOST, check, free_port, program, run
from chromium import Chromium
from clients import Curl
from scenarios.tokens import ANN, BOB, Chain


class Pages(Chain):
    """A chain whose gateway has pages, and a browser. With $INTEROP_SHOTS, pictures of them go there."""

    def __init__(self, binary, runtime):
        self.http = free_port()
        self.url = f"http://{HOST}:{self.http}"
        self.shots = os.environ.get("INTEROP_SHOTS")
        self.browser = None
        self.cookies = []
        super().__init__(binary, runtime)
        self.browser = Chromium()

    def tables(self, *arguments):
        return super().tables(*arguments) + "\n".join([
            f'[[http]]\nlisten = "{HOST}:{self.http}"\nserve = ["health", "pages"]',
            f'[pages]\nurl = "{self.url}"\ndomains = ["example.org"]\nserver = "pop.example.org"',
            'contact = "the help desk, extension 100"\n',
        ])

    def open(self, path="/", **more):
        return self.browser.do("open", address=self.url + path, **more)

    def connect(self, mailbox=ANN, who="ann"):
        """As a person does: enters the address, is sent to the provider, signs in there, and is back."""
        self.open(who=who)
        self.browser.do("fill", label="Your mail address", value=mailbox, who=who)
        told = self.browser.do("press", name="Continue", who=who)
        self.cookies += [own["value"] for own in self.browser.do("cookies", who=who)["got"] if own["name"] == "pages"]
        return told

    def add(self, label, access="Read and delete mail"):
        """A device's name and password, as the page shows them."""
        self.browser.do("fill", label="What do you call it?", value=label)
        self.browser.do("choose", label=access)
        shown = self.browser.do("press", name="Make a password")
        name = re.search(r"^Name\s+(\S+)$", shown["text"], re.MULTILINE)
        password = re.search(r"([a-z2-9]{4}(-[a-z2-9]{4}){3})", shown["text"])
        check(name and password, lambda: f"no password in {shown}")
        self.passwords.append(password[1])
        return name[1], password[1]

    def shot(self, name):
        """Pictures on a desktop and on a phone, and nothing wider than the screen."""
        for width in (1280, 390):
            told = self.browser.do("overflow", width=width)
            check(not told["got"], f"{name} is wider than {width} pixels")
            for dark in (False, True) if self.shots else ():
                file = Path(self.shots) / f"{name}-{width}{'-dark' if dark else ''}.png"
                self.browser.do("shot", file=str(file), width=width, dark=dark)
        self.browser.do("overflow")

    def __exit__(self, *arguments):
        # neither does the gateway write down what browsers are known by
        for line in self.browser.requests():
            self.passwords += [state for state in parse_qs(urlsplit(line).query).get("state", []) if state != "forged"]
        self.passwords += self.cookies
        try:
            super().__exit__(*arguments)
        finally:
            self.browser.stop()


def with_a_browser(binary, runtime):
    """From the first page to a password that curl uses, and that does not work any more once it was taken back."""
    with Pages(binary, runtime) as pages:
        expected = pages.deliver()
        browser = pages.browser
        with pages.gateway:
            pages.open()
            pages.shot("start")
            told = pages.connect()
            check(told["address"] == f"{pages.url}/mailbox", lambda: f"the browser ended at {told}")
            check(ANN in told["text"] and "No device" in told["text"], lambda: f"the page says {told}")
            pages.shot("mailbox-empty")
            scanner = pages.add("Scanner, second floor")
            check(scanner[0] == ANN, lambda: f"the device logs in as {scanner[0]}")
            seen = browser.do("overflow")
            check(all(word in seen["text"] for word in ("pop.example.org", "SSL/TLS", str(pages.gateway.port_tls))), lambda: f"{seen}")
            if pages.shots:
                browser.do("shot", file=str(Path(pages.shots) / "device-1280.png"))
            again = browser.do("reload")
            check(scanner[1] not in again["text"], "a password is shown twice")
            phone = pages.add("Phone", "Read only")
            check(phone[0] == "ann+phone@example.org", lambda: f"the device logs in as {phone[0]}")
            pages.open("/mailbox")
            mails = pages.download(Curl, scanner).download()
            wanted = [pages.as_client(Curl, message.body) for message in expected]
            check(mails == wanted, lambda: f"curl has {mails}, expected {wanted}")
            pages.reads(phone, len(expected))
            pages.open("/mailbox")
            pages.shot("mailbox")
            browser.do("unfold", name="Take back", within="li:has-text('Scanner')")
            told = browser.do("press", name="Take the password back", within="li:has-text('Scanner')")
            check("was taken back" in told["text"], lambda: f"the page says {told}")
            pages.not_let_in(scanner, b"[AUTH]")
            pages.reads(phone, len(expected))
            # the browser's history has no way back to it
            browser.do("back")
            pages.open("/mailbox")
            browser.do("unfold", name="Disconnect this mailbox")
            told = browser.do("press", name="Disconnect", within="details.danger")
            check("not connected any more" in told["text"], lambda: f"the page says {told}")
            pages.not_let_in(phone, b"[AUTH]")
            check(ANN not in pages.status(), lambda: f"status says {pages.status()}")
        strangers = [line for line in browser.requests() if HOST not in line]
        check(not strangers, lambda: f"the pages ask others: {strangers}")
        check(not browser.complaints(), lambda: f"Chromium says {browser.complaints()}")
        passwords = [line for line in browser.requests() for password in pages.passwords if password in line]
        check(not passwords, "a password stands in an address")


def call_backs(binary, runtime):
    """A call-back that was forged, used before, or belongs to another browser opens nothing, and ends no sign-in."""
    with Pages(binary, runtime) as pages:
        pages.deliver()
        browser = pages.browser
        with pages.gateway:
            told = pages.open("/signed-in?code=forged&state=forged")
            check("did not begin here" in told["text"], lambda: f"the page says {told}")
            pages.connect()
            back = next(line.split()[1] for line in browser.requests() if "/signed-in?code=" in line and "forged" not in line)
            check({"code", "state"} <= set(parse_qs(urlsplit(back).query)), f"the call-back was {back}")
            # the same again, in the same browser: it is signed in already
            told = browser.do("open", address=back)
            check(told["address"] == f"{pages.url}/mailbox", lambda: f"the browser ended at {told}")
            # in another one, with a cookie and without
            for _ in range(2):
                told = browser.do("open", address=back, who="eve")
                check("sign-in" in told["text"] and ANN not in told["text"], lambda: f"Eve sees {told}")
                pages.open(who="eve")
            told = pages.open("/mailbox", who="eve")
            check(told["address"] == f"{pages.url}/", lambda: f"Eve is at {told}")
            # Bob signs in where Ann was asked for
            pages.provider.person.write_text(BOB)
            told = pages.connect("info@example.net", who="bob")
            check("cannot be connected here" in told["text"], lambda: f"the page says {told}")
            if pages.shots:
                browser.do("shot", file=str(Path(pages.shots) / "problem-1280.png"), who="bob")
            pages.provider.leave()
            told = pages.connect(who="carol")
            pages.provider.come_back()
            # where the provider's endpoints are known, the person is sent there all the same
            check(pages.url in told["address"] or "chrome-error" in told["address"], lambda: f"Carol is at {told}")
            pages.reads(device_of(pages), None)


def device_of(pages):
    pages.open("/mailbox")
    return pages.add("Mail program")


ALL = [with_a_browser, call_backs]
