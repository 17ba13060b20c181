//! The mailboxes, as Maildirs whose files tell their sizes by their names, as Dovecot delivers them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::imap::Imap;
use crate::place::Place;

/// A few large messages, and what is in them.
pub(crate) const LARGE: &str = "large";
pub(crate) const LARGE_MESSAGES: usize = 4;
pub(crate) const LARGE_SIZE: usize = 25 * MIB;

/// One message of 1 GiB.
pub(crate) const GIANT: &str = "giant";
const GIANT_SIZE: usize = 1024 * MIB;

/// A thousand messages of 4 KiB.
pub(crate) const MANY: &str = "many";
pub(crate) const MANY_MESSAGES: usize = 1000;
pub(crate) const MANY_SIZE: usize = 4 * 1024;

/// A hundred thousand small messages.
pub(crate) const HUGE: &str = "huge";
pub(crate) const HUGE_MESSAGES: usize = 100_000;
const HUGE_SIZE: usize = 600;

/// Users who log in and have little mail.
pub(crate) const USERS: usize = 300;
const USER_MESSAGES: usize = 3;

pub(crate) const MIB: usize = 1024 * 1024;

pub(crate) fn user(number: usize) -> String {
    format!("user{number}")
}

/// The dear ones among the mailboxes, which are not always needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    pub(crate) giant: bool,
    pub(crate) huge: bool,
}

/// Makes the mailboxes; returns the folder they are in.
pub(crate) fn prepare(place: &Place, needed: Needed) -> Outcome<PathBuf> {
    let mail = place.path("mail");
    place.own(&mail)?;
    let make = |user: &str, count, size| mailbox(place, &mail.join(user), count, size);
    make(LARGE, LARGE_MESSAGES, LARGE_SIZE)?;
    make(MANY, MANY_MESSAGES, MANY_SIZE)?;
    if needed.giant {
        make(GIANT, 1, GIANT_SIZE)?;
    }
    if needed.huge {
        make(HUGE, HUGE_MESSAGES, HUGE_SIZE)?;
    }
    for number in 0..USERS {
        make(&user(number), USER_MESSAGES, MANY_SIZE)?;
    }
    Ok(mail)
}

/// Lets the upstream index all mailboxes, which is no part of what is measured.
pub(crate) fn index(imap: u16, needed: Needed) -> Outcome {
    let dear = [(needed.giant, GIANT), (needed.huge, HUGE)];
    let dear = dear.into_iter().filter_map(|(is, user)| is.then_some(user));
    let named = [LARGE, MANY].into_iter().chain(dear);
    for user in named.map(ToOwned::to_owned).chain((0..USERS).map(user)) {
        Imap::open(imap, &user)?.logout()?;
    }
    Ok(())
}

fn mailbox(place: &Place, folder: &Path, count: usize, size: usize) -> Outcome {
    for part in ["", "tmp", "new", "cur"] {
        place.own(&folder.join(part))?;
    }
    let head = "From: Alice <alice@example.org>\nTo: Bob <bob@example.net>\n\
        Subject: One of many\nDate: Mon, 2 Nov 2026 10:00:00 +0000\n\
        Message-ID: <one@example.org>\nMIME-Version: 1.0\nContent-Type: text/plain\n\n";
    let line = "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNldGV0dXIgc2FkaXBzY2luZyBlbGl0ciwg\n";
    let on_the_wire = |text: &str| text.len() + text.lines().count();
    let lines = (size - on_the_wire(head)) / on_the_wire(line);
    let stored = head.len() + lines * line.len();
    let wire = on_the_wire(head) + lines * on_the_wire(line);
    for number in 0..count {
        let name = format!("1700000000.M{number:06}P1.bench,S={stored},W={wire}:2,");
        let path = folder.join("cur").join(name);
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(head.as_bytes())?;
        for _ in 0..lines {
            file.write_all(line.as_bytes())?;
        }
        file.into_inner().map_err(|error| error.into_error())?;
        place.give(&path)?;
    }
    Ok(())
}
