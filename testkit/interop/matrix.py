"""Every client against every upstream: what one case does, and which cases there are.

A case: a fresh mailbox with the corpus; the client downloads everything, byte for byte as IMAP gives it, and leaves it
there; after a restart of the gateway a second run downloads nothing; a mail that came meanwhile is all that a third
run downloads; then the client deletes, and exactly what it said is gone.
"""

import itertools
from dataclasses import dataclass

from base import Failure, check
from clients import CLIENTS, SECURITIES, getmail_makes
from gateway import RUNTIMES, Gateway, OwnPop3
from mailbox import normalised
import stores

UPSTREAM_SECURITIES = ("plain", "starttls", "tls")
NEWS = [
    b"From: news@example.org\r\nSubject: came later\r\n\r\n.news\r\n",
    b"From: news@example.org\r\nSubject: came last\r\n\r\nmore news\r\n.\r\nend\r\n",
]


@dataclass(frozen=True)
class Case:
    upstream: str
    upstream_security: str
    runtime: str
    client: str
    client_security: str
    # with the mail of 25 MiB
    large: bool = False

    @property
    def title(self):
        large = " +25MiB" if self.large else ""
        return (
            f"{self.upstream:11}{self.upstream_security:9} {self.runtime:6}{self.client:10}{self.client_security:6}{large}"
        )

    @property
    def user(self):
        return f"{self.client}-{self.client_security}-{self.upstream_security}-{self.runtime}-{int(self.large)}"


def cases(upstreams, clients, runtimes, quick=False, securities=UPSTREAM_SECURITIES):
    """Dovecot: the full product; the others, or all with `quick`: a set in which each pair of settings occurs.

    Every client downloads the largest mail once on each runtime and from each upstream.
    """
    chosen = []
    for upstream in upstreams:
        space = [
            Case(upstream, upstream_security, runtime, client, client_security)
            for upstream_security, runtime, client, client_security in itertools.product(
                ("plain",) if upstream in stores.NAMES else securities, runtimes, clients, SECURITIES
            )
            if client_security in CLIENTS[client].securities
        ]
        chosen += space if upstream == "dovecot" and not quick else covering(space)
    for client, runtime, upstream in itertools.product(clients, runtimes, upstreams):
        found = [
            case
            for case in chosen
            if (case.client, case.runtime, case.upstream) == (client, runtime, upstream) and not case.large
        ]
        # not always the same kind of TLS
        if found:
            case = found[(clients.index(client) + runtimes.index(runtime) + upstreams.index(upstream)) % len(found)]
            chosen[chosen.index(case)] = Case(**{**case.__dict__, "large": True})
    return chosen


def covering(space):
    """A small subset in which every pair of values that occurs in `space` occurs as well (greedy, repeatable)."""

    def pairs(case):
        values = (case.upstream_security, case.runtime, case.client, case.client_security)
        return set(itertools.combinations(enumerate(values), 2))

    missing = set().union(*(pairs(case) for case in space)) if space else set()
    chosen = []
    while missing:
        best = max(space, key=lambda case: len(pairs(case) & missing))
        missing -= pairs(best)
        chosen.append(best)
    return chosen


def run_case(case, upstream, mails, binary=None):
    """Without a binary, Dovecot's own POP3 server is what is tried."""
    mails = [mail for mail in mails if case.large or not mail.large]
    if binary is None:
        # Dovecot's POP3 server does not stuff a dot that is the first octet of a mail
        mails = [mail for mail in mails if not mail.body.startswith(b".")]
    user = case.user
    upstream.create_user(user)
    refused = upstream.deliver(user, [mail.body for mail in mails])
    names = [mail.name for position, mail in enumerate(mails) if position not in refused]
    before = upstream.messages(user)
    check(len(before) == len(names), f"{len(names)} mails were delivered and IMAP shows {len(before)}")
    folder = upstream.folder / "cases" / user
    if binary is None:
        gateway = OwnPop3(upstream)
    else:
        gateway = Gateway(
            binary, folder / "gateway", upstream.certificates, upstream, case.upstream_security, case.runtime
        )
    with gateway:
        client = CLIENTS[case.client](folder / "client", gateway.server, case.client_security, user, upstream.password)
        compare(client, names, before, client.download(), own_pop3=binary is None)
        unchanged(before, upstream.messages(user), "after a download that leaves everything on the server")
        gateway.restart()
        again = client.download()
        check(not again, f"the second run downloaded {len(again)} mails again")
        upstream.deliver(user, NEWS)
        now = upstream.messages(user)
        fresh = now[len(before) :]
        check(len(fresh) == len(NEWS), "the new mail did not arrive")
        compare(client, ["news-1", "news-2"], fresh, client.download(), own_pop3=binary is None)
        gone = client.remove([len(normalised(message.body)) for message in now])
        check(gone, "the client deleted nothing: the case shows nothing")
        kept = [message for position, message in enumerate(now, 1) if position not in gone]
        unchanged(kept, upstream.messages(user), f"after the deletion of {gone}")
    return len(refused)


def unchanged(expected, found, when):
    """Same messages, same UIDs, same flags."""
    expected_uids, found_uids = [m.uid for m in expected], [m.uid for m in found]
    lost, extra = set(expected_uids) - set(found_uids), set(found_uids) - set(expected_uids)
    check(expected_uids == found_uids, f"{when}: UIDs {sorted(lost)} are gone, {sorted(extra)} are too many")
    for one, other in zip(expected, found):
        check(one.flags == other.flags, f"{when}: UID {one.uid} has flags {other.flags} instead of {one.flags}")
        check(one.body == other.body, f"{when}: UID {one.uid} has another body")


def compare(client, names, messages, received, own_pop3):
    check(len(received) == len(messages), f"{len(received)} mails were downloaded out of {len(messages)}")
    sent = [normalised(message.body) for message in messages]
    expected = getmail_makes(sent) if client.name == "getmail" else [client.expected(body) for body in sent]
    wrong = []
    for name, message, want, got in zip(names, messages, expected, received):
        got = client.received(got)
        if own_pop3:
            # Dovecot's POP3 sends NUL where its IMAP sends 0x80, and a line for nothing
            if not message.body or b"\x80" in message.body:
                continue
        if not client.same(want, got):
            at = next((k for k, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
            wrong.append(
                f"{name} (UID {message.uid}): {len(got)} octets instead of {len(want)}, differs at {at}: "
                f"{got[max(0, at - 20) : at + 30]!r} instead of {want[max(0, at - 20) : at + 30]!r}"
            )
    if wrong:
        raise Failure(f"{len(wrong)} mails differ:\n" + "\n".join(wrong[:5]))
