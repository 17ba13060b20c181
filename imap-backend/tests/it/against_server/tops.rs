//! Clients that look at the tops of messages, in order or not, and read some of them whole.

use std::num::Wrapping;

use pop3_proto::backend::{Part, Request};
use proptest::prelude::*;
use testkit::imap_server::{BodyForm, Fault, Options, Trouble};

use super::live::{End, Live, retrieve, server};
use crate::common::{config, password_open};

/// Sizes on both sides of each bound.
const SIZES: [usize; 9] = [300, 8100, 8300, 10_000, 12_400, 60_000, 70_000, 80_000, 300];

fn part() -> impl Strategy<Value = Part> {
    let top = |lines| Just(Part::Top { lines });
    prop_oneof![6 => top(0), 3 => top(5), 2 => top(90), 1 => top(5000), 2 => Just(Part::Whole)]
}

/// A message relative to the last one, how much of it, how many octets are enough, how often again.
fn walk() -> impl Strategy<Value = (usize, Part, usize, usize)> {
    let enough =
        prop_oneof![4 => Just(20_usize), 2 => Just(5000), 2 => Just(11_000), 1 => Just(usize::MAX)];
    (
        prop_oneof![5 => Just(1_usize), 1 => 0..9_usize],
        part(),
        enough,
        1..6_usize,
    )
}

/// Not among them: octets that the server calls those of a message that was asked for, and that are not. Nothing tells
/// them from the message.
fn trouble() -> impl Strategy<Value = Option<Trouble>> {
    let some = prop_oneof![
        Just(Trouble::NoUid),
        Just(Trouble::ExtraSpaces),
        Just(Trouble::BodyAs(BodyForm::Literal8)),
        Just(Trouble::BodyAs(BodyForm::Quoted)),
        Just(Trouble::HeaderLength(0)),
        Just(Trouble::HeaderLength(15)),
        Just(Trouble::HeaderLength(u64::MAX)),
        Just(Trouble::NoHeader("NO [SERVERBUG] cannot".into())),
        Just(Trouble::NoHeader("OK done".into())),
    ];
    prop_oneof![3 => Just(None), 1 => some.prop_map(Some)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What was read ahead on a guess, right or wrong, never shows: each message begins as it does in its folder, and one
    /// that is wanted whole is whole.
    #[test]
    fn i011_what_is_read_ahead_of_a_top_never_shows(
        walks in prop::collection::vec(walk(), 1..14),
        trouble in trouble(),
        read_ahead in prop_oneof![Just(0_u64), Just(20_000), Just(1_000_000)],
        chunks in prop::collection::vec(prop_oneof![1 => 20_usize..60, 3 => 60_usize..20_000], 1..4),
    ) {
        let (server, contents) = server(Options::default(), &SIZES.map(|size| (size, 0)));
        let mut config = config();
        config.read_ahead = read_ahead;
        let mut live = Live::new(config, server.clone(), chunks);
        prop_assert_eq!(live.ask(Request::Open(password_open())), Some(End::Opened));
        if let Some(trouble) = trouble {
            server.add_fault(Fault::on_each("FETCH", trouble));
        }
        let mut index = Wrapping(SIZES.len() - 1);
        let mut ticket = 0;
        for (step, part, enough, times) in walks {
            for _ in 0..times {
                index = Wrapping((index + Wrapping(step)).0 % SIZES.len());
                ticket += 1;
                live.enough = if part == Part::Whole { usize::MAX } else { enough };
                let n = u32::try_from(index.0).unwrap();
                prop_assert_eq!(live.ask(retrieve(ticket, n, part)), Some(End::Body(ticket)));
                let (got, content) = (&live.bodies[&ticket], &contents[index.0]);
                let least = content.len().min(live.enough);
                prop_assert!(got.len() >= least, "{} of {least}", got.len());
                prop_assert!(content.starts_with(got), "message {}", index.0);
            }
        }
    }
}

/// Looking at headers in order costs a fraction of a round trip a message, and so do lines.
#[test]
fn i011_tops_in_order_take_few_commands() {
    for lines in [0, 20] {
        let mail: Vec<_> = (0..200).map(|_| (20_000, 0)).collect();
        let (server, contents) = server(Options::default(), &mail);
        let mut live = Live::new(config(), server.clone(), vec![usize::MAX]);
        live.ask(Request::Open(password_open()));
        live.enough = 10;
        for index in 0..200 {
            let end = live.ask(retrieve(index, index, Part::Top { lines }));
            assert_eq!(end, Some(End::Body(index)));
            assert!(contents[index as usize].starts_with(&live.bodies[&index]));
        }
        let commands = server.commands();
        let fetches: Vec<_> = commands
            .iter()
            .filter(|line| line.contains("BODY.PEEK"))
            .collect();
        let (count, first) = (fetches.len(), &fetches[..fetches.len().min(8)]);
        assert!(count <= 24, "{count} commands, the first are {first:#?}");
    }
}

/// Where a server's headers are not what the session takes for one, guesses cost less and less.
#[test]
fn i011_headers_that_are_not_enough_are_soon_not_read_ahead() {
    let mail: Vec<_> = (0..200).map(|_| (20_000, 0)).collect();
    let (server, _) = server(Options::default(), &mail);
    let mut live = Live::new(config(), server.clone(), vec![usize::MAX]);
    live.ask(Request::Open(password_open()));
    live.enough = 5000;
    for index in 0..200 {
        live.ask(retrieve(index, index, Part::Top { lines: 0 }));
    }
    let commands = server.commands();
    let guesses = commands
        .iter()
        .filter(|line| line.contains("HEADER]") && line.contains(':'));
    assert!(
        guesses.clone().count() <= 8,
        "{:#?}",
        guesses.collect::<Vec<_>>()
    );
}
