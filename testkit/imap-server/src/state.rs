//! What the commands of one connection work on.
//!
//! Owns who is logged in, which folder is selected, and the form of responses. Knows no command, and nothing of
//! how input comes.

use super::Server;
use super::fault::Trouble;
use super::output::Output;
use super::set::Set;
use super::store::Folder;
use super::word::Word;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct State {
    pub(super) server: Server,
    pub(super) user: Option<String>,
    pub(super) selected: Option<Selected>,
    pub(super) output: Output,
    /// What goes wrong with the command that runs.
    pub(super) troubles: Vec<Trouble>,
}

/// The selected folder.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) folder: String,
    pub(super) read_only: bool,
    /// The UIDs by sequence number.
    pub(super) view: Vec<u32>,
    /// Up to which change of the folder the client knows.
    pub(super) seen: u64,
}

impl Selected {
    /// The messages of a set with their sequence numbers; `None` if it is malformed.
    pub(super) fn resolve(&self, uid: bool, word: Option<&Word>) -> Option<Vec<(u32, u32)>> {
        let set = self.set(uid, word)?;
        let numbered = (1..).zip(self.view.iter().copied());
        Some(
            numbered
                .filter(|&(seq, own)| set.contains(if uid { own } else { seq }))
                .collect(),
        )
    }

    pub(super) fn set(&self, uid: bool, word: Option<&Word>) -> Option<Set> {
        let last = if uid {
            self.view.last().copied().unwrap_or(0)
        } else {
            self.view.len() as u32
        };
        Set::read(word?.bytes()?, last)
    }
}

impl State {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            user: None,
            selected: None,
            output: Output::default(),
            troubles: Vec::new(),
        }
    }

    /// Looks at, or changes, the selected folder.
    pub(super) fn with_folder<R>(&self, edit: impl FnOnce(&mut Folder) -> R) -> Option<R> {
        let (user, selected) = (self.user.as_ref()?, self.selected.as_ref()?);
        self.server.store().edit(user, &selected.folder, edit)
    }

    /// Queues an untagged response.
    pub(super) fn untagged(&mut self, text: &str) {
        self.before();
        if self.extra_spaces() && !text.contains('"') {
            let text = text.replace(' ', "  ");
            self.line(&format!("*  {text} "));
        } else {
            self.line(&format!("* {text}"));
        }
    }

    /// Queues an untagged status response such as `OK [CODE] text`.
    pub(super) fn untagged_status(&mut self, text: &str) {
        self.before();
        let text = self.styled(text);
        self.output.push(b"* ");
        self.output.push(&text);
    }

    /// Queues a tagged response, with which the command is done.
    pub(super) fn tagged(&mut self, tag: &[u8], text: &str) {
        self.before();
        let text = self.styled(text);
        self.output.push(tag);
        self.output.push(b" ");
        self.output.push(&text);
        for trouble in std::mem::take(&mut self.troubles) {
            if let Trouble::After(bytes) = trouble {
                self.output.push(&bytes);
            }
        }
    }

    /// The octets that come before each response.
    pub(super) fn before(&mut self) {
        for trouble in &self.troubles {
            if let Trouble::Before(bytes) = trouble {
                self.output.push(bytes);
            }
        }
    }

    pub(super) fn extra_spaces(&self) -> bool {
        self.troubles
            .iter()
            .any(|trouble| matches!(trouble, Trouble::ExtraSpaces))
    }

    pub(super) fn offers(&self, capability: &str) -> bool {
        self.server.options().has(capability)
    }

    /// A status response with its line end, as the troubles want it.
    fn styled(&self, text: &str) -> Vec<u8> {
        let mut out = text.to_owned();
        for trouble in &self.troubles {
            if matches!(trouble, Trouble::NoText) {
                out.truncate(bare_len(&out));
            } else if matches!(trouble, Trouble::ExtraSpaces) {
                out = format!(" {} ", out.replacen(' ', "  ", 1));
            }
        }
        let mut out = out.into_bytes();
        if self
            .troubles
            .iter()
            .any(|trouble| matches!(trouble, Trouble::EightBitText))
        {
            out.extend_from_slice(b" d\xe9j\xe0 vu \xff");
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    pub(super) fn line(&mut self, text: &str) {
        self.output.push(text.as_bytes());
        self.output.push(b"\r\n");
    }
}

/// How long `OK [CODE]` is in `OK [CODE] text`.
fn bare_len(text: &str) -> usize {
    let word = text.find(' ').unwrap_or(text.len());
    match text.get(word..).and_then(|rest| rest.strip_prefix(" [")) {
        Some(rest) => rest.find(']').map_or(word, |end| word + 3 + end),
        None => word,
    }
}
