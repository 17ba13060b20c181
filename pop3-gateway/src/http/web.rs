//! The handler of a listener that speaks HTTP.
//!
//! Owns the bounds of a connection: how long a client may take, how much it may send, how many there are. Whatever a
//! client does, it holds a place for a bounded time, and the places of POP3 are others: it takes none of them, and is
//! turned out for none. Decides nothing about pages.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::FutureExt as _;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use pop3_server::crowd::Crowd;
use pop3_server::handler::{Arrival, Door, Handler, Visit};
use pop3_server::limit::{Limits, Origin, Slots};
use pop3_server::runtime::Runtime;
use pop3_server::shutdown::Shutdown;

use super::carrier::{Carrier, Clock};
use super::page::{Answer, Asked, Work, text};
use super::site::Site;

/// How long a client may take for a handshake, for the head of a request, for its body; and how long a connection may
/// stand idle.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last in all, whatever it does. A page has as long as the slowest provider.
const LIFE: Duration = Duration::from_secs(180);
/// The longest head of a request, in octets.
const HEAD: usize = 16 * 1024;
/// The longest body.
const BODY: usize = 16 * 1024;
/// How many pages that block are at work at once, so that logins find threads, too.
const AT_WORK: usize = 32;
/// How many connections one address may have.
const PER_ADDRESS: usize = 32;

/// What a client hears for whom there is no place at all.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What new connections are served; a reload puts another in its place. Clones are the same.
#[derive(Clone, Debug)]
pub struct Current(Arc<Mutex<Arc<Site>>>);

impl Current {
    /// This site, for now.
    pub fn new(site: Arc<Site>) -> Self {
        Self(Arc::new(Mutex::new(site)))
    }

    /// Another one, for connections that come from now on.
    pub fn replace(&self, site: Arc<Site>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = site;
    }

    /// The one that connections are served now.
    pub fn site(&self) -> Arc<Site> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Speaks HTTP on the connections of a listener. Clones are the same.
#[derive(Clone, Debug)]
pub struct Web {
    current: Current,
    crowd: Crowd,
    all: Slots<()>,
    addresses: Slots<Origin>,
    at_work: Slots<()>,
    shutdown: Shutdown,
}

impl Web {
    /// Serves this, in the server that `shutdown` is of.
    pub fn new(current: Current, shutdown: Shutdown) -> Self {
        Self {
            current,
            crowd: Crowd::default(),
            all: Slots::default(),
            addresses: Slots::default(),
            at_work: Slots::default(),
            shutdown,
        }
    }
}

impl<R: Runtime> Handler<R> for Web {
    fn door(&self) -> Door {
        // what there may be at once is counted here: a full house of POP3 is to show, and turns no browser out
        let mut limits = Limits::default();
        (limits.total, limits.strangers, limits.per_address) = (0, 0, 0);
        Door::new(limits).full(FULL).crowd(self.crowd.clone())
    }

    fn handle(&self, arrival: Arrival<R>) {
        let site = self.current.site();
        let address = arrival.peer().address.ip();
        let all = self.all.take((), site.connections);
        let own = self.addresses.take(address.into(), PER_ADDRESS);
        let (true, Some(all), Some(own)) = (site.admits(address), all, own) else {
            tracing::debug!(peer = %address, listener = site.name, "closed: not admitted, or too many connections");
            return;
        };
        let (web, runtime) = (self.clone(), arrival.runtime().clone());
        let tls = site.tls.clone();
        let speak = move |visit| async move {
            let _places = (all, own);
            web.speak(&site, runtime, visit).await;
        };
        match tls {
            Some(tls) => arrival.spawn_tls(&tls, PATIENCE, speak),
            None => arrival.spawn(speak),
        }
    }
}

impl Web {
    async fn speak<R: Runtime>(&self, site: &Site, runtime: R, visit: Visit<R>) {
        let clock = Clock(runtime);
        let peer = visit.peer.address;
        let service = service_fn(|request| {
            let clock = clock.clone();
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let answer = self.answer(site, &clock, request, peer).await;
                tracing::debug!(%peer, %method, path, status = answer.status().as_u16(), "answered");
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(clock.clone())
                .header_read_timeout(PATIENCE)
                .max_buf_size(HEAD)
                .serve_connection(Carrier(visit.channel), service)
        );
        let (mut finishing, mut is_told) = (pin!(visit.finishing), false);
        let mut life = pin!(clock.nap(LIFE));
        poll_fn(|cx| {
            if !is_told && finishing.as_mut().poll(cx).is_ready() {
                is_told = true;
                connection.as_mut().graceful_shutdown();
            }
            match connection.as_mut().poll(cx) {
                Poll::Ready(ended) => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "closed");
                    }
                    Poll::Ready(())
                }
                Poll::Pending => life.as_mut().poll(cx),
            }
        })
        .await;
    }

    async fn answer<R: Runtime>(
        &self,
        site: &Site,
        clock: &Clock<R>,
        request: Request<Incoming>,
        peer: std::net::SocketAddr,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let page = match site.find(&head.method, head.uri.path()) {
            Ok(page) => page,
            Err(refusal) => return *refusal,
        };
        let body = match head.method {
            Method::POST => match read(body, clock).await {
                Ok(body) => body,
                Err(refusal) => return closing(refusal),
            },
            _ => Bytes::new(),
        };
        let asked = Asked::new(head, body, peer, self.shutdown.phase());
        match &page.work {
            Work::Now(work) => work(&asked),
            Work::Blocking(work) => {
                let Some(place) = self.at_work.take((), AT_WORK) else {
                    let busy = "Too many people are here right now. Try again in a minute.\n";
                    let mut busy = text(StatusCode::SERVICE_UNAVAILABLE, busy);
                    let soon = HeaderValue::from_static("10");
                    busy.headers_mut().insert(header::RETRY_AFTER, soon);
                    return busy;
                };
                let work = Arc::clone(work);
                let job = clock.0.block(move || {
                    // as long as the work lasts, though the client leaves
                    let _place = place;
                    work(&asked)
                });
                job.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "a page failed");
                    text(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong.\n")
                })
            }
        }
    }
}

/// The body of a request, within its bounds.
async fn read<R: Runtime>(body: Incoming, clock: &Clock<R>) -> Result<Bytes, Answer> {
    let whole = async {
        match Limited::new(body, BODY).collect().await {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(_) => Err(text(
                StatusCode::PAYLOAD_TOO_LARGE,
                "That is too much, or it broke off.\n",
            )),
        }
    };
    let late = async {
        clock.nap(PATIENCE).await;
        Err(text(StatusCode::REQUEST_TIMEOUT, "That took too long.\n"))
    };
    whole.or(late).await
}

/// What is left of the body is not read.
fn closing(mut answer: Answer) -> Answer {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}
