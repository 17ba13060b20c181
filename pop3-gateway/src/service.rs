//! Who serves a login: the route of the user, and a backend for it.

use std::sync::Arc;

use pop3_proto::backend::{Login, Refusal, RefusalKind};
use pop3_server::name::{Names, Rewrite};
use pop3_server::route::Routes;
use pop3_server::service::{Denied, Peer, Routed, Service};

use crate::layer::{Layers, Rename, Served};
use crate::mailbox::imap::unique;
use crate::mailbox::kind::{Arrival, Mailboxes, Shared};
use crate::monitor::Monitor;

/// Where a login goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the upstream or store has.
    pub mailboxes: Arc<dyn Mailboxes>,
    /// The user's name there, where the operator gave one.
    pub user: Option<String>,
    /// The rule that makes the name there from the client's, where the operator gave none.
    pub rewrite: Rewrite,
}

impl Target {
    /// The user's name there, from the one with its domain.
    pub(crate) fn user(&self, name: &str) -> String {
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

impl Gateway {
    /// The first mailboxes with accounts that APOP and CRAM-MD5 cannot work for, as far as is known: clients that
    /// choose the way to log in by themselves would be locked out of them.
    pub(crate) fn without_secrets(&self) -> Option<&dyn Mailboxes> {
        let mut all = self.routes.entries().map(|target| &*target.mailboxes);
        all.find(|mailboxes| !mailboxes.takes_digests())
    }
}

impl Service for Gateway {
    type Backend = Served;

    fn takes_digests(&self) -> bool {
        self.without_secrets().is_none()
    }

    fn route(&self, login: &Login, peer: &Peer) -> Result<Routed<Served>, Denied> {
        if let Some(monitor) = &self.monitor
            && login.user().is_some_and(|user| monitor.is(user))
        {
            return Ok(Routed::new(
                Layers::default().around(monitor.backend()),
                format!("monitor\n{}", unique()),
                "monitor",
            ));
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
        Ok(target.mailboxes.session(Arrival {
            user,
            rename,
            peer,
            shared: &self.shared,
        }))
    }
}
