//! `[routing]`: whose mailbox lies on which upstream or in which store.
//!
//! A user's own entry comes first, then the one of the domain behind the last `@`, then the default.
//! Users are compared as they are, domains without regard to ASCII case. A user without a route is refused like one with
//! a wrong password. Nothing that a client sends is ever expanded or pasted into anything here.

use std::collections::BTreeMap;

use super::document::{Entry, Table, nearest};
use super::error::{Fault, Problem};

/// `[routing]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// The upstream or store of users without a route of their own.
    pub default: Option<String>,
    /// The upstream or store of a domain's users, by the domain in lower case.
    pub domains: BTreeMap<String, String>,
    /// The routes of single users.
    pub users: BTreeMap<String, UserRoute>,
}

/// The names that routes can lead to: those of upstreams and stores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Targets<'c> {
    pub(super) names: &'c [&'c str],
    /// Whether some of them are stores.
    pub(super) stores: bool,
}

/// Where one user's mailbox lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRoute {
    /// The name of the upstream or store.
    pub upstream: String,
    /// The user's name there, where it differs.
    pub user: Option<String>,
}

impl Routing {
    /// Everybody to this upstream or store.
    pub(super) fn everybody(name: &str) -> Self {
        Self {
            default: Some(name.into()),
            ..Self::default()
        }
    }

    pub(super) fn read(mut table: Table<'_>, targets: Targets<'_>) -> Result<Self, Fault> {
        let mut routing = Self {
            default: table.get("default")?,
            ..Self::default()
        };
        let (domains, users) = (table.entries("domain")?, table.entries("user")?);
        table.finish()?;
        if let Some(name) = &routing.default {
            known(name, targets)
                .map_err(|(what, remedy)| table.fault(Problem::new("default", what, remedy)))?;
        }
        for entry in domains {
            if entry.name.is_empty() || entry.name.contains('@') {
                return Err(entry.fault("this is not a domain", "write it without \"@\""));
            }
            let upstream: String = entry.get()?;
            check_target(&entry, &upstream, targets)?;
            let replaced = routing
                .domains
                .insert(entry.name.to_ascii_lowercase(), upstream);
            if replaced.is_some() {
                let what = "there is another entry that differs in case only";
                return Err(entry.fault(what, "keep one of the two"));
            }
        }
        for entry in users {
            let route = read_user(&entry)?;
            check_target(&entry, &route.upstream, targets)?;
            routing.users.insert(entry.name.into(), route);
        }
        if routing.default.is_none() && routing.domains.is_empty() && routing.users.is_empty() {
            let remedy = "write the name of an upstream, or add routes for domains or users";
            return Err(table.fault(Problem::new("default", "nobody has a route", remedy)));
        }
        Ok(routing)
    }
}

fn read_user(entry: &Entry<'_>) -> Result<UserRoute, Fault> {
    let Some(mut table) = entry.table() else {
        return Ok(UserRoute {
            upstream: entry.get()?,
            user: None,
        });
    };
    let (upstream, store): (Option<String>, Option<String>) =
        (table.get("upstream")?, table.get("store")?);
    let user: Option<String> = table.get("user")?;
    table.finish()?;
    if upstream.is_some() && store.is_some() {
        let what = "there is an upstream too";
        return Err(table.fault(Problem::new("store", what, "keep one of the two")));
    }
    if user
        .as_deref()
        .is_some_and(|user| user.is_empty() || user.chars().any(char::is_control))
    {
        let problem = Problem::new("user", "this cannot be a user's name", "write one line");
        return Err(table.fault(problem));
    }
    let Some(upstream) = upstream.or(store) else {
        let problem = Problem::new("upstream", "the upstream is missing", "write its name");
        return Err(table.fault(problem));
    };
    Ok(UserRoute { upstream, user })
}

fn check_target(entry: &Entry<'_>, name: &str, targets: Targets<'_>) -> Result<(), Fault> {
    known(name, targets).map_err(|(what, remedy)| entry.fault(what, remedy))
}

/// What is wrong with the name of an upstream or store, and the remedy.
fn known(name: &str, targets: Targets<'_>) -> Result<(), (String, String)> {
    if targets.names.contains(&name) {
        return Ok(());
    }
    let remedy = nearest(name, targets.names).map_or_else(
        || format!("there are: {}", targets.names.join(", ")),
        |near| format!("did you mean {near:?}?"),
    );
    let kind = if targets.stores {
        "upstream or store"
    } else {
        "upstream"
    };
    Err((format!("there is no {kind} {name:?}"), remedy))
}
