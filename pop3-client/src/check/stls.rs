//! The border between clear text and TLS, at which everything before must be forgotten.

use std::io;
use std::time::Duration;

use super::Probe;
use super::book::Book;
use super::wire::{Wire, trouble};
use pop3_client_io::{SecretKind, TlsMode};

pub(super) fn probe(probe: &Probe<'_>, book: &mut Book) {
    match probe.plan.endpoint.tls {
        TlsMode::Implicit => return,
        TlsMode::None => {
            let why = "not wanted (--tls none)";
            return book.untried(&["T005", "T006"], "what crosses STLS", why);
        }
        TlsMode::Starttls | TlsMode::IfOffered => {}
    }
    // it has been used already, if the server has it
    if book.report.tls.is_none() {
        return book.remark(&["T001"], "STLS", "the server has none".into());
    }
    let outcomes = [
        whole_command(probe, book),
        half_command(probe, book),
        user_name(probe, book),
    ];
    for outcome in outcomes {
        if let Err(error) = outcome {
            book.fault(&["T003"], "STLS", trouble(&error));
        }
    }
}

/// A command in clear after STLS: dropped with the connection, never carried out.
fn whole_command(probe: &Probe<'_>, book: &mut Book) -> io::Result<()> {
    let title = "a command sent in clear after STLS is not carried out";
    let (mut wire, _) = probe.connect_bare()?;
    wire.send(b"STLS\r\nCAPA\r\n", "STLS, CAPA in one write")?;
    if !agrees(&mut wire) {
        book.judge(&["T005"], title, true, String::new);
        return Ok(());
    }
    // a failure here is safe: no command was carried out
    let carried_out = wire
        .start_tls(&probe.plan.endpoint)
        .and_then(|()| wire.overhear(Duration::from_secs(3)));
    let answer = carried_out.ok().flatten();
    book.judge(&["T005"], title, answer.is_none(), || {
        format!(
            "its answer comes through TLS: {}",
            answer.unwrap_or_default()
        )
    });
    Ok(())
}

/// Half a command in clear must not join what comes through TLS.
fn half_command(probe: &Probe<'_>, book: &mut Book) -> io::Result<()> {
    let title = "half a line sent in clear does not join the first line after STLS";
    let (mut wire, _) = probe.connect_bare()?;
    wire.send(b"STLS\r\nCA", "STLS, half a CAPA in one write")?;
    if !agrees(&mut wire) {
        book.judge(&["T005"], title, true, String::new);
        return Ok(());
    }
    let joined = wire
        .start_tls(&probe.plan.endpoint)
        .and_then(|()| wire.ask("PA"))
        .is_ok_and(|reply| reply.is_ok());
    book.judge(&["T005"], title, !joined, || "it does".into());
    Ok(())
}

/// Whether the server goes on although more came than STLS. Refusing or hanging up is as good.
fn agrees(wire: &mut Wire) -> bool {
    wire.status().is_ok_and(|reply| reply.is_ok())
}

/// A name sent in clear must not go with a password sent through TLS.
fn user_name(probe: &Probe<'_>, book: &mut Book) -> io::Result<()> {
    let title = "USER before STLS is forgotten";
    let password = probe
        .plan
        .identity
        .as_ref()
        .filter(|identity| identity.kind == SecretKind::Password);
    let Some(identity) = password else {
        book.untried(&["T006"], title, "it takes a user and a password");
        return Ok(());
    };
    let (mut wire, _) = probe.connect_bare()?;
    let reply = wire.ask(&format!("USER {}", identity.user))?;
    if !reply.is_ok() {
        book.judge(&["T007"], "USER in clear is refused", true, String::new);
        return Ok(());
    }
    let reply = wire.ask("STLS")?;
    if !reply.is_ok() {
        book.remark(&["T006"], title, format!("STLS after USER: {}", reply.line));
        return Ok(());
    }
    wire.start_tls(&probe.plan.endpoint)?;
    let reply = wire.ask_secretly("PASS", identity.secret.expose())?;
    book.judge(&["T006"], title, !reply.is_ok(), || {
        "PASS alone logs in".into()
    });
    if reply.is_ok() {
        // leave the mailbox to the next probe
        let _ = wire.ask("QUIT");
    }
    Ok(())
}
