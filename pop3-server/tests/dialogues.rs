//! The dialogues of `pop3-proto`, played against whole connections: composition, locks, delays, and
//! rustls on both ends.
//!
//! Left out are those that know the stamp of a session, which a connection makes by itself.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::{Backend, Effect, Login, Outcome, Reply, Request};
use pop3_proto::server::TlsOffer;
use pop3_proto::time::Time;
use pop3_server::server::Server;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;
use testkit::scene::{Protection, Scene, Start};
use testkit::talk::{Answer, Store};
use testkit::transcript::{Dialogue, Mismatch};
use testkit_server::peer::TlsPeer;
use testkit_server::rig::Rig;
use testkit_server::{identity, server_tls};

/// The store of a scene as a backend.
struct Played {
    store: Store,
    lent: Option<Answer>,
}

impl Backend for Played {
    type Done = ();

    fn handle_request(&mut self, _: Time, request: Request) {
        self.store.handle(request);
    }

    fn handle_outcome(&mut self, _: Time, _: Outcome<()>) {}

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, room: usize) -> Option<Reply<'_>> {
        let next = self.store.answers.front()?;
        if matches!(next, Answer::Body(_, bytes) if bytes.len() > room) {
            return None;
        }
        self.lent = self.store.answers.pop_front();
        self.lent.as_ref().map(Answer::reply)
    }

    fn poll_effect(&mut self) -> Option<Effect<()>> {
        None
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

/// Serves a scene.
struct Scenery(Arc<Scene>);

impl fmt::Debug for Scenery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.title)
    }
}

impl Service for Scenery {
    type Backend = Played;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<Played>, Denied> {
        let mut store = Store {
            messages: self.0.mails.clone(),
            piece: 7,
            silent: self.0.silent,
            ..Store::default()
        };
        self.0.furnish(&mut store);
        Ok(Routed::new(
            Played { store, lent: None },
            login.user().unwrap_or_default(),
            "scene",
        ))
    }
}

/// A connection, and the client's end of TLS where it has begun.
struct Stage<'a> {
    rig: Rig<Scenery>,
    folder: &'a Path,
    tls: Option<TlsPeer>,
    heard: Vec<u8>,
    /// Octets that arrive together; all if 0.
    piece: usize,
}

impl Stage<'_> {
    fn begin_tls(&mut self) {
        let identity = identity(self.folder, &["mail.example.org"]);
        self.tls = Some(TlsPeer::client(&identity, "mail.example.org", &[]));
        self.settle();
    }

    /// Carries octets both ways until nothing moves.
    fn settle(&mut self) {
        loop {
            // a refused login has its moment at once
            self.rig.wait(Duration::ZERO);
            let back = std::mem::take(&mut self.rig.client.outbound);
            let Some(tls) = &mut self.tls else {
                self.heard.extend(back);
                return;
            };
            tls.receive(&back);
            self.heard.append(&mut tls.plaintext);
            let out = tls.wire();
            if out.is_empty() && back.is_empty() {
                return;
            }
            self.rig.say(&out);
        }
    }
}

impl Dialogue for Stage<'_> {
    fn send(&mut self, octets: &[u8]) {
        let piece = if self.piece == 0 {
            octets.len()
        } else {
            self.piece
        };
        for piece in octets.chunks(piece.max(1)) {
            match &mut self.tls {
                Some(tls) => tls.send(piece),
                None => {
                    self.rig.say(piece);
                }
            }
            self.settle();
        }
        if self.tls.is_none() && self.heard.ends_with(b"+OK begin TLS\r\n") {
            self.begin_tls();
        }
    }

    fn advance(&mut self, span: Duration) {
        self.rig.wait(span);
        self.settle();
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.heard)
    }

    fn is_closed(&self) -> bool {
        self.rig.client.shut_down || self.rig.connection.is_finished()
    }

    fn hang_up(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
        }
        self.settle();
        self.rig.end_of_stream();
        self.settle();
    }
}

fn play(
    scene: &Arc<Scene>,
    protection: Protection,
    folder: &Path,
    piece: usize,
) -> Result<(), Mismatch> {
    let policy = protection.policy(scene);
    let implicit = policy.tls == TlsOffer::Implicit;
    let mut settings = Settings::new(Arc::new(Scenery(Arc::clone(scene))));
    settings.tls = Some(server_tls(folder, &["mail.example.org"]));
    settings.policy = Arc::new(policy);
    settings.delay.first = Duration::ZERO;
    settings.delay.most = Duration::ZERO;
    let mut stage = Stage {
        rig: Rig::new(&Arc::new(settings), &Server::new()),
        folder,
        tls: None,
        heard: Vec::new(),
        piece,
    };
    stage.settle();
    if implicit {
        stage.begin_tls();
    }
    if matches!(protection, Protection::Stls) {
        stage.send(b"STLS\r\n");
    }
    if scene.start == Start::LoggedIn {
        stage.send(b"USER u\r\nPASS p w\r\n");
    }
    if scene.start != Start::Greeting {
        stage.heard.clear();
    }
    scene.steps.run(&mut stage)
}

#[test]
fn every_dialogue_over_whole_connections() {
    let folder = tempfile::tempdir().unwrap();
    let knows_the_stamp = |scene: &Scene| {
        let mechanisms = &scene.policy.mechanisms;
        scene.policy.apop || mechanisms.iter().any(|name| name.as_str() == "CRAM-MD5")
    };
    let scenes = Scene::all()
        .into_iter()
        .filter(|scene| !knows_the_stamp(scene));
    let (mut played, mut wrong) = (0, Vec::new());
    for scene in scenes.map(Arc::new) {
        for protection in Protection::of(&scene) {
            for piece in if scene.uncut { &[0][..] } else { &[0, 1, 5] } {
                played += 1;
                if let Err(mismatch) = play(&scene, *protection, folder.path(), *piece) {
                    wrong.push(format!(
                        "{mismatch} ({}, {protection:?}, {piece})",
                        scene.title
                    ));
                    break;
                }
            }
        }
    }
    println!("played {played} times");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
