//! What a configuration becomes: policies, routes, locks.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pop3_gateway::config::Config;
use pop3_gateway::logging::warnings;
use pop3_gateway::service::Gateway;
use pop3_gateway::wiring::{self, Absent, Surroundings, ready};
use pop3_proto::backend::{Login, Mechanism, RefusalKind};
use pop3_proto::secret::Secret;
use pop3_server::service::{Denied, Peer, Service as _};
use pop3_server::settings::Settings;

const LISTENER: &str = "[[listener]]\nlisten = \"127.0.0.1:0\"\n";
const UPSTREAM: &str = "[[upstream]]\nname = \"main\"\nurl = \"imaps://imap.example.org\"\n";

fn wire(text: &str) -> Arc<Settings<Gateway>> {
    let config = Config::parse(text, Path::new("g.toml")).unwrap();
    let mut all = wiring::wire(&config, &Surroundings::default(), Absent::Leave).unwrap();
    all.listeners.remove(0)
}

/// The lock and the upstream of a login with this name.
fn route(settings: &Settings<Gateway>, user: &str) -> Result<(String, String), Denied> {
    let login = Login::Password {
        user: user.into(),
        password: Secret::default(),
    };
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let peer = Peer::new(address, address);
    settings
        .service
        .route(&login, &peer)
        .map(|routed| (routed.maildrop, routed.upstream.to_string()))
}

#[test]
fn what_the_operator_decides_reaches_the_session() {
    let settings = wire(&format!(
        "{LISTENER}greeting = \"hello\"\nutf8 = false\nsasl = [\"PLAIN\"]\n{UPSTREAM}\
         [limits]\nconnections = 7\nfailed_logins = 2\nbad_commands = 9\nfailed_login_delay = \"1s\"\n\
         [timers]\nlogin_grace = \"1m\"\nautologout = \"20m\"\nstalled_reader = \"30m\"\n"
    ));
    let policy = &settings.policy;
    assert_eq!(policy.greeting, "hello");
    assert!(policy.clear_login && policy.user_pass && !policy.utf8);
    assert_eq!(policy.mechanisms, [Mechanism::new("PLAIN").unwrap()]);
    assert_eq!((policy.failed_logins, policy.bad_commands), (2, 9));
    assert_eq!(policy.login_grace, Duration::from_secs(60));
    assert_eq!(policy.autologout, Duration::from_secs(20 * 60));
    assert_eq!(policy.stalled_reader, Duration::from_secs(30 * 60));
    assert_eq!(settings.limits.total, 7);
    assert_eq!(settings.delay.first, Duration::from_secs(1));
    assert!(settings.tls.is_none() && settings.transcript.is_none());
}

#[test]
fn g27_a_balancer_is_heard_in_its_networks_alone() {
    assert!(wire(&format!("{LISTENER}{UPSTREAM}")).preamble.is_none());
    let lines = "proxy_protocol = [\"10.0.0.0/8\", \"2001:db8::7\"]\nallow_clear_login = true\n";
    let preamble = wire(&format!("{LISTENER}{lines}{UPSTREAM}"))
        .preamble
        .clone()
        .unwrap();
    let local = "10.0.0.9:110".parse().unwrap();
    let hears = |address: &str| preamble.hears(&Peer::new(address.parse().unwrap(), local));
    assert!(hears("10.1.2.3:1") && hears("[::ffff:10.1.2.3]:1") && hears("[2001:db8::7]:1"));
    assert!(!hears("11.1.2.3:1") && !hears("[2001:db8::8]:1") && !hears("127.0.0.1:1"));
}

/// X019: what the server is can be hidden.
#[test]
fn x019_the_implementation_can_be_hidden() {
    let shown = wire(&format!("{LISTENER}{UPSTREAM}"));
    assert_eq!(shown.policy.implementation.as_deref(), Some("pop3-gateway"));
    let hidden = wire(&format!("{LISTENER}implementation = \"\"\n{UPSTREAM}"));
    assert_eq!(hidden.policy.implementation, None);
}

/// P064, C004: APOP and CRAM-MD5 need the password, which lies upstream: neither is ever offered, so
/// that no name can use both APOP and PASS.
#[test]
fn p064_c004_what_needs_the_password_is_not_offered() {
    let settings = wire(&format!("{LISTENER}{UPSTREAM}"));
    assert!(!settings.policy.apop);
    let cram = Mechanism::new("CRAM-MD5").unwrap();
    assert!(!settings.policy.mechanisms.contains(&cram));
}

/// Where a route leads to an upstream, APOP and CRAM-MD5 would lock its users out: they are left out although all
/// accounts of the store could do them. The store alone offers them.
#[test]
fn w065_digests_are_not_offered_beside_an_upstream() {
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users");
    std::fs::write(&users, "tim:{PLAIN}tim\n").unwrap();
    let store = format!("[[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = {users:?}\n");
    let digests = format!("{LISTENER}apop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n");
    let mixed = format!(
        "{UPSTREAM}{store}[routing]\ndefault = \"main\"\n[routing.user]\ntim = \"notes\"\n"
    );
    for (places, offered) in [(&store, true), (&mixed, false)] {
        let settings = wire(&format!("{digests}{places}"));
        let policy = settings.session_policy();
        let cram = Mechanism::new("CRAM-MD5").unwrap();
        assert_eq!(policy.apop, offered, "{places}");
        assert_eq!(policy.mechanisms.contains(&cram), offered, "{places}");
        assert!(
            policy
                .mechanisms
                .contains(&Mechanism::new("PLAIN").unwrap())
        );
    }
}

/// What is said of APOP and CRAM-MD5 is what is done: a listener without any other way to log in keeps them, and
/// the warning says so and who is locked out.
#[test]
fn w065_what_is_said_of_digests_is_what_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users");
    std::fs::write(
        &users,
        "tim:{PLAIN}tim\nann:{SSHA}Ri7hleCD3vShVVRv3ayfZFjfr0nIODaO\n",
    )
    .unwrap();
    let store = format!("[[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = {users:?}\n");
    let mixed = format!(
        "{UPSTREAM}{store}[routing]\ndefault = \"main\"\n[routing.user]\ntim = \"notes\"\n"
    );
    for places in [&store, &mixed] {
        for (ways, kept) in [
            ("user_pass = false\nsasl = [\"CRAM-MD5\"]\n", true),
            ("user_pass = false\nsasl = []\napop = true\n", true),
            (
                "user_pass = false\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n",
                false,
            ),
            ("sasl = []\napop = true\n", false),
        ] {
            let text = format!("{LISTENER}{ways}{places}");
            let (settings, warnings) = warnings(|| wire(&text));
            let policy = settings.session_policy();
            let cram = Mechanism::new("CRAM-MD5").unwrap();
            let offered = policy.apop || policy.mechanisms.contains(&cram);
            assert_eq!(offered, kept, "{text}");
            let told = warnings.iter().find(|told| told.contains("CRAM-MD5"));
            let told = told.unwrap_or_else(|| panic!("no warning: {text}"));
            assert_eq!(told.contains("not offered"), !kept, "{told}");
            assert_eq!(told.contains("cannot log in here"), kept, "{told}");
        }
    }
}

/// G25: names that lead to one mailbox share its lock, and no others do.
#[test]
fn g25_the_lock_is_of_the_mailbox_and_not_of_the_name() {
    let settings = wire(&format!(
        "{LISTENER}{UPSTREAM}[[upstream]]\nname = \"again\"\nurl = \"imaps://IMAP.example.org:993\"\n\
         [[upstream]]\nname = \"archive\"\nurl = \"imaps://imap.example.org\"\nfolder = \"Archive\"\n\
         [routing]\ndefault = \"main\"\n\
         [routing.user]\nscanner = {{ upstream = \"again\", user = \"tim\" }}\n\
         fax = {{ upstream = \"archive\", user = \"tim\" }}\n"
    ));
    let lock = |user: &str| route(&settings, user).unwrap().0;
    assert_eq!(lock("tim"), lock("scanner"), "two routes to one place");
    assert_eq!(
        lock("tim"),
        lock("TIM"),
        "servers compare names without case"
    );
    assert_ne!(lock("tim"), lock("fax"), "another folder");
    assert_ne!(lock("tim"), lock("tom"));
    // a name cannot be built that passes for another user's in another folder
    assert_ne!(lock("tim"), lock("INBOX\ntim"));
}

/// Whose name is unknown shares no lock with anybody, not even with another unknown.
#[test]
fn sessions_without_a_name_have_locks_of_their_own() {
    let settings = wire(&format!("{LISTENER}{UPSTREAM}"));
    let lock = |user| route(&settings, user).unwrap().0;
    assert_ne!(lock(""), lock(""));
}

/// G22: names are only compared. A user without a route is refused like one with a wrong password.
#[test]
fn g22_names_are_compared_and_never_expanded() {
    let settings = wire(&format!(
        "{LISTENER}{UPSTREAM}[routing.domain]\n\"example.org\" = \"main\"\n\
         [routing.user]\n\"dom\\\\tim\" = \"main\"\n\"a%b\" = \"main\"\n"
    ));
    for user in [
        "tim@example.org",
        "tim@EXAMPLE.ORG",
        "a@b@example.org",
        "tim+INBOX@example.org",
        "dom\\tim",
        "a%b",
        "A%B",
    ] {
        assert!(route(&settings, user).is_ok(), "{user}");
    }
    for user in [
        "tim",
        "tim@example.net",
        "example.org",
        "tim@",
        "*",
        "%u@example.net",
        "aXb",
        "\"tim\"",
        "dom\\tom",
    ] {
        let Err(Denied::Refused(refusal)) = route(&settings, user) else {
            panic!("{user} has a route")
        };
        assert_eq!(refusal.kind, RefusalKind::Credentials, "{user}");
    }
}

/// What is fetched ahead for all sessions together is bounded; a session that is gone gives it back.
#[test]
fn read_ahead_has_a_bound_for_all_sessions() {
    let settings = wire(&format!(
        "{LISTENER}{UPSTREAM}read_ahead = \"256 KiB\"\n[limits]\nread_ahead_total = \"300 KiB\"\n"
    ));
    let login = Login::Password {
        user: "tim".into(),
        password: Secret::default(),
    };
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let peer = Peer::new(address, address);
    let total = 300 << 10;
    let left = || settings.service.shared.budget.take(total, total).octets() >> 10;
    let begin = || settings.service.route(&login, &peer).unwrap().backend;
    assert_eq!(left(), 300);
    let first = begin();
    assert_eq!(left(), 44);
    let (_second, _third) = (begin(), begin());
    assert_eq!(left(), 0);
    drop(first);
    assert_eq!(left(), 256);
}

/// Each has a share of its own of what is fetched ahead; a copy of the rest would be held for each.
#[test]
fn the_sessions_of_an_upstream_share_its_configuration() {
    let text = format!("{LISTENER}{UPSTREAM}[routing]\ndefault = \"main\"\n");
    let config = Config::parse(&text, Path::new("g.toml")).unwrap();
    let (upstreams, gateway) = ready(&config).unwrap();
    let login = |user: &str| Login::Password {
        user: user.into(),
        password: Secret::default(),
    };
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let peer = Peer::new(address, address);
    let imap = &upstreams[0].imap;
    let before = Arc::strong_count(imap);
    let sessions = ["tim", "ann"].map(|user| gateway.route(&login(user), &peer).unwrap());
    // the machine that speaks IMAP has one, too
    assert_eq!(Arc::strong_count(imap), before + 2 * sessions.len());
}

/// I025: a server that asks for ID hears the name of the program.
#[test]
fn i025_an_upstream_hears_the_name_of_the_program() {
    let config = format!("{LISTENER}{UPSTREAM}");
    let config = Config::parse(&config, Path::new("gateway.toml")).unwrap();
    let (upstreams, _) = ready(&config).unwrap();
    assert_eq!(upstreams[0].imap.client_name, "pop3-gateway");
}

/// A grant without a local credential is refused at the start.
#[cfg(feature = "oauth")]
#[test]
fn qg5_a_grant_whose_accounts_take_any_password_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("g.toml");
    let text = format!(
        "{LISTENER}{UPSTREAM}grant = \"app\"\naccounts = \"devices\"\n\
         [[provider]]\nname = \"here\"\nclient_id = \"me\"\nclient_secret = \"secret\"\n\
         token_endpoint = \"http://127.0.0.1:1/token\"\n\
         [[grant]]\nname = \"app\"\nprovider = \"here\"\nflow = \"app\"\n"
    );
    let config = Config::parse(&text, &file).unwrap();
    let devices = folder.path().join("devices");
    for (line, is_good) in [
        ("tim:{PLAIN}secret\n", true),
        ("tim:::::::nopassword\n", false),
    ] {
        std::fs::write(&devices, line).unwrap();
        let made = wiring::wire(&config, &Surroundings::default(), Absent::Leave);
        let error = made.err().map(|error| error.to_string());
        assert_eq!(error.is_none(), is_good, "{error:?}");
        assert!(error.is_none_or(|error| error.contains("nopassword")));
    }
}

/// The server and a tool may be started at once where there is nothing yet: one makes the key, and all use it.
#[cfg(all(feature = "oauth", feature = "tokio"))]
#[test]
fn a_state_that_several_make_at_once_has_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{LISTENER}{UPSTREAM}[state]\nurl = \"sqlite:state.db\"\nkey_file = \"state.key\"\n"
    );
    let config = Config::parse(&text, &folder.path().join("g.toml")).unwrap();
    let state = config.state.unwrap();
    let ready = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        let open = || {
            ready.wait();
            wiring::tokens::records(&state).map(|_| ())
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        for one in all {
            one.join().unwrap().unwrap();
        }
    });
}

/// The names that are given come first, so that the certificate is called by them; this machine's are in it, too.
#[test]
fn a_self_signed_certificate_is_for_the_names_that_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[[listener]]\nlisten = \"127.0.0.1:0\"\ntls = \"stls\"\nself_signed = \"tls\"\n\
         self_signed_names = [\"pop.example.org\", \"192.0.2.7\"]\n{UPSTREAM}"
    );
    let config = Config::parse(&text, &folder.path().join("g.toml")).unwrap();
    wiring::wire(&config, &Surroundings::default(), Absent::Make).unwrap();
    let shown = pop3_gateway::certificates::shown(&config);
    let facts = &shown[0].facts;
    assert_eq!(facts.names[..2], ["pop.example.org", "192.0.2.7"]);
    assert!(facts.names.contains(&"localhost".into()), "{facts:?}");
    assert_eq!(facts.issuer, "pop.example.org");
}
