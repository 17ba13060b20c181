//! Connections to upstreams that outlive their session, for the next login with the same credential.
//!
//! Most devices look for mail every minute and find none. A connection that waits saves the upstream a login each
//! time, and the client the flights of one.
//!
//! ```text
//! QUIT → backend: Effect::Park → Action::Park → berth: a task keeps the socket, its TLS and the backend's machine
//! next login → backend: Effect::Resume → the pool finds the berth by its claim → Action::Resume, Outcome::Resumed
//! ```
//!
//! | file | what it owns |
//! |---|---|
//! | `pool` | which connections wait, for whom, how many at most; what became of them |
//! | `berth` | the task that keeps one of them |
//!
//! What holds for each of them:
//!
//! * It goes to a login with an equal [`Claim`](pop3_proto::backend::waiting::Claim) on the same [`Lot`] and to no
//!   other. The claim is kept as a keyed digest (HMAC-SHA-256, the key is random and of this process) and compared in
//!   constant time.
//! * A login with another credential goes to the upstream as if nothing waited. If the upstream takes it, what waits
//!   for that account ends: its password was changed.
//! * Whatever the upstream says to it is judged by the backend's machine. In doubt it ends, and the login goes to the
//!   upstream as if nothing had waited.
//! * It ends when its time is over, its place is wanted, its lot is closed or the server shuts down.
//!
//! A lot belongs to one upstream as it is configured: a program that changes the upstream makes another lot.

mod berth;
mod pool;

pub(crate) use berth::park;
pub(crate) use pool::Found;
pub use pool::{Leaving, Lot, Parking, Returned, Why};
