//! From the configuration to what gets tokens.
//!
//! Owns the making of authorities, the keeper and the state; what outlives a reload stays the same. Asks no provider.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use gateway_state::Keys;
use local_accounts::{FileAccounts, private_file};
use pop3_proto::backend::Mechanism;
use pop3_proto::secret::Secret;

use super::{Absent, Surroundings, WiringError};
use crate::config::{Config, State};
use crate::layer::token::TokenDesk;
use crate::mailbox::imap::{Upstream, place};
use crate::mailbox::kind::{Passwords, Problem};
use crate::mailbox::local::accounts_in;
use crate::oauth::devices::NO_PASSWORD;
#[cfg(feature = "http")]
use crate::oauth::{Ask, Meaning, Obtained, Refusal};
use crate::oauth::{Authority, Devices, Granted, Keeper, Records, Source};

/// What outlives a reload.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    records: Option<(String, Records)>,
    keeper: Option<Arc<Keeper>>,
}

/// What upstreams with grants share.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    records: Option<Records>,
    keeper: Option<Arc<Keeper>>,
    authorities: HashMap<String, (Arc<Authority>, crate::oauth::Flow)>,
}

impl Tokens {
    /// Reads keys and opens the state.
    pub(super) fn new(
        config: &Config,
        surroundings: &Surroundings,
        absent: Absent,
    ) -> Result<Self, WiringError> {
        if config.grants.is_empty() && config.state.is_none() {
            return Ok(Self::default());
        }
        let kept = &surroundings.tokens.0;
        let mut inner = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let records = match &config.state {
            None => None,
            Some(state) => inner.records(state, absent).map_err(of_state)?,
        };
        let mut providers = HashMap::new();
        for own in &config.providers {
            let provider = &own.provider;
            let authority = Authority::new(provider.clone()).map_err(|refusal| {
                WiringError::new(format!("provider {:?}", provider.name), refusal)
            })?;
            providers.insert(provider.name.as_str(), Arc::new(authority));
        }
        let mut authorities = HashMap::new();
        for grant in &config.grants {
            // the configuration names providers that are there
            if let Some(authority) = providers.get(grant.provider.as_str()) {
                let flow = grant.flow(authority.provider());
                authorities.insert(grant.name.clone(), (Arc::clone(authority), flow));
            }
        }
        let sources = authorities.iter().map(|(name, (authority, flow))| {
            let granted = Granted {
                authority: Arc::clone(authority),
                flow: *flow,
            };
            (name.clone(), counted(granted, surroundings))
        });
        let sources = sources.collect();
        let keeper = match &inner.keeper {
            Some(keeper) => keeper.reconfigured(records.clone(), sources),
            None => Keeper::new(records.clone(), sources),
        };
        #[cfg(feature = "cluster")]
        if let Some(node) = &surroundings.node {
            keeper.takes_turns(node.turns());
        }
        if absent == Absent::Make {
            keeper
                .look_ahead()
                .map_err(|error| of_state(error.into()))?;
        }
        inner.keeper = Some(Arc::clone(&keeper));
        Ok(Self {
            records,
            keeper: Some(keeper),
            authorities,
        })
    }

    /// The state, if there is one.
    #[cfg(feature = "http")]
    pub(super) const fn records(&self) -> Option<&Records> {
        self.records.as_ref()
    }

    /// What keeps the tokens, if there are some.
    #[cfg(feature = "http")]
    pub(super) const fn keeper(&self) -> Option<&Arc<Keeper>> {
        self.keeper.as_ref()
    }

    /// Who gives the tokens of a grant, and how it comes about.
    #[cfg(feature = "http")]
    pub(super) fn authority(&self, grant: &str) -> Option<(&Arc<Authority>, crate::oauth::Flow)> {
        let (authority, flow) = self.authorities.get(grant)?;
        Some((authority, *flow))
    }

    /// What logins to this upstream go through, if a grant reaches it.
    pub(super) fn desk(
        &self,
        upstream: &Upstream,
        passwords: &Passwords,
    ) -> Result<Option<Arc<TokenDesk>>, Problem> {
        let Some(grant) = &upstream.grant else {
            return Ok(None);
        };
        let (Some(keeper), Some((authority, flow))) = (&self.keeper, self.authorities.get(grant))
        else {
            return Err(format!("there is no grant {grant:?}").into());
        };
        let file: Option<FileAccounts> = match &upstream.accounts {
            Some(path) => Some(with_passwords(
                path,
                accounts_in(&upstream.name, path, passwords)?,
            )?),
            None => None,
        };
        let mechanism = authority.provider().mechanism();
        Ok(Some(Arc::new(TokenDesk {
            accounts: Arc::new(Devices {
                file,
                records: self.records.clone(),
                verifier: passwords.verifier()?,
                place: upstream.name.clone(),
                grant: grant.clone(),
                flow: *flow,
            }),
            keeper: Arc::clone(keeper),
            mechanism: Mechanism::new(mechanism).ok_or("no such mechanism")?,
            place: place(&upstream.imap),
        })))
    }
}

/// The same source, whose answers are counted.
#[cfg(feature = "http")]
fn counted(source: Granted, surroundings: &Surroundings) -> Arc<dyn Source> {
    Arc::new(Counted {
        source,
        answers: Arc::clone(&surroundings.metrics.tokens),
    })
}

#[cfg(not(feature = "http"))]
fn counted(source: Granted, _: &Surroundings) -> Arc<dyn Source> {
    Arc::new(source)
}

/// Counts what a provider answers.
#[cfg(feature = "http")]
struct Counted {
    source: Granted,
    answers: Arc<crate::metrics::Tokens>,
}

#[cfg(feature = "http")]
impl Source for Counted {
    fn flow(&self) -> crate::oauth::Flow {
        self.source.flow()
    }

    fn binding(&self) -> (String, String) {
        self.source.binding()
    }

    fn obtain(&self, ask: Ask<'_>) -> Result<Obtained, Refusal> {
        let obtained = self.source.obtain(ask);
        let result = match obtained.as_ref().map_err(|refusal| refusal.meaning) {
            Ok(_) => "ok",
            Err(Meaning::Ended) => "ended",
            Err(Meaning::Later { .. }) => "later",
            Err(Meaning::Settings) => "settings",
            Err(Meaning::Pending | Meaning::SlowDown | Meaning::Declined) => "other",
        };
        let provider = &self.source.authority.provider().name;
        self.answers.answered(provider, result);
        obtained
    }
}

/// Refuses accounts that anybody could log in to: a grant opens their mailboxes.
fn with_passwords(path: &Path, accounts: FileAccounts) -> Result<FileAccounts, Problem> {
    let open = |(kind, _): &(&str, usize)| *kind == NO_PASSWORD;
    if accounts.weaknesses().iter().any(open) {
        return Err(format!(
            "{}: accounts with nopassword would open mailboxes of a grant to anybody; give each a password with \
             \"pop3-gateway account passwd\", or remove nopassword",
            path.display()
        )
        .into());
    }
    Ok(accounts)
}

impl Inner {
    /// The state, opened once. Nothing, if it is left to the first start.
    fn records(&mut self, state: &State, absent: Absent) -> Result<Option<Records>, Problem> {
        let url = state.url.as_ref().ok_or("the state has no url")?;
        let at = url.to_string();
        if let Some((open, records)) = &self.records {
            if *open == at {
                return Ok(Some(records.clone()));
            }
            return Err("another place for the state needs a restart".into());
        }
        let is_new = state.file.as_ref().is_some_and(|file| !file.exists());
        if is_new && absent == Absent::Leave {
            return Ok(None);
        }
        let keys = keys(state, is_new)?;
        let records = Records::open(url, keys)?;
        self.records = Some((at, records.clone()));
        Ok(Some(records))
    }
}

/// Opens the state as it is; nothing if it is left to the first start.
pub fn existing(state: &State) -> Result<Option<Records>, Problem> {
    Inner::default().records(state, Absent::Leave)
}

/// Opens the state for a tool. What is not there is made.
pub fn records(state: &State) -> Result<Records, Problem> {
    let records = Inner::default().records(state, Absent::Make)?;
    records.ok_or_else(|| "there is no state".into())
}

/// Opens the state for a tool, without its grants if the key does not open them. How many were removed.
pub fn records_without_grants(state: &State) -> Result<(Records, u64), Problem> {
    let url = state.url.as_ref().ok_or("the state has no url")?;
    Ok(Records::open_without_key(url, keys(state, false)?)?)
}

/// The key, from where the configuration says. A file of it is made along with the state, and never for a state that
/// is there already: no other key opens that one.
fn keys(state: &State, is_new: bool) -> Result<Keys, Problem> {
    if let Some(file) = &state.key_file {
        match fs::read(file) {
            Ok(octets) => return read_keys(octets, &file.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound && is_new => {
                let keys = Keys::generate()?;
                return match private_file::create(file, keys.to_text().expose()) {
                    Ok(()) => Ok(keys),
                    // another process was faster, and made the state as well
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        read_keys(fs::read(file)?, &file.display().to_string())
                    }
                    Err(error) => {
                        Err(format!("{}: the key cannot be made: {error}", file.display()).into())
                    }
                };
            }
            Err(error) => {
                let path = file.display();
                return Err(format!(
                    "{path}: the key cannot be read: {error}; tokens that were sealed with another key are lost without \
                     it; for a new state on a server, make one: (umask 077; openssl rand -base64 32 >{path})"
                )
                .into());
            }
        }
    }
    if let Some(name) = &state.key_credential {
        let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(
            "there are no credentials of systemd ($CREDENTIALS_DIRECTORY); add LoadCredential= to the unit",
        )?;
        let file = Path::new(&folder).join(name);
        let octets = fs::read(&file)
            .map_err(|error| format!("the credential {name:?} cannot be read: {error}"))?;
        return read_keys(octets, &format!("the credential {name:?}"));
    }
    let [program, arguments @ ..] = state.key_command.as_slice() else {
        return Err("there is no key".into());
    };
    let printed = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("key_command: {program:?} cannot be run: {error}"))?;
    if !printed.status.success() {
        return Err(format!("key_command: {program:?} failed ({})", printed.status).into());
    }
    read_keys(printed.stdout, "key_command")
}

fn read_keys(octets: Vec<u8>, what: &str) -> Result<Keys, Problem> {
    let octets = Secret::new(octets);
    Keys::parse(octets.expose()).map_err(|error| format!("{what}: {error}").into())
}

fn of_state(problem: Problem) -> WiringError {
    WiringError::new("state".into(), problem)
}
