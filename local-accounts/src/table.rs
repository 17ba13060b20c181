//! The content of a passwd-file, kept small: its text, and where in it each account's line is.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use pop3_proto::secret::Secret;

use crate::credential::Credential;
use crate::passwd::{
    self, Look, PasswdEntry, PasswdError, Wrong, again, entry_of, look, malformed,
};

/// How many mistakes are listed one by one.
const MAX_TOLD: usize = 20;

/// The accounts of a file, as it was when it was read.
pub(crate) struct Table {
    text: Secret,
    places: HashMap<String, Place>,
    faults: Vec<PasswdError>,
    /// A hash of the kind that most accounts have.
    prevailing: Option<Credential>,
    all_secrets_stored: bool,
    weaknesses: Vec<(&'static str, usize)>,
}

enum Place {
    At(Range<usize>),
    /// Something is wrong with this line, counted from 1.
    Off(usize),
}

/// What is known of a name.
pub(crate) enum Found {
    Account(Box<PasswdEntry>),
    Nobody,
    Off { line: usize },
}

impl Table {
    /// Reads the text of a file; `path` is only for messages.
    pub(crate) fn read(path: &Path, octets: Vec<u8>) -> Self {
        let text = Secret::new(octets);
        let mut first = HashMap::new();
        let mut places = HashMap::new();
        let mut faults = Vec::new();
        let mut more = 0;
        let start = text.expose().as_ptr().addr();
        let mut fault = |number, line: &[u8], wrong: Wrong| match faults.len() {
            MAX_TOLD.. => more += 1,
            _ => faults.push(malformed(path, number, line, wrong)),
        };
        for (number, line) in passwd::lines(text.expose()) {
            match look(&mut first, number, line) {
                Look::Account(name) => {
                    let at = line.as_ptr().addr() - start;
                    places.insert(name, Place::At(at..at + line.len()));
                }
                Look::Again { earlier, name } => {
                    fault(number, line, again(line, earlier));
                    places.insert(name, Place::Off(number));
                }
                Look::Wrong(wrong) => {
                    fault(number, line, wrong);
                    if let Some(name) = passwd::name_of(line) {
                        places.insert(name, Place::Off(number));
                    }
                }
                Look::Nothing => {}
            }
        }
        if more > 0 {
            let file = path.into();
            faults.push(PasswdError::More { file, more });
        }
        let mut table = Self {
            text,
            places,
            faults,
            prevailing: None,
            all_secrets_stored: true,
            weaknesses: Vec::new(),
        };
        table.survey();
        table
    }

    /// The account of this name, folded.
    pub(crate) fn find(&self, folded: &str) -> Found {
        match self.places.get(folded) {
            None => Found::Nobody,
            Some(Place::Off(line)) => Found::Off { line: *line },
            Some(Place::At(place)) => match self.entry(place) {
                Some(entry) => Found::Account(Box::new(entry)),
                None => Found::Nobody,
            },
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.entries().count()
    }

    pub(crate) fn faults(&self) -> &[PasswdError] {
        &self.faults
    }

    pub(crate) fn prevailing(&self) -> Option<&Credential> {
        self.prevailing.as_ref()
    }

    pub(crate) fn all_secrets_stored(&self) -> bool {
        self.all_secrets_stored
    }

    pub(crate) fn weaknesses(&self) -> Vec<(&'static str, usize)> {
        self.weaknesses.clone()
    }

    fn entry(&self, place: &Range<usize>) -> Option<PasswdEntry> {
        self.text.expose().get(place.clone()).and_then(entry_of)
    }

    fn entries(&self) -> impl Iterator<Item = PasswdEntry> {
        self.places.values().filter_map(|place| match place {
            Place::At(place) => self.entry(place),
            Place::Off(_) => None,
        })
    }

    /// Counts the kinds of credentials.
    fn survey(&mut self) {
        let mut classes: HashMap<String, (usize, Credential)> = HashMap::new();
        let mut weak: HashMap<&'static str, usize> = HashMap::new();
        let mut all_secrets_stored = true;
        for entry in self.entries().filter(PasswdEntry::is_open) {
            let credential = entry.credential();
            all_secrets_stored &= credential.suits_digests();
            if let Some(weakness) = credential.weakness() {
                *weak.entry(weakness).or_default() += 1;
            }
            if credential.is_hash() {
                let class = classes.entry(credential.class());
                class.or_insert_with(|| (0, credential.clone())).0 += 1;
            }
        }
        let most = classes
            .into_iter()
            // between two equally frequent kinds the name decides, not the order of the table
            .max_by(|(a, (n, _)), (b, (m, _))| n.cmp(m).then_with(|| a.cmp(b)));
        self.prevailing = most.map(|(_, (_, credential))| credential);
        self.all_secrets_stored = all_secrets_stored;
        self.weaknesses = weak.into_iter().collect();
        self.weaknesses.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$05$4Na66ONUGy3lCf/Fcy0a3uOnnq1VDzUuVytGtvxvP1O/FT7jA.FUG";
    const MD5: &str = "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80";

    /// A table with an account for each of these credentials.
    fn table(credentials: &[&str]) -> Table {
        let lines = credentials.iter().enumerate();
        let text: String = lines.map(|(n, text)| format!("u{n}:{text}\n")).collect();
        Table::read(Path::new("users"), text.into_bytes())
    }

    #[test]
    fn the_most_frequent_hash_prevails() {
        for (credentials, prevailing) in [
            (&[BCRYPT, MD5, BCRYPT][..], Some("bcrypt")),
            (&[MD5, BCRYPT, MD5], Some("md5-crypt")),
            // the name decides
            (&[BCRYPT, MD5], Some("md5-crypt")),
            (&[MD5, BCRYPT], Some("md5-crypt")),
            (&["{PLAIN}x", "{PLAIN}y", BCRYPT], Some("bcrypt")),
            (&["{PLAIN}x", "*"], None),
        ] {
            let table = table(credentials);
            let found = table.prevailing().map(Credential::scheme);
            assert_eq!(found, prevailing, "{credentials:?}");
        }
    }

    #[test]
    fn one_account_without_a_secret_is_enough() {
        for (credentials, all) in [
            (&["{PLAIN}x", "{PLAIN}y"][..], true),
            (&["{PLAIN}x", "*"], true),
            (&["{PLAIN}x", BCRYPT], false),
            (&[BCRYPT, "{PLAIN}x"], false),
        ] {
            assert_eq!(table(credentials).all_secrets_stored(), all);
        }
    }
}
