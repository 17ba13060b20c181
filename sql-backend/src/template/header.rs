//! Header fields from any text: nothing in the text can end the field.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use pop3_proto::controls::blanked;

use super::pattern::Pattern;

/// A line is folded after this many octets if possible.
const LINE: usize = 76;

/// The most characters of a value; a subject is no place for a novel.
const MAX_CHARS: usize = 900;

/// The most that an encoded-word holds: 45 octets are 60 in base64, and 72 with its delimiters.
const WORD: usize = 45;

/// The fields that a template makes itself.
const MADE: [&str; 8] = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

/// Whether this can be the name of a further header field.
pub(super) fn is_extra_name(name: &str) -> bool {
    let clean = |octet: u8| octet.is_ascii_graphic() && octet != b':';
    (1..=64).contains(&name.len())
        && name.bytes().all(clean)
        && !MADE.contains(&name.to_ascii_lowercase().as_str())
}

/// Free text, encoded and folded.
pub(super) fn unstructured(name: &str, text: &str) -> String {
    let text = one_line(text);
    let longest = text.split(' ').map(str::len).max().unwrap_or_default();
    if text.is_ascii() && !text.contains("=?") && longest <= LINE {
        fold(name.len() + 2, &text)
    } else {
        encoded_words(&text)
    }
}

/// A Message-ID that depends only on these names: other names make another one.
pub(super) fn message_id(names: &[String], domain: &str) -> String {
    let mut local = String::new();
    for name in names {
        if !local.is_empty() {
            local.push('.');
        }
        for octet in name.bytes() {
            if octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_' {
                local.push(char::from(octet));
            } else {
                local.push_str(&format!("={octet:02X}"));
            }
        }
    }
    format!("<{local}@{domain}>")
}

/// An address with patterns in it.
#[derive(Clone, Debug)]
pub(super) struct Address {
    name: Option<Pattern>,
    address: Pattern,
}

impl Address {
    /// `Name <address>` or `address`.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty; write an address, or Name <address>".into());
        }
        let Some(inner) = text.strip_suffix('>') else {
            let address = Pattern::new(text)?;
            return Ok(Self {
                name: None,
                address,
            });
        };
        let (name, address) = inner
            .rsplit_once('<')
            .ok_or("there is a > and no <; write Name <address>")?;
        let name = name.trim().trim_matches('"');
        Ok(Self {
            name: Some(Pattern::new(name)?).filter(|_| !name.is_empty()),
            address: Pattern::new(address)?,
        })
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let name = self.name.iter().flat_map(Pattern::columns);
        name.chain(self.address.columns())
    }

    pub(super) fn render(&self, values: &[(String, String)], domain: &str) -> String {
        let address = addr_spec(&self.address.expand(values), domain);
        let name = self
            .name
            .as_ref()
            .map(|name| one_line(&name.expand(values)));
        match name {
            Some(name) if !name.is_empty() => format!("{}\r\n <{address}>", phrase(&name)),
            Some(_) | None => address,
        }
    }
}

/// Whether an address has only allowed characters, and something on both sides of one `@`.
fn addr_spec(text: &str, domain: &str) -> String {
    let reduce = |part: &str, extra: &[u8], instead: &str| {
        let keep = |c: char| match u8::try_from(c) {
            Ok(octet) if octet.is_ascii_alphanumeric() || extra.contains(&octet) => c,
            _ => '_',
        };
        // no dot at either end, no two in a row
        let part: String = part.chars().take(64).map(keep).collect();
        let atoms: Vec<&str> = part.split('.').filter(|atom| !atom.is_empty()).collect();
        if atoms.is_empty() {
            instead.to_owned()
        } else {
            atoms.join(".")
        }
    };
    let text = text.trim();
    let (local, host) = text.rsplit_once('@').unwrap_or((text, ""));
    let local = reduce(local, b".!#$%&'*+-/=?^_`{|}~", "nobody");
    format!("{local}@{}", reduce(host, b".-", domain))
}

/// A display name.
fn phrase(name: &str) -> String {
    let atom = |octet: u8| octet.is_ascii_alphanumeric() || b" -_+/".contains(&octet);
    if name.bytes().all(atom) && name.len() <= LINE {
        name.to_owned()
    } else if name.is_ascii() && !name.contains("=?") && name.len() <= LINE {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        encoded_words(name)
    }
}

/// Without line ends and control characters, not too long, without space at its ends.
fn one_line(text: &str) -> String {
    // Unicode has line ends of its own
    let separators = ['\u{2028}', '\u{2029}'];
    let text: String = blanked(text.chars().take(MAX_CHARS)).collect();
    text.replace(separators, " ").trim().to_owned()
}

/// Breaks lines at spaces that a word follows.
fn fold(used: usize, text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 16);
    let mut column = used;
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            if column + 1 + word.len() > LINE && !word.is_empty() {
                folded.push_str("\r\n");
                column = 0;
            }
            folded.push(' ');
            column += 1;
        }
        folded.push_str(word);
        column += word.len();
    }
    folded
}

/// Encoded-words of whole characters, one in a line.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(WORD);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, behind) = rest.split_at(end);
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = behind;
    }
    words.join("\r\n ")
}
