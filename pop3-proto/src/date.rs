//! Dates as mails have them (RFC 5322 section 3.3), for stores that make mails of something else.
//!
//! Owns the calendar. Knows no clock and no time zone but UTC.

use alloc::format;
use alloc::string::String;

/// From the year 1 to the end of the year 9999, which is all that a mail can say.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A moment, in seconds since 1970, as a `Date` field says it, in UTC. Moments before the year 1 and after the
/// year 9999 become the first and the last that can be said.
///
/// # Examples
///
/// ```
/// assert_eq!(pop3_proto::date::rfc5322(0), "Thu, 01 Jan 1970 00:00:00 +0000");
/// ```
pub fn rfc5322(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = seconds.clamp(FIRST, LAST);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    // both are remainders, and smaller than the table
    let weekday = DAYS[days.rem_euclid(7) as usize % 7];
    let month = MONTHS[(month as usize + 11) % 12];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month and day of a day since 1970.
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
