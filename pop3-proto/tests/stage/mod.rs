//! Where the dialogues are played: a session with its store, octets cut and protected in some way.

use std::time::Duration;

use pop3_proto::server::TlsInfo;
use testkit::scene::{Protection, Scene, Start};
use testkit::talk::Talk;
use testkit::transcript::{Dialogue, Mismatch};

/// How octets are cut on their way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Each send of the dialogue arrives in one piece.
    AsItStands,
    /// One by one.
    Octets,
    /// In pieces of some length.
    Random(u64),
}

/// Plays a scene to its end.
pub(crate) fn play(scene: &Scene, protection: Protection, cut: Cut) -> Result<(), Mismatch> {
    let mails: Vec<&[u8]> = scene.mails.iter().map(Vec::as_slice).collect();
    let mut talk = Talk::with_greeting(protection.policy(scene), &mails);
    scene.furnish(&mut talk.store);
    let mut stage = Stage {
        talk,
        cut,
        random: 0,
    };
    if let Cut::Random(seed) = cut {
        stage.random = seed;
    }
    match protection {
        Protection::AsItStands => {}
        Protection::Implicit => stage.handshake(),
        Protection::Stls => {
            stage.send(b"STLS\r\n");
        }
    }
    if scene.start != Start::Greeting {
        stage.talk.out.clear();
    }
    if scene.start == Start::LoggedIn {
        stage.send(b"USER u\r\nPASS p w\r\n");
        assert!(stage.talk.session.summary().logged_in, "{}", scene.title);
        stage.talk.out.clear();
    }
    stage.talk.store.silent = scene.silent;
    scene.steps.run(&mut stage)
}

struct Stage {
    talk: Talk,
    cut: Cut,
    random: u64,
}

impl Stage {
    /// The length of the next piece of something.
    fn piece(&mut self, most: usize) -> usize {
        match self.cut {
            Cut::AsItStands => most,
            Cut::Octets => 1,
            Cut::Random(_) => {
                // a linear congruential generator is random enough here
                self.random = self
                    .random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                1 + (self.random >> 33) as usize % most.clamp(1, 40)
            }
        }
    }

    fn handshake(&mut self) {
        let info = TlsInfo::new("TLSv1.3", "TLS13_AES_128_GCM_SHA256");
        self.talk.session.handle_tls(self.talk.now, info);
        self.talk.settle();
    }
}

impl Dialogue for Stage {
    fn send(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() && self.talk.closed.is_none() {
            let length = self.piece(octets.len()).min(octets.len());
            let (piece, rest) = octets.split_at(length);
            self.talk.store.piece = self.piece(4096);
            self.talk.window = Some(self.piece(1 << 20));
            self.talk.feed(piece);
            self.talk.window = None;
            self.talk.settle();
            octets = rest;
        }
        // what was sent together with STLS arrives before the handshake can
        if std::mem::take(&mut self.talk.tls_wanted) && self.talk.closed.is_none() {
            self.handshake();
        }
    }

    fn advance(&mut self, span: Duration) {
        self.talk.wait(span);
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.talk.out)
    }

    fn is_closed(&self) -> bool {
        self.talk.closed.is_some()
    }

    fn hang_up(&mut self) {
        self.talk.session.handle_eof(self.talk.now);
        self.talk.settle();
    }
}
