//! Small scope, all of it: every sequence of commands up to a length, held against the reference.
//!
//! `WORLD_DEPTH` makes the sequences longer than a test run has time for.

use imap_backend::Security;
use pop3_proto::server::TlsOffer;
use testkit::model::{Maildrop, Reply};

use crate::client::Client;
use crate::rig::{PASSWORD, Pace, Rig, Setup, USER, session};
use testkit::judge::Tolerance;

const MAILS: [&str; 2] = ["A: 1\r\n\r\n.1\r\n2\r\n", "A: 2"];

fn depth(usual: usize) -> usize {
    let wanted = std::env::var("WORLD_DEPTH").ok();
    wanted.and_then(|depth| depth.parse().ok()).unwrap_or(usual)
}

/// Every sequence of these words up to this length, the short ones first.
fn sequences<'a>(words: &'a [&'a str], depth: usize) -> impl Iterator<Item = Vec<&'a str>> {
    (0..=depth).flat_map(move |length| {
        let count = words.len().pow(u32::try_from(length).unwrap());
        (0..count).map(move |number| {
            let digits = (0..length).scan(number, |rest, _| {
                let digit = *rest % words.len();
                *rest /= words.len();
                Some(words[digit])
            });
            digits.collect()
        })
    })
}

/// All commands of TRANSACTION on a maildrop of two messages, with QUIT after them and without.
#[test]
fn every_sequence_after_login() {
    let words = [
        "RETR 1", "RETR 2", "TOP 1 0", "TOP 2 1", "DELE 1", "DELE 2", "RSET", "STAT", "LIST",
        "UIDL 2", "NOOP", "RETR 3",
    ];
    let mut visited = 0u64;
    for commands in sequences(&words, depth(3)) {
        for quits in [true, false] {
            let mut rig = Setup::new(MAILS).start();
            let mut all = session(&commands);
            if !quits {
                all.pop();
            }
            let mut reference = rig.model();
            let model = rig.model();
            for command in &commands {
                reference.execute(command.as_bytes());
            }
            let client = rig.client();
            rig.say_all(&client, &all, Pace::AtOnce);
            let heard = client.judged(&all, model, Tolerance::Nothing);
            assert_eq!(heard.map(|heard| heard.failed), Ok(0), "{all:?}");
            client.vanish();
            rig.world.settle();
            let left: Vec<u32> = (1..=2)
                .filter(|uid| !quits || !reference.deleted().contains(&(*uid as usize)))
                .collect();
            assert_eq!(rig.uids(), left, "{all:?}");
            assert_eq!(rig.was_changed(), left.len() < 2, "{all:?}");
            assert_eq!(rig.locks(), 0);
            visited += 1;
        }
    }
    println!("{visited} sessions after login");
}

/// All ways to the login and past it, in the clear and with STLS in between.
#[test]
fn every_sequence_before_login() {
    let user = format!("USER {USER}");
    let pass = format!("PASS {PASSWORD}");
    let words = [
        user.as_str(),
        pass.as_str(),
        "PASS wrong",
        "STLS",
        "CAPA",
        "DELE 1",
        "STAT",
        "QUIT",
    ];
    let mut visited = 0u64;
    for commands in sequences(&words, depth(4)) {
        let setup = Setup::new(MAILS).with_tls(TlsOffer::Stls, Security::Clear);
        let mut rig = setup.start();
        let client = rig.client();
        rig.world.settle();
        client.take();
        let mut reference = Reference::new(rig.model());
        for command in &commands {
            let expected = reference.execute(command);
            reference.compare(&mut rig, &client, command, &expected);
        }
        client.reset();
        rig.world.settle();
        assert_eq!(rig.locks(), 0, "{commands:?}");
        let left = if reference.quit && reference.deleted() {
            vec![2]
        } else {
            vec![1, 2]
        };
        assert_eq!(rig.uids(), left, "{commands:?}");
        visited += 1;
    }
    println!("{visited} sessions before login");
}

/// AUTHORIZATION, done in the most obvious way.
struct Reference {
    maildrop: Maildrop,
    user: bool,
    failures: u32,
    encrypted: bool,
    logged_in: bool,
    quit: bool,
}

impl Reference {
    fn new(maildrop: Maildrop) -> Self {
        Self {
            maildrop,
            user: false,
            failures: 0,
            encrypted: false,
            logged_in: false,
            quit: false,
        }
    }

    fn deleted(&self) -> bool {
        !self.maildrop.deleted().is_empty()
    }

    /// `None` is silence: the connection is over.
    fn execute(&mut self, command: &str) -> Option<Reply> {
        if self.quit || self.failures == 3 {
            return None;
        }
        self.quit |= command == "QUIT";
        if self.logged_in {
            return Some(self.maildrop.execute(command.as_bytes()));
        }
        let had_user = std::mem::take(&mut self.user);
        Some(match command.split_once(' ') {
            Some(("USER", _)) => {
                self.user = true;
                Reply::Ok
            }
            Some(("PASS", PASSWORD)) if had_user => {
                self.logged_in = true;
                Reply::Ok
            }
            Some(("PASS", _)) if had_user => {
                self.failures += 1;
                Reply::Err
            }
            None if command == "CAPA" => {
                self.user = had_user;
                Reply::Anything { multi_line: true }
            }
            None if command == "STLS" && !self.encrypted => {
                self.encrypted = true;
                Reply::Ok
            }
            None if command == "QUIT" => Reply::Quit,
            Some(_) | None => Reply::Err,
        })
    }

    fn compare(&self, rig: &mut Rig, client: &Client, command: &str, expected: &Option<Reply>) {
        let mut heard = rig.ask(client, command);
        if command == "PASS wrong" {
            rig.world.advance(std::time::Duration::from_secs(9));
            heard += &client.take();
        }
        let checked = expected.as_ref().map(|reply| reply.check(heard.as_bytes()));
        match checked {
            None => assert_eq!(heard, "", "{command}"),
            Some(checked) => assert_eq!(checked, Ok(Some(heard.len())), "{command}: {heard}"),
        }
        if command == "STLS" && *expected == Some(Reply::Ok) {
            client.start_tls();
        }
        if command == "USER tim@example.org" && expected.is_some() && !self.logged_in {
            assert!(heard.starts_with("+OK"));
        }
    }
}
