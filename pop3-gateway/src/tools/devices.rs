//! Accounts for mailboxes that grants reach: made, listed and removed in the state.
//!
//! Owns the passwords that are made here: shown once, kept as a hash. Works beside a running gateway, which looks
//! accounts up at each login.

use std::fmt::Write as _;

use gateway_state::{Account as Kept, StateError};
use ipnet::IpNet;
use local_accounts::{Algorithm, hash};
use serde_json::{Value, json};

use crate::cli::tools::{Account, Device, StoreName};
use crate::config::Config;
use crate::mailbox::imap::Upstream;
use crate::oauth::{Records, device_password};
use crate::wiring::tokens;
use crate::{Failure, print};

/// Does what is said of a mailbox; nothing if it is about a store.
pub(super) fn account(command: &Account) -> Option<Result<(), Failure>> {
    match command {
        Account::Add {
            store,
            device,
            user,
            ..
        } => {
            let mailbox = device.mailbox.as_deref()?;
            Some(add(
                store,
                device,
                mailbox,
                user.as_deref().unwrap_or(mailbox),
            ))
        }
        Account::List { store, mailbox } => Some(list(store, mailbox.as_deref()?)),
        Account::Remove {
            store,
            mailbox,
            user,
            ..
        } => Some(remove(store, mailbox.as_deref()?, user)),
        Account::Passwd { .. } => None,
    }
}

/// The state that a configuration names.
pub(super) fn records(config: &Config) -> Result<Records, Failure> {
    let Some(state) = &config.state else {
        let what = "the configuration has no [state], where accounts and grants are kept; add it with url and key_file";
        return Err(Failure::configuration(what));
    };
    tokens::records(state).map_err(Failure::configuration)
}

/// The upstream that is named, or the only one that suits.
pub(super) fn upstream<'c>(
    config: &'c Config,
    name: Option<&str>,
    suits: impl Fn(&Upstream) -> bool,
) -> Result<&'c Upstream, Failure> {
    let mut fitting = config.upstreams.iter().filter(|own| suits(own));
    if let Some(name) = name {
        let found = fitting.find(|own| own.name == name);
        return found.ok_or_else(|| {
            Failure::configuration(format!("there is no upstream {name:?} with such a grant"))
        });
    }
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::configuration(
            "no upstream has such a grant; write grant = \"NAME\" into its [[upstream]]",
        )),
        (Some(_), Some(_)) => Err(Failure::configuration(
            "several upstreams have such a grant; choose one with --upstream NAME",
        )),
    }
}

fn add(store: &StoreName, device: &Device, mailbox: &str, user: &str) -> Result<(), Failure> {
    let config = Config::load(&store.file.config)?;
    let own = upstream(&config, device.upstream.as_deref(), |own| {
        own.grant.is_some()
    })?;
    for network in &device.network {
        if network.parse::<IpNet>().is_err() {
            let what = format!(
                "{network:?} is not a network; write for example 192.0.2.0/24 or 2001:db8::/32"
            );
            return Err(Failure::configuration(what));
        }
    }
    let password = device_password().map_err(Failure::running)?;
    let credential = hash(&password, Algorithm::Argon2id).map_err(Failure::running)?;
    let now = crate::oauth::now();
    let mut account = Kept::new(user, mailbox, own.name.as_str(), credential, now);
    account.owner.clone_from(&device.grant_of);
    account.access = device.access.parse().map_err(Failure::configuration)?;
    account.networks.clone_from(&device.network);
    account.expires = device.expires.as_deref().map(day).transpose()?;
    account.label = device.label.clone().unwrap_or_default();
    let records = records(&config)?;
    match records.with(|state| state.add_account(&account)) {
        Ok(()) => {}
        Err(error @ StateError::AccountExists(_)) => return Err(Failure::presence(error)),
        Err(error) => return Err(Failure::running(error)),
    }
    let password = String::from_utf8_lossy(password.expose()).into_owned();
    if store.json {
        let made = json!({ "account": user, "mailbox": mailbox, "upstream": own.name, "password": password });
        return print(format!("{made}\n").as_bytes());
    }
    let text = format!(
        "Account for {mailbox}:\n\n    Name:     {user}\n    Password: {password}\n\nThe password is shown this once; the \
         hyphens belong to it.\n"
    );
    print(text.as_bytes())
}

fn list(store: &StoreName, mailbox: &str) -> Result<(), Failure> {
    let config = Config::load(&store.file.config)?;
    let records = records(&config)?;
    let found = records
        .with(|state| state.accounts(Some(mailbox)))
        .map_err(Failure::running)?;
    if store.json {
        let found: Vec<_> = found.iter().map(told).collect();
        return print(format!("{}\n", Value::from(found)).as_bytes());
    }
    let mut text = String::new();
    for account in &found {
        // writing to a String does not fail
        let _ = writeln!(text, "{}", line(account));
    }
    print(text.as_bytes())
}

fn remove(store: &StoreName, mailbox: &str, user: &str) -> Result<(), Failure> {
    let config = Config::load(&store.file.config)?;
    let records = records(&config)?;
    let found = records
        .with(|state| state.account(user))
        .map_err(Failure::running)?;
    let is_its = found.is_some_and(|account| account.mailbox.eq_ignore_ascii_case(mailbox));
    if !is_its {
        return Err(Failure::presence(format!(
            "{mailbox} has no account {user:?}"
        )));
    }
    records
        .with(|state| state.remove_account(user))
        .map_err(Failure::running)?;
    match store.json {
        true => print(format!("{}\n", json!({ "account": user })).as_bytes()),
        false => Ok(()),
    }
}

/// An account for people.
pub(super) fn line(account: &Kept) -> String {
    let mut text = format!("{}: {}", account.name, account.access.as_str());
    let mut more = |what: String| {
        text.push_str(", ");
        text.push_str(&what);
    };
    if !account.label.is_empty() {
        more(format!("{:?}", account.label));
    }
    if !account.networks.is_empty() {
        more(format!("from {}", account.networks.join(" ")));
    }
    if let Some(end) = account.expires {
        more(format!("until {}", date(end)));
    }
    if !account.enabled {
        more("off".into());
    }
    match account.used {
        Some(used) => more(format!("last used {}", date(used))),
        None => more("never used".into()),
    }
    text
}

/// An account for programs.
pub(super) fn told(account: &Kept) -> Value {
    json!({
        "account": account.name,
        "mailbox": account.mailbox,
        "upstream": account.place,
        "grant_of": account.owner,
        "access": account.access.as_str(),
        "networks": account.networks,
        "expires": account.expires,
        "enabled": account.enabled,
        "label": account.label,
        "created": account.created,
        "used": account.used,
    })
}

/// A moment, to the day.
pub(crate) fn date(seconds: u64) -> String {
    peer_trust::day(seconds.cast_signed())
}

/// The beginning of a day, in UTC, in seconds since 1970.
fn day(text: &str) -> Result<u64, Failure> {
    let wrong = || {
        Failure::configuration(format!(
            "{text:?} is not a day; write for example 2027-01-31"
        ))
    };
    local_accounts::day(text).ok_or_else(wrong)
}
