//! A server that wants to be left alone for a while: what it says of that, and who keeps it for other sessions.
//!
//! Owns how such a wish is read. Keeps none and has no clock: [`Backoffs`] is the way to share them.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::grammar::Code;

/// However long a server says, it is asked again after this.
const MOST: Duration = Duration::from_secs(60 * 60);

/// For as long an account is left alone that has reached a limit of the server, where the server names no time.
const UNSAID: Duration = Duration::from_secs(10);

/// What a time stands after, in lower case: Exchange's words, and others'.
const BEFORE: [&str; 3] = ["backoff time", "retry after", "try again in"];

/// Accounts that are left alone, in all sessions of all processes that share them.
pub trait Backoffs: Send + Sync {
    /// For how long this account still is left alone.
    fn left(&self, user: &str) -> Duration;

    /// The server wants that for so long.
    fn back_off(&self, user: &str, span: Duration);
}

/// Where the wishes of one upstream are kept, if anywhere. It is not part of the configuration, so any two are equal.
#[derive(Clone, Default)]
pub struct SharedBackoffs(Option<Arc<dyn Backoffs>>);

impl SharedBackoffs {
    /// Kept here.
    pub fn new(backoffs: Arc<dyn Backoffs>) -> Self {
        Self(Some(backoffs))
    }

    pub(crate) fn left(&self, user: &str) -> Duration {
        let shared = self.0.as_ref();
        shared.map_or(Duration::ZERO, |shared| shared.left(user))
    }

    pub(crate) fn back_off(&self, user: &str, span: Duration) {
        if let Some(shared) = &self.0 {
            shared.back_off(user, span);
        }
    }
}

impl fmt::Debug for SharedBackoffs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.0.is_some();
        f.debug_tuple("SharedBackoffs").field(&shared).finish()
    }
}

impl PartialEq for SharedBackoffs {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SharedBackoffs {}

/// For how long the server wants to be left alone, by the code and the text of a refusal that will pass.
pub(crate) fn wanted(code: Code, text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    let said = BEFORE.iter().find_map(|before| {
        let (_, rest) = text.split_once(before)?;
        span(rest)
    });
    let at_limit = matches!(code, Code::Limit | Code::Throttled);
    let wanted = said.or_else(|| at_limit.then_some(UNSAID))?;
    (!wanted.is_zero()).then_some(wanted.min(MOST))
}

/// `: 299995 milliseconds`, ` 30 s`; without a unit they are seconds.
fn span(text: &str) -> Option<Duration> {
    let text = text.trim_start_matches([':', ' ', '=']);
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let number = match digits {
        "" => return None,
        // more than fits is more than the most
        digits => digits.parse().unwrap_or(u64::MAX),
    };
    let unit = unit.trim_start();
    Some(if unit.starts_with("ms") || unit.starts_with("millis") {
        Duration::from_millis(number)
    } else if unit.starts_with("min") {
        Duration::from_secs(number.saturating_mul(60))
    } else if unit.starts_with("hour") {
        Duration::from_secs(number.saturating_mul(3600))
    } else {
        Duration::from_secs(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_where_a_server_names_one() {
        let secs = Duration::from_secs;
        for (code, text, expected) in [
            (
                Code::Other,
                "Request is throttled. Suggested Backoff Time: 299995 milliseconds",
                Some(Duration::from_millis(299_995)),
            ),
            (
                Code::Other,
                "BACKOFF TIME 30 ms",
                Some(Duration::from_millis(30)),
            ),
            (Code::Unavailable, "Retry after 30", Some(secs(30))),
            (Code::InUse, "try again in 2 minutes", Some(secs(120))),
            (Code::Other, "try again in 2 hours", Some(secs(3600))),
            (
                Code::Other,
                "try again in 99999999999999999999999 s",
                Some(secs(3600)),
            ),
            (Code::Limit, "too many connections", Some(secs(10))),
            (Code::Throttled, "", Some(secs(10))),
            (Code::Limit, "retry after: 3 s", Some(secs(3))),
            (Code::Other, "Suggested Backoff Time: 0 milliseconds", None),
            (Code::Other, "Suggested Backoff Time: soon", None),
            (Code::Other, "backoff time", None),
            (Code::Unavailable, "temporarily", None),
            (Code::InUse, "locked", None),
        ] {
            assert_eq!(wanted(code, text), expected, "{text}");
        }
    }
}
