//! The drawings of `docs/states.md`, which are made of tables in the code.

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
