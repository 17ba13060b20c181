//! HTTP beside POP3: what is served to browsers and to programs that watch.
//!
//! | file | what it owns |
//! |---|---|
//! | [`page`] | what a page is: where, for which requests, what it answers |
//! | [`site`] | which pages a listener has, and who may see them; the way from a request to its page |
//! | [`web`] | the listener's handler: connections, their bounds, TLS |
//! | `carrier` | a connection and a clock as hyper wants them |
//! | [`health`] | `/healthz` and `/readyz` |
//!
//! Nothing here knows a mailbox, a session or a token. What a request says is passed to its page and stands in no log
//! line but for its method and its path: a query may hold a code.
//!
//! # Another page
//!
//! A [`Page`] in the list that `wiring` makes for a listener. `Page::now` is for one that answers at once,
//! `Page::blocking` for one that asks a database or a server.

mod carrier;
pub mod health;
pub mod page;
pub mod site;
pub mod web;

pub use page::{Answer, Asked, Page, Serves};
pub use site::Site;
pub use web::{Current, Web};
