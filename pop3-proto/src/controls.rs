//! Control characters in a text that somebody else wrote, made harmless. An escape sequence must not steer a
//! terminal, and a line end must not make two lines of one.
//!
//! Owns the four things that are done with them, one each function. Every other character stays as it is;
//! how long a text may be is its user's to say.
//!
//! ```
//! use pop3_proto::controls::{blanked, dropped, escaped, marked};
//!
//! let chars = || "a\r\x1b[2J".chars();
//! assert_eq!(marked(chars()).collect::<String>(), "a\u{fffd}\u{fffd}[2J");
//! assert_eq!(escaped(chars()).collect::<String>(), "a\\r\\u{1b}[2J");
//! assert_eq!(blanked(chars()).collect::<String>(), "a  [2J");
//! assert_eq!(dropped(chars()).collect::<String>(), "a[2J");
//! ```

/// Each as U+FFFD: logs and messages show that something was there.
pub fn marked(chars: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    chars.map(|c| instead(c, char::REPLACEMENT_CHARACTER))
}

/// Each as Rust escapes it: transcripts show what was there.
pub fn escaped(chars: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    chars.flat_map(|c| {
        let escape = c.is_control().then(|| c.escape_default());
        let plain = escape.is_none().then_some(c);
        escape.into_iter().flatten().chain(plain)
    })
}

/// Each as a space: a header field stays one line, and words stay apart.
pub fn blanked(chars: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    chars.map(|c| instead(c, ' '))
}

/// None of them: a reply and a prompt stay one line.
pub fn dropped(chars: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    chars.filter(|c| !c.is_control())
}

fn instead(c: char, other: char) -> char {
    if c.is_control() { other } else { c }
}
