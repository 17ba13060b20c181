//! Compares what a client received with the reference maildrop.
//!
//! Owns no expectation of its own: [`Maildrop`] knows what a reply must be, and a [`Tolerance`] what
//! else it may be because something is broken.

use crate::model::{Maildrop, Reply};

/// How far a session may differ from one in which all goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// Nothing.
    Nothing,
    /// It may end anywhere: the client is cut off.
    Cut,
    /// The upstream is in trouble: logins, messages and updates may fail, a message may break off, and
    /// the session may end where it cannot go on.
    Upstream,
    /// The server shuts down: the session may end after any reply, with or without a last `-ERR`.
    Shutdown,
}

/// A summary of what the client received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The login succeeded.
    pub logged_in: bool,
    /// How many commands were answered to the end.
    pub answered: usize,
    /// How many of them were refused although the model does not refuse them.
    pub failed: usize,
    /// Messages that came whole, by RETR.
    pub whole: Vec<usize>,
    /// The numbers that are marked at the end.
    pub marked: Vec<usize>,
    /// What became of QUIT, once it was answered.
    pub quit: Option<bool>,
    /// A message broke off.
    pub broken_off: bool,
    /// The last reply said that the server is shutting down.
    pub down: bool,
}

/// Reads the whole output of a session in which these commands were sent; the first octets are the
/// greeting.
pub fn judge<C: AsRef<[u8]>>(
    output: &[u8],
    ended: bool,
    commands: &[C],
    mut model: Maildrop,
    tolerance: Tolerance,
) -> Result<Heard, String> {
    let mut heard = Heard::default();
    let mut rest = output;
    match Reply::Ok.check(rest)? {
        Some(len) => rest = &rest[len..],
        None => return heard.ends(rest, ended, tolerance, "the greeting"),
    }
    for command in commands {
        let command = command.as_ref();
        let shown = command.escape_ascii().to_string();
        let about = |fault: String| format!("{shown}: {fault}");
        let expected = heard.expected(&mut model, command);
        match heard.reply(&expected, rest, tolerance).map_err(about)? {
            Verdict::Good(len) => {
                rest = &rest[len..];
                heard.answered += 1;
                if command.eq_ignore_ascii_case(b"QUIT") {
                    heard.quit = Some(true);
                }
                let first = command
                    .split(|byte| *byte == b' ')
                    .next()
                    .unwrap_or_default();
                if first.eq_ignore_ascii_case(b"PASS") && expected == Reply::Ok {
                    heard.logged_in = true;
                }
                if first.eq_ignore_ascii_case(b"RETR") && matches!(expected, Reply::Body(_)) {
                    heard.whole.extend(number(command));
                }
            }
            Verdict::Failed(len) => {
                rest = &rest[len..];
                heard.answered += 1;
                heard.failed += 1;
                if command.eq_ignore_ascii_case(b"QUIT") {
                    heard.quit = Some(false);
                }
            }
            Verdict::Down(len) => {
                rest = &rest[len..];
                heard.down = true;
            }
            Verdict::Short => {
                heard.broken_off = matches!(expected, Reply::Body(_)) && rest.starts_with(b"+OK");
                heard.marked = model.deleted();
                return heard.ends(rest, ended, tolerance, &shown);
            }
        }
        if heard.quit.is_some() || heard.down {
            break;
        }
    }
    heard.marked = model.deleted();
    if !rest.is_empty() {
        return Err(format!("left over: {}", rest.escape_ascii()));
    }
    if (heard.quit.is_some() || heard.down) && !ended && tolerance != Tolerance::Cut {
        return Err("the connection stays open".into());
    }
    Ok(heard)
}

/// What a reply turned out to be, with its length.
enum Verdict {
    Good(usize),
    Failed(usize),
    Down(usize),
    Short,
}

impl Heard {
    fn expected(&self, model: &mut Maildrop, command: &[u8]) -> Reply {
        if self.logged_in {
            return model.execute(command);
        }
        let mut words = command.split(|byte| *byte == b' ');
        match words
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase()
            .as_slice()
        {
            b"USER" | b"PASS" => Reply::Ok,
            b"QUIT" => Reply::Quit,
            b"CAPA" => Reply::Anything { multi_line: true },
            _ => Reply::Err,
        }
    }

    fn reply(
        &self,
        expected: &Reply,
        rest: &[u8],
        tolerance: Tolerance,
    ) -> Result<Verdict, String> {
        let fault = match expected.check(rest) {
            Ok(Some(len)) => return Ok(Verdict::Good(len)),
            Ok(None) => return Ok(Verdict::Short),
            Err(fault) => fault,
        };
        let refused = Reply::Err.check(rest).ok().flatten();
        let temporary = rest.starts_with(b"-ERR [SYS/TEMP] ");
        match (tolerance, refused) {
            (Tolerance::Upstream, Some(len)) if self.may_fail(expected) => Ok(Verdict::Failed(len)),
            (Tolerance::Shutdown, Some(len)) if temporary => Ok(Verdict::Down(len)),
            _ => Err(fault),
        }
    }

    fn may_fail(&self, expected: &Reply) -> bool {
        match expected {
            Reply::Body(_) | Reply::Quit => true,
            // PASS, or a command after a login that failed
            Reply::Ok => !self.logged_in,
            Reply::Err | Reply::Status(_) | Reply::Listing(_) | Reply::Anything { .. } => false,
        }
    }

    /// The output ends within or before a reply.
    fn ends(
        self,
        rest: &[u8],
        ended: bool,
        tolerance: Tolerance,
        shown: &str,
    ) -> Result<Self, String> {
        let silent = rest.is_empty();
        let good = match tolerance {
            Tolerance::Nothing => false,
            Tolerance::Cut => true,
            Tolerance::Upstream => ended && (silent || self.broken_off),
            Tolerance::Shutdown => ended && silent,
        };
        if good {
            Ok(self)
        } else {
            let end = if ended { "the end" } else { "nothing more" };
            let rest = &rest[..rest.len().min(200)];
            Err(format!("{shown}: {end} after `{}`", rest.escape_ascii()))
        }
    }
}

fn number(command: &[u8]) -> Option<usize> {
    let text = str::from_utf8(command).ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}
