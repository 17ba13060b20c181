//! Download: whatever cuts it, in the end exactly the mailbox is there.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::stored::{destinations, order, run, stored, wanted};
use common::{Behaviour, Server, message, messages, random};
use pop3_client::download::{Destination, DownloadError, Order, Removal};
use proptest::prelude::*;

/// Every connection but each eighth breaks after a random number of octets.
fn cutting(seed: u64, most: u64) -> Behaviour {
    Behaviour {
        cuts: Box::new(move |nth| {
            let mut seed = seed ^ (nth << 32);
            (nth % 8 != 7).then(|| random(&mut seed) % most)
        }),
        ..Behaviour::default()
    }
}

fn until_done(server: &Server, order: &Order) -> u64 {
    let mut fetched = 0;
    for _ in 0..200 {
        match run(server, order) {
            Ok(report) => return fetched + report.fetched,
            Err(DownloadError::Session(_)) => fetched = 0,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never ends");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn cut_anywhere_and_resumed_it_ends_with_exactly_the_mailbox(seed: u64, count in 0usize..130) {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = messages(count);
        for to in destinations(folder.path()) {
            let server = Server::start(cutting(seed, 40_000), mailbox.clone());
            let order = order(to);
            until_done(&server, &order);
            prop_assert_eq!(stored(&order.to), wanted(&mailbox, &order.to));
            let again = Server::start(Behaviour::default(), mailbox.clone());
            let report = run(&again, &order).unwrap();
            prop_assert_eq!((report.fetched, report.known), (0, count as u64));
        }
    }

    #[test]
    fn cut_anywhere_with_removal_nothing_is_lost_and_nothing_doubled(seed: u64, count in 0usize..60) {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = messages(count);
        for to in destinations(folder.path()) {
            let server = Server::start(cutting(seed, 15_000), mailbox.clone());
            let order = Order { removal: Removal::AfterDownload, ..order(to) };
            until_done(&server, &order);
            prop_assert_eq!(stored(&order.to), wanted(&mailbox, &order.to));
            prop_assert!(server.ids().is_empty());
        }
    }
}

#[test]
fn ten_thousand_mails_with_cuts_and_retries() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = messages(10_000);
    let server = Server::start(cutting(7, 900_000), mailbox.clone());
    let to = Destination::Maildir(folder.path().join("maildir"));
    let order = Order {
        retries: 50,
        ..order(to)
    };
    let report = run(&server, &order).unwrap();
    assert_eq!(report.fetched, 10_000);
    assert!(
        server
            .shared
            .connections
            .load(std::sync::atomic::Ordering::SeqCst)
            > 3
    );
    assert_eq!(stored(&order.to), wanted(&mailbox, &order.to));
}

#[test]
fn q_a7_repeated_unique_ids_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let same = |n: u32| ("same".to_string(), message("x", &format!("{n}\r\n")));
    let mailbox = vec![
        same(1),
        same(2),
        ("other".into(), message("y", "z\r\n")),
        same(3),
    ];
    let server = Server::start(Behaviour::default(), mailbox.clone());
    let order = order(Destination::Files(folder.path().join("files")));
    let report = run(&server, &order).unwrap();
    assert_eq!(report.fetched, 4);
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(stored(&order.to), wanted(&mailbox, &order.to));
    assert_eq!(run(&server, &order).unwrap().fetched, 0);
    // what they are called now proves nothing about then: they stay
    let order = Order {
        removal: Removal::AfterDownload,
        ..order
    };
    assert_eq!(run(&server, &order).unwrap().removed, 1);
    assert_eq!(server.ids(), ["same".to_string()].into());
}

#[test]
fn q_b6_a_message_without_an_id_is_left_alone_and_the_others_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut mailbox = messages(3);
    mailbox[1].0 = String::new();
    let server = Server::start(Behaviour::default(), mailbox);
    let order = Order {
        removal: Removal::AfterDownload,
        ..order(Destination::Files(folder.path().join("files")))
    };
    let report = run(&server, &order).unwrap();
    assert_eq!((report.fetched, report.removed), (2, 2));
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("1 message left alone: their unique-ids"))
    );
    assert_eq!(server.ids(), [String::new()].into());
}

#[test]
fn identical_mails_are_kept_both() {
    let folder = tempfile::tempdir().unwrap();
    let octets = message("twice", "From me\r\n>From you\r\nno end");
    let whole = [octets.clone(), b"\r\n".to_vec()].concat();
    for to in destinations(folder.path()) {
        let one = Server::start(Behaviour::default(), vec![("a".into(), octets.clone())]);
        let order = order(to);
        run(&one, &order).unwrap();
        let both = vec![("a".into(), whole.clone()), ("b".into(), whole.clone())];
        let two = Server::start(Behaviour::default(), both.clone());
        assert_eq!(run(&two, &order).unwrap().fetched, 1);
        assert_eq!(stored(&order.to), wanted(&both, &order.to));
    }
}

#[test]
fn keep_days_removes_what_is_old_enough() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour::default(), messages(3));
    let state = folder.path().join("state");
    let order = Order {
        removal: Removal::AfterDays(14),
        state: Some(state.clone()),
        ..order(Destination::Maildir(folder.path().join("maildir")))
    };
    assert_eq!(run(&server, &order).unwrap().removed, 0);
    let text = std::fs::read_to_string(&state).unwrap();
    let at = text
        .rsplit("\"at\":")
        .next()
        .unwrap()
        .trim_end_matches("}}\n");
    let day: u64 = 24 * 60 * 60;
    let aged = |days: u64| {
        let then: u64 = at.parse::<u64>().unwrap() - days * day;
        std::fs::write(&state, text.replace(at, &then.to_string())).unwrap();
    };
    aged(13);
    assert_eq!(run(&server, &order).unwrap().removed, 0);
    aged(15);
    server
        .shared
        .mailbox
        .lock()
        .unwrap()
        .push(("new".into(), message("n", "")));
    let report = run(&server, &order).unwrap();
    assert_eq!((report.fetched, report.removed), (1, 3));
    assert_eq!(server.ids(), ["new".to_string()].into());
}

#[test]
fn p038_a_server_that_does_not_remove_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let behaviour = Behaviour {
        quit_fails: true,
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, messages(2));
    let order = Order {
        removal: Removal::AfterDownload,
        ..order(Destination::Files(folder.path().join("files")))
    };
    let report = run(&server, &order).unwrap();
    assert_eq!((report.fetched, report.removed), (2, 0));
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("SYS/TEMP"))
    );
}

#[test]
fn ids_that_are_paths_stay_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox: Vec<_> = ["../../up", "/etc/x", "a/b", "a_b", ".hidden"]
        .into_iter()
        .enumerate()
        .map(|(n, id)| (id.to_string(), message("x", &format!("{n}\r\n"))))
        .collect();
    let server = Server::start(Behaviour::default(), mailbox.clone());
    let order = order(Destination::Files(folder.path().join("files")));
    assert_eq!(run(&server, &order).unwrap().fetched, 5);
    assert_eq!(stored(&order.to), wanted(&mailbox, &order.to));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
