//! Connections that do nothing: what each takes of the server's memory.

use std::thread;
use std::time::Duration;

use super::{Note, Scale};
use crate::Outcome;
use crate::mail::user;
use crate::pop::{Door, Pop};
use crate::servers::Peer;
use crate::table::Row;

/// Until servers have put their things away.
const SETTLE: Duration = Duration::from_millis(1500);

pub(super) fn plain(peer: &mut Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let door = peer.plain.clone();
    let each = held(peer, scale, &|number| Pop::login(&door, &user(number)))?;
    note(Row::Idle, each);
    Ok(())
}

pub(super) fn tls(peer: &mut Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let door = peer.tls.clone();
    let each = held(peer, scale, &|number| Pop::login(&door, &user(number)))?;
    note(Row::IdleTls, each);
    Ok(())
}

pub(super) fn before(peer: &mut Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let door: Door = peer.plain.clone();
    let each = held(peer, scale, &|_| Pop::connect(&door))?;
    note(Row::Before, each);
    Ok(())
}

/// KiB for each of this many connections, in a server that was just started and has served one.
fn held(peer: &mut Peer, scale: &Scale, open: &dyn Fn(usize) -> Outcome<Pop>) -> Outcome<f64> {
    peer.restart()?;
    open(0)?.quit()?;
    thread::sleep(SETTLE);
    let before = peer.tree().memory();
    let all: Outcome<Vec<Pop>> = (0..scale.idle).map(open).collect();
    let all = all?;
    thread::sleep(SETTLE);
    let after = peer.tree().memory();
    let each = after.saturating_sub(before) as f64 / all.len() as f64;
    for pop in all {
        pop.quit()?;
    }
    Ok(each)
}
