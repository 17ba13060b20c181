//! Who serves a login: the route of the user, and a backend for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imap_backend::{ImapBackend, Memory};
use pop3_proto::backend::{Login, Mechanism, Refusal, RefusalKind};
use pop3_proto::server::Policy;
use pop3_server::name::{Names, Rewrite};
use pop3_server::route::Routes;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::tls::UpstreamTls;

use crate::budget::Budget;
use crate::monitor::Monitor;
use crate::served::Served;
use crate::stores::Secrets;

/// An upstream, ready for use.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in logs.
    pub name: String,
    /// How its mailboxes are treated; all sessions share it.
    pub imap: Arc<imap_backend::Config>,
    /// How its certificate is verified; none for `imap://`.
    pub tls: Option<Arc<UpstreamTls>>,
}

/// Makes the backend of a session.
pub type MakeBackend = Box<dyn Fn() -> Served + Send + Sync>;

/// A store, ready for use.
pub struct Store {
    /// Its name in logs.
    pub name: String,
    /// Whether all accounts share one maildrop.
    pub shared: bool,
    /// Whether APOP and CRAM-MD5 work for all its accounts.
    pub secrets: Secrets,
    /// Makes a backend for a session.
    pub backend: MakeBackend,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.name).finish()
    }
}

/// Where mailboxes lie.
#[derive(Clone, Debug)]
pub enum Place {
    /// On an IMAP server.
    Upstream(Arc<Upstream>),
    /// In a store.
    Store(Arc<Store>),
}

impl From<Arc<Upstream>> for Place {
    fn from(upstream: Arc<Upstream>) -> Self {
        Self::Upstream(upstream)
    }
}

/// Where a login goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The upstream or store.
    pub place: Place,
    /// The user's name there, where the operator gave one.
    pub user: Option<String>,
    /// What makes the name there out of the client's, where he gave none.
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
    /// What is fetched ahead for all sessions.
    pub budget: Budget,
    /// How much that may be.
    pub read_ahead_total: usize,
    /// The messages that upstreams could not send.
    pub broken: Arc<dyn Memory>,
}

/// Sessions whose user stays unknown, or that share nothing; each has a maildrop of its own, as far as
/// locks go.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

impl Gateway {
    fn imap(&self, upstream: &Upstream, user: Option<String>, peer: &Peer) -> Served {
        let wanted = usize::try_from(upstream.imap.read_ahead).unwrap_or(usize::MAX);
        let share = self.budget.take(wanted, self.read_ahead_total);
        let octets = u64::try_from(share.octets()).unwrap_or(u64::MAX);
        let backend = ImapBackend::new(Arc::clone(&upstream.imap), user)
            .reading_ahead(octets)
            .of_client(peer.address)
            .remembering(Arc::clone(&self.broken));
        Served::new(backend).holding(share)
    }
}

/// The mechanism that needs a stored secret, as APOP does.
const CRAM_MD5: &str = "CRAM-MD5";

/// Whether APOP or CRAM-MD5 are offered by these rules.
pub(crate) fn offers_digests(policy: &Policy) -> bool {
    let cram = |mechanism: &Mechanism| mechanism.as_str() == CRAM_MD5;
    policy.apop || policy.mechanisms.iter().any(cram)
}

/// The rules without APOP and CRAM-MD5; nothing if no login could succeed by them.
fn without_digests(policy: &Policy) -> Option<Policy> {
    let mut without = policy.clone();
    without.apop = false;
    without
        .mechanisms
        .retain(|mechanism| mechanism.as_str() != CRAM_MD5);
    (without.user_pass || !without.mechanisms.is_empty()).then_some(without)
}

impl Gateway {
    /// The first place with accounts that APOP and CRAM-MD5 cannot work for, as far as is known: clients that
    /// choose the way to log in by themselves would be locked out of them.
    pub(crate) fn without_secrets(&self) -> Option<&Place> {
        let mut places = self.routes.entries().map(|target| &target.place);
        places.find(|place| match place {
            Place::Upstream(_) => true,
            Place::Store(store) => !store.secrets.all_stored(),
        })
    }
}

impl Service for Gateway {
    type Backend = Served;

    fn policy(&self, listener: &Arc<Policy>) -> Arc<Policy> {
        if offers_digests(listener)
            && self.without_secrets().is_some()
            && let Some(without) = without_digests(listener)
        {
            return Arc::new(without);
        }
        Arc::clone(listener)
    }

    fn route(&self, login: &Login, peer: &Peer) -> Result<Routed<Served>, Denied> {
        if let Some(monitor) = &self.monitor
            && login.user().is_some_and(|user| monitor.is(user))
        {
            return Ok(Routed {
                backend: monitor.backend(),
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
        Ok(match &target.place {
            Place::Upstream(upstream) => Routed {
                backend: self.imap(upstream, renamed, peer),
                maildrop: mailbox(upstream, user),
                upstream: upstream.name.clone(),
                tls: upstream.tls.clone(),
            },
            Place::Store(store) => Routed {
                backend: (store.backend)()
                    .renamed(renamed)
                    .locked_in((!store.shared).then(|| place(store))),
                maildrop: place(store),
                upstream: store.name.clone(),
                tls: None,
            },
        })
    }
}

/// G25: two names that lead to one mailbox share a lock. The name is compared in lower case: most
/// servers do that too, and a lock too many does less harm than one too few.
fn mailbox(upstream: &Upstream, user: Option<&str>) -> String {
    let imap = &upstream.imap;
    let user = user.filter(|user| !user.is_empty());
    let user = user.map_or_else(unique, str::to_lowercase);
    format!(
        "{}:{}\n{}\n{user}",
        imap.endpoint.host, imap.endpoint.port, imap.folder
    )
}

/// Where the maildrops of a store are locked, all under one name if all accounts share one. Which account it
/// is, and so the name in this, the login itself says.
fn place(store: &Store) -> String {
    format!("store\n{}\n", store.name)
}

/// No user's name has a line end.
fn unique() -> String {
    format!("\n{}", UNKNOWN.fetch_add(1, Ordering::Relaxed))
}
