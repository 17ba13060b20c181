//! `kind = "list"`: the same messages for every account; deletions last as long as the process.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::kind::{Kind, Mailboxes, Passwords, Problem, Store, Tools};
use super::local::Local;
use crate::listed::Listed;
use crate::mail::Mail;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem as Mistake};
use crate::setting::reference::Section;
use crate::setting::rows;
use crate::setting::value::Date;

/// A list of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List(pub Vec<ListedMessage>);

/// A message of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedMessage {
    /// A message, headers and all.
    File(PathBuf),
    /// A text that is made into a message.
    Text {
        /// Its subject.
        subject: String,
        /// Its text.
        text: String,
        /// Its date, in seconds since 1970.
        date: i64,
    },
}

/// A message as it is written.
#[derive(Default)]
struct Written {
    file: Option<PathBuf>,
    subject: Option<String>,
    text: Option<String>,
    date: Option<Date>,
}

rows! {
    /// `[[store.message]]`
    ROWS: Written = Written::default();

    /// A text that is made into a message; a change of its text or its date makes another message of it.
    own "subject" r#""Welcome""# => (subject),
    own "text" r#""Your mailbox is ready.\n""# => (text),
    own "date" "2026-11-20" => (date),
    /// Or a message in a file, header and all.
    own "file" r#""welcome.eml""# => (file),
}

/// What the reference says of it.
pub(super) fn section() -> Section {
    let about = "A message of a store of kind = \"list\".";
    Section::new("[[store.message]]", about).with(ROWS)
}

/// Reads the keys of this kind.
pub(crate) fn configure(table: &mut Table<'_>, _: bool) -> Result<Arc<dyn Kind>, Fault> {
    let mut messages = Vec::new();
    for mut message in table.tables("message") {
        let mut written = Written::default();
        message.read(ROWS, &mut written, |_| Ok(()))?;
        let Written {
            file,
            subject,
            text,
            date,
        } = written;
        let listed = match (file, subject, text, date) {
            (Some(file), None, None, None) => ListedMessage::File(file),
            (None, Some(subject), Some(text), Some(Date(date))) => ListedMessage::Text {
                subject,
                text,
                date,
            },
            (None, Some(_), Some(_), None) => {
                let what =
                    "the date is missing; without one clients would see another message each time";
                let problem = Mistake::new("date", what, "write for example date = 2026-11-20");
                return Err(message.fault(problem));
            }
            _ => {
                let what = "a message is a file, or a subject with a text and a date";
                let remedy = "write file = \"FILE\", or subject, text and date";
                return Err(message.fault(Mistake::new("file", what, remedy)));
            }
        };
        if let ListedMessage::Text { subject, .. } = &listed
            && subject.chars().any(char::is_control)
        {
            let problem = Mistake::new("subject", "this is not one line", "write one line");
            return Err(message.fault(problem));
        }
        messages.push(listed);
    }
    Ok(Arc::new(List(messages)))
}

impl Kind for List {
    fn word(&self) -> &'static str {
        "list"
    }

    fn told(&self, accounts: &str) -> String {
        format!("list of {} messages, {accounts}", self.0.len())
    }

    fn unique_ids(&self) -> Option<&'static str> {
        Some(
            "digests of the messages; one that is changed is another message. After a restart or SIGHUP all are \
             there again, with the ids that they had",
        )
    }

    fn open(
        &self,
        store: &Store,
        passwords: &Passwords,
        _: bool,
    ) -> Result<Arc<dyn Mailboxes>, Problem> {
        Local::with_file(store, passwords, |accounts| {
            let messages = self.0.iter().enumerate();
            let messages: Result<_, _> = messages
                .map(|(number, message)| message.octets(&store.name, number))
                .collect();
            Ok(Listed::new(messages?, accounts))
        })
    }

    fn tools(&self) -> &dyn Tools {
        self
    }
}

impl Tools for List {}

impl ListedMessage {
    fn octets(&self, store: &str, number: usize) -> Result<Vec<u8>, Problem> {
        match self {
            Self::File(path) => {
                fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
            }
            Self::Text {
                subject,
                text,
                date,
            } => {
                let mail = Mail {
                    from: "pop3-gateway@localhost".into(),
                    to: None,
                    subject: subject.clone(),
                    date: *date,
                    message_id: format!("{}.{number}.{date}@localhost", in_message_id(store)),
                    text: text.clone(),
                };
                Ok(mail.octets())
            }
        }
    }
}

/// A store's name as a part of a Message-ID; different names give different parts.
fn in_message_id(store: &str) -> String {
    let mut part = String::with_capacity(store.len());
    for octet in store.bytes() {
        if octet.is_ascii_alphanumeric() {
            part.push(char::from(octet));
        } else {
            part.push_str(&format!("={octet:02X}"));
        }
    }
    part
}

#[cfg(test)]
mod tests {
    /// Stores whose names differ in one sign alone make different Message-IDs.
    #[test]
    fn w064_message_ids_of_two_lists_differ() {
        let names = [
            "log1",
            "log-1",
            "log.1",
            "log_1",
            "log=2D1",
            "l\u{f6}g1",
            "lg1",
        ];
        let parts: std::collections::BTreeSet<_> = names.map(super::in_message_id).into();
        assert_eq!(parts.len(), names.len());
        let clean = |c: char| c.is_ascii_alphanumeric() || c == '=';
        assert!(
            parts.iter().all(|part| part.chars().all(clean)),
            "{parts:?}"
        );
    }
}
