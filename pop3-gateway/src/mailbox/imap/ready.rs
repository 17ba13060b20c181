//! Mailboxes on an IMAP server, ready for logins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use imap_backend::{Config, ImapBackend, Learned, SharedBackoffs};
use pop3_proto::backend::erased::{AnyBackend, Erased};
#[cfg(any(feature = "oauth", feature = "cluster"))]
use pop3_proto::backend::layered::Layered;
use pop3_server::parking::Lot;
use pop3_server::service::Routed;
use pop3_server::tls::{TlsError, UpstreamTls};

use super::Upstream;
#[cfg(feature = "oauth")]
use crate::layer::token::{Token, TokenDesk};
#[cfg(feature = "cluster")]
use crate::layer::{Cap, Capped};
use crate::layer::{Layers, Served};
use crate::mailbox::kind::{Arrival, Mailboxes};

/// An upstream, ready for use.
#[derive(Debug)]
pub struct Ready {
    /// Its name in logs.
    pub name: Arc<str>,
    /// How its mailboxes are treated; all sessions share it.
    pub imap: Arc<Config>,
    /// How its certificate is verified; none for `imap://`.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Where its connections wait for the next login, if they do.
    pub lot: Option<Lot>,
    /// What its logins go through, where a grant opens its mailboxes.
    #[cfg(feature = "oauth")]
    pub desk: Option<Arc<TokenDesk>>,
    /// How many connections an account may have, if that is limited.
    #[cfg(feature = "cluster")]
    pub cap: Option<Cap>,
}

impl Upstream {
    /// Reads the certificates that are believed; connects to nothing. `learned` is what earlier sessions learned
    /// of the server, and `backoffs` knows which accounts it wants to be left alone.
    pub fn open(&self, learned: Learned, backoffs: SharedBackoffs) -> Result<Ready, TlsError> {
        let tls = self.trust().map(|trust| UpstreamTls::load(&trust));
        let mut imap = self.imap.clone();
        imap.client_name = "pop3-gateway".into();
        imap.learned = learned;
        imap.backoffs = backoffs;
        Ok(Ready {
            name: self.name.as_str().into(),
            imap: Arc::new(imap),
            tls: tls.transpose()?.map(Arc::new),
            lot: None,
            #[cfg(feature = "oauth")]
            desk: None,
            #[cfg(feature = "cluster")]
            cap: None,
        })
    }
}

/// Sessions whose user stays unknown; each has a maildrop of its own, as far as locks go.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

impl Mailboxes for Ready {
    fn name(&self) -> &str {
        &self.name
    }

    fn session(&self, arrival: Arrival<'_>) -> Routed<Served> {
        let wanted = usize::try_from(self.imap.read_ahead).unwrap_or(usize::MAX);
        let shared = arrival.shared;
        let share = shared.budget.take(wanted, shared.read_ahead_total);
        let octets = u64::try_from(share.octets()).unwrap_or(u64::MAX);
        let (imap, peer) = (Arc::clone(&self.imap), arrival.peer);
        let (client, local) = (peer.address, peer.local);
        let broken = Arc::clone(&shared.broken);
        let backend = ImapBackend::new(imap)
            .reading_ahead(octets)
            .of_client(client)
            .connected_to(local)
            .remembering(broken);
        let backend = Erased::boxed(backend);
        #[cfg(feature = "cluster")]
        let backend = match &self.cap {
            Some(cap) => Erased::boxed(Layered::new(Capped::new(cap.clone()), backend)),
            None => backend,
        };
        let layers = Layers {
            rename: arrival.rename,
            read_ahead: Some(share),
            ..Layers::default()
        };
        Routed::new(
            layers.around(self.opened_by(backend)),
            self.mailbox(arrival.user),
            self.name.clone(),
        )
        .tls(self.tls.clone())
        .lot(self.lot.clone())
    }

    fn takes_digests(&self) -> bool {
        false
    }

    fn warn_of_digests(&self, listener: &str, done: &str) {
        let upstream = &*self.name;
        tracing::warn!(
            listener,
            upstream,
            "{done}: they need the password, which only the upstream holds; leave apop and CRAM-MD5 out, \
             for another way to log in"
        );
    }
}

impl Ready {
    /// The mailbox as it is, or within the layer of the token that opens it.
    #[cfg(feature = "oauth")]
    fn opened_by(&self, mailbox: AnyBackend) -> AnyBackend {
        match &self.desk {
            None => mailbox,
            Some(desk) => Erased::boxed(Layered::new(Token::new(Arc::clone(desk)), mailbox)),
        }
    }

    #[cfg(not(feature = "oauth"))]
    #[expect(clippy::unused_self, reason = "as with tokens")]
    fn opened_by(&self, mailbox: AnyBackend) -> AnyBackend {
        mailbox
    }

    /// G25: two names that lead to one mailbox share a lock. The name is compared in lower case: most
    /// servers do that too, and a lock too many does less harm than one too few.
    fn mailbox(&self, user: Option<&str>) -> String {
        let user = user.filter(|user| !user.is_empty());
        let user = user.map_or_else(unique, str::to_lowercase);
        format!("{}{user}", place(&self.imap))
    }
}

/// What stands before a user in the name of a maildrop.
pub(crate) fn place(imap: &Config) -> String {
    let (endpoint, folder) = (&imap.endpoint, &imap.folder);
    format!("{}:{}\n{folder}\n", endpoint.host, endpoint.port)
}

/// A name that no user has, and no session of another process: it contains line ends.
pub(crate) fn unique() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| getrandom::u64().unwrap_or_default());
    let number = UNKNOWN.fetch_add(1, Ordering::Relaxed);
    format!("\n{:016x}\n{number}", *PROCESS)
}
