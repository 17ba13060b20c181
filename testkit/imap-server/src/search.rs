//! SEARCH: the keys that a client of a maildrop needs.

use super::set::Set;
use super::state::State;
use super::store::Message;
use super::word::Word;

/// A search key.
#[derive(Debug)]
enum Key {
    All,
    Flag(String, bool),
    Uids(Set),
    Sequence(Set),
    Larger(u64),
    Smaller(u64),
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    Every(Vec<Self>),
}

impl State {
    pub(super) fn search(&mut self, uid: bool, arguments: &[Word]) -> String {
        let Some(selected) = &self.selected else {
            return "BAD not now".to_owned();
        };
        let arguments = match arguments {
            [charset, _, rest @ ..] if charset.keyword().as_deref() == Some("CHARSET") => rest,
            _ => arguments,
        };
        let limits = (
            selected.view.last().copied().unwrap_or(0),
            selected.view.len() as u32,
        );
        let mut words = arguments.iter();
        let mut keys = Vec::new();
        while words.len() > 0 {
            match read_key(&mut words, limits, 0) {
                Some(key) => keys.push(key),
                None => return "BAD unknown search key".to_owned(),
            }
        }
        if keys.is_empty() {
            return "BAD search key wanted".to_owned();
        }
        let key = Key::Every(keys);
        let view = selected.view.clone();
        let found = self.with_folder(|folder| {
            let mut found = String::new();
            for (seq, own) in (1..).zip(view) {
                if folder
                    .message(own)
                    .is_some_and(|message| key.matches(seq, message))
                {
                    found.push_str(&format!(" {}", if uid { own } else { seq }));
                }
            }
            found
        });
        self.untagged(&format!("SEARCH{}", found.unwrap_or_default()));
        self.sync(uid);
        "OK searched".to_owned()
    }
}

impl Key {
    fn matches(&self, seq: u32, message: &Message) -> bool {
        match self {
            Self::All => true,
            Self::Flag(flag, on) => message.has_flag(flag) == *on,
            Self::Uids(set) => set.contains(message.uid),
            Self::Sequence(set) => set.contains(seq),
            Self::Larger(size) => message.content.len() > *size,
            Self::Smaller(size) => message.content.len() < *size,
            Self::Not(key) => !key.matches(seq, message),
            Self::Or(left, right) => left.matches(seq, message) || right.matches(seq, message),
            Self::Every(keys) => keys.iter().all(|key| key.matches(seq, message)),
        }
    }
}

fn read_key(words: &mut std::slice::Iter<'_, Word>, limits: (u32, u32), depth: u32) -> Option<Key> {
    let word = words.next().filter(|_| depth < 16)?;
    if let Word::List(inner) = word {
        let (mut inner, mut keys) = (inner.iter(), Vec::new());
        while inner.len() > 0 {
            keys.push(read_key(&mut inner, limits, depth + 1)?);
        }
        return Some(Key::Every(keys));
    }
    let name = word.keyword()?;
    let flag = |flag: &str, on: bool| Key::Flag(format!("\\{flag}"), on);
    Some(match name.as_str() {
        "ALL" | "OLD" => Key::All,
        "NEW" | "RECENT" => Key::Not(Box::new(Key::All)),
        "ANSWERED" => flag("Answered", true),
        "DELETED" => flag("Deleted", true),
        "DRAFT" => flag("Draft", true),
        "FLAGGED" => flag("Flagged", true),
        "SEEN" => flag("Seen", true),
        "UNANSWERED" => flag("Answered", false),
        "UNDELETED" => flag("Deleted", false),
        "UNDRAFT" => flag("Draft", false),
        "UNFLAGGED" => flag("Flagged", false),
        "UNSEEN" => flag("Seen", false),
        "KEYWORD" => Key::Flag(words.next()?.text()?, true),
        "UNKEYWORD" => Key::Flag(words.next()?.text()?, false),
        "LARGER" => Key::Larger(words.next()?.text()?.parse().ok()?),
        "SMALLER" => Key::Smaller(words.next()?.text()?.parse().ok()?),
        "UID" => Key::Uids(Set::read(words.next()?.bytes()?, limits.0)?),
        "NOT" => Key::Not(Box::new(read_key(words, limits, depth + 1)?)),
        "OR" => {
            let left = read_key(words, limits, depth + 1)?;
            Key::Or(
                Box::new(left),
                Box::new(read_key(words, limits, depth + 1)?),
            )
        }
        _ => Key::Sequence(Set::read(word.bytes()?, limits.1)?),
    })
}
