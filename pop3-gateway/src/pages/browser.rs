//! What is known of a browser: its cookie, its session, what it is shown next.
//!
//! Owns the cookies' values and the tokens of forms. In memory alone: after a restart people sign in again. What is
//! kept of browsers that do not come back is bounded, and goes by itself.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pop3_proto::secret::Secret;
use ring::{digest, hmac};

use super::problem::Problem;

/// A session ends when it was not used for so long,
const IDLE: Duration = Duration::from_secs(15 * 60);
/// and in any case after this.
const LIFE: Duration = Duration::from_secs(3600);
/// The most browsers that something is kept of.
const MOST: usize = 10_000;
/// The random octets of a cookie.
const OCTETS: usize = 32;

/// The value of a browser's cookie. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(String);

impl Cookie {
    /// One that nobody guesses.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut octets = [0; OCTETS];
        getrandom::fill(&mut octets)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(octets)))
    }

    /// One that a browser sent, if it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let octets = URL_SAFE_NO_PAD.decode(text).ok()?;
        (octets.len() == OCTETS).then(|| Self(text.to_owned()))
    }

    /// As a browser keeps it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie")
    }
}

/// Who signed in, and for which mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The address as clients log in with it.
    pub address: String,
    /// The mailbox at the upstream.
    pub mailbox: String,
    /// The upstream's name.
    pub place: String,
}

/// A password that was made a moment ago.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The device's name, as its owner calls it.
    pub label: String,
    /// What the device logs in as.
    pub name: String,
    /// The password.
    pub password: Secret,
}

type Digest = [u8; digest::SHA256_OUTPUT_LEN];

/// All browsers. Outlives a reload of the configuration.
pub struct Browsers {
    key: hmac::Key,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    known: HashMap<Digest, Known>,
    /// Sign-ins that were ended, so that it can be said.
    ended: HashSet<Digest>,
    order: VecDeque<Digest>,
}

struct Known {
    begun: Instant,
    seen: Instant,
    session: Option<Session>,
    /// The sign-in that it came by.
    by: Option<Digest>,
    fresh: Option<Fresh>,
    problem: Option<Problem>,
    notice: Option<&'static str>,
}

impl Known {
    fn new(now: Instant) -> Self {
        Self {
            begun: now,
            seen: now,
            session: None,
            by: None,
            fresh: None,
            problem: None,
            notice: None,
        }
    }

    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) < IDLE
            && now.saturating_duration_since(self.begun) < LIFE
    }
}

impl fmt::Debug for Browsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browsers").finish_non_exhaustive()
    }
}

impl Browsers {
    /// Nobody yet.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut octets = [0; 32];
        getrandom::fill(&mut octets)?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &octets),
            table: Mutex::default(),
        })
    }

    /// What forms for this browser hold.
    pub fn token(&self, cookie: &Cookie) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, cookie.0.as_bytes()))
    }

    /// Whether a form is for this browser.
    pub fn is_token(&self, cookie: &Cookie, token: &str) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        hmac::verify(&self.key, cookie.0.as_bytes(), &token).is_ok()
    }

    /// The session of this browser, if one lives. Asking is a use.
    pub fn session(&self, cookie: &Cookie) -> Option<Session> {
        let now = Instant::now();
        let mut table = self.table();
        let known = table.known.get_mut(&digest_of(&cookie.0))?;
        if !known.lives(now) {
            return None;
        }
        known.seen = now;
        known.session.clone()
    }

    /// Begins a session, under a cookie that was never seen before: whoever knew the old one has nothing of it.
    pub fn sign_in(
        &self,
        old: &Cookie,
        session: Session,
        state: &str,
    ) -> Result<Cookie, getrandom::Error> {
        let (now, cookie) = (Instant::now(), Cookie::random()?);
        let known = Known {
            session: Some(session),
            by: Some(digest_of(state)),
            ..Known::new(now)
        };
        let mut table = self.table();
        table.known.remove(&digest_of(&old.0));
        table.put(&cookie, known, now);
        Ok(cookie)
    }

    /// Whether this browser's session came by this sign-in.
    pub fn came_by(&self, cookie: &Cookie, state: &str) -> bool {
        let table = self.table();
        let known = table.known.get(&digest_of(&cookie.0));
        let known = known.filter(|known| known.lives(Instant::now()));
        known.is_some_and(|known| known.by == Some(digest_of(state)))
    }

    /// Ends the session.
    pub fn sign_out(&self, cookie: &Cookie) {
        self.table().known.remove(&digest_of(&cookie.0));
    }

    /// Notes that a sign-in was taken.
    pub fn ended(&self, state: &str) {
        let digest = digest_of(state);
        let mut table = self.table();
        if table.ended.insert(digest) {
            table.order.push_back(digest);
        }
        if table.order.len() > MOST
            && let Some(oldest) = table.order.pop_front()
        {
            table.ended.remove(&oldest);
        }
    }

    /// Whether a sign-in was taken, lately.
    pub fn was_ended(&self, state: &str) -> bool {
        self.table().ended.contains(&digest_of(state))
    }

    /// What the browser is to be told next.
    pub fn tell(&self, cookie: &Cookie, problem: Problem) {
        self.change(cookie, |known| known.problem = Some(problem));
    }

    /// That, once.
    pub fn told(&self, cookie: &Cookie) -> Option<Problem> {
        let mut table = self.table();
        table.known.get_mut(&digest_of(&cookie.0))?.problem.take()
    }

    /// What the list of devices says next.
    pub fn note(&self, cookie: &Cookie, notice: &'static str) {
        self.change(cookie, |known| known.notice = Some(notice));
    }

    /// That, once.
    pub fn noted(&self, cookie: &Cookie) -> Option<&'static str> {
        let mut table = self.table();
        table.known.get_mut(&digest_of(&cookie.0))?.notice.take()
    }

    /// A password that is to be shown.
    pub fn keep(&self, cookie: &Cookie, fresh: Fresh) {
        self.change(cookie, |known| known.fresh = Some(fresh));
    }

    /// That, once.
    pub fn kept(&self, cookie: &Cookie) -> Option<Fresh> {
        let mut table = self.table();
        table.known.get_mut(&digest_of(&cookie.0))?.fresh.take()
    }

    /// How many browsers something is kept of.
    pub fn count(&self) -> usize {
        self.table().known.len()
    }

    fn change(&self, cookie: &Cookie, change: impl FnOnce(&mut Known)) {
        let now = Instant::now();
        let mut table = self.table();
        if let Some(known) = table.known.get_mut(&digest_of(&cookie.0)) {
            return change(known);
        }
        let mut known = Known::new(now);
        change(&mut known);
        table.put(cookie, known, now);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn put(&mut self, cookie: &Cookie, known: Known, now: Instant) {
        if self.known.len() >= MOST {
            self.known.retain(|_, known| known.lives(now));
        }
        if self.known.len() >= MOST {
            // those without a session cost nobody a sign-in
            let rank = |known: &Known| (known.session.is_some(), known.seen);
            let oldest = self.known.iter().min_by_key(|(_, known)| rank(known));
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(digest_of(&cookie.0), known);
    }
}

fn digest_of(text: &str) -> Digest {
    let mut octets = [0; digest::SHA256_OUTPUT_LEN];
    octets.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    octets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn session() -> Session {
        Session {
            address: "ann@example.org".into(),
            mailbox: "ann".into(),
            place: "main".into(),
        }
    }

    #[test]
    fn a_session_gets_a_cookie_that_nobody_knew() {
        let (browsers, old) = (Browsers::new().unwrap(), Cookie::random().unwrap());
        let new = browsers.sign_in(&old, session(), "s").unwrap();
        assert_ne!(old.expose(), new.expose());
        assert_eq!(browsers.session(&old), None);
        assert_eq!(browsers.session(&new), Some(session()));
        assert!(browsers.came_by(&new, "s") && !browsers.came_by(&new, "t"));
        assert!(browsers.is_token(&new, &browsers.token(&new)));
        assert!(!browsers.is_token(&new, &browsers.token(&old)));
        assert!(!browsers.is_token(&new, ""));
        browsers.sign_out(&new);
        assert_eq!(browsers.session(&new), None);
    }

    #[test]
    fn who_does_not_come_back_takes_no_room_of_who_signed_in() {
        let browsers = Browsers::new().unwrap();
        let old = Cookie::random().unwrap();
        let own = browsers.sign_in(&old, session(), "s").unwrap();
        for _ in 0..MOST + 100 {
            browsers.tell(&Cookie::random().unwrap(), Problem::Unknown);
        }
        assert_eq!(browsers.count(), MOST);
        assert_eq!(browsers.session(&own), Some(session()));
        for number in 0..MOST + 100 {
            browsers.ended(&number.to_string());
        }
        assert!(!browsers.was_ended("0") && browsers.was_ended("10000"));
    }

    #[test]
    fn cookies_are_not_printed_and_have_one_form() {
        let cookie = Cookie::random().unwrap();
        assert_eq!(format!("{cookie:?}"), "Cookie");
        assert_eq!(Cookie::parse(cookie.expose()), Some(cookie));
        for text in ["", "x", "a b", &"A".repeat(44), &"A".repeat(1000)] {
            assert_eq!(Cookie::parse(text), None);
        }
    }
}
