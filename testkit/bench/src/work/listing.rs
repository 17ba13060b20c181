//! Login and the lists of large mailboxes.

use std::time::Instant;

use super::Note;
use crate::Outcome;
use crate::imap::Imap;
use crate::mail::{HUGE, MANY};
use crate::pop::{Door, Pop};
use crate::servers::Peer;
use crate::table::Row;

pub(super) fn huge(peer: &Peer, note: &mut Note<'_>) -> Outcome {
    let keeps = peer.forget(HUGE);
    note(Row::HugeCold, list(&peer.plain, HUGE)?);
    if keeps {
        note(Row::HugeWarm, list(&peer.plain, HUGE)?);
    }
    Ok(())
}

pub(super) fn bare_huge(imap: u16, note: &mut Note<'_>) -> Outcome {
    note(Row::HugeCold, scan(imap, HUGE)?);
    Ok(())
}

pub(super) fn far(peer: &Peer, note: &mut Note<'_>) -> Outcome {
    peer.forget(MANY);
    note(Row::ThousandFar, list(&peer.far, MANY)?);
    Ok(())
}

pub(super) fn bare_far(imap: u16, note: &mut Note<'_>) -> Outcome {
    note(Row::ThousandFar, scan(imap, MANY)?);
    Ok(())
}

fn list(door: &Door, user: &str) -> Outcome<f64> {
    let begin = Instant::now();
    let mut pop = Pop::login(door, user)?;
    pop.ask("STAT")?;
    pop.ask_long("LIST")?;
    pop.ask_long("UIDL")?;
    pop.quit()?;
    Ok(begin.elapsed().as_secs_f64())
}

fn scan(imap: u16, user: &str) -> Outcome<f64> {
    let begin = Instant::now();
    Imap::open(imap, user)?.logout()?;
    Ok(begin.elapsed().as_secs_f64())
}
