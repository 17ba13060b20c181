//! Dates as mails have them (RFC 5322 section 3.3, its obsolete forms, ISO 8601, what C's `ctime` writes).
//! It owns reading them. A date that can be read in two ways, or in none, is not read.

use time::Month;

/// A date as RFC 3339 has it; `-00:00` where the zone is not known.
pub(super) fn rfc3339(field: &str) -> Option<String> {
    let field = without_comments(field.trim());
    if field.len() > 200 {
        return None;
    }
    let mut date = Date::default();
    if let Some((year, rest)) = iso(&field) {
        let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
        let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
        (date.year, date.month, date.day) = (Some(year), Some(month), Some(day));
        let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest);
        date.words(rest)?;
    } else {
        date.words(&field)?;
    }
    date.show()
}

#[derive(Default)]
struct Date {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    time: Option<[u32; 3]>,
    afternoon: Option<bool>,
    /// Minutes east of Greenwich.
    zone: Option<i32>,
}

impl Date {
    fn words(&mut self, text: &str) -> Option<()> {
        for word in text.split(|c: char| c.is_whitespace() || c == ',') {
            if !word.is_empty() {
                self.word(word)?;
            }
        }
        Some(())
    }

    /// Any word of a date. None is left out: it could mean something.
    fn word(&mut self, word: &str) -> Option<()> {
        if let Some(minutes) = offset(word) {
            // `GMT +0200`
            self.zone = Some(minutes);
            return Some(());
        }
        let first = word.bytes().next()?;
        if first.is_ascii_digit() {
            return self.number(word);
        }
        let lower = word.to_ascii_lowercase();
        if let Some(month) = month(&lower) {
            return set(&mut self.month, month);
        }
        if weekday(&lower) {
            return Some(());
        }
        match lower.as_str() {
            "am" | "a.m." => return set(&mut self.afternoon, false),
            "pm" | "p.m." => return set(&mut self.afternoon, true),
            "at" | "-" => return Some(()),
            _ => {}
        }
        if let Some(rest) = ["gmt", "utc", "ut"]
            .iter()
            .find_map(|zone| lower.strip_prefix(zone))
            && !rest.is_empty()
        {
            self.zone = Some(offset(rest)?);
            return Some(());
        }
        let minutes = zone(&lower)?;
        // a number is more reliable
        self.zone.get_or_insert(minutes);
        Some(())
    }

    fn number(&mut self, word: &str) -> Option<()> {
        if word.contains([':', '.']) {
            return self.clock(word);
        }
        if word.contains('-') {
            // `2-Mar-2026`
            return word.split('-').try_for_each(|word| self.word(word));
        }
        let ordinal = ["st", "nd", "rd", "th"];
        let bare = ordinal.iter().find_map(|end| word.strip_suffix(end));
        let bare = bare.unwrap_or(word);
        let (number, rest) = digits(bare, bare.len())?;
        if !rest.is_empty() {
            return None;
        }
        match (bare.len(), self.day) {
            (1 | 2, None) => set(&mut self.day, number),
            // RFC 5322 section 4.3
            (2, Some(_)) if number < 50 => set(&mut self.year, 2000 + number),
            (2 | 3, Some(_)) => set(&mut self.year, 1900 + number),
            (4, _) => set(&mut self.year, number),
            _ => None,
        }
    }

    /// `10:00`, `10:00:00.5`, `10.00.00`, `10:00Z`, `10:00:00+01:00`, `10:00pm`
    fn clock(&mut self, word: &str) -> Option<()> {
        let (hour, rest) = digits(word, 2)?;
        let separator = rest.chars().next().filter(|c| matches!(c, ':' | '.'))?;
        let (minute, rest) = digits(&rest[1..], 2)?;
        let (second, rest) = match rest.strip_prefix(separator) {
            Some(rest) => digits(rest, 2)?,
            None => (0, rest),
        };
        let rest = match rest.strip_prefix(['.', ',']) {
            Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => rest,
        };
        set(&mut self.time, [hour, minute, second])?;
        if rest.is_empty() {
            return Some(());
        }
        self.word(rest)
    }

    fn show(&self) -> Option<String> {
        let (year, month, day) = (self.year?, self.month?, self.day?);
        let [hour, minute, second] = self.time?;
        let hour = match (self.afternoon, hour) {
            (None, hour) => hour,
            (Some(_), 0 | 13..) => return None,
            (Some(false), 12) => 0,
            (Some(true), 12) => 12,
            (Some(false), hour) => hour,
            (Some(true), hour) => hour + 12,
        };
        let last = Month::try_from(u8::try_from(month).ok()?)
            .ok()?
            .length(i32::try_from(year).ok()?);
        let there = (1970..=9999).contains(&year)
            && (1..=u32::from(last)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        let zone = match self.zone {
            None => "-00:00".into(),
            Some(0) => "Z".into(),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.abs();
                format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        };
        there.then(|| {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")
        })
    }
}

/// Nothing may occur twice.
fn set<T: Copy>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// A year and a hyphen at the beginning.
fn iso(text: &str) -> Option<(u32, &str)> {
    let (year, rest) = digits(text, 4)?;
    let four = text.len() - rest.len() == 4;
    let numeric = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    (four && rest.starts_with('-') && numeric).then_some((year, rest))
}

/// One to `most` digits.
fn digits(text: &str, most: usize) -> Option<(u32, &str)> {
    let length = text
        .bytes()
        .take(most.min(9))
        .take_while(u8::is_ascii_digit)
        .count();
    Some((text[..length].parse().ok()?, &text[length..]))
}

fn month(lower: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let position = NAMES.iter().position(|name| abbreviates(lower, name))?;
    u32::try_from(position + 1).ok()
}

fn weekday(lower: &str) -> bool {
    const NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    NAMES.iter().any(|name| abbreviates(lower, name))
}

fn abbreviates(word: &str, name: &str) -> bool {
    let word = word.trim_end_matches('.');
    word.len() >= 3 && name.starts_with(word)
}

/// `+0100`, `+01:00`, `+1`; in minutes.
fn offset(word: &str) -> Option<i32> {
    let (sign, rest) = match word.as_bytes().first()? {
        b'+' => (1, &word[1..]),
        b'-' => (-1, &word[1..]),
        _ => return None,
    };
    let (hours, minutes) = match (rest.len(), rest.split_once(':')) {
        (_, Some((hours, minutes))) => (hours, minutes),
        (3 | 4, None) if rest.is_ascii() => rest.split_at(rest.len() - 2),
        (1 | 2, None) => (rest, "0"),
        _ => return None,
    };
    let number = |text: &str| match digits(text, 2) {
        Some((number, "")) => i32::try_from(number).ok(),
        Some(_) | None => None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 15 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// The zones of RFC 5322 and those that mean one thing only; in minutes.
fn zone(lower: &str) -> Option<i32> {
    let hours = match lower {
        "z" | "gmt" | "ut" | "utc" | "wet" => 0,
        "est" => -5,
        "edt" => -4,
        "cdt" => -5,
        "mst" | "pdt" => -7,
        "cst" | "mdt" => -6,
        "pst" => -8,
        "cet" | "met" | "mez" | "west" => 1,
        "cest" | "mest" | "mesz" | "eet" => 2,
        "eest" | "msk" => 3,
        "jst" | "kst" => 9,
        "aest" => 10,
        "aedt" => 11,
        "nzst" => 12,
        "nzdt" => 13,
        _ => return None,
    };
    Some(hours * 60)
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => {
                depth += 1;
                kept.push(' ');
            }
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn w077_dates_in_other_forms() {
        let table = [
            (
                "Mon, 02 Mar 2026 10:00:00 +0100",
                "2026-03-02T10:00:00+01:00",
            ),
            (
                "Mon, 2 Mar 2026 10:00:00 +0100 (CET)",
                "2026-03-02T10:00:00+01:00",
            ),
            ("2 Mar 2026 10:00 GMT", "2026-03-02T10:00:00Z"),
            ("2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z"),
            ("2026-03-02T10:00:00.123+02:00", "2026-03-02T10:00:00+02:00"),
            ("2026-03-02 10:00:00 -0500", "2026-03-02T10:00:00-05:00"),
            ("2 Mar 26 10:00 EST", "2026-03-02T10:00:00-05:00"),
            ("2 Mar 99 10:00 EST", "1999-03-02T10:00:00-05:00"),
            ("2 Mar 126 10:00 EST", "2026-03-02T10:00:00-05:00"),
            (
                "Monday, 2 March 2026 10:00:00 +0100",
                "2026-03-02T10:00:00+01:00",
            ),
            ("Mon Mar  2 10:00:00 2026", "2026-03-02T10:00:00-00:00"),
            ("Mon Mar  2 10:00:00 CET 2026", "2026-03-02T10:00:00+01:00"),
            (
                "Mon, 02 Mar 2026 10.00.00 +0100",
                "2026-03-02T10:00:00+01:00",
            ),
            (
                "Mon, 02 Mar 2026 10:00:00 GMT+0200",
                "2026-03-02T10:00:00+02:00",
            ),
            (
                "Mon, 02 Mar 2026 10:00:00 GMT +0200",
                "2026-03-02T10:00:00+02:00",
            ),
            (
                "Mon, 02 Mar 2026 10:00:00 UTC-05:00",
                "2026-03-02T10:00:00-05:00",
            ),
            (
                "Mon, 02 Mar 2026 10:00:00 +0200 CEST",
                "2026-03-02T10:00:00+02:00",
            ),
            (
                "Mon, 2-Mar-2026 10:00:00 +0100",
                "2026-03-02T10:00:00+01:00",
            ),
            ("Mon,02 Mar 2026 10:00:00+0100", "2026-03-02T10:00:00+01:00"),
            (
                "March 2, 2026 10:00:00 PM +0100",
                "2026-03-02T22:00:00+01:00",
            ),
            (
                "March 2nd, 2026 at 12:05am EST",
                "2026-03-02T00:05:00-05:00",
            ),
            ("Mon, 02 Mar 2026 10:00:00", "2026-03-02T10:00:00-00:00"),
            (
                "(x) Mon, 29 Feb 2028 23:59:60 -0330",
                "2028-02-29T23:59:60-03:30",
            ),
        ];
        for (field, expected) in table {
            assert_eq!(rfc3339(field).as_deref(), Some(expected), "{field}");
        }
    }

    #[test]
    fn w077_what_can_be_read_in_two_ways_is_not_read() {
        for field in [
            "02/03/2026 10:00:00",
            "yesterday",
            "",
            "Mon, 31 Feb 2026 10:00:00 +0100",
            "Mon, 02 Mar 2026 25:00:00 +0100",
            "Mon, 02 Mar 2026",
            "Mon, 02 Mar 2026 10:00:00 XYZ",
            "Mon, 02 Mar 1869 10:00:00 +0100",
            "Montag, 2. März 2026 10:00",
            "Mon, 02 Mar 2026 10:00:00 +9900",
            "2 2 2 2 2 2 2",
            "Mon, 02 Mar 2026 13:00:00 PM",
            "2026-",
            "2026-03-0",
            "🎄-🎄",
            "1é:00",
            "+é:1",
        ] {
            assert_eq!(rfc3339(field), None, "{field}");
        }
    }
}
