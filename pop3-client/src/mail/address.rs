//! Lists of addresses (RFC 5322 section 3.4), as they come. It owns the distinction between names and
//! addresses. It judges neither: what is not an address is a name, and nothing is left out.

use super::content::quoted_string;
use super::word;

/// Octets of a set of two octets that are looked through for its end.
const MAX_SHIFTED: usize = 1000;

/// A person, or whatever is in that place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) name: String,
    pub(super) address: String,
}

impl std::fmt::Display for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.name.as_str(), self.address.as_str()) {
            (name, "") => f.write_str(name),
            ("", address) => f.write_str(address),
            (name, address) if name == address => f.write_str(address),
            (name, address) => write!(f, "{name} <{address}>"),
        }
    }
}

/// The mailboxes of an unfolded field. `hint` is the charset of the rest of the mail.
pub(super) fn list(field: &[u8], hint: Option<&str>) -> Vec<Mailbox> {
    let mut mailboxes: Vec<Mailbox> = Vec::new();
    // names that had no address of their own: `Smith, Ann <ann@example.org>`
    let mut waiting: Vec<Mailbox> = Vec::new();
    for piece in pieces(field) {
        let mut mailbox = piece.read(hint);
        if mailbox == Mailbox::default() {
            continue;
        }
        if mailbox.address.is_empty() && !piece.group {
            waiting.push(mailbox);
            continue;
        }
        if piece.angle && !waiting.is_empty() {
            let mut names: Vec<String> = waiting.drain(..).map(|waiting| waiting.name).collect();
            names.push(mailbox.name);
            names.retain(|name| !name.is_empty());
            mailbox.name = names.join(", ");
        }
        mailboxes.append(&mut waiting);
        mailboxes.push(mailbox);
    }
    mailboxes.append(&mut waiting);
    mailboxes
}

/// One of the list, cut out but not decoded.
#[derive(Default)]
struct Piece {
    /// The text outside of angle brackets and comments, without quotes.
    words: Vec<u8>,
    comment: Vec<u8>,
    address: Vec<u8>,
    angle: bool,
    group: bool,
    /// There is an `@` among the words.
    at: bool,
}

impl Piece {
    fn read(&self, hint: Option<&str>) -> Mailbox {
        let words = word::decode(self.words.trim_ascii(), hint);
        let words = words.trim();
        let comment = word::decode(self.comment.trim_ascii(), hint);
        if self.angle {
            let address = self.address.trim_ascii();
            // a route, which is no longer in use
            let address = match address.iter().position(|octet| *octet == b':') {
                Some(colon) if address.starts_with(b"@") => &address[colon + 1..],
                Some(_) | None => address,
            };
            let name = if words.is_empty() {
                comment.trim()
            } else {
                words
            };
            return Mailbox {
                name: name.into(),
                address: word::decode(address, hint),
            };
        }
        if words.contains('@') && !self.group {
            return Mailbox {
                name: comment.trim().into(),
                address: words.into(),
            };
        }
        let name = match comment.trim() {
            "" => words.to_string(),
            comment if words.is_empty() => comment.to_string(),
            comment => format!("{words} ({comment})"),
        };
        Mailbox {
            name,
            address: String::new(),
        }
    }
}

/// Cuts at the commas and semicolons that are not quoted.
fn pieces(field: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut piece = Piece::default();
    let mut rest = field;
    // whether a closing one is still to come
    let (mut quotes, mut comments, mut angles) = (true, true, true);
    let last_end = field.iter().rposition(|octet| *octet == b';');
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'"' if quotes => match quoted_string(&field[field.len() - after.len() - 1..]) {
                Some((inside, left)) => {
                    piece.at |= inside.contains(&b'@');
                    piece.words.extend(inside);
                    rest = left;
                }
                None => {
                    quotes = false;
                    // a quote that is not closed says nothing
                }
            },
            b'(' if comments => match comment(after) {
                Some((inside, left)) => {
                    piece.comment.extend_from_slice(inside);
                    rest = left;
                }
                None => {
                    comments = false;
                    piece.words.push(octet);
                }
            },
            b'<' if angles => {
                if piece.angle {
                    // a comma is missing
                    pieces.push(std::mem::take(&mut piece));
                }
                match after.iter().position(|octet| *octet == b'>') {
                    Some(end) => {
                        piece.address = after[..end].to_vec();
                        piece.angle = true;
                        rest = &after[end + 1..];
                    }
                    // cut at the end
                    None => {
                        angles = false;
                        piece.address = after.to_vec();
                        piece.angle = true;
                        rest = &[];
                    }
                }
            }
            // raw ISO-2022-JP, in which any of these may be half a character
            0x1B if after.starts_with(b"$") => {
                let end = after
                    .windows(2)
                    .take(MAX_SHIFTED)
                    .position(|two| two == b"\x1b(");
                let (inside, left) = after.split_at(end.map_or(0, |end| end + 1));
                piece.words.push(octet);
                piece.words.extend_from_slice(inside);
                // the octets after the second escape say which set comes back
                let back = left.len().min(if inside.is_empty() { 0 } else { 2 });
                piece.words.extend_from_slice(&left[..back]);
                rest = &left[back..];
            }
            // a group has an end, or nothing in it; any other colon is part of a name
            b':' if !piece.angle
                && !piece.at
                && (last_end.is_some_and(|end| field.len() - after.len() <= end)
                    || after.trim_ascii().is_empty()) =>
            {
                piece.group = true;
                pieces.push(std::mem::take(&mut piece));
            }
            b',' | b';' => pieces.push(std::mem::take(&mut piece)),
            _ => {
                piece.at |= octet == b'@';
                piece.words.push(octet);
            }
        }
    }
    pieces.push(piece);
    pieces
}

/// A comment to its end; comments may stand within each other.
fn comment(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut depth = 0_usize;
    for (position, octet) in text.iter().enumerate() {
        match octet {
            b'(' => depth += 1,
            b')' if depth == 0 => return Some((&text[..position], &text[position + 1..])),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::list;

    fn shown(field: &str) -> String {
        let all: Vec<_> = list(field.as_bytes(), None)
            .iter()
            .map(ToString::to_string)
            .collect();
        all.join(" | ")
    }

    /// It would not end if the time were not proportional to the length.
    #[test]
    fn w077_long_fields_are_read() {
        let many = 100_000;
        let late = "x".repeat(many) + "@" + &":".repeat(many) + ";";
        list(late.as_bytes(), None);
        for piece in [":", "@:", "x:", "<", "\"", "(", ",", " :", "<a>", "a@b"] {
            let field = piece.repeat(many);
            list(field.as_bytes(), None);
            list(format!("{field};").as_bytes(), None);
        }
    }

    #[test]
    fn w077_names_and_addresses_in_all_forms() {
        let table = [
            ("Ann <ann@example.org>", "Ann <ann@example.org>"),
            (
                "Smith, Ann <ann@example.org>",
                "Smith, Ann <ann@example.org>",
            ),
            (
                "Smith, Ann, PhD <ann@example.org>, bob@example.org",
                "Smith, Ann, PhD <ann@example.org> | bob@example.org",
            ),
            (
                "\"Smith, Ann\" <ann@example.org>",
                "Smith, Ann <ann@example.org>",
            ),
            ("ann@example.org", "ann@example.org"),
            ("<ann@example.org>", "ann@example.org"),
            (
                "ann@example.org (Ann (the first) Smith)",
                "Ann (the first) Smith <ann@example.org>",
            ),
            ("a@x, b@y;c@z", "a@x | b@y | c@z"),
            ("undisclosed-recipients:;", "undisclosed-recipients"),
            ("undisclosed recipients: ;", "undisclosed recipients"),
            (
                "Friends: a@x, Bob <b@y>;, c@z",
                "Friends | a@x | Bob <b@y> | c@z",
            ),
            ("\"Ann <ann@example.org>", "Ann <ann@example.org>"),
            ("Ann <ann@example.org", "Ann <ann@example.org>"),
            ("<@relay.example:ann@example.org>", "ann@example.org"),
            ("MAILER-DAEMON", "MAILER-DAEMON"),
            ("root (Cron Daemon)", "root (Cron Daemon)"),
            (
                "=?utf-8?Q?Smith=2C_Ann?= <ann@example.org>",
                "Smith, Ann <ann@example.org>",
            ),
            ("\"=?utf-8?B?SsO8cmdlbg==?=\" <j@x.de>", "Jürgen <j@x.de>"),
            ("J\u{f6}rg <j@x>", "Jörg <j@x>"),
            ("a b c", "a b c"),
            ("Ann ann@example.org", "Ann ann@example.org"),
            ("ann@example.org <ann@example.org>", "ann@example.org"),
            ("\"a\\\"b\" <a@b>", "a\"b <a@b>"),
            (
                "\x1b$B;3ED\x1b(B <yamada@example.jp>, \x1b$B;3$,\x1b(B <b@c>",
                "山田 <yamada@example.jp> | 山が <b@c>",
            ),
            ("<>", ""),
            ("Support: Ann <ann@x>", "Support: Ann <ann@x>"),
            ("Re: Friends: a@x;", "Re | Friends | a@x"),
            ("Ann [SMTP:ann@x]", "Ann [SMTP:ann@x]"),
            ("undisclosed-recipients:", "undisclosed-recipients"),
            ("Ann <a@x> <b@x>", "Ann <a@x> | b@x"),
            ("", ""),
            (",,;", ""),
            ("(", "("),
        ];
        for (field, expected) in table {
            assert_eq!(shown(field), expected, "{field}");
        }
    }
}
