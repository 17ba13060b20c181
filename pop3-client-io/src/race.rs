//! From a name to a connection on an asynchronous runtime: all its addresses, staggered and by turns of
//! family (RFC 8305), so that a dead one costs a moment. The first that answers wins; the others are closed.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use peer_trust::in_turn;

use crate::dial::{self, STAGGER};
use crate::endpoint::Endpoint;
use crate::error::Error;

/// Sockets, names and a clock.
pub(crate) trait Net: Sync {
    type Stream: Send;

    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    fn connect(&self, address: SocketAddr)
    -> impl Future<Output = io::Result<Self::Stream>> + Send;

    fn sleep_until(&self, moment: Instant) -> impl Future<Output = ()> + Send;
}

/// Connects to whichever address of the host answers first.
pub(crate) async fn dial<N: Net>(
    net: &N,
    endpoint: &Endpoint,
) -> Result<(N::Stream, SocketAddr), Error> {
    let end = Instant::now() + endpoint.patience;
    let place = endpoint.place();
    let found = before(net, end, net.resolve(place.host, place.port)).await;
    let addresses = dial::found(endpoint, found)?;
    let ordered = in_turn(addresses, None);
    let raced = race(net, &ordered, end, STAGGER).await;
    let (stream, peer) =
        raced.map_err(|(tried, cause)| dial::unconnected(endpoint, &tried, cause))?;
    let transcript = &endpoint.transcript;
    transcript.note(&format!("connected to {} ({peer})", endpoint.host));
    Ok((stream, peer))
}

async fn before<N: Net, V>(
    net: &N,
    end: Instant,
    job: impl Future<Output = io::Result<V>>,
) -> io::Result<V> {
    let (mut job, mut alarm) = (pin!(job), pin!(net.sleep_until(end)));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = job.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        alarm
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}

type Attempt<'a, S> = Pin<Box<dyn Future<Output = (SocketAddr, io::Result<S>)> + Send + 'a>>;

async fn race<N: Net>(
    net: &N,
    addresses: &[SocketAddr],
    end: Instant,
    stagger: Duration,
) -> Result<(N::Stream, SocketAddr), (Vec<IpAddr>, io::Error)> {
    let mut waiting = addresses.iter().copied();
    let mut running: VecDeque<Attempt<'_, N::Stream>> = VecDeque::new();
    let mut tried = Vec::new();
    let mut failure = None;
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            tried.push(address.ip());
            running.push_back(Box::pin(
                async move { (address, net.connect(address).await) },
            ));
        }
        if running.is_empty() {
            let failure = failure.unwrap_or_else(|| io::ErrorKind::NotFound.into());
            return Err((tried, failure));
        }
        let until = match next {
            Some(_) => end.min(Instant::now() + stagger),
            None => end,
        };
        let mut alarm = pin!(net.sleep_until(until));
        let ended = poll_fn(|cx| {
            for place in 0..running.len() {
                if let Poll::Ready(ended) = running[place].as_mut().poll(cx) {
                    drop(running.remove(place));
                    return Poll::Ready(Some(ended));
                }
            }
            alarm.as_mut().poll(cx).map(|()| None)
        })
        .await;
        match ended {
            Some((address, Ok(stream))) => return Ok((stream, address)),
            Some((_, Err(error))) => failure = Some(error),
            None if Instant::now() >= end => return Err((tried, io::ErrorKind::TimedOut.into())),
            None => {}
        }
    }
}
