//! Certificates from a CA that looks: the first one, renewals, and what happens when there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;
use testkit_acme::{Ca, Habits};

use crate::common::{Gateway, RUNTIMES};

const SHOWN: &str = "a new certificate is shown; sessions go on";
const SUGGESTED: &str = "the CA suggests when to renew";
const FAILED: &str = "no new certificate; the one of before stays";
const RELOADED: &str = "configuration and certificates reloaded";

/// A CA, and a gateway's folder.
struct Rig {
    ca: Ca,
    folder: TempDir,
    root: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let ca = Ca::start();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root.pem");
        ca.write_root(&root).unwrap();
        Self { ca, folder, root }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A listener with TLS, and where the CA looks.
    fn write(&self, http: &str, acme: &str) {
        let directory = self.ca.directory();
        let text = format!(
            "[[listener]]\nname = \"pop3\"\nlisten = \"127.0.0.1:0\"\ntls = \"implicit\"\nacme = [\"localhost\"]\n\
             [[http]]\nlisten = \"127.0.0.1:0\"\n{http}\n\
             [[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:1\"\n\
             [acme]\ndirectory = \"{directory}\"\nterms_accepted = true\ndir = \"acme\"\n\
             contact = [\"mailto:tim@example.org\"]\n{acme}\n"
        );
        fs::write(self.file("g.toml"), text).unwrap();
    }

    /// Starts it, and tells the CA where to look.
    fn start(&self, runtime: &str) -> Gateway {
        let file = self.file("g.toml");
        let mut gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
        let http = gateway.wait_for("listening for HTTP");
        let port = http["address"].as_str().unwrap().rsplit(':').next();
        let port = port.unwrap().parse().unwrap();
        let tls = http["tls"].as_bool().unwrap();
        self.ca.behaves(|habits: &mut Habits| match tls {
            true => habits.tls = Some(port),
            false => habits.http = Some(port),
        });
        gateway
    }

    /// Lets it ask again at once.
    fn again(&self, gateway: &mut Gateway) {
        fs::remove_file(self.file("acme/localhost.tries")).unwrap();
        gateway.signal("HUP");
        gateway.wait_for(RELOADED);
    }

    fn is_private(&self, name: &str) {
        let mode = fs::metadata(self.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }

    fn check(&self, more: &[&str]) -> (bool, String) {
        let done = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
            .args(["check", "--config"])
            .arg(self.file("g.toml"))
            .args(more)
            .output()
            .unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    }
}

const ALPN: &str = "serve = [\"acme\"]\nself_signed = \"tls-http\"";
const CLEAR: &str = "serve = [\"acme\", \"metrics\"]";

/// A self-signed certificate stands until the CA's comes. The session from before goes on.
#[test]
fn a_first_certificate_comes_by_either_way_to_look() {
    for runtime in RUNTIMES {
        for http in [ALPN, CLEAR] {
            let rig = Rig::new();
            rig.write(http, "");
            let (is_good, said) = rig.check(&["--connect"]);
            assert!(
                said.contains("terms of service: http://127.0.0.1:"),
                "{said}"
            );
            assert!(said.contains("certificate of a CA for localhost"), "{said}");
            assert!(!is_good, "the upstream is not there");
            rig.ca.behaves(|habits| {
                habits.bad_nonces = 1;
                habits.slow = 2;
                habits.tls = None;
            });
            let file = rig.file("g.toml");
            let mut gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
            let entry = gateway.wait_for("listening for HTTP");
            let stopgap = rig.file("acme/localhost.until-then/self-signed.crt");
            let mut early = gateway.connect_tls(0, &stopgap).unwrap();
            let port = entry["address"].as_str().unwrap().rsplit(':').next();
            let port = port.unwrap().parse().unwrap();
            rig.ca.behaves(|habits| {
                habits.http = Some(port);
                habits.tls = Some(port);
                habits.offers = match http == ALPN {
                    true => vec!["http-01", "tls-alpn-01"],
                    false => vec!["tls-alpn-01", "http-01"],
                };
            });
            gateway.wait_for(SHOWN);
            let mut client = gateway.connect_tls(0, &rig.root).unwrap();
            assert!(client.say("QUIT").starts_with("+OK"));
            assert!(early.say("QUIT").starts_with("+OK"), "{runtime}");
            assert!(gateway.connect_tls(0, &stopgap).is_err());
            for name in ["acme", "acme/account.json", "acme/localhost.pem"] {
                rig.is_private(name);
            }
            assert_eq!(rig.ca.count(), (1, 1));
            let (_, said) = rig.check(&[]);
            assert!(
                said.contains("for localhost; issued by Made-up Authority; it ends in 89 days"),
                "{said}"
            );
            // what came is what the next start shows, and nothing is asked for
            drop(gateway);
            let gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
            assert!(gateway.connect_tls(0, &rig.root).is_ok());
            assert_eq!(rig.ca.count(), (1, 1));
        }
    }
}

/// A certificate that is two thirds through its life is renewed; sessions of before go on.
#[test]
fn a_certificate_is_renewed_while_it_is_shown() {
    for runtime in RUNTIMES {
        let rig = Rig::new();
        rig.write(ALPN, "");
        let hour = Duration::from_secs(3600);
        rig.ca.behaves(|habits| {
            (habits.ago, habits.life) = (hour, hour + Duration::from_secs(30 * 60));
        });
        let mut gateway = rig.start(runtime);
        gateway.wait_for(SHOWN);
        let first = fs::read(rig.file("acme/localhost.pem")).unwrap();
        let mut client = gateway.connect_tls(0, &rig.root).unwrap();
        // it is due, but the CA was asked a moment ago
        rig.ca
            .behaves(|habits| (habits.ago, habits.life) = (hour, 2000 * hour));
        rig.again(&mut gateway);
        gateway.wait_for(SHOWN);
        assert_ne!(fs::read(rig.file("acme/localhost.pem")).unwrap(), first);
        assert!(gateway.connect_tls(0, &rig.root).is_ok());
        assert!(client.say("QUIT").starts_with("+OK"), "{runtime}");
        assert_eq!(rig.ca.count(), (2, 1));
        // now nothing is due
        rig.again(&mut gateway);
        assert!(gateway.connect_tls(0, &rig.root).is_ok());
        assert_eq!(rig.ca.count(), (2, 1));
    }
}

/// RFC 9773: the CA says when a certificate is to be renewed, and learns which one an order replaces.
#[test]
fn a_certificate_is_renewed_when_its_ca_suggests_it() {
    for runtime in RUNTIMES {
        let rig = Rig::new();
        rig.write(ALPN, "");
        let hour = 3600;
        // it wants its certificates renewed an hour ago
        rig.ca
            .behaves(|habits| habits.suggests = Some((-2 * hour, -hour)));
        let mut gateway = rig.start(runtime);
        gateway.wait_for(SHOWN);
        gateway.wait_for(SUGGESTED);
        assert_eq!((rig.ca.count(), rig.ca.renewals()), ((1, 1), (0, 1)));
        // and now in a month
        rig.ca
            .behaves(|habits| habits.suggests = Some((700 * hour, 701 * hour)));
        rig.again(&mut gateway);
        gateway.wait_for(SHOWN);
        gateway.wait_for(SUGGESTED);
        assert_eq!((rig.ca.count(), rig.ca.renewals()), ((2, 1), (1, 2)));
        rig.again(&mut gateway);
        assert!(gateway.connect_tls(0, &rig.root).is_ok());
        assert_eq!(rig.ca.count(), (2, 1), "{runtime}");
    }
}

/// The certificate of before stays, the operator learns why, and the CA is left in peace.
#[test]
fn a_failure_changes_nothing_and_is_remembered() {
    for runtime in RUNTIMES {
        let rig = Rig::new();
        rig.write(CLEAR, "");
        let told = |entry: &Json, what: &str, remedy: &str, minutes: u64| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            assert!(text("error").contains(what), "{entry}");
            assert!(text("remedy").contains(remedy), "{entry}");
            assert_eq!(entry["names"], "localhost");
            assert_eq!(entry["again_in_minutes"], minutes);
        };
        rig.ca
            .behaves(|habits| habits.rate_limited = Some(2 * 24 * 3600));
        let mut gateway = rig.start(runtime);
        let stopgap = rig.file("acme/localhost.until-then/self-signed.crt");
        let entry = gateway.wait_for(FAILED);
        told(
            &entry,
            "too many certificates lately (rateLimited)",
            "nothing",
            2 * 24 * 60,
        );
        assert!(gateway.connect_tls(0, &stopgap).is_ok());
        rig.ca.behaves(|habits| habits.rate_limited = None);
        for _ in 0..5 {
            gateway.signal("HUP");
            gateway.wait_for(RELOADED);
        }
        assert_eq!(rig.ca.count().0, 0, "{runtime}");

        // nobody answers there
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let elsewhere = taken.local_addr().unwrap().port();
        drop(taken);
        let mut here = None;
        rig.ca
            .behaves(|habits| here = habits.http.replace(elsewhere));
        rig.again(&mut gateway);
        let entry = gateway.wait_for(FAILED);
        told(&entry, "localhost: the CA says: ", "port 80", 15);
        rig.ca.behaves(|habits| habits.http = here);

        // it closed the account
        rig.ca.behaves(|habits| habits.closed = true);
        rig.again(&mut gateway);
        let entry = gateway.wait_for(FAILED);
        told(
            &entry,
            "the account is closed (unauthorized)",
            "account.json",
            15,
        );
        rig.ca.behaves(|habits| habits.closed = false);

        // it offers no way to look that is served
        rig.ca
            .behaves(|habits| habits.offers = vec!["dns-01", "tls-alpn-01"]);
        rig.again(&mut gateway);
        let entry = gateway.wait_for(FAILED);
        told(&entry, "looks at localhost in no way", "port 443", 15);
        rig.ca.behaves(|habits| habits.offers = vec!["http-01"]);

        // it forgot the account: another one is made
        rig.ca.forgets();
        rig.again(&mut gateway);
        gateway.wait_for(SHOWN);
        assert!(gateway.connect_tls(0, &rig.root).is_ok());

        // another name is another certificate, and a failure keeps the one that is there
        rig.ca.behaves(|habits| habits.rate_limited = Some(0));
        let text = fs::read_to_string(rig.file("g.toml")).unwrap();
        let more = text.replace("[\"localhost\"]", "[\"localhost\", \"pop.example.org\"]");
        fs::write(rig.file("g.toml"), more).unwrap();
        gateway.signal("HUP");
        let entry = gateway.wait_for(FAILED);
        assert_eq!(entry["names"], "localhost pop.example.org");
        assert!(gateway.connect_tls(0, &rig.root).is_ok());
    }
}

/// A CA that wants to know its customers.
#[test]
fn a_customer_says_who_it_is() {
    let rig = Rig::new();
    let binding = (
        "kid-1".to_owned(),
        b"0123456789abcdef0123456789abcdef".to_vec(),
    );
    rig.ca.behaves(|habits| habits.binding = Some(binding));
    rig.write(CLEAR, "");
    let mut gateway = rig.start(RUNTIMES[0]);
    let entry = gateway.wait_for(FAILED);
    assert!(
        entry["remedy"].as_str().unwrap().contains("eab_kid"),
        "{entry}"
    );
    fs::write(
        rig.file("eab.key"),
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n",
    )
    .unwrap();
    rig.write(CLEAR, "eab_kid = \"kid-1\"\neab_key_file = \"eab.key\"");
    rig.again(&mut gateway);
    gateway.wait_for(SHOWN);
    assert!(gateway.connect_tls(0, &rig.root).is_ok());
}

#[test]
fn what_does_not_go_together_is_said() {
    let rig = Rig::new();
    rig.write(CLEAR, "");
    let good = fs::read_to_string(rig.file("g.toml")).unwrap();
    for (from, to, part) in [
        (
            "terms_accepted = true",
            "terms_accepted = false",
            "read them and write terms_accepted = true",
        ),
        ("dir = \"acme\"\n", "", "acme.dir"),
        (
            "serve = [\"acme\", \"metrics\"]",
            "",
            "nothing at which the CA could look",
        ),
        (
            "acme = [\"localhost\"]",
            "self_signed = \"tls\"",
            "no listener wants a certificate",
        ),
        (
            "acme = [\"localhost\"]",
            "acme = [\"*.example.org\"]",
            "no name that a certificate is issued for",
        ),
        (
            "acme = [\"localhost\"]",
            "acme = [\"localhost\"]\nself_signed = \"tls\"",
            "keep one of the two",
        ),
        (
            "\"metrics\"]",
            "\"metrics\"]\nnetworks = [\"192.0.2.0/24\"]",
            "the CA looks from anywhere",
        ),
        (
            "directory = \"http://127",
            "directory = \"http://192",
            "this is no address by TLS",
        ),
        (
            "contact = [\"mailto:",
            "contact = [\"",
            "mailto:hostmaster@example.org",
        ),
        (
            "terms_accepted",
            "eab_kid = \"x\"\nterms_accepted",
            "go together",
        ),
        ("[acme]", "[acne]", "did you mean"),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(rig.file("g.toml"), good.replace(from, to)).unwrap();
        let (is_good, said) = rig.check(&[]);
        assert!(!is_good && said.contains(part), "{to}: {said}");
    }
}
