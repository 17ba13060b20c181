//! Logins: how many at a time, at which cost, and how long with a round trip of 20 ms.

use std::thread;
use std::time::{Duration, Instant};

use super::{Note, Scale};
use crate::Outcome;
use crate::imap::Imap;
use crate::mail::{USERS, user};
use crate::pop::Pop;
use crate::servers::Peer;
use crate::table::{Row, median};

/// Clients at the same time, each with users of its own.
const CLIENTS: usize = 10;

pub(super) fn rate(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let session = |user: &str| Pop::login(&peer.plain, user)?.quit();
    let cpu = peer.tree().cpu();
    let (logins, seconds) = crowd(scale, &session)?;
    let cpu = peer.tree().cpu() - cpu;
    note(Row::Logins, logins as f64 / seconds);
    note(Row::CpuPerLogin, cpu.as_secs_f64() / logins as f64);
    Ok(())
}

pub(super) fn bare_rate(imap: u16, row: Row, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let session = |user: &str| Imap::open(imap, user)?.logout();
    let (logins, seconds) = crowd(scale, &session)?;
    note(row, logins as f64 / seconds);
    Ok(())
}

pub(super) fn far(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    each(scale, note, &|user| {
        let mut pop = Pop::login(&peer.far, user)?;
        pop.ask("STAT")?;
        pop.quit()
    })
}

pub(super) fn bare_far(imap: u16, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    each(scale, note, &|user| Imap::open(imap, user)?.logout())
}

/// The median time of a session.
fn each(scale: &Scale, note: &mut Note<'_>, session: &dyn Fn(&str) -> Outcome) -> Outcome {
    let mut times = Vec::new();
    for number in 0..scale.far {
        let begin = Instant::now();
        session(&user(number))?;
        times.push(begin.elapsed().as_secs_f64());
    }
    note(Row::LoginFar, median(&mut times).unwrap_or_default());
    Ok(())
}

/// Sessions of many users at once for a while; how many there were, and in how many seconds.
fn crowd<F>(scale: &Scale, session: &F) -> Outcome<(usize, f64)>
where
    F: Fn(&str) -> Outcome + Sync,
{
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(scale.logins);
    let client = |first: usize| -> Outcome<usize> {
        let mut count = 0;
        while Instant::now() < end {
            session(&user((first + count * CLIENTS) % USERS))?;
            count += 1;
        }
        Ok(count)
    };
    let counts: Outcome<usize> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|first| scope.spawn(move || client(first)))
            .collect();
        let joined = clients.into_iter().map(|client| client.join());
        joined
            .map(|count| count.unwrap_or_else(|_| Err("a client died".into())))
            .sum()
    });
    Ok((counts?, begin.elapsed().as_secs_f64()))
}
