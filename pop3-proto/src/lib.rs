#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! | you want | start at |
//! |---|---|
//! | to serve POP3 over your own sockets | [`server::Session`] |
//! | to speak to a POP3 server | [`client::Client`] |
//! | to put a mail store behind a server | [`backend`] |
//! | the wire alone | [`command`], [`response`], [`capability`], [`stuffing`], [`apop`], [`sasl`] |
//!
//! The messages about what can go wrong before the login are in [`trouble`]. [`controls`] makes text from
//! others safe to show.
//!
//! # The run loop
//!
//! A [`server::Session`] takes the client's octets and turns them into [`backend::Request`]s; a
//! [`backend::Backend`] answers with [`backend::Reply`]s, which become the octets of the response. Both
//! are state machines; the composition moves data between them until nothing moves, then sends what
//! [`server::Session::transmit`] shows, then waits. Back-pressure is a number on each border
//! (`input_room`, `body_room`): there are no queues in between, and a message of any size passes in
//! borrowed pieces.
//!
//! # Standards
//!
//! RFC 1939 (POP3), 2449 (CAPA, response codes), 3206 (`SYS/…`, `AUTH`), 2595 (STLS), 5034 (AUTH), 6856
//! (UTF8, LANG), 4616 (PLAIN), 7628 (OAUTHBEARER), 2195 (CRAM-MD5); XOAUTH2 and LOGIN as clients speak
//! them.
//!
//! # Features
//!
//! `std` (default) adds what names `std`. Without it the crate is `no_std` with `alloc`.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[macro_use]
mod setters;

pub mod apop;
pub mod backend;
pub mod backoffs;
pub mod capability;
pub mod client;
pub mod command;
pub mod controls;
pub mod date;
pub mod failed_login;
mod line;
pub mod response;
pub mod sasl;
pub mod secret;
pub mod server;
pub mod stuffing;
pub mod time;
pub mod trace;
pub mod trouble;
pub mod unique_id;
