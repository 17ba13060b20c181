//! POP3 as pure state machines.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod apop;
pub mod backend;
pub mod secret;
pub mod stuffing;
pub mod time;
pub mod trace;
pub mod unique_id;
