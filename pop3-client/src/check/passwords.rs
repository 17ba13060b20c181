//! Wrong passwords: tried only on request, because servers count them.

use std::io;

use super::book::Book;
use super::wire::{Reply, trouble};
use super::{Probe, has};
use pop3_client_io::{Identity, SecretKind};

pub(super) fn probe(
    probe: &Probe<'_>,
    identity: &Identity,
    capabilities: &[String],
    book: &mut Book,
) {
    let safe = book.report.tls.is_some() || identity.allow_clear;
    let user = has(capabilities, "USER") || capabilities.is_empty();
    if !user || !safe || identity.kind != SecretKind::Password {
        let why = "no USER and PASS to try them with";
        return book.untried(&["P056", "X027"], "wrong passwords", why);
    }
    if let Err(error) = wrong(probe, identity, capabilities, book) {
        book.fault(&["P057"], "wrong passwords", trouble(&error));
    }
}

fn wrong(
    probe: &Probe<'_>,
    identity: &Identity,
    capabilities: &[String],
    book: &mut Book,
) -> io::Result<()> {
    let one = refused(probe, &identity.user, b"certainly-wrong")?;
    let two = refused(probe, &identity.user, b"certainly wrong  too")?;
    book.judge(
        &["P056", "F19"],
        "a password with spaces is a password",
        alike(&one, &two),
        || format!("one word: {}, several: {}", one.line, two.line),
    );
    if has(capabilities, "AUTH-RESP-CODE") {
        let coded = one.text.to_ascii_uppercase().starts_with("[AUTH]");
        book.judge(
            &["X027"],
            "a wrong password is answered with [AUTH]",
            coded,
            || one.line.clone(),
        );
    }
    let nobody = refused(probe, "nobody-has-this-name", b"certainly-wrong")?;
    book.judge(
        &["P054", "P065"],
        "an unknown user is refused in the same words",
        alike(&one, &nobody),
        || format!("known: {}, unknown: {}", one.line, nobody.line),
    );
    Ok(())
}

fn refused(probe: &Probe<'_>, user: &str, password: &[u8]) -> io::Result<Reply> {
    let mut wire = probe.connect().map_err(io::Error::other)?;
    let reply = wire.ask(&format!("USER {user}"))?;
    if !reply.is_ok() {
        return Ok(reply);
    }
    wire.ask_secretly("PASS", password)
}

/// Whether two refusals are the same except for numbers.
fn alike(one: &Reply, other: &Reply) -> bool {
    let words =
        |reply: &Reply| -> String { reply.text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    one.verdict == other.verdict && words(one) == words(other)
}
