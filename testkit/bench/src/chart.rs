//! The recorded figures as bars: an SVG in docs/book/charts for some of the workloads.
//!
//! Owns which of them are drawn, and how. Measures nothing: it reads the table of docs/performance.md, so that pictures
//! and table cannot differ. A bar says in words whose it is and how much; no colour has to be told from another.

use std::fs;
use std::path::Path;

use svg::Document;
use svg::node::element::{Group, Rectangle, Style, Text, Title};

use crate::Outcome;
use crate::servers::Who;
use crate::table::Row;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/book/charts");

/// Where the bars begin, how long the longest one is, and how wide all of it is.
const LEFT: f64 = 140.0;
const LONGEST: f64 = 240.0;
const WIDTH: f64 = 480.0;

/// Where the first bar is, and how far it is from one to the next.
const TOP: f64 = 58.0;
const STEP: f64 = 26.0;

/// On a plate of its own, since the page around it may be light or dark.
const STYLE: &str = "\
.plate { fill: #ffffff; stroke: #c8ccd0 }
.theirs { fill: #9aa4ae }
.ours { fill: #1f6f8b }
text { fill: #1b1f24; font: 13px sans-serif }
.title { font-weight: bold; font-size: 14px }
.small { font-size: 12px }
.bold { font-weight: bold }
@media (prefers-color-scheme: dark) {
.plate { fill: #1b1f24; stroke: #4a525a }
.theirs { fill: #6b757f }
.ours { fill: #58b4d1 }
text { fill: #e8eaed }
}";

/// A workload that is drawn.
struct Chart {
    file: &'static str,
    row: Row,
    title: &'static str,
    more_is_better: bool,
}

const CHARTS: [Chart; 7] = [
    Chart {
        file: "throughput",
        row: Row::Throughput,
        title: "RETR of 25 MiB: MB a second",
        more_is_better: true,
    },
    Chart {
        file: "processor",
        row: Row::CpuPerMb,
        title: "RETR of 25 MiB: processor time for a MB",
        more_is_better: false,
    },
    Chart {
        file: "one-by-one",
        row: Row::OneByOne,
        title: "Mails of 4 KiB, one by one: a second",
        more_is_better: true,
    },
    Chart {
        file: "far",
        row: Row::OneByOneFar,
        title: "The same, the IMAP server 20 ms away",
        more_is_better: true,
    },
    Chart {
        file: "huge",
        row: Row::HugeCold,
        title: "Login, STAT, LIST, UIDL: 100,000 messages",
        more_is_better: false,
    },
    Chart {
        file: "memory",
        row: Row::Idle,
        title: "Memory of an idle session",
        more_is_better: false,
    },
    Chart {
        file: "logins",
        row: Row::Logins,
        title: "Logins a second, 10 at a time",
        more_is_better: true,
    },
];

/// Draws what the document says, each chart into its file.
pub(crate) fn write(document: &str) -> Outcome {
    fs::create_dir_all(FOLDER)?;
    for chart in &CHARTS {
        let drawn = chart.draw(document)?;
        fs::write(Path::new(FOLDER).join(chart.name()), drawn)?;
    }
    Ok(())
}

/// A bar: whose, how long, and what is written at its end.
struct Bar {
    who: Who,
    value: f64,
    shown: String,
}

impl Chart {
    fn name(&self) -> String {
        format!("{}.svg", self.file)
    }

    fn draw(&self, document: &str) -> Outcome<String> {
        let bars = bars(document, self.row)?;
        let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let mut y = TOP;
        let mut drawing = Group::new();
        for bar in bars {
            let length = (bar.value / most * LONGEST).max(1.0);
            let (class, weight) = match bar.who.is_ours() {
                true => ("ours", "bold"),
                false => ("theirs", ""),
            };
            let rectangle = Rectangle::new()
                .set("class", class)
                .set("x", LEFT)
                .set("y", y)
                .set("width", format!("{length:.1}"))
                .set("height", 16);
            let name = text(name(bar.who), LEFT - 8.0, y + 12.5, weight).set("text-anchor", "end");
            let figure = text(&bar.shown, LEFT + length + 6.0, y + 12.5, weight);
            drawing = drawing.add(rectangle).add(name).add(figure);
            y += STEP;
        }
        let better = match self.more_is_better {
            true => "longer is better",
            false => "shorter is better",
        };
        let height = y + 6.0;
        let plate = Rectangle::new()
            .set("class", "plate")
            .set("x", 0.5)
            .set("y", 0.5)
            .set("width", WIDTH - 1.0)
            .set("height", height - 1.0)
            .set("rx", 6);
        let whole = Document::new()
            .set("viewBox", (0, 0, WIDTH, height))
            .set("width", WIDTH)
            .set("height", height)
            .set("role", "img")
            .add(Title::new(self.title))
            .add(Style::new(STYLE))
            .add(plate)
            .add(text(self.title, 12.0, 24.0, "title"))
            .add(text(better, 12.0, 42.0, "small"))
            .add(drawing);
        Ok(format!("{whole}\n"))
    }
}

fn text(words: &str, x: f64, y: f64, class: &str) -> Text {
    let text = Text::new(words).set("x", format!("{x:.1}")).set("y", y);
    match class {
        "" => text,
        class => text.set("class", class),
    }
}

/// Who it is, for readers who do not know the columns.
const fn name(who: Who) -> &'static str {
    match who {
        Who::Imapc => "Dovecot, imapc",
        Who::Native => "Dovecot, Maildir",
        Who::Relay => "haproxy before it",
        Who::Bare => "bare IMAP client",
        Who::Tokio => "gateway, tokio",
        Who::Smol => "gateway, smol",
    }
}

/// What the document's table has in this row; nothing for those that were not measured.
fn bars(document: &str, row: Row) -> Outcome<Vec<Bar>> {
    let begin = format!("| {} |", row.title());
    // rows that are called alike are told apart by those before them: the first one is meant
    let line = document.lines().find_map(|line| line.strip_prefix(&begin));
    let line = line.ok_or_else(|| format!("docs/performance.md has no row {begin}"))?;
    let mut bars = Vec::new();
    for (who, cell) in Who::ALL.into_iter().zip(line.split('|')) {
        let shown = cell.trim();
        if shown != "-" {
            let value = value(shown).ok_or_else(|| format!("{begin} {shown} is no figure"))?;
            let shown = shown.to_owned();
            bars.push(Bar { who, value, shown });
        }
    }
    Ok(bars)
}

/// A figure of the table, in seconds, octets, or something a second.
fn value(shown: &str) -> Option<f64> {
    let (number, unit) = shown.split_once(' ').unwrap_or((shown, ""));
    let number: f64 = number.replace(',', "").parse().ok()?;
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn figures_of_the_table_are_read() {
        let read = ["4,400", "13.5 s", "271 µs", "6.21 KiB"].map(|shown| value(shown).unwrap());
        assert_eq!(read, [4400.0, 13.5, 271.0 * 1e-6, 6.21 * 1024.0]);
        assert_eq!(value("12 apples"), None);
    }

    #[test]
    fn the_charts_of_the_book_are_those_of_the_figures() {
        let document = include_str!("../../../docs/performance.md");
        for chart in &CHARTS {
            let path = Path::new(FOLDER).join(chart.name());
            let drawn = fs::read_to_string(&path).unwrap_or_default();
            let hint = "draw them again: cargo run -p bench -- --charts";
            assert!(drawn == chart.draw(document).unwrap(), "{path:?}: {hint}");
        }
    }
}
