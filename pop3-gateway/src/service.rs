//! Who serves a login: the route of the user, and an IMAP backend for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imap_backend::ImapBackend;
use pop3_proto::backend::{Login, Refusal, RefusalKind};
use pop3_server::route::Routes;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::tls::UpstreamTls;

use crate::budget::Budget;
use crate::hosted::Hosted;

/// An upstream, ready for use.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in logs.
    pub name: String,
    /// How its mailboxes are treated.
    pub imap: imap_backend::Config,
    /// How its certificate is verified; none for `imap://`.
    pub tls: Option<Arc<UpstreamTls>>,
}

/// Where a login goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The user's name there, where it differs.
    pub user: Option<String>,
}

/// Sends logins along their routes.
#[derive(Debug)]
pub struct Gateway {
    /// Who goes where.
    pub routes: Routes<Target>,
    /// What is fetched ahead for all sessions.
    pub budget: Budget,
    /// How much that may be.
    pub read_ahead_total: usize,
}

/// Sessions whose user stays unknown; each has a maildrop of its own, as far as locks go.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

impl Gateway {
    fn backend(&self, target: &Target) -> Hosted<ImapBackend> {
        let mut imap = target.upstream.imap.clone();
        let wanted = usize::try_from(imap.read_ahead).unwrap_or(usize::MAX);
        let share = self.budget.take(wanted, self.read_ahead_total);
        imap.read_ahead = u64::try_from(share.octets()).unwrap_or(u64::MAX);
        let backend = ImapBackend::new(Arc::new(imap), target.user.clone());
        Hosted { backend, share }
    }
}

impl Service for Gateway {
    type Backend = Hosted<ImapBackend>;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<Self::Backend>, Denied> {
        let Some(target) = self.routes.find(login.user()) else {
            let refusal = Refusal::new(RefusalKind::Credentials, "no route for this user");
            return Err(Denied::Refused(refusal));
        };
        Ok(Routed {
            backend: self.backend(target),
            maildrop: maildrop(target, login),
            upstream: target.upstream.name.clone(),
            tls: target.upstream.tls.clone(),
        })
    }
}

/// G25: two names that lead to one mailbox share a lock. The name is compared in lower case: most
/// servers do that too, and a lock too many does less harm than one too few.
fn maildrop(target: &Target, login: &Login) -> String {
    let imap = &target.upstream.imap;
    let user = target
        .user
        .as_deref()
        .or_else(|| login.user())
        .filter(|user| !user.is_empty());
    let user = user.map_or_else(
        || format!("\n{}", UNKNOWN.fetch_add(1, Ordering::Relaxed)),
        str::to_lowercase,
    );
    format!(
        "{}:{}\n{}\n{user}",
        imap.endpoint.host, imap.endpoint.port, imap.folder
    )
}
