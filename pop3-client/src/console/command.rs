//! What may be typed.

use crate::text;

/// A line that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Help,
    List(Vec<&'a str>),
    Stat,
    Show(u32),
    Headers(u32),
    Source(u32),
    Save(u32, Option<&'a str>),
    Attachments(u32, Option<&'a str>),
    Delete(Vec<&'a str>),
    Rollback,
    Uidl(Vec<&'a str>),
    Capa,
    Noop,
    Reconnect,
    Quit,
    Abort,
}

/// The commands; a beginning that only one has will do.
pub const NAMES: [&str; 16] = [
    "abort",
    "attachments",
    "capa",
    "delete",
    "headers",
    "help",
    "list",
    "noop",
    "quit",
    "reconnect",
    "rollback",
    "save",
    "show",
    "source",
    "stat",
    "uidl",
];

pub(super) const HELP: &str = "\
list [N...]              messages with size, date, sender, subject
show N                   the text of a message, decoded
headers N                its header as it came
source N                 all of it as it came
save N [FILE]            write it to a file, octet for octet
attachments N [FOLDER]   what hangs on it; with a folder: save that there
delete N...              mark messages; 'quit' deletes them
rollback                 take all marks back
stat                     how many messages, how large
uidl [N...]              unique-ids
capa                     what the server says it can
noop                     say hello to the server
reconnect                open a new session
quit                     delete what is marked, and leave
abort                    leave without deleting anything
help                     this
N... are numbers and ranges like 3 or 1-5,9 or 7- or all.
The beginning of a command will do where no other begins so.";

impl<'a> Command<'a> {
    /// Reads a line; `None` if it is empty.
    pub(super) fn parse(line: &'a str) -> Result<Option<Self>, String> {
        let mut words = line.split_whitespace();
        let Some(verb) = words.next() else {
            return Ok(None);
        };
        let words: Vec<&str> = words.collect();
        let name = complete(verb)?;
        let file = || rest(line, 2);
        let command = match name {
            "help" => Self::Help,
            "list" => Self::List(words),
            "show" => Self::Show(number(&words)?),
            "headers" => Self::Headers(number(&words)?),
            "source" => Self::Source(number(&words)?),
            "save" => Self::Save(first(&words)?, file()),
            "attachments" => Self::Attachments(first(&words)?, file()),
            "delete" => Self::Delete(words),
            "uidl" => Self::Uidl(words),
            alone if !words.is_empty() => return Err(format!("'{alone}' stands alone")),
            "stat" => Self::Stat,
            "rollback" => Self::Rollback,
            "capa" => Self::Capa,
            "noop" => Self::Noop,
            "reconnect" => Self::Reconnect,
            "quit" => Self::Quit,
            _ => Self::Abort,
        };
        Ok(Some(command))
    }
}

fn complete(verb: &str) -> Result<&'static str, String> {
    let lower = verb.to_ascii_lowercase();
    let lower = match lower.as_str() {
        "?" => "help",
        "exit" => "quit",
        other => other,
    };
    let meant: Vec<_> = NAMES
        .iter()
        .copied()
        .filter(|name| name.starts_with(lower))
        .collect();
    match (meant.as_slice(), NAMES.contains(&lower)) {
        ([only], _) => Ok(only),
        ([first, ..], true) => Ok(first),
        ([], _) => Err(format!(
            "there is no command '{}'; 'help' lists them",
            text::one_line(verb)
        )),
        (several, false) => Err(format!("which: {}?", several.join(", "))),
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

/// What stands behind so many words: a file's name may have spaces, and quotes around it.
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
        assert_eq!(Command::parse("?"), Ok(Some(Command::Help)));
        for wrong in [
            "s",
            "x",
            "show",
            "show 0",
            "show 1 2",
            "quit now",
            "show \x1b[2J",
        ] {
            let answer = Command::parse(wrong).err().unwrap_or_default();
            assert!(!answer.is_empty() && !answer.contains('\x1b'), "{wrong:?}");
        }
    }

    #[test]
    fn every_name_is_a_command_and_in_the_help() {
        for name in NAMES {
            let line = format!("{name} 1");
            let alone = Command::parse(name).is_ok() || Command::parse(&line).is_ok();
            assert!(alone && HELP.contains(name), "{name}");
        }
    }
}
