//! What may happen in a session, drawn by chance: what a client does, what a server can do and what it does wrong.

use imap_backend::DeletePolicy;
use proptest::prelude::*;
use testkit::imap_server::{BodyForm, Fault, Options, Trouble};

#[derive(Clone, Debug)]
pub(super) enum Act {
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

pub(super) fn act() -> impl Strategy<Value = Act> {
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

pub(super) fn options() -> impl Strategy<Value = Options> {
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

pub(super) fn fault() -> impl Strategy<Value = Fault> {
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

pub(super) fn policy() -> impl Strategy<Value = DeletePolicy> {
    prop_oneof![
        4 => Just(DeletePolicy::Expunge),
        1 => Just(DeletePolicy::Trash { fallback: "Trash".into() }),
        1 => Just(DeletePolicy::Move("Done".into())),
        1 => Just(DeletePolicy::Seen),
        1 => Just(DeletePolicy::Keyword("$Fetched".into())),
        1 => Just(DeletePolicy::Keep),
    ]
}
