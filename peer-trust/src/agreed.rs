//! What two ends of TLS agreed on, by its names.

use rustls::{CommonState, ProtocolVersion};

/// The version of TLS and the cipher suite, as a log shows them.
pub fn agreed(connection: &CommonState) -> (&'static str, &'static str) {
    let protocol = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLS",
    };
    let suite = connection.negotiated_cipher_suite();
    let cipher = suite.and_then(|suite| suite.suite().as_str());
    (protocol, cipher.unwrap_or("unknown"))
}
