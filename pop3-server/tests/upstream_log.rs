//! What the log says of an IMAP upstream that does not do what it should, whether or not the client still waits.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use imap_backend::{Config, ImapBackend, Security};
use pop3_proto::backend::Login;
use pop3_proto::server::Policy;
use pop3_server::server::Server;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;
use pop3_server::tls::{Trust, UpstreamTls};
use testkit_server::PASSWORD;
use testkit_server::logged::logged;
use testkit_server::rig::Rig;

/// An IMAP server at one place.
struct Imap {
    config: Config,
    tls: Option<Arc<UpstreamTls>>,
}

impl Service for Imap {
    type Backend = ImapBackend;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<ImapBackend>, Denied> {
        Ok(Routed::new(
            ImapBackend::new(Arc::new(self.config.clone())),
            login.user().unwrap_or_default(),
            "main",
        )
        .tls(self.tls.clone()))
    }
}

/// What is logged of a login with an upstream that says this, if the client hangs up after a while.
fn log_of(security: Security, said: &[u8], leaves_after: Option<u64>) -> String {
    let tls = UpstreamTls::load(&Trust::Certificates(Vec::new())).unwrap();
    let imap = Imap {
        config: Config::new("imap.example.org", 993, security),
        tls: Some(Arc::new(tls)),
    };
    let mut settings = Settings::new(Arc::new(imap));
    settings.policy = Arc::new(Policy::default().clear_login(true));
    let settings = Arc::new(settings);
    logged(|| {
        let mut rig = Rig::new(&settings, &Server::new());
        rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
        rig.connected();
        rig.upstream.as_mut().unwrap().inbound.extend(said);
        rig.run();
        match leaves_after {
            Some(seconds) => {
                rig.wait(Duration::from_secs(seconds));
                rig.reset();
                rig.wait(Duration::from_secs(10));
            }
            None => {
                rig.wait(Duration::from_secs(31));
            }
        }
    })
}

/// W047: TLS mode and port mixed up, in both directions.
#[test]
fn w047_a_mixed_up_tls_mode_is_reported_with_its_remedy() {
    let log = log_of(Security::Implicit, b"* OK IMAP4rev1 ready\r\n", None);
    let part = "imap.example.org port 993 does not speak TLS from the first byte; if it offers STARTTLS, write \
                url = \\\"imap+starttls://";
    assert!(log.contains(part), "{log}");
    let log = log_of(Security::StartTls, b"", None);
    let part = "imap.example.org port 993 took the connection and sent no greeting within 30 s; if it wants TLS \
                from the first byte, write url = \\\"imaps://";
    assert!(log.contains(part), "{log}");
}

/// W047: the client hangs up first; why it had to wait is logged all the same, once.
#[test]
fn w047_the_reason_is_logged_though_the_client_has_gone() {
    for (security, said, part) in [
        (
            Security::Clear,
            &b""[..],
            "sent no greeting within 12 s; if it wants TLS from the first byte",
        ),
        (
            Security::Implicit,
            b"",
            "did not finish the TLS handshake within 12 s",
        ),
        (
            Security::Clear,
            b"* OK [CAPABILITY IMAP4rev1] hi\r\n",
            "the answer to the login did not come within 12 s",
        ),
    ] {
        let log = log_of(security, said, Some(12));
        let lines = log
            .lines()
            .filter(|line| line.contains("the client gave up its login"));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 1, "{log}");
        assert!(
            lines[0].contains("WARN") && lines[0].contains(part),
            "{log}"
        );
        assert!(
            lines[0].contains("user=\"joe\"") && lines[0].contains("upstream=\"main\""),
            "{log}"
        );
        assert!(!log.contains(PASSWORD));
    }
}

/// W045: an alert is a warning with user and upstream.
#[test]
fn w045_an_alert_is_a_warning_in_the_log() {
    let log = log_of(
        Security::Clear,
        b"* OK [ALERT] the disk is full\r\n",
        Some(1),
    );
    let line = log
        .lines()
        .find(|line| line.contains("the disk is full"))
        .unwrap();
    assert!(
        line.contains("WARN") && line.contains("user=\"joe\""),
        "{log}"
    );
}
