//! Unique-ids that come again, removals that may have happened, answers that are out of step: no mail is
//! removed that was not delivered, and none is delivered twice.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use common::stored::{destinations, run, stored, wanted};
use common::{Behaviour, Message, Quit, Server, identity, message, messages, random};
use pop3_client::download::{Destination, Order, Removal, Unwatched, download};
use pop3_client_io::TlsMode;
use pop3_client_io::blocking::Session;
use proptest::prelude::*;

fn order(to: Destination, removal: Removal) -> Order {
    Order {
        removal,
        retries: 2,
        ..common::stored::order(to)
    }
}

fn files(folder: &Path, removal: Removal) -> Order {
    order(Destination::Files(folder.join("files")), removal)
}

/// Messages that differ in one octet of the body only.
fn mail(id: &str, serial: usize) -> Message {
    (id.into(), message("same", &format!("{serial:09}\r\n")))
}

fn put(server: &Server, message: Message) {
    server.shared.mailbox.lock().unwrap().push(message);
}

fn quits(quit: Quit) -> Behaviour {
    Behaviour {
        quit: Box::new(move |_| quit),
        ..Behaviour::default()
    }
}

fn once(messages: &[Message], order: &Order) -> BTreeMap<Vec<u8>, usize> {
    wanted(messages, &order.to)
}

#[test]
fn w001_an_id_that_comes_again_is_new_mail() {
    for quit in [Quit::Done, Quit::LostAfter, Quit::RefusedAfter] {
        for empty_poll in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let order = files(folder.path(), Removal::AfterDownload);
            let server = Server::start(quits(quit), vec![mail("1", 1)]);
            let _ = run(&server, &order);
            assert!(server.ids().is_empty());
            if empty_poll {
                let _ = run(&server, &order);
            }
            put(&server, mail("1", 2));
            let _ = run(&server, &order);
            let both = [mail("1", 1), mail("1", 2)];
            assert_eq!(
                stored(&order.to),
                once(&both, &order),
                "{quit:?} {empty_poll}"
            );
            assert!(server.ids().is_empty());
        }
    }
}

#[test]
fn w001_an_id_that_another_program_frees_is_new_mail() {
    for removal in [
        Removal::Never,
        Removal::AfterDownload,
        Removal::AfterDays(0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let order = files(folder.path(), removal);
        let server = Server::start(Behaviour::default(), vec![mail("1", 1)]);
        run(&server, &files(folder.path(), Removal::Never)).unwrap();
        server.shared.mailbox.lock().unwrap().clear();
        // an empty mailbox is a complete listing, too
        assert_eq!(run(&server, &order).unwrap().known, 0);
        put(&server, mail("1", 2));
        assert_eq!(run(&server, &order).unwrap().fetched, 1, "{removal:?}");
        let both = [mail("1", 1), mail("1", 2)];
        assert_eq!(stored(&order.to), once(&both, &order), "{removal:?}");
    }
}

#[test]
fn w001_an_id_that_came_again_between_two_polls_is_looked_at_before_it_is_removed() {
    let large = |fill: &str| {
        let body = format!("{}\r\n", fill.repeat(70)).repeat(1000);
        ("1".to_string(), message(fill, &body))
    };
    for [first, second] in [[mail("1", 1), mail("1", 2)], [large("a"), large("b")]] {
        let folder = tempfile::tempdir().unwrap();
        let order = files(folder.path(), Removal::AfterDownload);
        let server = Server::start(Behaviour::default(), vec![first.clone()]);
        run(&server, &files(folder.path(), Removal::Never)).unwrap();
        *server.shared.mailbox.lock().unwrap() = vec![second.clone()];
        let report = run(&server, &order).unwrap();
        assert_eq!((report.fetched, report.removed), (1, 1));
        assert_eq!(stored(&order.to), once(&[first, second], &order));
    }
}

#[test]
fn w001_a_removal_that_did_not_happen_doubles_nothing() {
    for quit in [Quit::LostBefore, Quit::RefusedBefore, Quit::Lie] {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = messages(3);
        let server = Server::start(quits(quit), mailbox.clone());
        for to in destinations(folder.path()) {
            let order = order(to, Removal::AfterDownload);
            for _ in 0..3 {
                let _ = run(&server, &order);
            }
            let never = Order {
                removal: Removal::Never,
                ..order.clone()
            };
            let report = run(&server, &never).unwrap();
            assert_eq!((report.fetched, report.known), (0, 3), "{quit:?}");
            assert_eq!(stored(&order.to), once(&mailbox, &order), "{quit:?}");
        }
        assert_eq!(server.ids().len(), 3);
    }
}

#[test]
fn w001_an_id_that_comes_again_in_the_same_run_is_new_mail() {
    let folder = tempfile::tempdir().unwrap();
    let order = files(folder.path(), Removal::AfterDownload);
    let behaviour = Behaviour {
        quit: Box::new(|nth| {
            if nth == 0 {
                Quit::LostAfter
            } else {
                Quit::Done
            }
        }),
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, vec![mail("1", 1)]);
    let endpoint = server.endpoint(TlsMode::None);
    let mut sessions = 0;
    let mut open = || {
        if sessions == 1 {
            assert!(server.ids().is_empty());
            put(&server, mail("1", 2));
        }
        sessions += 1;
        let mut session = Session::connect(&endpoint)?;
        session.log_in(&identity())?;
        Ok(session)
    };
    let report = download(&mut open, &order, &mut Unwatched).unwrap();
    assert_eq!((report.fetched, sessions), (2, 2));
    let both = [mail("1", 1), mail("1", 2)];
    assert_eq!(stored(&order.to), once(&both, &order));
    assert!(server.ids().is_empty());
}

#[test]
fn w001_two_runs_into_one_folder_leave_each_others_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let to = Destination::Maildir(folder.path().join("maildir"));
    let with = |state: &str| Order {
        state: Some(folder.path().join(state)),
        ..order(to.clone(), Removal::Never)
    };
    let mailbox = messages(30);
    let server = Server::start(Behaviour::default(), mailbox.clone());
    let endpoint = server.endpoint(TlsMode::None);
    // the second run comes whole while the first one has messages that are not at their place
    let other = Mutex::new(Some(with("b")));
    let twisted = Behaviour {
        twist: Box::new({
            let second = Server::start(Behaviour::default(), mailbox.clone());
            move |line, answer| {
                if line == "RETR 20"
                    && let Some(order) = other.lock().unwrap().take()
                {
                    assert_eq!(run(&second, &order).unwrap().fetched, 30);
                }
                answer
            }
        }),
        ..Behaviour::default()
    };
    drop(endpoint);
    drop(server);
    let server = Server::start(twisted, mailbox.clone());
    assert_eq!(run(&server, &with("a")).unwrap().fetched, 30);
    let twice = [mailbox.clone(), mailbox].concat();
    assert_eq!(stored(&to), wanted(&twice, &to));
}

/// A mailbox that others use as well, on a server with few ids, whose QUIT does anything.
fn live(seed: u64, steps: usize) {
    let folder = tempfile::tempdir().unwrap();
    let to = destinations(folder.path())[(seed % 3) as usize].clone();
    let mut seed = seed;
    let fates = Mutex::new(seed);
    let behaviour = Behaviour {
        quit: Box::new(move |_| {
            let mut seed = fates.lock().unwrap();
            [
                Quit::Done,
                Quit::Done,
                Quit::LostBefore,
                Quit::LostAfter,
                Quit::RefusedBefore,
                Quit::RefusedAfter,
                Quit::Lie,
            ][(random(&mut seed) % 7) as usize]
        }),
        cuts: Box::new(move |nth| {
            let mut seed = seed ^ (nth << 32);
            random(&mut seed)
                .is_multiple_of(3)
                .then(|| random(&mut seed) % 3000)
        }),
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, Vec::new());
    let (mut serial, mut all, mut taken_away) = (0, Vec::new(), Vec::new());
    for step in 0..steps + 20 {
        let calm = step >= steps;
        if !calm {
            let mut mailbox = server.shared.mailbox.lock().unwrap();
            for _ in 0..random(&mut seed) % 3 {
                serial += 1;
                let new = mail(&(random(&mut seed) % 4).to_string(), serial);
                mailbox.push(new.clone());
                all.push(new);
            }
            if random(&mut seed).is_multiple_of(4) && !mailbox.is_empty() {
                let place = random(&mut seed) as usize % mailbox.len();
                taken_away.push(mailbox.remove(place));
            }
        }
        let removal = match random(&mut seed) % 3 {
            _ if calm => Removal::AfterDownload,
            0 => Removal::Never,
            1 => Removal::AfterDays(0),
            _ => Removal::AfterDownload,
        };
        let _ = run(&server, &order(to.clone(), removal));
        let kept = stored(&to);
        let wanted = wanted(&all, &to);
        for (octets, times) in &kept {
            assert!(
                *times == 1 && wanted.contains_key(octets),
                "delivered twice"
            );
        }
        let mailbox = server.shared.mailbox.lock().unwrap().clone();
        let gone = all
            .iter()
            .filter(|mail| !mailbox.contains(mail) && !taken_away.contains(mail));
        let gone: Vec<Message> = gone.cloned().collect();
        for octets in common::stored::wanted(&gone, &to).keys() {
            assert!(kept.contains_key(octets), "removed and not delivered");
        }
    }
    let mut mailbox = server.shared.mailbox.lock().unwrap().clone();
    // of several messages with one id, another program may have exchanged some unseen; they stay
    let all = mailbox.clone();
    mailbox.retain(|(id, _)| all.iter().filter(|(other, _)| other == id).count() == 1);
    for octets in wanted(&mailbox, &to).keys() {
        assert!(stored(&to).contains_key(octets), "never delivered");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn w001_no_mail_is_removed_undelivered_and_none_comes_twice(seed: u64, steps in 1usize..25) {
        live(seed, steps);
    }
}

/// Changes the answer to RETR of the message that has this text in it.
fn twisted(text: String, change: fn(Vec<u8>) -> Vec<u8>, pipelining: bool) -> Behaviour {
    let mut behaviour = Behaviour {
        twist: Box::new(move |line, answer| {
            let has = |text: &str| {
                answer
                    .windows(text.len())
                    .any(|some| some == text.as_bytes())
            };
            if line.starts_with("RETR") && has(&text) {
                change(answer)
            } else {
                answer
            }
        }),
        ..Behaviour::default()
    };
    if !pipelining {
        let capabilities = behaviour.capabilities.as_mut().unwrap();
        capabilities.retain(|capability| *capability != "PIPELINING");
    }
    behaviour
}

#[test]
fn w004_a_message_before_something_that_nothing_asked_for_is_neither_kept_nor_removed() {
    type Change = fn(Vec<u8>) -> Vec<u8>;
    let changes: [(&str, Change); 8] = [
        ("an answer too many", |answer| {
            [answer, b"+OK\r\n".to_vec()].concat()
        }),
        ("a refusal too many", |answer| {
            [answer, b"-ERR what?\r\n".to_vec()].concat()
        }),
        ("a line after the end", |answer| {
            [answer, b"* OK\r\n".to_vec()].concat()
        }),
        ("the rest of a message", |answer| {
            // a dot that was not stuffed
            let place = answer.windows(2).position(|two| two == b"\r\n").unwrap();
            let (head, rest) = answer.split_at(place + 2);
            [head, b"begin\r\n.\r\n", rest].concat()
        }),
        ("half a line after the end", |answer| {
            [answer, b"x".to_vec()].concat()
        }),
        ("cut", |answer| {
            let half = answer.len() / 2;
            let line = answer[..half].iter().rposition(|o| *o == b'\n').unwrap();
            [&answer[..=line], b".\r\n"].concat()
        }),
        ("nothing in it", |answer| {
            let place = answer.windows(2).position(|two| two == b"\r\n").unwrap();
            [&answer[..place + 2], b".\r\n"].concat()
        }),
        ("two in one", |answer| {
            let whole = answer.len() - 3;
            [&answer[..whole], &answer[..]].concat()
        }),
    ];
    for (name, change) in changes {
        for number in [1, 2, 5] {
            for pipelining in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let order = files(folder.path(), Removal::AfterDownload);
                let mailbox: Vec<_> = (1..=5)
                    .map(|n| {
                        (
                            format!("id{n}"),
                            message(&format!("mail {n}"), &"0123456789\r\n".repeat(20 + n)),
                        )
                    })
                    .collect();
                let server = Server::start(
                    twisted(format!("mail {number}"), change, pipelining),
                    mailbox.clone(),
                );
                for _ in 0..3 {
                    let outcome = run(&server, &order);
                    let told = match &outcome {
                        Ok(report) => !report.refused.is_empty(),
                        Err(_) => true,
                    };
                    assert!(told, "{name} {number} {pipelining}: {outcome:?}");
                }
                let bad = format!("id{number}");
                assert!(server.ids().contains(&bad), "{name} {number} {pipelining}");
                let others: Vec<_> = mailbox
                    .iter()
                    .filter(|(id, _)| *id != bad)
                    .cloned()
                    .collect();
                let kept = stored(&order.to);
                for octets in wanted(&others, &order.to).keys() {
                    let there = kept.contains_key(octets)
                        || server
                            .shared
                            .mailbox
                            .lock()
                            .unwrap()
                            .iter()
                            .any(|(_, o)| o == octets);
                    assert!(there, "{name} {number} {pipelining}");
                }
                assert!(
                    kept.keys()
                        .all(|octets| mailbox.iter().any(|(_, o)| o == octets)),
                    "{name} {number} {pipelining}: something else was kept"
                );
            }
        }
    }
}

#[test]
fn w004_one_message_that_is_out_of_step_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let order = files(folder.path(), Removal::Never);
    let surplus = |answer: Vec<u8>| [answer, b"surplus\r\n".to_vec()].concat();
    let mailbox = messages(60);
    let server = Server::start(twisted("mail 6\r\n".into(), surplus, true), mailbox.clone());
    let report = run(&server, &order).unwrap();
    assert_eq!((report.fetched, report.refused.len()), (59, 1));
    assert!(
        report.refused["id6"].contains("surplus"),
        "{:?}",
        report.refused
    );
    let others: Vec<_> = mailbox.into_iter().filter(|(id, _)| id != "id6").collect();
    assert_eq!(stored(&order.to), wanted(&others, &order.to));
}

#[test]
fn w004_a_message_that_is_listed_with_two_ids_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let order = files(folder.path(), Removal::AfterDownload);
    let behaviour = Behaviour {
        twist: Box::new(|line, answer| {
            if line == "UIDL" && answer.ends_with(b".\r\n") {
                [&answer[..answer.len() - 3], b"2 other\r\n.\r\n"].concat()
            } else {
                answer
            }
        }),
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, messages(3));
    let report = run(&server, &order).unwrap();
    assert_eq!((report.fetched, report.removed), (2, 2));
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("1 message left alone"))
    );
    assert_eq!(server.ids(), ["id1".to_string()].into());
}

#[test]
fn w079_without_unique_ids_mail_that_is_removed_can_be_downloaded() {
    for quit in [Quit::Done, Quit::LostBefore, Quit::LostAfter] {
        for to in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let to = destinations(folder.path())[to].clone();
            let order = order(to, Removal::AfterDownload);
            let behaviour = Behaviour {
                uidl: false,
                capabilities: None,
                quit: Box::new(move |nth| if nth < 3 { quit } else { Quit::Done }),
                ..Behaviour::default()
            };
            let mut mailbox = messages(5);
            // two that are alike are two
            mailbox.push(mailbox[1].clone());
            let server = Server::start(behaviour, mailbox.clone());
            let keeping = Order {
                removal: Removal::Never,
                ..order.clone()
            };
            let error = run(&server, &keeping).unwrap_err();
            assert!(error.to_string().contains("--delete-after"), "{error}");
            for _ in 0..4 {
                let _ = run(&server, &order);
            }
            assert!(server.ids().is_empty());
            assert_eq!(stored(&order.to), wanted(&mailbox, &order.to), "{quit:?}");
            // the same again is new
            put(&server, mailbox[0].clone());
            assert_eq!(run(&server, &order).unwrap().fetched, 1);
        }
    }
}
