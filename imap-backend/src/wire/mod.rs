//! One IMAP connection: bytes in, events out; commands in, bytes out.
//!
//! Owns both buffers, the tags, which command awaits its answer, and the capabilities as last heard.
//! Knows nothing of POP3, of the order of commands or of time. Never decides what to send.

mod event;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::Failure;
use pop3_proto::secret::{self, Secret};
use pop3_proto::trouble::Trouble;
use zeroize::Zeroizing;

use crate::capability::{Capabilities, Capability};
use crate::command::{self, Command, Unsendable};
use crate::config::Config;
use crate::framer::{Expected, Frame, Framer, TooLong};
use crate::grammar::{self, Data, Response, Section, words};
use crate::mailbox_name;
use crate::recorder::Recorder;
use crate::text::Mask;

pub(crate) use event::{Errand, Event, Head, Message, Notice, Purpose};

use event::{fetched, notice};

/// A piece of a command that waits for a synchronising literal.
#[derive(Debug)]
struct Piece {
    tag: u32,
    /// Whether the server has to say `+` first.
    waits: bool,
    bytes: Zeroizing<Vec<u8>>,
}

/// Whether the server is asked to say what is new (RFC 2177).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    No,
    /// Under this tag; the server has not said `+`.
    Asked(u32),
    /// The server tells.
    Told,
}

#[derive(Debug)]
pub(crate) struct Wire {
    config: Arc<Config>,
    framer: Framer,
    /// Wiped when it is sent: credentials may have been in it.
    out: Zeroizing<Vec<u8>>,
    sent: usize,
    last_tag: u32,
    outstanding: VecDeque<(u32, Purpose)>,
    /// What may not go yet: most commands have nothing of it.
    held_back: Vec<Piece>,
    head: Option<Head>,
    greeted: bool,
    capabilities: Option<Capabilities>,
    /// How often the server announced its capabilities.
    capabilities_heard: u32,
    /// Whether 8-bit may stand in quoted strings.
    pub(crate) utf8: bool,
    idle: Idle,
    /// The server announced its capabilities after the login.
    pub(crate) settled: bool,
    /// The flag to look for in FLAGS.
    pub(crate) watch: Option<Box<str>>,
    /// What must not appear in texts.
    pub(crate) mask: Mask,
    pub(crate) recorder: Recorder,
}

impl Wire {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            framer: Framer::new(),
            out: Zeroizing::default(),
            sent: 0,
            last_tag: 0,
            outstanding: VecDeque::new(),
            held_back: Vec::new(),
            head: None,
            greeted: false,
            capabilities: None,
            capabilities_heard: 0,
            utf8: false,
            idle: Idle::No,
            settled: false,
            watch: None,
            mask: Mask::default(),
            recorder: Recorder::default(),
        }
    }

    /// Forgets the connection, for a new one.
    pub(crate) fn reset(&mut self) {
        let recorder = core::mem::take(&mut self.recorder);
        *self = Self {
            recorder,
            last_tag: self.last_tag,
            ..Self::new(Arc::clone(&self.config))
        };
    }

    // bytes

    pub(crate) fn room(&mut self, expected: Expected) -> &mut [u8] {
        self.framer.room(expected)
    }

    pub(crate) fn filled(&mut self, n: usize) {
        self.framer.filled(n);
    }

    pub(crate) fn transmit(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    pub(crate) fn transmitted(&mut self, n: usize) {
        self.sent = self.out.len().min(self.sent.saturating_add(n));
        if self.sent == self.out.len() {
            self.out = Zeroizing::default();
            self.sent = 0;
        }
    }

    /// How many received bytes have not been looked at.
    pub(crate) fn pending(&self) -> usize {
        self.framer.pending()
    }

    // commands

    /// Sends a command; returns its tag.
    pub(crate) fn send(
        &mut self,
        command: Command<'_>,
        purpose: Purpose,
    ) -> Result<u32, Unsendable> {
        let tag = self.last_tag.wrapping_add(1);
        let none = Capabilities::default();
        let capabilities = self.capabilities.as_ref().unwrap_or(&none);
        let shown = self.recorder.line();
        let encoded = command::encode(tag, command, capabilities, self.utf8, shown)?;
        if self.out.capacity() == 0 {
            // enough for the commands of a login
            self.out.reserve(1024);
        }
        self.end_idle();
        if command == Command::Idle {
            self.idle = Idle::Asked(tag);
        }
        self.last_tag = tag;
        self.outstanding.push_back((tag, purpose));
        if let Some(shown) = encoded.shown {
            self.recorder.sent(|| shown);
        }
        for (place, bytes) in encoded.pieces.into_iter().enumerate() {
            let waits = place > 0;
            self.queue(Piece { tag, waits, bytes });
        }
        Ok(tag)
    }

    /// Another command may be sent only after DONE, and that only after the server's `+`.
    fn end_idle(&mut self) {
        let waits = match mem::replace(&mut self.idle, Idle::No) {
            Idle::No => return,
            Idle::Asked(_) => true,
            Idle::Told => false,
        };
        self.recorder.sent(|| "DONE".into());
        let tag = self.last_tag;
        let bytes = Zeroizing::new(b"DONE\r\n".to_vec());
        self.queue(Piece { tag, waits, bytes });
    }

    /// Sends it, once everything before it is sent and it need not wait.
    fn queue(&mut self, piece: Piece) {
        if self.held_back.is_empty() && !piece.waits {
            secret::append(&mut self.out, &piece.bytes);
        } else {
            self.held_back.push(piece);
        }
    }

    /// Whether the server was asked to say what is new, and nothing else since.
    pub(crate) fn is_idling(&self) -> bool {
        self.idle != Idle::No
    }

    /// Whether the server has agreed to say what is new.
    pub(crate) fn is_told(&self) -> bool {
        self.idle == Idle::Told
    }

    /// Answers a challenge.
    pub(crate) fn answer(&mut self, message: &Secret) {
        let line = command::base64(message);
        // an empty answer is an empty line here, not the `=` of an initial response
        let line = if message.is_empty() {
            ""
        } else {
            line.as_str()
        };
        secret::append(&mut self.out, line.as_bytes());
        secret::append(&mut self.out, b"\r\n");
        self.recorder.sent(|| "<response>".into());
    }

    /// The tag that the next command gets.
    pub(crate) fn next_tag(&self) -> u32 {
        self.last_tag.wrapping_add(1)
    }

    /// Sends nothing more of commands before this tag.
    pub(crate) fn hold_back_no_more(&mut self, before: u32) {
        self.held_back.retain(|piece| piece.tag >= before);
    }

    /// Stops waiting for answers to commands before this tag; returns whether one was awaited.
    pub(crate) fn give_up(&mut self, before: u32) -> bool {
        let awaited = self.outstanding.len();
        self.outstanding.retain(|(tag, _)| *tag >= before);
        self.outstanding.len() < awaited
    }

    /// How many commands await their answer. IDLE does only after DONE.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.len() - usize::from(self.is_idling())
    }

    /// Whether a command could be sent now and would be read as one.
    pub(crate) fn between_commands(&self) -> bool {
        self.held_back.is_empty()
    }

    // capabilities

    /// What the server can do, if it announced that on this connection.
    pub(crate) fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// Whether the server can do this, as it last announced.
    pub(crate) fn can(&self, capability: Capability) -> bool {
        self.capabilities
            .as_ref()
            .is_some_and(|known| known.has(capability))
    }

    /// A folder's name as this connection writes names.
    pub(crate) fn folder_name(&self, name: &str) -> Vec<u8> {
        if self.utf8 {
            name.into()
        } else {
            mailbox_name::encode(name).into_bytes()
        }
    }

    /// A number that changes whenever the server announces its capabilities.
    pub(crate) fn capabilities_heard(&self) -> u32 {
        self.capabilities_heard
    }

    /// Forgets what was announced before TLS.
    pub(crate) fn forget_capabilities(&mut self) {
        self.capabilities = None;
    }

    // literals

    /// The body literal that waits for a decision.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head
    }

    pub(crate) fn lend(&mut self) {
        self.head = None;
        self.framer.lend();
    }

    pub(crate) fn discard(&mut self) {
        self.head = None;
        self.framer.discard();
    }

    /// Whether the waiting literal has come to its end, and the line after it.
    pub(crate) fn head_is_complete(&self) -> bool {
        self.framer.held_is_complete()
    }

    /// How much of the literal that is lent is still to come or to be taken.
    pub(crate) fn literal_left(&self) -> u64 {
        self.framer.literal_left()
    }

    pub(crate) fn can_lend(&self) -> bool {
        self.framer.can_lend()
    }

    /// Whether the upstream seems to have finished although the literal is not complete: the last octets
    /// are the end of a command that awaits its answer.
    pub(crate) fn seems_over(&self) -> bool {
        let line = self.framer.held_line();
        match line.and_then(grammar::response) {
            Some(Response::Tagged(tag, _)) => self.outstanding.iter().any(|&(t, _)| t == tag),
            Some(
                Response::Continue(_) | Response::Status(_) | Response::Data(_) | Response::Blank,
            )
            | None => false,
        }
    }

    pub(crate) fn lent(&mut self, max: usize) -> &[u8] {
        self.framer.lent(max)
    }

    // events

    /// The next event, or `None` until more bytes come or the literal is decided about. Fails on
    /// anything that is not IMAP.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(behind) = self.framer.behind() {
                // else the literal was not as long as announced, and what it holds is not the message
                if !ends_fetch(behind) {
                    return Err(unreadable(&self.config, self.greeted, &self.mask, behind));
                }
                return Ok(Some(Event::Whole(uid_behind(behind))));
            }
            let (bytes, tail) = match self.framer.next() {
                Ok(None) => return Ok(None),
                Ok(Some(Frame::Line { bytes, tail })) => (bytes, tail),
                Ok(Some(Frame::Literal { head, size, tail })) => {
                    if size > self.config.max_literal || size == u64::MAX {
                        return Err(Failure::permanent(format!("literal of {size} octets")));
                    }
                    let ahead = if tail {
                        None
                    } else {
                        grammar::body_ahead(head)
                    };
                    let ahead = ahead.map(|(section, f)| Head {
                        uid: f.uid,
                        section,
                        origin: f.origin,
                        size,
                    });
                    let ahead = ahead.filter(|head| {
                        head.section == Section::Whole || awaits_header(&self.outstanding)
                    });
                    if ahead.is_some() {
                        let mask = &self.mask;
                        self.recorder
                            .received(|| format!("{} <{size} octets>", mask.clean(head)));
                        self.head = ahead;
                        return Ok(Some(Event::Ahead));
                    }
                    self.framer.collect();
                    continue;
                }
                Err(TooLong(start)) => {
                    let start = self.mask.clean(start);
                    return Err(Failure::temporary(format!(
                        "overlong line from upstream: {start}"
                    )));
                }
            };
            let mask = &self.mask;
            if tail {
                self.recorder.received(|| mask.clean(bytes));
                if !ends_fetch(bytes) || bytes.trim_ascii_end().ends_with(b"}") {
                    return Err(unreadable(&self.config, self.greeted, mask, bytes));
                }
                return Ok(Some(Event::Tail(uid_behind(bytes))));
            }
            let Some(response) = grammar::response(bytes) else {
                self.recorder.received(|| mask.clean(bytes));
                return Err(unreadable(&self.config, self.greeted, mask, bytes));
            };
            if matches!(response, Response::Data(Data::Fetch(_))) {
                self.recorder.fetch(|| mask.clean(bytes));
            } else {
                self.recorder.received(|| mask.clean(bytes));
            }
            if !self.greeted && !matches!(response, Response::Status(_)) {
                return Err(unreadable(&self.config, self.greeted, mask, bytes));
            }
            let event = match response {
                Response::Blank => continue,
                Response::Continue(text) => {
                    let Some(piece) = self.held_back.first_mut() else {
                        if let Idle::Asked(_) = self.idle {
                            self.idle = Idle::Told;
                        }
                        return Ok(Some(Event::Continue(text.to_vec())));
                    };
                    piece.waits = false;
                    self.release_pieces();
                    continue;
                }
                Response::Status(status) => {
                    let is_greeting = !mem::replace(&mut self.greeted, true);
                    let notice = notice(mask, status, self.watch.as_deref(), is_greeting);
                    if let Some(list) = status.capabilities {
                        self.capabilities = Some(read_capabilities(&self.config, list));
                        self.capabilities_heard = self.capabilities_heard.wrapping_add(1);
                    }
                    Event::Status(notice)
                }
                Response::Tagged(tag, status) => {
                    let Some(at) = self.outstanding.iter().position(|&(t, _)| t == tag) else {
                        let was_said = tag <= self.last_tag && tag > 0;
                        if was_said {
                            // answered before, or said on a connection that is gone
                            return Ok(Some(Event::Other));
                        }
                        return Err(unreadable(&self.config, self.greeted, mask, bytes));
                    };
                    let notice = notice(mask, status, self.watch.as_deref(), false);
                    if let Some(list) = status.capabilities {
                        self.capabilities = Some(read_capabilities(&self.config, list));
                        self.capabilities_heard = self.capabilities_heard.wrapping_add(1);
                    }
                    let (_, purpose) = self.outstanding[at];
                    self.outstanding.remove(at);
                    if purpose == Purpose::Idle {
                        // DONE is not sent to a server that has ended it
                        self.idle = Idle::No;
                    }
                    self.held_back.retain(|piece| piece.tag != tag);
                    self.release_pieces();
                    Event::Done {
                        tag,
                        purpose,
                        notice,
                    }
                }
                Response::Data(Data::Capability(list)) => {
                    self.capabilities = Some(read_capabilities(&self.config, list));
                    self.capabilities_heard = self.capabilities_heard.wrapping_add(1);
                    Event::Other
                }
                Response::Data(Data::Exists(count)) => Event::Exists(count),
                Response::Data(Data::Expunge(number)) => Event::Expunge(number),
                Response::Data(Data::Vanished) => Event::Vanished,
                Response::Data(Data::Fetch(fetch)) => {
                    let awaited = awaits_header(&self.outstanding);
                    fetched(fetch, awaited, self.watch.as_deref())
                }
                Response::Data(Data::List(list)) => {
                    let has = |name: &[u8]| {
                        words(list.attributes).any(|own| own.eq_ignore_ascii_case(name))
                    };
                    Event::Folder {
                        trash: has(b"\\Trash") && !has(b"\\Noselect") && !has(b"\\NonExistent"),
                        name: list.name.octets().into_owned(),
                    }
                }
                Response::Data(Data::Counts(counts)) => Event::Counts(counts),
                Response::Data(Data::Other) => Event::Other,
            };
            return Ok(Some(event));
        }
    }

    fn release_pieces(&mut self) {
        let waiting = self.held_back.iter().position(|piece| piece.waits);
        let free = waiting.unwrap_or(self.held_back.len());
        for piece in self.held_back.drain(..free) {
            secret::append(&mut self.out, &piece.bytes);
        }
        if self.held_back.is_empty() {
            self.held_back = Vec::new();
        }
    }
}

/// Whether a header was asked for and that is not fully answered: no other header means anything.
fn awaits_header(outstanding: &VecDeque<(u32, Purpose)>) -> bool {
    let header = Purpose::Fetch(Section::Header);
    outstanding.iter().any(|&(_, purpose)| purpose == header)
}

/// Whether a FETCH goes on like this after a body; a further literal may be announced.
fn ends_fetch(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let closes = line.ends_with(b")");
    line.starts_with(b")") && closes || line.starts_with(b" ") && (closes || line.ends_with(b"}"))
}

/// The UID that is named after a body. Nearly always it was named before.
fn uid_behind(line: &[u8]) -> Option<u64> {
    match line {
        b")" => None,
        line => grammar::tail(line).uid,
    }
}

fn read_capabilities(config: &Config, list: &[u8]) -> Capabilities {
    Capabilities::read(list, &config.quirks.masked_capabilities)
}

fn unreadable(config: &Config, greeted: bool, mask: &Mask, line: &[u8]) -> Failure {
    let line = mask.clean(line);
    Failure::temporary(if greeted {
        format!("not the answer of an IMAP server: {line}")
    } else {
        config.in_words(Trouble::GreetingForeign { line: &line })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Security;

    /// A login is written into memory that does not grow, and that is given back when it is sent.
    #[test]
    fn v33_a_login_is_written_where_there_is_room_for_it() {
        let config = Config::new("imap.example.org", 143, Security::Clear);
        let mut wire = Wire::new(Arc::new(config));
        let (user, password) = ("alice", &Secret::from(&[b'x'; 700][..]));
        let sent = wire.send(Command::Login { user, password }, Purpose::Login);
        assert!(sent.is_ok() && wire.out.capacity() >= 1024);
        let place = wire.out.as_ptr();
        assert!(wire.send(Command::Logout, Purpose::Logout).is_ok());
        assert_eq!(wire.out.as_ptr(), place);
        wire.transmitted(wire.out.len());
        assert_eq!(wire.out.capacity(), 0);
    }

    /// A token may be longer than the memory that is there. The old memory is wiped, which a vector that
    /// grows by itself would not do; its size would not be a power of two.
    #[test]
    fn v33_a_long_token_grows_into_memory_of_its_own() {
        for length in [1, 100, 1000, 5000, 30_000] {
            let token = Secret::new(alloc::vec![b'x'; length]);
            let initial = Some(&token);
            let mechanism = "XOAUTH2";
            let none = Capabilities::default();
            let command = Command::Authenticate { mechanism, initial };
            let encoded = command::encode(1, command, &none, false, None);
            let pieces = encoded.map(|encoded| encoded.pieces).unwrap_or_default();
            assert!(!pieces.is_empty());
            assert!(
                pieces
                    .iter()
                    .all(|piece| piece.capacity().is_power_of_two())
            );

            let config = Config::new("imap.example.org", 143, Security::Clear);
            let mut wire = Wire::new(Arc::new(config));
            for _ in 0..3 {
                wire.answer(&token);
            }
            assert!(wire.out.capacity().is_power_of_two());
        }
    }
}
