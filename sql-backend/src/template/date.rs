//! Dates out of whatever a column holds, and into a header field. UTC throughout.

use crate::database::{Cell, seconds_of};

/// From the year 1 to the end of the year 9999.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Seconds since 1970, if the value is a date.
pub(super) fn moment(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(seconds) | Cell::Moment(seconds) => Some(*seconds),
        Cell::Text(text) => from_text(text.trim()),
        Cell::Null | Cell::Bytes(_) => None,
    }
    .filter(|seconds| RANGE.contains(seconds))
}

/// As RFC 5322 writes it.
pub(super) fn rfc5322(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    // both are remainders, and smaller than the table
    let weekday = DAYS[days.rem_euclid(7) as usize % 7];
    let month = MONTHS[(month as usize + 11) % 12];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month and day of a day since 1970: the reverse of [`seconds_of`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// `2026-11-20`, `2026-11-20 08:30`, `2026-11-20T08:30:00.123+02:00`, or a number of seconds.
fn from_text(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, ""),
    };
    let mut parts = date.splitn(3, '-').map(|part| number(part, 4));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
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
    Some(seconds_of(year, month as u32, day as u32, second) - offset)
}

/// The time without its offset, and the offset in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (time, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let hours = number(digits.get(..2)?, 2)?;
    let minutes = match digits.get(2..) {
        None | Some("") => 0,
        Some(minutes) => number(minutes, 2)?,
    };
    Some((time.trim(), sign * (hours * 3600 + minutes * 60)))
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let clean = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| clean)
}
