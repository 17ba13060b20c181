//! Finds the tests and what they name.
//!
//! Reads the sources as text: they are formatted by rustfmt, so that a function ends at the brace that
//! stands below its beginning.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::id::{self, Id};

/// A test, and the requirements that it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    /// The file, from the root of the repository.
    pub(crate) path: String,
    /// The function's name, or the title of a dialogue.
    pub(crate) name: String,
    pub(crate) ids: Vec<Id>,
}

/// All tests below this folder.
pub(crate) fn all(root: &Path) -> io::Result<Vec<Test>> {
    let mut files = Vec::new();
    walk(root, Path::new(""), &mut files)?;
    files.sort();
    let mut tests = Vec::new();
    for file in files {
        let path = file.to_string_lossy().into_owned();
        let read = match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") if !path.contains("/examples/") => in_rust,
            Some("txt") if path.contains("/tests/dialogues/") => in_dialogues,
            Some("py") => in_python,
            _ => continue,
        };
        let text = fs::read_to_string(root.join(&file));
        let text =
            text.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        let found = read(&text);
        tests.extend(found.into_iter().map(|(name, ids)| Test {
            path: path.clone(),
            name,
            ids,
        }));
    }
    Ok(tests)
}

type Found = Vec<(String, Vec<Id>)>;

fn walk(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = below.join(&name);
        let hidden = name.to_string_lossy().starts_with('.');
        if entry.file_type()?.is_file() {
            files.push(path);
        } else if entry.file_type()?.is_dir() && !hidden && name != "target" && name != "fuzz" {
            walk(root, &path, files)?;
        }
    }
    Ok(())
}

/// Functions with `#[test]`: the name, the doc comment, the remarks within.
fn in_rust(text: &str) -> Found {
    let mut found = Found::new();
    let (mut ids, mut is_test) = (Vec::new(), false);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if let Some(doc) = code.strip_prefix("///") {
            ids.extend(id::in_text(doc));
        } else if code == "#[test]" {
            is_test = true;
        } else if code.starts_with("#[") {
            // further attributes
        } else if let Some(name) = function(code).filter(|_| is_test) {
            ids.extend(id::in_name(name));
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let within = lines.by_ref().take_while(|line| *line != end);
            let remarks = within.filter_map(|line| Some(line.split_once("// ")?.1));
            ids.extend(remarks.flat_map(id::in_text));
            found.push((name.to_owned(), settled(&mut ids)));
            is_test = false;
        } else {
            ids.clear();
            is_test = false;
        }
    }
    found
}

fn function(code: &str) -> Option<&str> {
    let code = code.strip_prefix("async ").unwrap_or(code);
    let rest = code.strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

/// `== P001 P002: the title`
fn in_dialogues(text: &str) -> Found {
    let titles = text.lines().filter_map(|line| line.strip_prefix("== "));
    titles
        .map(|title| (title.to_owned(), settled(&mut id::in_text(title))))
        .collect()
}

/// Functions with a doc string.
fn in_python(text: &str) -> Found {
    let mut found = Found::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let name = line
            .trim_start()
            .strip_prefix("def ")
            .and_then(|rest| rest.split('(').next());
        let doc = lines.peek().and_then(|doc| {
            let doc = doc.trim_start().strip_prefix("\"\"\"")?;
            doc.split("\"\"\"").next()
        });
        if let (Some(name), Some(doc)) = (name, doc) {
            found.push((name.to_owned(), settled(&mut id::in_text(doc))));
        }
    }
    found
}

fn settled(ids: &mut Vec<Id>) -> Vec<Id> {
    let mut ids = std::mem::take(ids);
    ids.sort();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: Found) -> Vec<String> {
        let line = |(name, ids): (String, Vec<Id>)| {
            ids.iter().fold(name, |line, id| format!("{line} {id}"))
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn functions_with_what_belongs_to_them() {
        let text = "
/// P001: not a test.
fn helper() {}

/// P002: as the doc says.
#[test]
#[ignore = \"long\"]
fn f01_one() {
    let x = 1; // P003 within
}
// P004 outside
    /// P005
    #[test]
    fn two(x in 1..2) {
    }
fn p006_no_test() {}
";
        let expected = ["f01_one F01 P002 P003", "two P005"];
        assert_eq!(shown(in_rust(text)), expected);
    }

    #[test]
    fn dialogues_and_scenarios() {
        let titles = in_dialogues("== P001, P002: words\nC: STAT P003\n== no id\n");
        assert_eq!(
            shown(titles),
            ["P001, P002: words P001 P002", "no id"].map(String::from)
        );
        let text = "def one(bench):\n    \"\"\"Shows it (P001).\"\"\"\n\ndef two():\n    pass\n";
        assert_eq!(shown(in_python(text)), ["one P001"]);
    }
}
