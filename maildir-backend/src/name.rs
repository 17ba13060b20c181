//! Names of message files: their constant part, what they say about size and time, their unique-id, and new
//! names. Owns the Maildir naming rules; never looks at a disk.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base16ct::upper;
use pop3_proto::unique_id;
use sha2::{Digest, Sha256};

use crate::config::Layout;

/// The part of a name that stays when flags change: in a Maildir everything before the colon.
pub(crate) fn base(layout: Layout, name: &[u8]) -> &[u8] {
    match layout {
        Layout::Maildir => name.split(|b| *b == b':').next().unwrap_or(name),
        Layout::Directory => name,
    }
}

/// The unique-id of a base name. Two names have two ids: names too long for the short forms are hashed by SHA-256.
pub(crate) fn unique_id(base: &[u8]) -> String {
    let id = unique_id::from_name(base);
    if !id.starts_with("%md5.") {
        return id;
    }
    // With MD5 somebody who chooses names could make two that collide. No escaped name has an `s` after
    // its percent sign.
    let digest = Sha256::digest(base);
    "%sha256.".to_owned() + &upper::encode_string(&digest[..31])
}

/// The octets of the message with CRLF line ends, if the name has them and is right about the file's size.
pub(crate) fn declared_octets(base: &[u8], file_size: u64) -> Option<u64> {
    let octets = field(base, b"W=")?;
    let plausible = file_size..=octets_limit(file_size);
    (field(base, b"S=")? == file_size && plausible.contains(&octets)).then_some(octets)
}

/// The octets according to the name, whatever the size of the file: of a packed message nothing else
/// is known before it was read.
pub(crate) fn hinted_octets(base: &[u8]) -> Option<u64> {
    let told = field(base, b"W=").or_else(|| field(base, b"S="));
    told.filter(|octets| *octets <= MOST)
}

/// No message has more octets.
pub(crate) const MOST: u64 = 1 << 42;

/// The size for quotas: the one in the name, which for a packed message is that of the mail.
pub(crate) fn quota_size(name: &[u8]) -> Option<u64> {
    field(base(Layout::Maildir, name), b"S=").filter(|size| *size <= MOST)
}

/// The most octets that a file of this size can have with CRLF line ends.
pub(crate) const fn octets_limit(file_size: u64) -> u64 {
    file_size.saturating_mul(2).saturating_add(2)
}

/// When it was delivered: seconds and microseconds. Names without a time come first.
pub(crate) fn delivered(base: &[u8]) -> (u64, u64) {
    let mut parts = base.splitn(3, |b| *b == b'.');
    let seconds = parts.next().and_then(number).unwrap_or_default();
    let unique = parts.next().unwrap_or_default();
    let at = unique.iter().position(|b| *b == b'M');
    let micros = at.and_then(|at| {
        let digits = &unique[at + 1..];
        let end = digits.iter().position(|b| !b.is_ascii_digit());
        number(&digits[..end.unwrap_or(digits.len())])
    });
    (seconds, micros.unwrap_or_default())
}

/// The name in `cur` with the flag for seen; `None` if it has it already, or if we must not change its
/// flags.
pub(crate) fn seen(name: &[u8]) -> Option<Vec<u8>> {
    let base = base(Layout::Maildir, name);
    let info = &name[base.len()..];
    let flags = match info {
        [] => &[][..],
        _ => info.strip_prefix(b":2,")?,
    };
    // after a comma are flags of some program's own
    let end = flags.iter().position(|b| *b == b',');
    let (known, others) = flags.split_at(end.unwrap_or(flags.len()));
    if known.contains(&b'S') {
        return None;
    }
    let mut known = known.to_vec();
    known.push(b'S');
    known.sort_unstable();
    Some([base, b":2,", &known, others].concat())
}

/// The name that a message has in `cur` of another folder.
pub(crate) fn in_cur(name: &[u8]) -> Vec<u8> {
    if name.contains(&b':') {
        return name.to_vec();
    }
    [name, b":2,"].concat()
}

/// A name that no other message ever has: time, process, count and host. Sorted by name, later ones come later
/// (within a process, and up to ten in the same microsecond).
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    format!(
        "{}.M{:06}P{}Q{}.{}",
        now.as_secs(),
        now.subsec_micros(),
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed),
        host()
    )
}

/// The host's name as it may stand in a file's.
fn host() -> String {
    part_of_a_name(&rustix::system::uname().nodename().to_string_lossy())
}

fn part_of_a_name(host: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let host: String = host.chars().filter(|c| plain(*c)).take(60).collect();
    if host.is_empty() {
        return "localhost".to_owned();
    }
    host
}

/// The name that a message gets where its own is taken: a new unique one, and what tells about it.
pub(crate) fn another(layout: Layout, unique: &str, name: &[u8]) -> Vec<u8> {
    match layout {
        Layout::Maildir => {
            let info = &name[base(layout, name).len()..];
            in_cur(&[unique.as_bytes(), info].concat())
        }
        Layout::Directory => {
            let end = &name[name.len().saturating_sub(100)..];
            [unique.as_bytes(), b".", end].concat()
        }
    }
}

/// A name as part of a path.
pub(crate) fn display(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// Whether a mail program has marked it as trash, so that no quota counts it.
pub(crate) fn is_trashed(name: &[u8]) -> bool {
    let info = &name[base(Layout::Maildir, name).len()..];
    info.strip_prefix(b":2,").is_some_and(|f| f.contains(&b'T'))
}

/// Whether a file of this name may be a message.
pub(crate) fn may_be_message(layout: Layout, suffixes: &[String], name: &[u8]) -> bool {
    const UNFINISHED: [&str; 9] = [
        "~",
        ".tmp",
        ".temp",
        ".part",
        ".partial",
        ".filepart",
        ".crdownload",
        ".swp",
        ".lock",
    ];
    if name.starts_with(b".") {
        return false;
    }
    match layout {
        Layout::Maildir => !base(layout, name).is_empty(),
        Layout::Directory => {
            let unfinished = UNFINISHED.iter().any(|end| ends_with(name, end))
                || (name.starts_with(b"#") && name.ends_with(b"#"));
            !unfinished && (suffixes.is_empty() || ends_with_any(name, suffixes))
        }
    }
}

/// Whether a name ends in one of these ways, in capitals or small letters.
pub(crate) fn ends_with_any(name: &[u8], ends: &[String]) -> bool {
    ends.iter().any(|end| ends_with(name, end))
}

fn ends_with(name: &[u8], end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    if start.is_some_and(|at| name[at..].eq_ignore_ascii_case(end.as_bytes())) {
        return true;
    }
    // letters beyond ASCII, whose length may change with case
    !end.is_ascii()
        && str::from_utf8(name).is_ok_and(|name| name.to_lowercase().ends_with(&end.to_lowercase()))
}

/// A number after a comma: `,S=123`.
fn field(base: &[u8], key: &[u8]) -> Option<u64> {
    let mut fields = base.split(|b| *b == b',').skip(1);
    fields.find_map(|field| number(field.strip_prefix(key)?))
}

/// Decimal digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    let clean = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| clean)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_believed_where_they_are_true() {
        let octets = |name: &str, size| declared_octets(name.as_bytes(), size);
        assert_eq!(octets("1.a.h,S=10,W=12", 10), Some(12));
        assert_eq!(octets("1.a.h,W=12,S=10", 10), Some(12));
        for (name, size) in [
            ("1.a.h,S=10,W=12", 11),
            ("1.a.h,S=10", 10),
            ("1.a.h,W=12", 10),
            ("1.a.h,S=10,W=9", 10),
            ("1.a.h,S=10,W=23", 10),
            ("1.a.h,S=+10,W=12", 10),
            ("1.a.h,S=10,W=99999999999999999999", 10),
            ("S=10,W=12", 10),
        ] {
            assert_eq!(octets(name, size), None, "{name}");
        }
    }

    #[test]
    fn times_are_read_as_numbers() {
        let time = |name: &str| delivered(name.as_bytes());
        assert_eq!(time("1700000000.M5P3Q1.host"), (1_700_000_000, 5));
        assert_eq!(time("1700000000.P3Q1M77_2.host"), (1_700_000_000, 77));
        assert_eq!(time("1700000000.1234_0.host"), (1_700_000_000, 0));
        assert_eq!(time("msg.M1"), (0, 1));
        assert_eq!(time(""), (0, 0));
        assert!(time("9.M9P1.h") < time("9.M10P1.h"));
    }

    #[test]
    fn a_host_is_named_in_letters_digits_dots_and_dashes() {
        assert_eq!(part_of_a_name("mail-1.example.org"), "mail-1.example.org");
        assert_eq!(part_of_a_name("a/b:c\u{e9}_\n"), "abc");
        assert_eq!(part_of_a_name(""), "localhost");
        let system = rustix::system::uname();
        let ours = part_of_a_name(&system.nodename().to_string_lossy());
        assert!(unique().ends_with(&format!(".{ours}")));
    }

    #[test]
    fn a_hint_is_no_absurd_number() {
        let hint = |name: &str| hinted_octets(name.as_bytes());
        assert_eq!(hint("1.a,S=7"), Some(7));
        assert_eq!(hint("1.a,S=7,W=8"), Some(8));
        assert_eq!(hint("1.a"), None);
        assert_eq!(hint(&format!("1.a,S={MOST}")), Some(MOST));
        assert_eq!(hint(&format!("1.a,S={}", MOST + 1)), None);
    }

    #[test]
    fn seen_is_added_where_it_belongs() {
        let name = |name: &str| seen(name.as_bytes()).map(|n| n.escape_ascii().to_string());
        assert_eq!(name("1.a.h").as_deref(), Some("1.a.h:2,S"));
        assert_eq!(name("1.a.h:2,").as_deref(), Some("1.a.h:2,S"));
        assert_eq!(name("1.a.h:2,FT").as_deref(), Some("1.a.h:2,FST"));
        assert_eq!(name("1.a.h:2,Fab,x").as_deref(), Some("1.a.h:2,FSab,x"));
        assert_eq!(name("1.a.h:2,RS"), None);
        assert_eq!(name("1.a.h:1,x"), None);
    }

    #[test]
    fn p049_two_names_have_two_ids() {
        let long = |last: u8| [&[b'x'; 200][..], &[last]].concat();
        let (one, two) = (unique_id(&long(1)), unique_id(&long(2)));
        assert_ne!(one, two);
        assert!(one.len() == 70 && pop3_proto::unique_id::is_valid(one.as_bytes()));
        assert_eq!(
            unique_id(b"1700000000.M5P3Q1.host,S=3"),
            "1700000000.M5P3Q1.host,S=3"
        );
        assert_ne!(unique_id(one.as_bytes()), one);
    }

    #[test]
    fn what_is_unfinished_is_no_message() {
        let file = |name: &str| may_be_message(Layout::Directory, &[], name.as_bytes());
        assert!(file("a") && file("a.eml") && file("1:2,S") && file("#a"));
        for name in [".a", "a~", "#a#", "a.eml.part", "a.tmp", "A.TMP", "."] {
            assert!(!file(name), "{name}");
        }
        assert!(!may_be_message(Layout::Maildir, &[], b":2,S"));
    }

    #[test]
    fn w063_suffixes_compare_without_case() {
        let ends = [".eml", ".Grüße"].map(str::to_owned);
        let file = |name: &str| may_be_message(Layout::Directory, &ends, name.as_bytes());
        for name in ["a.eml", "a.EML", "a.Eml", ".EML.eml", "x.GRÜSSE", "x.grüße"] {
            assert_eq!(
                file(name),
                !name.starts_with('.') && !name.contains("SS"),
                "{name}"
            );
        }
        assert!(file("x.GRÜßE") && !file("a.txt") && !file("eml") && !file("a.eml.PART"));
    }
}
