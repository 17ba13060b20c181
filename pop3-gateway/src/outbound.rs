//! Requests to servers elsewhere: providers of tokens, and CAs.
//!
//! Owns the connection's bounds: TLS (but to this very machine), no redirects, 30 seconds. Knows nothing of what is
//! said.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use peer_trust::pem::FileError;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How long a request may take in all.
const TIME: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Believes the authorities of the file, or the system's.
pub(crate) fn agent(ca_file: Option<&Path>) -> Result<Agent, FileError> {
    let roots = match ca_file {
        Some(file) => peer_trust::pem::certificates(file)?,
        None => peer_trust::SystemRoots::load().certificates,
    };
    let tls = TlsConfig::builder()
        .root_certs(match roots.as_slice() {
            [] => RootCerts::WebPki,
            roots => RootCerts::from(
                roots
                    .iter()
                    .map(|root| Certificate::from_der(root).to_owned()),
            ),
        })
        .unversioned_rustls_crypto_provider(peer_trust::provider())
        .build();
    Ok(Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(TIME))
        .timeout_connect(Some(CONNECT))
        // one that waits keeps what was said on it in memory, and requests are rare
        .max_idle_connections(0)
        .user_agent(concat!("pop3-gateway/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent())
}

/// The host of an address that may be asked: by TLS, or on this very machine. What it is otherwise.
pub(crate) fn allowed(uri: &Uri) -> Result<&str, &str> {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let here = host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(host),
        Some("http") if here => Ok(host),
        _ => Err(host),
    }
}
