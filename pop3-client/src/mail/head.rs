//! Who wrote when about what.

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{Addr, Address, DateTime, HeaderName, Message, MimeHeaders as _};

use super::Mail;
use crate::text;

/// The line of a mail in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// When it was written, in the writer's own time (RFC 3339).
    pub date: Option<String>,
    /// Who wrote it: the name, or the address.
    pub from: String,
    /// The address of who wrote it.
    pub from_address: String,
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
}

impl Summary {
    /// The date for a listing: to the minute.
    pub fn short_date(&self) -> String {
        let date = self.date.as_deref().unwrap_or_default();
        date.get(..16).unwrap_or(date).replace('T', " ")
    }
}

impl Mail<'_> {
    /// Its line in a listing.
    pub fn summary(&self) -> Summary {
        let Some(message) = &self.parsed else {
            return Summary::default();
        };
        let from = message.from().or_else(|| message.sender());
        Summary {
            date: message
                .date()
                .filter(|date| plausible(date))
                .map(DateTime::to_rfc3339),
            from: from.and_then(Address::first).map_or_else(
                || self.undeclared(message, &HeaderName::From),
                |first| self.mended(message, &HeaderName::From, name(first)),
            ),
            from_address: from
                .and_then(Address::first)
                .and_then(|first| first.address.as_deref())
                .map(text::one_line)
                .unwrap_or_default(),
            to: message.to().map(addresses).unwrap_or_default(),
            subject: self.mended(
                message,
                &HeaderName::Subject,
                text::one_line(message.subject().unwrap_or_default()),
            ),
        }
    }

    /// The lines that a reader wants to see above the text.
    pub fn short_head(&self) -> String {
        let summary = self.summary();
        let message = self.parsed.as_ref();
        let cc = message.and_then(Message::cc).map(addresses);
        let from = match (summary.from.as_str(), summary.from_address.as_str()) {
            (name, "") => name.to_string(),
            (name, address) if name == address => address.to_string(),
            (name, address) => format!("{name} <{address}>"),
        };
        let date = summary.date.unwrap_or_default().replace('T', " ");
        [
            ("Date", date),
            ("From", from),
            ("To", summary.to),
            ("Cc", cc.unwrap_or_default()),
            ("Subject", summary.subject),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
    }

    /// The header as it came, but harmless.
    pub fn raw_head(&self) -> String {
        text::lines(&String::from_utf8_lossy(self.head_octets()))
    }

    /// What stands behind the header.
    pub(super) fn body_octets(&self) -> &[u8] {
        &self.raw[self.head_length()..]
    }

    fn head_octets(&self) -> &[u8] {
        &self.raw[..self.head_length()]
    }

    /// The header ends before the first empty line.
    fn head_length(&self) -> usize {
        let mut length = 0;
        for line in self.raw.split_inclusive(|octet| *octet == b'\n') {
            if matches!(line, b"\n" | b"\r\n") {
                return length;
            }
            length += line.len();
        }
        self.raw.len()
    }

    /// Some writers put 8-bit text into a header without saying in which charset: then it is, most
    /// likely, in that of the text.
    fn mended(&self, message: &Message<'_>, name: &HeaderName<'_>, decoded: String) -> String {
        if decoded.contains(char::REPLACEMENT_CHARACTER) {
            let undeclared = self.undeclared(message, name);
            if !undeclared.is_empty() {
                return undeclared;
            }
        }
        decoded
    }

    fn undeclared(&self, message: &Message<'_>, name: &HeaderName<'_>) -> String {
        let found = message
            .headers()
            .iter()
            .rev()
            .find(|header| header.name == *name)
            .and_then(|header| {
                self.raw
                    .get(header.offset_start as usize..header.offset_end as usize)
            });
        let Some(octets) = found else {
            return String::new();
        };
        let text = match std::str::from_utf8(octets) {
            Ok(text) => text.to_string(),
            Err(_) => {
                let decode = message
                    .parts
                    .iter()
                    .filter_map(|part| part.content_type()?.attribute("charset"))
                    .find_map(|charset| charset_decoder(charset.as_bytes()));
                match decode {
                    Some(decode) => decode(octets),
                    None => String::from_utf8_lossy(octets).into_owned(),
                }
            }
        };
        text::one_line(&text)
    }
}

fn name(address: &Addr<'_>) -> String {
    let name = address
        .name
        .as_deref()
        .filter(|name| !name.trim().is_empty());
    let shown = name.or(address.address.as_deref());
    text::one_line(shown.unwrap_or_default())
}

fn addresses(addresses: &Address<'_>) -> String {
    let all: Vec<_> = addresses
        .iter()
        .map(|address| match (&address.name, &address.address) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (Some(only), None) | (None, Some(only)) => only.to_string(),
            (None, None) => String::new(),
        })
        .collect();
    text::one_line(&all.join(", "))
}

/// Whether there is such a moment at all.
fn plausible(date: &DateTime) -> bool {
    date.is_valid() && date.year >= 1970
}
