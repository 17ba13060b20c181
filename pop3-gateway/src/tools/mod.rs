//! The tools for stores: what an administrator does to accounts and messages while the gateway runs, or
//! before.
//!
//! Each works on one store of a configuration. They take no login and wait for no session. [`ready`] asks the gateway
//! itself.

mod accounts;
#[cfg(feature = "oauth")]
pub(crate) mod devices;
mod messages;
mod password;
#[cfg(feature = "http")]
pub mod ready;
#[cfg(feature = "oauth")]
pub mod sign_in;
#[cfg(feature = "oauth")]
pub mod state;
#[cfg(feature = "oauth")]
pub mod status;

use crate::config::Config;
use crate::mailbox::Store;
use pop3_proto::secret::Secret;
use serde_json::json;

use crate::cli::tools::{Account, HashPassword, Message, Store as StoreCommand, StoreName};
use crate::{Failure, print};

/// An existing password, from the terminal or standard input.
pub(crate) fn known_password(user: &str, from_stdin: bool) -> Result<Secret, Failure> {
    password::known(user, from_stdin)
}

/// Runs `account`.
pub fn account(command: &Account) -> Result<(), Failure> {
    #[cfg(feature = "oauth")]
    if let Some(done) = devices::account(command) {
        return done;
    }
    match command {
        Account::Add {
            store,
            password,
            user,
            ..
        } => {
            let user = user.as_deref().unwrap_or_default();
            let found = find(store)?;
            accounts::add(&found, user, &password::credential(password, user)?)?;
            done(store, user)
        }
        Account::Passwd {
            store,
            password,
            user,
        } => {
            let found = find(store)?;
            accounts::set(&found, user, &password::credential(password, user)?)?;
            done(store, user)
        }
        Account::List { store, .. } => accounts::list(&find(store)?, store.json),
        Account::Remove {
            store,
            with_messages,
            user,
            ..
        } => {
            accounts::remove(&find(store)?, user, *with_messages)?;
            done(store, user)
        }
    }
}

/// Runs `message`.
pub fn message(command: Message) -> Result<(), Failure> {
    match command {
        Message::Add {
            store,
            user,
            subject,
            from,
            to,
            unchecked,
            file,
        } => {
            let found = find(&store)?;
            let user = messages::user(&found, user)?;
            let mut input = messages::open(file.as_deref())?;
            if let Some(subject) = subject {
                input = input.into_mail(subject, from, to)?;
            } else if !unchecked {
                input = input.checked()?;
            }
            let unique_id = found.kind.tools().add(&found, &user, input.octets)?;
            match store.json {
                true => print(format!("{}\n", json!({ "unique_id": unique_id })).as_bytes()),
                false => print(format!("{unique_id}\n").as_bytes()),
            }
        }
        Message::List { store, user } => {
            let found = find(&store)?;
            let user = messages::user(&found, user)?;
            messages::list(&found, &user, store.json)
        }
        Message::Remove {
            store,
            user,
            unique_id,
        } => {
            let found = find(&store)?;
            let user = messages::user(&found, user)?;
            messages::remove(&found, &user, &unique_id)?;
            match store.json {
                true => print(format!("{}\n", json!({ "unique_id": unique_id })).as_bytes()),
                false => Ok(()),
            }
        }
    }
}

/// Runs `store`.
pub fn store(command: &StoreCommand) -> Result<(), Failure> {
    let StoreCommand::Migrate { store } = command;
    let found = find(store)?;
    found.kind.tools().migrate(&found)?;
    match store.json {
        true => print(format!("{}\n", json!({ "store": found.name })).as_bytes()),
        false => Ok(()),
    }
}

/// Runs `hash-password`.
pub fn hash_password(arguments: &HashPassword) -> Result<(), Failure> {
    let credential = password::credential(&arguments.password, "")?;
    match arguments.json {
        true => print(format!("{}\n", json!({ "credential": credential })).as_bytes()),
        false => print(format!("{credential}\n").as_bytes()),
    }
}

/// The store that the command line names.
fn find(name: &StoreName) -> Result<Store, Failure> {
    let mut stores = Config::load(&name.file.config)?.stores;
    let names: Vec<_> = stores.iter().map(|store| store.name.clone()).collect();
    let at = match (&name.store, names.as_slice()) {
        (_, []) => return Err(Failure::configuration("the configuration has no store")),
        (Some(wanted), _) => names.iter().position(|name| name == wanted),
        (None, [_]) => Some(0),
        (None, _) => {
            let what = format!(
                "there are several stores; choose one with --store: {}",
                names.join(", ")
            );
            return Err(Failure::configuration(what));
        }
    };
    match at {
        Some(at) => Ok(stores.swap_remove(at)),
        None => Err(Failure::configuration(format!(
            "no such store; there are: {}",
            names.join(", ")
        ))),
    }
}

fn done(store: &StoreName, user: &str) -> Result<(), Failure> {
    match store.json {
        true => print(format!("{}\n", json!({ "account": user })).as_bytes()),
        false => Ok(()),
    }
}
