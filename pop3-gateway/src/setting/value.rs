//! How single values are read: words, numbers, spans of time, sizes, addresses.
//!
//! Everything that could be meant in two ways is refused: a time or a size without its unit, `M` for
//! months or minutes, `KB` for 1000 or 1024.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use time::{Date as Day, Month};
use toml::de::DeValue;

use crate::systemd;

/// Longer spans are typing mistakes, and would overflow clocks.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Before the name of a file that the service manager gives to this process.
const CREDENTIAL: &str = "credential:";

/// What is wrong with a value, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadValue {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl BadValue {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// A value that can stand after a key.
pub(crate) trait Value: Sized {
    /// Relative paths start at the folder `base`.
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue>;

    /// As `check` shows it.
    fn show(&self) -> Json;
}

impl Value for bool {
    fn read(value: &DeValue<'_>, _: &Path) -> Result<Self, BadValue> {
        value
            .as_bool()
            .ok_or_else(|| expected(value, "true or false, without quotes"))
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

impl Value for u32 {
    fn read(value: &DeValue<'_>, _: &Path) -> Result<Self, BadValue> {
        let Some(integer) = value.as_integer() else {
            return Err(expected(value, "a whole number, without quotes"));
        };
        Self::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| {
            BadValue::new(
                format!("{integer} is out of range"),
                format!("write 0 to {}", Self::MAX),
            )
        })
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

impl Value for String {
    fn read(value: &DeValue<'_>, _: &Path) -> Result<Self, BadValue> {
        value
            .as_str()
            .map(Self::from)
            .ok_or_else(|| expected(value, "a text in quotes"))
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

impl Value for Duration {
    fn read(value: &DeValue<'_>, _: &Path) -> Result<Self, BadValue> {
        match value.as_str() {
            Some(text) => parse_duration(text),
            None => Err(expected(
                value,
                "a time with its unit in quotes, such as \"10m\"",
            )),
        }
    }

    fn show(&self) -> Json {
        json!(self.as_secs_f64())
    }
}

/// How many of something that is counted in memory.
impl Value for usize {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        u32::read(value, base).map(|count| Self::try_from(count).unwrap_or(Self::MAX))
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

/// A number of octets.
impl Value for u64 {
    fn read(value: &DeValue<'_>, _: &Path) -> Result<Self, BadValue> {
        match value.as_str() {
            Some(text) => parse_size(text),
            None => Err(expected(
                value,
                "a size with its unit in quotes, such as \"256 KiB\"",
            )),
        }
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

/// A file or a folder.
impl Value for PathBuf {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let path = String::read(value, base)?;
        if let Some(name) = path.strip_prefix(CREDENTIAL) {
            return systemd::credential(name).map_err(|why| {
                let remedy =
                    "write credential:NAME for a file of LoadCredential=NAME:FILE in the unit";
                BadValue::new(format!("{path:?}: {why}"), remedy)
            });
        }
        if path.is_empty() {
            return Err(BadValue::new("the path is empty", "name a file or folder"));
        }
        Ok(base.join(path))
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

/// A value that may be left out.
impl<T: Value> Value for Option<T> {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        T::read(value, base).map(Some)
    }

    fn show(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::show)
    }
}

/// A day, or a moment, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date(pub(crate) i64);

impl Value for Date {
    fn read(value: &DeValue<'_>, _: &Path) -> Result<Self, BadValue> {
        let DeValue::Datetime(datetime) = value else {
            return Err(expected(value, "a date without quotes, such as 2026-11-20"));
        };
        let Some(date) = datetime.date else {
            return Err(BadValue::new(
                "there is no day in it",
                "write for example 2026-11-20",
            ));
        };
        let time = datetime.time.map_or(0, |time| {
            i64::from(time.hour) * 3600
                + i64::from(time.minute) * 60
                + i64::from(time.second.unwrap_or(0))
        });
        let minutes = match datetime.offset {
            Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes),
            Some(toml::value::Offset::Z) | None => 0,
        };
        let month = Month::try_from(date.month);
        let day =
            month.and_then(|month| Day::from_calendar_date(date.year.into(), month, date.day));
        let day =
            day.map_err(|_| BadValue::new("there is no such day", "write for example 2026-11-20"))?;
        let midnight = day.midnight().assume_utc().unix_timestamp();
        Ok(Self(midnight + time - minutes * 60))
    }

    fn show(&self) -> Json {
        json!(self.0)
    }
}

impl Value for SocketAddr {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        text.parse().map_err(|_| {
            BadValue::new(
                format!("{text:?} is not an IP address with a port"),
                "write for example \"127.0.0.1:1110\", \"[::1]:1110\", or \"0.0.0.0:110\" and \
                 \"[::]:110\" for all interfaces",
            )
        })
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

/// A network, or a single address. Bits of a host in a network are a mistake in one of the two.
impl Value for IpNet {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        let single = text.parse::<IpAddr>().map(Self::from);
        let network = single.or_else(|_| text.parse::<Self>()).map_err(|_| {
            BadValue::new(
                format!("{text:?} is not a network"),
                "write for example \"192.0.2.0/24\", \"2001:db8::/32\" or \"127.0.0.1\"",
            )
        })?;
        if network.addr() != network.network() {
            let what = format!("{text:?} names a host and a network");
            let remedy = format!("write \"{}\" or \"{}\"", network.trunc(), network.addr());
            return Err(BadValue::new(what, remedy));
        }
        Ok(network)
    }

    fn show(&self) -> Json {
        json!(self.to_string())
    }
}

/// A list, or a single value in its place.
impl<T: Value> Value for Vec<T> {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        match value.as_array() {
            Some(items) => items
                .iter()
                .map(|item| T::read(item.get_ref(), base))
                .collect(),
            None => T::read(value, base).map(|single| vec![single]),
        }
    }

    fn show(&self) -> Json {
        self.iter().map(T::show).collect()
    }
}

/// A value out of a fixed set of words.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// Every word with its meaning.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for it.
    fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, meaning)| *meaning == self);
        found.map_or("", |(word, _)| word)
    }

    /// Finds the meaning of a word.
    fn find(text: &str) -> Result<Self, BadValue> {
        Self::WORDS
            .iter()
            .find(|(word, _)| *word == text)
            .map_or_else(
                || Err(not_known(text, Self::WORDS.iter().map(|(word, _)| *word))),
                |(_, meaning)| Ok(*meaning),
            )
    }
}

impl<T: Word> Value for T {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        Self::find(&String::read(value, base)?)
    }

    fn show(&self) -> Json {
        json!(self.word())
    }
}

/// A word that is none of these.
pub(crate) fn not_known<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> BadValue {
    BadValue::new(format!("{text:?} is not known here"), one_of(words))
}

/// `write "a", "b" or "c"`
fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = words.map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("write {} or {last}", rest.join(", ")),
        Some((only, _)) => format!("write {only}"),
        None => String::new(),
    }
}

/// Reads a span of time such as `10m` or `1h 30m`.
fn parse_duration(text: &str) -> Result<Duration, BadValue> {
    const UNITS: &[&str] = &[
        "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes",
        "h", "hr", "hrs", "hour", "hours", "d", "day", "days",
    ];
    let bad = || {
        BadValue::new(
            format!("{text:?} is not a time"),
            "write a number and its unit (ms, s, m, h or d), such as \"90s\", \"10m\" or \"1h 30m\"",
        )
    };
    let mut units = text
        .split(|c: char| !c.is_alphabetic())
        .filter(|unit| !unit.is_empty());
    let exact = text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
    if !exact || units.any(|unit| !UNITS.contains(&unit)) {
        return Err(bad());
    }
    let span = humantime::parse_duration(text).map_err(|_| bad())?;
    if span > LONGEST {
        return Err(BadValue::new(
            format!("{text:?} is longer than a year"),
            "write less",
        ));
    }
    Ok(span)
}

/// Reads a number of octets such as `256 KiB`.
fn parse_size(text: &str) -> Result<u64, BadValue> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start_matches(' ') {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        other => {
            let meant = match other.bytes().next().map(|b| b.to_ascii_uppercase()) {
                Some(b'K') => "KiB",
                Some(b'M') => "MiB",
                Some(b'G') => "GiB",
                _ => "B",
            };
            let number = if number.is_empty() { "256" } else { number };
            return Err(BadValue::new(
                format!("{text:?} is not a size"),
                format!(
                    "write a number and its unit (B, KiB, MiB or GiB), such as \"{number} {meant}\""
                ),
            ));
        }
    };
    let too_large = || BadValue::new(format!("{text:?} is too large"), "write less");
    let number: u64 = number.parse().map_err(|_| match number {
        "" => BadValue::new(
            format!("{text:?} has no number"),
            "write for example \"256 KiB\"",
        ),
        _ => too_large(),
    })?;
    number.checked_mul(1 << shift).ok_or_else(too_large)
}

/// `"3" where ... is expected`
pub(crate) fn expected(value: &DeValue<'_>, what: &str) -> BadValue {
    BadValue::new(format!("this is {}", kind(value)), format!("write {what}"))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn times_need_their_unit() {
        let seconds = |text| parse_duration(text).map(|span| span.as_secs()).ok();
        assert_eq!(seconds("10m"), Some(600));
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("1h 30m"), Some(5400));
        assert_eq!(seconds("2 days"), Some(172_800));
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        for bad in [
            "",
            "10",
            "m",
            "10 M",
            "10M",
            "1y",
            "1 month",
            "-1s",
            "1.5h",
            "10m junk",
            "ten m",
            "400d",
            "99999999999999999999s",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let days = |text: &str| {
            let value = DeValue::parse(text).unwrap();
            Date::read(value.get_ref(), Path::new(""))
                .map(|date| date.0 / 86_400)
                .ok()
        };
        assert_eq!(days("1970-01-01"), Some(0));
        assert_eq!(days("2000-02-29"), Some(11_016));
        assert_eq!(days("2000-03-01"), Some(11_017));
        assert_eq!(days("2026-11-20"), Some(20_777));
        assert_eq!(days("1969-12-31"), Some(-1));
    }

    #[test]
    fn networks_have_no_bits_of_hosts() {
        let read = |text: &str| {
            let value = DeValue::String(text.into());
            IpNet::read(&value, Path::new("")).map(|network| network.to_string())
        };
        for (text, network) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.7", "10.0.0.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(read(text).unwrap(), network);
        }
        for bad in [
            "",
            "10/8",
            "10.0.0.0/33",
            "balancer",
            "10.0.0.0-10.0.0.9",
            "*",
        ] {
            assert!(read(bad).is_err(), "{bad:?} was accepted");
        }
        let host = read("10.0.0.7/8").unwrap_err();
        assert_eq!(host.remedy, "write \"10.0.0.0/8\" or \"10.0.0.7\"");
    }

    #[test]
    fn sizes_need_their_unit() {
        assert_eq!(parse_size("0 B"), Ok(0));
        assert_eq!(parse_size("256 KiB"), Ok(262_144));
        assert_eq!(parse_size("256KiB"), Ok(262_144));
        assert_eq!(parse_size("2 MiB"), Ok(2 << 20));
        assert_eq!(parse_size("1 GiB"), Ok(1 << 30));
        for bad in [
            "",
            "256",
            "256K",
            "256 KB",
            "256 kB",
            "1.5 MiB",
            "-1 KiB",
            "KiB",
            "1 KiB ",
            "1\tKiB",
            "9999999999999 GiB",
            "99999999999999999999999 B",
        ] {
            assert!(parse_size(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(
            parse_size("64 kb")
                .unwrap_err()
                .remedy
                .contains("\"64 KiB\"")
        );
    }
}
