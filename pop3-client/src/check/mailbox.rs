//! What a mailbox says about itself: numbers, sizes, unique-ids, twice.

use std::collections::{BTreeMap, HashSet};
use std::io;

use super::book::Book;
use super::contents::{Contents, entries};
use super::wire::{Wire, trouble};
use super::{Probe, has, messages};
use pop3_client_io::Identity;
use pop3_proto::unique_id;

pub(super) fn probe(
    probe: &Probe<'_>,
    identity: &Identity,
    mut wire: Wire,
    before: &[String],
    after: &[String],
    book: &mut Book,
) {
    capabilities(before, after, book);
    let outcome = (|| {
        let contents = contents(&mut wire, book)?;
        numbers(&mut wire, &contents, book)?;
        pipelining(&mut wire, after, &contents, book)?;
        messages::probe(probe, &mut wire, after, &contents, book)?;
        let reply = wire.ask("QUIT")?;
        book.judge(&["P036"], "QUIT", reply.is_ok(), || reply.line.clone());
        drop(wire);
        again(probe, identity, &contents, book)
    })();
    if let Err(error) = outcome {
        book.fault(&["P010"], "the session after the login", trouble(&error));
    }
}

fn capabilities(before: &[String], after: &[String], book: &mut Book) {
    if before.is_empty() {
        return;
    }
    let tag = |line: &String| line.split(' ').next().unwrap_or_default().to_string();
    // RFC 2449 and 2595 let these differ
    let may_go = [
        "STLS",
        "IMPLEMENTATION",
        "EXPIRE",
        "LOGIN-DELAY",
        "UTF8",
        "LANG",
    ];
    let gone: Vec<_> = before
        .iter()
        .map(tag)
        .filter(|tag| !may_go.contains(&tag.as_str()) && !has(after, tag))
        .collect();
    book.judge(
        &["X006", "S001"],
        "what is announced before the login is announced after it",
        gone.is_empty(),
        || format!("{} not", gone.join(", ")),
    );
    let late: Vec<_> = after
        .iter()
        .map(tag)
        .filter(|tag| {
            ["UIDL", "TOP", "PIPELINING", "RESP-CODES"].contains(&tag.as_str()) && !has(before, tag)
        })
        .collect();
    book.judge(
        &["X009", "X006"],
        "what works after the login is announced before it",
        late.is_empty(),
        || format!("{} only after the login", late.join(", ")),
    );
}

pub(super) fn contents(wire: &mut Wire, book: &mut Book) -> io::Result<Contents> {
    let stat = wire.ask("STAT")?;
    let words: Vec<_> = stat.text.split(' ').collect();
    let told = match words.as_slice() {
        [messages, octets] => messages.parse::<u64>().ok().zip(octets.parse::<u64>().ok()),
        _ => None,
    };
    book.judge(
        &["P023", "P029"],
        "STAT gives two numbers and nothing else",
        stat.is_ok() && told.is_some(),
        || stat.line.clone(),
    );
    let (list, lines) = wire.ask_body("LIST")?;
    let (sizes, odd) = entries(&lines, |rest| {
        str::from_utf8(rest).ok()?.parse::<u64>().ok()
    });
    book.judge(
        &["P021", "P026", "P027", "P029"],
        "LIST gives number and size",
        list.is_ok() && odd.is_none(),
        || odd.unwrap_or(list.line),
    );
    if let Some((messages, octets)) = told {
        let sum = sizes.values().sum::<u64>();
        let same = messages == sizes.len() as u64 && octets == sum;
        book.judge(&["P023", "P021"], "STAT and LIST agree", same, || {
            format!(
                "STAT: {messages} and {octets}, LIST: {} and {sum}",
                sizes.len()
            )
        });
    }
    let dense = sizes
        .keys()
        .copied()
        .eq(1..=u32::try_from(sizes.len()).unwrap_or(u32::MAX));
    book.judge(&["P020"], "messages are numbered from 1", dense, || {
        "they are not".into()
    });
    let ids = unique_ids(wire, book)?;
    if !ids.is_empty() {
        let same = ids.keys().eq(sizes.keys());
        book.judge(
            &["P047"],
            "LIST and UIDL list the same messages",
            same,
            || "they do not".into(),
        );
    }
    Ok(Contents { sizes, ids })
}

fn unique_ids(wire: &mut Wire, book: &mut Book) -> io::Result<BTreeMap<u32, Vec<u8>>> {
    let (uidl, lines) = wire.ask_body("UIDL")?;
    if !uidl.is_ok() {
        let detail = format!("{}: clients cannot leave mail on the server", uidl.line);
        book.fault(&["P041"], "UIDL", detail);
        return Ok(BTreeMap::new());
    }
    let (ids, odd) = entries(&lines, |rest| {
        unique_id::is_valid(rest).then(|| rest.to_vec())
    });
    book.judge(
        &["P047", "P048"],
        "unique-ids are 1 to 70 visible characters",
        odd.is_none(),
        || odd.unwrap_or_default(),
    );
    let mut seen = HashSet::new();
    let twice = ids.values().find(|id| !seen.insert(*id));
    book.judge(
        &["P049", "F16"],
        "no two messages have the same unique-id",
        twice.is_none(),
        || {
            let id = twice.map(Vec::as_slice).unwrap_or_default();
            format!("several have {}", String::from_utf8_lossy(id))
        },
    );
    if ids.values().any(|id| id.contains(&b'/')) {
        let detail = "some have a slash, which some clients use as a file's name".into();
        book.remark(&["qA7"], "unique-ids", detail);
    }
    Ok(ids)
}

/// Invalid numbers must not be read as the number of a message.
fn numbers(wire: &mut Wire, contents: &Contents, book: &mut Book) -> io::Result<()> {
    let beyond = contents.sizes.len() + 1;
    let mut taken = Vec::new();
    for command in [
        "LIST 0".to_string(),
        "UIDL 0".into(),
        "LIST -1".into(),
        "LIST 1x".into(),
        "LIST 4294967297".into(),
        format!("LIST {beyond}"),
        format!("UIDL {beyond}"),
    ] {
        let reply = wire.ask(&command)?;
        if !reply.is_err() {
            taken.push(format!("{command} gives {}", reply.line));
        }
    }
    for command in [
        "RETR 0".to_string(),
        "TOP 0 0".into(),
        format!("RETR {beyond}"),
    ] {
        let (reply, _) = wire.ask_body(&command)?;
        if !reply.is_err() {
            taken.push(format!("{command} gives {}", reply.line));
        }
    }
    book.judge(
        &["P025", "P030", "P068", "F15"],
        "numbers without a message are refused",
        taken.is_empty(),
        || taken.join(", "),
    );
    for command in ["NOOP", "RSET"] {
        let reply = wire.ask(command)?;
        book.judge(&["P034"], command, reply.is_ok(), || reply.line.clone());
    }
    if let Some((&number, &size)) = contents.sizes.first_key_value() {
        let reply = wire.ask(&format!("LIST {number}"))?;
        let proper = reply.is_ok() && reply.text == format!("{number} {size}");
        book.judge(&["P025"], "LIST of one message", proper, || {
            reply.line.clone()
        });
        if let Some(id) = contents.ids.get(&number) {
            let reply = wire.ask(&format!("UIDL {number}"))?;
            let proper = format!("{number} {}", String::from_utf8_lossy(id));
            book.judge(
                &["P047", "qC9"],
                "UIDL of one message",
                reply.is_ok() && reply.text == proper,
                || reply.line.clone(),
            );
        }
    }
    Ok(())
}

fn pipelining(
    wire: &mut Wire,
    after: &[String],
    contents: &Contents,
    book: &mut Book,
) -> io::Result<()> {
    let title = "commands in one write are answered in order";
    if !has(after, "PIPELINING") {
        book.untried(&["X014"], title, "PIPELINING is not announced");
        return Ok(());
    }
    let stat = wire.ask("STAT")?;
    let beyond = contents.sizes.len() + 1;
    let line = format!("LIST {beyond}\r\nSTAT\r\nNOOP\r\nLIST {beyond}\r\nSTAT\r\n");
    wire.send(line.as_bytes(), "LIST, STAT, NOOP, LIST, STAT in one write")?;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(wire.status()?);
    }
    let proper = match answers.as_slice() {
        [no, first, noop, still_no, second] => {
            no.is_err()
                && still_no.is_err()
                && noop.is_ok()
                && first.text == stat.text
                && second.text == stat.text
        }
        _ => false,
    };
    book.judge(&["X014"], title, proper, || {
        let lines: Vec<_> = answers.iter().map(|reply| reply.line.as_str()).collect();
        lines.join(", ")
    });
    Ok(())
}

/// A second session must give the same messages the same ids.
fn again(
    probe: &Probe<'_>,
    identity: &Identity,
    first: &Contents,
    book: &mut Book,
) -> io::Result<()> {
    let mut wire = probe.enter(identity).map_err(io::Error::other)?;
    let (_, lines) = wire.ask_body("UIDL")?;
    let (ids, _) = entries(&lines, |rest| Some(rest.to_vec()));
    let (_, lines) = wire.ask_body("LIST")?;
    let (sizes, _) = entries(&lines, |rest| {
        str::from_utf8(rest).ok()?.parse::<u64>().ok()
    });
    let _ = wire.ask("QUIT");
    let sizes_by_id = |contents: &Contents| -> BTreeMap<Vec<u8>, u64> {
        contents
            .ids
            .iter()
            .filter_map(|(number, id)| Some((id.clone(), *contents.sizes.get(number)?)))
            .collect()
    };
    let lost = first
        .ids
        .values()
        .filter(|id| !ids.values().any(|now| now == *id))
        .count();
    book.judge(
        &["P050", "P051"],
        "a second session gives the same unique-ids",
        lost == 0,
        || format!("{lost} of {} are gone or changed", first.ids.len()),
    );
    let second = sizes_by_id(&Contents { sizes, ids });
    let changed = sizes_by_id(first)
        .into_iter()
        .filter(|(id, size)| second.get(id).is_some_and(|now| now != size))
        .count();
    book.judge(
        &["P028"],
        "a second session gives the same sizes",
        changed == 0,
        || format!("{changed} changed"),
    );
    Ok(())
}
