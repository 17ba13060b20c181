//! A proof that runs out, and where the next one comes from.
//!
//! Owns what a backend has in its hands when it logs in once more, long after the client did: the token of the login may
//! have run out by then. Never keeps a token, and never decides who may have one: whoever made the login did.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

use super::{Failure, Job};
use crate::secret::Secret;

/// A token that is good now, or why there is none: for a while, or until somebody does something.
pub type Renewed = Result<Secret, Failure>;

/// Gives out tokens for one mailbox.
pub trait Renews: Send + Sync {
    /// Fetches a token. `refused` is one that the mail server did not take: it must not come again.
    fn renew(&self, refused: Option<&Secret>) -> Pin<Box<dyn Future<Output = Renewed> + Send>>;
}

/// Where a login by token gets its next token. Clones are the same one.
///
/// # Examples
///
/// ```
/// use std::future::{Future, ready};
/// use std::pin::Pin;
/// use std::sync::Arc;
///
/// use pop3_proto::backend::renewal::{Renewal, Renewed, Renews};
/// use pop3_proto::backend::{Login, Mechanism, Open};
/// use pop3_proto::secret::Secret;
///
/// struct Office;
///
/// impl Renews for Office {
///     fn renew(&self, _refused: Option<&Secret>) -> Pin<Box<dyn Future<Output = Renewed> + Send>> {
///         Box::pin(ready(Ok(Secret::from(&b"another"[..]))))
///     }
/// }
///
/// let login = Login::Bearer {
///     mechanism: Mechanism::new("XOAUTH2").unwrap(),
///     user: "tim@example.org".into(),
///     token: Secret::from(&b"a token"[..]),
///     renewal: Some(Renewal::new(Arc::new(Office))),
/// };
/// assert!(Open::new(login).claim(b"").is_some());
/// ```
#[derive(Clone)]
pub struct Renewal(Arc<dyn Renews>);

impl Renewal {
    /// Tokens from there.
    pub fn new(source: Arc<dyn Renews>) -> Self {
        Self(source)
    }

    /// Fetches a token; `refused` is one that the mail server did not take.
    pub fn job(&self, refused: Option<&Secret>) -> Job<Renewed> {
        Job::Await(self.0.renew(refused))
    }
}

/// Two are equal if they are the same one.
impl PartialEq for Renewal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Renewal {}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal").finish_non_exhaustive()
    }
}
