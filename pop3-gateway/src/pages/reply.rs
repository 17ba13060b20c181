//! Answers: their headers, the way to another page, cookies.
//!
//! Owns what a browser is told about an answer: not to keep it, not to frame it, to load nothing from elsewhere, to say
//! nobody where it was.

use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use maud::Markup;

use super::browser::Cookie;
use super::desk::Desk;
use super::guard::name_of_cookie;
use super::problem::Problem;
use crate::http::Answer;
use crate::http::page::{answer, text};

/// What a page answers, or why it does not.
pub(super) type Outcome = Result<Answer, Problem>;

/// Nothing but this host's own style and picture, and forms that go nowhere else. A sign-in goes on from a page of its
/// own, by a link, so that no form leads to a provider.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// A page.
pub(super) fn page(status: StatusCode, markup: Markup) -> Answer {
    let mut told = answer(status, "text/html; charset=utf-8", markup.into_string());
    close_up(told.headers_mut());
    told
}

/// The way to another page of this host.
pub(super) fn go(path: &'static str) -> Answer {
    let mut told = text(StatusCode::SEE_OTHER, "");
    let headers = told.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static(path));
    close_up(headers);
    told
}

/// Lets the browser keep a cookie for as long as it is open.
pub(super) fn with_cookie(mut told: Answer, desk: &Desk, cookie: &Cookie) -> Answer {
    put_cookie(&mut told, desk, cookie.expose(), "");
    told
}

/// Lets it forget the cookie.
pub(super) fn without_cookie(mut told: Answer, desk: &Desk) -> Answer {
    put_cookie(&mut told, desk, "", "; Max-Age=0");
    told
}

fn put_cookie(told: &mut Answer, desk: &Desk, value: &str, more: &str) {
    let name = name_of_cookie(desk);
    let secure = if desk.settings.is_secure() {
        "; Secure"
    } else {
        ""
    };
    // Lax: the provider sends the browser back here
    let text = format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{more}");
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        told.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// What holds no secret may be kept for some minutes.
pub(super) fn keep_a_while(told: &mut Answer) {
    let headers = told.headers_mut();
    close_up(headers);
    let minutes = HeaderValue::from_static("public, max-age=300");
    headers.insert(header::CACHE_CONTROL, minutes);
}

fn close_up(headers: &mut HeaderMap) {
    let own = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in own {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
