//! The terminal itself: line editing, history, completion.
//!
//! Only commands get into the history; secrets are never typed here.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Helper};

use super::command::{self, NAMES};
use super::{Input, Terminal, Words};

/// A [`Terminal`] on standard input and output.
pub struct Editor {
    editor: rustyline::Editor<Completion, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    /// Reads the history of earlier consoles.
    pub fn new() -> io::Result<Self> {
        let config = Config::builder().auto_add_history(false).build();
        let mut editor = rustyline::Editor::with_config(config).map_err(failure)?;
        editor.set_helper(Some(Completion::default()));
        let history = history_file();
        if let Some(path) = &history {
            // it may not exist yet
            let _ = editor.load_history(path);
        }
        Ok(Self { editor, history })
    }
}

impl Terminal for Editor {
    fn read_line(&mut self, prompt: &str, words: &Words) -> io::Result<Input> {
        if let Some(helper) = self.editor.helper_mut() {
            helper.words.clone_from(words);
        }
        let input = self.ask(prompt)?;
        if let Input::Line(line) = &input
            && matches!(command::Command::parse(line), Ok(Some(_)))
        {
            let _ = self.editor.add_history_entry(line.trim());
        }
        Ok(input)
    }

    fn ask(&mut self, question: &str) -> io::Result<Input> {
        match self.editor.readline(question) {
            Ok(line) => Ok(Input::Line(line)),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(ReadlineError::Interrupted) => Ok(Input::Interrupted),
            Err(error) => Err(failure(error)),
        }
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn page(&mut self, text: &str) -> io::Result<bool> {
        match std::env::var("PAGER") {
            Ok(pager) if !pager.trim().is_empty() => run_pager(&pager, text),
            Ok(_) | Err(_) => Ok(false),
        }
    }

    fn size(&self) -> Option<(usize, usize)> {
        // a script does not turn pages
        io::stdin()
            .is_terminal()
            .then(crate::terminal::size)
            .flatten()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        if let Some(path) = &self.history {
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = self.editor.save_history(path);
        }
    }
}

#[derive(Default)]
struct Completion {
    words: Words,
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(candidates(&line[..position], &self.words))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Hinter for Completion {
    type Hint = String;
}

/// `$PAGER` is a shell command. If it does not exist it shows nothing, and we do.
fn run_pager(pager: &str, text: &str) -> io::Result<bool> {
    let mut child = Command::new("sh")
        .args(["-c", pager])
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut pages) = child.stdin.take() {
        match pages.write_all(text.as_bytes()) {
            // the user saw enough of it
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    // 126 and 127: the shell could not run it
    Ok(!matches!(child.wait()?.code(), Some(126 | 127)))
}

/// Where the word that is being typed begins, and its completions.
fn candidates(typed: &str, words: &Words) -> (usize, Vec<String>) {
    let start = typed
        .rfind([' ', ',', '-'])
        .map_or(0, |separator| separator + 1);
    let begun = &typed[start..];
    let found = if start == 0 {
        NAMES
            .iter()
            .filter(|name| name.starts_with(begun))
            .map(|name| format!("{name} "))
            .collect()
    } else {
        words
            .numbers
            .iter()
            .map(u32::to_string)
            .filter(|number| number.starts_with(begun))
            .take(100)
            .collect()
    };
    (start, found)
}

fn history_file() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".local").join("state")))?;
    Some(folder.join("pop3-client").join("history"))
}

fn failure(error: ReadlineError) -> io::Error {
    if let ReadlineError::Io(error) = error {
        return error;
    }
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_numbers_are_completed() {
        let words = Words {
            numbers: vec![1, 10, 12, 2],
        };
        assert_eq!(candidates("sh", &words), (0, vec!["show ".to_string()]));
        assert_eq!(candidates("delete 2,1", &words).0, 9);
        assert_eq!(candidates("delete 2,1", &words).1, ["1", "10", "12"]);
    }
}
