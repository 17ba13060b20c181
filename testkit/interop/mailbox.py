"""The truth, read by IMAP: what a mailbox holds, byte for byte, with flags and UIDs.

Owns one IMAP connection (imaplib). Never alters anything unless `append` or `store` is called.
"""

import imaplib
import re
import ssl
from dataclasses import dataclass

from base import HOST, Failure, check

# imaplib refuses long lines; a scan of 100,000 messages is one long answer of short lines, bodies are literals
imaplib._MAXLINE = 10_000_000


@dataclass(frozen=True)
class Message:
    uid: int
    flags: tuple
    body: bytes


class Imap:
    """A session of a user, with INBOX selected."""

    def __init__(self, upstream, user, security="plain", mailbox="INBOX", readonly=False, password=None):
        context = ssl.create_default_context(cafile=str(upstream.certificates.ca))
        if security == "tls":
            self.link = imaplib.IMAP4_SSL(HOST, upstream.port_tls, ssl_context=context, timeout=60)
        else:
            self.link = imaplib.IMAP4(HOST, upstream.port, timeout=60)
            if security == "starttls":
                self.link.starttls(context)
        self.link.login(user, upstream.password if password is None else password)
        if mailbox is not None:
            self.done(self.link.select(mailbox, readonly))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.link.logout()
        except (OSError, imaplib.IMAP4.error):
            pass

    def done(self, answer):
        status, data = answer
        check(status == "OK", f"IMAP said {status} {data!r}"[:400])
        return data

    def append(self, body, mailbox="INBOX"):
        """APPEND exactly these bytes (imaplib's own `append` repairs line ends). False: the store refused them."""
        self.link.literal = body
        try:
            return self.link._simple_command("APPEND", mailbox)[0] == "OK"
        except imaplib.IMAP4.error:
            return False

    def messages(self):
        """Every message in UID order."""
        data = self.done(self.link.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])"))
        found = []
        for position, item in enumerate(data):
            if not isinstance(item, tuple):
                continue
            head, body = item
            tail = data[position + 1] if position + 1 < len(data) else b""
            text = head + b" " + (tail if isinstance(tail, bytes) else b"")
            uid = re.search(rb"UID (\d+)", text)
            flags = re.search(rb"FLAGS \(([^)]*)\)", text)
            if uid is None or flags is None:
                raise Failure(f"cannot read {text[:200]!r}")
            found.append(Message(int(uid[1]), self._flags(flags[1]), body))
        # an empty body may come as "" or NIL, without a literal: ask for what is missing
        seen = {message.uid for message in found}
        for uid, flags in self.scan():
            if uid not in seen:
                found.append(Message(uid, flags, b""))
        return sorted(found, key=lambda message: message.uid)

    def scan(self):
        """(UID, flags) of every message, without bodies."""
        found = []
        for line in self.done(self.link.uid("FETCH", "1:*", "(UID FLAGS)")):
            if line is None:
                continue
            uid, flags = re.search(rb"UID (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
            if uid and flags:
                found.append((int(uid[1]), self._flags(flags[1])))
        return sorted(found)

    def uid_validity(self):
        return int(self.link.response("UIDVALIDITY")[1][0])

    def store(self, uids, flags):
        self.done(self.link.uid("STORE", ",".join(map(str, uids)), "+FLAGS", flags))

    @staticmethod
    def _flags(text):
        return tuple(sorted(flag for flag in text.decode("ascii", "replace").split() if flag != "\\Recent"))


def normalised(body):
    """CRLF for every LF, and one at the end: what POP3 must carry (before stuffing). A CR alone stays (W049)."""
    body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return body if not body or body.endswith(b"\r\n") else body + b"\r\n"
