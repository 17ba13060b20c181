//! Layers: what they can do between a session and a backend, and that they do nothing else.
#![allow(clippy::unwrap_used, reason = "tests")]

mod bench;

use std::any::Any;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

use pop3_proto::backend::erased::{AnyBackend, AnyDone};
use pop3_proto::backend::layer::{Layer, Turn};
use pop3_proto::backend::layered::Layered;
use pop3_proto::backend::waiting::{Claim, Parked, Waiting};
use pop3_proto::backend::{
    Access, Backend, Effect, Failure, Index, Job, Note, Outcome, Refusal, RefusalKind, Reply,
    Request,
};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

use bench::{Driver, Heard, Mailbox, NOW, OPENED, login, retrieve};

/// A layer that leaves everything out, and one that listens besides.
struct Nothing {
    hears: bool,
}

impl<B> Layer<B> for Nothing {
    type Done = ();

    fn hears(&self) -> bool {
        self.hears
    }
}

/// A layer with something that lasts as long as the connection.
struct Keeps(Option<Arc<()>>);

impl<B> Layer<B> for Keeps {
    type Done = ();

    fn parks(&mut self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.0.take()?))
    }
}

/// A backend that does nothing but to put its connection aside, and what waits then.
struct Parks<D> {
    parked: Option<Parked>,
    done: PhantomData<fn() -> D>,
}

impl<D> Parks<D> {
    fn new(parked: Option<Parked>) -> Self {
        let done = PhantomData;
        Self { parked, done }
    }
}

impl<D: Send + 'static> Backend for Parks<D> {
    type Done = D;

    fn handle_request(&mut self, _: Time, _: Request) {}

    fn handle_outcome(&mut self, _: Time, _: Outcome<D>) {}

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, _: usize) -> Option<Reply<'_>> {
        None
    }

    fn poll_effect(&mut self) -> Option<Effect<D>> {
        let parked = self.parked.take()?;
        Some(Effect::Park(Box::new(parked)))
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

impl Waiting for Parks<()> {
    fn is_fit(&self) -> bool {
        true
    }
}

#[test]
fn what_a_layer_keeps_goes_with_the_connection_that_is_put_aside() {
    let kept = [(); 2].map(|()| Arc::new(()));
    let parked = Parked {
        claim: Claim {
            account: "tim".into(),
            proof: Secret::default(),
        },
        waiting: Box::new(Parks::<()>::new(None)),
        kept: None,
    };
    let [inner, outer] = kept.clone().map(|own| Keeps(Some(own)));
    let inner = Layered::new(Some(inner), Parks::<AnyDone>::new(Some(parked)));
    let mut backend = Layered::new(outer, inner);
    let Some(Effect::Park(parked)) = backend.poll_effect() else {
        panic!("it puts its connection aside");
    };
    drop(backend);
    assert_eq!(kept.each_ref().map(Arc::strong_count), [2, 1]);
    drop(parked);
    assert_eq!(kept.each_ref().map(Arc::strong_count), [1, 1]);
}

#[test]
fn what_a_layer_leaves_out_passes_as_it_is() {
    let heard = Heard::default();
    let mailbox = || Mailbox::boxed("m", &heard);
    let deaf = Layered::new(Nothing { hears: false }, mailbox());
    let hearing = Layered::new(Nothing { hears: true }, mailbox());
    let both = Layered::new(
        Nothing { hears: true },
        Layered::new(Nothing { hears: true }, mailbox()),
    );
    let none = Layered::new(None::<Nothing>, mailbox());
    let all = [
        mailbox(),
        Box::new(deaf),
        Box::new(hearing),
        Box::new(both),
        Box::new(none),
    ];
    let dialogues = all.map(|backend| {
        let mut driver = Driver::new(backend);
        let mut said = driver.open("right");
        said.extend(driver.finish_job());
        said.extend(driver.ask(retrieve()));
        said.extend(driver.lose());
        let backend = &mut driver.backend;
        backend.handle_outcome(NOW, Outcome::Connected);
        backend.handle_outcome(NOW, Outcome::TlsReady);
        backend.handle_timeout(NOW);
        backend.record();
        assert!(backend.poll_trace().is_none());
        assert_eq!(backend.recv_buf().len(), 3);
        backend.received(NOW, 2);
        assert_eq!(backend.transmit(), b"abc");
        backend.transmitted(NOW, 1);
        said.extend(backend.poll_timeout().map(|at| format!("{at:?}")));
        said.extend(backend.maildrop());
        said.extend(std::iter::from_fn(|| backend.poll_note()).map(|note| note.text));
        said.extend(driver.ask(Request::Update {
            deleted: vec![Index(1)],
            retrieved: Vec::new(),
        }));
        (said, heard.take())
    });
    assert!(dialogues[0].0.contains(&"Body octets".into()));
    for dialogue in &dialogues {
        assert_eq!(*dialogue, dialogues[0]);
    }
}

/// Fetches a token before a login goes on, and one more if the first is refused.
struct Token {
    heard: Heard,
    tokens: VecDeque<&'static str>,
}

impl Token {
    fn fetch(&mut self, turn: &mut Turn<'_, AnyBackend, &'static str>) {
        if let Some(token) = self.tokens.pop_front() {
            turn.run(Job::Block(Box::new(move || token)));
        }
    }
}

impl Layer<AnyBackend> for Token {
    type Done = &'static str;

    fn request(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, &'static str>,
        request: Request,
    ) -> Option<Request> {
        if !matches!(request, Request::Open(_)) {
            return Some(request);
        }
        self.fetch(turn);
        None
    }

    fn done(&mut self, turn: &mut Turn<'_, AnyBackend, &'static str>, token: &'static str) {
        turn.note(Note::information(format!("the token is {token}")));
        turn.ask(Request::Open(login("joe", token)));
    }

    fn reply<'r>(
        &'r mut self,
        turn: &mut Turn<'_, AnyBackend, &'static str>,
        reply: Reply<'r>,
    ) -> Option<Reply<'r>> {
        if !matches!(reply, Reply::Refused(_)) || self.tokens.is_empty() {
            return Some(reply);
        }
        self.fetch(turn);
        turn.replace(Mailbox::boxed("second", &self.heard));
        None
    }
}

fn token(tokens: &[&'static str]) -> (Heard, Driver<Layered<Token, AnyBackend>>) {
    let heard = Heard::default();
    let layer = Token {
        heard: heard.clone(),
        tokens: tokens.iter().copied().collect(),
    };
    let layered = Layered::new(layer, Mailbox::boxed("first", &heard));
    (heard, Driver::new(layered))
}

#[test]
fn a_login_goes_on_after_a_job() {
    let (heard, mut driver) = token(&["right"]);
    assert_eq!(driver.open("typed"), ["Run"]);
    assert!(heard.take().is_empty(), "it is not asked before");
    assert_eq!(
        driver.finish_job(),
        [
            "Authenticated",
            "Entry one",
            "Entry two",
            OPENED,
            "Connect first",
            "Run"
        ]
    );
    assert_eq!(heard.take(), ["first: open joe"]);
    let notes = std::iter::from_fn(|| driver.backend.poll_note()).map(|note| note.text);
    assert_eq!(
        notes.collect::<Vec<_>>(),
        ["the token is right", "it is open"]
    );
    driver.finish_job();
    assert_eq!(heard.take(), ["first: Done(7)"], "this job is not its own");
}

#[test]
fn a_job_that_is_lost_fails_the_login() {
    let (heard, mut driver) = token(&["right"]);
    driver.open("typed");
    assert_eq!(driver.lose(), ["Failed lost"]);
    assert!(heard.take().is_empty(), "it was asked nothing");
}

#[test]
fn who_goes_away_while_a_job_runs_is_logged_in_nowhere() {
    let (heard, mut driver) = token(&["right"]);
    driver.open("typed");
    assert!(driver.ask(Request::Abandon).is_empty());
    assert!(driver.finish_job().is_empty());
    assert_eq!(heard.take(), ["first: abandon"]);
}

#[test]
fn a_refused_login_is_tried_again_with_a_new_backend() {
    let (heard, mut driver) = token(&["old", "right"]);
    driver.backend.record();
    driver.open("typed");
    assert_eq!(driver.finish_job(), ["Run"], "the refusal is not passed on");
    assert_eq!(heard.take(), ["first: open joe"]);
    assert_eq!(
        driver.finish_job(),
        [
            "Authenticated",
            "Entry one",
            "Entry two",
            OPENED,
            "Connect second",
            "Run"
        ]
    );
    driver.backend.poll_trace();
    assert_eq!(heard.take(), ["second: open joe", "second: records"]);
    // only the last refusal is the session's
    let (_, mut driver) = token(&["old", "older"]);
    driver.open("typed");
    driver.finish_job();
    let said = driver.finish_job();
    assert_eq!(said, ["Refused wrong", "Connect second", "Disconnect"]);
}

/// Replaces a backend in the middle of everything.
struct Impatient {
    heard: Heard,
}

impl Layer<AnyBackend> for Impatient {
    type Done = ();

    fn request(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, ()>,
        request: Request,
    ) -> Option<Request> {
        if matches!(request, Request::Answer(_)) {
            turn.replace(Mailbox::boxed("second", &self.heard));
            turn.ask(Request::Open(login("joe", "right")));
            return None;
        }
        Some(request)
    }
}

#[test]
fn what_a_replaced_backend_began_is_ended() {
    let heard = Heard::default();
    let layer = Impatient {
        heard: heard.clone(),
    };
    let mut driver = Driver::new(Layered::new(layer, Mailbox::boxed("first", &heard)));
    let said = driver.open("right");
    assert!(said.ends_with(&["Connect first".into(), "Run".into()]));
    heard.take();
    let said = driver.ask(Request::Answer(Secret::default()));
    assert_eq!(said[said.len() - 2..], ["Disconnect", "Connect second"]);
    // the new one's job waits for the end of the old one's, which is not passed on
    assert_eq!(driver.finish_job(), ["Run"]);
    assert_eq!(heard.take(), ["second: open joe"]);
    driver.finish_job();
    assert_eq!(heard.take(), ["second: Done(7)"]);
}

/// Answers in the place of the mailbox: before it is asked, or after it has begun.
struct Doorman {
    after: bool,
}

impl<B> Layer<B> for Doorman {
    type Done = ();

    fn request(&mut self, turn: &mut Turn<'_, B, ()>, request: Request) -> Option<Request> {
        if !self.after && matches!(request, Request::Open(_)) {
            let refusal = Refusal::new(RefusalKind::Policy, "closed today");
            turn.say(Reply::Refused(refusal));
            return None;
        }
        Some(request)
    }

    fn reply<'r>(&'r mut self, turn: &mut Turn<'_, B, ()>, reply: Reply<'r>) -> Option<Reply<'r>> {
        if !matches!(reply, Reply::Opened { .. }) {
            return Some(reply);
        }
        turn.say(Reply::Failed(Failure::temporary("no book to write into")));
        None
    }
}

#[test]
fn a_layer_answers_in_the_place_of_the_backend() {
    let heard = Heard::default();
    let mailbox = || Mailbox::boxed("m", &heard);
    let mut driver = Driver::new(Layered::new(Doorman { after: false }, mailbox()));
    assert_eq!(driver.open("right"), ["Refused closed today"]);
    assert!(driver.ask(Request::Abandon).is_empty());
    assert!(heard.take().is_empty(), "it was never asked");

    let mut driver = Driver::new(Layered::new(Doorman { after: true }, mailbox()));
    let said = driver.open("right");
    assert_eq!(said[3], "Failed no book to write into");
    assert_eq!(heard.take(), ["m: open joe", "m: abandon"]);
    driver.ask(Request::Abandon);
    assert!(heard.take().is_empty(), "it was told already");
}

/// Numbers the messages anew and writes the numbers down before the client hears them.
#[derive(Default)]
struct Ledger {
    entries: Vec<u64>,
    opened: Option<Access>,
    lent: String,
    waits: bool,
}

impl<B> Layer<B> for Ledger {
    type Done = &'static str;

    fn reply<'r>(
        &'r mut self,
        turn: &mut Turn<'_, B, &'static str>,
        reply: Reply<'r>,
    ) -> Option<Reply<'r>> {
        if let Reply::Entry { size, unique_id } = reply {
            if self.waits {
                self.entries.push(size);
                return None;
            }
            self.lent = format!("new-{}", unique_id.escape_ascii());
            let unique_id = self.lent.as_bytes();
            return Some(Reply::Entry { size, unique_id });
        }
        if let Reply::Opened { access } = reply
            && self.waits
        {
            self.opened = Some(access);
            turn.run(Job::Block(Box::new(|| "written")));
            return None;
        }
        Some(reply)
    }

    fn done(&mut self, turn: &mut Turn<'_, B, &'static str>, done: &'static str) {
        for (n, size) in self.entries.drain(..).enumerate() {
            let unique_id = format!("{done}-{n}");
            let unique_id = unique_id.as_bytes();
            turn.say(Reply::Entry { size, unique_id });
        }
        if let Some(access) = self.opened.take() {
            turn.say(Reply::Opened { access });
        }
    }

    fn hears(&self) -> bool {
        self.opened.is_none()
    }

    fn note(&mut self, note: Note) -> Option<Note> {
        (note.text != "it is open").then_some(note)
    }

    fn maildrop(&self, within: Option<String>) -> Option<String> {
        within.map(|within| format!("ledger of {within}"))
    }
}

#[test]
fn entries_are_rewritten() {
    let heard = Heard::default();
    let mut driver = Driver::new(Layered::new(Ledger::default(), Mailbox::boxed("m", &heard)));
    let said = driver.open("right");
    let listed = ["Authenticated", "Entry new-one", "Entry new-two", OPENED];
    assert_eq!(said[..4], listed);
    assert!(driver.backend.poll_note().is_none());
    assert_eq!(driver.backend.maildrop().unwrap(), "ledger of drop");
}

#[test]
fn entries_are_kept_back_until_a_job_is_done() {
    let heard = Heard::default();
    let layer = Ledger {
        waits: true,
        ..Ledger::default()
    };
    let mut driver = Driver::new(Layered::new(layer, Mailbox::boxed("m", &heard)));
    assert_eq!(
        driver.open("right"),
        ["Authenticated", "Connect m", "Run"],
        "one job at a time"
    );
    assert_eq!(
        driver.finish_job(),
        ["Entry written-0", "Entry written-1", OPENED, "Run"]
    );
    driver.finish_job();
    assert_eq!(heard.take(), ["m: open joe", "m: Done(7)"]);
}

/// Serves a message of its own in the place of each.
struct Notice;

impl<B> Layer<B> for Notice {
    type Done = ();

    fn request(&mut self, turn: &mut Turn<'_, B, ()>, request: Request) -> Option<Request> {
        let Request::Retrieve { ticket, .. } = request else {
            return Some(request);
        };
        turn.say(Reply::BodyStart { ticket, size: None });
        for bytes in [&b"closed on"[..], b"", b" Monday"] {
            turn.say(Reply::Body { ticket, bytes });
        }
        turn.say(Reply::BodyEnd { ticket });
        None
    }
}

#[test]
fn octets_that_a_layer_says_are_cut_to_the_room() {
    let heard = Heard::default();
    let mut driver = Driver::new(Layered::new(Notice, Mailbox::boxed("m", &heard)));
    driver.open("right");
    driver.backend.handle_request(NOW, retrieve());
    assert!(driver.backend.poll_reply(NOW, 0).is_some());
    assert!(driver.backend.poll_reply(NOW, 0).is_none());
    assert_eq!(
        driver.settle(),
        [
            "Body clos",
            "Body ed o",
            "Body n",
            "Body  Mon",
            "Body day",
            "BodyEnd"
        ]
    );
}

/// Puts its name before the user's.
struct Prefix(&'static str);

impl<B> Layer<B> for Prefix {
    type Done = ();

    fn request(&mut self, _: &mut Turn<'_, B, ()>, request: Request) -> Option<Request> {
        let Request::Open(open) = request else {
            return Some(request);
        };
        let user = format!("{}{}", self.0, open.login.user().unwrap());
        Some(Request::Open(login(&user, "right")))
    }

    fn maildrop(&self, within: Option<String>) -> Option<String> {
        within.map(|within| format!("{}{within}", self.0))
    }
}

#[test]
fn layers_compose_from_the_session_inwards() {
    let heard = Heard::default();
    let inner = Layered::new(Prefix("inner-"), Mailbox::boxed("m", &heard));
    let mut driver = Driver::new(Layered::new(Prefix("outer-"), inner));
    driver.open("typed");
    assert_eq!(heard.take(), ["m: open inner-outer-joe"]);
    assert_eq!(driver.backend.maildrop().unwrap(), "outer-inner-drop");
}

/// An answer that no backend of this session asked for costs a failure, not a panic.
#[test]
fn answers_of_others_are_not_read() {
    let heard = Heard::default();
    let mut driver = Driver::new(Mailbox::boxed("m", &heard));
    driver.open("right");
    let (_, mut other) = token(&["right"]);
    other.open("right");
    let Some(Job::Block(job)) = other.job.take() else {
        panic!("no job runs");
    };
    driver.backend.handle_outcome(NOW, Outcome::Done(job()));
    assert!(heard.take()[1].contains("result went to the wrong store"));
}
