//! What the session asked for at login, kept to connect once more.
//!
//! Owns the credentials of the session, and masks them in texts. Never sends anything.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::net::SocketAddr;

use pop3_proto::backend::{Access, Login, Open};

use crate::config::Config;
use crate::text::Mask;

/// The login, and how it is to be carried out.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) open: Option<Open>,
    /// Where the client connects from and to, if the upstream may know. Most may not.
    origin: Option<Box<Origin>>,
    /// Whether it ends before a user is named.
    pub(super) only_looks: bool,
}

/// The client's address, and the one that it connected to if that is known.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) client: SocketAddr,
    pub(super) local: Option<SocketAddr>,
}

impl Asked {
    /// The upstream may know where the client connects from.
    pub(super) fn comes_from(&mut self, client: SocketAddr) {
        let local = self.origin().and_then(|origin| origin.local);
        self.origin = Some(Box::new(Origin { client, local }));
    }

    /// It may also know where to.
    pub(super) fn came_to(&mut self, local: SocketAddr) {
        if let Some(origin) = &mut self.origin {
            origin.local = Some(local);
        }
    }

    pub(super) fn origin(&self) -> Option<Origin> {
        self.origin.as_deref().copied()
    }

    pub(super) fn access(&self) -> Access {
        let open = self.open.as_ref();
        open.map_or(Access::ReadOnly, |open| open.access)
    }

    /// Whose mailbox it is, where the login says so.
    pub(super) fn user(&self) -> Option<&str> {
        self.open.as_ref()?.login.user()
    }

    pub(super) fn read_only(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.access == Access::ReadOnly)
    }

    pub(super) fn utf8(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.utf8)
    }

    /// Whether the login can be repeated without the client.
    pub(super) fn is_repeatable(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| !matches!(open.login, Login::Relay { .. }))
    }

    /// Whether it can be repeated at any time: a token may have run out by then.
    pub(super) fn lasts(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| {
            matches!(open.login, Login::Password { .. } | Login::ActingFor { .. })
        })
    }

    /// A text without the credentials. The connection's mask is gone after the login, but they are still here.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut mask = Mask::default();
        if let Some(open) = &self.open {
            mask.add_login(&open.login);
        }
        mask.clean(text.as_bytes())
    }

    /// Everything that makes a UID unique. No name contains a line end.
    pub(super) fn mailbox(&self, config: &Config, validity: u64) -> Option<String> {
        let user = self.open.as_ref()?.login.user()?;
        let (endpoint, folder) = (&config.endpoint, &config.folder);
        let name = format!(
            "{}:{}\n{user}\n{folder}\n{validity}",
            endpoint.host, endpoint.port
        );
        (!user.is_empty() && name.len() <= 1024).then_some(name)
    }
}
