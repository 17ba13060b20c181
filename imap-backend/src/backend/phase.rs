//! The states of a backend by name, and the steps between them.
//!
//! Owns the table of the transitions, which `docs/states.md` draws. A step that is not in the table fails
//! every test that takes it; a row that nothing takes fails one that tries everything.

use Phase::{
    Capability, CapabilityAgain, Connecting, Down, Enable, Finished, Folder, Greeting, Handshake,
    Login, News, Ready, Resting, StartTls, Token,
};

/// The state of a connection without its data; one that opens is at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Down,
    Connecting,
    Handshake,
    Greeting,
    StartTls,
    Capability,
    Token,
    Login,
    CapabilityAgain,
    Enable,
    Folder,
    News,
    Ready,
    Resting,
    Finished,
}

/// From where to where.
pub(super) type Transition = (Phase, Phase);

/// Every step, and what makes a backend take it.
pub(super) const TRANSITIONS: [(Transition, &str); 53] = [
    (
        (Down, Connecting),
        "a login, or work for a connection that is gone",
    ),
    (
        (Down, Finished),
        "refused at once, lost at the login, or the session ends",
    ),
    ((Connecting, Handshake), "connected, and TLS comes first"),
    ((Connecting, Folder), "a connection that waited is there"),
    (
        (Connecting, News),
        "one is there whose folder may be as it was listed",
    ),
    (
        (Connecting, Ready),
        "one is there whose server would have said what is new",
    ),
    ((Connecting, Greeting), "connected"),
    ((Connecting, Down), "lost"),
    ((Connecting, Finished), "the session ends"),
    ((Handshake, Greeting), "TLS is there"),
    ((Handshake, Capability), "TLS is there, by STARTTLS"),
    ((Handshake, Down), "lost"),
    ((Handshake, Finished), "the session ends"),
    ((Greeting, StartTls), "it greets, and TLS is to be begun"),
    ((Greeting, Capability), "it greets"),
    (
        (Greeting, Token),
        "it greets with its capabilities, and another token is needed",
    ),
    ((Greeting, Login), "it greets with its capabilities"),
    ((Greeting, Down), "lost"),
    ((Greeting, Finished), "refused, or the session ends"),
    ((StartTls, Handshake), "OK"),
    ((StartTls, Down), "lost or refused"),
    ((StartTls, Finished), "refused, or the session ends"),
    ((Capability, Token), "answered, and another token is needed"),
    ((Capability, Login), "answered"),
    ((Capability, Down), "lost"),
    ((Capability, Finished), "the session ends"),
    ((Token, Login), "the token is there"),
    ((Token, Down), "lost, or there is no token"),
    ((Token, Finished), "there is no token, or the session ends"),
    ((Login, CapabilityAgain), "OK, and UTF-8 is wanted"),
    ((Login, Enable), "OK, and the folder's name is in UTF-8"),
    ((Login, Folder), "OK"),
    ((Login, Down), "lost or refused"),
    ((Login, Finished), "refused, or the session ends"),
    (
        (CapabilityAgain, Enable),
        "answered, and the folder's name is in UTF-8",
    ),
    ((CapabilityAgain, Folder), "answered"),
    ((CapabilityAgain, Down), "lost"),
    ((CapabilityAgain, Finished), "the session ends"),
    ((Enable, Folder), "answered"),
    ((Enable, Down), "lost"),
    ((Enable, Finished), "the session ends"),
    ((Folder, Ready), "open and listed"),
    ((Folder, Down), "lost, or another folder than before"),
    ((Folder, Finished), "refused, or the session ends"),
    ((News, Ready), "nothing is new"),
    ((News, Folder), "something is, or may be"),
    ((News, Down), "lost"),
    ((News, Finished), "the session ends"),
    ((Ready, Down), "lost"),
    ((Ready, Resting), "nothing was needed for a while"),
    ((Ready, Finished), "updated, or the session ends"),
    ((Resting, Connecting), "something is needed"),
    ((Resting, Finished), "the session ends"),
];

/// Every step goes through here.
pub(super) fn check((from, to): Transition) {
    debug_assert!(
        from == to || TRANSITIONS.iter().any(|(step, _)| *step == (from, to)),
        "no step leads from {from:?} to {to:?}"
    );
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use core::future::{Future, pending};
    use core::pin::Pin;
    use core::time::Duration;

    use pop3_proto::backend::renewal::{Renewal, Renewed, Renews};
    use pop3_proto::backend::{
        Backend, Failure, Index, Login, Mechanism, Open, Outcome, Part, Reply, Request, Ticket,
    };
    use pop3_proto::secret::Secret;
    use pop3_proto::time::Time;
    use testkit::drawing;

    use super::*;
    use crate::backend::ImapBackend;
    use crate::backend::opening::Step;
    use crate::config::{Config, Security};
    use crate::learned::Learned;
    use crate::parked::Parked;

    /// Something that may happen to a backend.
    #[derive(Clone, Copy, Debug)]
    enum Input {
        Open,
        Retrieve,
        Update,
        Abandon,
        Connected,
        /// A connection that waited is there, with a listing or without one, on which the server tells what is new or not.
        Resumed(bool, bool),
        TlsReady,
        Lost,
        Late,
        Says(&'static str),
        /// The answer to the oldest command.
        Answers(&'static str),
        /// A token is there, or none is.
        Renewed(bool),
    }

    const INPUTS: [Input; 24] = [
        Input::Open,
        Input::Retrieve,
        Input::Update,
        Input::Abandon,
        Input::Connected,
        Input::Resumed(true, true),
        Input::Resumed(true, false),
        Input::Resumed(false, false),
        Input::TlsReady,
        Input::Lost,
        Input::Late,
        Input::Says(
            "* OK [CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT UIDPLUS AUTH=XOAUTH2] Dovecot\r\n",
        ),
        Input::Says("* OK hello\r\n"),
        Input::Says("* PREAUTH hello\r\n"),
        Input::Says("* BYE\r\n"),
        Input::Says("* CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT UIDPLUS AUTH=XOAUTH2\r\n"),
        Input::Says("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* 1 FETCH (UID 2 RFC822.SIZE 3)\r\n"),
        Input::Says("* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 0)\r\n"),
        Input::Says("no IMAP\r\n"),
        Input::Answers("OK x"),
        Input::Answers("NO x"),
        Input::Answers("OK [CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT UIDPLUS] x"),
        Input::Renewed(true),
        Input::Renewed(false),
    ];

    /// A backend, and its commands that are not answered yet.
    struct Scene {
        backend: ImapBackend,
        open: Open,
        tags: Vec<String>,
        now: Time,
    }

    impl Scene {
        fn put(&mut self, input: Input) {
            let (backend, now) = (&mut self.backend, self.now);
            match input {
                Input::Open => backend.handle_request(now, Request::Open(self.open.clone())),
                Input::Retrieve => {
                    let (ticket, index, part) = (Ticket(1), Index(0), Part::Whole);
                    let request = Request::Retrieve {
                        ticket,
                        index,
                        part,
                    };
                    backend.handle_request(now, request);
                }
                Input::Update => {
                    let (deleted, retrieved) = ([Index(0)].into(), Vec::new());
                    backend.handle_request(now, Request::Update { deleted, retrieved });
                }
                Input::Abandon => backend.handle_request(now, Request::Abandon),
                Input::Connected => backend.handle_outcome(now, Outcome::Connected),
                Input::Resumed(listed, told) => {
                    let parked = Parked::sample(&backend.config, listed, told);
                    backend.handle_outcome(now, Outcome::Resumed(Box::new(parked)));
                }
                Input::TlsReady => backend.handle_outcome(now, Outcome::TlsReady),
                Input::Lost => {
                    let failure = Failure::temporary("lost");
                    backend.handle_outcome(now, Outcome::Lost(failure));
                }
                Input::Late => {
                    self.now = now + Duration::from_secs(3600);
                    backend.handle_timeout(self.now);
                }
                Input::Renewed(there) => {
                    let token = Secret::from(&b"another"[..]);
                    let none = Failure::temporary("no token");
                    let renewed = if there { Ok(token) } else { Err(none) };
                    backend.handle_outcome(now, Outcome::Done(renewed));
                }
                Input::Says(text) => self.serve(text),
                Input::Answers(text) => {
                    if !self.tags.is_empty() {
                        let tag = self.tags.remove(0);
                        self.serve(&format!("{tag} {text}\r\n"));
                    }
                }
            }
            self.settle();
        }

        fn serve(&mut self, text: &str) {
            let room = self.backend.recv_buf();
            if room.len() >= text.len() {
                room[..text.len()].copy_from_slice(text.as_bytes());
                self.backend.received(self.now, text.len());
            }
        }

        fn settle(&mut self) {
            while !matches!(
                self.backend.poll_reply(self.now, 1024),
                None | Some(Reply::Body { bytes: b"", .. })
            ) {}
            while self.backend.poll_effect().is_some() {}
            let sent = String::from_utf8_lossy(self.backend.transmit()).into_owned();
            let tags = sent.lines().filter_map(|line| line.split(' ').next());
            let tags = tags.filter(|word| word.starts_with('A'));
            self.tags.extend(tags.map(ToString::to_string));
            self.backend.transmitted(self.now, sent.len());
        }

        /// What decides about the next steps.
        fn situation(&self) -> impl Ord + use<> {
            let backend = &self.backend;
            let opening = backend.link.as_opening();
            let data = opening.map(|opening| match &opening.step {
                Step::Login(login) => (opening.first, login.ahead.is_some(), false),
                Step::Folder(folder) => (
                    opening.first,
                    folder.selected,
                    folder.validity.is_some() && folder.exists > 0,
                ),
                Step::Greeting
                | Step::StartTls
                | Step::Capability
                | Step::Token
                | Step::CapabilityAgain
                | Step::Enable => (opening.first, false, false),
                Step::News(news) => (opening.first, news.differs, news.counts.is_some()),
            });
            (
                (backend.link.phase(), data, self.tags.len().min(3)),
                (backend.asked.open.is_some(), backend.link.bye().is_some()),
                (backend.reading.has_work(), backend.update.is_some()),
                (
                    backend.maildrop.table.len(),
                    backend.link.broken().is_some(),
                ),
                (backend.wire.settled, backend.wire.capabilities().is_some()),
                backend.asked.needs_token(),
            )
        }
    }

    fn by_password() -> Open {
        let password = Secret::from(&b"secret"[..]);
        let user = "tim".into();
        Open::new(Login::Password { user, password }).utf8(true)
    }

    /// Its tokens come as inputs.
    struct Tokens;

    impl Renews for Tokens {
        fn renew(&self, _: Option<&Secret>) -> Pin<Box<dyn Future<Output = Renewed> + Send>> {
            Box::pin(pending())
        }
    }

    fn by_token() -> Open {
        let login = Login::Bearer {
            mechanism: Mechanism::new("XOAUTH2").expect("a name"),
            user: "tim".into(),
            token: Secret::from(&b"token"[..]),
            renewal: Some(Renewal::new(Arc::new(Tokens))),
        };
        Open::new(login)
    }

    fn play(config: &Config, open: &Open, inputs: &[Input]) -> Scene {
        // what one play teaches must not change another
        let mut config = config.clone();
        config.learned = Learned::default();
        let mut scene = Scene {
            backend: ImapBackend::new(config.into()),
            open: open.clone(),
            tags: Vec::new(),
            now: Time::ZERO,
        };
        for input in inputs {
            scene.put(*input);
        }
        scene
    }

    /// From each situation that can be told apart, everything that can happen: each step of the table is
    /// taken, and no other.
    #[test]
    fn the_table_holds_the_steps_that_are_taken_and_no_others() {
        let mut taken = BTreeSet::new();
        for (security, folder, open) in [
            (Security::Clear, "K\u{e4}se", by_password()),
            (Security::StartTls, "INBOX", by_password()),
            (Security::Implicit, "INBOX", by_password()),
            (Security::Clear, "INBOX", by_token()),
        ] {
            let mut config = Config::new("imap.example.org", 143, security);
            config.folder = folder.into();
            config.rest = Duration::from_secs(60);
            taken.extend(drawing::steps(&INPUTS, |inputs| {
                let scene = play(&config, &open, inputs);
                (scene.situation(), scene.backend.link.trail)
            }));
        }
        drawing::compare(&taken, TRANSITIONS.map(|(step, _)| step));
    }

    #[test]
    fn the_drawing_in_the_documentation_is_the_table() {
        let steps = TRANSITIONS.map(|((from, to), why)| format!("{from:?} --> {to:?}: {why}"));
        drawing::check("## The IMAP session", "Down", steps, "Finished");
    }
}
