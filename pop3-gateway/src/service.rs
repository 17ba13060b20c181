//! Who serves a login: the route of the user, and a backend for it.

use std::sync::Arc;

use pop3_proto::backend::{Login, Mechanism, Refusal, RefusalKind};
use pop3_proto::server::Policy;
use pop3_server::name::{Names, Rewrite};
use pop3_server::route::Routes;
use pop3_server::service::{Denied, Peer, Routed, Service};

use crate::layer::{Layers, Rename, Served};
use crate::mailbox::imap::unique;
use crate::mailbox::kind::{Arrival, Place, Shared};
use crate::monitor::Monitor;

/// Where a login goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The upstream or store.
    pub place: Arc<dyn Place>,
    /// The user's name there, where the operator gave one.
    pub user: Option<String>,
    /// The rule that makes the name there from the client's, where the operator gave none.
    pub rewrite: Rewrite,
}

impl Target {
    /// The user's name there, from the one with its domain.
    fn user(&self, name: &str) -> String {
        match &self.user {
            Some(user) => user.clone(),
            None => self.rewrite.apply(name).into_owned(),
        }
    }
}

/// Sends logins along their routes.
#[derive(Debug)]
pub struct Gateway {
    /// How the names of clients are read.
    pub names: Names,
    /// Who goes where.
    pub routes: Routes<Target>,
    /// The monitoring account; it goes before all routes.
    pub monitor: Option<Arc<Monitor>>,
    /// What all sessions share.
    pub shared: Shared,
}

/// The mechanism that needs a stored secret, as APOP does.
const CRAM_MD5: &str = "CRAM-MD5";

/// Whether APOP or CRAM-MD5 are offered by these rules.
pub(crate) fn offers_digests(policy: &Policy) -> bool {
    let cram = |mechanism: &Mechanism| mechanism.as_str() == CRAM_MD5;
    policy.apop || policy.mechanisms.iter().any(cram)
}

/// What becomes of APOP and CRAM-MD5 at a listener that may offer them: what is done, and so what is said.
#[derive(Debug)]
pub(crate) enum Digests<'g> {
    /// They are not there, or work for all accounts.
    AsConfigured,
    /// They do not work for all accounts of this place, and the rules are these, without them.
    LeftOut(Arc<Policy>, &'g dyn Place),
    /// They do not work for all accounts of this place, and nothing would be left without them.
    AllThereIs(&'g dyn Place),
}

/// The rules without APOP and CRAM-MD5; `None` if they leave no way to log in.
fn without_digests(policy: &Policy) -> Option<Policy> {
    let mut without = policy.clone();
    without.apop = false;
    without
        .mechanisms
        .retain(|mechanism| mechanism.as_str() != CRAM_MD5);
    (without.user_pass || !without.mechanisms.is_empty()).then_some(without)
}

impl Gateway {
    /// What becomes of APOP and CRAM-MD5 by these rules, as far as is known: clients that choose the way to log in
    /// by themselves would be locked out of accounts that cannot do them.
    pub(crate) fn digests(&self, listener: &Policy) -> Digests<'_> {
        if !offers_digests(listener) {
            return Digests::AsConfigured;
        }
        let mut places = self.routes.entries().map(|target| &*target.place);
        let Some(place) = places.find(|place| !place.takes_digests()) else {
            return Digests::AsConfigured;
        };
        match without_digests(listener) {
            Some(without) => Digests::LeftOut(Arc::new(without), place),
            None => Digests::AllThereIs(place),
        }
    }
}

impl Service for Gateway {
    type Backend = Served;

    fn policy(&self, listener: &Arc<Policy>) -> Arc<Policy> {
        match self.digests(listener) {
            Digests::LeftOut(without, _) => without,
            Digests::AsConfigured | Digests::AllThereIs(_) => Arc::clone(listener),
        }
    }

    fn route(&self, login: &Login, peer: &Peer) -> Result<Routed<Served>, Denied> {
        if let Some(monitor) = &self.monitor
            && login.user().is_some_and(|user| monitor.is(user))
        {
            return Ok(Routed {
                backend: Layers::default().around(monitor.backend()),
                // many may look at once
                maildrop: format!("monitor\n{}", unique()),
                upstream: "monitor".into(),
                tls: None,
            });
        }
        let name = login.user().map(|user| self.names.read(user));
        let Some(target) = self.routes.find(name.as_deref()) else {
            let refusal = Refusal::new(RefusalKind::Credentials, "no route for this user");
            return Err(Denied::Refused(refusal));
        };
        let there = match &name {
            Some(name) => Some(target.user(name)),
            None => target.user.clone(),
        };
        let user = there.as_deref();
        let renamed = there.clone().filter(|_| user != login.user());
        let rename = renamed.map(Rename::to);
        Ok(target.place.session(Arrival {
            user,
            rename,
            peer,
            shared: &self.shared,
        }))
    }
}
