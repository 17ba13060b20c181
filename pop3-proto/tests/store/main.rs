//! The store adapters and the list store: whole sessions over them, and what interrupts them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod interruptions;
mod list;
mod sessions;
