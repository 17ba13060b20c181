//! Certificates of forms that are not made any more: what is named exactly is believed, and nothing else is.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write as _;
use std::net::TcpListener;

use common::{Behaviour, Certificate, Server};
use pop3_client_io::Trust;
use pop3_client_io::blocking::Session;
use pop3_client_io::{Error, TlsMode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

/// DER of a certificate and of its key.
type Pair = (Vec<u8>, Vec<u8>);

fn made(names: &[&str], change: fn(&mut CertificateParams)) -> Pair {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().to_vec(), key.serialize_der())
}

fn forms() -> Vec<(&'static str, Pair)> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let old = CertificateDer::from_pem_slice(include_bytes!(
        "../../peer-trust/tests/certificates/old.crt"
    ))
    .unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!(
        "../../peer-trust/tests/certificates/old.key"
    ))
    .unwrap();
    vec![
        (
            "version 1, SHA-1, expired",
            (old.to_vec(), key.secret_der().to_vec()),
        ),
        ("no name", made(&[], |_| ())),
        ("another name", made(&["elsewhere.example"], |_| ())),
        (
            "expired",
            made(&["localhost"], |params| {
                params.not_before = rcgen::date_time_ymd(1999, 1, 1);
                params.not_after = rcgen::date_time_ymd(2001, 1, 1);
            }),
        ),
        (
            "not yet",
            made(&["localhost"], |params| {
                params.not_before = rcgen::date_time_ymd(2101, 1, 1);
                params.not_after = rcgen::date_time_ymd(2102, 1, 1);
            }),
        ),
        (
            "an authority",
            made(&["localhost"], |params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }),
        ),
    ]
}

fn connect(server: &Server, trust: Trust) -> Result<Session, Error> {
    let mut endpoint = server.endpoint(TlsMode::Implicit);
    endpoint.trust = trust;
    Session::connect(&endpoint)
}

fn start(certificate: Certificate) -> Server {
    let behaviour = Behaviour {
        implicit: true,
        ..Behaviour::default()
    };
    Server::start_with(behaviour, Vec::new(), certificate)
}

#[test]
fn w078_w040_what_is_named_exactly_is_believed_whatever_its_form() {
    let (_, foreign) = made(&["localhost"], |_| ());
    for (form, (certificate, key)) in forms() {
        for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
            let server = start(Certificate::of(&certificate, &key, versions));
            let file = || Trust::File(server.shared.certificate.file.path().into());
            let session = connect(&server, Trust::Anybody).unwrap();
            let facts = session.tls().unwrap();
            let pin = Trust::Pin(facts.certificate.parse().unwrap());
            for trust in [pin.clone(), file()] {
                let session = connect(&server, trust.clone());
                let session = session.unwrap_or_else(|error| panic!("{form} {trust:?}: {error}"));
                let odd = &session.tls().unwrap().oddities;
                let told = matches!(trust, Trust::File(_)) && form != "an authority";
                assert_eq!(!odd.is_empty(), told, "{form} {trust:?}: {odd:?}");
            }
            // another one is not
            let other = Certificate::new();
            for trust in [
                Trust::File(other.file.path().into()),
                Trust::Pin("00".repeat(32).parse().unwrap()),
            ] {
                let error = connect(&server, trust).err().unwrap().to_string();
                for part in [
                    "localhost port",
                    "not believed",
                    &facts.certificate,
                    "--pin",
                ] {
                    assert!(error.contains(part), "{form}: {error}");
                }
                let debug = ["UnsupportedCertVersion", "CaUsedAsEndEntity", "{", "Other("];
                assert!(
                    debug.iter().all(|word| !error.contains(word)),
                    "{form}: {error}"
                );
            }
            // nor is one that shows it and does not have its key
            if form != "version 1, SHA-1, expired" {
                let thief = start(Certificate::of(&certificate, &foreign, versions));
                for trust in [
                    pin,
                    Trust::File(server.shared.certificate.file.path().into()),
                ] {
                    let error = connect(&thief, trust).err().unwrap().to_string();
                    assert!(error.contains("does not have the key"), "{form}: {error}");
                }
            }
        }
    }
}

#[test]
fn w078_tls_that_is_too_old_is_explained_in_words() {
    // a ServerHello of TLS 1.0, and the alerts of servers that know nothing newer
    let hello = [
        &b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"[..],
        &[7; 32],
        b"\x00\x00\x2f\x00",
    ]
    .concat();
    for (name, answer) in [
        ("a hello", hello.as_slice()),
        ("protocol version", b"\x15\x03\x01\x00\x02\x02\x46"),
        ("handshake failure", b"\x15\x03\x03\x00\x02\x02\x28"),
        ("insufficient security", b"\x15\x03\x03\x00\x02\x02\x47"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut endpoint =
            Server::start(Behaviour::default(), Vec::new()).endpoint(TlsMode::Implicit);
        endpoint.port = listener.local_addr().unwrap().port();
        endpoint.trust = Trust::Anybody;
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut socket, _) = listener.accept().unwrap();
                let mut hello = [0; 1024];
                let _ = std::io::Read::read(&mut socket, &mut hello);
                let _ = socket.write_all(answer);
                // until the client is gone
                let _ = std::io::copy(&mut socket, &mut std::io::sink());
            });
            Session::connect(&endpoint).err().unwrap()
        });
        let error = error.to_string();
        for part in ["localhost port", "TLS 1.2", "update the server"] {
            assert!(error.contains(part), "{name}: {error}");
        }
        assert!(
            !error.contains("PeerIncompatible") && !error.contains("Alert"),
            "{error}"
        );
    }
}

#[test]
fn w054_a_file_of_certificates_that_cannot_be_used_says_what_it_is() {
    let server = start(Certificate::new());
    let pem = std::fs::read(server.shared.certificate.file.path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca");
    let with = |octets: &[u8]| {
        std::fs::write(&path, octets).unwrap();
        connect(&server, Trust::File(path.clone()))
    };
    assert!(with(&[b"\xEF\xBB\xBF", pem.as_slice()].concat()).is_ok());
    let der = rustls_der(&pem);
    for (octets, word) in [
        (der, "DER"),
        (b"\xFF\xFE-\0-\0".to_vec(), "UTF-16"),
        (b"nothing".to_vec(), "BEGIN CERTIFICATE"),
        (Vec::new(), "BEGIN CERTIFICATE"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
            "damaged",
        ),
    ] {
        let error = with(&octets).err().unwrap().to_string();
        assert!(error.contains(word) && error.contains("/ca:"), "{error}");
    }
}

fn rustls_der(pem: &[u8]) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::from_pem_slice(pem)
        .unwrap()
        .to_vec()
}
