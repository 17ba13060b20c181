//! The drawings of `docs/states.md`, which are made of tables in the code.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::fs;
use std::path::Path;

/// Compares the drawing below this heading with the steps of a table, each as `From --> To: why`.
///
/// # Panics
///
/// If they differ; what has to be drawn is said.
pub fn check(heading: &str, first: &str, steps: impl IntoIterator<Item = String>, last: &str) {
    let mut drawing = format!("stateDiagram-v2\n    [*] --> {first}\n");
    for step in steps {
        drawing += &format!("    {step}\n");
    }
    drawing += &format!("    {last} --> [*]\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/states.md");
    let document = fs::read_to_string(path).expect("the drawings are in the documentation");
    let (_, after) = document.split_once(heading).unwrap_or_default();
    let drawn = after.split("```").nth(1).unwrap_or_default();
    assert_eq!(
        drawn.strip_prefix("mermaid\n"),
        Some(&*drawing),
        "docs/states.md has to hold:\n{drawing}"
    );
}

/// Every step that is taken when all inputs come in each situation that can be told apart.
///
/// `play` lets a path of inputs happen from the start. It returns the situation that this leads to, and the steps on
/// the way.
pub fn steps<I: Copy, S: Ord, P: Copy + Ord>(
    inputs: &[I],
    play: impl Fn(&[I]) -> (S, Vec<(P, P)>),
) -> BTreeSet<(P, P)> {
    let (mut steps, mut known) = (BTreeSet::new(), BTreeSet::new());
    let mut paths = VecDeque::from([Vec::new()]);
    while let Some(path) = paths.pop_front() {
        for input in inputs {
            let longer = [&path[..], &[*input]].concat();
            let (situation, taken) = play(&longer);
            steps.extend(taken.into_iter().filter(|(from, to)| from != to));
            if known.insert(situation) {
                paths.push_back(longer);
            }
        }
    }
    steps
}

/// Compares the steps that are taken with those of a table.
///
/// # Panics
///
/// If they differ, or the table has a step twice.
pub fn compare<T: Debug + Ord>(taken: &BTreeSet<T>, table: impl IntoIterator<Item = T>) {
    let table: Vec<_> = table.into_iter().collect();
    let rows = table.len();
    let drawn: BTreeSet<_> = table.into_iter().collect();
    assert_eq!(*taken, drawn);
    assert_eq!(drawn.len(), rows, "a step is in the table twice");
}
