//! The text of a mail.

use mail_parser::decoders::html::html_to_text;
use mail_parser::{MessagePart, MimeHeaders as _, PartType};

use super::{Mail, Summary};
use crate::text;

impl Mail<'_> {
    /// What there is to read: the plain text, or what the HTML says; other parts are named.
    pub fn text(&self) -> String {
        let Some(message) = &self.parsed else {
            return text::lines(&String::from_utf8_lossy(self.raw));
        };
        let mut shown = String::new();
        for part in message.text_bodies() {
            if !shown.is_empty() && !shown.ends_with("\n\n") {
                shown.push('\n');
            }
            shown.push_str(&readable(part));
        }
        if shown.is_empty() {
            for part in message.html_bodies() {
                shown.push_str(&readable(part));
            }
        }
        // a multipart that could not be taken apart is no attachment
        let broken = |part: &MessagePart<'_>| {
            part.content_type()
                .is_some_and(|kind| kind.ctype().eq_ignore_ascii_case("multipart"))
        };
        if shown.trim().is_empty() && message.attachments().all(broken) {
            // better as it is than not at all
            let no_head = self.summary() == Summary::default();
            let left = if no_head {
                self.raw
            } else {
                self.body_octets()
            };
            return text::lines(&String::from_utf8_lossy(left));
        }
        shown
    }
}

fn readable(part: &MessagePart<'_>) -> String {
    match &part.body {
        PartType::Text(plain) => text::lines(plain),
        PartType::Html(html) => text::lines(&html_to_text(html)),
        PartType::Binary(octets) | PartType::InlineBinary(octets) => {
            let kind = part.content_type().map_or_else(
                || "application/octet-stream".into(),
                |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("*")),
            );
            let name = part.attachment_name().unwrap_or("without a name");
            let size = text::size(octets.len() as u64);
            format!(
                "[{} {}, {size}]\n",
                text::one_line(&kind),
                text::one_line(name)
            )
        }
        PartType::Message(_) | PartType::Multipart(_) => String::new(),
    }
}
