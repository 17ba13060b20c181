//! Real database servers in scratch folders, and the runtimes that their clients run on.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod redis;
mod runtime;
mod server;

pub use redis::Redis;
pub use runtime::Runtime;
pub use server::{Kind, Pooler, Server};
