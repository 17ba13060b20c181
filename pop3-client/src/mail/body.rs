//! The text of a mail, and its attachments. It owns which parts are read, in which form, and which are
//! files. It takes nothing apart itself.

use super::attachment::{Attachment, attachment};
use super::entity::Part;
use super::transfer::Encoding;
use super::{Mail, charset, flowed, html, tnef, uuencode};
use crate::text;

/// Messages within each other; deeper ones are shown as they are.
const MAX_DEPTH: usize = 10;

/// The content of a mail.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) text: String,
    pub(super) attachments: Vec<Attachment>,
}

/// What a part is to a reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Parts,
    Message,
    Text,
    Winmail,
    File,
}

/// What is known of each part before anything is shown.
struct Plan {
    role: Role,
    /// How plain a form of a text it is; the smallest is the plainest.
    rank: u8,
}

impl Mail<'_> {
    /// What there is to read: the plain text, or what the HTML says, and that of messages within, each
    /// with a short head.
    pub fn text(&self) -> String {
        self.contents().text.clone()
    }

    pub(super) fn contents(&self) -> &Contents {
        self.contents.get_or_init(|| {
            let whole = self.parts.first();
            // a message within a message within a message is not kept more than a few times
            let mut room = whole.map_or(0, |whole| whole.body.len()).saturating_mul(2);
            self.read(0, &mut room)
        })
    }

    fn read(&self, depth: usize, room: &mut usize) -> Contents {
        let mut reader = Reader {
            parts: &self.parts,
            plan: plan(&self.parts),
            hint: self.hint(),
            depth,
            room,
            found: Contents::default(),
        };
        reader.show(0);
        if is_blank(&reader.found.text) {
            // a text that its writer called a file is better than none
            for (position, part) in self.parts.iter().enumerate() {
                if reader.role(position) == Role::Text && part.is_attached() {
                    reader.say_part(part);
                }
            }
        }
        reader.found
    }
}

fn role(part: &Part<'_>) -> Role {
    match part.kind.as_str() {
        "message/rfc822" | "message/global" | "message/news" => Role::Message,
        "application/ms-tnef" | "application/vnd.ms-tnef" => Role::Winmail,
        "application/xhtml+xml" => Role::Text,
        kind if kind.starts_with("multipart/") => Role::Parts,
        // reports, pieces of mails, addresses of texts elsewhere: words in any case
        kind if kind.starts_with("text/") || kind.starts_with("message/") => Role::Text,
        _ if part
            .name(None)
            .is_some_and(|name| name.eq_ignore_ascii_case("winmail.dat")) =>
        {
            Role::Winmail
        }
        _ => Role::File,
    }
}

/// Parts come after the multipart that they are in, so one pass from the end sees them first.
fn plan(parts: &[Part<'_>]) -> Vec<Plan> {
    let mut plan: Vec<Plan> = parts
        .iter()
        .map(|part| {
            let role = role(part);
            let rank = match (role, part.kind.as_str()) {
                (Role::Text, _) if part.is_attached() => 4,
                (Role::Text, "text/plain") => 0,
                (Role::Text, "text/html") => 1,
                (Role::Text, _) => 2,
                (Role::Message | Role::Winmail, _) => 3,
                (Role::File | Role::Parts, _) => 4,
            };
            Plan { role, rank }
        })
        .collect();
    for (position, part) in parts.iter().enumerate().rev() {
        let children = part.children.iter().filter_map(|child| plan.get(*child));
        if let Some(rank) = children.map(|child| child.rank).min() {
            plan[position].rank = rank;
        }
    }
    plan
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

struct Reader<'m, 'a> {
    parts: &'m [Part<'a>],
    plan: Vec<Plan>,
    hint: Option<&'m str>,
    depth: usize,
    /// Octets that files within messages within may still take.
    room: &'m mut usize,
    found: Contents,
}

impl Reader<'_, '_> {
    /// Shows a part, or names it as a file.
    fn show(&mut self, number: usize) {
        let parts = self.parts;
        let Some(part) = parts.get(number) else {
            return;
        };
        match self.role(number) {
            Role::Parts if part.children.is_empty() => self.closed(part),
            Role::Parts if part.kind == "multipart/alternative" => self.alternative(part),
            Role::Parts => part.children.iter().for_each(|child| self.show(*child)),
            Role::Message => self.message(part),
            Role::Text if part.is_attached() => self.file(part),
            Role::Text => {
                self.say_part(part);
                if part.name(None).is_some() {
                    self.file(part);
                }
            }
            Role::Winmail => self.winmail(part),
            Role::File => self.file(part),
        }
    }

    /// A multipart without parts: it is encoded, which RFC 2045 section 6.4 forbids, or it is a text.
    fn closed(&mut self, part: &Part<'_>) {
        let octets = self.octets(part);
        if part.encoding == Encoding::None || self.depth >= MAX_DEPTH {
            return self.say(&charset::undeclared(&octets, self.hint));
        }
        // its first line that looks like a delimiter is one
        let mut opened = format!("Content-Type: {}\r\n\r\n", part.kind).into_bytes();
        opened.extend(octets);
        let inner = Mail::parse(&opened).read(self.depth + 1, self.room);
        self.paragraph(&inner.text);
        self.take_files(inner.attachments);
    }

    /// Those of what was read for itself.
    fn take_files(&mut self, files: Vec<Attachment>) {
        let numbered = self.found.attachments.len();
        let files = files.into_iter().enumerate();
        let files = files.map(|(position, file)| file.numbered(numbered + position));
        self.found.attachments.extend(files);
    }

    /// The plainest form with any text in it; files that only the others have are attachments, too.
    fn alternative(&mut self, part: &Part<'_>) {
        let mut forms = part.children.clone();
        forms.sort_by_key(|child| self.rank(*child));
        let mut shown = None;
        for form in &forms {
            let before = (
                self.found.text.len(),
                self.found.attachments.len(),
                *self.room,
            );
            self.show(*form);
            if !is_blank(&self.found.text[before.0..]) {
                shown = Some(*form);
                break;
            }
            self.found.text.truncate(before.0);
            self.found.attachments.truncate(before.1);
            *self.room = before.2;
        }
        for form in part.children.iter().filter(|form| Some(**form) != shown) {
            self.files(*form);
        }
    }

    fn role(&self, number: usize) -> Role {
        self.plan.get(number).map_or(Role::File, |plan| plan.role)
    }

    fn rank(&self, number: usize) -> u8 {
        self.plan.get(number).map_or(u8::MAX, |plan| plan.rank)
    }

    /// The files of a part that is not shown.
    fn files(&mut self, number: usize) {
        let parts = self.parts;
        let Some(part) = parts.get(number) else {
            return;
        };
        match self.role(number) {
            Role::Parts => part.children.iter().for_each(|child| self.files(*child)),
            Role::Text if !part.is_attached() && part.name(None).is_none() => {
                if !matches!(part.kind.as_str(), "text/plain" | "text/html") {
                    self.file(part);
                }
            }
            Role::Text | Role::Message | Role::Winmail | Role::File => self.file(part),
        }
    }

    fn file(&mut self, part: &Part<'_>) {
        let octets = self.octets(part);
        self.add(part.name(self.hint), &part.kind, octets);
    }

    fn add(&mut self, name: Option<String>, kind: &str, octets: Vec<u8>) {
        if self.depth > 0 {
            let Some(left) = self.room.checked_sub(octets.len()) else {
                return;
            };
            *self.room = left;
        }
        let position = self.found.attachments.len();
        self.found
            .attachments
            .push(attachment(position, name.as_deref(), kind, octets));
    }

    fn octets(&self, part: &Part<'_>) -> Vec<u8> {
        if part.encoding == Encoding::Uuencode {
            let text = charset::undeclared(part.body, None);
            if let Some(file) = uuencode::split(&text).1.into_iter().next() {
                return file.octets;
            }
        }
        part.encoding.decode(part.body).octets
    }

    /// A message within: its short head, its text, its files; and itself as a file.
    fn message(&mut self, part: &Part<'_>) {
        let octets = self.octets(part);
        if self.depth >= MAX_DEPTH {
            self.say(&charset::undeclared(&octets, self.hint));
            return self.add(part.name(self.hint), &part.kind, octets);
        }
        let mail = Mail::parse(&octets);
        let head = mail.short_head();
        let inner = mail.read(self.depth + 1, self.room);
        if !head.is_empty() || !is_blank(&inner.text) {
            self.paragraph(&format!("[message]\n{head}\n{}", inner.text));
        }
        self.add(part.name(self.hint), &part.kind, octets);
        self.take_files(inner.attachments);
    }

    fn winmail(&mut self, part: &Part<'_>) {
        let Some(contents) = tnef::read(&self.octets(part)) else {
            return self.file(part);
        };
        if let Some(said) = contents.text.filter(|said| !is_blank(said)) {
            self.say(&said);
        } else if let Some(page) = contents.html {
            self.say(&html::to_text(&page));
        }
        let nothing = contents.files.is_empty();
        for (name, octets) in contents.files {
            self.add(Some(name), "application/octet-stream", octets);
        }
        if nothing {
            self.file(part);
        }
    }

    fn say_part(&mut self, part: &Part<'_>) {
        let decoded = part.encoding.decode(part.body);
        let label = part.content.word("charset");
        let label = label.or_else(|| meta_charset(&part.kind, &decoded.octets));
        let said = charset::decode(label.as_deref(), &decoded.octets, self.hint);
        let (_, subtype) = part.kind.split_once('/').unwrap_or_default();
        match subtype {
            "html" | "xhtml+xml" | "x-amp-html" | "watch-html" => self.say(&html::to_text(&said)),
            "enriched" | "richtext" => self.say(&html::enriched(&said)),
            // RFC 5545 and RFC 6350: a line that begins with a space goes on with the one before
            "calendar" | "x-vcalendar" | "vcard" | "x-vcard" | "directory" => {
                let unfolded = said.replace("\r\n", "\n");
                self.say(&unfolded.replace("\n ", "").replace("\n\t", ""));
            }
            "rfc822-headers" | "global-headers" => {
                let head = Mail::parse(&decoded.octets).short_head();
                self.say(if head.is_empty() { &said } else { &head });
            }
            "plain" => self.plain(part, &said),
            _ => self.say(&said),
        }
        let beside = charset::undeclared(&decoded.beside, self.hint);
        // a list adds to a page what is one, too
        if subtype == "html" && beside.trim_start().starts_with('<') {
            self.say(&html::to_text(&beside));
        } else {
            self.say(&beside);
        }
    }

    fn plain(&mut self, part: &Part<'_>, said: &str) {
        let (left, files) = uuencode::split(said);
        let is =
            |name: &str, value: &str| part.content.word(name).is_some_and(|word| word == value);
        if is("format", "flowed") {
            self.say(&flowed::paragraphs(&left, is("delsp", "yes")));
        } else {
            self.say(&left);
        }
        for file in files {
            self.add(Some(file.name), "application/octet-stream", file.octets);
        }
    }

    /// What a stranger wrote.
    fn say(&mut self, said: &str) {
        self.paragraph(&text::lines(said));
    }

    fn paragraph(&mut self, shown: &str) {
        if is_blank(shown) {
            return;
        }
        let text = &mut self.found.text;
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
        text.push_str(shown);
    }
}

/// The charset that a page names itself, where its mail does not.
fn meta_charset(kind: &str, page: &[u8]) -> Option<String> {
    if kind != "text/html" {
        return None;
    }
    let beginning = String::from_utf8_lossy(&page[..page.len().min(1024)]).to_ascii_lowercase();
    let (_, named) = beginning.split_once("charset=")?;
    let named = named.trim_start_matches(['"', '\'', ' ']);
    let end =
        named.find(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '>' | ';' | '/'));
    Some(named[..end.unwrap_or(named.len())].into())
}
