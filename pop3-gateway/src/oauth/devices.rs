//! Who may log in to mailboxes that grants reach.
//!
//! Owns the order in which accounts are looked for: the file first, then the state. Whatever is wrong with a login
//! (the name, the password, the network, the date), the answer is the same, after the same time.

use std::net::IpAddr;
use std::sync::Arc;

use gateway_state::{Access as Kept, Account, GrantId};
use ipnet::IpNet;
use local_accounts::{Credential, FileAccounts, Verifier};
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Access, Failure, Open, Refusal, RefusalKind};

use super::authority::unix;
use super::provider::Flow;
use super::records::Records;
use crate::layer::token::{Admission, Admits, NotAdmitted};

/// What `local-accounts` calls accounts that take any password.
pub const NO_PASSWORD: &str = "nopassword";

/// The accounts of one upstream.
#[derive(Debug)]
pub struct Devices {
    /// Those of its file.
    pub file: Option<FileAccounts>,
    /// Those that tools and pages made.
    pub records: Option<Records>,
    /// What checks passwords.
    pub verifier: Arc<Verifier>,
    /// The upstream's name.
    pub place: String,
    /// The grant's.
    pub grant: String,
    /// How the grant comes about.
    pub flow: Flow,
}

/// An account, wherever it is from.
struct Found {
    name: String,
    credential: Credential,
    /// Whether it may be used now and from there.
    is_on: bool,
    mailbox: String,
    owner: Option<String>,
    access: Access,
    keeps: bool,
    /// It is in the state, which is to note its use.
    is_noted: bool,
}

impl Admits for Devices {
    fn at_once(&self, open: &Open) -> Option<Admission> {
        // a file is read when it has changed, and comes first
        if self.file.is_some() {
            return None;
        }
        let user = open.login.user().unwrap_or_default();
        let account = self.records.as_ref()?.account_at_hand(user)?;
        let found = self.kept(account, open.caller.address()).ok()??;
        let is_right = found.is_on
            && self
                .verifier
                .remembers(&open.login, &found.name, &found.credential);
        is_right.then(|| self.admission(&found))
    }

    fn admit(&self, open: &Open) -> Result<Admission, NotAdmitted> {
        let user = open.login.user().unwrap_or_default();
        let address = open.caller.address();
        let found = match self.in_file(user, address)? {
            Some(found) => Some(found),
            None => self.in_state(user, address)?,
        };
        let usable = found.as_ref().filter(|found| found.is_on);
        let name = found.as_ref().map_or(user, |found| &found.name);
        let credential = usable.map(|found| &found.credential);
        self.verifier
            .check(&open.login, &open.caller, name, credential)
            .map_err(not_admitted)?;
        match usable {
            Some(found) => Ok(self.admission(found)),
            None => Err(not_admitted(StoreError::Credentials)),
        }
    }
}

impl Devices {
    /// What an account opens whose credential is good.
    fn admission(&self, found: &Found) -> Admission {
        if found.is_noted {
            self.note_use(&found.name);
        }
        let owner = found.owner.as_deref().unwrap_or(&found.mailbox);
        let owner = match self.flow {
            Flow::App => "",
            Flow::Code | Flow::Device => owner,
            Flow::ServiceAccount => found.mailbox.as_str(),
        };
        Admission {
            grant: GrantId::new(self.grant.as_str(), owner.to_lowercase()),
            mailbox: found.mailbox.clone(),
            access: found.access,
            keeps: found.keeps,
        }
    }

    fn in_file(&self, user: &str, address: Option<IpAddr>) -> Result<Option<Found>, NotAdmitted> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let entry = file.find(user).map_err(not_admitted)?;
        Ok(entry.map(|entry| Found {
            name: entry.name().into(),
            credential: entry.credential().clone(),
            // a grant's mailbox never opens without a credential
            is_on: entry.admits(address)
                && !entry.has_expired(unix())
                && entry.credential().weakness() != Some(NO_PASSWORD),
            mailbox: entry.maildrop().into(),
            owner: None,
            access: entry.access(),
            keeps: entry.keeps(),
            is_noted: false,
        }))
    }

    fn in_state(&self, user: &str, address: Option<IpAddr>) -> Result<Option<Found>, NotAdmitted> {
        let Some(records) = &self.records else {
            return Ok(None);
        };
        let account = records
            .account(user)
            .map_err(|error| NotAdmitted::Failed(Failure::temporary(error.to_string())))?;
        account.map_or(Ok(None), |account| self.kept(account, address))
    }

    /// What an account of the state is worth here and now.
    fn kept(
        &self,
        account: Account,
        address: Option<IpAddr>,
    ) -> Result<Option<Found>, NotAdmitted> {
        if account.place != self.place {
            return Ok(None);
        }
        let credential = Credential::parse(&account.credential).map_err(|error| {
            let text = format!(
                "the account {:?} in the state cannot be used: {error}",
                account.name
            );
            NotAdmitted::Failed(Failure::permanent(text))
        })?;
        let within = account.networks.is_empty()
            || address.is_some_and(|address| {
                let nets = account.networks.iter();
                let mut nets = nets.filter_map(|net| net.parse::<IpNet>().ok());
                nets.any(|net| net.contains(&address))
            });
        let now = unix();
        let ended = account.expires.is_some_and(|end| end <= now);
        let is_noted = account.is_news(now);
        Ok(Some(Found {
            credential,
            is_on: account.enabled && within && !ended,
            mailbox: account.mailbox,
            owner: account.owner,
            access: match account.access {
                Kept::ReadWrite | Kept::NoDelete => Access::ReadWrite,
                // what is not known here may do the least
                Kept::ReadOnly | _ => Access::ReadOnly,
            },
            keeps: account.access == Kept::NoDelete,
            name: account.name,
            is_noted,
        }))
    }

    /// The login does not wait for it.
    fn note_use(&self, name: &str) {
        let Some(records) = self.records.clone() else {
            return;
        };
        let name = name.to_owned();
        blocking::unblock(move || {
            if let Err(error) = records.with(|state| state.account_used(&name, unix())) {
                tracing::warn!(account = name, %error, "the use of an account cannot be noted");
            }
        })
        .detach();
    }
}

fn not_admitted(error: StoreError) -> NotAdmitted {
    let text = error.to_string();
    match error {
        StoreError::Credentials => {
            NotAdmitted::Refused(Refusal::new(RefusalKind::Credentials, text))
        }
        StoreError::Policy(_) => NotAdmitted::Refused(Refusal::new(RefusalKind::Policy, text)),
        StoreError::InUse => NotAdmitted::Refused(Refusal::new(RefusalKind::InUse, text)),
        StoreError::LoginDelay => NotAdmitted::Refused(Refusal::new(RefusalKind::LoginDelay, text)),
        StoreError::Temporary(_) => NotAdmitted::Failed(Failure::temporary(text)),
        StoreError::Permanent(_) | StoreError::Missing => {
            NotAdmitted::Failed(Failure::permanent(text))
        }
    }
}
