//! The IMAP backend through its public API, before scripted upstreams and before the one of testkit.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

mod against_server;
mod bounds;
mod broken;
mod foresight;
mod happy;
mod hostile;
mod identity;
mod login;
mod news;
mod parked;
mod read_ahead;
mod reconnect;
mod renewal;
mod rest;
mod retrieve;
mod straying;
mod tops_ahead;
mod update;
