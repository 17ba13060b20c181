//! Both dialogues side by side on a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use pop3_server::transcript::Dialogue;
use rustix::termios::tcgetwinsize;

use super::{Line, Scribe, Speaker};

/// The narrowest column that can be read.
const NARROWEST: usize = 24;

/// Writes lines in two columns to standard output: POP3 on the left, IMAP on the right.
#[derive(Debug)]
pub struct Display {
    /// The width of a column.
    column: usize,
    coloured: bool,
    session: Option<u64>,
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

impl Display {
    /// As wide as the terminal or `COLUMNS` says, coloured on a terminal unless `NO_COLOR` forbids it.
    pub fn new() -> Self {
        let said = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        let seen = || {
            let size = tcgetwinsize(io::stdout()).ok()?;
            (size.ws_col > 0).then_some(size.ws_col.into())
        };
        let coloured = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self::with(said.or_else(seen).unwrap_or(132), coloured)
    }

    fn with(width: usize, coloured: bool) -> Self {
        // a time of ten characters and a bar of three
        let column = (width.saturating_sub(13) / 2).clamp(NARROWEST, 200);
        Self {
            column,
            coloured,
            session: None,
        }
    }

    /// The heading of a session.
    fn heading(&self, session: u64) -> String {
        let title = format!("session {session}");
        let left = "POP3: client and gateway";
        let right = "IMAP: gateway and server";
        format!(
            "\n{title:<10}{left:<width$} | {right}\n",
            width = self.column
        )
    }

    fn rows(&self, line: &Line) -> String {
        let (mark, colour) = match line.speaker {
            Speaker::Client => ("C: ", "\u{1b}[36m"),
            Speaker::Server => ("S: ", "\u{1b}[32m"),
        };
        let (colour, plain) = if self.coloured {
            (colour, "\u{1b}[0m")
        } else {
            ("", "")
        };
        let seconds = format!("{:8.3}  ", line.at.since_start().as_secs_f64());
        let mut rows = String::new();
        for (number, piece) in pieces(&line.text, self.column - mark.len()).enumerate() {
            let (time, mark) = if number == 0 {
                (seconds.as_str(), mark)
            } else {
                ("", "   ")
            };
            let said = format!("{mark}{piece}");
            let filler = " ".repeat(self.column.saturating_sub(said.chars().count()));
            rows += &match line.dialogue {
                Dialogue::Client => format!("{time:<10}{colour}{said}{plain}{filler} |\n"),
                Dialogue::Upstream => {
                    let empty = " ".repeat(self.column);
                    format!("{time:<10}{empty} | {colour}{said}{plain}\n")
                }
            };
        }
        rows
    }
}

impl Scribe for Display {
    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = String::new();
        if self.session != Some(line.session) {
            self.session = Some(line.session);
            text += &self.heading(line.session);
        }
        text += &self.rows(line);
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn lost(&mut self, lines: u64) {
        let _ = writeln!(
            io::stdout(),
            "          ({lines} lines came too fast to be shown)"
        );
    }
}

/// The text in pieces of at most `width` characters, cut after a space where there is one in the
/// second half; one empty piece if there is none.
fn pieces(text: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((end, _)) = text.char_indices().nth(width) else {
            return rest.take();
        };
        let (full, _) = text.split_at(end);
        let space = full
            .rfind(' ')
            .map(|space| space + 1)
            .filter(|cut| cut * 2 > end);
        let (piece, left) = text.split_at(space.unwrap_or(end));
        rest = Some(left);
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use pop3_proto::time::Time;

    use super::*;

    fn line(dialogue: Dialogue, speaker: Speaker, text: &str) -> Line {
        Line {
            session: 1,
            at: Time::from_start(Duration::from_millis(1250)),
            clock: SystemTime::UNIX_EPOCH,
            dialogue,
            speaker,
            text: text.into(),
        }
    }

    #[test]
    fn the_dialogues_stand_side_by_side() {
        let display = Display::with(0, false);
        assert_eq!(
            display.rows(&line(Dialogue::Client, Speaker::Client, "USER demo")),
            "   1.250  C: USER demo             |\n"
        );
        assert_eq!(
            display.rows(&line(Dialogue::Upstream, Speaker::Server, "* OK")),
            "   1.250                           | S: * OK\n"
        );
        assert_eq!(
            display.rows(&line(
                Dialogue::Client,
                Speaker::Server,
                "+OK this is longer than a column"
            )),
            "   1.250  S: +OK this is longer    |\n             than a column         |\n"
        );
    }

    #[test]
    fn colour_is_for_terminals() {
        let rows = Display::with(0, true).rows(&line(Dialogue::Client, Speaker::Client, "QUIT"));
        assert!(rows.contains("\u{1b}[36mC: QUIT\u{1b}[0m"), "{rows:?}");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(pieces("äöüß", 3).collect::<Vec<_>>(), ["äöü", "ß"]);
        assert_eq!(pieces("abc", 3).collect::<Vec<_>>(), ["abc"]);
        assert_eq!(pieces("a b cd", 4).collect::<Vec<_>>(), ["a b ", "cd"]);
        assert_eq!(
            pieces("a bcdefgh", 5).collect::<Vec<_>>(),
            ["a bcd", "efgh"]
        );
        assert_eq!(pieces("", 3).collect::<Vec<_>>(), [""]);
    }
}
