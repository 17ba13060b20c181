//! A POP3 session in front of an IMAP server, without a socket, a thread or a clock: every octet is moved by
//! hand, and both dialogues are shown.
//!
//! ```text
//! cargo run -p imap-backend --example whole_session
//! ```

use std::sync::Arc;

use imap_backend::{Config, ImapBackend, Security};
use imap_test_server::{Options, Server, ServerSession, Store};
use pop3_proto::backend::{Backend as _, Effect, Outcome};
use pop3_proto::server::{Event, Policy, Session};
use pop3_proto::time::Time;

const NOW: Time = Time::ZERO;

struct ByHand {
    client: Session,
    backend: ImapBackend,
    server: Server,
    upstream: Option<ServerSession>,
}

impl ByHand {
    /// Octets of the POP3 client go in; what it hears comes out.
    fn say(&mut self, said: &str) -> String {
        let mut heard = String::new();
        let mut rest = said.as_bytes();
        loop {
            rest = &rest[self.client.handle_input(NOW, rest)..];
            if !self.step(&mut heard) && rest.is_empty() {
                return heard;
            }
        }
    }

    /// Moves what can move; whether anything did.
    fn step(&mut self, heard: &mut String) -> bool {
        let mut moved = false;
        while let Some(event) = self.client.poll_event() {
            moved = true;
            if let Event::Request(request) = event {
                self.backend.handle_request(NOW, request);
            }
        }
        while let Some(effect) = self.backend.poll_effect() {
            moved = true;
            match effect {
                Effect::Connect(_) => {
                    self.upstream = Some(self.server.connect());
                    self.backend.handle_outcome(NOW, Outcome::Connected);
                }
                Effect::Disconnect => self.upstream = None,
                // it is in the clear, parks nothing, and an IMAP mailbox has no jobs
                Effect::Resume(_) | Effect::Park(_) | Effect::StartTls { .. } | Effect::Run(_) => {}
            }
        }
        if let Some(upstream) = &mut self.upstream {
            let said = self.backend.transmit();
            if !said.is_empty() {
                print!("        IMAP C: {}", String::from_utf8_lossy(said));
                upstream.handle_input(said);
                let n = said.len();
                self.backend.transmitted(NOW, n);
                moved = true;
            }
            let room = self.backend.recv_buf();
            let n = upstream.transmit().len().min(room.len());
            if n > 0 {
                room[..n].copy_from_slice(&upstream.transmit()[..n]);
                print!("        IMAP S: {}", String::from_utf8_lossy(&room[..n]));
                self.backend.received(NOW, n);
                upstream.transmitted(n);
                moved = true;
            }
        }
        while let Some(reply) = self.backend.poll_reply(NOW, self.client.body_room()) {
            moved = true;
            self.client.handle_reply(NOW, reply);
        }
        let sent = self.client.transmit().len();
        heard.push_str(&String::from_utf8_lossy(self.client.transmit()));
        self.client.transmitted(NOW, sent);
        moved || sent > 0
    }
}

fn main() {
    let store = Store::new();
    store.add_user("tim", "tanstaaf");
    store.deliver("tim", "Subject: hello\r\n\r\nHello!\r\n");
    let config = Config::new("localhost", 143, Security::Clear);
    let policy = Policy::default().clear_login(true);
    let mut by_hand = ByHand {
        client: Session::new(policy.into(), "", NOW),
        backend: ImapBackend::new(Arc::new(config)),
        server: Server::new(store.clone(), Options::default()),
        upstream: None,
    };
    print!("POP3 S: {}", by_hand.say(""));
    for said in [
        "USER tim\r\n",
        "PASS tanstaaf\r\n",
        "UIDL\r\n",
        "RETR 1\r\n",
        "DELE 1\r\n",
        "QUIT\r\n",
    ] {
        print!("POP3 C: {said}");
        print!("POP3 S: {}", by_hand.say(said));
    }
    assert!(store.uids("tim", "INBOX").is_empty());
}
