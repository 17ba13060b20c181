//! TLS with clients: STLS, implicit TLS, certificates, and what must never be executed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::server::{Policy, TlsOffer};
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use pop3_server::tls::{Identity, ServerTls};
use proptest::prelude::*;
use tempfile::TempDir;
use testkit_server::list::ListService;
use testkit_server::peer::TlsPeer;
use testkit_server::rig::Rig;
use testkit_server::{PASSWORD, identity, server_tls};

struct World {
    folder: TempDir,
    service: ListService,
    server: Server,
    settings: Arc<Settings<ListService>>,
}

impl World {
    fn new(offer: TlsOffer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = ListService::new(&[b"Subject: x\r\n\r\nbody\r\n", &vec![b'y'; 200_000]]);
        let mut settings = Settings::new(Arc::new(service.clone()));
        settings.policy = Arc::new(Policy::default().tls(offer));
        settings.tls = Some(server_tls(folder.path(), &["mail.example.org"]));
        Self {
            folder,
            service,
            server: Server::new(),
            settings: Arc::new(settings),
        }
    }

    fn rig(&self) -> Rig<ListService> {
        Rig::new(&self.settings, &self.server)
    }

    fn identity(&self) -> Identity {
        identity(self.folder.path(), &["mail.example.org"])
    }

    fn client(&self) -> TlsPeer {
        TlsPeer::client(&self.identity(), "mail.example.org", &[])
    }

    /// The session is over, and nothing came of it.
    fn is_as_before(&self, rig: &Rig<ListService>) {
        assert!(rig.connection.is_finished());
        assert_eq!(self.service.removed(), Vec::<u32>::new());
        assert_eq!(self.server.locks().held(), 0);
    }
}

/// Carries ciphertext both ways until nothing moves.
fn settle(rig: &mut Rig<ListService>, client: &mut TlsPeer) {
    loop {
        let out = client.wire();
        let moved = !out.is_empty();
        rig.say(out);
        let back = std::mem::take(&mut rig.client.outbound);
        client.receive(&back);
        if !moved && back.is_empty() {
            break;
        }
    }
}

fn ask(rig: &mut Rig<ListService>, client: &mut TlsPeer, line: &str) -> String {
    client.plaintext.clear();
    client.send(format!("{line}\r\n").as_bytes());
    settle(rig, client);
    String::from_utf8_lossy(&client.plaintext).into_owned()
}

fn stls(world: &World) -> (Rig<ListService>, TlsPeer) {
    let mut rig = world.rig();
    assert!(rig.ask("STLS").starts_with("+OK"));
    let mut client = world.client();
    settle(&mut rig, &mut client);
    (rig, client)
}

/// With TLS from the start.
fn logged_in(world: &World) -> (Rig<ListService>, TlsPeer) {
    let (mut rig, mut client) = (world.rig(), world.client());
    settle(&mut rig, &mut client);
    ask(&mut rig, &mut client, "USER joe");
    ask(&mut rig, &mut client, &format!("PASS {PASSWORD}"));
    (rig, client)
}

#[test]
fn t003_the_handshake_follows_the_ok() {
    let world = World::new(TlsOffer::Stls);
    let (mut rig, mut client) = stls(&world);
    assert_eq!(client.error, None);
    assert_eq!(client.plaintext, b"", "no second greeting");
    let capabilities = ask(&mut rig, &mut client, "CAPA");
    assert!(capabilities.contains("USER") && !capabilities.contains("STLS"));
    assert!(
        ask(&mut rig, &mut client, "STLS").starts_with("-ERR"),
        "T004"
    );
    ask(&mut rig, &mut client, "USER joe");
    assert!(ask(&mut rig, &mut client, &format!("PASS {PASSWORD}")).starts_with("+OK"));
    let message = ask(&mut rig, &mut client, "RETR 2");
    assert!(message.len() > 200_000 && message.ends_with("\r\n.\r\n"));
}

/// T013: the client can tell the end from a cut.
#[test]
fn t013_the_server_says_good_bye() {
    let world = World::new(TlsOffer::Implicit);
    let (mut rig, mut client) = (world.rig(), world.client());
    settle(&mut rig, &mut client);
    assert!(client.plaintext.starts_with(b"+OK"), "T012");
    assert!(ask(&mut rig, &mut client, "QUIT").starts_with("+OK"));
    assert!(client.closed);
    assert!(rig.client.shut_down);
}

/// T006: what was said in the clear is forgotten.
#[test]
fn t006_the_user_named_in_the_clear_is_forgotten() {
    let world = World::new(TlsOffer::Stls);
    let (mut rig, mut client) = stls(&world);
    assert!(ask(&mut rig, &mut client, &format!("PASS {PASSWORD}")).starts_with("-ERR"));
}

/// T005, V01-V04: plaintext after STLS is never executed, wherever the segment ends.
#[test]
fn t005_v01_v04_plaintext_after_stls_is_never_executed() {
    for behind in ["NOOP\r\n", "USER joe\r\nPASS sesame\r\n", "U", "\r\n", "\n"] {
        let world = World::new(TlsOffer::Stls);
        let mut rig = world.rig();
        rig.heard();
        let heard = rig.say(format!("STLS\r\n{behind}")).heard();
        assert!(
            !heard.contains("+OK") && rig.client.shut_down,
            "{behind:?}: {heard:?}"
        );
        assert_eq!(world.service.mail.lock().unwrap().opened, 0);
    }
}

/// T005: in the next segment it is taken for a handshake, which fails.
#[test]
fn t005_plaintext_instead_of_a_handshake_is_never_executed() {
    for ok_on_the_wire in [true, false] {
        let world = World::new(TlsOffer::Stls);
        let mut rig = world.rig();
        rig.heard();
        rig.client.window = (!ok_on_the_wire).then_some(0);
        rig.say("STLS\r\n");
        rig.say("USER joe\r\nPASS sesame\r\nNOOP\r\n");
        rig.client.window = None;
        rig.run();
        rig.wait(Duration::from_secs(3));
        assert!(rig.connection.is_finished());
        assert!(rig.heard().matches("+OK").count() <= 1);
        assert_eq!(world.service.mail.lock().unwrap().opened, 0);
    }
}

/// T005: a client that pipelines its handshake after STLS did so in the clear.
#[test]
fn t005_a_handshake_in_the_segment_of_stls_ends_the_session() {
    let world = World::new(TlsOffer::Stls);
    let mut rig = world.rig();
    rig.heard();
    let mut together = b"STLS\r\n".to_vec();
    together.extend(world.client().wire());
    assert!(!rig.say(together).heard().contains("+OK"));
    assert!(rig.client.shut_down);
}

/// T009: with TLS gone the session is over; nothing that comes in the clear counts.
#[test]
fn t009_the_end_of_tls_is_the_end() {
    let world = World::new(TlsOffer::Implicit);
    let (mut rig, mut client) = logged_in(&world);
    ask(&mut rig, &mut client, "DELE 1");
    client.connection.send_close_notify();
    settle(&mut rig, &mut client);
    rig.say("QUIT\r\n");
    rig.wait(Duration::from_secs(3));
    world.is_as_before(&rig);
}

#[test]
fn t009_a_cut_connection_does_not_count_what_came_last() {
    let world = World::new(TlsOffer::Implicit);
    let (mut rig, mut client) = logged_in(&world);
    ask(&mut rig, &mut client, "DELE 1");
    rig.end_of_stream();
    world.is_as_before(&rig);
}

/// T009: a QUIT that still waits when the connection is cut is not carried out.
#[test]
fn t009_a_cut_connection_takes_back_what_waits() {
    let world = World::new(TlsOffer::Implicit);
    let (mut rig, mut client) = logged_in(&world);
    rig.client.window = Some(0);
    client.send(b"DELE 1\r\nRETR 2\r\nQUIT\r\n");
    rig.say(client.wire());
    rig.end_of_stream();
    rig.client.window = None;
    rig.run();
    world.is_as_before(&rig);
}

/// V32: a client that names protocols must name ours; one that names none is accepted.
#[test]
fn v32_a_client_of_another_protocol_is_refused() {
    for (alpn, welcome) in [
        (&[][..], true),
        (&["pop3"], true),
        (&["h2", "pop3"], true),
        (&["http/1.1"], false),
    ] {
        let world = World::new(TlsOffer::Implicit);
        let mut rig = world.rig();
        let mut client = TlsPeer::client(&world.identity(), "mail.example.org", alpn);
        settle(&mut rig, &mut client);
        assert_eq!(client.plaintext.starts_with(b"+OK"), welcome, "{alpn:?}");
        if !welcome {
            assert!(
                client.error.unwrap().contains("ApplicationProtocol"),
                "the alert arrives"
            );
            rig.wait(Duration::from_secs(3));
            assert!(rig.connection.is_finished());
        }
    }
}

/// V10: an unfinished handshake ends; so does a client that never begins one.
#[test]
fn v10_a_handshake_has_a_deadline() {
    for begun in [0, 1, 100, 150] {
        let world = World::new(TlsOffer::Implicit);
        let mut rig = world.rig();
        let hello = world.client().wire();
        rig.say(&hello[..begun]);
        rig.wait(Duration::from_secs(29));
        assert!(!rig.client.closed);
        rig.wait(Duration::from_secs(2));
        assert!(rig.connection.is_finished());
    }
}

/// G28: garbage instead of a handshake ends in an alert and a close, nothing else.
#[test]
fn g28_http_on_a_tls_port_is_closed() {
    let world = World::new(TlsOffer::Implicit);
    let mut rig = world.rig();
    let heard = rig.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").heard();
    assert!(!heard.contains("+OK"));
    assert!(rig.client.shut_down);
}

#[test]
fn without_a_certificate_stls_ends_the_session() {
    let service = ListService::new(&[]);
    let mut settings = Settings::new(Arc::new(service));
    settings.policy = Arc::new(Policy::default().tls(TlsOffer::Stls));
    let mut rig = Rig::new(&Arc::new(settings), &Server::new());
    rig.ask("STLS");
    rig.wait(Duration::from_secs(3));
    assert!(rig.connection.is_finished());
}

#[test]
fn the_certificate_is_chosen_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        &["one.example"][..],
        &["*.two.example"],
        &["three.example", "drei.example"],
    ];
    let identities: Vec<_> = names
        .iter()
        .map(|names| identity(folder.path(), names))
        .collect();
    let mut settings = Settings::new(Arc::new(ListService::new(&[])));
    settings.policy = Arc::new(Policy::default().tls(TlsOffer::Implicit));
    settings.tls = Some(ServerTls::load(&identities).unwrap());
    let (settings, server) = (Arc::new(settings), Server::new());
    let greeted = |asked: &str, believed: &Identity| {
        let mut rig = Rig::new(&settings, &server);
        let mut client = TlsPeer::client(believed, asked, &[]);
        settle(&mut rig, &mut client);
        client.plaintext.starts_with(b"+OK")
    };
    assert!(greeted("one.example", &identities[0]));
    assert!(greeted("pop.two.example", &identities[1]));
    assert!(greeted("DREI.example", &identities[2]));
    assert!(
        !greeted("four.example", &identities[0]),
        "the default proves its own name only"
    );
    assert!(!greeted("one.example", &identities[1]));
}

/// What is wrong with certificates is said with the file's name.
#[test]
fn broken_certificates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = identity(folder.path(), &["a.example"]);
    let other = identity(folder.path(), &["b.example"]);
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let load = |chain: &Path, key: &Path| {
        let identity = Identity::new(chain, key);
        ServerTls::load(&[identity]).unwrap_err().to_string()
    };
    let empty = write("empty.pem", "");
    let damaged = write(
        "damaged.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    let missing = folder.path().join("missing.pem");
    assert!(load(&missing, &good.key).contains("missing.pem"));
    assert!(load(&empty, &good.key).contains("no certificate in"));
    assert!(load(&damaged, &good.key).contains("damaged.pem"));
    assert!(load(&good.chain, &good.chain).contains("no private key in"));
    let mixed = load(&good.chain, &other.key);
    assert!(mixed.contains("a.example") && mixed.contains("b.example"));
    assert!(ServerTls::load(&[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However ciphertext is cut, both ends read the same.
    #[test]
    fn chunks_of_ciphertext_are_invisible(chunks in prop::collection::vec(1_usize..3000, 1..300)) {
        let world = World::new(TlsOffer::Implicit);
        let (mut rig, mut client) = (world.rig(), world.client());
        rig.chunks = chunks.into();
        settle(&mut rig, &mut client);
        client.plaintext.clear();
        let lines = format!("USER joe\r\nPASS {PASSWORD}\r\nRETR 2\r\nDELE 1\r\nRETR 1\r\nNOOP\r\nUIDL\r\nQUIT\r\n");
        client.send(lines.as_bytes());
        settle(&mut rig, &mut client);
        let heard = String::from_utf8_lossy(&client.plaintext);
        prop_assert_eq!(heard.matches("+OK").count(), 7, "{}", heard);
        prop_assert_eq!(heard.matches("-ERR").count(), 1, "RETR 1 after DELE 1");
        prop_assert!(heard.len() > 200_000 && client.closed);
        prop_assert_eq!(world.service.removed(), vec![0]);
    }

    /// P037 inside TLS: cut anywhere, flipped anywhere after the record's header (whose version counts
    /// for nothing): nothing is removed, all is freed.
    #[test]
    fn p037_damaged_ciphertext_removes_nothing(cut in 0_usize..2000, flip in any::<Option<u8>>()) {
        let world = World::new(TlsOffer::Implicit);
        let (mut rig, mut client) = (world.rig(), world.client());
        settle(&mut rig, &mut client);
        client.send(format!("USER joe\r\nPASS {PASSWORD}\r\nDELE 1\r\nQUIT\r\n").as_bytes());
        let mut wire = client.wire();
        let cut = cut % wire.len();
        match flip {
            Some(flip) => wire[cut.max(5)] ^= flip.max(1),
            None => wire.truncate(cut),
        }
        rig.say(wire);
        rig.end_of_stream();
        rig.wait(Duration::from_secs(40));
        prop_assert!(rig.connection.is_finished());
        prop_assert_eq!(world.server.locks().held(), 0);
        prop_assert_eq!(world.service.removed(), Vec::<u32>::new());
    }

    /// Whatever comes instead of a handshake, the connection ends and nothing panics.
    #[test]
    fn garbage_instead_of_a_handshake_ends(
        garbage in prop::collection::vec(any::<u8>(), 0..20_000),
        record in any::<bool>(),
    ) {
        let world = World::new(TlsOffer::Implicit);
        let mut rig = world.rig();
        if record {
            rig.say([22, 3, 1, 0x3f, 0xff]);
        }
        rig.say(garbage);
        rig.wait(Duration::from_secs(40));
        prop_assert!(rig.connection.is_finished());
    }
}

/// What tools and editors make of a key: a mark before it, a passphrase, another encoding.
#[test]
fn w054_keys_and_certificates_as_tools_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let made = identity(folder.path(), &["localhost"]);
    let file = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    };
    let with = |key: &std::path::Path, chain: &std::path::Path| {
        let identity = Identity::new(chain, key);
        ServerTls::load(&[identity]).map_err(|error| error.to_string())
    };
    let marked =
        |path: &std::path::Path| [b"\xef\xbb\xbf", &*std::fs::read(path).unwrap()].concat();
    let key = file("bom.key", &marked(&made.key));
    let chain = file("bom.pem", &marked(&made.chain));
    with(&key, &chain).unwrap();

    let pem = std::fs::read_to_string(&made.key).unwrap();
    let wide: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = file("wide.key", &[b"\xff\xfe", &*wide].concat());
    let pkcs8 = file(
        "pkcs8.key",
        pem.replace("PRIVATE", "ENCRYPTED PRIVATE").as_bytes(),
    );
    let head = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
                -----END RSA PRIVATE KEY-----\n";
    let older = file("older.key", head.as_bytes());
    for (key, expected) in [
        (wide, "is UTF-16 text"),
        (pkcs8, "openssl pkey -in"),
        (older, "openssl pkey -in"),
    ] {
        let said = with(&key, &made.chain).unwrap_err();
        assert!(
            said.contains(expected) && said.contains(&*key.to_string_lossy()),
            "{said}"
        );
    }
}
