//! `[routing]`: whose mailbox lies on which upstream or in which store.
//!
//! A name gets the default domain if it has none. Then the user's own entry comes first, the one of the domain
//! after the last `@` next, the default last. Names and domains are compared without case. A user without a route
//! is refused like one with a wrong password. A rule that would give the users of two domains the same names at
//! one upstream is refused. Nothing that a client sends is a pattern or a variable.

use std::collections::BTreeMap;

use crate::setting::document::{Entry, Table, nearest};
use crate::setting::error::{Fault, Problem};
use crate::setting::names::{Domain, Separators, read_rewrite};
use pop3_server::name::{Names, Rewrite, is_domain};

/// `[routing]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// How the names that clients send are read.
    pub names: Names,
    /// The upstream or store of users without a route of their own.
    pub default: Option<String>,
    /// Where a domain's users go, by the domain in lower case.
    pub domains: BTreeMap<String, DomainRoute>,
    /// The routes of single users, by the name in lower case and with its domain, if it has one.
    pub users: BTreeMap<String, UserRoute>,
}

/// What routes can lead to: upstreams and stores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Targets<'c> {
    /// Their names, and how each wants the names of users.
    pub(super) places: &'c [(&'c str, &'c Rewrite)],
    /// Whether some of them are stores.
    pub(super) stores: bool,
}

/// Where the mailboxes of a domain lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRoute {
    /// The name of the upstream or store.
    pub upstream: String,
    /// How the users' names are written there, where this differs from what the upstream or store says.
    pub rewrite: Option<Rewrite>,
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
        routing.names.default_domain = table.get("default_domain")?.map(|Domain(domain)| domain);
        let separators: Option<Separators> = table.get("separators")?;
        routing.names.separators = separators.unwrap_or_default().0;
        let (domains, users) = (table.entries("domain")?, table.entries("user")?);
        table.finish()?;
        let mut fault = Fault::default();
        if let Some(name) = &routing.default {
            let known = known(name, targets)
                .map_err(|(what, remedy)| table.fault(Problem::new("default", what, remedy)));
            fault.note(known);
        }
        fault.note(routing.read_domains(&domains, targets));
        for entry in users {
            fault.note(routing.read_user(&entry, targets));
        }
        fault.found()?;
        if routing.default.is_none() && routing.domains.is_empty() && routing.users.is_empty() {
            let remedy = "write the name of an upstream, or add routes for domains or users";
            return Err(table.fault(Problem::new("default", "no login has a route", remedy)));
        }
        Ok(routing)
    }

    fn read_user(&mut self, entry: &Entry<'_>, targets: Targets<'_>) -> Result<(), Fault> {
        let route = read_user(entry)?;
        check_target(entry, &route.upstream, targets)?;
        let name = self.names.read(entry.name).to_lowercase();
        if self.users.insert(name, route).is_some() {
            let what =
                "there is another entry for this name: case and the default domain do not count";
            return Err(entry.fault(what, "keep one of the two"));
        }
        Ok(())
    }

    fn read_domains(&mut self, entries: &[Entry<'_>], targets: Targets<'_>) -> Result<(), Fault> {
        let (mut rules, mut fault) = (Vec::new(), Fault::default());
        for entry in entries {
            if let Some(same_users) = fault.note(self.read_domain(entry, targets)) {
                rules.push((entry, same_users));
            }
        }
        fault.found()?;
        for (entry, same_users) in rules {
            let domain = entry.name.to_lowercase();
            if let (false, Some(other)) = (same_users, self.merged_with(&domain, targets)) {
                let what = format!(
                    "the users of {domain:?} and of {other:?} would have the same names there, and read each \
                     other's mail"
                );
                let remedy = "change user_domain for one of the two, or, if they are the same people, write \
                              same_users = true";
                fault.note::<()>(Err(entry.fault(what, remedy)));
            }
        }
        fault.found()
    }

    /// Takes in the route of a domain; returns whether its users are those of another one.
    fn read_domain(&mut self, entry: &Entry<'_>, targets: Targets<'_>) -> Result<bool, Fault> {
        if entry.name == "*" {
            let what = "a pattern is no domain, and matches no user";
            return Err(entry.fault(what, "write default = \"NAME\" for all other domains"));
        }
        if !is_domain(entry.name) {
            let remedy = "write it without \"@\" and without patterns, such as \"example.org\"";
            return Err(entry.fault("this is not a domain", remedy));
        }
        let (route, same_users) = read_domain(entry)?;
        check_target(entry, &route.upstream, targets)?;
        if self
            .domains
            .insert(entry.name.to_lowercase(), route)
            .is_some()
        {
            let what = "there is another entry that differs in case only";
            return Err(entry.fault(what, "keep one of the two"));
        }
        Ok(same_users)
    }

    /// Another domain whose users would have the same names as this one's, at the same upstream or store.
    fn merged_with(&self, domain: &str, targets: Targets<'_>) -> Option<String> {
        let (place, there) = self.leads_to(domain, targets)?;
        let same = |other: &String| {
            *other != domain && self.leads_to(other, targets) == Some((place, there.clone()))
        };
        if let Some(other) = self.domains.keys().find(|other| same(other)) {
            return Some(other.clone());
        }
        // a domain without an entry takes the default route
        let other = there
            .clone()
            .filter(|other| !self.domains.contains_key(other))?;
        same(&other).then_some(other)
    }

    /// Where the users of a domain go, and with which domain in their names.
    fn leads_to(&self, domain: &str, targets: Targets<'_>) -> Option<(&str, Option<String>)> {
        let route = self.domains.get(domain);
        let place = route
            .map(|route| &route.upstream)
            .or(self.default.as_ref())?;
        let own = route.and_then(|route| route.rewrite.as_ref());
        let rule = own.or_else(|| targets.rewrite_of(place))?;
        Some((
            place,
            rule.domain.apply(Some(domain)).map(str::to_lowercase),
        ))
    }
}

impl Targets<'_> {
    fn rewrite_of(&self, name: &str) -> Option<&Rewrite> {
        let found = self.places.iter().find(|(known, _)| *known == name);
        found.map(|(_, rewrite)| *rewrite)
    }
}

fn read_domain(entry: &Entry<'_>) -> Result<(DomainRoute, bool), Fault> {
    let Some(mut table) = entry.table() else {
        let route = DomainRoute {
            upstream: entry.get()?,
            rewrite: None,
        };
        return Ok((route, false));
    };
    let place = read_place(&mut table)?;
    let rewrite = read_rewrite(&mut table)?;
    let same_users = table.get("same_users")?.unwrap_or(false);
    table.finish()?;
    let upstream = one_place(&table, place)?;
    Ok((DomainRoute { upstream, rewrite }, same_users))
}

/// What `upstream` and `store` say.
type Places = (Option<String>, Option<String>);

fn read_place(table: &mut Table<'_>) -> Result<Places, Fault> {
    Ok((table.get("upstream")?, table.get("store")?))
}

fn one_place(table: &Table<'_>, place: Places) -> Result<String, Fault> {
    let problem = match place {
        (Some(name), None) | (None, Some(name)) => return Ok(name),
        (Some(_), Some(_)) => {
            let what = "there is an upstream too";
            Problem::new("store", what, "keep one of the two")
        }
        (None, None) => Problem::new("upstream", "the upstream is missing", "write its name"),
    };
    Err(table.fault(problem))
}

fn read_user(entry: &Entry<'_>) -> Result<UserRoute, Fault> {
    let Some(mut table) = entry.table() else {
        return Ok(UserRoute {
            upstream: entry.get()?,
            user: None,
        });
    };
    let place = read_place(&mut table)?;
    let user: Option<String> = table.get("user")?;
    table.finish()?;
    if user
        .as_deref()
        .is_some_and(|user| user.is_empty() || user.chars().any(char::is_control))
    {
        let problem = Problem::new("user", "this cannot be a user's name", "write one line");
        return Err(table.fault(problem));
    }
    let upstream = one_place(&table, place)?;
    Ok(UserRoute { upstream, user })
}

fn check_target(entry: &Entry<'_>, name: &str, targets: Targets<'_>) -> Result<(), Fault> {
    known(name, targets).map_err(|(what, remedy)| entry.fault(what, remedy))
}

/// What is wrong with the name of an upstream or store, and the remedy.
fn known(name: &str, targets: Targets<'_>) -> Result<(), (String, String)> {
    let names: Vec<_> = targets.places.iter().map(|(name, _)| *name).collect();
    if names.contains(&name) {
        return Ok(());
    }
    let remedy = nearest(name, &names).map_or_else(
        || format!("there are: {}", names.join(", ")),
        |near| format!("did you mean {near:?}?"),
    );
    let kind = if targets.stores {
        "upstream or store"
    } else {
        "upstream"
    };
    Err((format!("there is no {kind} {name:?}"), remedy))
}
