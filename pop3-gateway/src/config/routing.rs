//! `[routing]`: whose mailbox lies on which upstream or in which store.
//!
//! A name gets the default domain if it has none. Then the user's own entry comes first, the one of the domain
//! after the last `@` next, the default last. Names and domains are compared without case. A user without a route
//! is refused like one with a wrong password. A rule that would give the users of two domains the same names at
//! one upstream is refused. Nothing that a client sends is a pattern or a variable.

use std::collections::BTreeMap;
use std::path::Path;

use pop3_server::name::{Names, Rewrite, is_domain};
use serde_json::Value as Json;
use toml::de::DeValue;

use super::Listener;
use crate::mailbox::Store;
use crate::setting::document::{Entry, Table, nearest};
use crate::setting::error::{Fault, Problem};
use crate::setting::names::{Domain, Separators};
use crate::setting::value::{BadValue, Value};
use crate::setting::{Row, rows};

/// `[routing]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// How the names that clients send are read.
    pub names: Names,
    /// The upstream or store of users without a route of their own.
    pub default: Option<String>,
    /// Where a domain's users go, by the domain in lower case.
    pub domains: BTreeMap<String, Route>,
    /// The routes of single users, by the name in lower case and with its domain, if it has one.
    pub users: BTreeMap<String, Route>,
}

/// What routes can lead to: upstreams and stores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Targets<'c> {
    /// Their names, and how each wants the names of users.
    pub(super) places: &'c [(&'c str, &'c Rewrite)],
    /// Whether some of them are stores.
    pub(super) stores: bool,
}

/// Where the mailboxes of a domain lie, or the one of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The name of the upstream or store.
    pub to: String,
    /// How the names of a domain's users are written there, where this differs from what the upstream or store says.
    pub rewrite: Option<Rewrite>,
    /// Whether the users of a domain are those of another one.
    pub same_users: bool,
    /// A single user's name there, where it differs.
    pub user: Option<String>,
}

rows! {
    /// `[routing]`
    pub(super) ROWS: Routing = Routing::default();

    /// The upstream or store of everybody who is not named below. Left out: they are refused.
    own "default" r#""main""# => (default),
    /// The domain of users who log in without one, and characters that may stand for "@" in their names ("tim%example.org").
    own "default_domain" r#""example.org""# => (with set_default_domain, show_default_domain),
    own "separators" r#""%""# => (with set_separators, show_separators),
}

rows! {
    /// What a route to a domain's users has.
    pub(super) DOMAIN: Route = Route::default();

    own "upstream" r#""main""# => (to),
    own "store" r#""local""# => (with set_store, show_to),
    own "user_domain" r#""replace:example.org""# => (with set_user_domain, show_user_domain),
    own "user_separator" r#""%""# => (with set_user_separator, show_user_separator),
    own "same_users" "true" => (same_users),
}

rows! {
    /// What a route to a single user has.
    pub(super) USER: Route = Route::default();

    own "upstream" r#""main""# => (to),
    own "store" r#""local""# => (with set_store, show_to),
    own "user" r#""office""# => (user),
}

fn set_default_domain(to: &mut Routing, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    to.names.default_domain = Some(Domain::read(value, base)?.0);
    Ok(())
}

fn show_default_domain(of: &Routing) -> Json {
    of.names.default_domain.show()
}

fn set_separators(to: &mut Routing, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    to.names.separators = Separators::read(value, base)?.0;
    Ok(())
}

fn show_separators(of: &Routing) -> Json {
    of.names.separators.show()
}

/// Comes after the upstream, whose place it takes.
fn set_store(route: &mut Route, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    let store = String::read(value, base)?;
    if !route.to.is_empty() {
        return Err(BadValue::new(
            "there is an upstream too",
            "keep one of the two",
        ));
    }
    route.to = store;
    Ok(())
}

fn show_to(of: &Route) -> Json {
    of.to.show()
}

fn set_user_domain(to: &mut Route, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    to.rewrite.get_or_insert_default().domain = Value::read(value, base)?;
    Ok(())
}

fn show_user_domain(of: &Route) -> Json {
    of.rewrite
        .as_ref()
        .map_or(Json::Null, |own| own.domain.show())
}

fn set_user_separator(to: &mut Route, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    to.rewrite.get_or_insert_default().separator = Value::read(value, base)?;
    Ok(())
}

fn show_user_separator(of: &Route) -> Json {
    of.rewrite
        .as_ref()
        .map_or(Json::Null, |own| own.separator.show())
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
        let mut routing = Self::default();
        table.rows(ROWS, &mut routing);
        let (domains, users) = (table.entries("domain"), table.entries("user"));
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

    /// Who goes where, as `check` says it.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let route = |who: String, route: &Route| {
            let to = &route.to;
            let to = match (&route.user, &route.rewrite) {
                (Some(user), _) => format!("{to} as {user}"),
                (None, Some(rewrite)) => format!("{to}, user_domain = {}", rewrite.domain),
                (None, None) => to.clone(),
            };
            (who, to)
        };
        let users = self.users.iter().map(|(name, to)| route(name.clone(), to));
        let domains = self
            .domains
            .iter()
            .map(|(name, to)| route(format!("*@{name}"), to));
        let nowhere = || "nowhere: refused like a wrong password".to_owned();
        let default = self.default.clone().unwrap_or_else(nowhere);
        let others = [("everybody else".to_owned(), default)];
        users.chain(domains).chain(others).collect()
    }

    /// A mechanism that is handed through may hide the user's name. Then only the default route can serve it, and
    /// only if it leads to an upstream.
    pub(super) fn check_relays(
        &self,
        listeners: &[Listener],
        stores: &[Store],
    ) -> Result<(), Problem> {
        let Some(mechanism) = listeners.iter().find_map(Listener::relayed) else {
            return Ok(());
        };
        let is_store = |name: &String| stores.iter().any(|store| store.name == *name);
        let what = match &self.default {
            Some(name) if is_store(name) => {
                "the default route leads to a store, which does not know it"
            }
            Some(_) => return Ok(()),
            None => "there is no default route",
        };
        let what = format!("{} is handed through, and {what}", mechanism.as_str());
        let remedy = "add default = \"NAME\" of an upstream, or leave the mechanism out of sasl";
        Err(Problem::new("routing", what, remedy))
    }

    fn read_user(&mut self, entry: &Entry<'_>, targets: Targets<'_>) -> Result<(), Fault> {
        let route = Route::read(entry, USER)?;
        check_target(entry, &route.to, targets)?;
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
        let route = Route::read(entry, DOMAIN)?;
        let same_users = route.same_users;
        check_target(entry, &route.to, targets)?;
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
        let place = route.map(|route| &route.to).or(self.default.as_ref())?;
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

impl Route {
    /// The name of an upstream or store, or a table of these settings.
    fn read(entry: &Entry<'_>, rows: &[Row<Self>]) -> Result<Self, Fault> {
        let mut route = Self::default();
        match entry.table() {
            Some(mut table) => table.read(rows, &mut route, |route| route.check())?,
            None => route.to = entry.get()?,
        }
        Ok(route)
    }

    fn check(&self) -> Result<(), Problem> {
        if self.to.is_empty() {
            let (what, remedy) = ("the upstream is missing", "write its name");
            return Err(Problem::new("upstream", what, remedy));
        }
        let bad = |user: &str| user.is_empty() || user.chars().any(char::is_control);
        if self.user.as_deref().is_some_and(bad) {
            let what = "this cannot be a user's name";
            return Err(Problem::new("user", what, "write one line"));
        }
        Ok(())
    }
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
