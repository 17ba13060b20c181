//! The lines of a state file: their form, how they are read, and when a file is damaged.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::error::DownloadError;
use super::super::target::{Work, private, sync_folder_of, without_port};
use super::super::witness::Witness;

/// The lines about messages that go to their place together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::download) struct Plan {
    pub(in crate::download) ids: Vec<String>,
    /// What they are, in the same order.
    #[serde(default)]
    pub(in crate::download) mails: Vec<Witness>,
    pub(in crate::download) work: Work,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Line {
    /// The first line: whose file this is.
    Pop3Client { version: u32, account: String },
    /// Decided and durable, maybe not yet done.
    Plan(Plan),
    /// Fetched, at this time (seconds of Unix).
    Done {
        ids: Vec<String>,
        #[serde(default)]
        mails: Vec<Witness>,
        at: u64,
    },
    /// From here on they are being removed, and may be gone.
    Leaving { ids: Vec<String> },
    /// They are no longer on the server.
    Gone { ids: Vec<String> },
}

/// Version 1 recorded neither what a message was nor what left the server.
pub(super) const VERSION: u32 = 2;

/// What is known of a message that was fetched.
#[derive(Clone, Debug)]
pub(in crate::download) struct Entry {
    /// When (seconds of Unix).
    pub(in crate::download) at: u64,
    /// What it was; not recorded by version 1.
    pub(in crate::download) witness: Option<Witness>,
    /// Its removal was asked for: another message may have its id now.
    pub(in crate::download) leaving: bool,
}

pub(super) struct Known {
    pub(super) done: HashMap<String, Entry>,
    pub(super) plans: Vec<Plan>,
    pub(super) version: u32,
    /// How many octets are whole lines.
    pub(super) whole: usize,
}

/// Why a state file cannot be used.
pub(super) enum Damage {
    /// From this octet on it makes no sense; the part before is good, unless this is 0.
    Garbage(usize),
    Other(String),
}

impl Damage {
    pub(super) fn error(self, path: &Path) -> DownloadError {
        let file = path.display();
        let what = match self {
            Self::Garbage(0) => String::from(
                "it is empty or damaged, so that nothing tells what was fetched before; put a copy of it from \
                 a backup in its place, or remove it: then all the mail on the server is fetched (again)",
            ),
            Self::Garbage(end) => format!(
                "it is damaged after its first {end} octets; put a copy of it from a backup in its place, or \
                 keep what is whole with 'truncate -s {end} {file}': then what was fetched later is fetched again"
            ),
            Self::Other(what) => what,
        };
        DownloadError::State {
            file: path.into(),
            cause: io::Error::new(io::ErrorKind::InvalidData, what),
        }
    }
}

pub(super) fn read(text: &[u8], account: &str) -> Result<Known, Damage> {
    let mut known = Known {
        done: HashMap::new(),
        plans: Vec::new(),
        version: 0,
        whole: 0,
    };
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let damaged = Damage::Garbage(known.whole);
        let Some(inside) = line.strip_suffix(b"\n") else {
            // the beginning of a line that was being written is dropped
            let is_beginning = line.starts_with(b"{") && !line.iter().any(u8::is_ascii_control);
            return if known.version > 0 && is_beginning {
                Ok(known)
            } else {
                Err(damaged)
            };
        };
        let parsed: Line =
            serde_json::from_slice(inside).map_err(|_| Damage::Garbage(known.whole))?;
        if known.version == 0 && !matches!(parsed, Line::Pop3Client { .. }) {
            return Err(damaged);
        }
        match parsed {
            Line::Pop3Client {
                version,
                account: of,
            } => {
                if version > VERSION {
                    let what = "it was written by a later version of this program: use that one";
                    return Err(Damage::Other(what.into()));
                }
                // version 1 did not distinguish ports
                let base = without_port(account);
                if of != account && !(of == base && version == 1) {
                    let what = format!(
                        "it belongs to {of}, not to {account}: name another one with --state"
                    );
                    return Err(Damage::Other(what));
                }
                known.version = version;
            }
            Line::Plan(plan) => known.plans.push(plan),
            Line::Done { ids, mails, at } => {
                known.plans.retain(|plan| plan.ids != ids);
                enter(&mut known.done, &ids, &mails, at);
            }
            Line::Leaving { ids } => {
                for id in ids {
                    if let Some(entry) = known.done.get_mut(&id) {
                        entry.leaving = true;
                    }
                }
            }
            Line::Gone { ids } => ids.iter().for_each(|id| drop(known.done.remove(id))),
        }
        known.whole += line.len();
    }
    if known.version == 0 {
        return Err(Damage::Garbage(0));
    }
    Ok(known)
}

pub(super) fn enter(done: &mut HashMap<String, Entry>, ids: &[String], mails: &[Witness], at: u64) {
    let told = mails.len() == ids.len();
    for (place, id) in ids.iter().enumerate() {
        let entry = Entry {
            at,
            witness: mails.get(place).filter(|_| told).cloned(),
            leaving: false,
        };
        done.insert(id.clone(), entry);
    }
}

pub(super) fn first_line(account: &str) -> Line {
    Line::Pop3Client {
        version: VERSION,
        account: account.into(),
    }
}

/// Makes the file with its first line in it, or not at all.
pub(super) fn create(path: &Path, account: &str) -> io::Result<()> {
    replace(path, &text(&[first_line(account)])?)
}

/// Writes the file again if most of it is about messages that are gone.
pub(super) fn compact(path: &Path, account: &str, known: &mut Known) -> io::Result<()> {
    if known.whole < WORTH_IT {
        return Ok(());
    }
    let mut lines = vec![first_line(account)];
    for (id, entry) in &known.done {
        lines.push(Line::Done {
            ids: vec![id.clone()],
            mails: entry.witness.iter().cloned().collect(),
            at: entry.at,
        });
        if entry.leaving {
            lines.push(Line::Leaving {
                ids: vec![id.clone()],
            });
        }
    }
    lines.extend(known.plans.iter().cloned().map(Line::Plan));
    let text = text(&lines)?;
    if text.len() < known.whole / 2 {
        replace(path, &text)?;
        known.whole = text.len();
        known.version = VERSION;
    }
    Ok(())
}

/// Smaller files are left as they are.
const WORTH_IT: usize = 256 * 1024;

fn text(lines: &[Line]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The whole new file, or the old one.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut file = private()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    sync_folder_of(path)
}
