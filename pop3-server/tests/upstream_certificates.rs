//! Which certificates of an upstream are believed: those that are good in all respects, and those that
//! the operator named exactly.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pop3_proto::backend::Endpoint;
use pop3_proto::server::Policy;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use pop3_server::tls::{Fingerprint, Identity, Trust, UpstreamTls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};
use testkit_server::PASSWORD;
use testkit_server::logged::logged;
use testkit_server::peer::TlsPeer;
use testkit_server::rig::Rig;
use testkit_server::wire::{WireService, WireStore};

const NAME: &str = "store.example";

/// What is special about a certificate.
#[derive(Clone, Copy, Default)]
struct Form {
    expired: bool,
    to_come: bool,
    other_name: bool,
    authority: bool,
}

const EXPIRED: Form = Form {
    expired: true,
    ..GOOD
};
const TO_COME: Form = Form {
    to_come: true,
    ..GOOD
};
const OTHER_NAME: Form = Form {
    other_name: true,
    ..GOOD
};
const AUTHORITY: Form = Form {
    authority: true,
    ..GOOD
};
const GOOD: Form = Form {
    expired: false,
    to_come: false,
    other_name: false,
    authority: false,
};

fn params(form: Form) -> CertificateParams {
    let name = if form.other_name {
        "other.example"
    } else {
        NAME
    };
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = match form {
        Form { expired: true, .. } => (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 2, 29)),
        Form { to_come: true, .. } => (date_time_ymd(2999, 1, 1), date_time_ymd(3000, 1, 1)),
        _ => (date_time_ymd(2020, 1, 1), date_time_ymd(4000, 1, 1)),
    };
    if form.authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// Writes a certificate and its key below the folder.
fn keep(folder: &Path, name: &str, certificate: &str, key: &KeyPair) -> Identity {
    let identity = Identity::new(
        folder.join(format!("{name}.crt")),
        folder.join(format!("{name}.key")),
    );
    fs::write(&identity.chain, certificate).unwrap();
    fs::write(&identity.key, key.serialize_pem()).unwrap();
    identity
}

fn self_signed(folder: &Path, name: &str, form: Form) -> Identity {
    let key = KeyPair::generate().unwrap();
    let made = params(form).self_signed(&key).unwrap();
    keep(folder, name, &made.pem(), &key)
}

/// An authority and a certificate that it vouches for.
fn vouched_for(folder: &Path, name: &str, form: Form) -> (Identity, Identity) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority_params = params(AUTHORITY);
    authority_params.subject_alt_names.clear();
    let authority = authority_params.self_signed(&authority_key).unwrap();
    let kept = keep(
        folder,
        &format!("{name}-ca"),
        &authority.pem(),
        &authority_key,
    );
    let issuer = Issuer::new(authority_params, authority_key);
    let key = KeyPair::generate().unwrap();
    let made = params(form).signed_by(&key, &issuer).unwrap();
    (kept, keep(folder, name, &made.pem(), &key))
}

/// As openssl made it.
fn made_by_openssl(name: &str) -> Identity {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../peer-trust/tests/certificates");
    Identity::new(
        folder.join(format!("{name}.crt")),
        folder.join(format!("{name}.key")),
    )
}

fn digest(identity: &Identity) -> String {
    let certificate = CertificateDer::from_pem_file(&identity.chain).unwrap();
    let digest: [u8; 32] = Sha256::digest(&certificate).into();
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn print(identity: &Identity) -> Fingerprint {
    digest(identity).parse().unwrap()
}

fn tls(trust: &Trust) -> Arc<UpstreamTls> {
    Arc::new(UpstreamTls::load(trust).unwrap())
}

fn file(identity: &Identity) -> Arc<UpstreamTls> {
    tls(&Trust::File(identity.chain.clone()))
}

/// What the client hears at its login where the upstream shows this.
fn log_in(tls: &Arc<UpstreamTls>, shown: &Identity) -> String {
    log_in_at(NAME, tls, shown)
}

/// The same, where the certificate has to prove this name.
fn log_in_at(name: &str, tls: &Arc<UpstreamTls>, shown: &Identity) -> String {
    let [new, old] = [&TLS13, &TLS12].map(|version| {
        let service = WireService {
            endpoint: Endpoint {
                host: NAME.into(),
                port: 993,
            },
            server_name: Some(name.into()),
            tls: Some(Arc::clone(tls)),
        };
        let mut settings = Settings::new(Arc::new(service));
        settings.policy = Arc::new(Policy::default().clear_login(true));
        let mut rig = Rig::new(&Arc::new(settings), &Server::new());
        rig.heard();
        rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
        rig.connected();
        let mut far = TlsPeer::server_of(shown, &[version]);
        let mut store = WireStore::new(vec![b"x\r\n".to_vec()]);
        loop {
            rig.run();
            let socket = rig.upstream.as_mut().unwrap();
            let received = std::mem::take(&mut socket.outbound);
            far.receive(&received);
            store.handle_input(&std::mem::take(&mut far.plaintext));
            far.send(&std::mem::take(&mut store.output));
            let sent = far.wire();
            if received.is_empty() && sent.is_empty() {
                break;
            }
            socket.inbound.extend(sent);
        }
        rig.heard().lines().last().unwrap().to_owned()
    });
    assert_eq!(
        new.starts_with("+OK"),
        old.starts_with("+OK"),
        "{new} {old}"
    );
    new
}

fn is_believed(tls: &Arc<UpstreamTls>, shown: &Identity) -> bool {
    let heard = log_in(tls, shown);
    let refused = heard.starts_with("-ERR [SYS/PERM]");
    assert!(refused || heard.starts_with("+OK"), "{heard}");
    !refused
}

/// qH1: by any name but its own it is somebody else's.
#[test]
fn w031_ct021_qh1_a_certificate_must_prove_the_configured_name() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, shown) = vouched_for(folder.path(), "shown", GOOD);
    let trust = file(&authority);
    for (name, good) in [
        (NAME, true),
        ("STORE.example", true),
        ("other.example", false),
        ("a.store.example", false),
        ("example", false),
        ("192.0.2.1", false),
        ("2001:db8::1", false),
        ("not a name", false),
    ] {
        let heard = log_in_at(name, &trust, &shown);
        assert_eq!(heard.starts_with("+OK"), good, "{name}: {heard}");
        assert_eq!(
            heard.starts_with("-ERR [SYS/PERM]"),
            !good,
            "{name}: {heard}"
        );
    }
}

/// What is vouched for has to be good in all respects.
#[test]
fn w031_an_expired_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (form, believed, said) in [
        (GOOD, true, ""),
        (EXPIRED, false, "it expired on 2020-02-29"),
        (TO_COME, false, "it is not valid before 2999-01-01"),
        (
            OTHER_NAME,
            false,
            "it is not for \"store.example\" but for other.example; set server_name",
        ),
    ] {
        let (authority, shown) = vouched_for(folder.path(), "shown", form);
        let log = logged(|| assert_eq!(is_believed(&file(&authority), &shown), believed, "{said}"));
        assert!(log.replace("\\\"", "\"").contains(said), "{log}");
    }
    let (authority, _) = vouched_for(folder.path(), "one", GOOD);
    let (_, shown) = vouched_for(folder.path(), "two", GOOD);
    let log = logged(|| assert!(!is_believed(&file(&authority), &shown)));
    let text = format!(
        "the certificate of store.example port 993 (sha256:{}) is not believed: no authority that is trusted \
         vouches for it; if it is the right one, put it or its authority into a file and set ca_file, or set \
         certificate_sha256 to its fingerprint",
        digest(&shown)
    );
    assert!(log.contains(&text), "{log}");
}

/// A certificate that was made anew in the place of the one that is named: what is wrong is said in words.
#[test]
fn w040_another_certificate_of_an_authority_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str| self_signed(folder.path(), name, AUTHORITY);
    let (named, shown) = (own("named"), own("shown"));
    let log = logged(|| assert!(!is_believed(&file(&named), &shown)));
    assert!(
        log.contains("it is that of an authority, not of a server; if it is"),
        "{log}"
    );
}

/// A certificate in the file is the server's, whatever else is odd about it; and that is reported.
#[test]
fn w040_the_very_certificate_of_ca_file_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let all = Form {
        expired: true,
        other_name: true,
        authority: true,
        to_come: false,
    };
    for (form, odd) in [
        (GOOD, ""),
        (AUTHORITY, ""),
        (EXPIRED, "though it expired on 2020-02-29"),
        (TO_COME, "though it is not valid before 2999-01-01"),
        (
            OTHER_NAME,
            "though it is not for \"store.example\" but for other.example",
        ),
        (all, "though it expired on 2020-02-29, and it is not for"),
    ] {
        let shown = self_signed(folder.path(), "own", form);
        let log = logged(|| assert!(is_believed(&file(&shown), &shown), "{odd}"));
        let odd_line = "names exactly this one";
        assert_eq!(
            log.matches(odd_line).count(),
            usize::from(!odd.is_empty()),
            "{log}"
        );
        assert!(log.contains(odd), "{log}");
        let (_, leaf) = vouched_for(folder.path(), "leaf", form);
        assert!(
            is_believed(&file(&leaf), &leaf),
            "not the authority, itself"
        );
    }
    for name in ["req-x509", "version1"] {
        let shown = made_by_openssl(name);
        assert!(is_believed(&file(&shown), &shown), "{name}");
    }
}

/// Byte for byte: another one of the same name, issuer and serial number is another one.
#[test]
fn w040_a_certificate_that_only_resembles_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for form in [GOOD, AUTHORITY, EXPIRED, OTHER_NAME] {
        let named = self_signed(folder.path(), "named", form);
        let shown = self_signed(folder.path(), "shown", form);
        assert!(!is_believed(&file(&named), &shown));
        let named = tls(&Trust::Certificates(vec![print(&named)]));
        let log = logged(|| assert!(!is_believed(&named, &shown)));
        assert!(
            log.contains("it is none of those that certificate_sha256 names"),
            "{log}"
        );
    }
}

/// A server that has the certificate and not its key is not trusted.
#[test]
fn w040_the_key_is_asked_for_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["req-x509", "version1"] {
        let named = made_by_openssl(name);
        let mut stolen = named.clone();
        stolen.key = self_signed(folder.path(), "thief", GOOD).key;
        for trust in [file(&named), tls(&Trust::Certificates(vec![print(&named)]))] {
            let heard = log_in(&trust, &stolen);
            assert!(heard.starts_with("-ERR [SYS/"), "{name}: {heard}");
        }
    }
}

/// One of several, in any form; nothing else, though the system's authorities vouch for it.
#[test]
fn w040_fingerprints_name_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, other] =
        ["old", "new", "other"].map(|name| self_signed(folder.path(), name, EXPIRED));
    let both = tls(&Trust::Certificates(vec![print(&old), print(&new)]));
    assert!(is_believed(&both, &old) && is_believed(&both, &new));
    assert!(!is_believed(&both, &other));
    let plain = digest(&old);
    let colons: Vec<_> = plain
        .as_bytes()
        .chunks(2)
        .map(String::from_utf8_lossy)
        .collect();
    let colons = colons.join(":");
    for text in [
        plain.clone(),
        plain.to_uppercase(),
        colons.clone(),
        colons.to_uppercase(),
        format!("sha256:{plain}"),
        format!("SHA256:{colons}"),
        format!("sha256 Fingerprint={}\n", colons.to_uppercase()),
        colons.replace(':', " ").to_uppercase(),
    ] {
        assert_eq!(text.parse(), Ok(print(&old)), "{text}");
    }
    for text in [
        "",
        "sha256:",
        &plain[1..],
        &plain[2..],
        &format!("{plain}00"),
        &format!("{colons}:"),
        &plain.replace('a', "g"),
        &format!("ä{}", &plain[2..]),
        &colons.replacen(':', "", 1),
    ] {
        let read: Result<Fingerprint, _> = text.parse();
        assert_eq!(read.is_err(), text != plain, "{text}");
    }
}

/// A certificate that changes between two logins: the next one counts only if it was named as well.
#[test]
fn w040_a_certificate_that_changes_between_two_logins() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| self_signed(folder.path(), name, GOOD));
    let trust = file(&first);
    assert!(is_believed(&trust, &first));
    assert!(!is_believed(&trust, &second));
    assert!(is_believed(&trust, &first), "and back");
    let both = folder.path().join("both.crt");
    let text = [&first, &second].map(|identity| fs::read_to_string(&identity.chain).unwrap());
    fs::write(&both, text.concat()).unwrap();
    let trust = tls(&Trust::File(both));
    assert!(is_believed(&trust, &first) && is_believed(&trust, &second));
}

/// A file of authorities goes on to mean what it meant.
#[test]
fn w040_an_authority_of_the_file_vouches_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, shown) = vouched_for(folder.path(), "shown", GOOD);
    assert!(is_believed(&file(&authority), &shown));
    let only = tls(&Trust::Certificates(vec![print(&authority)]));
    assert!(
        !is_believed(&only, &shown),
        "a fingerprint names one certificate"
    );
}
