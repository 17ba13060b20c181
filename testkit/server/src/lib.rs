//! What the tests of pop3-server, of its drivers and of the whole gateway share: not published.
//!
//! | module | what |
//! |---|---|
//! | [`list`] | mail in memory, without an upstream |
//! | [`wire`] | mail behind a socket that speaks a toy protocol |
//! | [`jobs`] | mail that is fetched in jobs |
//! | [`echo`] | a handler that speaks no POP3 |
//! | [`rig`] | one connection, played by hand |
//! | [`sim`] | a runtime whose tasks run only when they are woken |
//! | [`simulated`] | the runtime of `testkit::world` |
//! | [`served`] | what the `serve` of every driver must do |
//! | [`socket`] | what every driver must do, on real sockets |
//! | [`mod@peer`] | the other end of TLS |
//! | [`logged`] | what is logged meanwhile |
#![allow(missing_docs, clippy::unwrap_used, reason = "only tests use it")]

pub mod echo;
pub mod jobs;
pub mod list;
pub mod logged;
pub mod peer;
pub mod rig;
pub mod served;
pub mod sim;
pub mod simulated;
pub mod socket;
pub mod wire;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use pop3_server::service::Peer;
use pop3_server::tls::{Identity, ServerTls};

/// The password of every user of every test store.
pub const PASSWORD: &str = "sesame";

pub fn peer() -> Peer {
    peer_at("192.0.2.1:4711")
}

pub fn peer_at(address: &str) -> Peer {
    let address: SocketAddr = address.parse().unwrap();
    Peer::new(address, "192.0.2.9:110".parse().unwrap())
}

/// A self-signed certificate for these names in `folder`, the same at each call.
pub fn identity(folder: &Path, names: &[&str]) -> Identity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_string()).collect();
    let place = |end| folder.join(format!("{}.{end}", names.join("_")));
    let (chain, key) = (place("crt"), place("key"));
    if key.exists() {
        return Identity::new(chain, key);
    }
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(&chain, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Identity::new(chain, key)
}

pub fn server_tls(folder: &Path, names: &[&str]) -> ServerTls {
    ServerTls::load(&[identity(folder, names)]).unwrap()
}
