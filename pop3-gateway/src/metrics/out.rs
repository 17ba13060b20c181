//! How a family of metrics is written: its name, what it means, its unit, and a row for each set of labels.
//!
//! Owns the names of units and the order of the calls that the library wants. Knows no metric.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::span::Span;

/// A label: its name and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// What a family is called, and what it means.
#[derive(Clone, Copy)]
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<fn() -> Unit>,
}

impl Family {
    /// Plain numbers of things.
    pub(super) const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            unit: None,
        }
    }

    /// Numbers in seconds; the name ends in `_seconds`.
    pub(super) const fn seconds(self) -> Self {
        Self {
            unit: Some(|| Unit::Seconds),
            ..self
        }
    }

    /// Numbers in octets; the name ends in `_bytes`, as others have it.
    pub(super) const fn bytes(self) -> Self {
        Self {
            unit: Some(|| Unit::Bytes),
            ..self
        }
    }
}

/// Where families are written to.
pub(super) struct Out<'e>(pub(super) DescriptorEncoder<'e>);

impl Out<'_> {
    /// Numbers that only grow.
    pub(super) fn counters<L: EncodeLabelSet>(
        &mut self,
        family: Family,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Counter, rows, |mut row, count| {
            row.encode_counter::<NoLabelSet, _, u64>(&count, None)
        })
    }

    /// Seconds that only grow, of one thing.
    pub(super) fn seconds(&mut self, family: Family, seconds: f64) -> fmt::Result {
        self.begin(family.seconds(), MetricType::Counter, |mut row| {
            row.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
        })
    }

    /// Numbers that go up and down.
    pub(super) fn gauges<L: EncodeLabelSet>(
        &mut self,
        family: Family,
        rows: impl IntoIterator<Item = (L, i64)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Gauge, rows, |mut row, now| {
            row.encode_gauge(&now)
        })
    }

    /// One number that goes up and down.
    pub(super) fn gauge(&mut self, family: Family, now: i64) -> fmt::Result {
        self.begin(family, MetricType::Gauge, |mut row| row.encode_gauge(&now))
    }

    /// Facts in labels.
    pub(super) fn info(&mut self, family: Family, labels: &[Label<'_>]) -> fmt::Result {
        self.begin(family, MetricType::Info, |mut row| row.encode_info(&labels))
    }

    /// How long things took.
    pub(super) fn spans<'s, L: EncodeLabelSet>(
        &mut self,
        family: Family,
        rows: impl IntoIterator<Item = (L, &'s Span)>,
    ) -> fmt::Result {
        let family = family.seconds();
        self.family(family, MetricType::Histogram, rows, |mut row, span| {
            let (buckets, count, sum) = span.now();
            row.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }

    /// How long things took, counted elsewhere: how many up to each bound, and seconds in all.
    pub(super) fn histogram(
        &mut self,
        family: Family,
        seen: Option<(Vec<(f64, u64)>, f64)>,
    ) -> fmt::Result {
        let rows = seen.map(|seen| ([("", ""); 0], seen));
        self.family(
            family.seconds(),
            MetricType::Histogram,
            rows,
            |mut row, (buckets, sum)| {
                let count = buckets.iter().map(|(_, count)| count).sum();
                row.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
            },
        )
    }

    fn family<L: EncodeLabelSet, V>(
        &mut self,
        family: Family,
        kind: MetricType,
        rows: impl IntoIterator<Item = (L, V)>,
        write: impl Fn(MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        self.begin(family, kind, |mut encoder| {
            for (labels, value) in rows {
                write(encoder.encode_family(&labels)?, value)?;
            }
            Ok(())
        })
    }

    fn begin(
        &mut self,
        family: Family,
        kind: MetricType,
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let unit = family.unit.map(|unit| unit());
        let (name, help) = (family.name, family.help);
        write(self.0.encode_descriptor(name, help, unit.as_ref(), kind)?)
    }
}

/// A number of things, as a gauge has it.
pub(super) fn number(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}
