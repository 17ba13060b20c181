//! A connection between two sessions: what the server may say to it, and what the next login makes of that.

use std::time::Duration;

use imap_backend::{Config, ImapBackend, Security};
use pop3_proto::backend::waiting::{Claim, Waiting};
use pop3_proto::backend::{Access, Backend, Effect, Login, Open, Outcome, Reply, Request};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;
use proptest::prelude::*;

pub(crate) const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 UIDPLUS IDLE] ready\r\n";
pub(crate) const PLAIN: &str = "* OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\r\n";

pub(crate) fn config() -> Config {
    let mut config = Config::new("imap.example.org", 143, Security::Clear);
    config.park = Duration::from_secs(600);
    config.trust_idle = true;
    config
}

pub(crate) fn open(password: &str) -> Open {
    let (user, password) = ("tim".into(), Secret::from(password.as_bytes()));
    Open::new(Login::Password { user, password })
}

pub(crate) fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

/// One side of the dialogue: what was said is taken.
pub(crate) fn said<B: Backend + ?Sized>(backend: &mut B, now: Time) -> String {
    let said = String::from_utf8(backend.transmit().to_vec()).unwrap();
    backend.transmitted(now, said.len());
    said
}

/// Lets the server say this as far as it is heard.
pub(crate) fn hear<B: Backend + ?Sized>(
    backend: &mut B,
    now: Time,
    mut octets: &[u8],
    most: usize,
) {
    while !octets.is_empty() {
        let room = backend.recv_buf();
        let n = room.len().min(octets.len()).min(most);
        if n == 0 {
            return;
        }
        room[..n].copy_from_slice(&octets[..n]);
        backend.received(now, n);
        octets = &octets[n..];
    }
}

/// The replies that are there, in short.
pub(crate) fn replies(backend: &mut ImapBackend, now: Time) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(reply) = backend.poll_reply(now, 1000) {
        let text = if let Reply::Entry { size, unique_id } = reply {
            format!("{} {size}", String::from_utf8_lossy(unique_id))
        } else {
            format!("{reply:?}")
        };
        all.push(text);
    }
    all
}

/// Answers the commands that are sent until none is.
pub(crate) fn serve(backend: &mut ImapBackend, now: Time, folder: &[(u32, u32)], validity: u32) {
    loop {
        let commands = said(backend, now);
        if commands.is_empty() {
            return;
        }
        for line in commands.lines() {
            let Some((tag, command)) = line.split_once(' ') else {
                assert_eq!(line, "DONE");
                continue;
            };
            let mut answer = String::new();
            if command.starts_with("SELECT") || command.starts_with("EXAMINE") {
                answer = format!(
                    "* {} EXISTS\r\n* OK [UIDVALIDITY {validity}] x\r\n",
                    folder.len()
                );
            } else if command.starts_with("UID FETCH") {
                for (number, (uid, size)) in (1..).zip(folder) {
                    answer += &format!("* {number} FETCH (UID {uid} RFC822.SIZE {size})\r\n");
                }
            }
            answer += &format!("{tag} OK done\r\n");
            hear(backend, now, answer.as_bytes(), usize::MAX);
        }
    }
}

/// A login that goes the way of all others, up to the open folder.
pub(crate) fn logged_in(config: &Config, greeting: &str, folder: &[(u32, u32)]) -> ImapBackend {
    let mut backend = ImapBackend::new(config.clone().into());
    backend.handle_request(at(1), Request::Open(open("secret")));
    assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
    backend.handle_outcome(at(1), Outcome::Connected);
    hear(&mut backend, at(1), greeting.as_bytes(), usize::MAX);
    serve(&mut backend, at(1), folder, 7);
    let heard = replies(&mut backend, at(1));
    assert_eq!(heard.len(), folder.len() + 2, "{heard:?}");
    backend
}

fn quit(backend: &mut ImapBackend, now: Time) -> Option<(Claim, Box<dyn Waiting>)> {
    let (deleted, retrieved) = (Vec::new(), Vec::new());
    backend.handle_request(now, Request::Update { deleted, retrieved });
    assert_eq!(replies(backend, now), ["Updated"]);
    match backend.poll_effect() {
        Some(Effect::Park(parked)) => Some((parked.claim, parked.waiting)),
        Some(Effect::Disconnect) => None,
        other => panic!("{other:?}"),
    }
}

pub(crate) const FOLDER: [(u32, u32); 2] = [(3, 100), (5, 200)];

/// A connection that waits since second 1.
fn waiting(greeting: &str) -> Box<dyn Waiting> {
    quit(&mut logged_in(&config(), greeting, &FOLDER), at(1))
        .unwrap()
        .1
}

/// The next login, on this connection.
fn resumed(waiting: Box<dyn Waiting>, now: Time, open: Open) -> ImapBackend {
    let mut backend = ImapBackend::new(config().into());
    backend.handle_request(now, Request::Open(open));
    assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
    backend.handle_outcome(now, Outcome::Resumed(waiting));
    backend
}

#[test]
fn a_server_without_idle_is_asked_in_one_flight() {
    let mut waiting = waiting(PLAIN);
    assert_eq!(said(&mut *waiting, at(1)), "");
    assert_eq!(waiting.poll_timeout(), Some(at(601)));
    let mut backend = resumed(waiting, at(100), open("secret"));
    assert!(
        replies(&mut backend, at(100)).is_empty(),
        "nothing is known yet"
    );
    serve(&mut backend, at(100), &[(5, 200), (6, 1)], 8);
    let heard = replies(&mut backend, at(100));
    assert_eq!(heard[..3], ["Authenticated", "8.5 200", "8.6 1"]);
}

#[test]
fn i026_a_server_that_idles_need_not_be_asked() {
    let mut waiting = waiting(GREETING);
    assert!(said(&mut *waiting, at(1)).ends_with(" IDLE\r\n"));
    hear(&mut *waiting, at(2), b"+ idling\r\n* OK Still here\r\n", 1);
    let mut backend = resumed(waiting, at(100), open("secret"));
    let heard = replies(&mut backend, at(100));
    assert_eq!(heard[..3], ["Authenticated", "7.3 100", "7.5 200"]);
    assert_eq!(said(&mut backend, at(100)), "");
    // and goes on idling if the session asks for nothing
    let (_, mut again) = quit(&mut backend, at(100)).unwrap();
    assert_eq!(said(&mut *again, at(100)), "");
    let mut backend = resumed(again, at(120), open("secret"));
    assert_eq!(replies(&mut backend, at(120)).len(), 4);
    // or is told that it may stop
    let (ticket, index) = (
        pop3_proto::backend::Ticket(1),
        pop3_proto::backend::Index(0),
    );
    let part = pop3_proto::backend::Part::Whole;
    backend.handle_request(
        at(121),
        Request::Retrieve {
            ticket,
            index,
            part,
        },
    );
    let commands = said(&mut backend, at(121));
    assert!(commands.starts_with("DONE\r\nA"), "{commands}");
}

#[test]
fn a_silence_is_believed_only_for_a_while() {
    let mut waiting = waiting(GREETING);
    said(&mut *waiting, at(1));
    hear(&mut *waiting, at(2), b"+ idling\r\n", 99);
    let mut backend = resumed(waiting, at(200), open("secret"));
    assert!(replies(&mut backend, at(200)).is_empty());
    let commands = said(&mut backend, at(200));
    assert!(
        commands.starts_with("DONE\r\nA") && commands.contains(" SELECT "),
        "{commands}"
    );
    // a server that says nothing is given up, and the login begins from the beginning
    let due = backend.poll_timeout().unwrap();
    assert_eq!(due, at(205));
    backend.handle_timeout(due);
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    assert!(matches!(backend.poll_effect(), Some(Effect::Connect(_))));
    assert!(replies(&mut backend, due).is_empty());
}

/// IDLE is not answered yet: DONE waits for the server's `+`, and everything else for DONE.
#[test]
fn done_waits_for_the_answer_to_idle() {
    let mut waiting = waiting(GREETING);
    let idle = said(&mut *waiting, at(1));
    let mut backend = resumed(waiting, at(1), open("secret"));
    assert_eq!(said(&mut backend, at(1)), "");
    hear(&mut backend, at(1), b"+ idling\r\n", 99);
    let commands = said(&mut backend, at(1));
    assert!(
        commands.starts_with("DONE\r\nA") && commands.contains(" SELECT "),
        "{commands}"
    );
    // a server that refuses IDLE gets no DONE
    let mut waiting = self::waiting(GREETING);
    assert_eq!(said(&mut *waiting, at(1)), idle);
    let mut backend = resumed(waiting, at(1), open("secret"));
    let tag = idle.split_once(' ').unwrap().0;
    hear(
        &mut backend,
        at(1),
        format!("{tag} BAD no\r\n").as_bytes(),
        99,
    );
    let commands = said(&mut backend, at(1));
    assert!(
        commands.contains(" SELECT ") && !commands.contains("DONE"),
        "{commands}"
    );
}

/// Another kind of access needs the folder to be opened in another way.
#[test]
fn another_access_opens_the_folder_anew() {
    let mut waiting = waiting(GREETING);
    said(&mut *waiting, at(1));
    hear(&mut *waiting, at(1), b"+ idling\r\n", 99);
    let mut backend = resumed(waiting, at(2), open("secret").access(Access::ReadOnly));
    let commands = said(&mut backend, at(2));
    assert!(
        commands.starts_with("DONE\r\nA") && commands.contains(" EXAMINE "),
        "{commands}"
    );
}

#[test]
fn its_time_ends_with_a_good_bye() {
    for greeting in [PLAIN, GREETING] {
        let mut waiting = waiting(greeting);
        said(&mut *waiting, at(1));
        hear(
            &mut *waiting,
            at(1),
            b"+ idling\r\n",
            if greeting == PLAIN { 0 } else { 99 },
        );
        let due = waiting.poll_timeout().unwrap();
        waiting.handle_timeout(due);
        assert!(!waiting.is_fit());
        let last = said(&mut *waiting, due);
        assert!(
            last.ends_with(" LOGOUT\r\n") && last.lines().count() <= 2,
            "{last}"
        );
        assert!(matches!(waiting.poll_effect(), Some(Effect::Disconnect)));
        assert!(waiting.poll_effect().is_none() && waiting.poll_timeout().is_none());
        assert!(waiting.recv_buf().is_empty());
    }
}

/// A server that is not believed is asked, whatever it offers.
#[test]
fn a_server_idles_only_where_it_is_believed() {
    let mut config = config();
    config.trust_idle = false;
    let (_, mut waiting) = quit(&mut logged_in(&config, GREETING, &FOLDER), at(1)).unwrap();
    assert_eq!(said(&mut *waiting, at(1)), "");
    let mut backend = resumed(waiting, at(2), open("secret"));
    assert!(said(&mut backend, at(2)).contains(" SELECT "));
}

/// What is not over is not put aside: a message under way, an update that failed, a server that said good-bye.
#[test]
fn only_what_is_in_order_waits() {
    let say = |text: &str| {
        let mut backend = logged_in(&config(), PLAIN, &FOLDER);
        hear(&mut backend, at(2), text.as_bytes(), 99);
        quit(&mut backend, at(2)).is_some()
    };
    assert!(say(""));
    assert!(say("* 3 EXISTS\r\n* 1 EXPUNGE\r\n"));
    assert!(!say("* BYE so long\r\n") && !say("* 3 EXI"));
    let mut off = config();
    off.park = Duration::ZERO;
    let mut backend = ImapBackend::new(off.into());
    backend.handle_request(at(1), Request::Open(open("secret")));
    assert!(matches!(backend.poll_effect(), Some(Effect::Connect(_))));
}

/// The server's yes to a password counts for an hour, however often the connection is used.
#[test]
fn the_time_of_the_login_limits_all() {
    let mut config = config();
    config.trust_login = Duration::from_secs(300);
    let mut backend = logged_in(&config, PLAIN, &FOLDER);
    let (_, waiting) = quit(&mut backend, at(200)).unwrap();
    assert_eq!(waiting.poll_timeout(), Some(at(301)));
    let mut backend = logged_in(&config, PLAIN, &FOLDER);
    assert!(quit(&mut backend, at(301)).is_none());
}

/// What a server may say to a connection that waits, and how bad that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bad {
    Harmless,
    News,
    Doubt,
}

fn lines() -> impl Strategy<Value = (&'static str, Bad)> {
    prop::sample::select(vec![
        ("* OK Still here", Bad::Harmless),
        ("* OK [UIDVALIDITY 7] as before", Bad::Harmless),
        ("* 3 EXISTS", Bad::News),
        ("* 1 EXPUNGE", Bad::News),
        ("* VANISHED 3", Bad::News),
        ("* 1 FETCH (FLAGS (\\Seen))", Bad::News),
        ("* 1 FETCH (UID 9 FLAGS ())", Bad::News),
        ("* 1 RECENT", Bad::News),
        ("* XYZ {3}\r\nabc", Bad::News),
        ("* OK [UIDVALIDITY 8] another", Bad::Doubt),
        ("* NO overquota", Bad::Doubt),
        ("* BAD what", Bad::Doubt),
        ("* BYE so long", Bad::Doubt),
        ("A99 OK never asked", Bad::Doubt),
        ("* 1 FETCH (UID 3 BODY[] {3}\r\nabc)", Bad::Doubt),
        ("* 1 FETCH (UID 3 BODY[] \"abc\")", Bad::Doubt),
        ("* LIST () \"/\" INBOX", Bad::Doubt),
        ("HTTP/1.1 200 OK", Bad::Doubt),
        ("+ again", Bad::Harmless),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Only a server that said nothing of weight is believed without being asked; in doubt there is no connection.
    /// However the octets are cut, and whatever was said, the next login lists what the server has.
    #[test]
    fn what_is_said_meanwhile_decides(
        said_meanwhile in prop::collection::vec(lines(), 0..4),
        piece in 1..40_usize,
        whole in any::<bool>(),
    ) {
        let mut text = "+ idling\r\n".to_owned();
        for (line, _) in &said_meanwhile {
            text += line;
            text += "\r\n";
        }
        if !whole {
            text.truncate(text.len() - 1);
        }
        let worst = said_meanwhile.iter().map(|(_, bad)| *bad).max().unwrap_or(Bad::Harmless);
        let mut waiting = waiting(GREETING);
        said(&mut *waiting, at(1));
        hear(&mut *waiting, at(2), text.as_bytes(), piece);
        if worst == Bad::Doubt && whole {
            prop_assert!(!waiting.is_fit());
        }
        prop_assert!(whole || !waiting.is_fit());
        if !waiting.is_fit() {
            return Ok(());
        }
        let mut backend = resumed(waiting, at(3), open("secret"));
        let heard = replies(&mut backend, at(3));
        if worst == Bad::Harmless {
            prop_assert_eq!(heard.len(), 4);
        } else {
            prop_assert!(heard.is_empty());
            serve(&mut backend, at(3), &[(5, 200), (6, 9)], 7);
            let heard = replies(&mut backend, at(3));
            prop_assert_eq!(&heard[..3], ["Authenticated", "7.5 200", "7.6 9"]);
        }
    }

    /// Any octets at all: no panic, bounded, and what is left of the connection lists what the server has.
    #[test]
    fn any_octets_at_all(octets in prop::collection::vec(any::<u8>(), 0..300), piece in 1..40_usize) {
        let mut waiting = waiting(GREETING);
        said(&mut *waiting, at(1));
        hear(&mut *waiting, at(2), b"+ idling\r\n", 99);
        hear(&mut *waiting, at(2), &octets, piece);
        if waiting.is_fit() {
            let mut backend = resumed(waiting, at(3), open("secret"));
            serve(&mut backend, at(3), &FOLDER, 7);
            let heard = replies(&mut backend, at(3));
            prop_assert_eq!(&heard[..3], ["Authenticated", "7.3 100", "7.5 200"]);
        }
    }
}
