//! `[routing]`: whose mailbox lies on which upstream.
//!
//! A user's own entry comes first, then the one of the domain behind the last `@`, then the default.
//! Users are compared as they are, domains without regard to ASCII case. A user without a route is refused like one with
//! a wrong password. Nothing that a client sends is ever expanded or pasted into anything here.

use std::collections::BTreeMap;

use super::document::{Entry, Table, nearest};
use super::error::{Fault, Problem};
use super::upstream::Upstream;

/// `[routing]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// The upstream of users without a route of their own.
    pub default: Option<String>,
    /// The upstream of a domain's users, by the domain in lower case.
    pub domains: BTreeMap<String, String>,
    /// The routes of single users.
    pub users: BTreeMap<String, UserRoute>,
}

/// Where one user's mailbox lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRoute {
    /// The name of the upstream.
    pub upstream: String,
    /// The user's name there, where it differs.
    pub user: Option<String>,
}

impl Routing {
    /// Everybody to this upstream.
    pub(super) fn everybody(upstream: &Upstream) -> Self {
        Self {
            default: Some(upstream.name.clone()),
            ..Self::default()
        }
    }

    pub(super) fn read(mut table: Table<'_>, upstreams: &[Upstream]) -> Result<Self, Fault> {
        let mut routing = Self {
            default: table.get("default")?,
            ..Self::default()
        };
        let (domains, users) = (table.entries("domain")?, table.entries("user")?);
        table.finish()?;
        if let Some(name) = &routing.default {
            known(name, upstreams)
                .map_err(|(what, remedy)| table.fault(Problem::new("default", what, remedy)))?;
        }
        for entry in domains {
            if entry.name.is_empty() || entry.name.contains('@') {
                return Err(entry.fault("this is not a domain", "write it without \"@\""));
            }
            let upstream: String = entry.get()?;
            check_target(&entry, &upstream, upstreams)?;
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
            check_target(&entry, &route.upstream, upstreams)?;
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
    let (upstream, user): (Option<String>, Option<String>) =
        (table.get("upstream")?, table.get("user")?);
    table.finish()?;
    if user
        .as_deref()
        .is_some_and(|user| user.is_empty() || user.chars().any(char::is_control))
    {
        let problem = Problem::new("user", "this cannot be a user's name", "write one line");
        return Err(table.fault(problem));
    }
    let Some(upstream) = upstream else {
        let problem = Problem::new("upstream", "the upstream is missing", "write its name");
        return Err(table.fault(problem));
    };
    Ok(UserRoute { upstream, user })
}

fn check_target(entry: &Entry<'_>, name: &str, upstreams: &[Upstream]) -> Result<(), Fault> {
    known(name, upstreams).map_err(|(what, remedy)| entry.fault(what, remedy))
}

/// What is wrong with the name of an upstream, and the remedy.
fn known(name: &str, upstreams: &[Upstream]) -> Result<(), (String, String)> {
    let names: Vec<_> = upstreams
        .iter()
        .map(|upstream| upstream.name.as_str())
        .collect();
    if names.contains(&name) {
        return Ok(());
    }
    let remedy = nearest(name, &names).map_or_else(
        || format!("there are: {}", names.join(", ")),
        |near| format!("did you mean {near:?}?"),
    );
    Err((format!("there is no upstream {name:?}"), remedy))
}
