//! Large messages: throughput, processor time, the first octet, memory, TOP.

use std::time::{Duration, Instant};

use super::{Note, Scale};
use crate::Outcome;
use crate::imap::Imap;
use crate::mail::{GIANT, LARGE, LARGE_MESSAGES};
use crate::pop::{Door, Pop};
use crate::servers::Peer;
use crate::table::{Row, median};

const MB: f64 = 1e6;

/// What a run of RETRs came to.
struct Run {
    megabytes: f64,
    seconds: f64,
    cpu: Duration,
    first_octet: f64,
}

pub(super) fn plain(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let run = retrieve(peer, &peer.plain, scale)?;
    note(Row::CpuPerMb, run.cpu.as_secs_f64() / run.megabytes);
    note(Row::Throughput, run.megabytes / run.seconds);
    note(Row::FirstOctet, run.first_octet);
    Ok(())
}

pub(super) fn tls(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let run = retrieve(peer, &peer.tls, scale)?;
    note(Row::CpuPerMbTls, run.cpu.as_secs_f64() / run.megabytes);
    Ok(())
}

pub(super) fn bare(imap: u16, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let mut imap = Imap::open(imap, LARGE)?;
    let (mut firsts, mut octets) = (Vec::new(), 0);
    let begin = Instant::now();
    for round in 0..scale.large {
        let asked = Instant::now();
        imap.send(&format!("FETCH {} (BODY.PEEK[])", number(round)))?;
        imap.wire.wait()?;
        firsts.push(asked.elapsed().as_secs_f64());
        octets += imap.done()?;
    }
    note(
        Row::Throughput,
        octets as f64 / MB / begin.elapsed().as_secs_f64(),
    );
    note(Row::FirstOctet, median(&mut firsts).unwrap_or_default());
    imap.logout()
}

pub(super) fn memory(peer: &mut Peer, note: &mut Note<'_>) -> Outcome {
    note(Row::Memory, added(peer, LARGE, 4)?);
    Ok(())
}

pub(super) fn memory_giant(peer: &mut Peer, note: &mut Note<'_>) -> Outcome {
    note(Row::MemoryGiant, added(peer, GIANT, 1)?);
    Ok(())
}

pub(super) fn top(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let mut pop = Pop::login(&peer.plain, LARGE)?;
    let (begin, mut count) = (Instant::now(), 0);
    while begin.elapsed().as_secs_f64() < scale.top {
        pop.ask_long(&format!("TOP {} 0", number(count)))?;
        count += 1;
    }
    note(Row::Top, count as f64 / begin.elapsed().as_secs_f64());
    pop.quit()
}

fn retrieve(peer: &Peer, door: &Door, scale: &Scale) -> Outcome<Run> {
    let mut pop = Pop::login(door, LARGE)?;
    let (mut firsts, mut octets) = (Vec::new(), 0);
    let cpu = peer.tree().cpu();
    let begin = Instant::now();
    for round in 0..scale.large {
        let asked = Instant::now();
        pop.ask(&format!("RETR {}", number(round)))?;
        pop.wire.wait()?;
        firsts.push(asked.elapsed().as_secs_f64());
        octets += pop.wire.body()?;
    }
    let run = Run {
        megabytes: octets as f64 / MB,
        seconds: begin.elapsed().as_secs_f64(),
        cpu: peer.tree().cpu() - cpu,
        first_octet: median(&mut firsts).unwrap_or_default(),
    };
    pop.quit()?;
    Ok(run)
}

/// KiB that a session takes beyond what it takes while idle.
fn added(peer: &mut Peer, user: &str, rounds: usize) -> Outcome<f64> {
    peer.restart()?;
    let mut pop = Pop::login(&peer.plain, user)?;
    let before = peer.tree().memory();
    let watch = peer.tree().watch();
    for _ in 0..rounds {
        pop.ask_long("RETR 1")?;
    }
    let peak = watch.peak()?;
    pop.quit()?;
    Ok(peak.saturating_sub(before) as f64)
}

/// The messages in turn.
fn number(round: usize) -> usize {
    round % LARGE_MESSAGES + 1
}
