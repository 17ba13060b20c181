"""The mails that the matrix is run with.

`load` takes them from the files that `cargo run -p testkit --example write_corpus -- DIR` wrote: one mail a file, in
the order of the names. `generate` makes an own set, for work on the harness without the toolchain.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from base import REPOSITORY, Failure, check, run

# at least this many, or the corpus is not the one that was asked for
LEAST = 40
# what is above this is left out of all but a few cases, for the time it takes
LARGE = 2 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    name: str
    body: bytes

    @property
    def large(self):
        return len(self.body) > LARGE


def write(folder, cargo_options=()):
    """Has the testkit write its corpus."""
    run(
        ["cargo", "run", "--quiet", *cargo_options, "-p", "testkit", "--example", "write_corpus", "--", folder],
        timeout=900,
        cwd=REPOSITORY,
    )
    return load(folder)


def load(folder):
    mails = [Mail(path.stem, path.read_bytes()) for path in sorted(Path(folder).iterdir()) if path.is_file()]
    check(len(mails) >= LEAST, f"{folder} holds {len(mails)} mails, expected at least {LEAST}")
    if not any(mail.large for mail in mails):
        raise Failure(f"{folder} holds no large mail")
    return mails


def generate():
    rng = random.Random(1939)
    mails = []

    def add(name, body, subject=None):
        head = f"From: sender@example.org\r\nTo: alice@example.org\r\nSubject: {subject or name}\r\n".encode()
        head += f"Date: Fri, 20 Nov 2026 12:00:{len(mails) % 60:02} +0000\r\nMessage-ID: <{name}@interop.example>\r\n".encode()
        mails.append(Mail(name, head + b"\r\n" + body))

    def raw(name, whole):
        mails.append(Mail(name, whole))

    add("simple", b"Hello.\r\n")
    add("two-lines", b"one\r\ntwo\r\n")
    add("leading-dots", b".\r\n..\r\n...\r\n.x\r\n..x\r\n x.\r\n. \r\n")
    add("lone-dot-first", b".\r\nthis must not be cut off\r\n")
    add("lone-dot-last", b"text\r\n.\r\n")
    add("dot-without-newline", b"text\r\n.")
    add("dots-many", b".\r\n" * 3000)
    add("fake-replies", b"+OK 3 messages\r\n-ERR no\r\nQUIT\r\nDELE 1\r\n+ \r\n")
    add("no-final-newline", b"the last line has no end")
    add("final-blank-lines", b"text\r\n\r\n\r\n\r\n")
    add("leading-blank-lines", b"\r\n\r\n\r\ntext\r\n")
    add("bare-lf", b"one\ntwo\n.\nthree\n..four\n")
    add("bare-lf-mixed", b"one\r\ntwo\nthree\r\n\nfour\r\n")
    add("bare-cr", b"one\rtwo\r\nthr\ree\r\r\nfour\r\n")
    add("final-cr", b"text\r")
    add("nul", b"before\0after\r\n\0\r\nend\0\r\n")
    add("control-characters", bytes(range(1, 9)) + b"\x0b\x0c" + bytes(range(14, 32)) + b"\x7f\r\n")
    add("eight-bit-body", bytes(range(128, 256)) + b"\r\n")
    add("utf8-body", "Grüße aus Köln, привет, 你好\r\n".encode())
    add("eight-bit-subject", b"text\r\n", subject="gr\u00fc\u00dfe")
    raw("latin1-header", b"From: a@example.org\r\nSubject: gr\xfc\xdfe\r\n\r\ntext\r\n")
    raw("broken-utf8-header", b"From: a@example.org\r\nSubject: \xff\xfe\x80\r\nX-Eight: \xc3\r\n\r\ntext\r\n")
    for size in (76, 998, 1000, 2046, 2048, 2050, 4096, 8190, 8192, 8194, 16384, 65536):
        add(f"line-{size}", b"x" * size + b"\r\n.end\r\n")
    add("line-100k", b"y" * 100_000 + b"\r\n")
    add("line-100k-twice", b"." + b"z" * 100_000 + b"\r\n." + b"w" * 100_000)
    raw("header-line-20k", b"From: a@example.org\r\nX-Long: " + b"h" * 20_000 + b"\r\nSubject: s\r\n\r\ntext\r\n")
    folded = b"".join(b"\tfolded line %d\r\n" % n for n in range(200))
    raw("header-folded", b"From: a@example.org\r\nX-Folded: begin\r\n" + folded + b"Subject: s\r\n\r\ntext\r\n")
    raw("headers-many", b"".join(b"X-H%d: v\r\n" % n for n in range(500)) + b"\r\ntext\r\n")
    raw("empty", b"")
    raw("header-only", b"From: a@example.org\r\nSubject: nothing after the header\r\n")
    raw("header-and-blank-line", b"From: a@example.org\r\nSubject: empty body\r\n\r\n")
    raw("blank-line-only", b"\r\n")
    raw("body-only", b"\r\nno header at all\r\n")
    raw("not-a-header", b"this is no header line\r\nneither is this\r\n\r\ntext\r\n")
    add("from-lines", b"From me to you\r\n>From there\r\nFrom: not a header\r\n")
    add("trailing-spaces", b"text   \r\n \r\n\t\r\n  \r\n")
    add("duplicate-1", b"the same text\r\n", subject="duplicate")
    add("duplicate-2", b"the same text\r\n", subject="duplicate")
    parts = b"".join(b"--b\r\nContent-Type: text/plain\r\n\r\npart %d\r\n.\r\n" % n for n in range(5)) + b"--b--\r\n"
    raw(
        "multipart",
        b"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n" + parts,
    )
    raw(
        "traces",
        b"Return-Path: <bounce@example.org>\r\nReceived: from x by y; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        b"Delivered-To: alice@example.org\r\nStatus: RO\r\nX-Status: A\r\nX-UIDL: 1234\r\nFrom: a@example.org\r\n\r\ntext\r\n",
    )
    add("lines-20000", b"".join(b"line %d\r\n" % n for n in range(20_000)))
    # dots on, before and after the borders of common buffers
    border = bytearray()
    while len(border) < 200_000:
        border += b"b" * rng.choice((0, 1, 61, 509, 1021, 4093)) + b"\r\n" + b"." * rng.choice((0, 1, 2, 3))
    add("dots-at-borders", bytes(border))
    chunk = rng.randbytes(57 * 1024).hex().encode()
    lines = b"".join(chunk[at : at + 76] + b"\r\n" for at in range(0, len(chunk), 76))
    add("attachment-25m", lines * (25 * 1024 * 1024 // len(lines) + 1))
    return mails
