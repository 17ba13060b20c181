//! The text that is scraped, in the format that is asked for.
//!
//! Two formats are known: OpenMetrics 1.0, and the older text format of Prometheus (0.0.4). The library writes the
//! first; the second is made from it.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// How counts are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Text,
}

impl Format {
    /// What a request wants that has this `Accept` (RFC 9110 section 12.5.1). Whoever does not ask for OpenMetrics
    /// gets the older format, which everything reads.
    pub fn wanted(accept: &str) -> Self {
        let (mut open, mut text) = (0, 0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
            let find = |name: &str| {
                let named = |(own, _): &&(&str, &str)| own.eq_ignore_ascii_case(name);
                parameters
                    .iter()
                    .find(named)
                    .map(|(_, value)| value.trim_matches('"'))
            };
            let weight = find("q").map_or(1000, thousandths);
            match kind.as_str() {
                "application/openmetrics-text"
                    if find("version")
                        .is_none_or(|version| ["1.0.0", "0.0.1"].contains(&version)) =>
                {
                    open = open.max(weight);
                }
                "text/plain" | "text/*" | "*/*" => text = text.max(weight),
                _ => {}
            }
        }
        match open > 0 && open >= text {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// The `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A weight from 0 to 1 with three digits; one that is none is 0.
fn thousandths(weight: &str) -> u16 {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = part.bytes().chain(*b"000").take(3);
    let mut digits = digits.map(|digit| char::from(digit).to_digit(10));
    let part = digits.try_fold(0, |sum, digit| Some(sum * 10 + digit?));
    match (whole, part) {
        ("0", Some(part)) => u16::try_from(part).unwrap_or(0),
        ("1", Some(0)) => 1000,
        _ => 0,
    }
}

/// All counters of a server, to be written down.
#[derive(Debug)]
pub struct Exposition(Registry);

impl Exposition {
    pub(super) const fn new(registry: Registry) -> Self {
        Self(registry)
    }

    /// What there is now.
    pub fn text(&self, format: Format) -> String {
        let mut text = String::new();
        // writing to a string cannot fail
        let _ = encode(&mut text, &self.0);
        match format {
            Format::OpenMetrics => text,
            Format::Text => older(&text),
        }
    }
}

/// The older format: a family is called as its rows are, and some words are missing.
fn older(text: &str) -> String {
    let mut older = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    let mut say = |parts: &[&str]| parts.iter().for_each(|part| older.push_str(part));
    while let Some(line) = lines.next() {
        if let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split_once(' '))
        {
            // the kind stands in the next line
            let kind = lines.peek().and_then(|next| next.rsplit(' ').next());
            let (suffix, kind) = match kind {
                Some("counter") => ("_total", "counter"),
                Some("info") => ("_info", "gauge"),
                Some("unknown") | None => ("", "untyped"),
                Some(other) => ("", other),
            };
            say(&["# HELP ", name, suffix, " ", help, "\n"]);
            say(&["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            say(&[line, "\n"]);
        }
    }
    older
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.2";
        for (accept, format) in [
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            (
                "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
                Format::Text,
            ),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "Application/OpenMetrics-Text ; Version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            (
                "application/openmetrics-text;q=0.5,text/plain",
                Format::Text,
            ),
            (
                "application/openmetrics-text;q=0.5,text/plain;q=0.50",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;q=x", Format::Text),
            (";;=,,;q=,", Format::Text),
        ] {
            assert_eq!(Format::wanted(accept), format, "{accept}");
        }
    }

    #[test]
    fn the_older_format_names_families_as_their_rows() {
        let text = "# HELP a b c\n# TYPE a counter\na_total 1\n# HELP d_seconds e\n# TYPE d_seconds histogram\n\
                    # UNIT d_seconds seconds\nd_seconds_sum 0.0\n# HELP f g\n# TYPE f info\nf_info{x=\"# y\"} 1\n\
                    # EOF\n";
        let expected = "# HELP a_total b c\n# TYPE a_total counter\na_total 1\n# HELP d_seconds e\n\
                        # TYPE d_seconds histogram\nd_seconds_sum 0.0\n# HELP f_info g\n# TYPE f_info gauge\n\
                        f_info{x=\"# y\"} 1\n";
        assert_eq!(older(text), expected);
    }
}
