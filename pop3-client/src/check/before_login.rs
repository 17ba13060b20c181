//! Everything before the login.

use std::io;
use std::time::Duration;

use super::book::Book;
use super::wire::{Reply, Status, Wire, trouble};
use super::{Probe, has};

pub(super) fn probe(probe: &Probe<'_>, capabilities: &[String], book: &mut Book) {
    let outcomes = [
        ("the greeting", greeting(probe, book)),
        ("commands before the login", commands(probe, book)),
        ("long lines", long_lines(probe, book)),
        ("AUTH", auth(probe, capabilities, book)),
        ("UTF8", utf8(probe, capabilities, book)),
    ];
    for (what, outcome) in outcomes {
        if let Err(error) = outcome {
            book.fault(&["P010"], what, trouble(&error));
        }
    }
}

fn connect(probe: &Probe<'_>) -> io::Result<Wire> {
    probe.connect().map_err(io::Error::other)
}

fn greeting(probe: &Probe<'_>, book: &mut Book) -> io::Result<()> {
    let (mut wire, greeting) = probe.connect_bare()?;
    book.judge(&["P014"], "the greeting is +OK", greeting.is_ok(), || {
        greeting.line.clone()
    });
    let brackets = greeting.text.matches('<').count();
    let stamp = brackets == 1 && greeting.text.contains('@') && greeting.text.contains('>');
    if stamp {
        let detail = "a timestamp: clients will try APOP".into();
        book.remark(&["P058", "X004"], "the greeting", detail);
    } else {
        book.judge(
            &["X004"],
            "no angle bracket in the greeting except for APOP",
            brackets == 0,
            || greeting.line.clone(),
        );
    }
    let reply = wire.ask("QUIT")?;
    let closed = wire.is_closed_within(Duration::from_secs(5));
    book.judge(
        &["P022", "P040"],
        "QUIT before the login",
        reply.is_ok() && closed,
        || {
            format!(
                "{}{}",
                reply.line,
                if closed {
                    ""
                } else {
                    ", and the connection stays open"
                }
            )
        },
    );
    Ok(())
}

fn commands(probe: &Probe<'_>, book: &mut Book) -> io::Result<()> {
    let mut wire = connect(probe)?;
    let (reply, _) = wire.ask_body("capa")?;
    if has(&book.report.capabilities.before_login, "UIDL") || reply.is_ok() {
        book.judge(&["P001"], "keywords in lower case", reply.is_ok(), || {
            reply.line.clone()
        });
    } else {
        book.remark(&["X005"], "CAPA", "the server has none".into());
    }
    let mut refused = Vec::new();
    for command in [
        "STAT", "LIST", "RETR 1", "DELE 1", "NOOP", "RSET", "UIDL", "TOP 1 0",
    ] {
        let reply = wire.ask(command)?;
        if !reply.is_err() {
            refused.push(format!("{command} gives {}", reply.line));
        }
        // servers count bad commands: a few on each connection
        if command == "DELE 1" {
            wire = connect(probe)?;
        }
    }
    book.judge(
        &["P010", "P034"],
        "mailbox commands before the login are refused",
        refused.is_empty(),
        || refused.join(", "),
    );
    let mut wire = connect(probe)?;
    let reply = wire.ask("XYZZY")?;
    book.judge(
        &["P009"],
        "an unknown command is refused",
        reply.is_err(),
        || reply.line.clone(),
    );
    let reply = wire.ask_secretly("PASS", b"nothing")?;
    book.judge(
        &["P055"],
        "PASS without USER is refused",
        reply.is_err(),
        || reply.line.clone(),
    );
    if probe.is_implicit() {
        let reply = wire.ask("STLS")?;
        book.judge(
            &["T004"],
            "STLS within TLS is refused",
            reply.is_err(),
            || reply.line.clone(),
        );
    }
    Ok(())
}

fn long_lines(probe: &Probe<'_>, book: &mut Book) -> io::Result<()> {
    let mut wire = connect(probe)?;
    // 255 octets with CRLF
    let reply = wire.ask(&format!("XYZZY {}", "x".repeat(247)))?;
    book.judge(
        &["X001"],
        "a command of 255 octets is read",
        reply.is_err(),
        || reply.line.clone(),
    );
    let title = "a command of 5000 octets";
    match wire.ask(&format!("XYZZY {}", "x".repeat(4994))) {
        Ok(reply) => {
            book.judge(&["X001"], title, reply.is_err(), || reply.line.clone());
            if let Ok(Some(line)) = wire.overhear(Duration::from_millis(300)) {
                let detail = format!("it is taken for several commands: {line}");
                book.fault(&["X001", "V12"], title, detail);
            }
        }
        Err(error) => book.remark(&["X001"], title, trouble(&error)),
    }
    Ok(())
}

fn auth(probe: &Probe<'_>, capabilities: &[String], book: &mut Book) -> io::Result<()> {
    let Some(sasl) = capabilities.iter().find(|line| line.starts_with("SASL")) else {
        book.untried(&["S005"], "AUTH", "no SASL is announced");
        return Ok(());
    };
    let mut wire = connect(probe)?;
    let reply = wire.ask("AUTH X-NOT-THERE")?;
    book.judge(
        &["S005"],
        "an unknown mechanism is refused",
        reply.is_err(),
        || reply.line.clone(),
    );
    let (reply, _) = wire.ask_body("AUTH")?;
    if !reply.is_ok() {
        let detail = "refused; Outlook and PHP ask it".into();
        book.remark(&["S020"], "AUTH alone lists the mechanisms", detail);
    }
    if sasl.split(' ').any(|name| name == "PLAIN") {
        let reply = wire.ask("AUTH PLAIN")?;
        let proper = reply.verdict == Status::Challenge && reply.text.is_empty();
        book.judge(
            &["S006", "S008"],
            "AUTH PLAIN asks with an empty challenge",
            proper,
            || reply.line.clone(),
        );
        if reply.verdict == Status::Challenge {
            let reply = wire.ask("*")?;
            book.judge(
                &["S007"],
                "'*' cancels a SASL exchange",
                reply.is_err(),
                || reply.line.clone(),
            );
        }
    }
    Ok(())
}

fn utf8(probe: &Probe<'_>, capabilities: &[String], book: &mut Book) -> io::Result<()> {
    if !has(capabilities, "UTF8") {
        return Ok(());
    }
    let reply: Reply = connect(probe)?.ask("UTF8")?;
    book.judge(
        &["U003"],
        "UTF8 before the login, as announced",
        reply.is_ok(),
        || reply.line.clone(),
    );
    Ok(())
}
