//! A message that the upstream cannot send costs that message, not the mailbox.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{FULL, World, begun, body, config, open_with};
use imap_backend::{BrokenMessages, Config, Memory, SharedMessages, Standing};
use pop3_proto::backend::Request;
use pop3_proto::time::Time;
use proptest::prelude::*;

const MAIL: [(u32, u64); 4] = [(10, 5), (11, 5), (12, 5), (13, 5)];

/// Sessions of one process, one after the other.
struct Process {
    memory: Arc<SharedMessages>,
    now: Time,
}

impl Process {
    fn new() -> Self {
        let (memory, now) = (Arc::default(), Time::ZERO);
        Self { memory, now }
    }

    fn remembered(&self) -> usize {
        let mut count = 0;
        self.memory.lend(&mut |memory| count = memory.len());
        count
    }

    fn session(&self) -> World {
        self.session_of(config(), "alice", &MAIL)
    }

    fn session_of(&self, config: Config, user: &str, mail: &[(u32, u64)]) -> World {
        let memory: Arc<dyn Memory> = Arc::clone(&self.memory) as _;
        let mut world = World::remembering(config, memory);
        world.now = self.now;
        world.open(open_with(user, "secret"));
        world.serve(&format!("* OK [CAPABILITY {FULL}] ready\r\n"));
        world.answer_open(mail);
        world
    }

    fn ends(&mut self, mut world: World) {
        world.request(Request::Abandon);
        self.now = world.now;
    }
}

/// How a server fails to send message 11: all of it is said to the FETCH, and whether it hangs up then.
fn failures() -> Vec<(&'static str, String, bool)> {
    let next = body(3, 12, "third");
    vec![
        ("cut before it", String::new(), true),
        (
            "cut in it",
            "* 2 FETCH (UID 11 BODY[] {5}\r\nsec".into(),
            true,
        ),
        (
            "shorter than announced",
            "* 2 FETCH (UID 11 BODY[] {9}\r\nsecon)\r\nTAG OK\r\n".into(),
            false,
        ),
        (
            "shorter by a line",
            "* 2 FETCH (UID 11 BODY[] {50}\r\nsecon)\r\nTAG OK done\r\n".into(),
            false,
        ),
        (
            "takes the next one in",
            format!("* 2 FETCH (UID 11 BODY[] {{30}}\r\nsecon)\r\n{next}"),
            false,
        ),
        (
            "longer than announced",
            "* 2 FETCH (UID 11 BODY[] {3}\r\nsecon)\r\n".into(),
            false,
        ),
        (
            "another one",
            "* 2 FETCH (BODY[] {5}\r\nthird UID 12)\r\n".into(),
            false,
        ),
        ("silence", String::new(), false),
    ]
}

/// Asks for 11 and lets the server fail it until it is answered; how often that was. Nothing of what the
/// server said ever goes out.
fn fail(world: &mut World, ticket: u32, how: &(&'static str, String, bool)) -> usize {
    let (what, said, hangs_up) = how;
    world.retrieve(ticket, 1);
    let mut times = 0;
    loop {
        if let Some(reply) = world.take_replies_said().pop() {
            assert!(
                reply.starts_with(&format!("BodyFailed {ticket} Temporary")),
                "{what}: {reply}"
            );
            assert!(
                reply.contains("UID 11") && reply.contains("message 2"),
                "{reply}"
            );
            assert!(!world.bodies.contains_key(&ticket), "{what}");
            return times;
        }
        times += 1;
        assert!(times < 5, "{what}");
        if world.take_sent().contains("LOGIN") {
            unreachable!("answered by the caller");
        }
        let tag = world.last_tag();
        world.serve(&said.replace("TAG", &tag));
        if *hangs_up {
            world.hang_up();
        }
        // the deadline of a new connection is not awaited
        for _ in 0..61 {
            if world.reopen_if_asked() || !world.replies.is_empty() {
                break;
            }
            world.pass(Duration::from_secs(1));
        }
    }
}

/// One message that cannot be sent, in whatever way: it is refused before anything of it goes out, the ones
/// before and after it come, and all of them can be deleted. From the third session on it costs nothing.
#[test]
fn w007_a_message_that_cannot_be_sent_costs_itself_alone() {
    for how in failures() {
        let mut process = Process::new();
        for (session, asked) in [2, 1, 0, 0].into_iter().enumerate() {
            let mut world = process.session();
            for (ticket, index) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
                if index == 1 {
                    assert_eq!(fail(&mut world, ticket, &how), asked, "{} {session}", how.0);
                    continue;
                }
                world.retrieve(ticket, index);
                world.reopen_if_asked();
                world.serve_wanted();
                let replies = world.take_replies_said();
                let expected = [
                    format!("BodyStart {ticket} Some(5)"),
                    format!("BodyEnd {ticket}"),
                ];
                assert_eq!(replies, expected, "{} {session}", how.0);
                assert_eq!(world.bodies[&ticket], b"whole");
            }
            process.ends(world);
        }
        // it is tried again, and forgotten when it comes
        process.now = process.now + Duration::from_secs(11 * 60);
        let mut world = process.session();
        world.retrieve(1, 1);
        let tag = world.expect("UID FETCH 11 (UID BODY.PEEK[])");
        world.serve(&format!("{}{tag} OK\r\n", body(2, 11, "well!")));
        world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
        assert!(process.memory.is_empty());
    }
}

/// What had begun cannot be refused any more: that session is cut. It does not go on for ever.
#[test]
fn w007_a_large_message_that_breaks_off_is_refused_in_the_third_session() {
    let mail = [(10, 5), (11, 100_000), (12, 5)];
    let mut process = Process::new();
    for session in 0..3 {
        let mut world = process.session_of(config(), "alice", &mail);
        world.retrieve(1, 1);
        if session < 2 {
            world.expect("UID FETCH 11 (UID BODY.PEEK[])");
            world.serve(&begun("UID 11 BODY[]"));
            world.hang_up();
            let replies = world.take_replies_said();
            assert!(
                replies[1].starts_with("BodyFailed 1 Temporary"),
                "{replies:?}"
            );
        } else {
            world.expect_nothing();
            world.expect_reply("BodyFailed 1 Temporary");
            world.top(2, 1, 0);
            world.expect_reply("BodyFailed 2 Temporary");
        }
        process.ends(world);
    }
}

/// A client that leaves before we give up: the silence counts all the same. One that leaves at once says
/// nothing of the message.
#[test]
fn w007_a_client_that_waited_in_vain_counts() {
    for (waits, refused) in [(45, true), (1, false)] {
        let mut process = Process::new();
        for _ in 0..2 {
            let mut world = process.session();
            world.retrieve(1, 1);
            world.pass(Duration::from_secs(waits));
            process.ends(world);
        }
        let mut world = process.session();
        world.retrieve(1, 1);
        assert_eq!(world.take_replies_said().len(), usize::from(refused));
        assert_eq!(world.take_sent().is_empty(), refused);
    }
}

/// What is here and was not taken is the client's delay, not the upstream's.
#[test]
fn w007_a_client_that_does_not_read_says_nothing_of_the_message() {
    for (takes, counts) in [(0, 0), (16 * 1024, 1)] {
        let mut process = Process::new();
        let mut world = process.session_of(config(), "alice", &[(10, 5), (11, 100_000)]);
        world.retrieve(1, 1);
        world.expect("UID FETCH 11 (UID BODY.PEEK[])");
        world.room = takes;
        let half = "x".repeat(60_000);
        world.serve(&format!("* 2 FETCH (UID 11 BODY[] {{100000}}\r\n{half}"));
        world.pass(Duration::from_secs(45));
        process.ends(world);
        assert_eq!(process.remembered(), counts, "room for {takes}");
    }
}

/// The same for the header of a message, which is what TOP asks for.
#[test]
fn w007_a_client_that_waited_for_a_header_in_vain_counts() {
    for (waits, counts) in [(45, true), (1, false)] {
        let mut process = Process::new();
        let mut world = process.session();
        world.top(1, 1, 0);
        world.pass(Duration::from_secs(waits));
        process.ends(world);
        assert_eq!(process.remembered(), usize::from(counts));
    }
}

/// A literal or a text in the line itself.
#[test]
fn w007_an_empty_text_is_not_the_message_that_was_announced() {
    for (size, text) in [(5, "\"\""), (5, "{0}\r\n"), (1, "\"\""), (1, "{0}\r\n")] {
        let process = Process::new();
        let mut world = process.session_of(config(), "alice", &[(11, size)]);
        world.retrieve(1, 0);
        let tag = world.expect("UID FETCH 11 (UID BODY.PEEK[])");
        world.serve(&format!("* 1 FETCH (UID 11 BODY[] {text})\r\n{tag} OK\r\n"));
        world.expect_reply("BodyFailed 1 Temporary");
    }
}

/// A failure is a day old: the next one is the first again.
#[test]
fn w007_a_failure_is_forgotten_after_a_day() {
    let mailbox: Arc<str> = "mailbox".into();
    let day = Duration::from_secs(24 * 60 * 60);
    for (early, standing) in [
        (Duration::ZERO, Some(Standing::Doubtful)),
        (Duration::from_nanos(1), None),
    ] {
        let mut memory = BrokenMessages::default();
        memory.failed(Time::ZERO, &mailbox, 1);
        let again = Time::ZERO + (day - early);
        memory.failed(again, &mailbox, 1);
        let found = memory.standing(again, &mailbox, 1);
        let refused = Standing::RefusedUntil(again + Duration::from_secs(600));
        assert_eq!(found, standing.unwrap_or(refused));
    }
}

/// What is asked for ahead stops before a doubtful message, so that it cannot break the others.
#[test]
fn w007_nothing_is_asked_for_ahead_with_a_doubtful_message() {
    let mut process = Process::new();
    let failure = &failures()[0];
    let mut world = process.session();
    fail(&mut world, 1, failure);
    process.ends(world);
    let mut world = process.session_of(
        config(),
        "alice",
        &[(8, 5), (9, 5), (10, 5), (11, 5), (12, 5)],
    );
    for (ticket, index, uid) in [(1, 0, 8), (2, 1, 9)] {
        world.retrieve(ticket, index);
        let set = if uid == 8 { "8" } else { "9:10" };
        let tag = world.expect(&format!("UID FETCH {set} (UID BODY.PEEK[])"));
        world.serve(&body(1, uid, "whole"));
        if uid == 9 {
            world.serve(&body(1, 10, "whole"));
        }
        world.serve(&format!("{tag} OK\r\n"));
    }
}

/// A connection that breaks before the doubtful message was asked for: it is answered in its turn, and blamed
/// for nothing.
#[test]
fn w007_a_doubtful_message_is_answered_in_its_turn() {
    let mut process = Process::new();
    let mut world = process.session();
    fail(&mut world, 1, &failures()[0]);
    process.ends(world);
    let mut world = process.session();
    world.retrieve(1, 0);
    world.retrieve(2, 1);
    world.take_sent();
    world.hang_up();
    assert!(world.take_replies_said().is_empty());
    world.reopen_if_asked();
    for ticket in [1, 2] {
        world.serve_wanted();
        assert_eq!(world.bodies[&ticket], b"whole");
    }
    assert!(process.memory.is_empty());
}

/// Another user, server, folder or UIDVALIDITY has other messages under the same UIDs.
#[test]
fn w007_other_mailboxes_are_not_concerned() {
    let mut process = Process::new();
    for _ in 0..2 {
        let mut world = process.session();
        fail(&mut world, 1, &failures()[0]);
        process.ends(world);
    }
    let mut elsewhere = [config(), config(), config()];
    elsewhere[0].endpoint.host = "imap.example.net".into();
    elsewhere[1].endpoint.port = 144;
    elsewhere[2].folder = "Archive".into();
    for config in elsewhere {
        let mut world = process.session_of(config, "alice", &MAIL);
        world.retrieve(1, 1);
        world.expect("UID FETCH 11 (UID BODY.PEEK[])");
    }
    let mut world = process.session_of(config(), "bob", &MAIL);
    world.retrieve(1, 1);
    world.expect("UID FETCH 11 (UID BODY.PEEK[])");
    let mut world = process.session();
    world.retrieve(1, 1);
    world.expect_reply("BodyFailed 1 Temporary");
}

/// A connection that is lost while nothing is asked for, or that is replaced, is no message's fault.
#[test]
fn w007_a_connection_that_is_lost_while_idle_blames_nobody() {
    let mut process = Process::new();
    for _ in 0..5 {
        let mut world = process.session();
        world.hang_up();
        world.retrieve(1, 1);
        world.reopen_if_asked();
        world.serve_wanted();
        world.hang_up();
        assert_eq!(world.bodies[&1], b"whole");
        process.ends(world);
    }
    assert!(process.memory.is_empty());
}

/// A literal that is far shorter than announced: the line after it is no part of the message where it comes in
/// whole lines, and no minute is waited for the rest.
#[test]
fn w007_the_end_of_a_command_is_no_part_of_a_message_that_is_far_too_short() {
    for (text, missing) in [
        ("Subject: x\r\n\r\nhello\r\n", 102_400),
        ("x\r\n", 40_000),
        ("", 99_999),
    ] {
        for text in [text.to_owned(), format!("{}\r\n{text}", "y".repeat(90_000))] {
            for chunk in [usize::MAX, 1000] {
                for tail in [")", " UID 10)", " FLAGS (\\Seen))"] {
                    let mut world = World::opened(config(), FULL, &[(10, 5)]);
                    world.chunks = vec![chunk];
                    world.retrieve(1, 0);
                    let tag = world.expect("UID FETCH 10 (UID BODY.PEEK[])");
                    let size = text.len() + missing;
                    world.serve(&format!("* 1 FETCH (UID 10 BODY[] {{{size}}}\r\n{text}"));
                    world.serve(&format!("{tail}\r\n"));
                    world.serve(&format!("{tag} OK done\r\n"));
                    world.pass(Duration::from_secs(6));
                    let came = world.bodies.get(&1).cloned().unwrap_or_default();
                    assert!(
                        text.as_bytes().starts_with(&came),
                        "{missing} {chunk} {tail:?}"
                    );
                    assert!(came.len() + 3 >= text.len(), "{missing} {chunk} {tail:?}");
                    // of which nothing was sent it gets another try
                    assert!(
                        came.is_empty()
                            || world.replies.iter().any(|r| r.starts_with("BodyFailed 1")),
                        "{:?}",
                        world.replies
                    );
                }
            }
        }
    }
}

/// What only reads like the end of a command waits for what follows, and comes whole.
#[test]
fn w007_a_message_that_quotes_the_end_of_a_command_comes_whole() {
    let quoted = ")\r\nA4 OK done\r\n UID 10)\r\nA99 NO no\r\n)\r\n";
    let text = quoted.repeat(3000);
    for chunk in [usize::MAX, 1, 7, 13, 512, 5000] {
        let mut world = World::opened(config(), FULL, &[(10, 5)]);
        world.chunks = vec![chunk];
        world.retrieve(1, 0);
        let tag = world.expect("UID FETCH 10 (UID BODY.PEEK[])");
        world.serve(&format!("{}{tag} OK\r\n", body(1, 10, &text)));
        world.expect_replies(&[&format!("BodyStart 1 Some({})", text.len()), "BodyEnd 1"]);
        assert!(world.bodies[&1] == text.as_bytes(), "{chunk}");
    }
}

/// A size that differs from the announced one is reported once a session, with number and UID, and as a warning
/// where much is missing. What comes is delivered.
#[test]
fn w006_a_differing_size_is_reported_once_a_session_with_its_uid() {
    for (sent, level) in [
        ("eleven octs", "Information"),
        ("nine octs", "Information"),
        ("four", "Warning"),
    ] {
        let mut config = config();
        config.read_ahead = 0;
        let mut world = World::opened(config, FULL, &[(4, 10), (9, 10), (12, 10)]);
        for (index, uid) in [4, 9, 12].into_iter().enumerate() {
            world.retrieve(uid, index as u32);
            let text = if uid == 4 { "ten octets" } else { sent };
            let tag = world.expect(&format!("UID FETCH {uid} (UID BODY.PEEK[])"));
            world.serve(&format!(
                "{}{tag} OK\r\n",
                body(index as u32 + 1, uid, text)
            ));
            world.expect_replies(&[
                &format!("BodyStart {uid} Some({})", text.len()),
                &format!("BodyEnd {uid}"),
            ]);
        }
        let notes = world.notes();
        assert_eq!(notes.len(), 1, "{notes:?}");
        let sends = format!("announced 10 octets and sends {};", sent.len());
        for part in [level, "message 2", "UID 9", &sends] {
            assert!(notes[0].contains(part), "{part}: {notes:?}");
        }
    }
}

/// Twice: ten minutes; then an hour; then six hours each time. A day without a failure, and it is forgotten.
#[test]
fn w007_a_message_that_fails_again_is_refused_for_longer() {
    let (mailbox, mut memory) = (Arc::from("a"), BrokenMessages::default());
    let (minute, mut now, mut last) = (Duration::from_secs(60), Time::ZERO, Time::ZERO);
    for minutes in [0, 10, 60, 360, 360] {
        memory.failed(now, &mailbox, 1);
        let until = now + minute * minutes;
        let refused = match minutes {
            0 => Standing::Doubtful,
            _ => Standing::RefusedUntil(until),
        };
        assert_eq!(memory.standing(now, &mailbox, 1), refused);
        assert_eq!(memory.standing(until, &mailbox, 1), Standing::Doubtful);
        (last, now) = (now, until);
    }
    let day = minute * 60 * 24;
    let standing = |at| memory.standing(at, &mailbox, 1);
    assert_eq!(standing(last + (day - minute)), Standing::Doubtful);
    assert_eq!(standing(last + day), Standing::Good);
}

/// When no more fit, the one that failed first is forgotten.
#[test]
fn w007_as_many_are_remembered_as_fit() {
    let (mailbox, mut memory) = (Arc::from("a"), BrokenMessages::default());
    let fit = BrokenMessages::CAPACITY;
    for n in 0..=fit {
        assert_eq!(memory.len(), n);
        memory.failed(
            Time::ZERO + Duration::from_secs(n as u64),
            &mailbox,
            n as u64,
        );
    }
    assert_eq!(memory.len(), fit);
    let now = Time::ZERO + Duration::from_secs(fit as u64);
    assert_eq!(memory.standing(now, &mailbox, 0), Standing::Good);
    assert_eq!(memory.standing(now, &mailbox, 1), Standing::Doubtful);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Against a list of all that happened: bounded, refuses only what failed twice and lately, forgets.
    #[test]
    fn w007_the_memory_is_bounded_forgets_and_never_refuses_another_message(
        events in proptest::collection::vec(
            (0..3_usize, prop_oneof![1..6_u64, 1..3000_u64], 0..20_000_u64, prop_oneof![4 => Just(true), 1 => Just(false)], any::<bool>()),
            0..3000,
        ),
    ) {
        let mailboxes: [Arc<str>; 3] = ["a", "b", "c"].map(Arc::from);
        let mut memory = BrokenMessages::default();
        let mut history: std::collections::BTreeMap<(usize, u64), Vec<Time>> = Default::default();
        let mut now = Time::ZERO;
        for (mailbox, uid, seconds, fails, waits) in events {
            if waits {
                now = now + Duration::from_secs(seconds);
            }
            if fails {
                memory.failed(now, &mailboxes[mailbox], uid);
                history.entry((mailbox, uid)).or_default().push(now);
            } else {
                memory.sent(&mailboxes[mailbox], uid);
                history.remove(&(mailbox, uid));
                prop_assert_eq!(memory.standing(now, &mailboxes[mailbox], uid), Standing::Good);
            }
            prop_assert!(memory.len() <= BrokenMessages::CAPACITY);
        }
        for (place, mailbox) in mailboxes.iter().enumerate() {
            for uid in 0..3001 {
                let failed = history.get(&(place, uid)).map(Vec::as_slice).unwrap_or_default();
                match memory.standing(now, mailbox, uid) {
                    Standing::Good => {}
                    Standing::Doubtful => prop_assert!(!failed.is_empty()),
                    Standing::RefusedUntil(until) => {
                        prop_assert!(failed.len() >= 2 && until > now);
                        prop_assert!(until <= *failed.last().unwrap() + Duration::from_secs(6 * 3600));
                    }
                }
                let tomorrow = now + Duration::from_secs(24 * 3600);
                prop_assert_eq!(memory.standing(tomorrow, mailbox, uid), Standing::Good);
            }
        }
    }
}
