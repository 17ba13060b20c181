//! What `docs/conformance.md` looks like.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::catalogue::{Catalogue, Group, Standing};
use crate::{CATALOGUE, Named};

pub(crate) fn render(catalogue: &Catalogue, named: &Named) -> String {
    let mut page = format!(
        "# Conformance\n\n\
        What is required of this project, and the tests that show it. Written by\n\
        `cargo run -p testkit --example conformance` from `{CATALOGUE}` and from the names that the tests\n\
        give; `.ci/run conformance` fails when it is stale.\n\n\
        {}\n",
        figures(catalogue, named)
    );
    for group in &catalogue.groups {
        render_group(group, named, &mut page);
    }
    page
}

/// How many are covered, and by how many tests.
pub(crate) fn figures(catalogue: &Catalogue, named: &Named) -> String {
    let count = |wanted: fn(Standing<'_>) -> bool| {
        let standings = catalogue.requirements().map(|(_, line)| line.standing());
        standings.filter(|standing| wanted(*standing)).count()
    };
    let tests: BTreeSet<_> = named
        .values()
        .flatten()
        .map(|test| (&test.path, &test.name))
        .collect();
    format!(
        "{} requirements: {} shown by {} tests, {} not yet, {} not applicable.",
        catalogue.requirements().count(),
        count(|standing| standing == Standing::Tested),
        tests.len(),
        count(|standing| matches!(standing, Standing::NotYet(_))),
        count(|standing| matches!(standing, Standing::NotApplicable(_))),
    )
}

fn render_group(group: &Group, named: &Named, page: &mut String) {
    // writing to a String cannot fail
    let _ = writeln!(page, "\n## {}\n", group.title);
    for (id, requirement) in &group.requirements {
        let _ = writeln!(
            page,
            "* **{id}** {} ({})",
            requirement.text, requirement.source
        );
        let _ = match requirement.standing() {
            Standing::Tested => Ok(()),
            Standing::NotYet(reason) => writeln!(page, "  * *Not yet:* {reason}"),
            Standing::NotApplicable(reason) => writeln!(page, "  * *Not applicable:* {reason}"),
        };
        for test in named.get(id).into_iter().flatten() {
            let _ = writeln!(page, "  * `{}` {}", test.path, name(&test.name));
        }
    }
}

/// Titles of dialogues are prose, names of functions are not.
fn name(name: &str) -> String {
    if name.contains(' ') {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}
