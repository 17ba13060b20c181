//! The requirements in our words, and why some of them have no test.

use std::collections::BTreeMap;
use std::error::Error;

use serde::Deserialize;

use crate::id::Id;
use crate::{CATALOGUE, Named};

/// The content of `docs/conformance.toml`.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) groups: Vec<Group>,
}

/// The requirements of one kind.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) requirements: BTreeMap<Id, Requirement>,
}

/// One requirement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirement {
    /// Where it comes from.
    pub(crate) source: String,
    pub(crate) text: String,
    /// What is missing for a test.
    pub(crate) not_yet: Option<String>,
    /// Why it needs no test.
    pub(crate) not_applicable: Option<String>,
}

/// The state of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    Tested,
    NotYet(&'a str),
    NotApplicable(&'a str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<RawGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    title: String,
    requirements: BTreeMap<String, Requirement>,
}

impl Catalogue {
    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let file: File = toml::from_str(text)?;
        let group = |raw: RawGroup| {
            let read = |(id, requirement)| match Id::parse(id) {
                Some(read) => Ok((read, requirement)),
                None => Err(format!("{CATALOGUE}: {id} is no id")),
            };
            let requirements = raw.requirements.iter();
            let names: Vec<String> = requirements.map(|(id, _)| id.clone()).collect();
            let values = raw.requirements.into_values();
            let pairs = names.iter().map(String::as_str).zip(values);
            Ok(Group {
                title: raw.title,
                requirements: pairs.map(read).collect::<Result<_, String>>()?,
            })
        };
        let groups = file.group.into_iter().map(group);
        Ok(Self {
            groups: groups.collect::<Result<_, String>>()?,
        })
    }

    pub(crate) fn requirements(&self) -> impl Iterator<Item = (Id, &Requirement)> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.requirements.iter().map(|(id, line)| (*id, line)))
    }

    /// Where requirements and tests disagree.
    pub(crate) fn complaints(&self, named: &Named) -> Vec<String> {
        let mut complaints = Vec::new();
        for (id, requirement) in self.requirements() {
            let reasons = [&requirement.not_yet, &requirement.not_applicable];
            let reasons = reasons.into_iter().flatten().count();
            match (named.get(&id), reasons) {
                (Some(_), 0) | (None, 1) => {}
                (None, 0) => complaints.push(format!(
                    "{id} has no test: write one that names it, or the reason in {CATALOGUE}"
                )),
                (Some(tests), _) => complaints.push(format!(
                    "{id} has a test now, {}: take the reason out of {CATALOGUE}",
                    tests.first().map_or("", |test| test.name.as_str())
                )),
                (None, _) => complaints.push(format!("{id} has two reasons")),
            }
        }
        for (id, tests) in named {
            if self.requirements().all(|(known, _)| known != *id) {
                for test in tests {
                    complaints.push(format!(
                        "{}: {} names {id}: there is no such requirement",
                        test.path, test.name
                    ));
                }
            }
        }
        complaints
    }
}

impl Requirement {
    pub(crate) fn standing(&self) -> Standing<'_> {
        match (&self.not_yet, &self.not_applicable) {
            (Some(reason), _) => Standing::NotYet(reason),
            (None, Some(reason)) => Standing::NotApplicable(reason),
            (None, None) => Standing::Tested,
        }
    }
}
