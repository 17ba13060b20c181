//! The dashboard, the alerts and the documentation name what is there, and the documentation all of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::rig::{RUNTIMES, Rig};

/// The rows that a family can have, by its name and kind in OpenMetrics.
fn rows(name: &str, kind: &str) -> Vec<String> {
    let suffixes: &[&str] = match kind {
        "counter" => &["_total"],
        "histogram" => &["_bucket", "_sum", "_count"],
        "info" => &["_info"],
        _ => &[""],
    };
    let rows = suffixes.iter().map(|suffix| format!("{name}{suffix}"));
    rows.collect()
}

/// What looks like one of our metrics.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let own = |word: &&str| word.starts_with("pop3_gateway_") || word.starts_with("process_");
    words.filter(own).collect()
}

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(file)).unwrap()
}

#[test]
fn dashboard_alerts_and_documentation_name_what_is_there() {
    let rig = Rig::new(RUNTIMES[0], "");
    let shown = rig.say(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: application/openmetrics-text\r\n\r\n",
    );
    let families = shown.lines().filter_map(|line| {
        line.strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
    });
    let families: Vec<_> = families.collect();
    assert!(families.len() > 30, "{shown}");
    let all: BTreeSet<_> = families
        .iter()
        .flat_map(|(name, kind)| rows(name, kind))
        .collect();
    for file in [
        "packaging/grafana/pop3-gateway.json",
        "packaging/prometheus/alerts.yml",
        "packaging/prometheus/alerts.test.yml",
    ] {
        let text = read(file);
        let names = named(&text);
        assert!(names.len() > 10, "{file}");
        let unknown: Vec<_> = names.iter().filter(|name| !all.contains(**name)).collect();
        assert_eq!(unknown, Vec::<&&str>::new(), "{file}");
    }
    let book = read("docs/metrics.md");
    for (name, kind) in &families {
        let row = match *kind {
            "histogram" => format!("`{name}`"),
            _ => format!("`{}`", rows(name, kind)[0]),
        };
        assert!(book.contains(&row), "docs/metrics.md lacks {row}");
    }
    let is_known = |name: &&&str| {
        let family = |(own, _): &(&str, &str)| own == *name;
        all.contains(**name) || families.iter().any(family)
    };
    let names = named(&book);
    let unknown: Vec<_> = names.iter().filter(|name| !is_known(name)).collect();
    assert_eq!(unknown, Vec::<&&str>::new(), "docs/metrics.md");
    // and the alerts that it names
    let alerts = read("packaging/prometheus/alerts.yml");
    for word in alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        assert!(
            book.contains(&format!("`{word}`")),
            "docs/metrics.md lacks {word}"
        );
    }
}
