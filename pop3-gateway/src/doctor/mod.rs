//! `doctor`: goes the way of a login step by step, and names the step that is missing with its remedy.
//!
//! Owns the order of the steps and what is said of each. Goes through the code that serves sessions: the keeper asks
//! for tokens and keeps them, and the mailbox is opened as a session opens it, but for reading. Removes nothing, and
//! shows no token.
//!
//! | file | which steps |
//! |---|---|
//! | `place` | configuration, state |
//! | `provider` | app, provider, clock |
//! | `token` | token, claims |
//! | `mailbox` | mailbox, accounts |
//!
//! `step` is what a step says, and `remedy` what an administrator of a provider has to do.

mod mailbox;
mod place;
mod provider;
mod remedy;
mod step;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::cli::tools::Doctor as Arguments;
use crate::oauth::{Authority, Keeper, Source};
use crate::{Failure, print};

use place::{Place, configuration, state};
pub use step::Step;
use step::{Steps, as_json, as_text};
use token::Watched;

/// Runs `doctor`.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let steps = examine(
        &arguments.file.config,
        arguments.upstream.as_deref(),
        arguments.mailbox.as_deref(),
    );
    match arguments.json {
        true => {
            let steps: Vec<_> = steps.iter().map(as_json).collect();
            print(format!("{:#}\n", Value::from(steps)).as_bytes())?;
        }
        false => print(as_text(&steps).as_bytes())?,
    }
    match steps.iter().find(|step| !step.ok) {
        None => Ok(()),
        Some(first) => Err(Failure::running(format!(
            "the step {:?} is missing",
            first.step
        ))),
    }
}

/// Tries every step for a mailbox, or for all of them.
pub fn examine(file: &Path, upstream: Option<&str>, mailbox: Option<&str>) -> Vec<Step> {
    let mut steps = Steps::default();
    let Some(config) = steps.take("configuration", None, configuration(file, upstream)) else {
        return steps.0;
    };
    let Some((records, grants, accounts)) = steps.take("state", None, state(&config)) else {
        return steps.0;
    };
    let place = Place {
        file,
        config: &config,
        records,
        grants,
        accounts,
    };
    let targets = match place.targets(upstream, mailbox) {
        Ok(targets) => targets,
        Err(missing) => {
            steps.take::<()>("configuration", mailbox, Err(missing));
            return steps.0;
        }
    };
    let mut sources = HashMap::new();
    let mut asked: BTreeMap<&str, Option<Arc<Authority>>> = BTreeMap::new();
    for target in &targets {
        let name = target.provider.name.as_str();
        let authority = asked
            .entry(name)
            .or_insert_with(|| provider::examine(&mut steps, target.provider));
        if let Some(authority) = authority {
            let watched = Watched::new(Arc::clone(authority), target.flow);
            sources.insert(target.grant.to_owned(), Arc::new(watched));
        }
    }
    let as_sources = sources.iter().map(|(name, source)| {
        let source: Arc<dyn Source> = Arc::clone(source) as _;
        (name.clone(), source)
    });
    let keeper = Keeper::new(place.records.clone(), as_sources.collect());
    for target in &targets {
        let of = target.mailbox.or(Some(target.grant));
        if let Some(source) = sources.get(target.grant) {
            let token = token::obtain(&place, target, &keeper, source);
            if let Some(token) = steps.take("token", of, token) {
                mailbox::open(&mut steps, &place, target, &token);
            }
        }
        if let Some(mailbox) = target.mailbox {
            steps.take("accounts", of, mailbox::accounts(&place, target, mailbox));
        }
    }
    steps.0
}
