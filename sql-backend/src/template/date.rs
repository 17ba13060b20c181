//! Reads dates from any kind of column, and writes them into a header field. Everything is in UTC.

use std::str::FromStr;

use crate::value::{Cell, seconds_of};

/// From the year 1 to the end of the year 9999.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Julian day numbers, as SQLite's `julianday()` returns them: of the years 1 to 9999, and of 1970-01-01.
const JULIAN: std::ops::RangeInclusive<f64> = 1_721_425.5..=5_373_484.5;
const JULIAN_1970: f64 = 2_440_587.5;

/// Seconds since 1970, if the value is a date.
pub(super) fn moment(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Moment(seconds) => Some(*seconds),
        Cell::Int(number) => Some(seconds_in(*number)),
        Cell::Text(text) => from_text(text.trim()),
        Cell::Null | Cell::Bytes(_) | Cell::Unreadable(_) => None,
    }
    .filter(|seconds| RANGE.contains(seconds))
}

/// The seconds of a number that counts seconds, milliseconds, microseconds or nanoseconds; its size decides
/// which. Each covers at least 1973 to 5138, and only seconds go further back.
fn seconds_in(number: i64) -> i64 {
    match number.unsigned_abs() {
        0..100_000_000_000 => number,
        100_000_000_000..100_000_000_000_000 => number.div_euclid(1_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.div_euclid(1_000_000),
        100_000_000_000_000_000.. => number.div_euclid(1_000_000_000),
    }
}

/// A number with a point or an exponent in it.
fn from_fraction(text: &str) -> Option<i64> {
    let number = |octet: u8| octet.is_ascii_digit() || b"+-.eE".contains(&octet);
    let value: f64 = Some(text).filter(|t| t.bytes().all(number))?.parse().ok()?;
    let whole = if JULIAN.contains(&value) && value.fract() != 0.0 {
        // to the second: a day number in 64 bits is not exact to more
        return Some(((value - JULIAN_1970) * 86_400.0).round() as i64);
    } else {
        value.floor()
    };
    // a float beyond that is not a date; the cast saturates
    whole.is_finite().then(|| seconds_in(whole as i64))
}

/// `2026-11-20`, `2026-11-20 08:30`, `2026-11-20T08:30:00.123+02:00`, as a mail has it
/// (`Fri, 20 Nov 2026 08:30:00 +0100`), or a number as [`seconds_in`] takes it.
fn from_text(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(seconds_in(number));
    }
    from_fraction(text)
        .or_else(|| from_calendar(text))
        .or_else(|| from_mail(text))
}

/// RFC 5322's own form, day of the week or not.
fn from_mail(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let day: u8 = number(words.next()?, 2)?;
    let month = words.next()?.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let year: i32 = number(words.next()?, 4)?;
    let time = words.next().unwrap_or_default();
    let zone = words.next().unwrap_or_default();
    from_calendar(&format!("{year:04}-{month:02}-{day:02} {time} {zone}"))
}

fn from_calendar(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, ""),
    };
    let mut parts = date.splitn(3, ['-', '/']);
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 4)?;
    let day = number(parts.next()?, 4).filter(|day| (1..=31).contains(day))?;
    let (time, offset) = split_offset(time)?;
    let mut parts = time.splitn(3, ':');
    let mut part = || match parts.next() {
        None | Some("") => Some(0),
        // fractions of a second are dropped
        Some(part) => number(part.split(['.', ',']).next()?, 2),
    };
    let (hour, minute, second) = (part()?, part()?, part()?);
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let second = hour * 3600 + minute * 60 + second;
    Some(seconds_of(year, month, day, second)? - offset)
}

/// The time without its offset, and the offset in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    let upper = time.to_ascii_uppercase();
    for zone in ["Z", "UTC", "GMT"] {
        if upper.ends_with(zone) {
            let time = time.get(..time.len() - zone.len())?;
            return Some((time.trim_end(), 0));
        }
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (time, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let hours: i64 = number(digits.get(..2)?, 2)?;
    let minutes = match digits.get(2..) {
        None | Some("") => 0,
        Some(minutes) => number(minutes, 2)?,
    };
    Some((time.trim(), sign * (hours * 3600 + minutes * 60)))
}

fn number<T: FromStr>(text: &str, digits: usize) -> Option<T> {
    let clean = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| clean)
}
