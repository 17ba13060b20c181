//! The attachments of a mail: names for files, and the files.

use super::Mail;
use super::entity::Part;
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
    /// The octets themselves.
    #[serde(skip)]
    pub octets: Vec<u8>,
    /// Whether its sender gave it no name.
    #[serde(skip)]
    nameless: bool,
}

impl Mail<'_> {
    /// Its attachments in their order, decoded.
    pub fn attachments(&self) -> &[Attachment] {
        &self.contents().attachments
    }
}

impl Part<'_> {
    /// The name that its sender gave it.
    pub(super) fn name(&self, hint: Option<&str>) -> Option<String> {
        let given = [(&self.disposition, "filename"), (&self.content, "name")];
        given
            .into_iter()
            .filter_map(|(content, name)| content.text(name, hint))
            .find(|name| !name.trim().is_empty())
    }

    /// Whether its sender wants it to be a file.
    pub(super) fn is_attached(&self) -> bool {
        self.disposition.value == "attachment"
    }
}

impl Attachment {
    /// With the name that an unnamed one gets at this position.
    pub(super) fn numbered(mut self, position: usize) -> Self {
        if self.nameless {
            self.name = usual_name(position, &self.kind);
        }
        self
    }
}

pub(super) fn attachment(
    position: usize,
    name: Option<&str>,
    kind: &str,
    octets: Vec<u8>,
) -> Attachment {
    let given = name.map(file_name).unwrap_or_default();
    let kind = text::cut(&text::one_line(kind), 100);
    let nameless = given.is_empty();
    Attachment {
        name: if nameless {
            usual_name(position, &kind)
        } else {
            given
        },
        size: octets.len(),
        kind,
        octets,
        nameless,
    }
}

fn usual_name(position: usize, kind: &str) -> String {
    let ending = match kind {
        "message/rfc822" | "message/global" | "message/news" => "eml",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/calendar" => "ics",
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "application/pdf" => "pdf",
        _ => "bin",
    };
    format!("part-{}.{ending}", position + 1)
}

/// File systems take 255 octets.
const MAX_NAME: usize = 200;

/// A stranger's name for a file, made safe to create here: no folders, not hidden, not like an option.
/// One that is too long keeps its ending.
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
    if clean.len() <= MAX_NAME {
        return clean.into();
    }
    let ending = clean.rfind('.').map_or("", |dot| &clean[dot..]);
    let ending = if ending.len() <= 20 { ending } else { "" };
    let mut end = MAX_NAME - ending.len();
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &clean[..end])
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

    #[test]
    fn w076_a_long_name_keeps_its_ending() {
        let name = file_name(&("Ü".repeat(300) + ".pdf"));
        assert!(name.len() <= 200 && name.ends_with("Ü.pdf"), "{name}");
    }
}
