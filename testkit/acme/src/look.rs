//! Looks whether a name is served: `http-01` (RFC 8555 section 8.3) and `tls-alpn-01` (RFC 8737).
//!
//! Really connects, to loopback ports in the place of 80 and 443.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const PATIENCE: Duration = Duration::from_secs(60);

fn connect(port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let stream = stream.map_err(|error| error.to_string())?;
    let timed = stream.set_read_timeout(Some(PATIENCE));
    timed.map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Whether the text is there.
pub(crate) fn http(port: u16, name: &str, token: &str, proof: &str) -> Result<(), String> {
    let mut stream = connect(port)?;
    let request = format!(
        "GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    );
    let mut answer = String::new();
    let exchanged = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_string(&mut answer));
    exchanged.map_err(|error| error.to_string())?;
    let is_there =
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("\r\n\r\n{proof}"));
    is_there.then_some(()).ok_or(answer)
}

/// Whether the certificate is there.
pub(crate) fn tls(port: u16, name: &str, proof: &str) -> Result<(), String> {
    let mut stream = connect(port)?;
    let failed = |error: Error| error.to_string();
    let provider = Arc::new(default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let server = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let mut connection = ClientConnection::new(Arc::new(config), server).map_err(failed)?;
    while connection.is_handshaking() {
        let exchanged = connection.complete_io(&mut stream);
        exchanged.map_err(|error| error.to_string())?;
    }
    if connection.alpn_protocol() != Some(b"acme-tls/1") {
        return Err("it does not speak acme-tls/1".into());
    }
    let chain = connection.peer_certificates().unwrap_or_default();
    let [only] = chain else {
        return Err(format!("it shows {} certificates", chain.len()));
    };
    let (_, shown) = X509Certificate::from_der(only).map_err(|error| error.to_string())?;
    let names = shown.subject_alternative_name().ok().flatten();
    let names: Vec<_> = names
        .iter()
        .flat_map(|own| &own.value.general_names)
        .collect();
    if names != [&GeneralName::DNSName(name)] {
        return Err(format!("it is for {names:?}"));
    }
    let expected = [&[4, 32][..], digest(&SHA256, proof.as_bytes()).as_ref()].concat();
    let has_proof = shown.extensions().iter().any(|own| {
        own.oid.to_id_string() == "1.3.6.1.5.5.7.1.31"
            && own.critical
            && own.value == expected
            && matches!(
                own.parsed_extension(),
                ParsedExtension::UnsupportedExtension { .. }
            )
    });
    has_proof
        .then_some(())
        .ok_or_else(|| "the proof is not in it".into())
}

/// Believes every certificate, since it is looked at after the handshake.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
