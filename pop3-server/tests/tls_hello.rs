//! What the server says to the first word of a TLS client: versions, and what it does not ask for.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pop3_proto::server::{Policy, TlsOffer};
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, SignatureScheme};
use testkit_server::list::ListService;
use testkit_server::peer::client_config;
use testkit_server::rig::Rig;
use testkit_server::{identity, server_tls};

fn rig(folder: &std::path::Path) -> Rig<ListService> {
    let mut settings = Settings::new(Arc::new(ListService::new(&[b"x"])));
    settings.policy = Arc::new(Policy::default().tls(TlsOffer::Implicit));
    settings.tls = Some(server_tls(folder, &["mail.example.org"]));
    Rig::new(&Arc::new(settings), &Server::new())
}

/// A ClientHello with this version, with two cipher suites and without extensions.
fn hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0xC0, 0x13, 0x00, 0x2F, 1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

/// T014: SSL 3, TLS 1.0 and TLS 1.1 are answered with an alert, and nothing of POP3 is said.
#[test]
fn t014_old_versions_are_refused() {
    for minor in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let mut rig = rig(folder.path());
        rig.say(hello(minor));
        let answer = &rig.client.outbound;
        assert_eq!((answer[0], answer[5]), (21, 2), "a fatal alert: {answer:?}");
        assert_eq!(answer.len(), 7);
        assert!(rig.client.shut_down);
    }
}

#[derive(Debug, Default)]
struct WouldTell(AtomicBool);

impl ResolvesClientCert for WouldTell {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// T018: no certificate is asked of the client, since none would be used.
#[test]
fn t018_no_certificate_is_asked_of_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path());
    let asked = Arc::new(WouldTell::default());
    let mut config = client_config(&identity(folder.path(), &["mail.example.org"]), &[]);
    config.client_auth_cert_resolver = Arc::clone(&asked) as Arc<dyn ResolvesClientCert>;
    let name = ServerName::try_from("mail.example.org").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    while client.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        rig.say(&wire);
        let back = std::mem::take(&mut rig.client.outbound);
        assert!(!back.is_empty(), "the handshake goes on");
        let mut back = back.as_slice();
        while !back.is_empty() {
            client.read_tls(&mut back).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    assert!(!asked.0.load(Ordering::Relaxed));
}
