#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! | module | what it owns |
//! |---|---|
//! | [`connection`] | one connection as a state machine: session, backend, TLS on both sides |
//! | [`drive`] | the loop that runs a connection; the only one |
//! | [`server`] | what all connections share |
//! | [`setup`], [`serving`] | what is served where, and the server that runs |
//! | [`handler`], [`channel`] | what a listener speaks, and what it speaks through |
//! | [`preamble`] | what the first octets of a connection say of its client |
//! | [`proxy`] | the PROXY protocol: such octets from a balancer |
//! | [`runtime`] | the traits that a driver crate implements |
//! | [`name`] | users' names: domains, and the rules that change them |
//! | [`service`], [`route`] | what serves a login: the seam to the program that configures the server |
//! | [`parking`] | connections to upstreams that wait for the next login |
//! | [`store`] | one store for every login, and what it takes to write one |
//! | [`settings`] | what a new connection starts with |
//! | [`hold`] | the exclusive use of a maildrop, and what grants it |
//! | [`lock`], [`limit`], [`crowd`] | maildrop locks of this process, counts of connections, which one goes when it is full |
//! | [`delay`], [`throttle`] | failed logins, which login is looked at when |
//! | [`tls`] | certificates that are shown and certificates that are believed |
//! | [`observer`], [`log`] | watching sessions; what the operator's log says |
//! | [`listen`], [`live`] | sockets that accept; where a server listens while it runs |
//! | [`shutdown`] | telling every connection that the server shuts down |
//! | [`supervisor`] | what watches over the process, such as systemd |
//! | [`transcript`] | both dialogues of a session side by side |

pub use pop3_proto as proto;
pub use rustls;

mod accept;
mod alarm;
pub mod channel;
pub mod connection;
pub mod crowd;
pub mod delay;
mod dial;
pub mod drive;
pub mod handler;
pub mod hold;
pub mod limit;
pub mod listen;
pub mod live;
pub mod lock;
pub mod log;
pub mod name;
mod notice;
pub mod observer;
pub mod parking;
mod pipe;
mod pop3;
pub mod preamble;
pub mod proxy;
pub mod route;
pub mod runtime;
pub mod server;
pub mod service;
pub mod serving;
pub mod settings;
pub mod setup;
pub mod shutdown;
pub mod store;
pub mod supervisor;
pub mod throttle;
pub mod tls;
pub mod transcript;
