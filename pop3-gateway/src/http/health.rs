//! `/healthz`: the process lives. `/readyz`: it takes logins.
//!
//! For systems that restart a process or send it no more clients. Says nothing of mailboxes: an upstream that is out
//! of order is no reason to end the sessions of the others.

use hyper::{Method, StatusCode};
use pop3_server::shutdown::Phase;

use super::page::{Answer, Asked, Page, Serves, text};

/// The pages.
pub fn pages() -> [Page; 2] {
    let live = |_: &Asked| text(StatusCode::OK, "alive\n");
    [
        Page::now(Serves::Health, Method::GET, "/healthz", live),
        Page::now(Serves::Health, Method::GET, "/readyz", ready),
    ]
}

fn ready(asked: &Asked) -> Answer {
    match asked.phase {
        Phase::Running => text(StatusCode::OK, "ready\n"),
        Phase::Draining | Phase::Finishing | Phase::Ending => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the server shuts down\n",
        ),
    }
}
