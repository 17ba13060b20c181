//! What every mail store must do, as one suite: for blocking and asynchronous stores alike.
//!
//! Owns the expectations; a store's own tests say how to make one, and how to look into it without a
//! session. Whole sessions are driven, from the login to QUIT, and judged by the [reference
//! maildrop](crate::model). A check that fails panics. Opens no socket and starts no runtime.
//!
//! A store's test implements [`Subject`] and calls [`all`], or the checks one by one:
//!
//! ```
//! use std::sync::Arc;
//!
//! use pop3_proto::backend::blocking::Blocking;
//! use pop3_proto::backend::list::ListStore;
//! use pop3_proto::secret::Secret;
//! use testkit::Content;
//! use testkit::stores::{self, Subject};
//!
//! struct Lists(Arc<ListStore>);
//!
//! impl Subject for Lists {
//!     type Backend = Blocking<ListStore>;
//!
//!     fn backend(&self) -> Self::Backend {
//!         Blocking::new(Arc::clone(&self.0))
//!     }
//!
//!     fn stored(&self) -> Vec<Vec<u8>> {
//!         self.0.messages(stores::USER).into_iter().map(Into::into).collect()
//!     }
//! }
//!
//! let make = |mails: &[Content]| {
//!     let mut store = ListStore::default();
//!     store.add_account(stores::USER, Secret::from(stores::PASSWORD.as_bytes()));
//!     store.add_account(stores::OTHER, Secret::from(stores::OTHER_PASSWORD.as_bytes()));
//!     for mail in mails {
//!         store.deliver(stores::USER, mail.to_vec());
//!     }
//!     Lists(Arc::new(store))
//! };
//! stores::lists(&make);
//! stores::credentials(&make);
//! ```
//!
//! The futures of an asynchronous store are polled on the calling thread. One that needs a runtime
//! overrides [`Subject::wait`], and enters the runtime for the whole test if dropping its mailboxes needs
//! that too.

mod checks;
mod client;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use pop3_proto::backend::Backend;

pub use checks::{
    all, changes_nothing_without_quit, credentials, deletes, is_read_only_on_request, lists,
    misses_what_vanished, random_sessions, retrieves, streams,
};
pub use client::Client;

use crate::Content;

/// The user whose messages they are.
pub const USER: &str = "u";
/// The password of [`USER`].
pub const PASSWORD: &str = "p w";
/// A second user, without messages.
pub const OTHER: &str = "other";
/// The password of [`OTHER`].
pub const OTHER_PASSWORD: &str = "other";

/// A future of a backend.
pub type Waiting<B> = Pin<Box<dyn Future<Output = <B as Backend>::Done> + Send>>;

/// A store with the accounts [`USER`] and [`OTHER`] and some messages of [`USER`], in their order.
pub trait Subject {
    /// One session with it.
    type Backend: Backend;

    /// For one login.
    fn backend(&self) -> Self::Backend;

    /// The messages of [`USER`] that are in the store now, in order. Line ends may be others than those
    /// that were put in.
    fn stored(&self) -> Vec<Vec<u8>>;

    /// Removes the message at this place of [`stored`](Self::stored) without a session. False if that is
    /// not possible.
    fn take_away(&self, place: usize) -> bool {
        let _ = place;
        false
    }

    /// Whether the store keeps such a mail unchanged, except for line ends.
    fn holds(mail: &Content) -> bool {
        let _ = mail;
        true
    }

    /// Waits for a future.
    fn wait(&self, future: Waiting<Self::Backend>) -> <Self::Backend as Backend>::Done {
        block_on(future)
    }
}

/// How a check makes a store with these messages.
pub type Make<'a, S> = &'a dyn Fn(&[Content]) -> S;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
