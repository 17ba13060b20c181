//! Marks that are taken back: a bad server could delete at once, so this is tried only on request,
//! and with a copy of the message.

use std::io;

use super::Probe;
use super::book::Book;
use super::contents::entries;
use super::wire::{Wire, trouble};
use pop3_client_io::Identity;

pub(super) fn probe(probe: &Probe<'_>, identity: &Identity, book: &mut Book) {
    let outcome = probe
        .enter(identity)
        .map_err(io::Error::other)
        .and_then(|wire| marks(probe, identity, wire, book));
    if let Err(error) = outcome {
        book.fault(&["P032"], "deletion marks", trouble(&error));
    }
}

fn marks(
    probe: &Probe<'_>,
    identity: &Identity,
    mut wire: Wire,
    book: &mut Book,
) -> io::Result<()> {
    let before = sizes(&mut wire)?;
    if before.len() < 2 {
        let _ = wire.ask("QUIT");
        book.untried(
            &["P032", "P035", "P037"],
            "deletion marks",
            "it takes two messages",
        );
        return Ok(());
    }
    // not the last one, to see whether numbers move
    let Some((&(number, size), rest)) = before.split_first() else {
        return Ok(());
    };
    let ids = unique_ids(&mut wire)?;
    let (_, copy) = wire.ask_body(&format!("RETR {number}"))?;
    let stat = wire.ask("STAT")?;
    let reply = wire.ask(&format!("DELE {number}"))?;
    if !reply.is_ok() {
        book.remark(&["P032"], "DELE", reply.line);
        let _ = wire.ask("QUIT");
        return Ok(());
    }
    let listed = sizes(&mut wire)?;
    book.judge(
        &["P026", "P052", "F15", "F20"],
        "a marked message is no longer listed, and the others keep their numbers",
        listed == rest,
        || {
            let numbers: Vec<_> = listed
                .iter()
                .take(5)
                .map(|(number, _)| number.to_string())
                .collect();
            format!("LIST begins with {}", numbers.join(", "))
        },
    );
    let left = unique_ids(&mut wire)?;
    let kept = left.iter().eq(ids.iter().filter(|(of, _)| *of != number));
    book.judge(&["P052", "F15", "F20"], "the same in UIDL", kept, || {
        "it is not".into()
    });
    let less = wire.ask("STAT")?;
    let sum: u64 = rest.iter().map(|(_, size)| size).sum();
    let wanted = format!("{} {sum}", rest.len());
    book.judge(
        &["P024", "F15"],
        "a marked message no longer counts",
        less.text == wanted,
        || {
            format!(
                "before {}, after DELE of {size} octets {}",
                stat.text, less.text
            )
        },
    );
    let mut taken = Vec::new();
    for command in ["LIST", "UIDL", "DELE"] {
        let reply = wire.ask(&format!("{command} {number}"))?;
        if !reply.is_err() {
            taken.push(format!("{command} gives {}", reply.line));
        }
    }
    let (reply, _) = wire.ask_body(&format!("RETR {number}"))?;
    if !reply.is_err() {
        taken.push(format!("RETR gives {}", reply.line));
    }
    book.judge(
        &["P032", "F15"],
        "a marked message cannot be retrieved",
        taken.is_empty(),
        || taken.join(", "),
    );
    let reply = wire.ask("RSET")?;
    let back = sizes(&mut wire)?;
    book.judge(
        &["P035"],
        "RSET takes the marks back",
        reply.is_ok() && back == before,
        || reply.line.clone(),
    );
    // and now without QUIT
    let reply = wire.ask(&format!("DELE {number}"))?;
    drop(wire);
    let mut wire = probe.enter(identity).map_err(io::Error::other)?;
    let now = unique_ids(&mut wire)?;
    let _ = wire.ask("QUIT");
    let id = ids.iter().find(|(of, _)| *of == number).map(|(_, id)| id);
    let there = now.iter().any(|(_, now)| Some(now) == id);
    book.judge(
        &["P037", "P033", "F23"],
        "a session without QUIT removes nothing",
        there,
        || {
            let rescued = rescue(&copy);
            format!("{}: message {number} is gone; {rescued}", reply.line)
        },
    );
    Ok(())
}

/// The mail that a bad server removed must not be lost.
fn rescue(copy: &[u8]) -> String {
    let name = format!("rescued-{}.eml", std::process::id());
    match std::fs::write(&name, copy) {
        Ok(()) => format!("a copy is in {name}"),
        Err(error) => format!("no copy could be kept: {error}"),
    }
}

fn sizes(wire: &mut Wire) -> io::Result<Vec<(u32, u64)>> {
    let (_, lines) = wire.ask_body("LIST")?;
    let (sizes, _) = entries(&lines, |rest| str::from_utf8(rest).ok()?.parse().ok());
    Ok(sizes.into_iter().collect())
}

fn unique_ids(wire: &mut Wire) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let (_, lines) = wire.ask_body("UIDL")?;
    let (ids, _) = entries(&lines, |rest| Some(rest.to_vec()));
    Ok(ids.into_iter().collect())
}
