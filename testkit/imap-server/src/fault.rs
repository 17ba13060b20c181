//! Misbehaviours on request.
//!
//! Owns what can go wrong and when. The session carries out what a fault does to the dialogue.

/// A misbehaviour and its time.
#[derive(Clone, Debug)]
pub struct Fault {
    /// When it happens.
    pub when: When,
    /// What happens.
    pub trouble: Trouble,
}

/// When a [`Fault`] happens.
///
/// Commands are named in upper case and without `UID`: `FETCH` is both FETCH and UID FETCH. Two names
/// are not commands: `GREETING`, and `LITERAL` for a synchronising literal that waits for its `+`.
/// Everything is counted from 1, over all connections of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All the time.
    Always,
    /// On the connection of this number, all the time.
    Connection(u32),
    /// With each command of this name.
    Each(&'static str),
    /// With the command of this name that has this number.
    Nth(&'static str, u32),
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The command is not carried out and gets this answer after its tag, such as
    /// `NO [UNAVAILABLE] later`. The greeting gets it after its asterisk.
    Answer(String),
    /// The command is not carried out and gets these octets.
    Raw(Vec<u8>),
    /// The command is not carried out, gets no answer, and neither does anything after it.
    Hang,
    /// The connection is cut instead of an answer.
    Drop,
    /// The command is not carried out; `* BYE` and this text, then the connection is cut.
    Bye(String),
    /// These octets come before each response, untagged or tagged: unsolicited data or junk.
    Before(Vec<u8>),
    /// These octets come right after the tagged response: after STARTTLS, an injection.
    After(Vec<u8>),
    /// Between the words of responses stand two spaces, and some at the end.
    ExtraSpaces,
    /// Status responses have no text, only their code, if any.
    NoText,
    /// Status responses have 8-bit text that is not UTF-8.
    EightBitText,
    /// The greeting is `PREAUTH` and this user is logged in.
    Preauth(String),
    /// RFC822.SIZE is given this much higher or lower than it is.
    SizeOff(i64),
    /// Bodies come in this form.
    BodyAs(BodyForm),
    /// FETCH answers leave the UID out.
    NoUid,
    /// FETCH gets its tagged OK without any data.
    NoData,
    /// Before each answer with a body comes a body of another message, with these octets.
    ForeignBody(Vec<u8>),
    /// `BODY[HEADER]` is this many octets of the message, wherever its header ends.
    HeaderLength(u64),
    /// A FETCH of a header is not carried out and gets this answer after its tag.
    NoHeader(String),
    /// Before each answer with a body or octets of it comes a header of the same message that was not asked
    /// for, with these octets.
    ForeignHeader(Vec<u8>),
    /// The connection is cut within the body, this many octets after its beginning (or at its end, if it
    /// is shorter).
    CutBody(u64),
    /// The connection is cut within the body of this message, this many octets after its beginning (or at its
    /// end, if it is shorter).
    CutMessage {
        /// The message's UID.
        uid: u32,
        /// How many octets of it come.
        octets: u64,
    },
    /// The literal of this message is announced this many octets longer than it is.
    ShortMessage {
        /// The message's UID.
        uid: u32,
        /// How many octets are missing.
        octets: u64,
    },
    /// After this many octets of the body `* BYE` follows on a line of its own, and the cut.
    ByeInBody(u64),
    /// The connection is cut after this many octets of output, counted from the greeting on. For
    /// [`When::Always`] and [`When::Connection`].
    CutOutput(u64),
}

/// The form of a body in a FETCH answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// `{n}` and the octets.
    Literal,
    /// `~{n}` and the octets.
    Literal8,
    /// A quoted string, where the octets allow it (no CR, LF, NUL, not above 4 KiB); else a literal.
    Quoted,
    /// `NIL`.
    Nil,
    /// A quoted string without octets.
    Empty,
    /// The item is missing.
    Missing,
}

impl Fault {
    /// All the time.
    pub fn always(trouble: Trouble) -> Self {
        Self {
            when: When::Always,
            trouble,
        }
    }

    /// On the connection of this number.
    pub fn on_connection(connection: u32, trouble: Trouble) -> Self {
        Self {
            when: When::Connection(connection),
            trouble,
        }
    }

    /// With each command of this name.
    pub fn on_each(command: &'static str, trouble: Trouble) -> Self {
        Self {
            when: When::Each(command),
            trouble,
        }
    }

    /// With the command of this name that has this number.
    pub fn on_nth(command: &'static str, nth: u32, trouble: Trouble) -> Self {
        Self {
            when: When::Nth(command, nth),
            trouble,
        }
    }

    /// Whether it happens now.
    pub(super) fn applies(&self, connection: u32, command: &str, count: u32) -> bool {
        match self.when {
            When::Always => true,
            When::Connection(wanted) => wanted == connection,
            When::Each(wanted) => wanted == command,
            When::Nth(wanted, nth) => wanted == command && nth == count,
        }
    }
}
