//! What hangs on a mail.

use mail_parser::{MessagePart, MimeHeaders as _, PartType};

use super::Mail;
use crate::text;

/// A part of a mail that is a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Attachment {
    /// The name that its sender gave it, safe to be shown and to be a file's name.
    pub name: String,
    /// Its media type.
    pub kind: String,
    /// Its octets, decoded.
    pub size: usize,
    /// They themselves.
    #[serde(skip)]
    pub octets: Vec<u8>,
}

impl Mail<'_> {
    /// Its attachments in their order, decoded.
    pub fn attachments(&self) -> Vec<Attachment> {
        let Some(message) = &self.parsed else {
            return Vec::new();
        };
        message
            .attachments()
            .enumerate()
            .map(|(position, part)| attachment(position, part))
            .collect()
    }
}

fn attachment(position: usize, part: &MessagePart<'_>) -> Attachment {
    let message = matches!(part.body, PartType::Message(_));
    let kind = part.content_type().map_or_else(
        || {
            if message {
                "message/rfc822"
            } else {
                "application/octet-stream"
            }
            .into()
        },
        |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("*")),
    );
    let octets = match &part.body {
        PartType::Message(inner) => inner.raw_message().to_vec(),
        PartType::Text(_)
        | PartType::Html(_)
        | PartType::Binary(_)
        | PartType::InlineBinary(_)
        | PartType::Multipart(_) => part.contents().to_vec(),
    };
    let given = part.attachment_name().map(file_name).unwrap_or_default();
    let name = if given.is_empty() {
        let ending = if message { "eml" } else { "bin" };
        format!("part-{}.{ending}", position + 1)
    } else {
        given
    };
    Attachment {
        name,
        kind: text::one_line(&kind),
        size: octets.len(),
        octets,
    }
}

/// A stranger's name for a file as one that may be created here: no folders, not hidden, no option.
pub(crate) fn file_name(given: &str) -> String {
    let clean: String = text::one_line(given)
        .chars()
        .map(|c| {
            if matches!(c, '/' | '\\' | ':' | char::REPLACEMENT_CHARACTER) {
                '_'
            } else {
                c
            }
        })
        .collect();
    let clean = clean.trim_start_matches(['.', '-', ' ']).trim_end();
    // file systems take 255 octets
    let mut end = clean.len().min(200);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean[..end].into()
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_stay_in_the_folder() {
        assert_eq!(file_name("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_name("..\\x.txt"), "_x.txt");
        assert_eq!(file_name("-rf"), "rf");
        assert_eq!(file_name("...\u{202e}"), "_");
        assert_eq!(file_name("a\x1b[2Jb"), "a_[2Jb");
        assert!(file_name(&"ä".repeat(300)).len() <= 200);
    }
}
