//! Whole sessions against the testkit's IMAP server, which behaves or does not.
//!
//! Whatever happens upstream: what is called complete is complete, what is called deleted is deleted,
//! and nothing is deleted that was not marked.

mod chance;
mod live;
mod tops;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::{config, password_open};
use chance::{Act, act, fault, options, policy};
use imap_backend::DeletePolicy;
use live::{End, FOLDER, Live, USER, retrieve, server, update};
use pop3_proto::backend::{Backend, Part, Request};
use proptest::prelude::*;
use testkit::imap_server::{BodyForm, Fault, Options, Server, Store, Trouble};

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

/// A body of another message that was not asked for is not taken for the one that was.
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
/// asked for it: TOP begins as RETR does, and RETR is not given a header.
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
