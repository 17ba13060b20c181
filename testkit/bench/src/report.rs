//! The figures as Markdown, and their place in docs/performance.md.
//!
//! The document is written by hand except for what stands between its markers.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::chart;
use crate::limits::Limits;
use crate::machine;
use crate::scale::Seens;
use crate::servers::Who;
use crate::table::{Row, Samples, digits};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md");

pub(crate) struct Figures {
    pub(crate) command: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) minutes: f64,
    /// Of the machine, before.
    pub(crate) load: String,
    /// With the samples, unless only the behaviour at scale was looked at.
    pub(crate) samples: Option<(Samples, Limits)>,
    /// Unless it was not looked at.
    pub(crate) scale: Option<Seens>,
}

impl Figures {
    /// Everything.
    pub(crate) fn markdown(&self) -> String {
        let sections = self.sections().into_iter();
        sections.map(|(_, text)| text + "\n").collect()
    }

    /// Puts them between the document's markers; what was not measured stays as it was.
    pub(crate) fn write(&self) -> Outcome {
        let path = Path::new(DOCUMENT);
        let mut text = fs::read_to_string(path)?;
        for (name, figures) in self.sections() {
            // it goes with the table: what was added later has been measured on the same one
            if name == "machine" && self.samples.is_none() {
                continue;
            }
            text = replaced(&text, name, &figures)
                .ok_or_else(|| format!("{DOCUMENT} has no place for {name}"))?;
        }
        fs::write(path, text)?;
        draw()
    }

    fn sections(&self) -> Vec<(&'static str, String)> {
        let mut sections = vec![("machine", self.machine())];
        if let Some((samples, limits)) = &self.samples {
            sections.push(("table", table(samples)));
            sections.push(("limits", distances(samples, *limits)));
        }
        if let Some(scale) = &self.scale {
            sections.push(("scale", scale.markdown()));
        }
        sections
    }

    fn machine(&self) -> String {
        let mut text = String::new();
        for line in machine::describe() {
            let _ = writeln!(text, "* {line}");
        }
        let command: Vec<&str> = ["cargo run --release -p bench"]
            .into_iter()
            .chain((!self.command.is_empty()).then_some("--"))
            .chain(self.command.iter().map(String::as_str))
            .collect();
        let rounds = match &self.samples {
            Some(_) => format!("{} rounds in ", self.rounds),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "* `{}`: {rounds}{:.0} minutes; load of the machine before: {}",
            command.join(" "),
            self.minutes,
            self.load,
        );
        text
    }
}

/// Draws what the document says.
pub(crate) fn draw() -> Outcome {
    chart::write(&fs::read_to_string(DOCUMENT)?)
}

fn table(samples: &Samples) -> String {
    let mut text = samples.markdown();
    for who in [Who::Tokio, Who::Smol] {
        let (met, all) = samples.met(who);
        let _ = write!(text, "\n{}: {met} of {all} goals met.", who.name());
    }
    text.push('\n');
    text
}

fn distances(samples: &Samples, limits: Limits) -> String {
    let Limits {
        copy,
        stuff,
        cipher,
        hop,
        exchange,
        connection,
    } = limits;
    let per = |seconds: f64| digits(seconds * 1e6);
    let mut text = format!(
        "| the least that it takes | processor time |
|---|---|
| memcpy, 64 KiB at a time | {} µs per MB |
| dot-stuffing while copying | {} µs per MB |
| AES-256-GCM, 16 KiB records, one way | {} µs per MB |
| a hop: read from a socket, write to another, 64 KiB at a time | {} µs per MB |
| a hop for one command and 4 KiB of answer | {} µs |
| a hop for one connection with greeting and three commands | {} µs |

| path | limit | tokio | smol |
|---|---|---|---|
",
        per(copy),
        per(stuff),
        per(cipher),
        per(hop),
        per(exchange),
        per(connection),
    );
    for (row, what, limit) in [
        (Row::CpuPerMb, "hop + stuffing", hop + stuff),
        (
            Row::CpuPerMbTls,
            "hop + stuffing + cipher",
            hop + stuff + cipher,
        ),
        (Row::CpuPerLogin, "hop for one connection", connection),
    ] {
        let _ = write!(text, "| {} | {what}: {} |", row.title(), row.show(limit));
        for who in [Who::Tokio, Who::Smol] {
            let distance = samples
                .median(row, who)
                .map(|value| format!("{}, {} × the limit", row.show(value), digits(value / limit)));
            let _ = write!(text, " {} |", distance.as_deref().unwrap_or("-"));
        }
        text.push('\n');
    }
    if let Some(limit) = samples.median(Row::LoginsRelayed, Who::Bare) {
        let _ = write!(text, "| {} | ", Row::Logins.title());
        let _ = write!(text, "bare through haproxy: {}", Row::Logins.show(limit));
        if let Some(bare) = samples.median(Row::Logins, Who::Bare) {
            let _ = write!(text, ", {} × bare", digits(limit / bare));
        }
        text.push_str(" |");
        for who in [Who::Tokio, Who::Smol] {
            let reached = samples.median(Row::Logins, who);
            let reached = reached.map(|value| {
                let times = digits(value / limit);
                format!("{}, {times} × that", Row::Logins.show(value))
            });
            let _ = write!(text, " {} |", reached.as_deref().unwrap_or("-"));
        }
        text.push('\n');
    }
    text
}

/// The text with something else between the markers of this name.
fn replaced(text: &str, name: &str, figures: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->"),
    );
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{figures}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        let new = replaced(text, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb\n");
        assert_eq!(replaced(&new, "x", "new\n").unwrap(), new);
        assert!(replaced(text, "y", "new").is_none());
    }
}
