//! What does this POP3 server do? Probes that are safe on a live mailbox, and a report.
//!
//! It speaks to the server octet by octet instead of through the client machine, which forgives too
//! much. Nothing is deleted. Probes that a bad server may react badly to (a mark that is taken
//! back, a wrong password) run only on request.
//!
//! Findings carry the numbers of the project's list of requirements: P is RFC 1939, X RFC 2449 and 3206,
//! T TLS, S SASL, U RFC 6856.

mod before_login;
mod book;
mod contents;
mod deletion;
mod mailbox;
mod messages;
mod passwords;
mod stls;
mod wire;

use std::io;

pub use book::{Announced, Finding, Report, Verdict};

use pop3_proto::capability::Capability;

use book::Book;
use pop3_client_io::blocking::Session;
use pop3_client_io::{Endpoint, Error, Identity, TlsMode, Transcript};
use wire::Wire;

/// What to probe.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub endpoint: Endpoint,
    /// The user; without one only what comes before the login is probed.
    pub identity: Option<Identity>,
    /// Whether to run probes that a bad server may react badly to.
    pub intrusive: bool,
    /// How many messages are fetched to compare sizes.
    pub sample: usize,
}

/// Probes a server.
pub fn check(plan: &Plan, transcript: &Transcript) -> Result<Report, Error> {
    let probe = Probe { plan, transcript };
    let session = probe.session()?;
    let mut book = Book::new(&session, &plan.endpoint);
    let before = words(session.capabilities());
    drop(session);

    before_login::probe(&probe, &before, &mut book);
    stls::probe(&probe, &mut book);
    match &plan.identity {
        Some(identity) => behind_login(&probe, identity, &before, &mut book)?,
        None => book.untried(&["P019"], "everything after the login", "no user was named"),
    }
    Ok(book.report)
}

fn behind_login(
    probe: &Probe<'_>,
    identity: &Identity,
    before: &[String],
    book: &mut Book,
) -> Result<(), Error> {
    let session = match probe.log_in(identity) {
        Ok(session) => session,
        // the findings before it are kept
        Err(error @ (Error::Login { .. } | Error::NoLogin(_))) => {
            book.untried(&["P019"], "everything after the login", &error.to_string());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let after = words(session.capabilities());
    book.report.capabilities.after_login.clone_from(&after);
    let wire = probe.bare(session);
    mailbox::probe(probe, identity, wire, before, &after, book);
    if probe.plan.intrusive {
        deletion::probe(probe, identity, book);
        passwords::probe(probe, identity, before, book);
    } else {
        let why = "only with --intrusive";
        book.untried(&["P032", "P035", "P037"], "deletion marks", why);
        book.untried(&["P056", "X027"], "wrong passwords", why);
    }
    Ok(())
}

/// What every probe has at hand.
struct Probe<'a> {
    plan: &'a Plan,
    transcript: &'a Transcript,
}

impl Probe<'_> {
    /// A fresh connection before the login, with TLS if TLS is wanted.
    fn connect(&self) -> Result<Wire, Error> {
        Ok(self.bare(self.session()?))
    }

    /// A fresh connection that has sent nothing, with TLS only if it begins at once.
    fn connect_bare(&self) -> io::Result<(Wire, wire::Reply)> {
        Wire::open(&self.plan.endpoint, self.transcript)
    }

    fn session(&self) -> Result<Session, Error> {
        let endpoint = self.plan.endpoint.clone();
        Session::connect(&endpoint.transcript(self.transcript.clone()))
    }

    fn log_in(&self, identity: &Identity) -> Result<Session, Error> {
        let mut session = self.session()?;
        session.log_in(identity)?;
        Ok(session)
    }

    /// A fresh connection after the login.
    fn enter(&self, identity: &Identity) -> Result<Wire, Error> {
        Ok(self.bare(self.log_in(identity)?))
    }

    fn bare(&self, session: Session) -> Wire {
        Wire::over(
            session.into_stream(),
            self.transcript,
            self.plan.endpoint.patience,
        )
    }

    fn is_implicit(&self) -> bool {
        self.plan.endpoint.tls == TlsMode::Implicit
    }
}

fn words(capabilities: &[Capability]) -> Vec<String> {
    capabilities
        .iter()
        .map(|capability| crate::text::one_line(&capability.to_string()))
        .collect()
}

/// Whether a capability is announced, whatever follows it.
fn has(capabilities: &[String], tag: &str) -> bool {
    capabilities
        .iter()
        .any(|line| line.split(' ').next() == Some(tag))
}
