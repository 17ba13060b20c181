//! What is examined: a configuration, its state, and the mailboxes that either knows.

use std::collections::BTreeMap;
use std::path::Path;

use gateway_state::{Account, GrantSummary};

use super::step::{Missing, of_problem, of_state};
use crate::config::Config;
use crate::mailbox::imap::Upstream;
use crate::oauth::{Flow, Provider, Records};
use crate::wiring::tokens;

/// What all steps look at.
pub(super) struct Place<'c> {
    pub(super) file: &'c Path,
    pub(super) config: &'c Config,
    pub(super) records: Option<Records>,
    pub(super) grants: Vec<GrantSummary>,
    pub(super) accounts: Vec<Account>,
}

/// One mailbox, and what leads to it.
pub(super) struct Target<'c> {
    pub(super) upstream: &'c Upstream,
    pub(super) grant: &'c str,
    pub(super) flow: Flow,
    pub(super) provider: &'c Provider,
    /// Nothing: no mailbox is known.
    pub(super) mailbox: Option<&'c str>,
}

pub(super) fn configuration(
    file: &Path,
    upstream: Option<&str>,
) -> Result<(String, Config), Missing> {
    let config = Config::load(file).map_err(|error| {
        let line = error.position.map(|(line, _)| format!(":{line}"));
        let (line, key) = (line.unwrap_or_default(), &error.key);
        let what = format!("{}{line}: {key}: {}", file.display(), error.what);
        Missing::new(what, error.remedy)
    })?;
    let mut reached = config.upstreams.iter().filter(|own| own.grant.is_some());
    match upstream {
        Some(name) if !reached.any(|own| own.name == name) => Err(Missing::new(
            format!("there is no upstream {name:?} with a grant"),
            "check its name, and write grant = \"NAME\" into its [[upstream]]",
        )),
        None if reached.next().is_none() => Err(Missing::new(
            "no upstream has a grant",
            "write grant = \"NAME\" into its [[upstream]], and add [[grant]] and [[provider]]",
        )),
        Some(_) | None => Ok((format!("{} is good", file.display()), config)),
    }
}

type Kept = (Option<Records>, Vec<GrantSummary>, Vec<Account>);

pub(super) fn state(config: &Config) -> Result<(String, Kept), Missing> {
    let nothing = |what: &str| Ok((what.to_owned(), (None, Vec::new(), Vec::new())));
    let Some(state) = &config.state else {
        return nothing("there is none, so nobody can sign in");
    };
    let Some(records) = tokens::existing(state).map_err(|problem| of_problem(&problem))? else {
        return nothing("it is not there yet; the first start or sign-in makes it");
    };
    let grants = records.with(|state| state.grants());
    let grants = grants.map_err(|error| of_state(&error))?;
    let accounts = records.with(|state| state.accounts(None));
    let accounts = accounts.map_err(|error| of_state(&error))?;
    let what = format!(
        "it opens: {} grants, {} accounts",
        grants.len(),
        accounts.len()
    );
    Ok((what, (Some(records), grants, accounts)))
}

impl<'c> Place<'c> {
    /// A remedy with the mailbox's name and the configuration's in its commands.
    pub(super) fn filled(&self, remedy: &str, mailbox: &str) -> String {
        let file = self.file.display();
        let mut text = remedy.to_owned();
        for command in ["sign-in", "account add", "doctor"] {
            let full = format!("pop3-gateway {command} --config {file}");
            text = text.replace(&format!("pop3-gateway {command}"), &full);
        }
        text.replace("MAILBOX", mailbox)
    }

    /// What is examined: the mailbox that was named, or all that are known.
    pub(super) fn targets(
        &'c self,
        upstream: Option<&str>,
        mailbox: Option<&'c str>,
    ) -> Result<Vec<Target<'c>>, Missing> {
        let reached = self.config.upstreams.iter().filter_map(|own| {
            let grant = own.grant.as_ref()?;
            let grant = self
                .config
                .grants
                .iter()
                .find(|other| other.name == *grant)?;
            let mut providers = self.config.providers.iter();
            let provider = providers.find(|other| other.provider.name == grant.provider)?;
            Some((own, grant, &provider.provider))
        });
        let reached = reached.filter(|(own, ..)| upstream.is_none_or(|name| own.name == name));
        let mut targets = Vec::new();
        for (own, grant, provider) in reached {
            let target = |mailbox| Target {
                upstream: own,
                grant: &grant.name,
                flow: grant.flow(provider),
                provider,
                mailbox,
            };
            let known = self.mailboxes(own, &grant.name);
            match mailbox {
                Some(mailbox) if known.contains_key(mailbox.to_lowercase().as_str()) => {
                    return Ok(vec![target(Some(mailbox))]);
                }
                Some(_) => targets.push(target(mailbox)),
                None if known.is_empty() => targets.push(target(None)),
                None => targets.extend(known.into_values().map(|name| target(Some(name)))),
            }
        }
        match (mailbox, targets.len()) {
            (Some(mailbox), 2..) => Err(Missing::new(
                format!("several upstreams have a grant, and none knows {mailbox}"),
                "choose one with --upstream NAME",
            )),
            (Some(_) | None, _) => Ok(targets),
        }
    }

    /// Those that somebody signed in for, or that have accounts.
    fn mailboxes(&'c self, upstream: &Upstream, grant: &str) -> BTreeMap<String, &'c str> {
        let grants = self.grants.iter().filter(|own| own.id.grant == grant);
        let grants = grants.map(|own| own.id.owner.as_str());
        let accounts = self
            .accounts
            .iter()
            .filter(|own| own.place == upstream.name);
        let accounts = accounts.map(|own| own.mailbox.as_str());
        let known = grants.chain(accounts).filter(|name| !name.is_empty());
        known.map(|name| (name.to_lowercase(), name)).collect()
    }
}
