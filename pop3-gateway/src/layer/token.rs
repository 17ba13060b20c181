//! A token in the place of a password.
//!
//! Owns the order of a login to a mailbox that a grant reaches: the client's own credential is looked at here, the
//! maildrop is taken, a token is fetched, and the mailbox opened with it. A token that the upstream refuses is asked
//! for anew once. Whether a token works is known when the mailbox is open, not when the login was taken: some
//! servers say yes to tokens that open nothing. What an account that removes nothing marks is kept, and QUIT says so.
//!
//! Never passes on what the client proved itself with, and never opens a mailbox without that proof.

use std::sync::Arc;

use pop3_proto::backend::erased::AnyBackend;
use pop3_proto::backend::layer::{Layer, Turn};
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
    /// Makes another connection to the mailbox, after a token was refused.
    again: Option<Box<dyn FnOnce() -> AnyBackend + Send>>,
    state: State,
}

enum State {
    /// No login yet.
    Idle,
    /// The client's own credential is looked at.
    Admitting(Open),
    /// A token is fetched.
    Fetching(Open, Admission),
    /// The mailbox is asked to open with this token.
    Opening(Open, Admission, Secret),
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
    Token(Result<Secret, NoToken>),
}

impl std::fmt::Debug for TokenDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenDesk").finish_non_exhaustive()
    }
}

impl Token {
    /// A login that has not come yet.
    pub fn new(desk: Arc<TokenDesk>, again: impl FnOnce() -> AnyBackend + Send + 'static) -> Self {
        Self {
            desk,
            again: Some(Box::new(again)),
            state: State::Idle,
        }
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
        self.fetch(turn, open, admission, None);
    }

    fn fetch(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, Fetched>,
        open: Open,
        admission: Admission,
        refused: Option<Secret>,
    ) {
        if refused.is_none()
            && let Some(token) = self.desk.keeper.cached(&admission.grant)
        {
            return self.open(turn, open, admission, token);
        }
        let (keeper, grant) = (Arc::clone(&self.desk.keeper), admission.grant.clone());
        self.state = State::Fetching(open, admission);
        turn.run(Job::Await(Box::pin(async move {
            Fetched::Token(keeper.token(&grant, refused.as_ref()).await)
        })));
    }

    fn open(
        &mut self,
        turn: &mut Turn<'_, AnyBackend, Fetched>,
        open: Open,
        admission: Admission,
        token: Secret,
    ) {
        turn.ask(Request::Open(open.clone().login(Login::Bearer {
            mechanism: self.desk.mechanism.clone(),
            user: admission.mailbox.clone(),
            token: token.clone(),
        })));
        self.state = State::Opening(open, admission, token);
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
            (State::Fetching(..), Fetched::Token(Err(error))) => {
                turn.say(Reply::Failed(match error.passes {
                    true => Failure::temporary(error.text),
                    false => Failure::permanent(error.text),
                }));
            }
            // a job of a login that is over
            (state, Fetched::Admitted(_) | Fetched::Token(_)) => self.state = state,
        }
    }

    fn reply<'r>(
        &'r mut self,
        turn: &mut Turn<'_, AnyBackend, Fetched>,
        reply: Reply<'r>,
    ) -> Option<Reply<'r>> {
        match (&reply, &self.state) {
            // it was said when the client's own credential was found good
            (Reply::Authenticated, State::Opening(..)) => None,
            (Reply::Refused(refusal), State::Opening(..))
                if refusal.kind == RefusalKind::Credentials =>
            {
                let detail = refusal.detail.clone();
                let State::Opening(open, admission, token) =
                    std::mem::replace(&mut self.state, State::Done)
                else {
                    return Some(reply);
                };
                match self.again.take() {
                    Some(again) => {
                        turn.replace(again());
                        self.fetch(turn, open, admission, Some(token));
                    }
                    // the client's password was right, so it must not be asked for another one
                    None => turn.say(Reply::Failed(Failure::permanent(format!(
                        "the upstream refuses the token for {}: {detail}; look with \"pop3-gateway doctor {0}\" for \
                         what is missing",
                        admission.mailbox
                    )))),
                }
                None
            }
            (Reply::Opened { .. }, State::Opening(_, admission, _)) if admission.keeps => {
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
            State::Fetching(_, admission) | State::Opening(_, admission, _) => Some(format!(
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
