//! What comes before a session: the first octets of a connection may say who its client is.
//!
//! A [`Preamble`] reads them and may change the [`Peer`], as the [PROXY protocol](crate::proxy) does. It is bounded in
//! octets and in time, and so is the number of connections that are at it. After it the connection is counted under the peer that it
//! named, and gets its place. A listener without a preamble pays nothing.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::observer::Unheard;
use crate::runtime::{Runtime, Stream, Timer};
use crate::service::Peer;
use crate::shutdown::{Member, Phase};

/// Reads the first octets of a connection.
pub trait Preamble: Send + Sync + 'static {
    /// Whether this peer may say anything here. If not, its connection is closed at once. Must not block.
    fn hears(&self, peer: &Peer) -> bool {
        let _ = peer;
        true
    }

    /// Reads all octets that came so far, and may change the peer. Called again, with a fresh peer and more octets,
    /// after [`Verdict::More`]. Must not block.
    fn read(&self, octets: &[u8], peer: &mut Peer) -> Verdict;

    /// How many octets it may take, at most.
    fn longest(&self) -> usize {
        536
    }

    /// How long it may take, in all.
    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// What a preamble says of the octets that came so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More have to come.
    More,
    /// This many octets were the preamble; the session begins after them.
    Done(usize),
    /// This is not valid here: the connection is closed without a word.
    Refused,
}

/// Reads a preamble from the stream. Yields the peer and what came after it. Otherwise the connection is to be
/// closed, without a reason if the client left or the server stops.
pub(crate) async fn read<R: Runtime>(
    preamble: &dyn Preamble,
    runtime: &R,
    stream: &mut R::Stream,
    peer: &Peer,
    member: &mut Member,
) -> Result<(Peer, Box<[u8]>), Option<Unheard>> {
    let longest = preamble.longest();
    let until = runtime.now() + preamble.patience();
    let mut timer = runtime.timer();
    let mut octets = Vec::new();
    while octets.len() < longest {
        let come = octets.len();
        octets.resize(longest, 0);
        let n = poll_fn(|cx| {
            // All are asked until they have nothing new, so that all wake.
            while let Poll::Ready(phase) = member.poll_phase(cx) {
                if phase > Phase::Draining {
                    return Poll::Ready(Err(None));
                }
            }
            if timer.poll_at(cx, until).is_ready() {
                return Poll::Ready(Err(Some(Unheard::Late)));
            }
            let read = stream.poll_read(cx, &mut octets[come..]);
            read.map(|read| read.ok().filter(|n| *n > 0).ok_or(None))
        });
        let n = n.await?;
        octets.truncate(come + n);
        let mut changed = peer.clone();
        match preamble.read(&octets, &mut changed) {
            Verdict::More => {}
            Verdict::Done(n) => {
                return Ok((changed, octets.split_off(n.min(octets.len())).into()));
            }
            Verdict::Refused => break,
        }
    }
    Err(Some(Unheard::Invalid))
}
