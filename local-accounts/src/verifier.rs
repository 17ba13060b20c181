//! Checking a login against a credential, at a bounded cost.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Caller, Login};
use pop3_proto::secret::Secret;

use crate::MAX_PASSWORD;
use crate::cache::Cache;
use crate::credential::{Credential, CredentialError};
use crate::gate::Gate;
use crate::prepared::other_form;

/// Stands in for the credential of a user that does not exist, until a better one is known.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWxvZ3MtaW4$mS0lU5yYjHq0kqFoIn4oyhs0Tgpgq1fW7Y5iVqBVg1k";

/// The bounds of a [`Verifier`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifierConfig {
    /// How many hashes are computed at once; 0 for as many as there are cores.
    pub parallel: usize,
    /// How many logins may wait for that. Networks take turns; those with failed logins of late come last. If
    /// more come, the network with the most of them in the queue loses its latest, which is refused with
    /// [`StoreError::Temporary`].
    pub waiting: usize,
    /// How long a login may wait for that.
    pub patience: Duration,
    /// How long a right password is remembered, as a keyed digest. Zero: not at all.
    pub remembered: Duration,
    /// What a login as an unknown user is checked against: a credential like most of the others.
    /// Without it that is the first hash that is seen, and argon2id until then.
    pub prevailing: Option<Credential>,
}

impl Default for VerifierConfig {
    fn default() -> Self {
        Self {
            parallel: 0,
            waiting: 64,
            patience: Duration::from_secs(20),
            remembered: Duration::from_secs(15 * 60),
            prevailing: None,
        }
    }
}

/// Why there is no [`Verifier`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// The system has no random octets.
    #[error("no random octets from the system")]
    Random,
    /// The built-in stand-in cannot be read.
    #[error(transparent)]
    StandIn(#[from] CredentialError),
}

/// Checks logins against credentials. Make one for all sessions, and preferably one for all stores:
/// then its bounds are those of the process.
///
/// # What an outsider can measure
///
/// A wrong password costs one hash, whether the user exists or not: for a user that does not exist (or is
/// locked, or has a stored secret) a hash of the [prevailing](VerifierConfig::prevailing) kind is computed
/// and thrown away. Where accounts with hashes of different cost are mixed, those that are not of the
/// prevailing kind can be told from names that do not exist by the time that a wrong password takes;
/// rehash them if that matters. An account whose credential cannot be read answers `[SYS/PERM]`, which
/// reveals that it exists. But that is the operator's mistake, and after "wrong password" a client would
/// ask its user again and again. Right passwords are answered from memory for a while, which is faster.
pub struct Verifier {
    gate: Gate,
    cache: Cache,
    remembered: bool,
    prevailing: Mutex<Prevailing>,
    hashes: AtomicU64,
}

struct Prevailing {
    credential: Arc<Credential>,
    /// It was not chosen by the caller: the first hash that is seen replaces it.
    provisional: bool,
}

impl Verifier {
    /// A verifier with an empty memory.
    ///
    /// # Errors
    ///
    /// If the system has no random octets for its key.
    pub fn new(config: VerifierConfig) -> Result<Self, VerifierError> {
        let mut key = [0; 64];
        getrandom::fill(&mut key).map_err(|_| VerifierError::Random)?;
        let parallel = match config.parallel {
            0 => thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let prevailing = config.prevailing.filter(Credential::is_hash);
        let provisional = prevailing.is_none();
        let credential = match prevailing {
            Some(credential) => credential,
            None => Credential::parse(NOBODY)?,
        };
        Ok(Self {
            gate: Gate::new(parallel, config.waiting, config.patience),
            cache: Cache::new(&key, config.remembered, 100_000),
            remembered: !config.remembered.is_zero(),
            prevailing: Mutex::new(Prevailing {
                credential: Arc::new(credential),
                provisional,
            }),
            hashes: AtomicU64::new(0),
        })
    }

    /// Whether the login proves the credential; `user` is the account's own name, and `credential` is
    /// `None` if there is no such account. Blocks for as long as a hash takes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Credentials`] if it does not, or if there is no credential; [`StoreError::Policy`] for a
    /// token or a relayed mechanism; [`StoreError::Temporary`] if too many passwords are being checked, or if
    /// the caller is gone before its turn: then no hash is computed.
    pub fn check(
        &self,
        login: &Login,
        caller: &Caller,
        user: &str,
        credential: Option<&Credential>,
    ) -> Result<(), StoreError> {
        self.check_beside(login, caller, user, credential, None)
    }

    /// The same, where `stand_in` is a credential like most of the others: what a login as a user that does
    /// not exist is checked against, instead of the [prevailing](VerifierConfig::prevailing) one. For stores
    /// that know all of theirs.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn check_beside(
        &self,
        login: &Login,
        caller: &Caller,
        user: &str,
        credential: Option<&Credential>,
        stand_in: Option<&Credential>,
    ) -> Result<(), StoreError> {
        match login {
            Login::Password { password, .. } => {
                self.password(caller, user, password, credential, stand_in)
            }
            Login::Apop { .. } | Login::CramMd5 { .. } => {
                // no login proves an empty secret, and trying takes as long
                let nobody = Secret::default();
                let secret = credential.and_then(Credential::stored_secret);
                let secret = Forms::of(secret.unwrap_or(&nobody));
                let mut forms = secret.all();
                prove(forms.any(|secret| login.proves(secret)))
            }
            Login::Bearer { .. } | Login::Relay { .. } => Err(StoreError::Policy(
                "local accounts only know passwords, not tokens".into(),
            )),
            Login::ActingFor { .. } | _ => Err(StoreError::Policy(
                "local accounts do not know this kind of login".into(),
            )),
        }
    }

    fn password(
        &self,
        caller: &Caller,
        user: &str,
        password: &Secret,
        credential: Option<&Credential>,
        stand_in: Option<&Credential>,
    ) -> Result<(), StoreError> {
        // depends on nothing but what the client sent
        if password.is_empty() || password.expose().len() > MAX_PASSWORD {
            return Err(StoreError::Credentials);
        }
        let password = &Forms::of(password);
        let Some(credential) = credential else {
            return self.refuse_after_work(caller, password, stand_in);
        };
        if !credential.is_hash() {
            if password.all().any(|form| credential.matches(form)) {
                return Ok(());
            }
            return self.refuse_after_work(caller, password, stand_in);
        }
        self.adopt(credential);
        let now = Instant::now();
        let key = self.cache.key(user, credential.text(), password.given);
        if self.remembered && self.cache.holds(&key, now) {
            return Ok(());
        }
        prove(self.compute(caller, credential, password)?)?;
        if self.remembered {
            self.cache.insert(key, now);
        }
        Ok(())
    }

    /// Whether this login was right a moment ago, so that [`check`](Self::check) would say yes without a hash. Waits for
    /// nothing. `false` says nothing about the password.
    pub fn remembers(&self, login: &Login, user: &str, credential: &Credential) -> bool {
        let Login::Password { password, .. } = login else {
            return false;
        };
        self.remembered && {
            let key = self.cache.key(user, credential.text(), password);
            self.cache.holds(&key, Instant::now())
        }
    }

    /// How many hashes were computed so far.
    pub fn hashes_computed(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    fn refuse_after_work(
        &self,
        caller: &Caller,
        password: &Forms<'_>,
        stand_in: Option<&Credential>,
    ) -> Result<(), StoreError> {
        // it belongs to another account, so whether it matches does not matter
        let _ = match stand_in.filter(|credential| credential.is_hash()) {
            Some(credential) => self.compute(caller, credential, password)?,
            None => {
                let prevailing = self
                    .prevailing
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let credential = Arc::clone(&prevailing.credential);
                drop(prevailing);
                self.compute(caller, &credential, password)?
            }
        };
        Err(StoreError::Credentials)
    }

    fn compute(
        &self,
        caller: &Caller,
        credential: &Credential,
        password: &Forms<'_>,
    ) -> Result<bool, StoreError> {
        let _permit = self
            .gate
            .enter(caller)
            .map_err(|_| StoreError::Temporary("too many passwords are being checked".into()))?;
        Ok(password.all().any(|form| {
            self.hashes.fetch_add(1, Ordering::Relaxed);
            credential.matches(form)
        }))
    }

    fn adopt(&self, credential: &Credential) {
        let mut prevailing = self
            .prevailing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if prevailing.provisional {
            *prevailing = Prevailing {
                credential: Arc::new(credential.clone()),
                provisional: false,
            };
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// A password as it was given, and prepared (RFC 4013) if that makes a difference: credentials were made of
/// either. A wrong one costs as many hashes as it has forms, for any account.
struct Forms<'a> {
    given: &'a Secret,
    prepared: Option<Secret>,
}

impl<'a> Forms<'a> {
    fn of(given: &'a Secret) -> Self {
        Self {
            given,
            prepared: other_form(given),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Secret> {
        [Some(self.given), self.prepared.as_ref()]
            .into_iter()
            .flatten()
    }
}

fn prove(proven: bool) -> Result<(), StoreError> {
    if proven {
        Ok(())
    } else {
        Err(StoreError::Credentials)
    }
}
