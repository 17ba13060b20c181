//! Builds the commands that we send, from types: nothing that came from a client can become syntax.
//!
//! Owns quoting, literals and what a log may show of a command. Never sends anything: a command
//! comes out as the pieces between which the server has to say `+`.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pop3_proto::secret::{self, Secret};
use pop3_proto::trace::Claimed;
use zeroize::Zeroizing;

use crate::capability::Capabilities;
use crate::text::printable;

/// A command without its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    Authenticate {
        mechanism: &'a str,
        initial: Option<&'a Secret>,
    },
    Capability,
    Copy {
        set: &'a str,
        folder: &'a [u8],
    },
    Create {
        folder: &'a [u8],
    },
    EnableUtf8,
    Expunge,
    /// Whole messages.
    FetchBody {
        set: &'a str,
    },
    /// The flags of these messages.
    FetchFlags {
        set: &'a str,
    },
    /// Asks which of these are there.
    FetchUids {
        set: &'a str,
    },
    /// The headers of these messages.
    FetchHeader {
        set: &'a str,
    },
    /// As many octets of each of these messages.
    FetchPart {
        set: &'a str,
        offset: u64,
        length: u64,
    },
    Id {
        name: &'a str,
    },
    /// ID, for servers of our own with the address of the client.
    IdOf {
        name: &'a str,
        client: SocketAddr,
        /// The address that it connected to, if known.
        local: Option<SocketAddr>,
    },
    /// Wait for news (RFC 2177), until DONE.
    Idle,
    /// The folders, or only those with a special use.
    List {
        special_use: bool,
    },
    Login {
        user: &'a str,
        password: &'a Secret,
    },
    Logout,
    Move {
        set: &'a str,
        folder: &'a [u8],
    },
    Noop,
    /// UIDs and sizes, perhaps with flags, up to a UID or to the end.
    Scan {
        to: Option<u64>,
        flags: bool,
    },
    Select {
        folder: &'a [u8],
        read_only: bool,
    },
    StartTls,
    /// How many messages a folder has, and which UIDs.
    Status {
        folder: &'a [u8],
    },
    Store {
        set: &'a str,
        add: bool,
        flag: Flag<'a>,
        /// Whether the server need not report the flags that result.
        silent: bool,
    },
    UidExpunge {
        set: &'a str,
    },
    /// Where the client connects from.
    Xclient {
        client: SocketAddr,
    },
}

/// A flag that we set or clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag<'a> {
    Deleted,
    Seen,
    /// One that [`is_keyword`] knows as good.
    Keyword(&'a str),
}

impl<'a> Flag<'a> {
    /// The flag of this [`name`](Self::name).
    pub(crate) fn named(name: &'a str) -> Self {
        match name {
            "\\Deleted" => Self::Deleted,
            "\\Seen" => Self::Seen,
            name => Self::Keyword(name),
        }
    }

    pub(crate) const fn name(self) -> &'a str {
        match self {
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Keyword(name) => name,
        }
    }
}

/// A command ready for the wire.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The pieces; before each but the first the server says `+`.
    pub(crate) pieces: Vec<Zeroizing<Vec<u8>>>,
    /// The line as a log may show it, where it is shown.
    pub(crate) shown: Option<String>,
}

/// An argument holds NUL, CR, LF or another octet that no form of it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsendable;

/// Whether a name can be a keyword, as for [`DeletePolicy::Keyword`](crate::DeletePolicy::Keyword): an atom of at most
/// 100 octets.
pub fn is_keyword(name: &str) -> bool {
    let special = |b: u8| b"(){ %*\"\\]".contains(&b);
    !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(|b| b.is_ascii_graphic() && !special(b))
}

/// Encodes a command under a tag. `utf8` says that 8-bit may stand in quoted strings; to `shown` is added what a log
/// may show.
pub(crate) fn encode(
    tag: u32,
    command: Command<'_>,
    capabilities: &Capabilities,
    utf8: bool,
    shown: Option<String>,
) -> Result<Encoded, Unsendable> {
    let mut w = Writer {
        capabilities,
        utf8,
        pieces: vec![Zeroizing::new(Vec::with_capacity(64))],
        shown,
    };
    w.args(format_args!("A{tag} "));
    match command {
        Command::Authenticate { mechanism, initial } => {
            w.args(format_args!("AUTHENTICATE {mechanism}"));
            if let Some(initial) = initial {
                w.text(" ");
                w.secret(&base64(initial), "<initial response>");
            }
        }
        Command::Capability => w.text("CAPABILITY"),
        Command::Copy { set, folder } => {
            w.args(format_args!("UID COPY {set} "));
            w.string(folder)?;
        }
        Command::Create { folder } => {
            w.text("CREATE ");
            w.string(folder)?;
        }
        Command::EnableUtf8 => w.text("ENABLE UTF8=ACCEPT"),
        Command::Expunge => w.text("EXPUNGE"),
        Command::FetchBody { set } => w.args(format_args!("UID FETCH {set} (UID BODY.PEEK[])")),
        Command::FetchFlags { set } => w.args(format_args!("UID FETCH {set} (UID FLAGS)")),
        Command::FetchUids { set } => w.args(format_args!("UID FETCH {set} (UID)")),
        Command::FetchHeader { set } => {
            w.args(format_args!("UID FETCH {set} (UID BODY.PEEK[HEADER])"));
        }
        Command::FetchPart {
            set,
            offset,
            length,
        } => {
            w.args(format_args!(
                "UID FETCH {set} (UID BODY.PEEK[]<{offset}.{length}>)"
            ));
        }
        Command::Id { name } => {
            w.text("ID (\"name\" ");
            w.string(name.as_bytes())?;
            w.text(")");
        }
        Command::IdOf {
            name,
            client,
            local,
        } => {
            let (ip, port) = (client.ip().to_canonical(), client.port());
            w.text("ID (\"name\" ");
            w.string(name.as_bytes())?;
            w.args(format_args!(
                " \"x-originating-ip\" \"{ip}\" \"x-originating-port\" \"{port}\""
            ));
            if let Some(local) = local {
                let (ip, port) = (local.ip().to_canonical(), local.port());
                w.args(format_args!(
                    " \"x-connected-ip\" \"{ip}\" \"x-connected-port\" \"{port}\""
                ));
            }
            w.text(")");
        }
        Command::List { special_use: true } => w.text("LIST (SPECIAL-USE) \"\" \"*\""),
        Command::List { special_use: false } => w.text("LIST \"\" \"*\""),
        Command::Login { user, password } => {
            w.text("LOGIN ");
            w.name(user)?;
            w.text(" ");
            w.secret_string(password.expose(), "<password>")?;
        }
        Command::Idle => w.text("IDLE"),
        Command::Logout => w.text("LOGOUT"),
        Command::Move { set, folder } => {
            w.args(format_args!("UID MOVE {set} "));
            w.string(folder)?;
        }
        Command::Noop => w.text("NOOP"),
        Command::Scan { to, flags } => {
            let to = to.map_or_else(|| "*".into(), |to| format!("{to}"));
            let flags = if flags { " FLAGS" } else { "" };
            w.args(format_args!("UID FETCH 1:{to} (UID RFC822.SIZE{flags})"));
        }
        Command::Select { folder, read_only } => {
            w.text(if read_only { "EXAMINE " } else { "SELECT " });
            w.string(folder)?;
        }
        Command::StartTls => w.text("STARTTLS"),
        Command::Status { folder } => {
            w.text("STATUS ");
            w.string(folder)?;
            w.text(" (MESSAGES UIDNEXT UIDVALIDITY)");
        }
        Command::Store {
            set,
            add,
            flag,
            silent,
        } => {
            let silent = if silent { ".SILENT" } else { "" };
            let sign = if add { '+' } else { '-' };
            w.args(format_args!(
                "UID STORE {set} {sign}FLAGS{silent} ({})",
                flag.name()
            ));
        }
        Command::Xclient { client } => {
            let (ip, port) = (client.ip().to_canonical(), client.port());
            w.args(format_args!("XCLIENT ADDR={ip} PORT={port}"));
        }
        Command::UidExpunge { set } => w.args(format_args!("UID EXPUNGE {set}")),
    }
    w.raw(b"\r\n");
    Ok(Encoded {
        pieces: w.pieces,
        shown: w.shown,
    })
}

/// A SASL message as it is on the wire.
pub(crate) fn base64(message: &Secret) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(message.expose()));
    if encoded.is_empty() {
        Zeroizing::new("=".into())
    } else {
        encoded
    }
}

/// What is between the quotes of a quoted string.
pub(crate) fn escaped(octets: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut escaped = Zeroizing::new(Vec::with_capacity(2 * octets.len()));
    for &octet in octets {
        if matches!(octet, b'"' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(octet);
    }
    escaped
}

struct Writer<'c> {
    capabilities: &'c Capabilities,
    utf8: bool,
    pieces: Vec<Zeroizing<Vec<u8>>>,
    shown: Option<String>,
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

impl Writer<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        if let Some(piece) = self.pieces.last_mut() {
            secret::append(piece, bytes);
        }
    }

    fn show(&mut self, text: &str) {
        if let Some(shown) = &mut self.shown {
            shown.push_str(text);
        }
    }

    fn show_quoted(&mut self, text: impl FnOnce() -> String) {
        if let Some(shown) = &mut self.shown {
            shown.push('"');
            shown.push_str(&text());
            shown.push('"');
        }
    }

    fn text(&mut self, text: &str) {
        self.raw(text.as_bytes());
        self.show(text);
    }

    fn args(&mut self, args: fmt::Arguments<'_>) {
        // what is written here takes everything
        let _ = fmt::Write::write_fmt(self, args);
    }

    fn secret(&mut self, text: &str, name: &str) {
        self.raw(text.as_bytes());
        self.show(name);
    }

    fn string(&mut self, octets: &[u8]) -> Result<(), Unsendable> {
        self.show_quoted(|| printable(octets));
        self.octets(octets)
    }

    /// A name that is not proven.
    fn name(&mut self, name: &str) -> Result<(), Unsendable> {
        self.show_quoted(|| printable(Claimed(name).to_string().as_bytes()));
        self.octets(name.as_bytes())
    }

    fn secret_string(&mut self, octets: &[u8], name: &str) -> Result<(), Unsendable> {
        self.show(name);
        self.octets(octets)
    }

    /// A quoted string if possible, else a literal.
    fn octets(&mut self, octets: &[u8]) -> Result<(), Unsendable> {
        if octets.iter().any(|&b| matches!(b, 0 | b'\r' | b'\n')) {
            return Err(Unsendable);
        }
        let clean = |&b: &u8| matches!(b, b' '..=b'~') || self.utf8 && b >= 0x80;
        if octets.len() <= 512 && octets.iter().all(clean) {
            self.raw(b"\"");
            self.raw(&escaped(octets));
            self.raw(b"\"");
        } else if self.capabilities.takes_literal(octets.len()) {
            self.raw(format!("{{{}+}}\r\n", octets.len()).as_bytes());
            self.raw(octets);
        } else {
            self.raw(format!("{{{}}}\r\n", octets.len()).as_bytes());
            self.pieces.push(Zeroizing::new(octets.to_vec()));
        }
        Ok(())
    }
}
