//! What README and book show is accepted: every configuration, and every command of the program.
//!
//! A configuration that is a part of one is put into the least that it needs: a listener, an upstream.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use pop3_gateway::cli::Cli;
use pop3_gateway::config::Config;

/// README and every page of the book.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().is_some_and(|end| end == "md") {
                true => files.push(path),
                false if path.is_dir() => folders.push(path),
                false => {}
            }
        }
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    files.into_iter().map(read).collect()
}

/// The blocks of a page in this language, with the numbers of their first lines.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<(usize, Vec<&'p str>)> {
    let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut inside: Option<bool> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(word), None) => {
                inside = Some(word == language);
                if word == language {
                    found.push((number + 2, Vec::new()));
                }
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) => found.last_mut().unwrap().1.push(line),
            (None, Some(false) | None) => {}
        }
    }
    found
}

/// The least around a part of a configuration.
fn whole(block: &str) -> String {
    let has = |table: &str| {
        block
            .lines()
            .any(|line| line.trim_start().starts_with(table))
    };
    let mut text = String::new();
    if !has("[[listener]]") {
        text += "[[listener]]\nlisten = \"127.0.0.1:1110\"\n";
        if has("[[listener.certificate]]") {
            text += "tls = \"implicit\"\n";
        }
    }
    text += block;
    if !has("[[upstream]]") && !has("[[store]]") {
        text += "\n[[upstream]]\nname = \"main\"\nurl = \"imaps://imap.example.org\"\n";
    }
    text
}

#[test]
fn every_configuration_that_is_shown_is_accepted() {
    let mut wrong = String::new();
    let mut count = 0;
    for (path, page) in pages() {
        for (line, block) in blocks(&page, "toml") {
            // only a service manager can give credentials
            let text = whole(&block.join("\n")).replace("credential:", "");
            count += 1;
            if let Err(error) = Config::parse(&text, Path::new("pop3-gateway.toml")) {
                wrong += &format!("{}:{line}: {error}\n{text}\n", path.display());
            }
        }
    }
    assert!(count > 15, "{count} were found");
    assert!(wrong.is_empty(), "{wrong}");
}

/// The command lines of a block that call the program, as words.
fn calls(block: &[&str]) -> Vec<Vec<String>> {
    let text = block.join("\n").replace("\\\n", " ");
    let mut found = Vec::new();
    for line in text.lines() {
        let words = words(line);
        let mut from = 0;
        for end in 0..=words.len() {
            let is_end = words
                .get(end)
                .is_none_or(|word| ["|", "&&", ";", ">", "<", "&"].contains(&word.as_str()));
            if is_end {
                let command = words.get(from..end).unwrap_or_default();
                let is_program = |word: &String| word == "pop3-gateway";
                // after a name of the same spelling, and after cargo's own words
                let start = match command.first().map(String::as_str) {
                    Some("pop3-gateway") => Some(0),
                    Some("sudo") => command.iter().rposition(is_program),
                    Some("cargo") if command.iter().any(is_program) => {
                        command.iter().position(|word| word == "--")
                    }
                    Some(_) | None => None,
                };
                found.extend(start.map(|start| command[start..].to_vec()));
                from = end + 1;
            }
        }
    }
    found
}

/// Words as a shell reads them, as far as the book needs it; a comment ends the line.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (letter, quote) {
            ('#', None) if word.is_none() => break,
            (' ', None) => words.extend(word.take()),
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, Some(end)) if end == letter => quote = None,
            (_, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_that_is_shown_is_accepted() {
    let mut wrong = String::new();
    let mut count = 0;
    for (path, page) in pages() {
        for (line, block) in blocks(&page, "sh") {
            for call in calls(&block) {
                count += 1;
                if let Err(error) = Cli::command().try_get_matches_from(&call) {
                    let (path, call) = (path.display(), call.join(" "));
                    wrong += &format!("{path}:{line}: {call}\n{error}\n");
                }
            }
        }
    }
    assert!(count > 30, "{count} were found");
    assert!(wrong.is_empty(), "{wrong}");
}

/// The sources that answer a client.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("pop3-server/src/pop3.rs")];
    for folder in ["pop3-proto/src/server", "pop3-proto/src/server/state"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect()
}

/// The texts after `-ERR` in the sources: the text in quotes after one of the functions that answer so.
fn refusals() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources() {
        let code: Vec<_> = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.join("\n");
        for function in [
            ".bad(",
            ".send_err(",
            ".answer_login(",
            ".login_ended(",
            "-ERR [SYS/TEMP] ",
        ] {
            for after in code.split(function).skip(1) {
                let text = match function.starts_with('.') {
                    true => after
                        .split(");")
                        .next()
                        .and_then(|call| call.split('"').nth(1)),
                    false => after.split('\\').next(),
                };
                found.extend(text.map(str::to_owned));
            }
        }
    }
    found
}

#[test]
fn each_refusal_that_a_client_may_hear_is_explained() {
    let page = include_str!("../../../docs/book/trouble.md");
    let table = page
        .split("<!-- replies -->")
        .nth(1)
        .unwrap()
        .split("<!-- end -->")
        .next()
        .unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `-ERR ")?.split('`').next());
    let without_code = |reply: &str| match reply.split_once("] ") {
        Some((_, text)) => text.to_owned(),
        None => reply.to_owned(),
    };
    let explained: BTreeSet<_> = rows.map(without_code).collect();
    assert_eq!(explained, refusals());
}
