//! What is measured, what the goals are, and whether they are met.
//!
//! The goals are ratios of medians within one run, because absolute figures change from machine to
//! machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::servers::Who;

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    CpuPerMb,
    CpuPerMbTls,
    Throughput,
    FirstOctet,
    Memory,
    MemoryGiant,
    OneByOne,
    OneByOneFar,
    Pipelined,
    HugeCold,
    HugeWarm,
    ThousandFar,
    LoginFar,
    Logins,
    LoginsRelayed,
    CpuPerLogin,
    Polls,
    PollFar,
    PollIdling,
    Idle,
    IdleTls,
    Before,
    Top,
    Tops,
    TopsFar,
    TopLinesFar,
}

/// What a figure is; the samples are in seconds, in KiB, or something per second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Duration,
    Memory,
    MbPerSecond,
    PerSecond,
}

/// What the gateway's figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64, Who),
    AtLeast(f64, Who),
    /// Without anything to compare with.
    Below(f64),
    Above(f64),
}

use Goal::{Above, AtLeast, AtMost, Below};
use Who::{Bare, Imapc, Native, Relay};

impl Row {
    pub(crate) const ALL: [Self; 26] = [
        Self::CpuPerMb,
        Self::CpuPerMbTls,
        Self::Throughput,
        Self::FirstOctet,
        Self::Memory,
        Self::MemoryGiant,
        Self::OneByOne,
        Self::OneByOneFar,
        Self::Pipelined,
        Self::HugeCold,
        Self::HugeWarm,
        Self::ThousandFar,
        Self::LoginFar,
        Self::Logins,
        Self::LoginsRelayed,
        Self::CpuPerLogin,
        Self::Polls,
        Self::PollFar,
        Self::PollIdling,
        Self::Idle,
        Self::IdleTls,
        Self::Before,
        Self::Top,
        Self::Tops,
        Self::TopsFar,
        Self::TopLinesFar,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::CpuPerMb => "RETR of 25 MiB: proxy CPU per MB",
            Self::CpuPerMbTls => "the same, TLS to the client",
            Self::Throughput => "RETR of 25 MiB: MB/s",
            Self::FirstOctet => "time to the first octet of a 25 MiB message",
            Self::Memory => "peak memory added by RETR of 25 MiB",
            Self::MemoryGiant => "the same, 1 GiB",
            Self::OneByOne => "1,000 mails of 4 KiB, RETR one by one, per second",
            Self::OneByOneFar => "the same with 20 ms of round trip before the upstream",
            Self::Pipelined => "the same, pipelined 16 deep, no latency",
            Self::HugeCold => "login + STAT + LIST + UIDL, 100,000 messages",
            Self::HugeWarm => "the same, imapc with its index",
            Self::ThousandFar => "login + STAT + LIST + UIDL, 1,000 messages at 20 ms",
            Self::LoginFar => "login + STAT + QUIT at 20 ms",
            Self::Logins => "logins per second, 10 at a time",
            Self::LoginsRelayed => "the same, the bare client through haproxy",
            Self::CpuPerLogin => "proxy CPU per login",
            Self::Polls => {
                "polls that find nothing (login, STAT, UIDL, QUIT) again and again, per second; bare: logins"
            }
            Self::PollFar => "such a poll at 20 ms",
            Self::PollIdling => "the same, IDLE upstream",
            Self::Idle => "memory per idle logged-in session",
            Self::IdleTls => "the same, TLS to the client",
            Self::Before => "memory per connection before login",
            Self::Top => "TOP n 0 of 25 MiB messages, per second",
            Self::Tops => "1,000 mails of 4 KiB, TOP n 0 one by one, per second",
            Self::TopsFar => "the same with 20 ms of round trip before the upstream",
            Self::TopLinesFar => "the same, TOP n 20",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::CpuPerMb
            | Self::CpuPerMbTls
            | Self::FirstOctet
            | Self::HugeCold
            | Self::HugeWarm
            | Self::ThousandFar
            | Self::LoginFar
            | Self::PollFar
            | Self::PollIdling
            | Self::CpuPerLogin => Unit::Duration,
            Self::Memory | Self::MemoryGiant | Self::Idle | Self::IdleTls | Self::Before => {
                Unit::Memory
            }
            Self::Throughput => Unit::MbPerSecond,
            Self::OneByOne
            | Self::OneByOneFar
            | Self::Pipelined
            | Self::Logins
            | Self::LoginsRelayed
            | Self::Polls
            | Self::Top
            | Self::Tops
            | Self::TopsFar
            | Self::TopLinesFar => Unit::PerSecond,
        }
    }

    pub(crate) fn goals(self) -> &'static [Goal] {
        match self {
            Self::CpuPerMb => &[AtMost(0.2, Imapc), AtMost(1.25, Relay)],
            Self::CpuPerMbTls => &[AtMost(0.25, Imapc), AtMost(1.25, Relay)],
            Self::Throughput => &[AtLeast(1.0, Native)],
            Self::FirstOctet => &[AtMost(1.0 / 30.0, Imapc)],
            Self::Memory | Self::MemoryGiant => &[Below(512.0)],
            Self::OneByOne => &[AtLeast(2.5, Imapc), AtLeast(1.3, Native)],
            Self::OneByOneFar => &[AtLeast(100.0, Imapc)],
            Self::Pipelined => &[AtLeast(3.5, Imapc)],
            Self::HugeCold => &[AtMost(1.0, Native), AtMost(1.0 / 30.0, Imapc)],
            Self::HugeWarm | Self::LoginsRelayed => &[],
            Self::ThousandFar => &[AtMost(1.0, Bare)],
            Self::LoginFar => &[AtMost(0.6, Bare)],
            Self::Logins => &[AtLeast(1.0, Bare)],
            Self::CpuPerLogin => &[AtMost(1.25, Relay)],
            Self::Polls => &[AtLeast(3.0, Bare)],
            Self::PollFar => &[Below(0.025)],
            Self::PollIdling => &[Below(0.001)],
            Self::Idle => &[Below(8.0)],
            Self::IdleTls => &[Below(32.0)],
            Self::Before => &[Below(4.0)],
            Self::Top => &[AtLeast(300.0, Imapc)],
            Self::Tops => &[AtLeast(1.2, Native)],
            Self::TopsFar | Self::TopLinesFar => &[Above(1500.0)],
        }
    }

    pub(crate) fn show(self, value: f64) -> String {
        match self.unit() {
            Unit::Duration if value < 0.000_95 => format!("{} µs", digits(value * 1e6)),
            Unit::Duration if value < 0.95 => format!("{} ms", digits(value * 1e3)),
            Unit::Duration => format!("{} s", digits(value)),
            Unit::Memory if value.abs() < 1000.0 => format!("{} KiB", digits(value)),
            Unit::Memory => format!("{} MiB", digits(value / 1024.0)),
            Unit::MbPerSecond | Unit::PerSecond => digits(value),
        }
    }
}

impl Goal {
    /// Whether the gateway's figure meets it, and the figure in the goal's terms. `None` if the other
    /// side was not measured.
    fn verdict(self, row: Row, ours: f64, samples: &Samples) -> Option<(bool, String)> {
        let times = |who| samples.median(row, who).map(|theirs| ours / theirs);
        match self {
            Self::AtMost(limit, who) => {
                let ratio = times(who)?;
                Some((
                    ratio <= limit,
                    format!("{} × {}", digits(ratio), who.name()),
                ))
            }
            Self::AtLeast(limit, who) => {
                let ratio = times(who)?;
                Some((
                    ratio >= limit,
                    format!("{} × {}", digits(ratio), who.name()),
                ))
            }
            Self::Below(limit) => Some((ours <= limit, row.show(ours))),
            Self::Above(limit) => Some((ours >= limit, row.show(ours))),
        }
    }

    fn show(self, row: Row) -> String {
        let factor = |factor: f64| {
            if factor < 0.5 {
                format!("1/{:.0}", 1.0 / factor)
            } else {
                format!("{factor} ×")
            }
        };
        match self {
            AtMost(limit, who) => format!("≤ {} {}", factor(limit), who.name()),
            AtLeast(limit, who) => format!("≥ {} {}", factor(limit), who.name()),
            Below(limit) => format!("≤ {}", row.show(limit)),
            Above(limit) => format!("≥ {}", row.show(limit)),
        }
    }
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<(Row, Who), Vec<f64>>);

impl Samples {
    pub(crate) fn add(&mut self, row: Row, who: Who, value: f64) {
        self.0.entry((row, who)).or_default().push(value);
    }

    pub(crate) fn median(&self, row: Row, who: Who) -> Option<f64> {
        let mut all = self.0.get(&(row, who))?.clone();
        median(&mut all)
    }

    /// How many goals of this column are met, of how many.
    pub(crate) fn met(&self, who: Who) -> (usize, usize) {
        let verdicts: Vec<bool> = Row::ALL
            .into_iter()
            .filter_map(|row| Some((row, self.median(row, who)?)))
            .flat_map(|(row, ours)| row.goals().iter().map(move |goal| (row, ours, goal)))
            .filter_map(|(row, ours, goal)| goal.verdict(row, ours, self))
            .map(|(met, _)| met)
            .collect();
        (verdicts.iter().filter(|met| **met).count(), verdicts.len())
    }

    /// All of it, as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| workload |");
        for who in Who::ALL {
            text += &format!(" {} |", who.name());
        }
        text += " goal | tokio: | smol: |\n|---|";
        text += &"---|".repeat(Who::ALL.len() + 3);
        text.push('\n');
        for row in Row::ALL {
            if Who::ALL.iter().all(|who| self.median(row, *who).is_none()) {
                continue;
            }
            let _ = write!(text, "| {} |", row.title());
            for who in Who::ALL {
                let value = self.median(row, who).map(|value| row.show(value));
                let _ = write!(text, " {} |", value.as_deref().unwrap_or("-"));
            }
            let goals: Vec<String> = row.goals().iter().map(|goal| goal.show(row)).collect();
            let _ = write!(text, " {} |", goals.join(", "));
            for who in [Who::Tokio, Who::Smol] {
                let _ = write!(text, " {} |", self.verdicts(row, who));
            }
            text.push('\n');
        }
        text
    }

    fn verdicts(&self, row: Row, who: Who) -> String {
        let Some(ours) = self.median(row, who) else {
            return "-".into();
        };
        let each = row.goals().iter().filter_map(|goal| {
            let (met, figure) = goal.verdict(row, ours, self)?;
            Some(if met {
                format!("{figure} ✓")
            } else {
                format!("**{figure} ✗**")
            })
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len().max(1) - 1) / 2, values.len() / 2);
    Some((values.get(low)? + values.get(high)?) / 2.0)
}

/// Three digits that count, and separators.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 0.995 => format!("{value:.3}"),
        size if size < 9.95 => format!("{value:.2}"),
        size if size < 99.5 => format!("{value:.1}"),
        size if size < 999.5 => format!("{value:.0}"),
        _ => {
            // three of them, as the rest is noise
            let scale = 10_f64.powf(value.abs().log10().floor() - 2.0);
            let rounded = ((value / scale).round() * scale).round() as i64;
            let plain = rounded.to_string();
            let mut text = String::new();
            for (place, digit) in plain.chars().enumerate() {
                if place > 0 && (plain.len() - place).is_multiple_of(3) {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.0, 0.1234, 1.234, 12.34, 123.4, 1234.0, 73_456.0].map(digits);
        let expected = ["0", "0.123", "1.23", "12.3", "123", "1,230", "73,500"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn goals_are_ratios_of_medians() {
        let mut samples = Samples::default();
        for value in [1.0, 9.0, 2.0] {
            samples.add(Row::LoginFar, Who::Tokio, value);
        }
        samples.add(Row::LoginFar, Who::Bare, 4.0);
        assert_eq!(
            samples.verdicts(Row::LoginFar, Who::Tokio),
            "0.500 × bare ✓"
        );
        samples.add(Row::LoginFar, Who::Bare, 1.0);
        assert_eq!(
            samples.verdicts(Row::LoginFar, Who::Tokio),
            "**0.800 × bare ✗**"
        );
        assert_eq!(samples.met(Who::Tokio), (0, 1));
    }
}
