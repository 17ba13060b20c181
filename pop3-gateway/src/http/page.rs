//! A page: where it is, which requests it takes, and what it answers.
//!
//! Owns the words for requests and answers. Decides nothing about who may ask.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use pop3_server::shutdown::Phase;

/// What is answered.
pub type Answer = Response<Full<Bytes>>;

/// A request, read to its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// Method, address and headers.
    pub head: Parts,
    /// What came with it; empty but for POST.
    pub body: Bytes,
    /// Who asks.
    pub peer: SocketAddr,
    /// How far the shutdown of the server is.
    pub phase: Phase,
}

impl Asked {
    /// A request as it came.
    pub const fn new(head: Parts, body: Bytes, peer: SocketAddr, phase: Phase) -> Self {
        Self {
            head,
            body,
            peer,
            phase,
        }
    }

    /// A header, if it is there once and can be read.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        let mut found = self.head.headers.get_all(name).iter();
        let first = found.next()?.to_str().ok()?;
        found.next().is_none().then_some(first)
    }
}

/// Which sort of page it is; a listener has some sorts and not others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Whether the process lives and takes logins.
    Health,
    /// Counts, for programs.
    Metrics,
    /// What a CA asks for.
    #[cfg(feature = "acme")]
    Acme,
    /// Mailboxes and devices, for people.
    #[cfg(feature = "oauth")]
    Pages,
}

/// How an answer comes about.
#[derive(Clone)]
pub(super) enum Work {
    /// At once, in the task of the connection.
    Now(Arc<dyn Fn(&Asked) -> Answer + Send + Sync>),
    /// Where it may take its time.
    Blocking(Arc<dyn Fn(&Asked) -> Answer + Send + Sync>),
}

/// A page.
#[derive(Clone)]
pub struct Page {
    pub(super) path: &'static str,
    is_below: bool,
    pub(super) method: Method,
    pub(super) serves: Serves,
    pub(super) work: Work,
}

impl Page {
    /// One that answers at once: it asks nobody, opens nothing and waits for no lock that is held for long. GET also
    /// takes HEAD.
    pub fn now(
        serves: Serves,
        method: Method,
        path: &'static str,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::of(serves, method, path, Work::Now(Arc::new(answer)))
    }

    /// One that asks a database or a server. There are only so many at work at once; what comes beyond is asked to
    /// come again.
    pub fn blocking(
        serves: Serves,
        method: Method,
        path: &'static str,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::of(serves, method, path, Work::Blocking(Arc::new(answer)))
    }

    const fn of(serves: Serves, method: Method, path: &'static str, work: Work) -> Self {
        Self {
            path,
            is_below: false,
            method,
            serves,
            work,
        }
    }

    /// The same, which also answers what lies below its path, as that begins with it.
    #[must_use]
    pub const fn and_below(mut self) -> Self {
        self.is_below = true;
        self
    }

    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path || self.is_below && path.starts_with(self.path)
    }

    /// Which sort of page it is.
    pub const fn serves(&self) -> Serves {
        self.serves
    }

    /// Where it is.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn takes(&self, method: &Method) -> bool {
        self.method == *method || self.method == Method::GET && *method == Method::HEAD
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// An answer of this kind, which nothing on the way keeps.
pub fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}

/// A line of plain text.
pub fn text(status: StatusCode, text: &'static str) -> Answer {
    answer(status, "text/plain; charset=utf-8", text)
}
