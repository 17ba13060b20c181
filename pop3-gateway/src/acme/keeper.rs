//! When a certificate is asked for, and what comes of it.
//!
//! Owns the thread, the moments and the memory of failures. A certificate is renewed when its CA suggests it, without
//! that two thirds into its life, at another moment for each. After a failure there is a pause that grows from a quarter of an hour to a day,
//! longer if the CA says so; it is remembered on disk, so that neither restarts nor reloads ask more often. The disk is
//! read along with the configuration.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use instant_acme::ChallengeType;
use peer_trust::{CertificateFacts, Fingerprint, day, pem};
use pop3_server::rustls::pki_types::CertificateDer;

use super::answers::Answers;
use super::ca::Wish;
use super::place::{Place, Tries};
use super::shown::Shown;
use super::suggestion::{self, Suggestion};
use super::trouble::Trouble;
use crate::certificates::now;
use crate::config::Acme;
use crate::self_signed;

/// How often the clock is looked at. A machine may sleep, and clocks are set.
const LOOK: Duration = Duration::from_secs(3600);
/// The pause after the first failure, in seconds. Each further one is four times as long.
const FIRST_PAUSE: i64 = 15 * 60;
const DAY: i64 = 24 * 3600;

/// What is to be kept, as the configuration says.
#[derive(Clone)]
pub struct Plan {
    /// `[acme]`
    pub settings: Acme,
    /// The names of each certificate.
    pub certificates: Vec<Vec<String>>,
    /// Where a CA may look, the best first: through TLS, or in the clear.
    pub with_tls: Vec<bool>,
    /// Is called with every new certificate.
    pub renewed: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

/// Keeps certificates, through reloads. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    answers: Answers,
    work: Mutex<Work>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    plan: Option<Plan>,
    is_running: bool,
    /// What is shown of each certificate.
    shown: HashMap<Place, Shown>,
    /// What is remembered of each, as it was read along with the plan and goes on since.
    tries: HashMap<Place, Tries>,
    /// What the CA has said of certificates since the start.
    suggestions: HashMap<Place, Suggestion>,
}

/// What is done next.
enum Step {
    /// Ask when this certificate is to be renewed.
    Ask(Place, CertificateDer<'static>),
    /// Ask for a certificate with these names.
    Renew(Vec<String>),
}

impl Kept {
    pub(crate) fn answers(&self) -> &Answers {
        &self.0.answers
    }

    /// What listeners show for these names: the certificate of the CA, and a self-signed one until that comes.
    pub(crate) fn shown(
        &self,
        folder: &Path,
        names: &[String],
    ) -> Result<Shown, Box<dyn std::error::Error + Send + Sync>> {
        let place = Place::new(folder, names);
        let mut work = self.0.work();
        if let Some(shown) = work.shown.get(&place) {
            return Ok(shown.clone());
        }
        let identity = match place.identity() {
            Some(identity) => identity,
            None => {
                let names_told = names.join(" ");
                tracing::info!(
                    names = names_told,
                    "a self-signed certificate is shown until the CA issues one"
                );
                place.prepare()?;
                self_signed::ensure(&place.stopgap(), names)?.0
            }
        };
        let shown = Shown::new(identity.load()?);
        work.shown.insert(place, shown.clone());
        Ok(shown)
    }

    /// Keeps what the plan says from now on, nothing without one.
    ///
    /// # Errors
    ///
    /// If there is no thread for it.
    pub fn follow(&self, plan: Option<Plan>) -> std::io::Result<()> {
        let mut work = self.0.work();
        let starts = plan.is_some() && !work.is_running;
        let remembered = plan.iter().flat_map(|plan| {
            plan.certificates.iter().map(|names| {
                let place = Place::new(plan.settings.folder(), names);
                let tries = place.tries(names);
                (place, tries)
            })
        });
        work.tries = remembered.collect();
        work.plan = plan;
        work.is_running |= starts;
        drop(work);
        self.0.woken.notify_all();
        if starts {
            let inner = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("acme".into());
            thread.spawn(move || inner.keep())?;
        }
        Ok(())
    }
}

impl Inner {
    /// The state is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As long as the process lives.
    fn keep(&self) {
        loop {
            let work = self.work();
            let plan = work.plan.clone();
            let next = plan.as_ref().and_then(|plan| plan.next(&work));
            let (Some(plan), Some((at, step))) = (plan, next) else {
                drop(self.woken.wait(work));
                continue;
            };
            let left = at.saturating_sub(now());
            if left > 0 {
                let left = Duration::from_secs(left.unsigned_abs()).min(LOOK);
                drop(self.woken.wait_timeout(work, left));
                continue;
            }
            drop(work);
            match step {
                Step::Ask(place, certificate) => self.ask(&plan, place, &certificate),
                Step::Renew(names) => self.renew(&plan, &names),
            }
        }
    }

    fn ask(&self, plan: &Plan, place: Place, certificate: &CertificateDer<'_>) {
        let suggestion = Suggestion::ask(&plan.settings, plan.settings.folder(), certificate);
        if let Some((from, until)) = suggestion.window {
            let (file, from, until) = (place.file(), day(from), day(until));
            tracing::info!(certificate = %file.display(), %from, %until, "the CA suggests when to renew");
        }
        self.work().suggestions.insert(place, suggestion);
    }

    fn renew(&self, plan: &Plan, names: &[String]) {
        let folder = plan.settings.folder();
        let place = Place::new(folder, names);
        let certificate = place.file();
        let certificate = certificate.display();
        tracing::info!(%certificate, names = names.join(" "), "asking the CA for a certificate");
        let challenges: Vec<_> = plan
            .with_tls
            .iter()
            .map(|with_tls| match with_tls {
                true => ChallengeType::TlsAlpn01,
                false => ChallengeType::Http01,
            })
            .collect();
        let suggests = |own: &Known| {
            let work = self.work();
            let suggestion = work.suggestions.get(&place);
            suggestion.is_some_and(|said| said.of == own.print && said.window.is_some())
        };
        let replaced = Known::of(&place).filter(suggests);
        let wish = Wish {
            settings: &plan.settings,
            folder,
            names,
            challenges: &challenges,
            answers: &self.answers,
            replaces: replaced.and_then(|own| suggestion::identifier(&own.certificate)),
        };
        let issued = wish.come_true().and_then(|issued| {
            place.replace(&issued.pem).map_err(|error| Trouble {
                what: format!("{certificate} cannot be written: {error}"),
                remedy: "check the folder dir in [acme]".into(),
                retry_after: None,
            })?;
            Ok(issued.key)
        });
        let (told, tries) = match issued {
            Ok(key) => {
                if let Some(shown) = self.work().shown.get(&place) {
                    shown.replace(key);
                }
                (plan.renewed)();
                let life = Known::of(&place).map_or(0, |own| life(&own.facts));
                (Ok(()), Tries::after_success(life))
            }
            Err(trouble) => {
                let before = self.work().tries.get(&place).copied();
                let tries = before.unwrap_or_default();
                let tries = tries.after_failure(trouble.retry_after);
                (Err(trouble), tries)
            }
        };
        if let Err(error) = place.remember(names, tries) {
            let file = place.tries_file();
            tracing::error!(file = %file.display(), %error, "cannot be written; the CA is not asked until a reload");
            // rather none than one order after the other
            self.work().plan = None;
        }
        self.work().tries.insert(place, tries);
        match told {
            Ok(()) => tracing::info!(%certificate, "a new certificate is shown; sessions go on"),
            Err(Trouble { what, remedy, .. }) => {
                let (names, minutes) = (names.join(" "), (tries.next - now() + 30) / 60);
                tracing::warn!(
                    %certificate, names, error = what, remedy, again_in_minutes = minutes,
                    "no new certificate; the one of before stays"
                );
            }
        }
    }
}

impl Tries {
    /// Another certificate for the same names may be asked for after a day, or a tenth of its life.
    fn after_success(life: i64) -> Self {
        Self {
            failures: 0,
            next: now().saturating_add((life / 10).min(DAY)),
        }
    }

    fn after_failure(self, retry_after: Option<Duration>) -> Self {
        Self {
            failures: self.failures.saturating_add(1),
            next: now().saturating_add(pause(self.failures, retry_after)),
        }
    }
}

impl Plan {
    /// What comes next, and when.
    fn next(&self, work: &Work) -> Option<(i64, Step)> {
        let all = self.certificates.iter().flat_map(|names| {
            let place = Place::new(self.settings.folder(), names);
            let tries = work.tries.get(&place).copied().unwrap_or_default();
            let known = Known::of(&place).filter(|own| own.is_for(names));
            let said = work.suggestions.get(&place);
            let said = said.filter(|said| known.as_ref().is_some_and(|own| own.print == said.of));
            let due = due(known.as_ref(), said, tries);
            let ask = known.map(|own| {
                let at = said.map_or(0, |said| said.again);
                (at, Step::Ask(place, own.certificate))
            });
            ask.into_iter().chain([(due, Step::Renew(names.clone()))])
        });
        all.min_by_key(|(at, _)| *at)
    }
}

/// A certificate that is there.
struct Known {
    certificate: CertificateDer<'static>,
    facts: CertificateFacts,
    print: Fingerprint,
}

impl Known {
    fn of(place: &Place) -> Option<Self> {
        let chain = pem::certificates(&place.identity()?.chain).ok()?;
        let certificate = chain.into_iter().next()?;
        Some(Self {
            facts: CertificateFacts::read(&certificate)?,
            print: Fingerprint::of(&certificate),
            certificate,
        })
    }

    fn is_for(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.facts.names.contains(name))
    }
}

/// When a certificate is to be asked for, in seconds since 1970, where this one is known and this is said of it.
fn due(known: Option<&Known>, said: Option<&Suggestion>, tries: Tries) -> i64 {
    let Some(own) = known else { return tries.next };
    let window = said.and_then(|said| said.window);
    let at = match window {
        // whatever the CA says, the certificate must not end
        Some(window) => within(window, own.print).min(own.facts.not_after - life(&own.facts) / 20),
        None => renewal(&own.facts, own.print),
    };
    at.max(tries.next)
}

fn life(facts: &CertificateFacts) -> i64 {
    facts.not_after.saturating_sub(facts.not_before)
}

/// Two thirds into the life, earlier by up to a twentieth of it.
fn renewal(facts: &CertificateFacts, print: Fingerprint) -> i64 {
    let life = life(facts);
    let latest = facts.not_before.saturating_add(life / 3 * 2);
    within((latest.saturating_sub(life / 20), latest), print)
}

/// A moment in this window. Which one, is the certificate's own, so that a restart changes nothing.
fn within((start, end): (i64, i64), print: Fingerprint) -> i64 {
    let print = print.to_string();
    let digits = print.get(print.len().saturating_sub(2)..);
    let octet = digits.and_then(|digits| i64::from_str_radix(digits, 16).ok());
    let earlier = end.saturating_sub(start) / 256 * octet.unwrap_or(0);
    end.saturating_sub(earlier)
}

/// How long it is waited after one more failure.
fn pause(failures: u32, retry_after: Option<Duration>) -> i64 {
    let grown = FIRST_PAUSE.saturating_mul(4_i64.saturating_pow(failures.min(8)));
    let said = retry_after.map_or(0, |said| i64::try_from(said.as_secs()).unwrap_or(i64::MAX));
    grown.min(DAY).max(said)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn pauses_grow_to_a_day_and_longer_if_the_ca_says_so() {
        let pauses: Vec<_> = (0..6).map(|failures| pause(failures, None) / 60).collect();
        assert_eq!(pauses, [15, 60, 240, 960, 1440, 1440]);
        assert_eq!(pause(u32::MAX, None), DAY);
        assert_eq!(pause(0, Some(Duration::from_secs(2 * 24 * 3600))), 2 * DAY);
    }

    #[test]
    fn a_certificate_is_renewed_two_thirds_into_its_life() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["pop.example.org".to_owned()];
        let place = Place::new(folder.path(), &names);
        let none = Tries::default();
        assert_eq!(due(None, None, none), 0, "there is none");
        let own = self_signed::ensure(folder.path(), &names).unwrap().0;
        std::fs::copy(own.chain, place.file()).unwrap();
        let known = Known::of(&place).unwrap();
        let at = due(Some(&known), None, none) - known.facts.not_before;
        let life = life(&known.facts);
        assert!(at <= life / 3 * 2 && at > life / 3 * 2 - life / 20, "{at}");
        // another name needs another certificate
        let more = ["pop.example.org".to_owned(), "x.example.org".to_owned()];
        assert!(known.is_for(&names) && !known.is_for(&more));

        // the CA's word goes before that, but not beyond the end
        let end = known.facts.not_after;
        for (window, expected) in [
            ((1000, 2000), 1000..=2000),
            ((2 * end, 3 * end), end - life / 20..=end - life / 20),
            ((i64::MIN, i64::MAX), i64::MIN..=end),
        ] {
            let said = Suggestion {
                of: known.print,
                window: Some(window),
                again: 0,
            };
            let at = due(
                Some(&known),
                Some(&said),
                Tries {
                    failures: 0,
                    next: i64::MIN,
                },
            );
            assert!(expected.contains(&at), "{window:?}: {at}");
        }
    }

    #[test]
    fn failures_are_remembered_for_these_names_alone() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["pop.example.org".to_owned()];
        let place = Place::new(&folder.path().join("acme"), &names);
        assert_eq!(place.tries(&names), Tries::default());
        let tries = Tries {
            failures: 3,
            next: 1 << 40,
        };
        place.remember(&names, tries).unwrap();
        assert_eq!(place.tries(&names), tries);
        assert_eq!(due(None, None, tries), 1 << 40);
        let others = ["pop.example.org".to_owned(), "x.example.org".to_owned()];
        assert_eq!(place.tries(&others), Tries::default());
    }
}
