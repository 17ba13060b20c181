//! Whole sessions against the testkit's IMAP server, which behaves or does not.
//!
//! Whatever happens upstream: what is called complete is complete, what is called deleted is deleted,
//! and nothing is deleted that was not marked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{check_commands, config, password_open};
use imap_backend::{Config, DeletePolicy, ImapBackend};
use pop3_proto::backend::{Backend, Effect, Failure, Index, Outcome, Part, Reply, Request, Ticket};
use pop3_proto::time::Time;
use proptest::prelude::*;
use testkit::imap_server::{BodyForm, Fault, Options, Server, ServerSession, Store, Trouble};

const FOLDER: &str = "INBOX";
const USER: &str = "alice";

/// A backend and a server, joined in memory.
struct Live {
    backend: ImapBackend,
    server: Server,
    session: Option<ServerSession>,
    now: Time,
    chunks: Vec<usize>,
    chunk: usize,
    /// What was sent on each connection.
    sent: Vec<Vec<u8>>,
    /// What was answered, in order.
    ends: Vec<End>,
    entries: Vec<(u32, u64)>,
    /// The unique-ids in the order of the entries.
    ids: Vec<String>,
    bodies: BTreeMap<u32, Vec<u8>>,
    open_requests: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Opened,
    NotOpened(String),
    Body(u32),
    NoBody(u32, String),
    Updated,
    NotUpdated(String),
}

impl Live {
    fn new(config: Config, server: Server, chunks: Vec<usize>) -> Self {
        Self {
            backend: ImapBackend::new(Arc::new(config)),
            server,
            session: None,
            now: Time::ZERO,
            chunks,
            chunk: 0,
            sent: Vec::new(),
            ends: Vec::new(),
            entries: Vec::new(),
            ids: Vec::new(),
            bodies: BTreeMap::new(),
            open_requests: 0,
        }
    }

    /// Makes a request and waits for its end, however long that takes on the clock.
    fn ask(&mut self, request: Request) -> Option<End> {
        let answered = self.ends.len();
        self.post(request);
        for _ in 0..50 {
            if self.open_requests == 0 {
                break;
            }
            let at = self.backend.poll_timeout();
            let at = at.unwrap_or_else(|| panic!("awaited for ever: {:?}", self.ends));
            self.now = self.now.max(at);
            self.backend.handle_timeout(self.now);
            self.run();
        }
        assert_eq!(self.open_requests, 0, "never answered: {:?}", self.ends);
        self.ends.get(answered).cloned()
    }

    fn post(&mut self, request: Request) {
        match request {
            Request::Open(_) | Request::Retrieve { .. } | Request::Update { .. } => {
                self.open_requests += 1;
            }
            Request::Answer(_) | Request::Cancel(_) | Request::Abandon => {}
        }
        self.backend.handle_request(self.now, request);
        self.run();
    }

    fn next_chunk(&mut self) -> usize {
        self.chunk = (self.chunk + 1) % self.chunks.len();
        self.chunks[self.chunk]
    }

    fn run(&mut self) {
        for step in 0.. {
            assert!(step < 200_000, "it never ends");
            let mut moved = self.take_replies();
            while let Some(effect) = self.backend.poll_effect() {
                moved = true;
                match effect {
                    Effect::Connect(_) => {
                        self.sent.push(Vec::new());
                        self.session = Some(self.server.connect());
                        self.backend.handle_outcome(self.now, Outcome::Connected);
                    }
                    Effect::Disconnect => {
                        // what is still to be sent is sent
                        let out = self.backend.transmit().to_vec();
                        self.sent.last_mut().unwrap().extend_from_slice(&out);
                        if let Some(session) = &mut self.session {
                            session.handle_input(&out);
                            session.handle_eof();
                        }
                        self.backend.transmitted(self.now, out.len());
                        self.session = None;
                    }
                    Effect::StartTls { .. } | Effect::Run(_) => panic!("not asked for"),
                }
            }
            let chunk = self.next_chunk();
            let Some(session) = &mut self.session else {
                if moved {
                    continue;
                }
                return;
            };
            let out = self.backend.transmit();
            let n = out.len().min(chunk);
            if n > 0 && session.wants_input() {
                moved = true;
                self.sent.last_mut().unwrap().extend_from_slice(&out[..n]);
                session.handle_input(&out[..n]);
                self.backend.transmitted(self.now, n);
            }
            let buf = self.backend.recv_buf();
            let n = buf.len().min(session.transmit().len()).min(chunk);
            if n > 0 {
                moved = true;
                buf[..n].copy_from_slice(&session.transmit()[..n]);
                session.transmitted(n);
                self.backend.received(self.now, n);
            } else if session.is_closed() && session.transmit().is_empty() {
                moved = true;
                self.session = None;
                let lost = Outcome::Lost(Failure::temporary("closed"));
                self.backend.handle_outcome(self.now, lost);
            }
            if !moved {
                return;
            }
        }
    }

    fn take_replies(&mut self) -> bool {
        let mut any = false;
        let room = self.next_chunk();
        while let Some(reply) = self.backend.poll_reply(self.now, room) {
            any = true;
            let end = match reply {
                Reply::Challenge(_) => panic!("not asked for"),
                Reply::Authenticated => continue,
                Reply::Entry { size, unique_id } => {
                    let id = String::from_utf8(unique_id.to_vec()).unwrap();
                    let uid = id.split_once('.').unwrap().1.parse().unwrap();
                    self.entries.push((uid, size));
                    self.ids.push(id);
                    continue;
                }
                Reply::BodyStart { ticket, .. } => {
                    assert!(self.bodies.insert(ticket.0, Vec::new()).is_none());
                    continue;
                }
                Reply::Body { ticket, bytes } => {
                    self.bodies
                        .get_mut(&ticket.0)
                        .unwrap()
                        .extend_from_slice(bytes);
                    continue;
                }
                Reply::Opened { .. } => End::Opened,
                Reply::Refused(refusal) => End::NotOpened(refusal.detail),
                Reply::BodyEnd { ticket } => End::Body(ticket.0),
                Reply::BodyFailed { ticket, failure } => End::NoBody(ticket.0, failure.detail),
                Reply::Updated | Reply::Kept => End::Updated,
                Reply::Failed(failure) if self.ends.is_empty() => End::NotOpened(failure.detail),
                Reply::Failed(failure) => End::NotUpdated(failure.detail),
            };
            self.ends.push(end);
            self.open_requests -= 1;
        }
        any
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.sent.iter().for_each(|sent| check_commands(sent));
        }
    }
}

/// A mailbox with messages of these sizes and gaps between their UIDs.
fn server(options: Options, mail: &[(usize, u32)]) -> (Server, Vec<Vec<u8>>) {
    let store = Store::new();
    store.add_user(USER, "secret");
    store.add_folder(USER, "Trash", Some("\\Trash"));
    store.add_folder(USER, "Done", None);
    let mut contents = Vec::new();
    for (place, (size, gap)) in mail.iter().enumerate() {
        let mut content = format!("Subject: {place}\r\n\r\n").into_bytes();
        content.extend((0..*size).map(|n| b'a' + ((n + place) % 26) as u8));
        store.edit(USER, FOLDER, |folder| {
            folder.skip_to_uid(folder.uid_next() + gap)
        });
        store.deliver(USER, content.clone());
        contents.push(content);
    }
    (Server::new(store, options), contents)
}

fn retrieve(ticket: u32, index: u32, part: Part) -> Request {
    Request::Retrieve {
        ticket: Ticket(ticket),
        index: Index(index),
        part,
    }
}

fn update(deleted: &[u32], retrieved: &[u32]) -> Request {
    let indexes = |list: &[u32]| list.iter().copied().map(Index).collect();
    Request::Update {
        deleted: indexes(deleted),
        retrieved: indexes(retrieved),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// P051: over many sessions with deletions, new mail and folders made anew, no id ever stands for two
    /// messages. Each message has a size of its own, by which it is known.
    #[test]
    fn p051_no_id_is_given_to_another_message_later(
        rounds in prop::collection::vec((0_usize..4, any::<u8>(), prop::bool::weighted(0.2)), 1..12),
    ) {
        let store = Store::new();
        store.add_user(USER, "secret");
        let server = Server::new(store.clone(), Options::default());
        let mut known: BTreeMap<String, u64> = BTreeMap::new();
        let mut size = 20;
        let mut validity = 1000;
        for (new, deleted, made_anew) in rounds {
            for _ in 0..new {
                size += 1;
                store.deliver(USER, vec![b'x'; size]);
            }
            if made_anew {
                validity += 1;
                store.edit(USER, FOLDER, |folder| folder.renumber(validity));
            }
            let mut live = Live::new(config(), server.clone(), vec![4096]);
            prop_assert_eq!(live.ask(Request::Open(password_open())), Some(End::Opened));
            for (id, (_, octets)) in live.ids.iter().zip(&live.entries) {
                let before = known.insert(id.clone(), *octets);
                prop_assert!(before.is_none_or(|before| before == *octets), "{id} was {before:?}, is {octets}");
            }
            // the last ones above all: their numbers are the ones that would come again
            let count = u32::try_from(live.ids.len()).unwrap();
            let gone: Vec<u32> = (0..count).filter(|n| deleted >> (count - 1 - n).min(7) & 1 == 1).collect();
            let done = live.ask(update(&gone, &[]));
            prop_assert_eq!(done, Some(End::Updated));
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Whole(usize),
    Next,
    Top(usize, u64),
    /// Two requests at once.
    Pair(usize, usize),
    Pause(u64),
    /// Another client removes a message, or flags it.
    Remove(usize),
    Flag(usize),
    Arrive,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => any::<usize>().prop_map(Act::Whole),
        8 => Just(Act::Next),
        2 => (any::<usize>(), 0..500_u64).prop_map(|(n, lines)| Act::Top(n, lines)),
        2 => any::<usize>().prop_map(|n| Act::Top(n, 0)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Act::Pair(a, b)),
        2 => (0..700_u64).prop_map(Act::Pause),
        1 => any::<usize>().prop_map(Act::Remove),
        1 => any::<usize>().prop_map(Act::Flag),
        1 => Just(Act::Arrive),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let names = [
        "UIDPLUS",
        "MOVE",
        "SASL-IR",
        "LITERAL+",
        "SPECIAL-USE",
        "ENABLE",
    ];
    (
        proptest::sample::subsequence(names.to_vec(), 0..=names.len()),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(without, greeting, login)| {
            let options = Options {
                greeting_capabilities: greeting,
                login_capabilities: login,
                ..Options::default()
            };
            without.into_iter().fold(options, Options::without)
        })
}

fn fault() -> impl Strategy<Value = Fault> {
    let commands = [
        "LOGIN",
        "SELECT",
        "FETCH",
        "STORE",
        "EXPUNGE",
        "MOVE",
        "COPY",
        "CAPABILITY",
        "LIST",
    ];
    let trouble = prop_oneof![
        Just(Trouble::Answer("NO cannot".into())),
        Just(Trouble::Answer("BAD what".into())),
        Just(Trouble::Answer("NO [UNAVAILABLE] later".into())),
        Just(Trouble::Raw(b"\x00\xffgarbage\r\n".to_vec())),
        Just(Trouble::Hang),
        Just(Trouble::Drop),
        Just(Trouble::Bye("later".into())),
        Just(Trouble::After(b"* 99 EXPUNGE\r\n* OK {7}\r\n".to_vec())),
        Just(Trouble::Before(
            b"* 3 FETCH (FLAGS (\\Seen))\r\n* LIST () \"/\" {3}\r\nabc\r\n".to_vec()
        )),
        Just(Trouble::NoUid),
        Just(Trouble::NoData),
        Just(Trouble::BodyAs(BodyForm::Literal8)),
        Just(Trouble::BodyAs(BodyForm::Nil)),
        Just(Trouble::BodyAs(BodyForm::Missing)),
        (0..9000_u64).prop_map(Trouble::HeaderLength),
        Just(Trouble::HeaderLength(u64::MAX)),
        Just(Trouble::NoHeader("BAD what".into())),
        Just(Trouble::NoHeader("NO cannot".into())),
        Just(Trouble::ForeignHeader(b"Not: yours\r\n\r\n".to_vec())),
        (0..3000_u64).prop_map(Trouble::CutBody),
        (0..3000_u64).prop_map(Trouble::ByeInBody),
        (-500..500_i64).prop_map(Trouble::SizeOff),
        Just(Trouble::ExtraSpaces),
        Just(Trouble::NoText),
        Just(Trouble::EightBitText),
    ];
    (
        proptest::sample::select(commands.to_vec()),
        1..6_u32,
        any::<bool>(),
        trouble,
    )
        .prop_map(|(command, nth, each, trouble)| match each {
            true => Fault::on_each(command, trouble),
            false => Fault::on_nth(command, nth, trouble),
        })
}

fn policy() -> impl Strategy<Value = DeletePolicy> {
    prop_oneof![
        4 => Just(DeletePolicy::Expunge),
        1 => Just(DeletePolicy::Trash { fallback: "Trash".into() }),
        1 => Just(DeletePolicy::Move("Done".into())),
        1 => Just(DeletePolicy::Seen),
        1 => Just(DeletePolicy::Keyword("$Fetched".into())),
        1 => Just(DeletePolicy::Keep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// P036 to P040, P049, G01, G02, G06, G08, I006, I011, I014: whatever the server does.
    #[test]
    fn g01_g02_g06_g08_i006_i011_i014_p036_to_p040_p049_what_is_said_is_true(
        mail in proptest::collection::vec((prop_oneof![3 => 0..900_usize, 3 => 0..12_000_usize, 1 => 65_400..70_000_usize], 0..3_u32), 1..12),
        acts in proptest::collection::vec(act(), 0..25),
        marks in proptest::collection::vec(any::<bool>(), 12),
        quits in proptest::bool::weighted(0.8),
        options in options(),
        faults in proptest::collection::vec(fault(), 0..3),
        policy in policy(),
        mark_seen in any::<bool>(),
        read_ahead in prop_oneof![Just(0_u64), 1000..60_000_u64],
        chunks in proptest::collection::vec(prop_oneof![1..50_usize, 1000..100_000_usize, 1000..100_000_usize], 2..6),
    ) {
        let mut config = config();
        config.delete = policy.clone();
        config.mark_seen = mark_seen;
        config.read_ahead = read_ahead;
        let (server, mut contents) = server(options, &mail);
        let bye = |fault: &Fault| matches!(fault.trouble, Trouble::ByeInBody(_));
        let bye_in_body = faults.iter().any(bye);
        for fault in faults {
            server.add_fault(fault);
        }
        let store = server.store().clone();
        let all = store.uids(USER, FOLDER);
        let mut removed_by_others: Vec<u32> = Vec::new();
        let mut flagged_by_others: Vec<u32> = Vec::new();
        let mut live = Live::new(config, server, chunks);
        let opened = live.ask(Request::Open(password_open())) == Some(End::Opened);
        let uids: Vec<u32> = live.entries.iter().map(|(uid, _)| *uid).collect();
        if opened {
            prop_assert_eq!(&uids, &all, "all messages, ascending");
        }

        let mut ticket = 0;
        let mut wanted: Vec<(u32, usize, bool)> = Vec::new();
        let mut next = 0;
        for act in acts.into_iter().filter(|_| opened) {
            let index = |n: usize| n % all.len();
            ticket += 2;
            match act {
                Act::Whole(n) => {
                    next = index(n) + 1;
                    wanted.push((ticket, index(n), true));
                    live.ask(retrieve(ticket, index(n) as u32, Part::Whole));
                }
                Act::Next => {
                    let n = index(next);
                    next = n + 1;
                    wanted.push((ticket, n, true));
                    live.ask(retrieve(ticket, n as u32, Part::Whole));
                }
                Act::Top(n, lines) => {
                    wanted.push((ticket, index(n), true));
                    live.ask(retrieve(ticket, index(n) as u32, Part::Top { lines }));
                }
                Act::Pair(a, b) => {
                    wanted.push((ticket, index(a), true));
                    wanted.push((ticket + 1, index(b), true));
                    live.post(retrieve(ticket, index(a) as u32, Part::Whole));
                    live.ask(retrieve(ticket + 1, index(b) as u32, Part::Whole));
                }
                Act::Pause(seconds) => {
                    let until = live.now + Duration::from_secs(seconds);
                    while let Some(at) = live.backend.poll_timeout().filter(|&at| at <= until) {
                        live.now = live.now.max(at);
                        live.backend.handle_timeout(live.now);
                        live.run();
                    }
                    live.now = until;
                }
                Act::Remove(n) => {
                    let uid = all[index(n)];
                    store.edit(USER, FOLDER, |folder| folder.expunge(uid));
                    removed_by_others.push(uid);
                }
                Act::Flag(n) => {
                    let uid = all[index(n)];
                    store.edit(USER, FOLDER, |folder| folder.set_flag(uid, "\\Deleted", true));
                    flagged_by_others.push(uid);
                }
                Act::Arrive => {
                    contents.push(b"new".to_vec());
                    store.deliver(USER, b"new".to_vec());
                }
            }
        }

        // what was read
        for (ticket, index, _) in wanted {
            if live.ends.contains(&End::Body(ticket)) {
                prop_assert_eq!(&live.bodies[&ticket], &contents[index], "message {}", index);
            } else if let Some(body) = live.bodies.get(&ticket) {
                let is_front = contents[index].starts_with(body) || bye_in_body;
                prop_assert!(is_front, "a cut message is cut, not mixed");
            }
        }

        // what was deleted
        let before = store.uids(USER, FOLDER);
        let marked: Vec<u32> =
            (0..all.len()).filter(|&n| marks[n] && opened && quits).map(|n| n as u32).collect();
        let marked_uids: Vec<u32> = marked.iter().map(|&n| all[n as usize]).collect();
        let end = if opened && quits {
            live.ask(update(&marked, &[]))
        } else {
            live.post(Request::Abandon);
            None
        };
        let after = store.uids(USER, FOLDER);
        let gone: Vec<u32> = before.iter().copied().filter(|uid| !after.contains(uid)).collect();
        for uid in &gone {
            prop_assert!(marked_uids.contains(uid), "{} was not marked ({:?})", uid, policy);
        }
        for uid in after.iter().filter(|uid| !marked_uids.contains(uid)) {
            let flags = store.flags(USER, FOLDER, *uid);
            let flagged = flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Deleted"));
            prop_assert_eq!(flagged, flagged_by_others.contains(uid), "flags of {}", uid);
            let hidden = flags.iter().any(|flag| flag == "\\Seen" || flag == "$Fetched");
            prop_assert!(!hidden, "{:?}", flags);
        }
        if end == Some(End::Updated) {
            let stay: Vec<u32> =
                marked_uids.iter().copied().filter(|uid| after.contains(uid)).collect();
            match policy {
                DeletePolicy::Expunge
                | DeletePolicy::Trash { .. }
                | DeletePolicy::Move(_) => prop_assert!(stay.is_empty(), "{:?} stayed", stay),
                DeletePolicy::Seen | DeletePolicy::Keyword(_) => {
                    let flag = if policy == DeletePolicy::Seen { "\\Seen" } else { "$Fetched" };
                    for uid in stay {
                        prop_assert!(store.flags(USER, FOLDER, uid).contains(&flag.to_owned()));
                    }
                }
                DeletePolicy::Keep => prop_assert!(gone.is_empty()),
            }
        }
        // what was moved is somewhere
        if let DeletePolicy::Trash { .. } | DeletePolicy::Move(_) = policy {
            let folder = match &policy {
                DeletePolicy::Move(name) => name.as_str(),
                DeletePolicy::Trash { .. }
                | DeletePolicy::Expunge
                | DeletePolicy::Seen
                | DeletePolicy::Keyword(_)
                | DeletePolicy::Keep => "Trash",
            };
            let kept = store.uids(USER, folder).len();
            prop_assert!(kept >= gone.len(), "{} in {} of {}", kept, folder, gone.len());
        }
    }
}

/// A session of a server without a fault goes well from end to end, with every capability or none.
#[test]
fn without_faults_all_goes_well() {
    let all = [
        Options::default(),
        Options::plain(),
        Options::default().without("UIDPLUS"),
        Options::default().without("MOVE"),
        Options {
            greeting_capabilities: false,
            ..Options::default()
        },
        Options {
            login_capabilities: false,
            ..Options::default()
        },
    ];
    for options in all {
        for policy in [
            DeletePolicy::Expunge,
            DeletePolicy::Trash {
                fallback: "Trash".into(),
            },
            DeletePolicy::Move("Done".into()),
            DeletePolicy::Seen,
        ] {
            let mut config = config();
            config.delete = policy.clone();
            config.mark_seen = true;
            let mail: Vec<_> = (0..20).map(|n| (n * 500, n as u32 % 2)).collect();
            let (server, contents) = server(options.clone(), &mail);
            let store = server.store().clone();
            let mut live = Live::new(config, server, vec![usize::MAX]);
            assert_eq!(live.ask(Request::Open(password_open())), Some(End::Opened));
            for (index, content) in (0..).zip(&contents) {
                let end = live.ask(retrieve(index, index, Part::Whole));
                assert_eq!(end, Some(End::Body(index)));
                assert_eq!(&live.bodies[&index], content);
            }
            let end = live.ask(update(&[0, 1, 5, 19], &[0, 1, 2, 3, 4, 5]));
            assert_eq!(end, Some(End::Updated), "{options:?} {policy:?}");
            let left = store.uids(USER, FOLDER).len();
            assert_eq!(left, if policy == DeletePolicy::Seen { 20 } else { 16 });
        }
    }
}

/// A body of another message that nobody asked for is not taken for the one that was.
#[test]
fn a_foreign_body_is_not_taken_for_the_message() {
    let fault = Fault::on_each("FETCH", Trouble::ForeignBody(b"not yours".to_vec()));
    let mut config = config();
    config.read_ahead = 0;
    let (server, contents) = server(Options::default().with_fault(fault), &[(100, 0); 5]);
    let mut live = Live::new(config, server, vec![usize::MAX]);
    live.ask(Request::Open(password_open()));
    for (index, content) in (0..).zip(&contents) {
        let end = live.ask(retrieve(index, index, Part::Whole));
        assert_eq!(end, Some(End::Body(index)));
        assert_eq!(&live.bodies[&index], content);
    }
}

/// I011: wherever a server thinks that the header of a large message ends, and whatever it has against being
/// asked for it: TOP begins as RETR does, and RETR is not told a header.
#[test]
fn i011_top_and_retr_of_large_messages_agree() {
    let lengths = [0, 1, 12, 14, 15, 9000, 65_536, 70_000, u64::MAX];
    let mut troubles: Vec<_> = lengths.map(Trouble::HeaderLength).into();
    troubles.extend([
        Trouble::NoHeader("BAD what".into()),
        Trouble::NoHeader("NO [SERVERBUG] cannot".into()),
        Trouble::NoHeader("OK done".into()),
        Trouble::ForeignHeader(b"Not: yours\r\n\r\n".to_vec()),
        Trouble::ForeignBody(b"not yours".to_vec()),
        Trouble::NoUid,
        Trouble::ExtraSpaces,
        Trouble::BodyAs(BodyForm::Literal8),
        Trouble::SizeOff(-1000),
        Trouble::SizeOff(100_000),
    ]);
    for trouble in troubles {
        let shown = format!("{trouble:?}");
        let is_for_scan = matches!(trouble, Trouble::SizeOff(_));
        let fault = Fault::on_each("FETCH", trouble);
        let (server, contents) = server(Options::default(), &[(80_000, 0); 3]);
        if is_for_scan {
            server.add_fault(fault.clone());
        }
        let mut live = Live::new(config(), server.clone(), vec![usize::MAX]);
        live.ask(Request::Open(password_open()));
        server.add_fault(fault);
        for (index, content) in (0..).zip(&contents) {
            for (ticket, part) in [
                (index * 2, Part::Top { lines: 0 }),
                (index * 2 + 1, Part::Whole),
            ] {
                let end = live.ask(retrieve(ticket, index, part));
                assert_eq!(end, Some(End::Body(ticket)), "{shown}");
                assert!(live.bodies[&ticket] == *content, "{shown}");
            }
        }
        let asked = |item: &str| server.commands().iter().any(|line| line.contains(item));
        assert!(asked("BODY.PEEK[HEADER]") && asked("BODY.PEEK[]"));
    }
}

/// A walk through a mailbox costs a fraction of a round trip a message.
#[test]
fn reading_in_order_takes_few_commands() {
    let mail: Vec<_> = (0..200).map(|_| (2000, 0)).collect();
    let (server, _) = server(Options::default(), &mail);
    let mut live = Live::new(config(), server.clone(), vec![usize::MAX]);
    live.ask(Request::Open(password_open()));
    for index in 0..200 {
        assert_eq!(
            live.ask(retrieve(index, index, Part::Whole)),
            Some(End::Body(index))
        );
    }
    let fetches = server
        .commands()
        .iter()
        .filter(|line| line.contains("BODY.PEEK"))
        .count();
    assert!(fetches <= 8, "{fetches} commands");
}
