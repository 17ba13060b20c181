//! Finds the tests and what they name.
//!
//! Cargo lists the test programs, and each of them lists its tests, including ignored ones and those that a
//! macro makes. Dialogues and scenarios are read from their files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use serde::Deserialize;

use crate::id::{self, Id};

/// A test, and the requirements that it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    /// The file, from the root of the repository; for a function the first one of its program.
    pub(crate) path: String,
    /// The function's name with its modules, or the title of a dialogue.
    pub(crate) name: String,
    pub(crate) ids: Vec<Id>,
}

/// All tests below this folder.
pub(crate) fn all(root: &Path) -> io::Result<Vec<Test>> {
    let mut tests = Vec::new();
    let mut add = |path: &Path, found: Found| {
        let path = path.to_string_lossy().into_owned();
        let test = |(name, ids)| Test {
            path: path.clone(),
            name,
            ids,
        };
        tests.extend(found.into_iter().map(test));
    };
    for (source, program) in programs(root)? {
        add(
            &source,
            functions(&said_by(Command::new(program).arg("--list"))?),
        );
    }
    let mut files = Vec::new();
    walk(root, Path::new(""), &mut files)?;
    for file in files {
        let read = match file.extension().and_then(|extension| extension.to_str()) {
            Some("txt") if file.to_string_lossy().contains("/tests/dialogues/") => in_dialogues,
            Some("py") => in_python,
            _ => continue,
        };
        add(&file, read(&fs::read_to_string(root.join(&file))?));
    }
    Ok(tests)
}

type Found = Vec<(String, Vec<Id>)>;

/// A part of cargo's message about something that it has built.
#[derive(Deserialize)]
struct Built {
    executable: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Target {
    src_path: PathBuf,
}

/// The test programs, built, each with its first source file.
fn programs(root: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let root = root.canonicalize()?;
    let words = "test --locked --quiet --workspace --no-run --message-format json";
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let said = said_by(
        Command::new(cargo)
            .args(words.split(' '))
            .current_dir(&root),
    )?;
    let built = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let program = |built: Built| {
        let source = built.target?.src_path;
        let source = source.strip_prefix(&root).ok()?.to_owned();
        built.profile?.test.then_some((source, built.executable?))
    };
    Ok(built.filter_map(program).collect())
}

fn said_by(command: &mut Command) -> io::Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{command:?}: {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

/// `module::p001_name: test`
fn functions(list: &str) -> Found {
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let read = |name: &str| {
        let function = name.rsplit("::").next().unwrap_or(name);
        (name.to_owned(), settled(&mut id::in_name(function)))
    };
    names.map(read).collect()
}

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
    fn functions_as_a_program_lists_them() {
        let list =
            "f01_one_p002: test\na::p003_to_p005::two: test\nb::three_v33: test\nx: benchmark\n";
        let expected = [
            "f01_one_p002 F01 P002",
            "a::p003_to_p005::two",
            "b::three_v33 V33",
        ];
        assert_eq!(shown(functions(list)), expected);
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
