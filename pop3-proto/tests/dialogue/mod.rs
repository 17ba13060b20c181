//! Reads and plays the dialogues.
#![allow(unreachable_pub, reason = "a module of a test")]

mod scene;
pub mod stage;

pub use scene::{Scene, Start};
