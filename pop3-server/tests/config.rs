//! The configuration as an operator meets it: what is taken, and what each mistake is answered with.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use pop3_proto::server::{ReadOnly, TlsOffer};
use pop3_server::config::{
    Config, DeletePolicy, FileDeletion, Flags, ListedMessage, LogFormat, LogLevel, LoginCommand,
    PipelineLogin, RuntimeKind, Security, StoreKind,
};
use proptest::prelude::*;

const LISTENER: &str = "[[listener]]\nlisten = \"127.0.0.1:1110\"\n";
const UPSTREAM: &str = "[[upstream]]\nname = \"main\"\nurl = \"imaps://imap.example.org\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/g.toml")).map_err(|error| error.to_string())
}

fn error(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("this was accepted:\n{text}"),
        Err(message) => message,
    }
}

/// The error of the two smallest tables with these lines behind them.
fn error_with(listener: &str, upstream: &str, rest: &str) -> String {
    error(&format!(
        "{LISTENER}{listener}\n{UPSTREAM}{upstream}\n{rest}\n"
    ))
}

#[test]
fn the_smallest_configuration_has_safe_defaults() {
    let config = parse(&format!("{LISTENER}{UPSTREAM}")).unwrap();
    let listener = &config.listeners[0];
    assert_eq!(listener.name, "127.0.0.1:1110");
    assert_eq!(listener.tls, TlsOffer::None);
    assert!(listener.allow_clear_login, "loopback");
    assert!(listener.user_pass);
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.url.security, Security::Tls);
    assert_eq!(upstream.server_name, "imap.example.org");
    assert_eq!(upstream.folder, "INBOX");
    assert_eq!(upstream.delete, DeletePolicy::Expunge);
    assert!(!upstream.mark_seen);
    assert_eq!(config.routing.default.as_deref(), Some("main"));
    assert_eq!(config.timers.autologout, Duration::from_secs(600));
    assert_eq!(config.runtime, None);
    assert_eq!(config.transcript, None);
}

#[test]
fn everything_that_is_said_is_heard() {
    let config = parse(
        r#"
        runtime = "smol"
        [[listener]]
        name = "public"
        listen = ["0.0.0.0:995", "[::]:995"]
        tls = "implicit"
        greeting = "hello"
        user_pass = false
        sasl = ["plain", "SCRAM-SHA-256"]
        implementation = ""
        utf8 = false
        read_only = "always"
        [[listener.certificate]]
        cert = "a.pem"
        key = "/keys/a.pem"
        [[listener.certificate]]
        cert = "b.pem"
        key = "b.key"
        [[upstream]]
        name = "one"
        url = "imap+starttls://mail.example.org:10143"
        ca_file = "ca.pem"
        server_name = "mail.internal"
        folder = "Archive"
        delete = "move:Deleted Items"
        mark_seen = true
        read_ahead = "1 MiB"
        login = "plain"
        pipeline_login = "never"
        send_id = true
        without = "literal+"
        connect_timeout = "5s"
        reply_timeout = "1m"
        keep_alive = "2m"
        [[upstream]]
        name = "two"
        url = "imap://10.0.0.1"
        allow_clear = true
        [routing]
        default = "one"
        [routing.domain]
        "Example.ORG" = "one"
        [routing.user]
        bob = "two"
        "scanner" = { upstream = "one", user = "scanner@example.org" }
        [limits]
        connections = 5
        connections_per_address = 4
        connections_per_user = 3
        failed_login_delay = "1s"
        failed_login_delay_max = "9s"
        failed_logins = 2
        bad_commands_before_login = 6
        bad_commands = 7
        read_ahead_total = "8 MiB"
        [timers]
        login_grace = "1m"
        autologout = "30m"
        stalled_reader = "11m"
        shutdown_grace = "3s"
        [log]
        format = "json"
        level = "debug"
        [transcript]
        dir = "transcripts"
        "#,
    )
    .unwrap();
    assert_eq!(config.runtime, Some(RuntimeKind::Smol));
    let listener = &config.listeners[0];
    assert_eq!(listener.name, "public");
    assert_eq!(listener.addresses.len(), 2);
    assert_eq!(listener.tls, TlsOffer::Implicit);
    assert!(!listener.allow_clear_login && !listener.user_pass && !listener.utf8);
    assert_eq!(
        listener.certificates[0].cert,
        PathBuf::from("/etc/a.pem"),
        "relative to the file"
    );
    assert_eq!(listener.certificates[0].key, PathBuf::from("/keys/a.pem"));
    assert_eq!(listener.certificates.len(), 2);
    let sasl: Vec<_> = listener
        .sasl
        .iter()
        .map(|mechanism| mechanism.as_str())
        .collect();
    assert_eq!(sasl, ["PLAIN", "SCRAM-SHA-256"]);
    assert_eq!(listener.implementation, "");
    assert_eq!(listener.read_only, ReadOnly::Always);
    let upstream = &config.upstreams[0];
    assert_eq!(
        upstream.url.to_string(),
        "imap+starttls://mail.example.org:10143"
    );
    assert_eq!(upstream.ca_file, Some("/etc/ca.pem".into()));
    assert_eq!(upstream.server_name, "mail.internal");
    assert_eq!(upstream.folder, "Archive");
    assert_eq!(upstream.delete, DeletePolicy::Move("Deleted Items".into()));
    assert!(upstream.mark_seen);
    assert_eq!(upstream.read_ahead, 1 << 20);
    assert_eq!(upstream.login, LoginCommand::Plain);
    assert!(upstream.pipeline_login == PipelineLogin::Never && upstream.send_id);
    assert_eq!(upstream.without, ["LITERAL+"]);
    assert_eq!(upstream.connect_timeout, Duration::from_secs(5));
    assert_eq!(upstream.reply_timeout, Duration::from_secs(60));
    assert_eq!(upstream.keep_alive, Duration::from_secs(120));
    assert_eq!(config.routing.default.as_deref(), Some("one"));
    assert_eq!(config.routing.domains["example.org"], "one");
    assert_eq!(config.routing.users["bob"].upstream, "two");
    assert_eq!(
        config.routing.users["scanner"].user.as_deref(),
        Some("scanner@example.org")
    );
    assert_eq!(config.limits.connections, 5);
    assert_eq!(config.limits.connections_per_address, 4);
    assert_eq!(config.limits.connections_per_user, 3);
    assert_eq!(config.limits.failed_login_delay, Duration::from_secs(1));
    assert_eq!(config.limits.failed_login_delay_max, Duration::from_secs(9));
    assert_eq!(config.limits.failed_logins, 2);
    assert_eq!(config.limits.bad_commands_before_login, 6);
    assert_eq!(config.limits.bad_commands, 7);
    assert_eq!(config.limits.read_ahead_total, 8 << 20);
    assert_eq!(config.timers.login_grace, Duration::from_secs(60));
    assert_eq!(config.timers.autologout, Duration::from_secs(1800));
    assert_eq!(config.timers.stalled_reader, Duration::from_secs(660));
    assert_eq!(config.timers.shutdown_grace, Duration::from_secs(3));
    assert_eq!(
        (config.log.format, config.log.level),
        (LogFormat::Json, LogLevel::Debug)
    );
    assert_eq!(config.transcript, Some("/etc/transcripts".into()));
}

#[test]
fn unknown_keys_are_refused_with_place_and_nearest_key() {
    for (listener, upstream, rest, expected) in [
        (
            "tsl = \"stls\"",
            "",
            "",
            "/etc/g.toml:3:1: listener[1].tsl: unknown key; did you mean \"tls\"?",
        ),
        (
            "  Greeting = \"hi\"",
            "",
            "",
            "/etc/g.toml:3:3: listener[1].Greeting: unknown key; did you mean \"greeting\"?",
        ),
        (
            "",
            "ca-file = \"x\"",
            "",
            "/etc/g.toml:7:1: upstream[1].ca-file: unknown key; did you mean \"ca_file\"?",
        ),
        (
            "",
            "",
            "[limit]\nconnections = 1",
            "/etc/g.toml:8:2: limit: unknown key; did you mean \"limits\"?",
        ),
        (
            "",
            "",
            "[timers]\nauto_logout = \"10m\"",
            "/etc/g.toml:9:1: timers.auto_logout: unknown key; did you mean \"autologout\"?",
        ),
        (
            "",
            "",
            "[log]\ncolour = true",
            "/etc/g.toml:9:1: log.colour: unknown key; known here: format, level",
        ),
        (
            "",
            "",
            "[routing]\ndefualt = \"main\"",
            "/etc/g.toml:9:1: routing.defualt: unknown key; did you mean \"default\"?",
        ),
        (
            "",
            "",
            "[routing.user]\nbob = { upstraem = \"main\" }",
            "/etc/g.toml:9:9: routing.user.\"bob\".upstraem: unknown key; did you mean \"upstream\"?",
        ),
        (
            "",
            "",
            "[transcript]\nfolder = \"x\"",
            "/etc/g.toml:9:1: transcript.folder: unknown key; known here: dir",
        ),
        (
            "[[listener.certificate]]\ncrt = \"x\"",
            "",
            "",
            "/etc/g.toml:4:1: listener[1].certificate[1].crt: unknown key; did you mean \"cert\"?",
        ),
    ] {
        assert_eq!(error_with(listener, upstream, rest), expected);
    }
}

/// A slip in the name of a key that must be there is called a slip, not a missing key.
#[test]
fn a_slip_goes_before_what_is_missing() {
    let message = error(&format!(
        "{LISTENER}[[upstream]]\nname = \"main\"\nulr = \"imaps://a\"\n"
    ));
    assert!(
        message.ends_with("upstream[1].ulr: unknown key; did you mean \"url\"?"),
        "{message}"
    );
}

#[test]
fn what_is_not_toml_is_refused_with_its_place() {
    assert!(
        error("[[listener]\nlisten = 1").starts_with("/etc/g.toml:1:"),
        "broken header"
    );
    let twice = error(&format!("{LISTENER}listen = \"127.0.0.1:1\"\n{UPSTREAM}"));
    assert!(
        twice.contains("g.toml:3:1: this is not TOML: duplicate key"),
        "{twice}"
    );
}

/// T015: no TLS without a certificate. X004: a greeting that clients would misread. C004: CRAM-MD5 needs
/// the password.
#[test]
fn t015_x004_c004_mistakes_in_listeners() {
    let public = |rest: &str| {
        error(&format!(
            "[[listener]]\nlisten = \"0.0.0.0:110\"\n{rest}\n{UPSTREAM}"
        ))
    };
    let clear = "/etc/g.toml:1:3: listener[1].allow_clear_login: nobody could log in at 0.0.0.0:110: \
        there is no TLS, and logins in the clear are not allowed; write tls = \"stls\" and give a \
        certificate, or, if everybody may read the passwords, allow_clear_login = true";
    assert_eq!(public(""), clear.replace(":1:3:", ":1:1:"));
    let with = |line: &str| error_with(line, "", "");
    for (message, part) in [
        (
            public("tls = \"stls\""),
            "3:1: listener[1].tls: TLS needs a certificate, and there is none; add [[listener.certificate]]",
        ),
        (
            public("tls = \"implicit\""),
            "listener[1].tls: TLS needs a certificate",
        ),
        (
            public("tls = \"ssl\""),
            "listener[1].tls: \"ssl\" is not known here; write \"none\", \"stls\" or \"implicit\"",
        ),
        (
            with("self_signed = \"tls\""),
            "listener[1].tls: there is a certificate, but TLS is off; write tls = \"stls\" or tls = \"implicit\"",
        ),
        (
            with("allow_clear_login = false"),
            "nobody could log in: there is no TLS",
        ),
        (
            with("user_pass = false\nsasl = []"),
            "listener[1].user_pass: nobody could log in: USER is off",
        ),
        (
            with("sasl = [\"PLAIN\", \"LOGIN\", \"plain\"]"),
            "listener[1].sasl: PLAIN is named twice; name each mechanism once",
        ),
        (
            with("sasl = [\"CRAM-MD5\"]"),
            "listener[1].sasl: \"CRAM-MD5\" needs the password, which only the upstream holds; leave it out",
        ),
        (
            with("sasl = [\"SCRAM-SHA-256-PLUS\"]"),
            "is bound to a TLS channel",
        ),
        (
            with("sasl = [\"not a name\"]"),
            "is not the name of a SASL mechanism",
        ),
        (
            with("greeting = \"hello <there>\""),
            "listener[1].greeting: clients read angle brackets as an APOP timestamp",
        ),
        (with("greeting = \"[AUTH] hello\""), "leave out"),
        (
            with("greeting = \"a\\r\\nb\""),
            "cannot be sent in one short line",
        ),
        (
            with("utf8 = \"yes\""),
            "listener[1].utf8: this is a text; write true or false, without quotes",
        ),
        (
            with("tls = true"),
            "listener[1].tls: this is true or false; write a text in quotes",
        ),
        (
            with("[[listener.certificate]]\ncert = \"a.pem\""),
            "3:12: listener[1].certificate: a certificate is two files; give both",
        ),
        (
            with(
                "tls = \"stls\"\nself_signed = \"d\"\n[[listener.certificate]]\ncert = \"a\"\nkey = \"b\"",
            ),
            "listener[1].self_signed: there is a certificate from files too",
        ),
        (
            with("tls = \"stls\"\nself_signed = \"\""),
            "listener[1].self_signed: the path is empty",
        ),
        (
            with("[[listener]]\nlisten = \"127.0.0.1:1110\""),
            "listener[2].listen: 127.0.0.1:1110 is taken: another listener is at 127.0.0.1:1110",
        ),
        (
            with("[[listener]]\nlisten = \"0.0.0.0:1110\"\nallow_clear_login = true"),
            "0.0.0.0:1110 is taken: another listener is at 127.0.0.1:1110",
        ),
        (
            with("[[listener]]"),
            "listener[2].listen: there is no address to listen at; write for example listen = \"127.0.0.1:1110\"",
        ),
        (
            error(&format!(
                "[[listener]]\nlisten = \"localhost:110\"\n{UPSTREAM}"
            )),
            "listener[1].listen: \"localhost:110\" is not an IP address with a port; write for example",
        ),
        (
            error(&format!("[[listener]]\nlisten = 110\n{UPSTREAM}")),
            "listener[1].listen: this is a number; write a text in quotes",
        ),
        (
            error(&format!(
                "[listener]\nlisten = \"127.0.0.1:110\"\n{UPSTREAM}"
            )),
            "listener: this is a table; write tables, each under its own [[listener]]",
        ),
        (
            error(UPSTREAM),
            "listener: there is no listener; add [[listener]]",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

/// T007: logins in the clear are refused by default where others may listen in.
#[test]
fn t007_clear_logins_need_loopback_or_a_word() {
    let at = |listen: &str, rest: &str| {
        let listener = format!("[[listener]]\nlisten = {listen}\n{rest}\n");
        parse(&format!("{listener}{UPSTREAM}")).map(|config| config.listeners[0].allow_clear_login)
    };
    let tls = "tls = \"stls\"\nself_signed = \"tls\"";
    assert_eq!(at("\"127.0.0.1:110\"", ""), Ok(true));
    assert_eq!(at("[\"127.0.0.1:110\", \"[::1]:110\"]", ""), Ok(true));
    assert_eq!(at("\"192.0.2.1:110\"", tls), Ok(false));
    assert_eq!(at("[\"127.0.0.1:110\", \"192.0.2.1:110\"]", tls), Ok(false));
    assert_eq!(
        at("\"192.0.2.1:110\"", "allow_clear_login = true"),
        Ok(true)
    );
    assert!(at("[\"127.0.0.1:110\", \"192.0.2.1:110\"]", "").is_err());
}

#[test]
fn mistakes_in_upstreams() {
    let with = |line: &str| error_with("", line, "");
    let url = |url: &str| {
        error(&format!(
            "{LISTENER}[[upstream]]\nname = \"main\"\nurl = \"{url}\"\n"
        ))
    };
    for (message, part) in [
        (
            error(LISTENER),
            "upstream: there is no upstream; add [[upstream]]",
        ),
        (
            error(&format!("{LISTENER}[[upstream]]\nname = \"main\"")),
            "upstream[1].url: the URL is missing; write for example url = \"imaps://imap.example.org\"",
        ),
        (
            error(&format!("{LISTENER}[[upstream]]\nurl = \"imaps://a\"")),
            "upstream[1].name: an upstream needs a name",
        ),
        (
            url("imap.example.org"),
            "upstream[1].url: this is not the URL of an IMAP server: it does not start with imaps://, imap+starttls:// or imap://",
        ),
        (
            url("imap://imap.example.org"),
            "5:1: upstream[1].url: passwords would travel in the clear to another machine; write imaps:// or imap+starttls://, or, if everybody may read them, allow_clear = true",
        ),
        (url("imaps://a/INBOX"), "the folder is a setting of its own"),
        (
            with("delete = \"purge\""),
            "upstream[1].delete: \"purge\" is not a delete policy; write \"expunge\", \"trash\"",
        ),
        (with("delete = \"move:\""), "is not a delete policy"),
        (
            with("delete = \"move:inbox\""),
            "deleted messages would be moved to where they are",
        ),
        (
            with("delete = \"keyword:\\\\Seen\""),
            "is not a delete policy",
        ),
        (
            with("delete = \"keyword:two words\""),
            "is not a delete policy",
        ),
        (
            with("folder = \"\""),
            "upstream[1].folder: this cannot be the name of a folder",
        ),
        (
            with("server_name = \"a b\""),
            "upstream[1].server_name: this is not a host name",
        ),
        (
            with("read_ahead = 256"),
            "upstream[1].read_ahead: this is a number; write a size with its unit in quotes, such as \"256 KiB\"",
        ),
        (
            with("read_ahead = \"256 KB\""),
            "upstream[1].read_ahead: \"256 KB\" is not a size; write a number and its unit (B, KiB, MiB or GiB), such as \"256 KiB\"",
        ),
        (
            with("reply_timeout = \"0s\""),
            "upstream[1].reply_timeout: this is too short",
        ),
        (
            with("reply_timeout = \"5M\""),
            "upstream[1].reply_timeout: \"5M\" is not a time; write a number and its unit",
        ),
        (
            with("[[upstream]]\nname = \"main\"\nurl = \"imaps://b\""),
            "8:1: upstream[2].name: there is another upstream \"main\"; give each its own name",
        ),
        (
            with("[[upstream]]\nname = \"two\"\nurl = \"imaps://b\""),
            "routing: there are several upstreams, and no route says who goes where; add [routing]",
        ),
        (
            error(&format!(
                "{LISTENER}[[upstream]]\nname = \"m\"\nurl = \"imap://localhost\"\nca_file = \"x\""
            )),
            "upstream[1].ca_file: this upstream is without TLS",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

/// V33: a password that somebody put into the URL does not come back in the message.
#[test]
fn v33_a_password_in_the_url_is_not_repeated() {
    let message = error(&format!(
        "{LISTENER}[[upstream]]\nname = \"m\"\nurl = \"imaps://bob:hunter2@a\"\n"
    ));
    assert!(
        message.contains("it names a user") && !message.contains("hunter2"),
        "{message}"
    );
}

#[test]
fn mistakes_in_routes() {
    let with = |rest: &str| error_with("", "", rest);
    for (message, part) in [
        (
            with("[routing]\ndefault = \"mian\""),
            "routing.default: there is no upstream \"mian\"; did you mean \"main\"?",
        ),
        (
            with("[routing.domain]\n\"example.org\" = \"other\""),
            "routing.domain.\"example.org\": there is no upstream \"other\"; there are: main",
        ),
        (
            with("[routing.domain]\n\"@example.org\" = \"main\""),
            "this is not a domain; write it without \"@\"",
        ),
        (
            with("[routing.domain]\na = \"main\"\nA = \"main\""),
            "there is another entry that differs in case only",
        ),
        (
            with("[routing.user]\nbob = \"other\""),
            "routing.user.\"bob\": there is no upstream \"other\"",
        ),
        (
            with("[routing.user]\nbob = { user = \"b\" }"),
            "routing.user.\"bob\".upstream: the upstream is missing",
        ),
        (
            with("[routing.user]\nbob = { upstream = \"main\", user = \"\" }"),
            "this cannot be a user's name",
        ),
        (
            with("[routing.user]\nbob = 1"),
            "routing.user.\"bob\": this is a number; write a text in quotes",
        ),
        (with("[routing]"), "routing.default: nobody has a route"),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

const STORE: &str =
    "[[store]]\nname = \"local\"\nkind = \"maildir\"\npath = \"mail\"\naccounts = \"users\"\n";

#[test]
fn a_store_is_enough_and_takes_everybody() {
    let config = parse(&format!("{LISTENER}{STORE}")).unwrap();
    assert!(config.upstreams.is_empty());
    assert_eq!(config.routing.default.as_deref(), Some("local"));
    let store = &config.stores[0];
    assert_eq!(store.accounts.as_deref(), Some(Path::new("/etc/users")));
    let StoreKind::Files(files) = &store.kind else {
        panic!("{store:?}")
    };
    assert_eq!(files.path, Path::new("/etc/mail"));
    assert!(!files.plain && !files.each && files.lock && !files.follow_links && !files.mark_seen);
    assert_eq!(files.delete, FileDeletion::Remove);
}

#[test]
fn every_key_of_a_store_is_heard() {
    let config = parse(&format!(
        "{LISTENER}apop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n{UPSTREAM}{STORE}\
         users = \"each\"\nsubfolder = \"Maildir\"\ndelete = \"move:.Trash\"\nmissing = \"empty\"\n\
         mark_seen = true\nfollow_links = true\nlock = false\n\
         [[store]]\nname = \"scans\"\nkind = \"directory\"\npath = \"/srv/scans\"\naccounts = \"users\"\n\
         suffix = \".eml\"\nsettle = \"5s\"\ndelete = \"keep\"\n\
         [[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = \"users\"\n\
         [[store.message]]\nfile = \"a.eml\"\n\
         [[store.message]]\nsubject = \"b\"\ntext = \"c\\n\"\ndate = 1970-01-02\n\
         [[store]]\nname = \"db\"\nkind = \"sql\"\nurl = \"postgres://a:s3cret@h/b\"\n\
         password_file = \"p\"\nconnections = 3\nacquire_timeout = \"1s\"\nstatement_timeout = \"2s\"\n\
         max_message = \"1 MiB\"\n\
         [store.queries]\nlist = \"select 1\"\nbody = \"select 2\"\nbody_piece = \"select 3\"\n\
         delete = \"delete 4\"\naccount = \"select 5\"\n\
         [store.template]\nfrom = \"{{host}}\"\nsubject = \"s\"\ndate = \"logged\"\n\
         [store.template.headers]\n\"X-Level\" = \"{{level}}\"\n\
         [monitor]\nuser = \"probe\"\nsecret = \"not so easy to guess\"\n\
         [routing]\ndefault = \"main\"\n[routing.domain]\n\"example.org\" = \"local\"\n\
         [routing.user]\nscan = \"scans\"\nnote = {{ store = \"notes\", user = \"n\" }}\n"
    ))
    .unwrap();
    let kinds: Vec<_> = config.stores.iter().map(|store| &store.kind).collect();
    let [
        StoreKind::Files(local),
        StoreKind::Files(scans),
        StoreKind::List(notes),
        StoreKind::Sql(db),
    ] = kinds[..]
    else {
        panic!("{kinds:?}")
    };
    assert!(local.each && local.missing_is_empty && local.mark_seen && local.follow_links);
    assert_eq!(local.delete, FileDeletion::Move(".Trash".into()));
    assert!(!local.lock && scans.plain && scans.suffix.as_deref() == Some(".eml"));
    assert_eq!(scans.settle, Duration::from_secs(5));
    assert_eq!(notes[0], ListedMessage::File("/etc/a.eml".into()));
    assert!(matches!(
        &notes[1],
        ListedMessage::Text { date: 86_400, .. }
    ));
    let queries = db.queries.as_ref().unwrap();
    assert_eq!(queries.delete, ["delete 4"]);
    let template = queries.template.as_ref().unwrap();
    assert_eq!(
        template.headers,
        [("X-Level".to_owned(), "{level}".to_owned())]
    );
    assert_eq!(config.routing.users["note"].upstream, "notes");
    assert_eq!(config.routing.users["note"].user.as_deref(), Some("n"));
    assert!(config.listeners[0].apop);
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("not so easy"),
        "{shown}"
    );
}

#[test]
fn mistakes_in_stores() {
    let with = |lines: &str| error(&format!("{LISTENER}{STORE}{lines}\n"));
    let other = |lines: &str| {
        error(&format!(
            "{LISTENER}[[store]]\nname = \"a\"\naccounts = \"u\"\n{lines}\n"
        ))
    };
    for (message, part) in [
        (
            with("pth = \"x\""),
            "8:1: store[1].pth: unknown key; did you mean \"path\"?",
        ),
        (
            with("delete = \"trash\""),
            "\"trash\" says not what becomes of deleted messages; write \"remove\"",
        ),
        (
            with("delete = \"move:Trash\""),
            "\"Trash\" is not a folder for deleted messages; write a folder of the Maildir, such as \"move:.Trash\"",
        ),
        (
            with("subfolder = \"x\""),
            "store[1].subfolder: there is one folder for all",
        ),
        (
            with("users = \"each\"\nsubfolder = \"../x\""),
            "this leads out of the account's folder",
        ),
        (
            with("users = \"many\""),
            "\"many\" is not known here; write \"one\" or \"each\"",
        ),
        (with("suffix = \".eml\""), "store[1].suffix: unknown key"),
        (
            with(&STORE.replace("\"users\"", "\"u\"")),
            "store[2].name: there is another store or upstream \"local\"",
        ),
        (
            error_with("", "", &STORE.replace("local", "main")),
            "store[1].name: there is another store or upstream \"main\"",
        ),
        (
            error_with("", "", STORE),
            "routing: there are several upstreams or stores, and no route says who goes where",
        ),
        (
            error_with("", "", &format!("{STORE}[routing]\ndefault = \"loacl\"")),
            "there is no upstream or store \"loacl\"; did you mean \"local\"?",
        ),
        (
            error_with(
                "",
                "",
                &format!(
                    "{STORE}[routing]\ndefault = \"main\"\n[routing.user]\na = {{ store = \"local\", upstream = \"main\" }}"
                ),
            ),
            "keep one of the two",
        ),
        (other("path = \"x\""), "store[1].kind: the kind is missing"),
        (
            other("kind = \"mbox\""),
            "\"mbox\" is not known here; write \"maildir\", \"directory\", \"list\" or \"sql\"",
        ),
        (
            other("kind = \"maildir\""),
            "store[1].path: the folder is missing",
        ),
        (
            other("kind = \"directory\"\npath = \"x\"\nmark_seen = true"),
            "store[1].mark_seen: unknown key",
        ),
        (
            other("kind = \"list\"\n[[store.message]]\nsubject = \"x\"\ntext = \"y\""),
            "the date is missing",
        ),
        (
            other("kind = \"list\"\n[[store.message]]\nsubject = \"x\""),
            "a message is a file, or a subject with a text and a date",
        ),
        (
            other(
                "kind = \"list\"\n[[store.message]]\nsubject = \"x\\ny\"\ntext = \"y\"\ndate = 2026-01-01",
            ),
            "this is not one line",
        ),
        (
            other("kind = \"sql\""),
            "store[1].url: the database is missing",
        ),
        (
            other("kind = \"sql\"\nurl = \"x\"\nconnections = 0"),
            "nobody could be served",
        ),
        (
            other("kind = \"sql\"\nurl = \"x\"\n[store.queries]\nlist = \"x\""),
            "store[1].queries.body: the query is missing",
        ),
        (
            other(
                "kind = \"sql\"\nurl = \"x\"\n[store.queries]\nlist = \"x\"\nbody = \"y\"\naccount = \"z\"",
            ),
            "there are accounts in a file and in the database",
        ),
        (
            other("kind = \"sql\"\nurl = \"x\"\n[store.template]\nsubject = \"x\""),
            "the tool's own tables hold messages, not texts",
        ),
        (
            error(&format!(
                "{LISTENER}[[store]]\nname = \"a\"\nkind = \"sql\"\nurl = \"x\"\n[store.queries]\nlist = \"x\"\nbody = \"y\"\n"
            )),
            "nobody could log in",
        ),
        (
            error(&format!(
                "{LISTENER}{}",
                STORE.replace("accounts = \"users\"\n", "")
            )),
            "store[1].accounts: nobody could log in; write accounts = \"FILE\"",
        ),
        (
            error(&format!("{LISTENER}sasl = [\"SCRAM-SHA-1\"]\n{STORE}")),
            "SCRAM-SHA-1 hides the user's name, and the default route leads to a store",
        ),
        (
            error_with("apop = true", "", ""),
            "listener[1].apop: \"APOP\" needs the password, which only the upstream holds",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
    // whatever is wrong with it, the address of a database is not repeated
    let secret = other("kind = \"sql\"\nurl = [\"mysql://a:hush@b/c\"]");
    assert!(!secret.contains("hush"), "{secret}");
}

/// V35: there is no monitoring account unless it is configured, and no default secret.
#[test]
fn v35_mistakes_in_the_monitoring_account() {
    assert_eq!(
        parse(&format!("{LISTENER}{UPSTREAM}")).unwrap().monitor,
        None
    );
    let with = |lines: &str| error_with("", "", &format!("[monitor]\n{lines}"));
    for (message, part) in [
        (with(""), "monitor.user: the account needs a name"),
        (
            with("user = \"monitor\""),
            "monitor.secret: the secret is missing; write secret_file",
        ),
        (
            with("user = \"monitor\"\nsecret = \"monitor\""),
            "this would be guessed; write at least 12 characters",
        ),
        (
            with("user = \"a long name of mine\"\nsecret = \"a long name of mine\""),
            "this would be guessed",
        ),
        (
            with("user = \"m\"\nsecret = \"long enough, this\"\nsecret_file = \"f\""),
            "keep secret or secret_file",
        ),
        (
            with("user = \"m\"\nsecret = \"long enough,\\nthis\""),
            "no client could send this",
        ),
        (
            with("user = \"m\"\nsecret_file = \"f\"\n[routing.user]\nm = \"main\""),
            "monitor: \"m\" has a route of its own",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
        assert!(!message.contains("long enough"), "{message}");
    }
}

/// P011: an autologout timer below ten minutes is refused.
#[test]
fn p011_autologout_has_a_floor_of_ten_minutes() {
    let with = |rest: &str| error_with("", "", rest);
    for (message, part) in [
        (
            with("[timers]\nautologout = \"9m 59s\""),
            "9:1: timers.autologout: less than 10 minutes cuts off honest clients (RFC 1939 section 3); write at least \"10m\"",
        ),
        (
            with("[timers]\nstalled_reader = \"1m\""),
            "timers.stalled_reader: less than 10 minutes",
        ),
        (
            with("[timers]\nlogin_grace = \"1s\""),
            "timers.login_grace: nobody can log in that fast",
        ),
        (
            with("[timers]\nautologout = 600"),
            "timers.autologout: this is a number; write a time with its unit in quotes, such as \"10m\"",
        ),
        (
            with("[limits]\nconnections = 0"),
            "limits.connections: 0 would shut everybody out",
        ),
        (
            with("[limits]\nconnections = -1"),
            "limits.connections: -1 is out of range; write 0 to 4294967295",
        ),
        (
            with("[limits]\nfailed_login_delay = \"1m\""),
            "limits.failed_login_delay_max: this is less than failed_login_delay",
        ),
        (
            with("[log]\nlevel = \"loud\""),
            "log.level: \"loud\" is not known here; write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ),
        (
            with("[transcript]"),
            "transcript.dir: the folder is missing",
        ),
        (
            error(&format!("runtime = \"async-std\"\n{LISTENER}{UPSTREAM}")),
            "runtime: \"async-std\" is not known here; write \"tokio\" or \"smol\"",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = Config::load(Path::new("/nonexistent/g.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.starts_with("/nonexistent/g.toml: cannot be read: "),
        "{missing}"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    std::fs::write(&file, b"\xff\xfe").unwrap();
    let message = Config::load(&file).unwrap_err().to_string();
    assert!(
        message.ends_with("is not UTF-8 text; save it as UTF-8"),
        "{message}"
    );
    std::fs::write(&file, format!("{LISTENER}{UPSTREAM}")).unwrap();
    assert!(Config::load(&file).is_ok());
}

#[test]
fn flags_make_a_configuration() {
    let flags = |change: fn(&mut Flags)| {
        let mut flags = Flags {
            upstream: "imaps://imap.example.org".into(),
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
        config.upstreams[0].url.to_string(),
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
    assert_eq!(config.listeners[0].tls, TlsOffer::Stls);
    assert!(!config.listeners[0].allow_clear_login);
    assert_eq!(config.upstreams[0].delete, DeletePolicy::Trash);
    assert_eq!(config.runtime, Some(RuntimeKind::Smol));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.transcript, Some("t".into()));
}

#[test]
fn mistakes_in_flags_name_the_flag() {
    let error = |change: fn(&mut Flags)| {
        let mut flags = Flags {
            upstream: "imaps://imap.example.org".into(),
            ..Flags::default()
        };
        change(&mut flags);
        Config::from_flags(flags).unwrap_err().to_string()
    };
    for (message, expected) in [
        (
            error(|f| f.upstream = "mail".into()),
            "--upstream: this is not the URL of an IMAP server: it does not start with imaps://, imap+starttls:// or imap://; write for example \"imaps://imap.example.org\"",
        ),
        (
            error(|f| f.upstream = "imap://mail".into()),
            "--upstream: passwords would travel in the clear to another machine; write imaps:// or imap+starttls://, or, if everybody may read them, --allow-clear-upstream",
        ),
        (
            error(|f| f.listen = vec!["0.0.0.0:110".into()]),
            "--allow-clear-login: nobody could log in at 0.0.0.0:110: there is no TLS, and logins in the clear are not allowed; write --tls stls and give a certificate, or, if everybody may read the passwords, --allow-clear-login",
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

const EXAMPLE: &str = include_str!("../../pop3-gateway.example.toml");

#[test]
fn the_example_is_a_good_configuration() {
    parse(EXAMPLE).unwrap();
    let whole = parse(&example_with_stores()).unwrap();
    assert_eq!(whole.stores.len(), 4);
    assert!(whole.monitor.is_some());
}

/// The example's stores and monitoring account name places that are not there, so that they stand in
/// comments. Here they are taken out of them.
fn example_with_stores() -> String {
    let start = EXAMPLE.find("# Stores: ").unwrap();
    let end = EXAMPLE.find("# Who goes where: ").unwrap();
    let is_key = |text: &str| {
        let key = text.split_once(" = ").map_or("", |(key, _)| key);
        !key.is_empty() && !key.contains(' ') || text.starts_with('[')
    };
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(text) if is_key(text) => format!("{text}\n"),
        _ => format!("{line}\n"),
    };
    let stores: String = EXAMPLE[start..end].lines().map(line).collect();
    format!("{}{stores}{}", &EXAMPLE[..start], &EXAMPLE[end..])
}

/// Each table of the example is given a key that nobody knows; the answer lists the known ones.
#[test]
fn the_example_shows_every_key() {
    let alien = "qqqqqqqqqqqqqqqqqqqq = 1\n";
    let mut keys = 0;
    let example = example_with_stores();
    let mut offsets: Vec<_> = example
        .match_indices("\n[")
        .map(|(at, _)| at + 1 + example[at + 1..].find('\n').unwrap() + 1)
        .collect();
    offsets.push(0);
    for at in offsets {
        let header = example[..at].lines().last().unwrap_or("the top");
        let own = [
            "[routing.domain]",
            "[routing.user]",
            "[store.template.headers]",
        ];
        if own.contains(&header) {
            continue;
        }
        let message = error(&format!("{}{alien}{}", &example[..at], &example[at..]));
        let (_, known) = message
            .split_once("known here: ")
            .unwrap_or_else(|| panic!("{message}"));
        for key in known.split(", ") {
            let shown = example.lines().any(|line| {
                let line = line.trim_start_matches("# ");
                line.starts_with(&format!("{key} = "))
                    || line.contains(&format!(": {key} = "))
                    || line.starts_with(&format!("[{key}]"))
                    || line.starts_with(&format!("[[{key}]]"))
                    || line.starts_with('[') && line.contains(&format!(".{key}]"))
            });
            assert!(shown, "{key} of {header} is not in the example");
            keys += 1;
        }
    }
    assert!(keys > 40, "only {keys} keys were looked for");
}

proptest! {
    /// No text makes the reader panic, and every refusal fits on a line.
    #[test]
    fn any_text_is_taken_or_refused(text in "(\\[\\[?(listener|upstream|store|store\\.message|store\\.queries|monitor|limits|routing\\.user)\\]\\]?\n|(listen|url|name|tls|delete|kind|path|accounts|date|users|x) = (\"([^\"]{0,12}|maildir|list|sql|directory|each)\"|[0-9]{1,3}|[0-9]{4}-1[0-2]-[0-2][1-8]|\\[\\])\n|[ -~\n]){0,12}") {
        if let Err(message) = parse(&text) {
            prop_assert!(!message.is_empty());
        }
    }
}
