//! The ids of requirements: `P001`, `cT021`, `F04`, `qC12`, and where they stand in names and texts.

use std::fmt;

/// An id; ordered as people count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    letter: char,
    sub: Option<char>,
    number: u16,
    client: bool,
    digits: u8,
}

impl Id {
    /// Reads `P001`, `cT021`, `F04`, `qC12`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (client, rest) = match text.strip_prefix('c') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let letter = rest.chars().next()?;
        let rest = &rest[letter.len_utf8()..];
        let (sub, number) = match (letter, rest.chars().next()?) {
            ('q', sub @ 'A'..='H') => (Some(sub), &rest[1..]),
            _ => (None, rest),
        };
        let wanted = match letter {
            'P' | 'X' | 'T' | 'S' | 'C' | 'M' | 'O' | 'U' | 'I' | 'W' => 3..=3,
            'F' | 'G' | 'V' => 2..=2,
            'q' if sub.is_some() => 1..=2,
            _ => return None,
        };
        let all_digits = number.bytes().all(|byte| byte.is_ascii_digit());
        (all_digits && wanted.contains(&number.len())).then_some(())?;
        Some(Self {
            letter,
            sub,
            number: number.parse().ok()?,
            client,
            digits: if letter == 'q' { 1 } else { number.len() as u8 },
        })
    }

    /// Reads a word of a function's name: `p001`, `ct021`, `qc12`.
    fn parse_lower(word: &str) -> Option<Self> {
        let upper = word.to_ascii_uppercase();
        let with_prefix = |prefix: &str| Self::parse(&format!("{prefix}{}", upper.get(1..)?));
        match word.as_bytes() {
            [b'q', b'a'..=b'h', ..] => with_prefix("q"),
            [b'c', letter, ..] if letter.is_ascii_lowercase() => with_prefix("c"),
            _ => Self::parse(&upper),
        }
    }

    /// The ids from this one to another of the same kind.
    fn up_to(self, last: Self) -> impl Iterator<Item = Self> {
        (self.number..=last.number).map(move |number| Self { number, ..self })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = if self.client { "c" } else { "" };
        write!(f, "{client}{}", self.letter)?;
        if let Some(sub) = self.sub {
            write!(f, "{sub}")?;
        }
        write!(f, "{:0width$}", self.number, width = self.digits.into())
    }
}

/// The ids in a function's name, `p023_to_p029_stat` with all between.
pub(crate) fn in_name(name: &str) -> Vec<Id> {
    with_ranges(name.split('_'), "to", Id::parse_lower)
}

/// The ids in a text, `P023 to P029` with all between.
pub(crate) fn in_text(text: &str) -> Vec<Id> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    with_ranges(words.filter(|word| !word.is_empty()), "to", Id::parse)
}

fn with_ranges<'a>(
    words: impl Iterator<Item = &'a str>,
    to: &str,
    read: impl Fn(&str) -> Option<Id>,
) -> Vec<Id> {
    let mut ids = Vec::new();
    let (mut previous, mut first) = (None::<Id>, None::<Id>);
    for word in words {
        let id = read(word);
        match (first, id) {
            (Some(first), Some(last)) => ids.extend(first.up_to(last).skip(1)),
            (None, Some(id)) => ids.push(id),
            (_, None) => {}
        }
        first = previous.filter(|_| word == to);
        previous = id;
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ids: Vec<Id>) -> String {
        let shown: Vec<String> = ids.iter().map(Id::to_string).collect();
        shown.join(" ")
    }

    #[test]
    fn names_and_ranges() {
        for (name, ids) in [
            ("p001_keywords", "P001"),
            ("p023_to_p026_stat", "P023 P024 P025 P026"),
            ("ct024_g01_f04_qc12_v30", "cT024 G01 F04 qC12 V30"),
            ("x001_to_the_end_p002", "X001 P002"),
            ("a_cat_to_p5_q1_g001_s3", ""),
            ("crammed_c001", "C001"),
        ] {
            assert_eq!(shown(in_name(name)), ids, "{name}");
        }
    }

    #[test]
    fn texts() {
        let text = "P037: whatever (qB3), V11/V12; UTF8, I003 to I005, p001, RFC 1939, IPv4, F045";
        assert_eq!(shown(in_text(text)), "P037 qB3 V11 V12 I003 I004 I005");
    }

    #[test]
    fn as_people_count() {
        let id = |text| Id::parse(text);
        assert!(id("qA2") < id("qA10") && id("qA10") < id("qB1"));
        assert!(id("T020") < id("cT021"));
        assert_eq!(
            id("cT021").map(|id| id.to_string()).as_deref(),
            Some("cT021")
        );
    }
}
