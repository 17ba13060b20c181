//! A login by token that can get others: where a token is fetched, and what comes of it.

use std::collections::VecDeque;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imap_backend::{Config, ImapBackend};
use pop3_proto::backend::renewal::{Renewal, Renewed, Renews};
use pop3_proto::backend::waiting::Waiting;
use pop3_proto::backend::{
    Backend, Effect, Failure, Index, Job, Login, Mechanism, Open, Outcome, Part, Request, Ticket,
};
use pop3_proto::secret::Secret;

use crate::parked::{FOLDER, at, config, hear, replies, said, serve};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 UIDPLUS AUTH=XOAUTH2 SASL-IR] ready\r\n";
const REFUSED: &str = "NO [AUTHENTICATIONFAILED] Authentication failed.";

/// When a session that logged in at second 1 rests.
const DUE: u64 = 61;

/// Gives out what a test says, and writes down what it was asked.
#[derive(Default)]
struct Source {
    answers: Mutex<VecDeque<Renewed>>,
    /// The token that was refused, each time.
    asked: Mutex<Vec<Option<String>>>,
}

impl Renews for Source {
    fn renew(&self, refused: Option<&Secret>) -> Pin<Box<dyn Future<Output = Renewed> + Send>> {
        let refused = refused.map(|token| String::from_utf8(token.expose().to_vec()).unwrap());
        self.asked.lock().unwrap().push(refused);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(ready(answer.expect("nobody asks for more")))
    }
}

impl Source {
    fn of(answers: &[&str]) -> Arc<Self> {
        let answers = answers
            .iter()
            .map(|token| Ok(Secret::from(token.as_bytes())));
        Arc::new(Self {
            answers: Mutex::new(answers.collect()),
            ..Self::default()
        })
    }

    fn refused(&self) -> Vec<Option<String>> {
        self.asked.lock().unwrap().clone()
    }
}

fn resting() -> Config {
    let mut config = config();
    config.rest = Duration::from_secs(60);
    config
}

fn open(source: &Arc<Source>) -> Open {
    let source = Arc::clone(source) as Arc<dyn Renews>;
    open_with("first", Some(Renewal::new(source)))
}

fn open_with(token: &str, renewal: Option<Renewal>) -> Open {
    Open::new(Login::Bearer {
        mechanism: Mechanism::new("XOAUTH2").unwrap(),
        user: "tim".into(),
        token: Secret::from(token.as_bytes()),
        renewal,
    })
}

/// A session that asked for its login at second 1.
fn opening(config: &Config, source: &Arc<Source>) -> ImapBackend {
    let mut backend = ImapBackend::new(config.clone().into());
    backend.handle_request(at(1), Request::Open(open(source)));
    backend
}

/// The connection is made, and the server greets.
fn greeted(backend: &mut ImapBackend, now: u64) {
    let asked = backend.poll_effect();
    assert!(
        matches!(asked, Some(Effect::Connect(_) | Effect::Resume(_))),
        "{asked:?}"
    );
    backend.handle_outcome(at(now), Outcome::Connected);
    hear(backend, at(now), GREETING.as_bytes(), 99);
}

fn logged_in(config: &Config, source: &Arc<Source>) -> ImapBackend {
    let mut backend = opening(config, source);
    greeted(&mut backend, 1);
    serve(&mut backend, at(1), &FOLDER, 7);
    assert_eq!(replies(&mut backend, at(1)).len(), 4);
    assert!(source.refused().is_empty(), "the client's is fresh");
    backend
}

/// Fetches the token that is wanted, for later.
fn fetched(backend: &mut ImapBackend) -> Renewed {
    let Some(Effect::Run(Job::Await(mut job))) = backend.poll_effect() else {
        panic!("no token is wanted");
    };
    match job.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(renewed) => renewed,
        Poll::Pending => panic!("it is there at once"),
    }
}

/// Fetches the token that is wanted.
fn renew(backend: &mut ImapBackend, now: u64) {
    assert_eq!(said(backend, at(now)), "", "nothing goes before the token");
    let renewed = fetched(backend);
    backend.handle_outcome(at(now), Outcome::Done(renewed));
}

/// The tag and the token of the login that is sent.
fn login(backend: &mut ImapBackend, now: u64) -> (String, String) {
    let line = said(backend, at(now));
    let mut words = line.split_whitespace();
    let tag = words.next().unwrap().to_owned();
    assert_eq!(words.next(), Some("AUTHENTICATE"), "{line}");
    let message = STANDARD.decode(words.nth(1).unwrap()).unwrap();
    let message = String::from_utf8(message).unwrap();
    let (_, token) = message.split_once("Bearer ").unwrap();
    (tag, token.trim_end_matches('\x01').into())
}

/// The server does not take the token.
fn refuse(backend: &mut ImapBackend, now: u64) -> String {
    let (tag, token) = login(backend, now);
    hear(
        backend,
        at(now),
        format!("{tag} {REFUSED}\r\n").as_bytes(),
        99,
    );
    token
}

fn retrieve(backend: &mut ImapBackend, now: u64) {
    let request = Request::Retrieve {
        ticket: Ticket(1),
        index: Index(0),
        part: Part::Whole,
    };
    backend.handle_request(at(now), request);
}

/// Lets the time come, and gives back what waits.
fn rests(backend: &mut ImapBackend) -> Option<Box<dyn Waiting>> {
    assert_eq!(backend.poll_timeout(), Some(at(DUE)));
    backend.handle_timeout(at(DUE));
    match backend.poll_effect() {
        Some(Effect::Park(parked)) => Some(parked.waiting),
        Some(Effect::Disconnect) => None,
        other => panic!("{other:?}"),
    }
    .inspect(|_| assert_eq!(said(backend, at(DUE)), ""))
}

/// What is needed of an upstream that was left: the connection of a session that has rested.
fn comes_back(source: &Arc<Source>) -> ImapBackend {
    let mut backend = logged_in(&resting(), source);
    assert!(rests(&mut backend).is_some());
    retrieve(&mut backend, 100);
    greeted(&mut backend, 100);
    backend
}

#[test]
fn a_session_that_rested_logs_in_by_another_token() {
    for park in [true, false] {
        let mut config = resting();
        if !park {
            config.park = Duration::ZERO;
        }
        let source = Source::of(&["second"]);
        let mut backend = logged_in(&config, &source);
        assert_eq!(rests(&mut backend).is_some(), park);
        if !park {
            assert!(said(&mut backend, at(DUE)).ends_with(" LOGOUT\r\n"));
        }
        retrieve(&mut backend, 5000);
        greeted(&mut backend, 5000);
        renew(&mut backend, 5000);
        let (tag, token) = login(&mut backend, 5000);
        assert_eq!(token, "second");
        hear(
            &mut backend,
            at(5000),
            format!("{tag} OK\r\n").as_bytes(),
            99,
        );
        serve(&mut backend, at(5000), &FOLDER, 7);
        assert_eq!(replies(&mut backend, at(5000)).len(), 1, "it was asked for");
        assert_eq!(source.refused(), [None]);
    }
}

#[test]
fn a_connection_that_waited_needs_no_token() {
    let source = Source::of(&[]);
    let mut backend = logged_in(&resting(), &source);
    let waiting = rests(&mut backend).unwrap();
    retrieve(&mut backend, 100);
    assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
    backend.handle_outcome(at(100), Outcome::Resumed(waiting));
    serve(&mut backend, at(100), &FOLDER, 7);
    assert_eq!(replies(&mut backend, at(100)).len(), 1);
    assert!(source.refused().is_empty());
}

/// The next login by the same token takes it up, and no other.
#[test]
fn the_connection_of_a_session_that_is_over_waits_for_its_token() {
    let source = Source::of(&[]);
    let mut backend = logged_in(&config(), &source);
    let (deleted, retrieved) = (Vec::new(), Vec::new());
    backend.handle_request(at(2), Request::Update { deleted, retrieved });
    assert_eq!(replies(&mut backend, at(2)), ["Updated"]);
    let Some(Effect::Park(parked)) = backend.poll_effect() else {
        panic!("it is given up");
    };
    let source: Arc<dyn Renews> = source;
    let [mut backend, _] = ["first", "another"].map(|token| {
        let mut backend = ImapBackend::new(config().into());
        let renewal = Renewal::new(Arc::clone(&source));
        backend.handle_request(at(3), Request::Open(open_with(token, Some(renewal))));
        let Some(Effect::Resume(wanted)) = backend.poll_effect() else {
            panic!("none is looked for");
        };
        assert_eq!(wanted.claim == parked.claim, token == "first");
        backend
    });
    backend.handle_outcome(at(3), Outcome::Resumed(parked.waiting));
    serve(&mut backend, at(3), &FOLDER, 7);
    assert_eq!(replies(&mut backend, at(3)).len(), 4);
}

#[test]
fn a_connection_that_was_lost_is_replaced_by_another_token() {
    let source = Source::of(&["second"]);
    let mut backend = logged_in(&config(), &source);
    let lost = Failure::temporary("reset");
    backend.handle_outcome(at(9), Outcome::Lost(lost));
    retrieve(&mut backend, 10);
    greeted(&mut backend, 10);
    renew(&mut backend, 10);
    assert_eq!(login(&mut backend, 10).1, "second");
}

#[test]
fn a_refused_token_is_replaced_once_on_a_connection_of_its_own() {
    let source = Source::of(&["second"]);
    let mut backend = opening(&config(), &source);
    greeted(&mut backend, 1);
    assert_eq!(refuse(&mut backend, 1), "first");
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    greeted(&mut backend, 1);
    renew(&mut backend, 1);
    let (tag, token) = login(&mut backend, 1);
    assert_eq!(token, "second");
    hear(&mut backend, at(1), format!("{tag} OK\r\n").as_bytes(), 99);
    serve(&mut backend, at(1), &FOLDER, 7);
    assert_eq!(replies(&mut backend, at(1)).len(), 4);
    assert_eq!(source.refused(), [Some("first".into())]);
}

#[test]
fn a_token_that_is_refused_twice_is_refused() {
    let source = Source::of(&["second"]);
    let mut backend = opening(&config(), &source);
    greeted(&mut backend, 1);
    refuse(&mut backend, 1);
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    greeted(&mut backend, 1);
    renew(&mut backend, 1);
    assert_eq!(refuse(&mut backend, 1), "second");
    let heard = replies(&mut backend, at(1));
    assert!(
        heard.len() == 1 && heard[0].contains("Credentials"),
        "{heard:?}"
    );
    for secret in ["first", "second"] {
        assert!(!heard[0].contains(secret), "{heard:?}");
    }
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    assert!(backend.poll_effect().is_none());
}

/// A client's own token cannot be replaced.
#[test]
fn without_a_source_a_refusal_is_one() {
    let mut backend = ImapBackend::new(config().into());
    backend.handle_request(at(1), Request::Open(open_with("first", None)));
    greeted(&mut backend, 1);
    refuse(&mut backend, 1);
    assert_eq!(replies(&mut backend, at(1)).len(), 1);
}

#[test]
fn a_session_that_comes_back_may_be_refused_once() {
    let source = Source::of(&["second", "third"]);
    let mut backend = comes_back(&source);
    renew(&mut backend, 100);
    assert_eq!(refuse(&mut backend, 100), "second");
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    greeted(&mut backend, 100);
    renew(&mut backend, 100);
    assert_eq!(refuse(&mut backend, 100), "third");
    assert_eq!(source.refused(), [None, Some("second".into())]);
    let heard = replies(&mut backend, at(100));
    assert!(
        heard.len() == 1 && heard[0].contains("BodyFailed"),
        "{heard:?}"
    );
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    // and nobody is asked again in this session
    retrieve(&mut backend, 1000);
    assert_eq!(replies(&mut backend, at(1000)).len(), 1);
    assert!(backend.poll_effect().is_none());
}

#[test]
fn without_a_token_what_is_asked_for_fails_for_a_while_or_for_good() {
    for passes in [true, false] {
        let source = Source::of(&[]);
        source.answers.lock().unwrap().push_back(Err(match passes {
            true => Failure::temporary("the provider is out of order"),
            false => Failure::permanent("nobody signed in"),
        }));
        let mut backend = comes_back(&source);
        renew(&mut backend, 100);
        let heard = replies(&mut backend, at(100));
        let why = ["nobody signed in", "out of order"][usize::from(passes)];
        assert!(heard.len() == 1 && heard[0].contains(why), "{heard:?}");
        assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
        // a moment later the answer is the same, and nobody is asked
        retrieve(&mut backend, 102);
        assert_eq!(replies(&mut backend, at(102)).len(), 1);
        assert!(backend.poll_effect().is_none());
        retrieve(&mut backend, 200);
        let again = backend.poll_effect();
        assert_eq!(matches!(again, Some(Effect::Connect(_))), passes);
        assert_eq!(source.refused().len(), 1);
    }
}

/// What cannot be put into a line or a message is not sent, whoever made it.
#[test]
fn a_token_that_cannot_be_sent_is_none() {
    for token in ["to\r\nken", "to\0ken", "to\x01auth=x", "t\u{f6}ken"] {
        let source = Source::of(&[token]);
        let mut backend = comes_back(&source);
        renew(&mut backend, 100);
        assert_eq!(said(&mut backend, at(100)), "", "{token:?}");
        assert_eq!(replies(&mut backend, at(100)).len(), 1);
        assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    }
}

/// It was for a connection that is gone.
#[test]
fn a_token_that_comes_too_late_is_not_used() {
    let source = Source::of(&["second", "third"]);
    let mut backend = comes_back(&source);
    let late = fetched(&mut backend);
    let due = backend.poll_timeout().unwrap();
    assert_eq!(due, at(160), "as any answer");
    backend.handle_timeout(due);
    let heard = replies(&mut backend, due);
    assert!(
        heard.len() == 1 && heard[0].contains("no token"),
        "{heard:?}"
    );
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    backend.handle_outcome(due, Outcome::Done(late));
    assert_eq!(said(&mut backend, due), "");
    retrieve(&mut backend, 200);
    greeted(&mut backend, 200);
    renew(&mut backend, 200);
    assert_eq!(login(&mut backend, 200).1, "third");
}

/// One at a time, whatever becomes of the connection meanwhile.
#[test]
fn a_token_that_is_being_fetched_is_not_fetched_twice() {
    let source = Source::of(&["second"]);
    let mut backend = comes_back(&source);
    let slow = fetched(&mut backend);
    hear(&mut backend, at(101), b"* BYE idle too long\r\n", 99);
    assert_eq!(replies(&mut backend, at(101)).len(), 1);
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    retrieve(&mut backend, 110);
    greeted(&mut backend, 110);
    assert!(backend.poll_effect().is_none());
    backend.handle_outcome(at(111), Outcome::Done(slow));
    assert_eq!(login(&mut backend, 111).1, "second");
}

#[test]
fn a_job_that_is_lost_is_a_connection_that_is_lost() {
    let source = Source::of(&["second", "third"]);
    let mut backend = comes_back(&source);
    assert!(fetched(&mut backend).is_ok());
    let lost = Failure::permanent("the backend's job panicked");
    backend.handle_outcome(at(101), Outcome::Lost(lost));
    assert_eq!(replies(&mut backend, at(101)).len(), 1);
    retrieve(&mut backend, 110);
    greeted(&mut backend, 110);
    renew(&mut backend, 110);
    assert_eq!(login(&mut backend, 110).1, "third");
}

#[test]
fn a_session_that_ends_meanwhile_says_good_bye() {
    let source = Source::of(&["second"]);
    let mut backend = comes_back(&source);
    let late = fetched(&mut backend);
    backend.handle_request(at(101), Request::Abandon);
    assert!(said(&mut backend, at(101)).ends_with(" LOGOUT\r\n"));
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    backend.handle_outcome(at(101), Outcome::Done(late));
    assert_eq!(said(&mut backend, at(101)), "");
    assert_eq!(backend.poll_timeout(), None);
}

/// Octets and the end of a connection come together, as under TLS, and the driver asks what to do only then: a job of
/// before is not begun beside that of the next connection.
#[test]
fn a_connection_that_ends_at_once_leaves_no_job() {
    let source = Source::of(&["second", "third"]);
    let mut backend = comes_back(&source);
    let ended = Failure::temporary("the server closed the connection");
    backend.handle_outcome(at(100), Outcome::Lost(ended));
    assert!(!matches!(backend.poll_effect(), Some(Effect::Run(_))));
    assert_eq!(replies(&mut backend, at(100)).len(), 1);
    retrieve(&mut backend, 110);
    greeted(&mut backend, 110);
    renew(&mut backend, 110);
    assert_eq!(login(&mut backend, 110).1, "third");
}
