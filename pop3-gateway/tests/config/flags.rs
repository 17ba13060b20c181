//! The command line.

use pop3_gateway::config::{Config, Flags, LogFormat, LogLevel, RuntimeKind};
use pop3_proto::server::TlsOffer;

use super::{LISTENER, UPSTREAM, parse};

#[test]
fn flags_make_a_configuration() {
    let flags = |change: fn(&mut Flags)| {
        let mut flags = Flags {
            upstream: Some("imaps://imap.example.org".into()),
            ..Flags::default()
        };
        change(&mut flags);
        Config::from_flags(flags).map_err(|error| error.to_string())
    };
    let config = flags(|_| ()).unwrap();
    assert_eq!(
        config.listeners[0].addresses,
        ["127.0.0.1:1100".parse().unwrap()]
    );
    assert_eq!(
        config.upstreams[0].url().to_string(),
        "imaps://imap.example.org:993"
    );
    let config = flags(|flags| {
        flags.listen = vec!["0.0.0.0:110".into()];
        flags.tls_self_signed = Some("tls".into());
        flags.delete = Some("trash".into());
        flags.runtime = Some("smol".into());
        flags.log = Some("json".into());
        flags.transcript = Some("t".into());
    })
    .unwrap();
    assert_eq!(config.listeners[0].policy.tls, TlsOffer::Stls);
    assert!(!config.listeners[0].policy.clear_login);
    assert_eq!(config.upstreams[0].delete(), "trash");
    assert_eq!(config.runtime, Some(RuntimeKind::Smol));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.transcript, Some("t".into()));
}

#[test]
fn mistakes_in_flags_name_the_flag() {
    let error = |change: fn(&mut Flags)| {
        let mut flags = Flags {
            upstream: Some("imaps://imap.example.org".into()),
            ..Flags::default()
        };
        change(&mut flags);
        Config::from_flags(flags).unwrap_err().to_string()
    };
    for (message, expected) in [
        (
            error(|f| f.upstream = Some("mail".into())),
            "--upstream: this is not the URL of an IMAP server: it does not start with imaps://, imap+starttls:// or imap://; write for example \"imaps://imap.example.org\"",
        ),
        (
            error(|f| f.upstream = Some("imap://mail".into())),
            "--upstream: passwords would travel in the clear to another machine; write imaps:// or imap+starttls://, or, if everybody may read them, --allow-clear-upstream",
        ),
        (
            error(|f| f.listen = vec!["0.0.0.0:110".into()]),
            "--allow-clear-login: no login is possible at 0.0.0.0:110: there is no TLS, and logins in the clear are not allowed; write --tls stls and give a certificate, or, if everybody may read the passwords, --allow-clear-login",
        ),
        (
            error(|f| f.tls = Some("stls".into())),
            "--tls: TLS needs a certificate, and there is none; add --tls-cert FILE and --tls-key FILE, or --tls-self-signed FOLDER",
        ),
        (
            error(|f| f.tls_cert = Some("x".into())),
            "--tls-cert: a certificate is two files; give both --tls-cert and --tls-key",
        ),
        (
            error(|f| f.log = Some("xml".into())),
            "--log: \"xml\" is not known here; write \"human\" or \"json\"",
        ),
        (
            error(|f| f.listen = vec!["127.0.0.1:1".into(), "127.0.0.1:1".into()]),
            "--listen: 127.0.0.1:1 is taken: another listener is at 127.0.0.1:1; give each its own address or port",
        ),
    ] {
        assert_eq!(message, expected);
    }
}

#[test]
fn the_command_line_decides_about_runtime_log_and_transcript() {
    let mut config = parse(&format!("runtime = \"tokio\"\n{LISTENER}{UPSTREAM}")).unwrap();
    let flags = Flags {
        runtime: Some("smol".into()),
        log_level: Some("trace".into()),
        transcript: Some("t".into()),
        ..Flags::default()
    };
    config.override_with(&flags).unwrap();
    assert_eq!(config.runtime, Some(RuntimeKind::Smol));
    assert_eq!(config.log.level, LogLevel::Trace);
    assert_eq!(config.transcript, Some("t".into()));
}

/// W052: what a log line advises can be typed.
#[test]
fn w052_the_keys_that_help_are_flags() {
    let print = "ab".repeat(32);
    let flags = Flags {
        upstream: Some("imaps://imap.163.com".into()),
        certificate_sha256: vec![print.clone()],
        server_name: Some("mail.example.org".into()),
        own: true,
        login: Some("plain".into()),
        send_id: true,
        without: vec!["sasl-ir".into(), "LITERAL+".into()],
        ..Flags::default()
    };
    let config = Config::from_flags(flags).unwrap();
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.certificate_sha256, [print.parse().unwrap()]);
    assert_eq!(upstream.imap.server_name, "mail.example.org");
    assert_eq!(upstream.imap.auth, imap_backend::AuthPreference::Plain);
    assert!(upstream.imap.own && upstream.imap.quirks.send_id);
    assert_eq!(
        upstream.imap.quirks.masked_capabilities,
        ["sasl-ir", "LITERAL+"]
    );
}
