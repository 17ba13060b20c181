//! Without an asynchronous runtime: each call returns when it is done.
//!
//! ```no_run
//! use pop3_client_io::{Endpoint, Identity, blocking::Session};
//!
//! let mut session = Session::connect(&Endpoint::new("pop.example.org"))?;
//! session.log_in(&Identity::password("alice", "secret"))?;
//! for (number, id) in session.unique_ids()? {
//!     let mut file = std::fs::File::create(format!("{id}.eml"))?;
//!     session.retrieve_to(number, &mut file)?;
//! }
//! session.quit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The session is that of the other runtimes, over a transport that blocks, so that its futures are
//! ready at once.

mod dial;
mod link;
mod stream;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::TcpStream;

use pop3_proto::capability::Capability;
use pop3_proto::client::Method;
use pop3_proto::command::{Command, MessageNumber};

use crate::batch::Part;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::login::Identity;
use crate::tls::TlsFacts;

pub use link::{Link, Patient};
pub use stream::Stream;

use link::wait;

/// A session that blocks. Dropping it ends the connection without QUIT, so that the server removes nothing.
pub struct Session<S = TcpStream>(crate::Session<Link<S>>);

impl Session {
    /// Connects to whichever address of the host answers first, starts TLS as wanted and asks for the
    /// capabilities.
    ///
    /// # Errors
    ///
    /// No address answers, TLS fails, or the server does not greet.
    pub fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let (socket, peer) = dial::dial(endpoint)?;
        // commands are small and wait for their answer
        let _ = socket.set_nodelay(true);
        Self::over(Link::new(socket, Some(peer.ip())), endpoint)
    }
}

impl<S> From<Session<S>> for crate::Session<Link<S>> {
    /// For code that is written for all runtimes: its futures are ready when they return.
    fn from(session: Session<S>) -> Self {
        session.0
    }
}

impl<S: Patient> Session<S> {
    /// Begins a session on an existing connection, say one through a proxy.
    ///
    /// # Errors
    ///
    /// The server does not greet, or TLS is wanted and fails.
    pub fn over(link: Link<S>, endpoint: &Endpoint) -> Result<Self, Error> {
        wait(crate::Session::over(link, endpoint)).map(Self)
    }

    /// What the server says that it can do.
    pub fn capabilities(&self) -> &[Capability] {
        self.0.capabilities()
    }

    /// Whether the server announced this.
    pub fn can(&self, capability: &Capability) -> bool {
        self.0.can(capability)
    }

    /// The server's greeting.
    pub fn greeting(&self) -> &str {
        self.0.greeting()
    }

    /// Whether nothing can be sent any more.
    pub const fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// What was agreed on in TLS, if there is TLS.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.0.tls()
    }

    /// The bare connection, to speak over it directly.
    pub fn into_stream(self) -> Stream<S> {
        Stream::from(self.0.into_channel())
    }

    /// Leaves without QUIT, so that the server removes nothing; sends close_notify.
    pub fn abort(mut self) {
        wait(self.0.close());
    }

    /// See [`crate::Session::log_in`].
    ///
    /// # Errors
    ///
    /// The server refuses, or there is no way that the identity allows.
    pub fn log_in(&mut self, identity: &Identity) -> Result<Method, Error> {
        wait(self.0.log_in(identity))
    }

    /// Asks for the capabilities (again); a server without CAPA has none.
    ///
    /// # Errors
    ///
    /// The connection ends.
    pub fn ask_capabilities(&mut self) -> Result<(), Error> {
        wait(self.0.ask_capabilities())
    }

    /// How many messages there are, and their octets.
    ///
    /// # Errors
    ///
    /// The server refuses, its answer makes no sense, or the connection ends.
    pub fn stat(&mut self) -> Result<(u64, u64), Error> {
        wait(self.0.stat())
    }

    /// See [`crate::Session::sizes`].
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection ends.
    pub fn sizes(&mut self) -> Result<BTreeMap<u32, u64>, Error> {
        wait(self.0.sizes())
    }

    /// See [`crate::Session::unique_ids`].
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection ends.
    pub fn unique_ids(&mut self) -> Result<BTreeMap<u32, String>, Error> {
        wait(self.0.unique_ids())
    }

    /// Sends a command whose only result is success.
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection ends.
    pub fn run(&mut self, command: &Command) -> Result<(), Error> {
        wait(self.0.run(command))
    }

    /// Sends commands whose answers are messages or nothing, several ahead where the server allows it, and
    /// hands on what comes: `take(position of the command, part)`. An error of `take` ends the session.
    ///
    /// # Errors
    ///
    /// `take` fails, or the connection ends.
    pub fn run_all<I>(
        &mut self,
        commands: I,
        take: &mut dyn FnMut(usize, Part<'_>) -> io::Result<()>,
    ) -> Result<(), Error>
    where
        I: IntoIterator<Item = Command>,
    {
        wait(self.0.run_all(commands, take))
    }

    /// A whole message in memory, or its header and first lines.
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection ends before the message does.
    pub fn message(&mut self, number: u32, lines: Option<u64>) -> Result<Vec<u8>, Error> {
        let message = match lines {
            Some(lines) => self.0.top(number, lines)?,
            None => self.0.retrieve(number)?,
        };
        wait(message.octets())
    }

    /// Writes a message as it comes; returns its number of octets. An error of `place` ends the session.
    ///
    /// # Errors
    ///
    /// The server refuses, the connection ends before the message does, or `place` takes no more: what was
    /// written is not the whole message then.
    pub fn retrieve_to(&mut self, number: u32, place: &mut dyn Write) -> Result<u64, Error> {
        let command = Command::Retr(MessageNumber(number));
        let (mut written, mut refused) = (0, None);
        self.run_all([command.clone()], &mut |_, part| {
            match part {
                Part::Octets(octets) => {
                    place.write_all(octets)?;
                    written += octets.len() as u64;
                }
                Part::Refused(refusal) => refused = Some(refusal),
                Part::Start(_) | Part::Whole => {}
            }
            Ok(())
        })?;
        if let Some(refusal) = refused {
            return Err(Error::refused(&command, refusal));
        }
        place.flush().map_err(Error::Local)?;
        Ok(written)
    }

    /// Marks messages as deleted; returns those that the server refuses, and why. QUIT deletes.
    ///
    /// # Errors
    ///
    /// The connection ends.
    pub fn delete(&mut self, numbers: &[u32]) -> Result<BTreeMap<u32, String>, Error> {
        wait(self.0.delete(numbers))
    }

    /// See [`crate::Session::quit`].
    ///
    /// # Errors
    ///
    /// The server refuses (some messages were not removed), or the connection ends before it answers, so that
    /// it is not known.
    pub fn quit(&mut self) -> Result<String, Error> {
        wait(self.0.quit())
    }
}
