//! The commands with their other names and their help, in one table.

use crate::text;

/// A line that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// All commands, or this one.
    Help(Option<&'static Verb>),
    List(Vec<&'a str>),
    Find(&'a str),
    Stat,
    Show(u32),
    Next,
    Previous,
    Headers(u32),
    Top(u32, u64),
    Source(u32),
    Save(u32, Option<&'a str>),
    Attachments(u32, Option<&'a str>),
    Delete(Vec<&'a str>),
    Undelete(Vec<&'a str>),
    Rollback,
    Uidl(Vec<&'a str>),
    Capa,
    Noop,
    Reconnect,
    Quit,
    Exit,
    Abort,
}

/// A command as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verb {
    name: &'static str,
    /// Names that users of other programs, or of the protocol, type.
    others: &'static [&'static str],
    arguments: &'static str,
    help: &'static str,
}

/// The commands; an unambiguous beginning is enough.
pub const NAMES: [&str; 22] = {
    let mut names = [""; 22];
    let mut place = 0;
    while place < names.len() {
        names[place] = VERBS[place].name;
        place += 1;
    }
    names
};

const fn verb(
    name: &'static str,
    others: &'static [&'static str],
    arguments: &'static str,
    help: &'static str,
) -> Verb {
    Verb {
        name,
        others,
        arguments,
        help,
    }
}

const VERBS: [Verb; 22] = [
    verb("abort", &[], "", "leave without deleting anything"),
    verb(
        "attachments",
        &["v", "view-attachments", "parts"],
        "N [FOLDER]",
        "its attachments; with a folder: save them there",
    ),
    verb("capa", &[], "", "the server's capabilities"),
    verb(
        "delete",
        &["dele", "rm"],
        "N...",
        "mark messages; 'quit' deletes them",
    ),
    verb(
        "exit",
        &["bye", "logout"],
        "",
        "leave; asks before it deletes marked messages",
    ),
    verb(
        "find",
        &["search", "grep"],
        "TEXT",
        "messages with this in their line (also: /TEXT)",
    ),
    verb("headers", &[], "N", "its header as it came"),
    verb("help", &["?"], "[COMMAND]", "this, or about a command"),
    verb(
        "list",
        &["ls", "dir", "index"],
        "[N...]",
        "messages with size, date, sender, subject",
    ),
    verb(
        "next",
        &["n", "j", "+"],
        "",
        "the text of the message after the one last shown",
    ),
    verb("noop", &["ping"], "", "say hello to the server"),
    verb(
        "previous",
        &["k", "-"],
        "",
        "the text of the message before the one last shown",
    ),
    verb("quit", &[], "", "delete marked messages, and leave"),
    verb("reconnect", &["open"], "", "open a new session"),
    verb("rollback", &["rset", "reset"], "", "take all marks back"),
    verb(
        "save",
        &["write"],
        "N [FILE]",
        "write it to a file, octet for octet",
    ),
    verb(
        "show",
        &["retr", "read", "print", "type", "more", "less", "cat"],
        "N",
        "the text of a message, decoded (also: N)",
    ),
    verb("source", &["raw"], "N", "all of it as it came"),
    verb("stat", &["status"], "", "how many messages, how large"),
    verb(
        "top",
        &["head"],
        "N [LINES]",
        "its header and its first lines as they came (10)",
    ),
    verb("uidl", &["uid"], "[N...]", "unique-ids"),
    verb(
        "undelete",
        &["undele"],
        "N...",
        "take the marks of these messages back",
    ),
];

impl Verb {
    fn line(&self) -> String {
        let form = format!("{} {}", self.name, self.arguments);
        format!("{:23} {}", form.trim_end(), self.help)
    }
}

/// The help about a command, or about all.
pub(super) fn help(about: Option<&Verb>) -> String {
    const RANGES: &str = "N... are numbers and ranges like 3 or 1-5,9 or 7- or all.";
    let Some(verb) = about else {
        let lines: Vec<_> = VERBS.iter().map(Verb::line).collect();
        return format!(
            "{}\n{RANGES}\nAn unambiguous beginning of a command is enough.",
            lines.join("\n")
        );
    };
    let mut text = verb.line();
    if verb.arguments.contains("N...") {
        text.push_str(&format!("\n{RANGES}"));
    }
    if !verb.others.is_empty() {
        text.push_str(&format!("\nOther names: {}", verb.others.join(", ")));
    }
    text
}

impl<'a> Command<'a> {
    /// Reads a line; `None` if it is empty.
    pub(super) fn parse(line: &'a str) -> Result<Option<Self>, String> {
        if let Some(wanted) = line.trim().strip_prefix('/') {
            return wanted_text(wanted).map(|text| Some(Self::Find(text)));
        }
        let mut words = line.split_whitespace();
        let Some(typed) = words.next() else {
            return Ok(None);
        };
        let words: Vec<&str> = words.collect();
        if words.is_empty() && typed.bytes().all(|octet| octet.is_ascii_digit()) {
            return Ok(Some(Self::Show(number(&[typed])?)));
        }
        let verb = complete(typed)?;
        let file = || rest(line, 2);
        let command = match verb.name {
            "help" => Self::Help(words.first().map(|word| complete(word)).transpose()?),
            "list" => Self::List(words),
            "find" => Self::Find(wanted_text(rest(line, 1).unwrap_or_default())?),
            "show" => Self::Show(number(&words)?),
            "headers" => Self::Headers(number(&words)?),
            "top" => Self::Top(first(&words)?, lines(&words)?),
            "source" => Self::Source(number(&words)?),
            "save" => Self::Save(first(&words)?, file()),
            "attachments" => Self::Attachments(first(&words)?, file()),
            "delete" => Self::Delete(words),
            "undelete" => Self::Undelete(words),
            "uidl" => Self::Uidl(words),
            alone if !words.is_empty() => return Err(format!("'{alone}' stands alone")),
            "stat" => Self::Stat,
            "next" => Self::Next,
            "previous" => Self::Previous,
            "rollback" => Self::Rollback,
            "capa" => Self::Capa,
            "noop" => Self::Noop,
            "reconnect" => Self::Reconnect,
            "quit" => Self::Quit,
            "exit" => Self::Exit,
            _ => Self::Abort,
        };
        Ok(Some(command))
    }
}

fn complete(typed: &str) -> Result<&'static Verb, String> {
    static ALL: [Verb; 22] = VERBS;
    let lower = typed.to_ascii_lowercase();
    let lower = lower.as_str();
    let exact = ALL
        .iter()
        .find(|verb| verb.name == lower || verb.others.contains(&lower));
    if let Some(verb) = exact {
        return Ok(verb);
    }
    let begun = |name: &&str| name.starts_with(lower);
    let mut meant: Vec<_> = ALL.iter().filter(|verb| begun(&verb.name)).collect();
    if meant.is_empty() {
        meant = ALL
            .iter()
            .filter(|verb| lower.len() > 1 && verb.others.iter().any(begun))
            .collect();
    }
    match meant.as_slice() {
        [only] => Ok(only),
        [] => Err(format!(
            "there is no command '{}'; 'help' lists them",
            text::one_line(typed)
        )),
        several => {
            let names: Vec<_> = several.iter().map(|verb| verb.name).collect();
            Err(format!("which: {}?", names.join(", ")))
        }
    }
}

fn wanted_text(text: &str) -> Result<&str, String> {
    match text.trim() {
        "" => Err("which text?".into()),
        text => Ok(text),
    }
}

fn number(words: &[&str]) -> Result<u32, String> {
    match words {
        [_] => first(words),
        _ => Err("which message? One number".into()),
    }
}

fn first(words: &[&str]) -> Result<u32, String> {
    words
        .first()
        .and_then(|word| word.parse().ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| "which message? One number".into())
}

/// How many lines of the body.
fn lines(words: &[&str]) -> Result<u64, String> {
    match words {
        [_] => Ok(10),
        [_, lines] => lines.parse().map_err(|_| "how many lines? A number".into()),
        _ => Err("a message, and how many lines: two numbers".into()),
    }
}

/// The rest after this many words: a file's name may have spaces, and quotes around it.
fn rest(line: &str, skipped: usize) -> Option<&str> {
    let mut left = line.trim();
    for _ in 0..skipped {
        let (_, behind) = left.split_once(char::is_whitespace)?;
        left = behind.trim_start();
    }
    let quoted = |quote| left.strip_prefix(quote)?.strip_suffix(quote);
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or(left)).filter(|left| !left.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn lines_are_understood() {
        assert_eq!(Command::parse("  "), Ok(None));
        assert_eq!(Command::parse("l"), Ok(Some(Command::List(vec![]))));
        assert_eq!(
            Command::parse("DEL 1-5, 9"),
            Ok(Some(Command::Delete(vec!["1-5,", "9"])))
        );
        assert_eq!(
            Command::parse("save 3  \"my mail.eml\""),
            Ok(Some(Command::Save(3, Some("my mail.eml"))))
        );
        assert_eq!(Command::parse("save 3"), Ok(Some(Command::Save(3, None))));
        assert_eq!(Command::parse("?"), Ok(Some(Command::Help(None))));
        for wrong in [
            "s",
            "x",
            "show",
            "show 0",
            "0",
            "show 1 2",
            "top 1 x",
            "top 1 2 3",
            "/",
            "find",
            "help foo",
            "quit now",
            "show \x1b[2J",
        ] {
            let answer = Command::parse(wrong).err().unwrap_or_default();
            assert!(!answer.is_empty() && !answer.contains('\x1b'), "{wrong:?}");
        }
    }

    #[test]
    fn w080_what_users_of_other_programs_type_is_understood() {
        let parsed = |line| Command::parse(line).unwrap().unwrap();
        for line in ["retr 2", "RETR 2", "read 2", "print 2", "less 2", "2"] {
            assert_eq!(parsed(line), Command::Show(2), "{line}");
        }
        assert_eq!(parsed("dele 2"), Command::Delete(vec!["2"]));
        assert_eq!(parsed("rm 2-"), Command::Delete(vec!["2-"]));
        assert_eq!(parsed("rset"), Command::Rollback);
        assert_eq!(parsed("undelete 3"), Command::Undelete(vec!["3"]));
        assert_eq!(parsed("top 2"), Command::Top(2, 10));
        assert_eq!(parsed("top 2 0"), Command::Top(2, 0));
        assert_eq!(parsed("exit"), Command::Exit);
        assert_eq!(parsed("/two words"), Command::Find("two words"));
        assert_eq!(parsed("search two words"), Command::Find("two words"));
        assert_eq!(parsed("n"), Command::Next);
        assert_eq!(parsed("ls"), Command::List(vec![]));
        let Command::Help(Some(verb)) = parsed("help dele") else {
            panic!("no help");
        };
        let text = help(Some(verb));
        assert!(
            text.starts_with("delete N...") && text.contains("dele"),
            "{text}"
        );
        assert!(!text.contains("rollback "), "{text}");
    }

    #[test]
    fn every_name_is_a_command_and_in_the_help() {
        for verb in &VERBS {
            for name in verb.others.iter().chain([&verb.name]) {
                let line = format!("{name} 1");
                let parsed = Command::parse(name).or_else(|_| Command::parse(&line));
                assert!(parsed.is_ok(), "{name}");
                let about = complete(name).unwrap();
                assert_eq!(about.name, verb.name, "{name} is ambiguous");
            }
            assert!(help(None).contains(verb.name) && NAMES.contains(&verb.name));
        }
        assert!(NAMES.is_sorted());
        assert!(help(None).lines().all(|line| line.len() <= 80));
    }
}
