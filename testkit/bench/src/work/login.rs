//! Logins: how many at a time, at which cost, and how long with a round trip of 20 ms.

use std::thread;
use std::time::{Duration, Instant};

use super::{Note, Scale};
use crate::Outcome;
use crate::imap::Imap;
use crate::mail::{USERS, user};
use crate::pop::{Door, Pop};
use crate::servers::Peer;
use crate::servers::gateway::{ASKED, IDLING};
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

/// A session of a device that looks for mail.
fn poll(door: &Door, user: &str) -> Outcome {
    let mut pop = Pop::login(door, user)?;
    pop.ask("STAT")?;
    pop.ask_long("UIDL")?;
    pop.quit()
}

/// The user whose connection waits upstream, where the server can do that.
fn waiting(peer: &Peer, user: &str, domain: &str) -> String {
    match peer.who.is_ours() {
        true => format!("{user}@{domain}"),
        false => user.into(),
    }
}

pub(super) fn polls(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    let session = |user: &str| poll(&peer.plain, &waiting(peer, user, ASKED));
    // the second round is of those who were there before
    crowd(scale, &session)?;
    let (polls, seconds) = crowd(scale, &session)?;
    note(Row::Polls, polls as f64 / seconds);
    Ok(())
}

pub(super) fn polls_far(peer: &Peer, scale: &Scale, note: &mut Note<'_>) -> Outcome {
    for (row, domain) in [(Row::PollFar, ASKED), (Row::PollIdling, IDLING)] {
        let mut times = Vec::new();
        let user = waiting(peer, &user(0), domain);
        poll(&peer.far, &user)?;
        for _ in 0..scale.far {
            // as long as the answer to IDLE takes
            thread::sleep(Duration::from_millis(100));
            let begin = Instant::now();
            poll(&peer.far, &user)?;
            times.push(begin.elapsed().as_secs_f64());
        }
        note(row, median(&mut times).unwrap_or_default());
    }
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
