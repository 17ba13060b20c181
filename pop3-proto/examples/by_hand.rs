//! A session and a store without a socket, a thread or a clock: every octet is moved by hand.
//!
//! ```text
//! cargo run -p pop3-proto --example by_hand
//! ```

use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::list::ListStore;
use pop3_proto::backend::{Backend, Effect, Job, Outcome};
use pop3_proto::secret::Secret;
use pop3_proto::server::{Event, Policy, Session};
use pop3_proto::time::Time;

struct ByHand {
    session: Session,
    store: Blocking<ListStore>,
    now: Time,
    ended: bool,
}

impl ByHand {
    /// Octets of the client go in, octets for the client come out.
    fn say(&mut self, octets: &str) -> String {
        let mut heard = String::new();
        let mut rest = octets.as_bytes();
        loop {
            rest = &rest[self.session.handle_input(self.now, rest)..];
            let moved = self.step(&mut heard);
            if !moved && (rest.is_empty() || self.session.input_room() == 0) {
                return heard;
            }
        }
    }

    /// Moves what can move; whether anything did.
    fn step(&mut self, heard: &mut String) -> bool {
        let mut moved = false;
        while let Some(event) = self.session.poll_event() {
            moved = true;
            match event {
                Event::Request(request) => self.store.handle_request(self.now, request),
                Event::StartTls => println!("(here the TLS handshake would begin)"),
                Event::Close(reason) => self.ended = reason.as_str() == "quit",
            }
        }
        while let Some(effect) = self.store.poll_effect() {
            moved = true;
            // a driver would have a thread for it
            if let Effect::Run(Job::Block(job)) = effect {
                self.store.handle_outcome(self.now, Outcome::Done(job()));
            }
        }
        while let Some(reply) = self.store.poll_reply(self.now, self.session.body_room()) {
            moved = true;
            self.session.handle_reply(self.now, reply);
        }
        let sent = self.session.transmit().len();
        heard.push_str(&String::from_utf8_lossy(self.session.transmit()));
        self.session.transmitted(self.now, sent);
        moved || sent > 0
    }
}

fn main() {
    let mut store = ListStore::default();
    store.add_account("tim", Secret::from(&b"tanstaaf"[..]));
    store.deliver("tim", "Subject: dots\n\n.\n..\nend");
    let store = Arc::new(store);
    let policy = Policy::default().clear_login(true);
    let mut by_hand = ByHand {
        session: Session::new(policy.into(), "", Time::ZERO),
        store: Blocking::new(Arc::clone(&store)),
        now: Time::ZERO,
        ended: false,
    };
    let dialogue = [
        ("", "+OK POP3 server ready\r\n"),
        (
            "USER tim\r\nPASS tanstaaf\r\n",
            "+OK send the password\r\n+OK 1 messages, 29 octets\r\n",
        ),
        // cut anywhere
        ("RE", ""),
        ("TR 1\r", ""),
        (
            "\n",
            "+OK message 1 follows\r\nSubject: dots\r\n\r\n..\r\n...\r\nend\r\n.\r\n",
        ),
        ("DELE 1\r\n", "+OK message 1 marked\r\n"),
    ];
    for (said, expected) in dialogue {
        let heard = by_hand.say(said);
        print!("C: {said:?}\nS: {heard:?}\n");
        assert_eq!(heard, expected);
    }

    // time is what it is said to be
    let (deadline, why) = by_hand
        .session
        .poll_timeout()
        .unwrap_or((Time::ZERO, "none"));
    println!("in ten minutes: {why}");
    assert_eq!(deadline, by_hand.now + Duration::from_secs(600));
    assert_eq!(store.messages("tim").len(), 1, "nothing goes before QUIT");
    assert_eq!(by_hand.say("QUIT\r\n"), "+OK bye, 1 deleted\r\n");
    assert!(by_hand.ended && store.messages("tim").is_empty());
}
