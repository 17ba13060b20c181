//! Dates as mails have them (RFC 5322 section 3.3), for stores that make mails of something else.
//!
//! Knows no clock and no time zone but UTC.

use alloc::format;
use alloc::string::String;

use time::OffsetDateTime;

/// From the year 1 to the end of the year 9999: the form has no others.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A moment, in seconds since 1970, in the form of a `Date` field, in UTC. Moments before the year 1 and after
/// the year 9999 become the first and the last that the form allows.
///
/// # Examples
///
/// ```
/// assert_eq!(pop3_proto::date::rfc5322(0), "Thu, 01 Jan 1970 00:00:00 +0000");
/// ```
pub fn rfc5322(seconds: i64) -> String {
    // never refused: it is within the range
    let moment = OffsetDateTime::from_unix_timestamp(seconds.clamp(FIRST, LAST));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (weekday, day, month) = (moment.weekday(), moment.day(), moment.month());
    let (hour, minute, second) = moment.to_hms();
    let year = moment.year();
    format!("{weekday:.3}, {day:02} {month:.3} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_792_313_400, "Sun, 18 Oct 2026 08:50:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
            (i64::MIN, "Mon, 01 Jan 0001 00:00:00 +0000"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            assert_eq!(rfc5322(seconds), date);
        }
    }
}
