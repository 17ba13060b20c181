//! FETCH: one message after the other, as its answers are taken.
//!
//! Owns the items and the progress of the command. Bodies are queued by reference.

use super::fault::{BodyForm, Trouble};
use super::set::Set;
use super::state::State;
use super::store::Message;
use super::word::Word;
use crate::content::Content;

/// A FETCH that runs.
#[derive(Debug)]
pub(super) struct Fetch {
    tag: Vec<u8>,
    uid: bool,
    set: Set,
    items: Vec<Item>,
    /// The place in the view that comes next.
    next: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Flags,
    InternalDate,
    Size,
    Uid,
    Body {
        label: String,
        section: Section,
        partial: Option<(u64, u64)>,
        peek: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Whole,
    Header,
    Text,
}

impl State {
    pub(super) fn fetch(&self, tag: &[u8], uid: bool, arguments: &[Word]) -> Result<Fetch, String> {
        let [set, wanted] = arguments else {
            return Err("BAD set and items wanted".to_owned());
        };
        let set = self
            .selected
            .as_ref()
            .and_then(|selected| selected.set(uid, Some(set)));
        let set = set.ok_or_else(|| "BAD set".to_owned())?;
        let mut items = if uid { vec![Item::Uid] } else { Vec::new() };
        for word in wanted.items() {
            let word = word.keyword().unwrap_or_default();
            let more = read_items(&word).ok_or_else(|| format!("BAD unknown item {word}"))?;
            for item in more {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        let refused = self.troubles.iter().find_map(|trouble| {
            if let Trouble::NoHeader(answer) = trouble {
                Some(answer.clone())
            } else {
                None
            }
        });
        if let Some(answer) = refused
            && items.iter().any(|item| item.is(Section::Header))
        {
            return Err(answer);
        }
        let silent = self
            .troubles
            .iter()
            .any(|trouble| matches!(trouble, Trouble::NoData));
        Ok(Fetch {
            tag: tag.to_vec(),
            uid,
            set,
            items,
            next: if silent { usize::MAX } else { 0 },
        })
    }

    /// Answers for one message, or ends the command.
    pub(super) fn fetch_on(&mut self, mut fetch: Fetch) -> Option<Fetch> {
        while let Some(&uid) = self
            .selected
            .as_ref()
            .and_then(|selected| selected.view.get(fetch.next))
        {
            fetch.next += 1;
            let seq = fetch.next as u32;
            if !fetch.set.contains(if fetch.uid { uid } else { seq }) {
                continue;
            }
            let message = self
                .with_folder(|folder| folder.message(uid).cloned())
                .flatten();
            if let Some(message) = message {
                self.fetch_one(&fetch, seq, message);
                return Some(fetch);
            }
        }
        self.sync(fetch.uid);
        self.tagged(&fetch.tag, "OK fetched");
        None
    }

    fn fetch_one(&mut self, fetch: &Fetch, seq: u32, mut message: Message) {
        let mut items = fetch.items.clone();
        let reads = |item: &Item| matches!(item, Item::Body { peek: false, .. });
        let read_only = self
            .selected
            .as_ref()
            .is_some_and(|selected| selected.read_only);
        if items.iter().any(reads) && !read_only && !message.has_flag("\\Seen") {
            self.own_change(|folder| {
                folder.set_flag(message.uid, "\\Seen", true);
            });
            message.flags.push("\\Seen".to_owned());
            if !items.contains(&Item::Flags) {
                items.push(Item::Flags);
            }
        }
        if items.iter().any(|item| matches!(item, Item::Body { .. })) {
            self.foreign_body(seq, message.uid);
        }
        if items.iter().any(|item| item.is(Section::Whole)) {
            self.foreign_header(seq, message.uid);
        }
        self.before();
        let gap = if self.extra_spaces() { "  " } else { " " };
        self.output
            .push(format!("*{gap}{seq}{gap}FETCH{gap}(").as_bytes());
        let mut first = true;
        for item in &items {
            let Some(text) = self.item(item, &message) else {
                continue;
            };
            if !first {
                self.output.push(gap.as_bytes());
            }
            first = false;
            self.output.push(text.as_bytes());
            if let Item::Body {
                section, partial, ..
            } = item
            {
                self.body(&message, *section, *partial);
            }
        }
        self.output.push(if self.extra_spaces() {
            b" )\r\n"
        } else {
            b")\r\n"
        });
    }

    /// An item's text; of a body only its name.
    fn item(&self, item: &Item, message: &Message) -> Option<String> {
        let mut troubles = self.troubles.iter();
        match item {
            Item::Flags => Some(format!("FLAGS ({})", message.flags.join(" "))),
            Item::InternalDate => Some(format!("INTERNALDATE \"{}\"", message.internal_date)),
            Item::Size => {
                let off = troubles.find_map(|trouble| {
                    if let Trouble::SizeOff(off) = trouble {
                        Some(*off)
                    } else {
                        None
                    }
                });
                Some(format!(
                    "RFC822.SIZE {}",
                    message
                        .content
                        .len()
                        .saturating_add_signed(off.unwrap_or(0))
                ))
            }
            Item::Uid => {
                let hidden = troubles.any(|trouble| matches!(trouble, Trouble::NoUid));
                (!hidden).then(|| format!("UID {}", message.uid))
            }
            Item::Body { label, .. } => {
                (self.body_form() != BodyForm::Missing).then(|| format!("{label} "))
            }
        }
    }

    fn body_form(&self) -> BodyForm {
        let form = self.troubles.iter().find_map(|trouble| {
            if let Trouble::BodyAs(form) = trouble {
                Some(*form)
            } else {
                None
            }
        });
        form.unwrap_or(BodyForm::Literal)
    }

    fn body(&mut self, message: &Message, section: Section, partial: Option<(u64, u64)>) {
        let content = &message.content;
        let (start, end) = match section {
            Section::Whole => (0, content.len()),
            Section::Header => (0, self.header_length(content)),
            Section::Text => (content.header_len(), content.len()),
        };
        let (from, to) = partial.map_or((start, end), |(offset, length)| {
            let from = start.saturating_add(offset).min(end);
            (from, from.saturating_add(length).min(end))
        });
        let len = to - from;
        match self.body_form() {
            BodyForm::Nil => self.output.push(b"NIL"),
            BodyForm::Empty => self.output.push(b"\"\""),
            BodyForm::Missing => {}
            BodyForm::Quoted if len <= 4096 && quotable(&content.slice(from, to)) => {
                self.output.push(b"\"");
                for byte in content.slice(from, to) {
                    if matches!(byte, b'"' | b'\\') {
                        self.output.push(b"\\");
                    }
                    self.output.push(&[byte]);
                }
                self.output.push(b"\"");
            }
            BodyForm::Literal8 => self.literal("~", message, from, to),
            BodyForm::Literal | BodyForm::Quoted => self.literal("", message, from, to),
        }
    }

    fn header_length(&self, content: &Content) -> u64 {
        let told = self.troubles.iter().find_map(|trouble| {
            if let Trouble::HeaderLength(octets) = trouble {
                Some((*octets).min(content.len()))
            } else {
                None
            }
        });
        told.unwrap_or_else(|| content.header_len())
    }

    fn literal(&mut self, mark: &str, message: &Message, from: u64, to: u64) {
        let content = &message.content;
        let missing = self.troubles.iter().find_map(|trouble| {
            if let Trouble::ShortMessage { uid, octets } = trouble
                && *uid == message.uid
            {
                Some(*octets)
            } else {
                None
            }
        });
        let announced = to - from + missing.unwrap_or(0);
        self.output
            .push(format!("{mark}{{{announced}}}\r\n").as_bytes());
        let cut = self.troubles.iter().find_map(|trouble| {
            if let Trouble::CutBody(octets) = trouble {
                Some((*octets, false))
            } else if let Trouble::ByeInBody(octets) = trouble {
                Some((*octets, true))
            } else if let Trouble::CutMessage { uid, octets } = trouble
                && *uid == message.uid
            {
                Some((*octets, false))
            } else {
                None
            }
        });
        let Some((octets, bye)) = cut else {
            self.output.push_content(content, from, to);
            return;
        };
        self.output
            .push_content(content, from, from.saturating_add(octets).min(to));
        if bye {
            self.output.push(b"\r\n* BYE going down\r\n");
        }
        self.output.push_cut();
    }

    fn foreign_body(&mut self, seq: u32, uid: u32) {
        let foreign = self.troubles.iter().find_map(|trouble| {
            if let Trouble::ForeignBody(bytes) = trouble {
                Some(bytes.clone())
            } else {
                None
            }
        });
        let Some(bytes) = foreign else { return };
        let view = self
            .selected
            .as_ref()
            .map(|selected| selected.view.as_slice())
            .unwrap_or_default();
        let mut others = (1..)
            .zip(view.iter().copied())
            .filter(|&(_, other)| other != uid);
        let (seq, uid) = others
            .next()
            .unwrap_or_else(|| (seq.saturating_add(1), uid.saturating_add(1)));
        self.output
            .push(format!("* {seq} FETCH (UID {uid} BODY[] {{{}}}\r\n", bytes.len()).as_bytes());
        self.output.push(&bytes);
        self.output.push(b")\r\n");
    }

    fn foreign_header(&mut self, seq: u32, uid: u32) {
        let foreign = self.troubles.iter().find_map(|trouble| {
            if let Trouble::ForeignHeader(bytes) = trouble {
                Some(bytes.clone())
            } else {
                None
            }
        });
        let Some(bytes) = foreign else { return };
        let size = bytes.len();
        self.output
            .push(format!("* {seq} FETCH (UID {uid} BODY[HEADER] {{{size}}}\r\n").as_bytes());
        self.output.push(&bytes);
        self.output.push(b")\r\n");
    }
}

impl Item {
    /// Whether it is this section of a body.
    fn is(&self, wanted: Section) -> bool {
        matches!(self, Self::Body { section, .. } if *section == wanted)
    }
}

fn quotable(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

fn read_items(word: &str) -> Option<Vec<Item>> {
    let whole = |label: &str, section, peek| Item::Body {
        label: label.to_owned(),
        section,
        partial: None,
        peek,
    };
    Some(match word {
        "FAST" => vec![Item::Flags, Item::InternalDate, Item::Size],
        "FLAGS" => vec![Item::Flags],
        "INTERNALDATE" => vec![Item::InternalDate],
        "RFC822.SIZE" => vec![Item::Size],
        "UID" => vec![Item::Uid],
        "RFC822" => vec![whole(word, Section::Whole, false)],
        "RFC822.HEADER" => vec![whole(word, Section::Header, true)],
        "RFC822.TEXT" => vec![whole(word, Section::Text, false)],
        _ => vec![read_body(word)?],
    })
}

/// `BODY[section]<offset.length>` or `BODY.PEEK[..]..`.
fn read_body(word: &str) -> Option<Item> {
    let rest = word.strip_prefix("BODY")?;
    let (rest, peek) = rest
        .strip_prefix(".PEEK")
        .map_or((rest, false), |rest| (rest, true));
    let (name, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let section = match name {
        "" => Section::Whole,
        "HEADER" => Section::Header,
        "TEXT" => Section::Text,
        _ => return None,
    };
    let (origin, partial) = match rest {
        "" => (String::new(), None),
        _ => {
            let (offset, length) = rest.strip_prefix('<')?.strip_suffix('>')?.split_once('.')?;
            let length = length.parse().ok().filter(|&length| length > 0)?;
            (format!("<{offset}>"), Some((offset.parse().ok()?, length)))
        }
    };
    Some(Item::Body {
        label: format!("BODY[{name}]{origin}"),
        section,
        partial,
        peek,
    })
}
