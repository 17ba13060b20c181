//! Sender, date and subject.

use super::address::{self, Mailbox};
use super::{Mail, charset, date, word};
use crate::text;

/// The line of a mail in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// When it was written, in the writer's own time (RFC 3339; `-00:00` where the zone is not known). A
    /// date that cannot be read is as its writer wrote it.
    pub date: Option<String>,
    /// The sender: the name, or the address.
    pub from: String,
    /// The address of the sender.
    pub from_address: String,
    /// The recipients.
    pub to: String,
    /// The address for answers, if it is not that of the sender.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reply_to: String,
    /// The subject.
    pub subject: String,
}

/// A date that cannot be read is cut to this width.
const MAX_DATE: usize = 100;

impl Summary {
    /// The date for a listing: to the minute.
    pub fn short_date(&self) -> String {
        let date = self.shown_date();
        match date.get(..16) {
            Some(minutes) if self.is_dated() => minutes.into(),
            Some(_) | None => date,
        }
    }

    fn is_dated(&self) -> bool {
        let date = self.date.as_deref().unwrap_or_default();
        // `-00:00` was added where the writer named no zone
        let written = date.strip_suffix("-00:00").unwrap_or(date);
        date.as_bytes().get(10) == Some(&b'T') && date::rfc3339(written).as_deref() == Some(date)
    }

    fn shown_date(&self) -> String {
        let date = self.date.as_deref().unwrap_or_default();
        if !self.is_dated() {
            return date.into();
        }
        let date = date.strip_suffix("-00:00").unwrap_or(date);
        date.replacen('T', " ", 1)
    }
}

impl Mail<'_> {
    /// Its line in a listing.
    pub fn summary(&self) -> Summary {
        let senders = self.senders();
        // the name of a group has no address
        let addressed = senders.iter().find(|sender| !sender.address.is_empty());
        let from = addressed
            .or_else(|| senders.first())
            .cloned()
            .unwrap_or_default();
        let reply_to = self.mailboxes("reply-to");
        let elsewhere = |other: &Mailbox| !other.address.eq_ignore_ascii_case(&from.address);
        let reply_to = if reply_to.iter().any(elsewhere) {
            joined(&reply_to)
        } else {
            String::new()
        };
        let name = [&from.name, &from.address]
            .into_iter()
            .map(|name| text::one_line(name))
            .find(|name| !name.is_empty());
        Summary {
            date: self.date(),
            from: name.unwrap_or_default(),
            from_address: text::one_line(&from.address),
            to: joined(&self.mailboxes("to")),
            reply_to,
            subject: self.line("subject"),
        }
    }

    /// The lines that a reader wants to see above the text.
    pub fn short_head(&self) -> String {
        let summary = self.summary();
        [
            ("Date", summary.shown_date()),
            ("From", joined(&self.senders())),
            ("Reply-To", summary.reply_to),
            ("To", summary.to),
            ("Cc", joined(&self.mailboxes("cc"))),
            ("Subject", summary.subject),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
    }

    /// The header as it came, but harmless.
    pub fn raw_head(&self) -> String {
        let head = self.parts.first().map(|whole| whole.head);
        text::lines(&charset::undeclared(head.unwrap_or_default(), self.hint()))
    }

    fn date(&self) -> Option<String> {
        let written = self.line("date");
        if written.is_empty() {
            return None;
        }
        date::rfc3339(&written).or_else(|| Some(text::cut(&written, MAX_DATE)))
    }

    /// The first field of this name that is not empty, decoded, on one line.
    fn line(&self, name: &str) -> String {
        let whole = self.parts.first().into_iter();
        whole
            .flat_map(|whole| whole.fields.all(name))
            .map(|field| text::one_line(&word::decode(&field, self.hint())))
            .find(|line| !line.is_empty())
            .unwrap_or_default()
    }

    /// The sender. Of two fields the first counts: it is the one that the server and the writer agreed on.
    fn senders(&self) -> Vec<Mailbox> {
        let whole = self.parts.first();
        ["from", "sender"]
            .into_iter()
            .flat_map(|name| whole.into_iter().flat_map(|whole| whole.fields.all(name)))
            .map(|field| address::list(&field, self.hint()))
            .find(|mailboxes| !mailboxes.is_empty())
            .unwrap_or_default()
    }

    /// The mailboxes of all fields of this name.
    fn mailboxes(&self, name: &str) -> Vec<Mailbox> {
        let whole = self.parts.first().into_iter();
        whole
            .flat_map(|whole| whole.fields.all(name))
            .flat_map(|field| address::list(&field, self.hint()))
            .collect()
    }
}

fn joined(mailboxes: &[Mailbox]) -> String {
    let all: Vec<_> = mailboxes.iter().map(ToString::to_string).collect();
    text::one_line(&all.join(", "))
}
