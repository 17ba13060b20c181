//! What is known of a browser: its cookie, its session, what it is shown next.
//!
//! Owns the cookies' values, the tokens of forms, and how long what is kept is good. It stands as slips in the state,
//! so that every process on that state knows the same browsers; what is kept of those that do not come back is bounded
//! there, and goes by itself.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_state::Slip;
use pop3_proto::secret::Secret;
use ring::{digest, hmac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::oauth::{Records, now};

/// A session ends when it was not used for so long, in seconds,
const IDLE: u64 = 15 * 60;
/// and in any case after this.
const LIFE: u64 = 3600;
/// A use is noted when the last one was so long ago: not every look at a page is to be written down.
const NOTED: u64 = 60;
/// How long it can be said that a sign-in was ended.
const ENDED: u64 = 30 * 60;
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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

/// All browsers.
#[derive(Clone, Debug)]
pub struct Browsers(Records);

/// The kinds of slips.
const SESSION: &str = "session";
const ENDS: &str = "ended";
const PROBLEM: &str = "problem";
const NOTICE: &str = "notice";
const FRESH: &str = "fresh";

/// A session, and the sign-in that it came by, as its digest.
#[derive(Deserialize, Serialize)]
struct Known {
    session: Session,
    by: String,
}

impl Browsers {
    /// Those that this state knows.
    pub fn new(records: Records) -> Self {
        Self(records)
    }

    /// What forms for this browser hold: whoever makes one has to know the cookie.
    pub fn token(&self, cookie: &Cookie) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&form_key(cookie), FORM))
    }

    /// Whether a form is for this browser.
    pub fn is_token(&self, cookie: &Cookie, token: &str) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        hmac::verify(&form_key(cookie), FORM, &token).is_ok()
    }

    /// The session of this browser, if one lives. Asking is a use.
    pub fn session(&self, cookie: &Cookie) -> Result<Option<Session>, Problem> {
        let now = now();
        let Some((known, slip)) = self.known(cookie, now)? else {
            return Ok(None);
        };
        let until = (slip.created + LIFE).min(now + IDLE);
        if until >= slip.expires + NOTED {
            let key = key(&cookie.0);
            let prolonged = self
                .0
                .with(|state| state.prolong_slip(SESSION, &key, until));
            prolonged.map_err(|error| Problem::unkept(&error))?;
        }
        Ok(Some(known.session))
    }

    /// Begins a session, under a cookie that was never seen before: whoever knew the old one has nothing of it.
    pub fn sign_in(&self, old: &Cookie, session: Session, state: &str) -> Result<Cookie, Problem> {
        let cookie = Cookie::random().map_err(|_| Problem::Unkept)?;
        let known = Known {
            session,
            by: digest_of(state),
        };
        self.sign_out(old)?;
        self.put(SESSION, &cookie.0, &known, IDLE)?;
        Ok(cookie)
    }

    /// Whether this browser's session came by this sign-in.
    pub fn came_by(&self, cookie: &Cookie, state: &str) -> Result<bool, Problem> {
        let known = self.known(cookie, now())?;
        Ok(known.is_some_and(|(known, _)| known.by == digest_of(state)))
    }

    /// Ends the session.
    pub fn sign_out(&self, cookie: &Cookie) -> Result<(), Problem> {
        self.take(SESSION, &cookie.0)?;
        // a password that was never looked at
        self.take(FRESH, &cookie.0).map(drop)
    }

    /// Notes that a sign-in was taken.
    pub fn ended(&self, state: &str) -> Result<(), Problem> {
        self.put(ENDS, state, &(), ENDED)
    }

    /// Whether a sign-in was taken, lately.
    pub fn was_ended(&self, state: &str) -> Result<bool, Problem> {
        let (key, now) = (key(state), now());
        let found = self.0.with(|state| state.slip(ENDS, &key, now));
        found
            .map(|slip| slip.is_some())
            .map_err(|error| Problem::unkept(&error))
    }

    /// What the browser is to be told next.
    pub fn tell(&self, cookie: &Cookie, problem: &Problem) -> Result<(), Problem> {
        self.put(PROBLEM, &cookie.0, problem, IDLE)
    }

    /// That, once.
    pub fn told(&self, cookie: &Cookie) -> Result<Option<Problem>, Problem> {
        Ok(read(self.take(PROBLEM, &cookie.0)?.as_ref()))
    }

    /// What the list of devices says next.
    pub fn note(&self, cookie: &Cookie, notice: &str) -> Result<(), Problem> {
        self.put(NOTICE, &cookie.0, &notice, IDLE)
    }

    /// That, once.
    pub fn noted(&self, cookie: &Cookie) -> Result<Option<String>, Problem> {
        Ok(read(self.take(NOTICE, &cookie.0)?.as_ref()))
    }

    /// A password that is to be shown.
    pub fn keep(&self, cookie: &Cookie, fresh: &Fresh) -> Result<(), Problem> {
        let (label, name) = (fresh.label.as_bytes(), fresh.name.as_bytes());
        // neither has a line end; made in one piece, so that no other one is left in memory
        let payload = [label, b"\n", name, b"\n", fresh.password.expose()].concat();
        self.put_payload(FRESH, &cookie.0, Secret::new(payload), IDLE)
    }

    /// That, once.
    pub fn kept(&self, cookie: &Cookie) -> Result<Option<Fresh>, Problem> {
        let slip = self.take(FRESH, &cookie.0)?;
        Ok(slip.and_then(|slip| {
            let mut parts = slip.payload.expose().splitn(3, |octet| *octet == b'\n');
            let mut text = || Some(str::from_utf8(parts.next()?).ok()?.to_owned());
            Some(Fresh {
                label: text()?,
                name: text()?,
                password: Secret::from(parts.next()?),
            })
        }))
    }

    fn known(&self, cookie: &Cookie, now: u64) -> Result<Option<(Known, Slip)>, Problem> {
        let key = key(&cookie.0);
        let slip = self.0.with(|state| state.slip(SESSION, &key, now));
        let slip = slip.map_err(|error| Problem::unkept(&error))?;
        Ok(slip.and_then(|slip| Some((read(Some(&slip))?, slip))))
    }

    fn put(&self, kind: &str, of: &str, what: &impl Serialize, life: u64) -> Result<(), Problem> {
        let payload = serde_json::to_vec(what).map_err(|_| Problem::Unkept)?;
        self.put_payload(kind, of, Secret::new(payload), life)
    }

    fn put_payload(&self, kind: &str, of: &str, payload: Secret, life: u64) -> Result<(), Problem> {
        let created = now();
        let slip = Slip {
            payload,
            created,
            expires: created + life,
        };
        let key = key(of);
        let put = self.0.with(|state| state.put_slip(kind, &key, &slip));
        put.map_err(|error| Problem::unkept(&error))
    }

    fn take(&self, kind: &str, of: &str) -> Result<Option<Slip>, Problem> {
        let (key, now) = (key(of), now());
        let taken = self.0.with(|state| state.take_slip(kind, &key, now));
        taken.map_err(|error| Problem::unkept(&error))
    }
}

fn key(of: &str) -> Secret {
    Secret::from(of.as_bytes())
}

/// What cannot be read is as if it were not there: another version of the program wrote it.
fn read<T: DeserializeOwned>(slip: Option<&Slip>) -> Option<T> {
    serde_json::from_slice(slip?.payload.expose()).ok()
}

/// What the tokens of forms are made of, beside the cookie.
const FORM: &[u8] = b"form";

fn form_key(cookie: &Cookie) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, cookie.0.as_bytes())
}

fn digest_of(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use gateway_state::Keys;

    use super::*;

    fn browsers() -> Browsers {
        let records = Records::open(&"memory:".parse().unwrap(), Keys::generate().unwrap());
        Browsers::new(records.unwrap())
    }

    fn session() -> Session {
        Session {
            address: "ann@example.org".into(),
            mailbox: "ann".into(),
            place: "main".into(),
        }
    }

    #[test]
    fn a_session_gets_a_cookie_that_nobody_knew() {
        let (browsers, old) = (browsers(), Cookie::random().unwrap());
        let new = browsers.sign_in(&old, session(), "s").unwrap();
        assert_ne!(old.expose(), new.expose());
        assert_eq!(browsers.session(&old), Ok(None));
        assert_eq!(browsers.session(&new), Ok(Some(session())));
        let came_by = |state| browsers.came_by(&new, state).unwrap();
        assert!(came_by("s") && !came_by("t"));
        assert!(browsers.is_token(&new, &browsers.token(&new)));
        assert!(!browsers.is_token(&new, &browsers.token(&old)));
        assert!(!browsers.is_token(&new, ""));
        assert!(!browsers.token(&new).contains(new.expose()));
        browsers.sign_out(&new).unwrap();
        assert_eq!(browsers.session(&new), Ok(None));
    }

    #[test]
    fn who_does_not_come_back_takes_no_room_of_who_signed_in() {
        let browsers = browsers();
        let old = Cookie::random().unwrap();
        let own = browsers.sign_in(&old, session(), "s").unwrap();
        let strangers: Vec<_> = (0..300).map(|_| Cookie::random().unwrap()).collect();
        for stranger in &strangers {
            browsers.tell(stranger, &Problem::Unknown).unwrap();
        }
        assert_eq!(browsers.session(&own), Ok(Some(session())));
        // said once, to each
        assert_eq!(browsers.told(&strangers[0]), Ok(Some(Problem::Unknown)));
        assert_eq!(browsers.told(&strangers[0]), Ok(None));
        browsers.ended("s").unwrap();
        let was_ended = |state| browsers.was_ended(state).unwrap();
        assert!(was_ended("s") && !was_ended("t"));
    }

    #[test]
    fn a_password_is_shown_once() {
        let (browsers, cookie) = (browsers(), Cookie::random().unwrap());
        let fresh = Fresh {
            label: "Scanner, 2nd floor \u{1f4e0}".into(),
            name: "ann+scanner@example.org".into(),
            password: Secret::from(&b"abcd-efgh\nijkl"[..]),
        };
        browsers.keep(&cookie, &fresh).unwrap();
        let kept = browsers.kept(&cookie).unwrap().unwrap();
        assert_eq!((kept.label, kept.name), (fresh.label, fresh.name));
        assert!(kept.password == fresh.password);
        assert!(browsers.kept(&cookie).unwrap().is_none());
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
