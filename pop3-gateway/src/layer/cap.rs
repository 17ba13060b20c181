//! How many connections an account of an upstream has at once, on all nodes together.
//!
//! Stands next to the mailbox, so that its place is taken before the upstream is connected to, and is given back with the
//! backend within. A login for which there is no place waits for a moment.

use std::any::Any;
use std::time::Duration;

use gateway_cluster::{Cluster, Place};
use pop3_proto::backend::layer::{Layer, Turn};
use pop3_proto::backend::{Failure, Job, Open, Reply, Request};
use pop3_server::parking::Lot;

use crate::mailbox::imap::Accounts;

/// How long a login waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);

const FULL: &str = "the account has as many connections as max_per_account allows";

/// Whose connections are counted, and how many there may be.
#[derive(Clone, Debug)]
pub struct Cap {
    /// Where they are counted.
    pub cluster: Cluster,
    /// The most of one account.
    pub most: u32,
    /// The upstream's accounts.
    pub accounts: Accounts,
    /// Where its connections wait for the next login. One that waits keeps its place until another login wants it.
    pub lot: Option<Lot>,
}

/// One login within the cap.
pub struct Capped {
    cap: Cap,
    waiting: Option<Open>,
    user: String,
    place: Option<Place>,
}

impl Capped {
    /// A login that has not come yet.
    pub fn new(cap: Cap) -> Self {
        Self {
            cap,
            waiting: None,
            user: String::new(),
            place: None,
        }
    }
}

impl<B> Layer<B> for Capped {
    type Done = Option<Place>;

    fn request(&mut self, turn: &mut Turn<'_, B, Self::Done>, request: Request) -> Option<Request> {
        let open = match (request, &self.place) {
            (Request::Open(open), None) => open,
            (request, _) => return Some(request),
        };
        let Some(user) = open.login.user() else {
            // nobody knows whose it is before the upstream does
            return Some(Request::Open(open));
        };
        let Cap {
            cluster,
            most,
            accounts,
            ..
        } = &self.cap;
        let place = cluster.place(&accounts.of(user), *most, PATIENCE);
        self.user = user.to_owned();
        self.waiting = Some(open);
        turn.run(Job::Await(Box::pin(place)));
        None
    }

    fn parks(&mut self) -> Option<Box<dyn Any + Send>> {
        // a session that only rests has its place still
        let (place, lot) = (self.place.as_ref()?, self.cap.lot.clone()?);
        let user = self.user.clone();
        Some(Box::new(place.spare(move || lot.give_up(&user))))
    }

    fn done(&mut self, turn: &mut Turn<'_, B, Self::Done>, place: Self::Done) {
        let Some(open) = self.waiting.take() else {
            return;
        };
        self.place = place;
        match &self.place {
            Some(_) => turn.ask(Request::Open(open)),
            None => turn.say(Reply::Failed(Failure::temporary(FULL))),
        }
    }
}
