//! The composition with an upstream's socket, in the clear and in TLS.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_proto::backend::{Endpoint, Failure, Outcome};
use pop3_proto::server::Policy;
use pop3_server::log::Log;
use pop3_server::observer::{About, Contact, Event, Observer};
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use pop3_server::tls::{Trust, UpstreamTls};
use proptest::prelude::*;
use testkit_server::peer::TlsPeer;
use testkit_server::rig::Rig;
use testkit_server::wire::{PATIENCE, WireService, WireStore};
use testkit_server::{PASSWORD, identity};

fn plain() -> WireService {
    let endpoint = Endpoint {
        host: "store.example".into(),
        port: 143,
    };
    WireService {
        endpoint,
        server_name: None,
        tls: None,
    }
}

fn encrypted(folder: &Path, name: &str) -> WireService {
    let trust = Trust::File(identity(folder, &["store.example"]).chain);
    let tls = Some(Arc::new(UpstreamTls::load(&trust).unwrap()));
    WireService {
        server_name: Some(name.into()),
        tls,
        ..plain()
    }
}

fn settings(service: &WireService) -> Arc<Settings<WireService>> {
    let mut settings = Settings::new(Arc::new(service.clone()));
    settings.policy = Arc::new(Policy::default().clear_login(true));
    Arc::new(settings)
}

/// A gateway's session and the store that serves it.
struct World {
    rig: Rig<WireService>,
    store: WireStore,
    tls: Option<TlsPeer>,
    server: Server,
    contacts: Arc<Contacts>,
}

/// What became of connections to the store.
#[derive(Default)]
struct Contacts(Mutex<Vec<Contact>>);

impl Observer for Contacts {
    fn observe(&self, _: &About<'_>, event: &Event<'_>) {
        if let Event::Upstream(contact) = event {
            self.0.lock().unwrap().push(*contact);
        }
    }
}

impl World {
    fn new(service: &WireService, messages: Vec<Vec<u8>>) -> Self {
        let contacts = Arc::<Contacts>::default();
        let observer = (Log::default(), Arc::clone(&contacts));
        let server = Server::builder().observer(observer).build();
        let rig = Rig::new(&settings(service), &server);
        Self {
            contacts,
            rig,
            store: WireStore::new(messages),
            tls: None,
            server,
        }
    }

    /// Says lines as the client and carries bytes to and from the store until nothing moves.
    fn ask(&mut self, lines: &str) -> String {
        self.rig.heard();
        self.rig.say(format!("{lines}\r\n"));
        self.settle();
        self.rig.heard()
    }

    fn settle(&mut self) {
        loop {
            self.rig.run();
            if self.rig.wants_connect {
                self.rig.connected();
            }
            let Some(socket) = &mut self.rig.upstream else {
                return;
            };
            let received = std::mem::take(&mut socket.outbound);
            let mut sent = match &mut self.tls {
                None => {
                    self.store.handle_input(&received);
                    std::mem::take(&mut self.store.output)
                }
                Some(tls) => {
                    tls.receive(&received);
                    self.store.handle_input(&std::mem::take(&mut tls.plaintext));
                    tls.send(&std::mem::take(&mut self.store.output));
                    tls.wire()
                }
            };
            if received.is_empty() && sent.is_empty() {
                return;
            }
            socket.inbound.extend(sent.drain(..));
        }
    }

    fn log_in(&mut self) -> String {
        self.ask(&format!("USER joe\r\nPASS {PASSWORD}"))
    }

    fn contacts(&self) -> Vec<Contact> {
        std::mem::take(&mut self.contacts.0.lock().unwrap())
    }

    fn upstream_eof(&mut self) {
        self.rig.upstream.as_mut().unwrap().eof = true;
        self.rig.run();
    }
}

fn messages() -> Vec<Vec<u8>> {
    vec![
        b"Subject: a\r\n\r\nb\r\n".to_vec(),
        vec![b'z'; 300_000],
        vec![],
    ]
}

fn worlds(folder: &Path) -> [World; 2] {
    let mut secured = World::new(&encrypted(folder, "store.example"), messages());
    secured.tls = Some(TlsPeer::server(&identity(folder, &["store.example"])));
    [World::new(&plain(), messages()), secured]
}

/// The store's backend here asks for its connection where it is polled for a reply and has none. Nothing
/// else moves then.
#[test]
fn what_a_backend_begins_while_it_is_polled_is_carried_out() {
    let mut world = World::new(&plain(), vec![Vec::new()]);
    world.ask("USER joe");
    let answer = world.ask(&format!("PASS {PASSWORD}"));
    assert!(answer.starts_with("+OK"), "{answer:?}");
}

#[test]
fn a_session_goes_through_to_the_store() {
    let folder = tempfile::tempdir().unwrap();
    for mut world in worlds(folder.path()) {
        assert!(world.log_in().contains("+OK"));
        assert!(world.ask("RETR 2").len() > 300_000);
        assert!(world.ask("RETR 3").ends_with("\r\n.\r\n"));
        assert!(world.ask("DELE 1").starts_with("+OK"));
        assert_eq!(world.store.removed, Vec::<usize>::new());
        assert!(world.ask("QUIT").starts_with("+OK"));
        assert_eq!(world.store.removed, [0]);
        assert!(world.store.said_bye, "the good-bye is flushed");
        assert!(world.rig.upstream.as_ref().unwrap().closed);
        if let Some(tls) = &world.tls {
            assert!(tls.closed, "T013 upstream");
        }
        assert_eq!(world.server.locks().held(), 0);
        world.rig.end_of_stream();
        assert!(world.rig.connection.is_finished());
    }
}

/// The client does not wait for the good-bye, and the good-bye not for ever.
#[test]
fn leaving_the_upstream_has_a_deadline() {
    let folder = tempfile::tempdir().unwrap();
    for mut world in worlds(folder.path()) {
        world.log_in();
        world.rig.upstream.as_mut().unwrap().window = Some(0);
        world.rig.reset();
        assert_eq!(world.server.locks().held(), 0);
        assert!(!world.rig.connection.is_finished());
        world.rig.wait(Duration::from_secs(5));
        assert!(world.rig.connection.is_finished());
    }
}

/// cT021, qH1: a certificate that was neither named nor vouched for: fail closed, with [SYS/PERM].
/// Names and dates: `upstream_certificates.rs`.
#[test]
fn ct021_qh1_an_unknown_certificate_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, shown) in [
        ("store.example", "other.example"),
        ("other.example", "other.example"),
        ("not a name", "store.example"),
    ] {
        let mut world = World::new(&encrypted(folder.path(), name), messages());
        world.tls = Some(TlsPeer::server(&identity(folder.path(), &[shown])));
        assert!(world.log_in().contains("-ERR [SYS/PERM]"), "{name} {shown}");
        assert_eq!(world.contacts(), [Contact::Connected, Contact::Untrusted]);
        assert!(!world.store.said_bye);
        assert!(world.rig.upstream.as_ref().unwrap().closed);
    }
}

#[test]
fn without_authorities_tls_fails() {
    let service = WireService {
        server_name: Some("store.example".into()),
        ..plain()
    };
    let mut world = World::new(&service, messages());
    assert!(world.log_in().contains("-ERR [SYS/PERM]"));
}

#[test]
fn an_upstream_that_talks_no_tls_is_a_passing_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(&encrypted(folder.path(), "store.example"), messages());
    world.rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    world.rig.connected();
    world
        .rig
        .upstream
        .as_mut()
        .unwrap()
        .inbound
        .extend(b"* OK IMAP4rev1 ready\r\n");
    world.rig.run();
    assert!(world.rig.heard().contains("-ERR [SYS/TEMP]"));
    assert_eq!(world.contacts(), [Contact::Connected, Contact::TlsFailed]);
}

/// G07 and G06: lost before the message, lost within it.
#[test]
fn g06_g07_an_upstream_lost_within_a_message_closes_without_the_dot() {
    let folder = tempfile::tempdir().unwrap();
    for mut world in worlds(folder.path()) {
        world.log_in();
        world.upstream_eof();
        assert!(!world.rig.client.shut_down, "an idle session stays");
        assert_eq!(world.contacts(), [Contact::Connected, Contact::Broken]);
    }
    for mut world in worlds(folder.path()) {
        world.log_in();
        world.rig.say("RETR 2\r\n");
        world.store.messages[1].truncate(1000);
        let socket = world.rig.upstream.as_mut().unwrap();
        let request = std::mem::take(&mut socket.outbound);
        let part = [b"DATA 300000\n".as_slice(), &[b'z'; 1000]].concat();
        match &mut world.tls {
            None => socket.inbound.extend(part),
            Some(tls) => {
                tls.receive(&request);
                tls.send(&part);
                socket.inbound.extend(tls.wire());
            }
        }
        world.upstream_eof();
        let heard = world.rig.heard();
        assert!(
            heard.contains("zzz") && !heard.contains("\r\n.\r\n"),
            "what came is not lost"
        );
        assert!(world.rig.client.shut_down);
        assert_eq!(world.server.locks().held(), 0);
    }
}

/// What an upstream said before it closed is delivered, however long the client takes to read it.
#[test]
fn an_upstream_that_closes_after_a_message_cuts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let message = vec![b'z'; 70_000];
    for mut world in worlds(folder.path()) {
        world.log_in();
        world.rig.client.window = Some(0);
        world.rig.say("RETR 2\r\n");
        let socket = world.rig.upstream.as_mut().unwrap();
        let request = std::mem::take(&mut socket.outbound);
        let all = [b"DATA 70000\n".as_slice(), &message].concat();
        match &mut world.tls {
            None => socket.inbound.extend(all),
            Some(tls) => {
                tls.receive(&request);
                tls.send(&all);
                tls.connection.send_close_notify();
                socket.inbound.extend(tls.wire());
            }
        }
        world.upstream_eof();
        world.rig.client.window = None;
        world.rig.run();
        let heard = world.rig.heard();
        assert!(heard.len() > message.len() && heard.ends_with("\r\n.\r\n"));
    }
}

#[test]
fn an_upstream_that_cannot_be_reached_is_a_passing_trouble() {
    let mut world = World::new(&plain(), messages());
    world.rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    let lost = Outcome::Lost(Failure::temporary("connection refused"));
    world.rig.connection.handle_outcome(world.rig.now, lost);
    world.rig.run();
    assert!(world.rig.heard().contains("-ERR [SYS/TEMP]"));
    assert!(world.log_in().contains("+OK"), "the session stays usable");
    assert!(world.ask("QUIT").contains("+OK"));
    assert_eq!(world.contacts(), [Contact::Unreachable, Contact::Connected]);
}

/// Who left does not say that the store is out of order; who waited to the end does.
#[test]
fn an_attempt_that_was_given_up_says_nothing_of_the_upstream() {
    let mut world = World::new(&plain(), messages());
    world.rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    world.rig.reset();
    assert_eq!(world.contacts(), []);
    let mut world = World::new(&plain(), messages());
    world.rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    world.rig.wait(PATIENCE);
    assert_eq!(world.contacts(), [Contact::Unreachable]);
}

#[test]
fn a_silent_upstream_is_given_up() {
    let mut world = World::new(&plain(), messages());
    world.rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    world.rig.connected();
    world.rig.wait(PATIENCE);
    assert!(world.rig.heard().contains("-ERR [SYS/TEMP]"));
}

/// X015, G14: a client that does not read stops the upstream, and neither side piles anything up.
#[test]
fn g14_x015_back_pressure_reaches_the_upstream() {
    let folder = tempfile::tempdir().unwrap();
    for mut world in worlds(folder.path()) {
        world.store.messages[1] = vec![b'z'; 10_000_000];
        world.log_in();
        world.rig.client.window = Some(0);
        world.ask("RETR 2");
        let left = world.rig.upstream.as_ref().unwrap().inbound.len();
        assert!(left > 9_800_000, "only {left} stayed in the socket");
        world.rig.client.window = None;
        world.settle();
        assert!(world.rig.heard().len() > 10_000_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However the bytes on both sockets are cut, the client sees the same.
    #[test]
    fn chunks_are_invisible(chunks in prop::collection::vec(1_usize..3000, 1..300)) {
        let folder = tempfile::tempdir().unwrap();
        for mut world in worlds(folder.path()) {
            world.rig.chunks = chunks.clone().into();
            let heard = world.ask(&format!(
                "USER joe\r\nPASS {PASSWORD}\r\nRETR 2\r\nTOP 1 0\r\nDELE 2\r\nRETR 1\r\nQUIT"
            ));
            prop_assert_eq!(heard.matches("+OK").count(), 7);
            prop_assert!(heard.len() > 300_000);
            prop_assert_eq!(&world.store.removed, &[1]);
        }
    }

    /// P037: the client gone or the upstream gone after any number of steps: the lock is free.
    #[test]
    fn p037_either_side_cut_anywhere(
        cut in 0_usize..120,
        upstream in any::<bool>(),
        chunk in 1_usize..50,
    ) {
        let folder = tempfile::tempdir().unwrap();
        for mut world in worlds(folder.path()) {
            world.rig.chunks = [chunk].into();
            let lines = format!("USER joe\r\nPASS {PASSWORD}\r\nDELE 1\r\nRETR 3\r\nSTAT\r\nNOOP\r\nUIDL\r\n");
            world.rig.say(&lines[..cut.min(lines.len())]);
            world.settle();
            if upstream && world.rig.upstream.is_some() {
                world.upstream_eof();
            }
            world.rig.reset();
            prop_assert_eq!(world.server.locks().held(), 0);
            world.settle();
            world.rig.wait(Duration::from_secs(10));
            prop_assert!(world.rig.connection.is_finished());
            prop_assert_eq!(&world.store.removed, &Vec::<usize>::new());
        }
    }

    /// Whatever an upstream says instead of TLS, the client gets an answer and nothing panics.
    #[test]
    fn garbage_from_the_upstream_ends(garbage in prop::collection::vec(any::<u8>(), 0..20_000)) {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(&encrypted(folder.path(), "store.example"), messages());
        world.rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
        world.rig.connected();
        world.rig.upstream.as_mut().unwrap().inbound.extend(garbage);
        world.rig.run();
        world.rig.wait(PATIENCE);
        prop_assert!(world.rig.heard().contains("-ERR [SYS/"));
    }
}
