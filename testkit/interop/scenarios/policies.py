"""What becomes of deleted mail (design 9), on each of the servers: they differ in UIDPLUS, MOVE and SPECIAL-USE."""

from base import check
from mailbox import Imap

# capabilities that the gateway is set not to use, so that its other ways are walked on real servers too
WITHOUT = ("", "UIDPLUS", "MOVE", "MOVE UIDPLUS")


def policies(upstream):
    """(policy, capabilities to do without) that make a difference."""
    folder = "INBOX.Archive" if upstream == "courier" else "Archive"
    for without in WITHOUT:
        yield "expunge", without
        yield f"move:{folder}", without
        if upstream != "courier":  # see no_trash
            yield "trash", without
    for policy in ("seen", "keyword:$Popped", "keep"):
        yield policy, ""


def apply(bench, policy, without):
    """Marks two of five mails, one of them downloaded before; looks at every mailbox afterwards, and once more by POP3."""
    name = policy.split(":")[0]
    trash = make_trash(bench) if name == "trash" else None
    target = policy.split(":")[1] if name == "move" else trash
    before = bench.deliver()
    listed = ", ".join(f'"{word}"' for word in without.split())
    lines = f'delete = "{policy}"\nwithout = [{listed}]'
    with bench.gateway("tls", upstream_lines=lines) as gateway:
        with bench.logged_in(gateway) as pop:
            pop.ok("RETR 2")
            pop.body()
            pop.ok("DELE 2")
            pop.ok("DELE 4")
            pop.ok("QUIT")
        pop, _ = bench.login_soon(gateway)
        with pop:
            shown = pop.ok("STAT").split()[1]
            pop.ok("QUIT")
    after = bench.upstream.messages(bench.user)
    marked, kept = [before[1], before[3]], [before[0], before[2], before[4]]
    by_uid = {message.uid: message for message in after}
    for message in kept:
        check(by_uid.get(message.uid) == message, f"UID {message.uid}, which was not deleted, is {by_uid.get(message.uid)}")
    left = [message for message in after if message not in kept]
    if name in ("expunge", "move", "trash"):
        check(left == [], f"still there: {[(message.uid, message.flags) for message in left]}")
    elif name == "keep":
        check(left == marked, "what was to be kept is gone or altered")
    else:
        flag = "\\Seen" if name == "seen" else policy.split(":")[1]
        flags = {message.uid: set(message.flags) for message in left}
        check(flags == {message.uid: {flag} for message in marked}, f"flags {flags}, expected {flag} on two mails")
    wanted = b"5" if name == "keep" else b"3"
    check(shown == wanted, f"the next session shows {shown!r} mails, expected {wanted!r}")
    if target:
        with Imap(bench.upstream, bench.user, mailbox=target) as imap:
            bodies = [message.body for message in imap.messages()]
        check(sorted(bodies) == sorted(message.body for message in marked), f"{target} holds {bodies}")


def no_trash(bench):
    """A server that has no \\Trash and refuses the name `Trash` (Courier keeps all folders below `INBOX.`): QUIT says
    that the deletion failed, and everything is where it was. The operator names a folder: `move:INBOX.Trash`."""
    before = bench.deliver()
    with bench.gateway("tls", upstream_lines='delete = "trash"') as gateway:
        with bench.logged_in(gateway) as pop:
            pop.ok("DELE 1")
            pop.refused("QUIT", b"[SYS/")
    after = bench.upstream.messages(bench.user)
    check(after == before, f"{after}, expected {before}")


def make_trash(bench):
    """The folder that the server calls its trash; gives its name."""
    with Imap(bench.upstream, bench.user) as imap:
        if bench.upstream.name == "cyrus":
            # SPECIAL-USE with a name in another language (I016)
            imap.done(imap.link._simple_command("CREATE", "Papierkorb", "(USE (\\Trash))"))
            return "Papierkorb"
        return "Trash"


def foreign_marks_without_uidplus(bench):
    """Without UIDPLUS, a foreign \\Deleted: QUIT refuses rather than remove what is not ours (I014, P039)."""
    before = bench.deliver()
    with Imap(bench.upstream, bench.user) as imap:
        imap.store([before[2].uid], "(\\Deleted)")
    with bench.gateway("tls", upstream_lines='without = ["UIDPLUS", "MOVE"]') as gateway:
        with bench.logged_in(gateway) as pop:
            pop.ok("DELE 1")
            pop.refused("QUIT")
    after = bench.upstream.messages(bench.user)
    wanted = [(m.uid, ("\\Deleted",) if m.uid == before[2].uid else ()) for m in before]
    found = [(message.uid, message.flags) for message in after]
    check(found == wanted, f"flags {found}, expected {wanted}")


