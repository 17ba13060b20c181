//! POP3 as pure state machines.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod apop;
pub mod backend;
pub mod capability;
pub mod client;
pub mod command;
mod line;
pub mod response;
pub mod sasl;
pub mod secret;
pub mod server;
pub mod stuffing;
pub mod time;
pub mod trace;
pub mod unique_id;
