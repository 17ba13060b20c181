//! A token in the place of a password.
//!
//! Owns the order of a login to a mailbox that a grant reaches: the client's own credential is looked at here, the
//! maildrop is taken, a token is fetched, and the mailbox opened with it. The mailbox gets others where it needs them:
//! once when the upstream refuses a token, and when a session comes back to an upstream that it had left. Whether a
//! token works is known when the mailbox is open, not when the login was taken: some servers say yes to tokens that open
//! nothing. What an account that removes nothing marks is kept, and QUIT says so.
//!
//! Never passes on what the client proved itself with, and never opens a mailbox without that proof.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pop3_proto::backend::erased::AnyBackend;
use pop3_proto::backend::layer::{Layer, Turn};
use pop3_proto::backend::renewal::{Renewal, Renewed, Renews};
use pop3_proto::backend::{
    Access, Failure, Job, Login, Mechanism, Open, Refusal, RefusalKind, Reply, Request,
};
use pop3_proto::secret::Secret;

use crate::oauth::{Keeper, NoToken};
use gateway_state::GrantId;

/// What a credential opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The user's name at the upstream: the mailbox that is read.
    pub mailbox: String,
    /// Whose grant opens it.
    pub grant: GrantId,
    /// What the account may.
    pub access: Access,
    /// DELE is answered and nothing is removed: for devices that cannot do without it.
    pub keeps: bool,
}

/// Looks at credentials.
pub trait Admits: Send + Sync {
    /// Who logs in, where the credential was good a moment ago and nothing has to be waited for. `None` is no refusal:
    /// then it is looked at.
    fn at_once(&self, open: &Open) -> Option<Admission>;

    /// Who logs in, if the credential is good; the same text and the same time for whatever is wrong with it. Blocks.
    fn admit(&self, open: &Open) -> Result<Admission, NotAdmitted>;
}

/// Why a credential opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// It is wrong.
    Refused(Refusal),
    /// It could not be looked at.
    Failed(Failure),
}

/// What all logins to one upstream share.
pub struct TokenDesk {
    /// Who may log in.
    pub accounts: Arc<dyn Admits>,
    /// Where tokens are.
    pub keeper: Arc<Keeper>,
    /// How they are put to the upstream.
    pub mechanism: Mechanism,
    /// What stands before the mailbox in the name of a maildrop's lock.
    pub place: String,
}

/// One login by token.
pub struct Token {
    desk: Arc<TokenDesk>,
    state: State,
}

enum State {
    /// No login yet.
    Idle,
    /// The client's own credential is looked at.
    Admitting(Open),
    /// A token is fetched.
    Fetching(Open, Admission),
    /// The mailbox is asked to open with a token.
    Opening(Admission),
    /// The mailbox is open, and nothing is to be removed from it.
    Guarding,
    /// The client said QUIT and has marked messages, which stay.
    Keeping,
    /// Nothing more to do.
    Done,
}

/// What a job of this layer brings back.
pub enum Fetched {
    /// The credential was looked at.
    Admitted(Result<Admission, NotAdmitted>),
    /// A token, or none.
    Token(Renewed),
}

impl std::fmt::Debug for TokenDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenDesk").finish_non_exhaustive()
    }
}

impl Token {
    /// A login that has not come yet.
    pub fn new(desk: Arc<TokenDesk>) -> Self {
        let state = State::Idle;
        Self { desk, state }
    }

    /// The credential is good.
    fn admitted(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, Fetched>,
        mut open: Open,
        admission: Admission,
    ) {
        if admission.access == Access::ReadOnly {
            open.access = Access::ReadOnly;
        }
        // the lock's name is asked for at this reply
        self.state = State::Fetching(open.clone(), admission.clone());
        turn.say(Reply::Authenticated);
        self.fetch(turn, open, admission);
    }

    fn fetch(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, Fetched>,
        open: Open,
        admission: Admission,
    ) {
        if let Some(token) = self.desk.keeper.cached(&admission.grant) {
            return self.open(turn, open, admission, token);
        }
        let (keeper, grant) = (Arc::clone(&self.desk.keeper), admission.grant.clone());
        self.state = State::Fetching(open, admission);
        turn.run(Job::Await(Box::pin(async move {
            Fetched::Token(keeper.token(&grant, None).await.map_err(failure))
        })));
    }

    fn open(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, Fetched>,
        open: Open,
        admission: Admission,
        token: Secret,
    ) {
        let others = Others {
            keeper: Arc::clone(&self.desk.keeper),
            grant: admission.grant.clone(),
        };
        turn.ask(Request::Open(open.login(Login::Bearer {
            mechanism: self.desk.mechanism.clone(),
            user: admission.mailbox.clone(),
            token,
            renewal: Some(Renewal::new(Arc::new(others))),
        })));
        self.state = State::Opening(admission);
    }
}

/// Why there is no token, as a session hears it.
fn failure(error: NoToken) -> Failure {
    match error.passes {
        true => Failure::temporary(error.text),
        false => Failure::permanent(error.text),
    }
}

/// The tokens of one grant after the first.
struct Others {
    keeper: Arc<Keeper>,
    grant: GrantId,
}

impl Renews for Others {
    fn renew(&self, refused: Option<&Secret>) -> Pin<Box<dyn Future<Output = Renewed> + Send>> {
        let (keeper, grant) = (Arc::clone(&self.keeper), self.grant.clone());
        let refused = refused.cloned();
        Box::pin(async move {
            let token = keeper.token(&grant, refused.as_ref()).await;
            token.map_err(failure)
        })
    }
}

impl Layer<AnyBackend> for Token {
    type Done = Fetched;

    fn request(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, Fetched>,
        request: Request,
    ) -> Option<Request> {
        let open = match (request, &self.state) {
            (Request::Open(open), State::Idle) => open,
            (Request::Update { deleted, retrieved }, State::Guarding) if !deleted.is_empty() => {
                self.state = State::Keeping;
                return Some(Request::Update {
                    deleted: Vec::new(),
                    retrieved,
                });
            }
            (request, _) => return Some(request),
        };
        if let Some(admission) = self.desk.accounts.at_once(&open) {
            self.admitted(turn, open, admission);
            return None;
        }
        let (desk, looked_at) = (Arc::clone(&self.desk), open.clone());
        self.state = State::Admitting(open);
        turn.run(Job::Block(Box::new(move || {
            Fetched::Admitted(desk.accounts.admit(&looked_at))
        })));
        None
    }

    fn done(&mut self, turn: &mut Turn<'_, AnyBackend, Fetched>, done: Fetched) {
        match (std::mem::replace(&mut self.state, State::Done), done) {
            (State::Admitting(open), Fetched::Admitted(Ok(admission))) => {
                self.admitted(turn, open, admission);
            }
            (State::Admitting(_), Fetched::Admitted(Err(NotAdmitted::Refused(refusal)))) => {
                turn.say(Reply::Refused(refusal));
            }
            (State::Admitting(_), Fetched::Admitted(Err(NotAdmitted::Failed(failure)))) => {
                turn.say(Reply::Failed(failure));
            }
            (State::Fetching(open, admission), Fetched::Token(Ok(token))) => {
                self.open(turn, open, admission, token);
            }
            (State::Fetching(..), Fetched::Token(Err(failure))) => {
                turn.say(Reply::Failed(failure));
            }
            // a job of a login that is over
            (state, Fetched::Admitted(_) | Fetched::Token(_)) => self.state = state,
        }
    }

    fn reply<'r>(
        &'r mut self,
        _: &mut Turn<'_, AnyBackend, Fetched>,
        reply: Reply<'r>,
    ) -> Option<Reply<'r>> {
        match (&reply, &self.state) {
            // it was said when the client's own credential was found good
            (Reply::Authenticated, State::Opening(_)) => None,
            // the client's password was right, so it must not be asked for another one
            (Reply::Refused(refusal), State::Opening(admission))
                if refusal.kind == RefusalKind::Credentials =>
            {
                let (detail, mailbox) = (&refusal.detail, &admission.mailbox);
                let failure = Failure::permanent(format!(
                    "the upstream refuses the token for {mailbox}: {detail}; look with \"pop3-gateway doctor {mailbox}\" \
                     for what is missing"
                ));
                self.state = State::Done;
                Some(Reply::Failed(failure))
            }
            (Reply::Opened { .. }, State::Opening(admission)) if admission.keeps => {
                self.state = State::Guarding;
                Some(reply)
            }
            (Reply::Updated, State::Keeping) => {
                self.state = State::Done;
                Some(Reply::Kept)
            }
            (Reply::Opened { .. } | Reply::Failed(_) | Reply::Refused(_), _) => {
                self.state = State::Done;
                Some(reply)
            }
            (
                Reply::Authenticated
                | Reply::Challenge(_)
                | Reply::Entry { .. }
                | Reply::BodyStart { .. }
                | Reply::Body { .. }
                | Reply::BodyEnd { .. }
                | Reply::BodyFailed { .. }
                | Reply::Updated
                | Reply::Kept,
                _,
            ) => Some(reply),
        }
    }

    fn hears(&self) -> bool {
        !matches!(self.state, State::Guarding | State::Done)
    }

    fn maildrop(&self, within: Option<String>) -> Option<String> {
        match &self.state {
            State::Fetching(_, admission) | State::Opening(admission) => Some(format!(
                "{}{}",
                self.desk.place,
                admission.mailbox.to_lowercase()
            )),
            State::Idle | State::Admitting(_) | State::Guarding | State::Keeping | State::Done => {
                within
            }
        }
    }
}
