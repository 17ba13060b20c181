//! What a mailbox holds, line by line.

use pop3_proto::command::{Command, MessageNumber};

use crate::mail::{Mail, Summary};
use crate::text;
use pop3_client_io::blocking::Session;
use pop3_client_io::{Error, Part};

/// A message in a listing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Its number.
    pub number: u32,
    /// Its octets, as in LIST.
    pub size: u64,
    /// What its header says; `None` if the server does not send it.
    #[serde(flatten)]
    pub summary: Option<Summary>,
}

/// More of a header than this is not looked at.
const MAX_HEAD: usize = 256 * 1024;

/// Fetches the headers of these messages with TOP, several ahead where the server allows it.
pub fn fetch(session: &mut Session, messages: &[(u32, u64)]) -> Result<Vec<Line>, Error> {
    let commands = messages
        .iter()
        .map(|(number, _)| Command::Top(MessageNumber(*number), 0));
    let mut lines: Vec<Line> = Vec::with_capacity(messages.len());
    let mut head = Vec::new();
    session.run_all(commands, &mut |position, part| {
        let summary = match part {
            Part::Start(_) => {
                head.clear();
                return Ok(());
            }
            Part::Octets(octets) => {
                let room = MAX_HEAD.saturating_sub(head.len());
                head.extend_from_slice(&octets[..octets.len().min(room)]);
                return Ok(());
            }
            Part::Whole => Some(Mail::parse(&head).summary()),
            Part::Refused(_) => None,
        };
        if let Some(&(number, size)) = messages.get(position) {
            lines.push(Line {
                number,
                size,
                summary,
            });
        }
        Ok(())
    })?;
    Ok(lines)
}

impl Line {
    /// The line on a terminal of this width; `marked` shows that the message is to be deleted.
    pub fn show(&self, width: usize, marked: bool) -> String {
        let mark = if marked { 'D' } else { ' ' };
        let size = text::size(self.size);
        let empty = Summary::default();
        let summary = self.summary.as_ref().unwrap_or(&empty);
        let from = if width >= 100 { 28 } else { 20 };
        let line = format!(
            "{mark}{:>5} {size:>5}  {:16}  {}  {}",
            self.number,
            text::cut(&summary.short_date(), 16),
            text::cell(&summary.from, from),
            summary.subject,
        );
        text::cut(line.trim_end(), width)
    }
}
