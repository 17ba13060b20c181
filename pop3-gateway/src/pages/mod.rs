//! Pages where people connect their mailboxes and make passwords for their devices.
//!
//! | file | what it owns |
//! |---|---|
//! | [`desk`] | what all pages work with; which mailbox an address leads to |
//! | `guard` | what a request must be before a page looks at it: its host, its origin, its token, how often it comes |
//! | [`browser`] | what is known of a browser: its cookie, its session, what it is shown next |
//! | `rate` | how often an address may ask |
//! | `connect` | a sign-in: begun, and ended when the provider sends the browser back |
//! | `proof` | whose mailbox it is: the provider's word, and the mailbox that opens |
//! | `devices` | passwords: made, shown once, taken back |
//! | [`card`] | what is entered into a device |
//! | [`problem`] | what can go wrong, and what a person reads then |
//! | `reply`, `html`, `style.css` | answers, and what they look like |
//!
//! # What holds
//!
//! * Whose mailbox it is, the provider says *and* the mailbox shows by opening with the token that it gave. Before that
//!   nothing is kept, and there is no session.
//! * A sign-in under way is found with two keys only: the `state` that comes back, and the cookie of the browser in which
//!   it began. It is taken once.
//! * No secret stands in an address, but for those that the provider puts there; a browser is sent away from them at
//!   once. Nothing is cached, framed, or asked of another host; no script runs.
//! * What memory and state hold for people who never come back is bounded.
//!
//! Nothing here speaks HTTP, IMAP or to a provider itself; pages block, and run where that holds up nobody.

pub mod browser;
pub mod card;
mod connect;
pub mod desk;
mod devices;
mod guard;
mod html;
pub mod problem;
mod proof;
mod rate;
mod reply;

use std::sync::Arc;

use hyper::{Method, StatusCode};

use crate::http::page::answer;
use crate::http::{Asked, Page, Serves};

pub use connect::invite;
pub use desk::{Desk, Kept, Place};

use guard::{Posted, Visit};
use reply::Outcome;

/// All pages.
pub fn pages(desk: &Arc<Desk>) -> Vec<Page> {
    vec![
        get(desk, "/", connect::start),
        post(desk, "/connect", connect::begin),
        get(desk, "/signed-in", connect::end),
        get(desk, "/invited", connect::invited),
        get(desk, "/problem", connect::problem),
        get(desk, "/mailbox", devices::list),
        post(desk, "/devices", devices::make),
        get(desk, "/device", devices::show),
        post(desk, "/revoke", devices::revoke),
        post(desk, "/disconnect", devices::disconnect),
        post(desk, "/sign-out", devices::sign_out),
        file(
            "/style.css",
            "text/css; charset=utf-8",
            include_str!("style.css"),
        ),
        file("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ]
}

fn get(desk: &Arc<Desk>, path: &'static str, page: fn(&Desk, &Visit<'_>) -> Outcome) -> Page {
    let desk = Arc::clone(desk);
    Page::blocking(Serves::Pages, Method::GET, path, move |asked: &Asked| {
        let told = Visit::new(&desk, asked).and_then(|visit| page(&desk, &visit));
        told.unwrap_or_else(|problem| html::problem(&desk, &problem))
    })
}

fn post(
    desk: &Arc<Desk>,
    path: &'static str,
    page: fn(&Desk, &Visit<'_>, &Posted) -> Outcome,
) -> Page {
    let desk = Arc::clone(desk);
    Page::blocking(Serves::Pages, Method::POST, path, move |asked: &Asked| {
        let told = Visit::new(&desk, asked).and_then(|visit| {
            let posted = visit.posted(&desk)?;
            page(&desk, &visit, &posted)
        });
        told.unwrap_or_else(|problem| html::problem(&desk, &problem))
    })
}

/// What is the same for everybody.
fn file(path: &'static str, kind: &'static str, text: &'static str) -> Page {
    Page::now(Serves::Pages, Method::GET, path, move |_: &Asked| {
        let mut told = answer(StatusCode::OK, kind, text);
        reply::keep_a_while(&mut told);
        told
    })
}
