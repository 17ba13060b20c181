//! Lines, looked at one after the other: which account each is about, and whether an earlier one is about the
//! same.

use std::collections::HashMap;

use super::line::{self, PasswdEntry, Wrong};
use crate::prepared::prepared;

/// What a line is, given the lines before it.
pub(crate) enum Look {
    /// An account of this name, folded.
    Account(String),
    /// The name is on an earlier line already: both are off.
    Again {
        earlier: usize,
        name: String,
    },
    Wrong(Wrong),
    Nothing,
}

/// Looks at the next line. `first` has the line on which each folded name first occurred.
pub(crate) fn look(first: &mut HashMap<String, usize>, number: usize, line: &[u8]) -> Look {
    let read = line::read(line);
    if let Ok(None) = read {
        return Look::Nothing;
    }
    if let Some(name) = name_of(line) {
        if let Some(earlier) = first.get(&name) {
            let earlier = *earlier;
            return Look::Again { earlier, name };
        }
        first.insert(name, number);
    }
    match read {
        Ok(Some(entry)) => Look::Account(folded(&entry.name)),
        Ok(None) => Look::Nothing,
        Err(wrong) => Look::Wrong(wrong),
    }
}

/// The name of the account that a line is about, folded, if that much can be read.
pub(crate) fn name_of(line: &[u8]) -> Option<String> {
    line::name(line).map(folded)
}

/// The account of a line that was [looked](look) at before.
pub(crate) fn entry_of(line: &[u8]) -> Option<PasswdEntry> {
    line::read(line).ok().flatten()
}

/// The lines of a file with their numbers, without their ends.
pub(crate) fn lines(octets: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let text = octets.strip_suffix(b"\n").unwrap_or(octets);
    let lines = text.split(|octet| *octet == b'\n');
    let lines = lines.take(if octets.is_empty() { 0 } else { usize::MAX });
    (1..).zip(lines.map(without_returns))
}

/// All of them go: a line is the same when it is read again.
fn without_returns(line: &[u8]) -> &[u8] {
    let last = line.iter().rposition(|octet| *octet != b'\r');
    &line[..last.map_or(0, |last| last + 1)]
}

/// A line whose name is on an earlier one.
pub(crate) fn again(line: &[u8], earlier: usize) -> Wrong {
    let name = line::name(line).unwrap_or_default();
    Wrong {
        at: 0,
        what: format!(
            "the account {name:?} is on line {earlier} already, so that it is off; names are compared without \
             case; remove one of the lines"
        ),
    }
}

/// Names are compared prepared (RFC 4013) and without case.
pub(crate) fn folded(name: &str) -> String {
    prepared(name).to_lowercase()
}
