//! The certificates that clients are shown: whose they are, who vouches for them, when they end.
//!
//! Owns what the operator is told of them, in `check`, in metrics and in the log before one ends. Trusts nothing and
//! loads no key: that is TLS's business.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peer_trust::{CertificateFacts, Fingerprint, day, pem};
use pop3_server::tls::Identity;
use serde_json::{Value as Json, json};

use crate::config::Config;
use crate::self_signed;

/// How many days before the end of a certificate there is a warning; zero says that it has ended.
const DAYS: [i64; 5] = [30, 14, 7, 1, 0];
/// How often the clock is looked at. A machine may sleep, and clocks are set.
const LOOK: Duration = Duration::from_secs(3600);
const DAY: i64 = 24 * 3600;

/// A certificate that a listener shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The listener's name.
    pub listener: String,
    /// Where it lies.
    pub file: PathBuf,
    /// What it says of itself.
    pub facts: CertificateFacts,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether this program made it.
    pub is_own: bool,
}

/// All that are shown with this configuration, as they lie there now.
pub fn shown(config: &Config) -> Vec<Certificate> {
    let listeners = config.listeners.iter();
    let shown = listeners
        .flat_map(|own| Certificate::of(&own.name, &own.certificates, own.self_signed.as_deref()));
    #[cfg(feature = "http")]
    let shown = shown.chain(config.http.iter().flat_map(|own| {
        Certificate::of(&own.name(), &own.certificates, own.self_signed.as_deref())
    }));
    #[cfg(feature = "acme")]
    let shown = shown.chain(of_ca(config));
    shown.collect()
}

/// Those of the CA, and those that are shown until one comes.
#[cfg(feature = "acme")]
fn of_ca(config: &Config) -> impl Iterator<Item = Certificate> {
    let listeners = config.listeners.iter();
    let listeners = listeners.map(|own| (own.name.clone(), &own.acme));
    let http = config.http.iter().map(|own| (own.name(), &own.acme));
    let all = listeners.chain(http).filter(|(_, names)| !names.is_empty());
    all.flat_map(|(listener, names)| {
        let folder = config.acme.as_ref().map(crate::config::Acme::folder);
        let place = crate::acme::place::Place::new(folder.unwrap_or_else(|| Path::new("")), names);
        match place.identity() {
            Some(identity) => Certificate::of(&listener, &[identity], None),
            None => Certificate::of(&listener, &[], Some(&place.stopgap())),
        }
    })
}

impl Certificate {
    /// Those of one listener. One that cannot be read is left out; who loads it says why.
    fn of(listener: &str, certificates: &[Identity], self_signed: Option<&Path>) -> Vec<Self> {
        let own = self_signed.map(self_signed::identity);
        let read = |(identity, is_own): (&Identity, bool)| {
            let chain = pem::certificates(&identity.chain).ok()?;
            let first = chain.first()?;
            Some(Self {
                listener: listener.into(),
                file: identity.chain.clone(),
                facts: CertificateFacts::read(first)?,
                fingerprint: Fingerprint::of(first),
                is_own,
            })
        };
        let files = certificates.iter().map(|identity| (identity, false));
        files
            .chain(own.iter().map(|identity| (identity, true)))
            .filter_map(read)
            .collect()
    }

    /// What `check` says of it at this moment, in seconds since 1970.
    pub fn told(&self, now: i64) -> String {
        let (names, issuer) = (self.facts.names.join(", "), self.issuer());
        let (end, left) = (day(self.facts.not_after), self.left(now));
        let file = self.file.display();
        let print = match self.is_own {
            true => format!("; {}", self.fingerprint),
            false => String::new(),
        };
        format!("{file}: for {names}; {issuer}; {left} ({end}){print}")
    }

    /// The same for programs.
    pub fn told_json(&self) -> Json {
        json!({
            "listener": self.listener,
            "file": self.file,
            "names": self.facts.names,
            "issuer": self.facts.issuer,
            "self_signed": self.facts.self_issued,
            "not_before": self.facts.not_before,
            "not_after": self.facts.not_after,
            "fingerprint": self.fingerprint.to_string(),
        })
    }

    fn issuer(&self) -> String {
        match self.facts.self_issued {
            true => "self-signed".into(),
            false => format!("issued by {}", self.facts.issuer),
        }
    }

    fn left(&self, now: i64) -> String {
        match self.facts.not_after.saturating_sub(now) {
            left if left < 0 => "it HAS ENDED".into(),
            left if left < DAY => "it ends within a day".into(),
            left if left < 2 * DAY => "it ends in 1 day".into(),
            left => format!("it ends in {} days", left / DAY),
        }
    }

    /// What there is to do about it.
    fn remedy(&self) -> String {
        let file = self.file.display();
        match self.is_own {
            true => format!(
                "remove {file}, and send SIGHUP: another one is made, which clients have to be told to trust"
            ),
            false => format!(
                "put a new one into {file}, or look why whatever renews it does not; then send SIGHUP"
            ),
        }
    }
}

/// Warns before certificates end: once at each of the days that matter.
#[derive(Debug, Default)]
pub struct Watch {
    shown: Vec<Certificate>,
    /// The last warning of each certificate: it speaks once for each file and end.
    warned: HashMap<(PathBuf, i64), i64>,
}

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// How many days are left at most; zero if it has ended.
    pub days: i64,
    /// The certificate.
    pub certificate: Certificate,
}

impl Warning {
    /// Whose certificate it is.
    pub fn of(&self) -> String {
        format!("listener {:?}", self.certificate.listener)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Certificate { file, facts, .. } = &self.certificate;
        let (file, end, remedy) = (
            file.display(),
            day(facts.not_after),
            self.certificate.remedy(),
        );
        match self.days {
            0 => write!(
                f,
                "the certificate {file} HAS ENDED on {end}: clients that check it do not connect"
            ),
            1 => write!(f, "the certificate {file} ends within a day, on {end}"),
            days => write!(
                f,
                "the certificate {file} ends within {days} days, on {end}"
            ),
        }?;
        write!(f, "; {remedy}")
    }
}

impl Watch {
    /// These are shown from now on.
    pub fn shows(&mut self, certificates: Vec<Certificate>) {
        let named = |(file, end): &(PathBuf, i64)| {
            let is_it = |own: &Certificate| own.file == *file && own.facts.not_after == *end;
            certificates.iter().any(is_it)
        };
        self.warned.retain(|place, _| named(place));
        self.shown = certificates;
    }

    /// What is new to be said at this moment, in seconds since 1970.
    pub fn look(&mut self, now: i64) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for certificate in &self.shown {
            let left = certificate.facts.not_after.saturating_sub(now);
            let mut reached = DAYS.into_iter().filter(|days| match days {
                0 => left < 0,
                days => left <= days * DAY,
            });
            let Some(days) = reached.next_back() else {
                continue;
            };
            let place = (certificate.file.clone(), certificate.facts.not_after);
            if self.warned.get(&place).is_some_and(|last| *last <= days) {
                continue;
            }
            self.warned.insert(place, days);
            warnings.push(Warning {
                days,
                certificate: certificate.clone(),
            });
        }
        warnings
    }
}

/// A watch that looks at the clock. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Watchman(Arc<Mutex<Watch>>);

impl Watchman {
    /// Looks from now on, on a thread of its own, as long as there is a clone of this.
    pub fn look_ahead(&self) -> std::io::Result<()> {
        let watched = Arc::downgrade(&self.0);
        let look = move || {
            while look(&watched) {
                thread::sleep(LOOK);
            }
        };
        let thread = thread::Builder::new().name("certificates".into());
        thread.spawn(look).map(|_| ())
    }

    /// These are shown from now on; what is to be said of them is said at once.
    pub fn shows(&self, certificates: Vec<Certificate>) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watch.shows(certificates);
        say(&watch.look(now()));
    }
}

fn look(watched: &Weak<Mutex<Watch>>) -> bool {
    let Some(watch) = watched.upgrade() else {
        return false;
    };
    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    say(&watch.look(now()));
    true
}

fn say(warnings: &[Warning]) {
    for warning in warnings {
        let listener = &warning.certificate.listener;
        match warning.days {
            0 | 1 => tracing::error!(listener, "{warning}"),
            _ => tracing::warn!(listener, "{warning}"),
        }
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A certificate that this program made, whose end is another.
    fn ends(folder: &Path, not_after: i64) -> Certificate {
        self_signed::ensure(folder, &["pop.example.org".into()]).unwrap();
        let mut all = Certificate::of("public", &[], Some(folder));
        let mut own = all.pop().unwrap();
        own.facts.not_after = not_after;
        own
    }

    #[test]
    fn each_warning_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let end = 100 * DAY;
        let mut watch = Watch::default();
        watch.shows(vec![ends(folder.path(), end)]);
        let mut said = Vec::new();
        for hour in 0..120 * 24 {
            let now = hour * 3600;
            let warnings = watch.look(now).into_iter();
            said.extend(warnings.map(|warning| (now / DAY, warning.days)));
        }
        assert_eq!(said, [(70, 30), (86, 14), (93, 7), (99, 1), (100, 0)]);
    }

    /// A gateway that starts late says what holds now, not all that it would have said.
    #[test]
    fn who_comes_late_hears_the_last_warning_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::default();
        watch.shows(vec![ends(folder.path(), 100 * DAY)]);
        let days = |watch: &mut Watch, now| {
            let warnings = watch.look(now * DAY).into_iter();
            warnings.map(|warning| warning.days).collect::<Vec<_>>()
        };
        assert_eq!(days(&mut watch, 95), [7]);
        assert_eq!(days(&mut watch, 96), [0; 0]);
        // a reload that changes nothing repeats nothing; a new certificate is a new matter
        watch.shows(vec![ends(folder.path(), 100 * DAY)]);
        assert_eq!(days(&mut watch, 97), [0; 0]);
        watch.shows(vec![ends(folder.path(), 120 * DAY)]);
        assert_eq!(days(&mut watch, 98), [30]);
        // a clock that was set back says nothing twice
        assert_eq!(days(&mut watch, 10), [0; 0]);
        assert_eq!(days(&mut watch, 200), [0]);
    }

    #[test]
    fn what_is_told_names_the_end_and_who_vouches() {
        let folder = tempfile::tempdir().unwrap();
        let own = ends(folder.path(), 100 * DAY);
        let told = own.told(90 * DAY);
        let file = own.file.display();
        let print = own.fingerprint;
        assert_eq!(
            told,
            format!(
                "{file}: for pop.example.org; self-signed; it ends in 10 days (1970-04-11); {print}"
            )
        );
        assert!(own.told(101 * DAY).contains("HAS ENDED"));
        assert_eq!(own.told_json()["not_after"], 100 * DAY);
    }
}
