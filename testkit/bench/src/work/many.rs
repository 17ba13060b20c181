//! Many small messages: one by one, far away, pipelined, and only their tops.

use std::time::Instant;

use super::{Note, Scale};
use crate::Outcome;
use crate::imap::Imap;
use crate::mail::{MANY, MANY_MESSAGES};
use crate::pop::{Door, Pop};
use crate::servers::{Peer, Who};
use crate::table::Row;

/// Commands on their way at once.
const DEPTH: usize = 16;

pub(super) fn one_by_one(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let seconds = (0..scale.many).map(|_| walk(&peer.plain, MANY_MESSAGES, RETR));
    let seconds: f64 = seconds.sum::<Outcome<f64>>()?;
    note(Row::OneByOne, (scale.many * MANY_MESSAGES) as f64 / seconds);
    Ok(())
}

pub(super) fn far(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let count = far_count(peer, scale);
    note(
        Row::OneByOneFar,
        count as f64 / walk(&peer.far, count, RETR)?,
    );
    Ok(())
}

pub(super) fn tops(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let seconds = (0..scale.many).map(|_| walk(&peer.plain, MANY_MESSAGES, HEADER));
    let seconds: f64 = seconds.sum::<Outcome<f64>>()?;
    note(Row::Tops, (scale.many * MANY_MESSAGES) as f64 / seconds);
    Ok(())
}

pub(super) fn tops_far(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let count = far_count(peer, scale);
    for (row, command) in [(Row::TopsFar, HEADER), (Row::TopLinesFar, LINES)] {
        note(row, count as f64 / walk(&peer.far, count, command)?);
    }
    Ok(())
}

/// Whose rate is that of round trips shows it with fewer messages.
fn far_count(peer: &Peer, scale: &Scale) -> usize {
    match peer.who {
        Who::Tokio | Who::Smol => MANY_MESSAGES,
        Who::Imapc | Who::Native | Who::Relay | Who::Bare => scale.many_far,
    }
}

pub(super) fn pipelined(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let mut seconds = 0.0;
    for _ in 0..scale.many {
        let mut pop = Pop::login(&peer.plain, MANY)?;
        let begin = Instant::now();
        let (mut sent, mut commands) = (0, String::new());
        for done in 0..MANY_MESSAGES {
            if sent - done <= DEPTH / 2 {
                commands.clear();
                while sent < MANY_MESSAGES && sent - done < DEPTH {
                    sent += 1;
                    commands += &format!("RETR {sent}\r\n");
                }
                pop.wire.send(commands.as_bytes())?;
            }
            pop.ok()?;
            pop.wire.body()?;
        }
        seconds += begin.elapsed().as_secs_f64();
        pop.quit()?;
    }
    note(
        Row::Pipelined,
        (scale.many * MANY_MESSAGES) as f64 / seconds,
    );
    Ok(())
}

pub(super) fn bare(imap: u16, row: Row, note: &mut Note<'_>) -> Outcome {
    let mut imap = Imap::open(imap, MANY)?;
    let begin = Instant::now();
    imap.ask("FETCH 1:* (BODY.PEEK[])")?;
    note(row, MANY_MESSAGES as f64 / begin.elapsed().as_secs_f64());
    imap.logout()
}

/// What is said before and after the number of a message.
type Asks = (&'static str, &'static str);

const RETR: Asks = ("RETR", "");
const HEADER: Asks = ("TOP", " 0");
const LINES: Asks = ("TOP", " 20");

/// Asks for the first messages one after the other; tells how many seconds that took, without the login.
fn walk(door: &Door, count: usize, (verb, rest): Asks) -> Outcome<f64> {
    let mut pop = Pop::login(door, MANY)?;
    let begin = Instant::now();
    for number in 1..=count {
        pop.ask_long(&format!("{verb} {number}{rest}"))?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    pop.quit()?;
    Ok(seconds)
}
