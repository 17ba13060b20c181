//! A connection that waited, and the question whether its folder has changed: one short flight if not, and never another
//! listing than the server's.

use std::time::Duration;

use imap_backend::{Config, DeletePolicy, ImapBackend};
use pop3_proto::backend::waiting::Waiting;
use pop3_proto::backend::{Access, Backend, Effect, Outcome, Request};
use pop3_proto::time::Time;
use proptest::prelude::*;

use crate::parked::{FOLDER, PLAIN, at, config, hear, open, replies, said};

/// A folder as its server knows it.
#[derive(Clone, Debug)]
struct Folder {
    messages: Vec<(u32, u32)>,
    next: u32,
    validity: u32,
    /// Whether the server says at SELECT which UID comes next.
    says_next: bool,
}

impl Folder {
    fn of(messages: &[(u32, u32)]) -> Self {
        Self {
            messages: messages.to_vec(),
            next: messages.last().map_or(1, |(uid, _)| uid + 1),
            validity: 7,
            says_next: true,
        }
    }

    fn deliver(&mut self, size: u32) {
        self.messages.push((self.next, size));
        self.next += 1;
    }

    /// What a client is to see of it.
    fn listed(&self) -> Vec<String> {
        let entry = |(uid, size): &(u32, u32)| format!("{}.{uid} {size}", self.validity);
        self.messages.iter().map(entry).collect()
    }

    /// The answer to a command, without its last line.
    fn answer(&self, command: &str) -> String {
        let (count, next, validity) = (self.messages.len(), self.next, self.validity);
        if command.starts_with("SELECT") || command.starts_with("EXAMINE") {
            let says = format!("* OK [UIDNEXT {next}] x\r\n");
            let says = if self.says_next { &*says } else { "" };
            return format!("* {count} EXISTS\r\n* OK [UIDVALIDITY {validity}] x\r\n{says}");
        }
        if command.starts_with("STATUS") {
            return format!(
                "* STATUS INBOX (MESSAGES {count} UIDNEXT {next} UIDVALIDITY {validity})\r\n"
            );
        }
        if command.starts_with("UID FETCH") {
            let line = |(number, (uid, size)): (u32, &(u32, u32))| {
                format!("* {number} FETCH (UID {uid} RFC822.SIZE {size})\r\n")
            };
            return (1..).zip(&self.messages).map(line).collect();
        }
        String::new()
    }

    /// Answers all that is asked, and tells which commands that were.
    fn serve(&self, backend: &mut ImapBackend, now: Time) -> Vec<String> {
        let mut asked = Vec::new();
        loop {
            let commands = said(backend, now);
            if commands.is_empty() {
                return asked;
            }
            for line in commands.lines() {
                let (tag, command) = line.split_once(' ').unwrap();
                let answer = format!("{}{tag} OK done\r\n", self.answer(command));
                hear(backend, now, answer.as_bytes(), usize::MAX);
                asked.push(command.to_owned());
            }
        }
    }
}

fn plain() -> Config {
    let mut config = config();
    config.trust_idle = false;
    config
}

/// The connection of a session that was there at this moment, and quit.
fn waiting_since(config: &Config, folder: &Folder, now: Time) -> Box<dyn Waiting> {
    let mut backend = ImapBackend::new(config.clone().into());
    backend.handle_request(now, Request::Open(open("secret")));
    assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
    backend.handle_outcome(now, Outcome::Connected);
    hear(&mut backend, now, PLAIN.as_bytes(), usize::MAX);
    folder.serve(&mut backend, now);
    assert_eq!(replies(&mut backend, now).len(), folder.messages.len() + 2);
    quit(&mut backend, now)
}

fn quit(backend: &mut ImapBackend, now: Time) -> Box<dyn Waiting> {
    let (deleted, retrieved) = (Vec::new(), Vec::new());
    backend.handle_request(now, Request::Update { deleted, retrieved });
    assert_eq!(replies(backend, now), ["Updated"]);
    match backend.poll_effect() {
        Some(Effect::Park(parked)) => parked.waiting,
        other => panic!("{other:?}"),
    }
}

fn taken_up(config: &Config, waiting: Box<dyn Waiting>, now: Time, access: Access) -> ImapBackend {
    let mut backend = ImapBackend::new(config.clone().into());
    backend.handle_request(now, Request::Open(open("secret").access(access)));
    assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
    backend.handle_outcome(now, Outcome::Resumed(waiting));
    backend
}

/// The names of commands.
fn names(commands: &[String]) -> Vec<&str> {
    let name = |command: &String| command.split(' ').next().unwrap().len();
    commands
        .iter()
        .map(|command| &command[..name(command)])
        .collect()
}

/// The tags of what was sent.
fn tags(commands: &str) -> Vec<&str> {
    let lines = commands.lines();
    lines.map(|line| line.split_once(' ').unwrap().0).collect()
}

const ASKED: [&str; 2] = ["NOOP", "STATUS"];
const OPENED: [&str; 2] = ["SELECT", "UID"];

#[test]
fn a_folder_without_news_is_not_listed_again() {
    let folder = Folder::of(&FOLDER);
    let mut waiting = waiting_since(&plain(), &folder, at(1));
    // and so on, from session to session
    for minute in 1..9 {
        let now = at(60 * minute);
        assert_eq!(said(&mut *waiting, now), "");
        let mut backend = taken_up(&plain(), waiting, now, Access::ReadWrite);
        assert!(
            replies(&mut backend, now).is_empty(),
            "nothing is known yet"
        );
        assert_eq!(names(&folder.serve(&mut backend, now)), ASKED);
        let heard = replies(&mut backend, now);
        assert_eq!(heard[..3], ["Authenticated", "7.3 100", "7.5 200"]);
        waiting = quit(&mut backend, now);
    }
    // the server is not believed for ever
    let mut backend = taken_up(&plain(), waiting, at(602), Access::ReadWrite);
    assert_eq!(names(&folder.serve(&mut backend, at(602))), OPENED);
    assert_eq!(replies(&mut backend, at(602)).len(), 4);
}

/// Where the question would not help, it is not asked.
#[test]
fn what_cannot_be_asked_for_is_opened_anew() {
    let folder = Folder::of(&FOLDER);
    let silent = Folder {
        says_next: false,
        ..folder.clone()
    };
    let many: Vec<_> = (1..1002).map(|uid| (uid, 10)).collect();
    let mut hides = plain();
    hides.delete = DeletePolicy::Keyword("Taken".into());
    for (config, folder, access, opened) in [
        (plain(), silent, Access::ReadWrite, "SELECT"),
        (plain(), Folder::of(&many), Access::ReadWrite, "SELECT"),
        (plain(), folder.clone(), Access::ReadOnly, "EXAMINE"),
        (hides, folder, Access::ReadWrite, "SELECT"),
    ] {
        let waiting = waiting_since(&config, &folder, at(1));
        let mut backend = taken_up(&config, waiting, at(2), access);
        assert_eq!(
            folder.serve(&mut backend, at(2))[0],
            format!("{opened} \"INBOX\"")
        );
    }
}

/// A server that refuses the question gets it once.
#[test]
fn a_server_that_refuses_is_not_asked_again() {
    let (folder, config) = (Folder::of(&FOLDER), plain());
    let waiting = waiting_since(&config, &folder, at(1));
    let mut backend = taken_up(&config, waiting, at(2), Access::ReadWrite);
    let question = said(&mut backend, at(2));
    for (line, answer) in question
        .lines()
        .zip(["OK x", "BAD STATUS of an open folder"])
    {
        let tag = line.split_once(' ').unwrap().0;
        hear(
            &mut backend,
            at(2),
            format!("{tag} {answer}\r\n").as_bytes(),
            99,
        );
    }
    assert_eq!(names(&folder.serve(&mut backend, at(2))), OPENED);
    assert_eq!(replies(&mut backend, at(2)).len(), 4);
    let waiting = quit(&mut backend, at(2));
    let mut backend = taken_up(&config, waiting, at(3), Access::ReadWrite);
    assert_eq!(names(&folder.serve(&mut backend, at(3))), OPENED);
}

/// Whatever else the server says, there is no doubt about: the folder is opened anew on the same connection.
#[test]
fn a_doubt_opens_the_folder_anew() {
    const SAME: &str = "* STATUS INBOX (MESSAGES 2 UIDNEXT 6 UIDVALIDITY 7)\r\n";
    for (untagged, noop, anew) in [
        (SAME.to_owned(), "OK", false),
        (
            format!("* OK Still here\r\n* 2 EXISTS\r\n{SAME}"),
            "OK",
            false,
        ),
        (
            "* STATUS \"INBOX\" (UIDVALIDITY 7 RECENT 9 UIDNEXT 6 MESSAGES 2)\r\n".into(),
            "OK",
            false,
        ),
        (format!("* 3 EXISTS\r\n{SAME}"), "OK", true),
        (format!("* 1 EXPUNGE\r\n{SAME}"), "OK", true),
        (format!("* VANISHED 3\r\n{SAME}"), "OK", true),
        (
            format!("* 1 FETCH (FLAGS (\\Deleted))\r\n{SAME}"),
            "OK",
            true,
        ),
        (format!("* OK [UIDVALIDITY 8] x\r\n{SAME}"), "OK", true),
        (format!("* NO out of memory\r\n{SAME}"), "OK", true),
        (SAME.to_owned(), "NO", true),
        (String::new(), "OK", true),
        (
            "* STATUS INBOX (MESSAGES 2 UIDNEXT 6)\r\n".into(),
            "OK",
            true,
        ),
        (
            "* STATUS INBOX (MESSAGES 2 UIDVALIDITY 7)\r\n".into(),
            "OK",
            true,
        ),
        (
            "* STATUS INBOX (MESSAGES 2 UIDNEXT 6 UIDVALIDITY 7\r\n".into(),
            "OK",
            true,
        ),
        (
            "* STATUS INBOX (MESSAGES 2 UIDNEXT x UIDVALIDITY 7)\r\n".into(),
            "OK",
            true,
        ),
        (
            "* STATUS INBOX (MESSAGES 3 UIDNEXT 6 UIDVALIDITY 7)\r\n".into(),
            "OK",
            true,
        ),
        (
            "* STATUS INBOX (MESSAGES 2 UIDNEXT 7 UIDVALIDITY 7)\r\n".into(),
            "OK",
            true,
        ),
        (
            "* STATUS INBOX (MESSAGES 2 UIDNEXT 6 UIDVALIDITY 8)\r\n".into(),
            "OK",
            true,
        ),
    ] {
        let folder = Folder::of(&FOLDER);
        let waiting = waiting_since(&plain(), &folder, at(1));
        let mut backend = taken_up(&plain(), waiting, at(2), Access::ReadWrite);
        let question = said(&mut backend, at(2));
        let tags = tags(&question);
        let answer = format!("{untagged}{} {noop} x\r\n{} OK x\r\n", tags[0], tags[1]);
        hear(&mut backend, at(2), answer.as_bytes(), usize::MAX);
        let asked = folder.serve(&mut backend, at(2));
        assert_eq!(!asked.is_empty(), anew, "{answer}");
        let heard = replies(&mut backend, at(2));
        assert_eq!(heard[..3], ["Authenticated", "7.3 100", "7.5 200"]);
    }
}

/// Dovecot puts off what a NOOP finds until the commands after it are answered.
#[test]
fn what_comes_after_the_status_counts_too() {
    const SAME: &str = "* STATUS INBOX (MESSAGES 2 UIDNEXT 6 UIDVALIDITY 7)\r\n";
    for (late, anew) in [("", false), ("* 3 EXISTS\r\n", true)] {
        let mut folder = Folder::of(&FOLDER);
        let waiting = waiting_since(&plain(), &folder, at(1));
        if anew {
            folder.deliver(300);
        }
        let mut backend = taken_up(&plain(), waiting, at(2), Access::ReadWrite);
        let question = said(&mut backend, at(2));
        let tags = tags(&question);
        let status = format!("{SAME}{} OK x\r\n", tags[1]);
        hear(&mut backend, at(2), status.as_bytes(), usize::MAX);
        assert!(replies(&mut backend, at(2)).is_empty());
        let noop = format!("{late}{} OK x\r\n", tags[0]);
        hear(&mut backend, at(2), noop.as_bytes(), usize::MAX);
        assert_eq!(!folder.serve(&mut backend, at(2)).is_empty(), anew);
        let heard = replies(&mut backend, at(2));
        assert_eq!(heard[1..heard.len() - 1], folder.listed());
    }
}

/// What happens to a folder between two sessions.
#[derive(Clone, Debug)]
enum Happens {
    Delivered(u32),
    /// The message at this place, if there are so many.
    Removed(usize),
    /// All is counted anew, and every message is another one.
    Renumbered,
    Nothing,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (1..5000_u32).prop_map(Happens::Delivered),
        (0..6_usize).prop_map(Happens::Removed),
        Just(Happens::Renumbered),
        Just(Happens::Nothing),
        Just(Happens::Nothing),
    ]
}

proptest! {
    /// Whatever happens between sessions, each one sees the folder as the server has it, with what it deletes itself gone.
    #[test]
    fn every_session_sees_the_folder_as_it_is(
        first in prop::collection::vec(1..5000_u32, 0..5),
        all in prop::collection::vec((happens(), 1..200_u64), 1..20),
    ) {
        let mut folder = Folder::of(&[]);
        for size in first {
            folder.deliver(size);
        }
        let mut now = at(1);
        let mut waiting = waiting_since(&plain(), &folder, now);
        for (happens, seconds) in all {
            now = now + Duration::from_secs(seconds);
            match happens {
                Happens::Delivered(size) => folder.deliver(size),
                Happens::Removed(place) if place < folder.messages.len() => {
                    folder.messages.remove(place);
                }
                Happens::Renumbered => folder.validity += 1,
                Happens::Removed(_) | Happens::Nothing => {}
            }
            let mut backend = taken_up(&plain(), waiting, now, Access::ReadWrite);
            folder.serve(&mut backend, now);
            let heard = replies(&mut backend, now);
            prop_assert_eq!(&heard[0], "Authenticated");
            prop_assert_eq!(&heard[1..heard.len() - 1], folder.listed());
            waiting = quit(&mut backend, now);
        }
    }
}
