//! What a request must be before a page looks at it.
//!
//! Owns the defence against other sites: the name that the browser asked for, where a form came from, its token; and
//! who is counted. A page gets a [`Visit`], and of a form a [`Posted`], or is not called.

use std::net::IpAddr;

use hyper::header;
use ipnet::IpNet;
use oauth2::url::form_urlencoded;
use pop3_server::limit::Origin;

use super::browser::{Cookie, Session};
use super::desk::Desk;
use super::problem::Problem;
use super::rate::Sort;
use crate::http::Asked;

/// Where a browser says that a request came from.
const FETCH_SITE: header::HeaderName = header::HeaderName::from_static("sec-fetch-site");
const FORWARDED: header::HeaderName = header::HeaderName::from_static("x-forwarded-for");

/// A request that is for these pages.
pub(super) struct Visit<'a> {
    pub(super) asked: &'a Asked,
    /// The browser's cookie, if it sent one of ours.
    pub(super) cookie: Option<Cookie>,
    address: IpAddr,
}

/// A form that is from these pages.
pub(super) struct Posted {
    fields: Vec<(String, String)>,
    /// The browser's cookie, which the form's token is for.
    pub(super) cookie: Cookie,
}

impl<'a> Visit<'a> {
    pub(super) fn new(desk: &Desk, asked: &'a Asked) -> Result<Self, Problem> {
        let host = asked.header(header::HOST).unwrap_or_default();
        // a name that leads here by somebody else's doing is not served
        if !host.eq_ignore_ascii_case(desk.settings.authority()) {
            return Err(Problem::WrongHost);
        }
        let peer = asked.peer.ip();
        let forwarded = asked.head.headers.get_all(FORWARDED).iter().next_back();
        let address = forwarded
            .filter(|_| desk.settings.behind_proxy && peer.to_canonical().is_loopback())
            .and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        let visit = Self {
            cookie: cookie(asked, name_of_cookie(desk)),
            address: address.unwrap_or(peer),
            asked,
        };
        visit.count(desk, Sort::Act)?;
        Ok(visit)
    }

    /// Whether the address may go on.
    pub(super) fn count(&self, desk: &Desk, sort: Sort) -> Result<(), Problem> {
        match desk.kept.allow(self.address, sort) {
            true => Ok(()),
            false => Err(Problem::TooOften),
        }
    }

    /// From where it comes, as far as people there share what there is of places: an IPv4 address, or the widest network
    /// that one customer may have of IPv6.
    pub(super) fn network(&self) -> String {
        let origin = Origin::from(self.address.to_canonical());
        let site = origin.sites().last();
        let site = site.and_then(|site| IpNet::new(origin.address(), site.length()).ok());
        site.map_or_else(
            || origin.address().to_string(),
            |net| net.trunc().to_string(),
        )
    }

    /// The session of the browser.
    pub(super) fn session(&self, desk: &Desk) -> Result<Option<(Cookie, Session)>, Problem> {
        let Some(cookie) = &self.cookie else {
            return Ok(None);
        };
        let session = desk.browsers.session(cookie)?;
        Ok(session.map(|session| (cookie.clone(), session)))
    }

    /// The form, if it is from here and for this browser.
    pub(super) fn posted(&self, desk: &Desk) -> Result<Posted, Problem> {
        let is_form = self
            .asked
            .header(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let is_from_here = match self.asked.header(FETCH_SITE) {
            Some(site) => site == "same-origin",
            None => !self.asked.head.headers.contains_key(FETCH_SITE),
        };
        // without a referrer a browser says "null" of its own origin, too
        let origin = self.asked.header(header::ORIGIN).unwrap_or("null");
        let is_own = origin == "null" || origin.eq_ignore_ascii_case(&desk.settings.url);
        let fields: Vec<_> = form_urlencoded::parse(&self.asked.body)
            .into_owned()
            .collect();
        let cookie = self.cookie.clone().ok_or(Problem::Stale)?;
        let posted = Posted { fields, cookie };
        let token = posted.field("token");
        let is_for_it = desk.browsers.is_token(&posted.cookie, token);
        match is_form && is_from_here && is_own && is_for_it {
            true => Ok(posted),
            false => Err(Problem::Stale),
        }
    }
}

impl Posted {
    /// A field, empty if it is missing or there twice.
    pub(super) fn field(&self, key: &str) -> &str {
        let mut found = self.fields.iter().filter(|(name, _)| name == key);
        let first = found.next().map_or("", |(_, value)| value.as_str());
        match found.next() {
            None => first,
            Some(_) => "",
        }
    }

    /// The session of the browser.
    pub(super) fn session(&self, desk: &Desk) -> Result<Session, Problem> {
        let session = desk.browsers.session(&self.cookie)?;
        session.ok_or(Problem::SignedOut)
    }
}

/// A browser lets nobody but this host set a cookie of that name. One that comes in the clear cannot have it.
pub(super) fn name_of_cookie(desk: &Desk) -> &'static str {
    match desk.settings.is_secure() {
        true => "__Host-pages",
        false => "pages",
    }
}

fn cookie(asked: &Asked, name: &str) -> Option<Cookie> {
    let headers = asked.head.headers.get_all(header::COOKIE).iter();
    let pairs = headers.filter_map(|value| value.to_str().ok());
    let mut own = pairs.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    });
    let first = own.next()?;
    // two are one too many: somebody put one there
    own.next().is_none().then(|| Cookie::parse(first)).flatten()
}
