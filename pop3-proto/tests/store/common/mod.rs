//! A store that watches how it is treated, and a world in which its jobs take as long as the test wants.

pub(crate) mod plain;
pub(crate) mod shelf;
pub(crate) mod world;

use std::sync::Arc;

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::{Backend, Login, Open};
use pop3_proto::secret::Secret;
use pop3_proto::server::{Policy, ReadOnly};

pub(crate) use shelf::Shelf;

/// What the adapters read at once.
pub(crate) const CHUNK: usize = 64 * 1024;

/// The adapters, alike.
pub(crate) trait Adapter: Backend + Sized {
    /// Whether all of a store's code, drops included, belongs into jobs.
    const BLOCKS: bool;

    fn of(shelf: &Arc<Shelf>) -> Self;
}

impl Adapter for Blocking<Shelf> {
    const BLOCKS: bool = true;

    fn of(shelf: &Arc<Shelf>) -> Self {
        Self::new(Arc::clone(shelf))
    }
}

impl Adapter for Awaiting<Shelf> {
    const BLOCKS: bool = false;

    fn of(shelf: &Arc<Shelf>) -> Self {
        Self::new(Arc::clone(shelf))
    }
}

pub(crate) fn login() -> Open {
    Open::new(Login::Password {
        user: "u".into(),
        password: Secret::from(&b"p w"[..]),
    })
}

pub(crate) fn policy() -> Policy {
    Policy::default()
        .clear_login(true)
        .read_only(ReadOnly::OnRequest)
}
