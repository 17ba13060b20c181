//! The client machine in scripted dialogues.
#![allow(clippy::unwrap_used, reason = "tests")]

mod script;

mod answers;
mod commands;
mod endings;
mod greeting;
mod login;
mod record;
mod tls;
