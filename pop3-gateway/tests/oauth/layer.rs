//! A login by token: a made-up mailbox that takes the token `good` writes down what it hears.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_lite::future::block_on;
use gateway_state::GrantId;
use pop3_gateway::layer::token::{Admission, Admits, NotAdmitted, Token, TokenDesk};
use pop3_gateway::oauth::Flow;
use pop3_proto::backend::erased::{AnyBackend, Erased};
use pop3_proto::backend::layered::Layered;
use pop3_proto::backend::renewal::Renewed;
use pop3_proto::backend::{
    Access, Backend, Effect, Endpoint, Failure, Index, Job, Login, Mechanism, Open, Outcome,
    Refusal, RefusalKind, Reply, Request,
};
use pop3_proto::time::Time;

use crate::script::{NOW, Script, at, clock, down, keeper, records, secret, shown, sign_in, token};

type Heard = Arc<Mutex<Vec<String>>>;

/// The mailbox.
struct Mailbox {
    heard: Heard,
    replies: VecDeque<Reply<'static>>,
    effects: VecDeque<Effect<Renewed>>,
    /// The login, until it has had another token.
    open: Option<Open>,
    /// It says yes to every token, and fails when the mailbox is opened.
    opens_nothing: bool,
}

impl Mailbox {
    fn boxed(heard: &Heard, opens_nothing: bool) -> AnyBackend {
        Erased::boxed(Self {
            heard: Arc::clone(heard),
            replies: VecDeque::new(),
            effects: VecDeque::new(),
            open: None,
            opens_nothing,
        })
    }

    fn log_in(&mut self, open: &Open) {
        let Login::Bearer {
            mechanism,
            user,
            token,
            renewal,
        } = &open.login
        else {
            panic!("no password of a client comes here");
        };
        let shown = shown(token);
        self.heard.lock().unwrap().push(format!(
            "{} {user} {shown} {:?}",
            mechanism.as_str(),
            open.access
        ));
        self.effects.push_back(Effect::Connect(Endpoint {
            host: "imap.example.org".into(),
            port: 993,
        }));
        if self.opens_nothing {
            let failure = Failure::permanent("User is authenticated but not connected.");
            self.replies
                .extend([Reply::Authenticated, Reply::Failed(failure)]);
        } else if shown.starts_with("good") {
            let access = open.access;
            self.replies
                .extend([Reply::Authenticated, Reply::Opened { access }]);
        } else if self.open.is_some() {
            let renewal = renewal.as_ref().expect("there are other tokens");
            self.effects
                .extend([Effect::Disconnect, Effect::Run(renewal.job(Some(token)))]);
        } else {
            let refusal = Refusal::new(RefusalKind::Credentials, "AUTHENTICATE failed.");
            self.replies.push_back(Reply::Refused(refusal));
            self.effects.push_back(Effect::Disconnect);
        }
    }
}

impl Backend for Mailbox {
    type Done = Renewed;

    fn handle_request(&mut self, _: Time, request: Request) {
        match request {
            Request::Open(open) => {
                self.open = Some(open.clone());
                self.log_in(&open);
            }
            update @ Request::Update { .. } => {
                self.heard.lock().unwrap().push(format!("{update:?}"));
                self.replies.push_back(Reply::Updated);
            }
            Request::Answer(_)
            | Request::Retrieve { .. }
            | Request::Cancel(_)
            | Request::Abandon => {}
        }
    }

    fn handle_outcome(&mut self, _: Time, outcome: Outcome<Renewed>) {
        let Outcome::Done(renewed) = outcome else {
            return;
        };
        let mut open = self.open.take().expect("a login asked for it");
        let Login::Bearer { token, .. } = &mut open.login else {
            panic!("it was one");
        };
        match renewed {
            Ok(another) => {
                *token = another;
                self.log_in(&open);
            }
            Err(failure) => self.replies.push_back(Reply::Failed(failure)),
        }
    }

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, _: usize) -> Option<Reply<'_>> {
        self.replies.pop_front()
    }

    fn poll_effect(&mut self) -> Option<Effect<Renewed>> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    fn maildrop(&self) -> Option<String> {
        None
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn received(&mut self, _: Time, _: usize) {}

    fn transmit(&self) -> &[u8] {
        &[]
    }

    fn transmitted(&mut self, _: Time, _: usize) {}

    fn record(&mut self) {}

    fn poll_note(&mut self) -> Option<pop3_proto::backend::Note> {
        None
    }

    fn poll_trace(&mut self) -> Option<pop3_proto::trace::Trace> {
        None
    }
}

/// Accounts of one mailbox, for all, for reading, and without deletion; their password is `right`.
struct Accounts;

impl Admits for Accounts {
    fn at_once(&self, open: &Open) -> Option<Admission> {
        let user = open.login.user()?;
        let known = user.strip_prefix("known ")?;
        let mut as_known = open.clone();
        if let Login::Password { user, .. } = &mut as_known.login {
            *user = known.into();
        }
        self.admit(&as_known).ok()
    }

    fn admit(&self, open: &Open) -> Result<Admission, NotAdmitted> {
        let Login::Password { user, password } = &open.login else {
            panic!("only passwords here");
        };
        let access = match user.as_str() {
            "phone" => Access::ReadWrite,
            "archive" => Access::ReadOnly,
            "broken" => return Err(NotAdmitted::Failed(Failure::temporary("no database"))),
            _ => Access::ReadWrite,
        };
        if password.expose() != b"right" {
            let refusal = Refusal::new(RefusalKind::Credentials, "wrong name or password");
            return Err(NotAdmitted::Refused(refusal));
        }
        Ok(Admission {
            mailbox: "Tim@example.org".into(),
            grant: GrantId::new("office", "tim@example.org"),
            access,
            keeps: user == "scanner",
        })
    }
}

/// One login.
struct Session {
    backend: Layered<Token, AnyBackend>,
    heard: Heard,
}

impl Session {
    fn new(source: &Arc<Script>, clock: fn() -> u64, first: &str, opens_nothing: bool) -> Self {
        let records = records();
        let id = GrantId::new("office", "tim@example.org");
        sign_in(&records, &id, NOW, NOW);
        source.answer(token(first, None));
        Self::of(&keeper(Some(records), source, clock), opens_nothing)
    }

    fn of(keeper: &Arc<pop3_gateway::oauth::Keeper>, opens_nothing: bool) -> Self {
        let heard = Heard::default();
        let desk = TokenDesk {
            accounts: Arc::new(Accounts),
            keeper: Arc::clone(keeper),
            mechanism: Mechanism::new("XOAUTH2").unwrap(),
            place: "imap.example.org/".into(),
        };
        Self {
            backend: Layered::new(
                Token::new(Arc::new(desk)),
                Mailbox::boxed(&heard, opens_nothing),
            ),
            heard,
        }
    }

    /// Logs in, and gives back what was said.
    fn log_in(&mut self, user: &str, password: &str) -> Vec<String> {
        self.log_in_for(user, password, Access::ReadWrite)
    }

    fn log_in_for(&mut self, user: &str, password: &str, access: Access) -> Vec<String> {
        let open = Open::new(Login::Password {
            user: user.into(),
            password: secret(password),
        })
        .access(access);
        self.ask(Request::Open(open))
    }

    /// Gives back what was said, with the maildrop's lock as it was asked for.
    fn ask(&mut self, request: Request) -> Vec<String> {
        let now = Time::ZERO;
        self.backend.handle_request(now, request);
        let mut said = Vec::new();
        loop {
            if let Some(reply) = self.backend.poll_reply(now, 100) {
                let is_authenticated = matches!(reply, Reply::Authenticated);
                said.push(match reply {
                    Reply::Failed(failure) => format!("{:?} {}", failure.kind, failure.detail),
                    Reply::Refused(refusal) => format!("{:?} {}", refusal.kind, refusal.detail),
                    other @ (Reply::Challenge(_)
                    | Reply::Authenticated
                    | Reply::Entry { .. }
                    | Reply::Opened { .. }
                    | Reply::BodyStart { .. }
                    | Reply::Body { .. }
                    | Reply::BodyEnd { .. }
                    | Reply::BodyFailed { .. }
                    | Reply::Updated
                    | Reply::Kept) => format!("{other:?}"),
                });
                if is_authenticated {
                    said.extend(self.backend.maildrop());
                }
                continue;
            }
            match self.backend.poll_effect() {
                Some(Effect::Run(Job::Block(job))) => {
                    let done = job();
                    self.backend.handle_outcome(now, Outcome::Done(done));
                }
                Some(Effect::Run(Job::Await(job))) => {
                    let done = block_on(job);
                    self.backend.handle_outcome(now, Outcome::Done(done));
                }
                Some(
                    Effect::Connect(_)
                    | Effect::Resume(_)
                    | Effect::Park(_)
                    | Effect::StartTls { .. }
                    | Effect::Disconnect,
                ) => {}
                None => return said,
            }
        }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

const LOCK: &str = "imap.example.org/tim@example.org";
const OPENED: &str = "Opened { access: ReadWrite }";

#[test]
fn qg1_the_right_password_opens_the_mailbox_by_token() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    let mut session = Session::new(&source, clock, "good", false);
    assert_eq!(
        session.log_in("phone", "right"),
        ["Authenticated", LOCK, OPENED]
    );
    assert_eq!(session.heard(), ["XOAUTH2 Tim@example.org good ReadWrite"]);
}

#[test]
fn v36_qg5_a_wrong_password_asks_nobody() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    for (user, password, said) in [
        ("phone", "wrong", "Credentials wrong name or password"),
        ("nobody", "good", "Credentials wrong name or password"),
        ("phone", "", "Credentials wrong name or password"),
        ("broken", "right", "Temporary no database"),
    ] {
        let mut session = Session::new(&source, clock, "good", false);
        assert_eq!(session.log_in(user, password), [said]);
        assert!(session.heard().is_empty(), "{user}");
    }
    assert!(source.asked().is_empty());
}

#[test]
fn a_refused_token_is_replaced_once_on_a_new_connection() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    let mut session = Session::new(&source, clock, "revoked", false);
    source.answer(token("good", None));
    assert_eq!(
        session.log_in("phone", "right"),
        ["Authenticated", LOCK, OPENED]
    );
    assert_eq!(
        session.heard(),
        [
            "XOAUTH2 Tim@example.org revoked ReadWrite",
            "XOAUTH2 Tim@example.org good ReadWrite"
        ]
    );
    assert_eq!(source.asked().len(), 2);
}

/// The client's password was right: it must not be asked for another one.
#[test]
fn a_token_that_is_refused_twice_is_a_failure() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    let mut session = Session::new(&source, clock, "revoked", false);
    source.answer(token("useless", None));
    let said = session.log_in("phone", "right");
    assert_eq!(said[..2], ["Authenticated", LOCK]);
    assert!(said[2].starts_with("Permanent "), "{said:?}");
    assert_eq!(said.len(), 3);
    assert_eq!(session.heard().len(), 2);
    for secret in ["revoked", "useless", "right"] {
        assert!(!said[2].contains(&format!(" {secret}")), "{said:?}");
    }
}

#[test]
fn a_provider_that_is_down_is_no_fault_of_the_password() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let (records, source) = (records(), Script::new(Flow::Code));
    sign_in(
        &records,
        &GrantId::new("office", "tim@example.org"),
        NOW,
        NOW,
    );
    source.answer(down());
    let mut session = Session::of(&keeper(Some(records), &source, clock), false);
    let said = session.log_in("phone", "right");
    assert_eq!(said[..2], ["Authenticated", LOCK]);
    assert!(said[2].starts_with("Temporary out of order"), "{said:?}");
    assert!(session.heard().is_empty());
    // a token was refused meanwhile, and there is no other: it passes, too
    let (records, source) = (crate::script::records(), Script::new(Flow::Code));
    sign_in(
        &records,
        &GrantId::new("office", "tim@example.org"),
        NOW + 3600,
        NOW,
    );
    source.answer(down());
    let keeper = keeper(Some(records), &source, clock);
    for _ in 0..2 {
        let mut session = Session::of(&keeper, false);
        let said = session.log_in("phone", "right");
        assert!(said[2].starts_with("Temporary out of order"), "{said:?}");
        assert_eq!(
            session.heard(),
            ["XOAUTH2 Tim@example.org access-0 ReadWrite"]
        );
    }
}

#[test]
fn a_sign_in_that_is_missing_needs_a_person() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    let mut session = Session::of(&keeper(Some(records()), &source, clock), false);
    let said = session.log_in("phone", "right");
    assert!(
        said[2].starts_with("Permanent nobody signed in"),
        "{said:?}"
    );
}

/// Two accounts of one mailbox share its lock, whatever each is called.
#[test]
fn the_lock_is_the_mailbox() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    let locks = ["phone", "Phone 2"].map(|user| {
        let mut session = Session::new(&source, clock, "good", false);
        session.log_in(user, "right")[1].clone()
    });
    assert_eq!(locks, [LOCK, LOCK]);
}

#[test]
fn an_account_for_reading_reads() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    for (user, wanted) in [
        ("archive", Access::ReadWrite),
        ("archive", Access::ReadOnly),
        ("phone", Access::ReadOnly),
    ] {
        let mut session = Session::new(&source, clock, "good", false);
        let said = session.log_in_for(user, "right", wanted);
        assert_eq!(said, ["Authenticated", LOCK, "Opened { access: ReadOnly }"]);
        assert_eq!(session.heard(), ["XOAUTH2 Tim@example.org good ReadOnly"]);
    }
}

/// A device that cannot do without DELE hears yes, the mailbox hears nothing of it, and QUIT tells the truth.
#[test]
fn an_account_that_removes_nothing_may_mark() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    for (user, marked, updated, said) in [
        ("known scanner", vec![0, 2], "[]", "Kept"),
        ("scanner", vec![0, 2], "[]", "Kept"),
        ("scanner", vec![], "[]", "Updated"),
        ("phone", vec![0, 2], "[Index(0), Index(2)]", "Updated"),
    ] {
        let mut session = Session::new(&source, clock, "good", false);
        let opened = session.log_in(user, "right");
        assert_eq!(opened, ["Authenticated", LOCK, OPENED], "{user}");
        let quit = session.ask(Request::Update {
            deleted: marked.into_iter().map(Index).collect(),
            retrieved: vec![Index(1)],
        });
        assert_eq!(quit, [said], "{user}");
        let update = format!("Update {{ deleted: {updated}, retrieved: [Index(1)] }}");
        assert_eq!(session.heard().last(), Some(&update), "{user}");
    }
}

/// Some servers say yes to tokens that open nothing.
#[test]
fn a_token_that_opens_nothing_is_reported_once() {
    clock!(CLOCK, clock);
    at(&CLOCK, NOW);
    let source = Script::new(Flow::Code);
    let mut session = Session::new(&source, clock, "good", true);
    assert_eq!(
        session.log_in("phone", "right"),
        [
            "Authenticated",
            LOCK,
            "Permanent User is authenticated but not connected."
        ]
    );
}
