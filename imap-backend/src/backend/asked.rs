//! What the session asked for at login, kept to connect once more.
//!
//! Owns the credentials of the session, and masks them in texts; of a token, whether it still is to be used. Never sends
//! anything.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::mem;
use core::net::SocketAddr;

use pop3_proto::backend::renewal::{Renewal, Renewed};
use pop3_proto::backend::{Access, Job, Login, Open};
use pop3_proto::secret::Secret;

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
    /// The token at hand may have run out.
    stale: bool,
    /// The token at hand was refused, and another one is tried.
    refused: bool,
    /// A token is being fetched.
    fetching: bool,
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

    /// Whether it can be repeated at any time: a token may have run out by then, and needs another one.
    pub(super) fn lasts(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| {
            matches!(
                open.login,
                Login::Password { .. }
                    | Login::ActingFor { .. }
                    | Login::Bearer {
                        renewal: Some(_),
                        ..
                    }
            )
        })
    }

    // tokens

    /// The token at hand, and where others come from.
    fn token(&self) -> Option<(&Secret, &Renewal)> {
        let Login::Bearer { token, renewal, .. } = &self.open.as_ref()?.login else {
            return None;
        };
        renewal.as_ref().map(|renewal| (token, renewal))
    }

    /// The login is made once more, some time after the client's.
    pub(super) fn comes_again(&mut self) {
        self.stale = self.token().is_some();
        self.refused = false;
    }

    /// The server refused the login. Returns whether it may take another token: that is tried once.
    pub(super) fn may_try_another(&mut self) -> bool {
        let may = self.token().is_some() && !self.refused;
        self.stale |= may;
        self.refused |= may;
        may
    }

    /// Whether another token is needed before the login is sent.
    pub(super) fn needs_token(&self) -> bool {
        self.stale
    }

    /// What fetches a token; none where one is being fetched already.
    pub(super) fn fetch_token(&mut self) -> Option<Job<Renewed>> {
        if mem::replace(&mut self.fetching, true) {
            return None;
        }
        let (token, renewal) = self.token()?;
        Some(renewal.job(self.refused.then_some(token)))
    }

    /// No token is being fetched any more.
    pub(super) fn fetched(&mut self) {
        self.fetching = false;
    }

    /// The login is to be made with this token.
    pub(super) fn takes(&mut self, fresh: Secret) {
        self.stale = false;
        if let Some(Open {
            login: Login::Bearer { token, .. },
            ..
        }) = &mut self.open
        {
            *token = fresh;
        }
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
