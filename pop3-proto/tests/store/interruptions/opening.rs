//! Logins and listings.

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Access, FailureKind, Login, Mechanism, Names, RefusalKind, Request};

use super::bench::{Bench, Heard, shelf};
use crate::common::{Adapter, CHUNK, Shelf, login};

fn opens<A: Adapter>() {
    let mut bench = Bench::<A>::new(shelf());
    bench.ask(Request::Open(login()));
    bench.settle();
    let sizes = [(3 * CHUNK / 17 * 18) as u64, 7, 0];
    let entries = sizes
        .iter()
        .enumerate()
        .map(|(n, size)| Heard::Entry(*size, format!("id{n}")));
    let mut expected = vec![Heard::Authenticated];
    expected.extend(entries);
    expected.push(Heard::Opened(Access::ReadWrite));
    assert_eq!(bench.heard, expected);
    assert_eq!(bench.shelf.calls(), ["open", "list"]);
    bench.update(&[]);
    bench.settle();
    assert_eq!(bench.heard.last(), Some(&Heard::Updated));
    bench.is_over();
}

#[test]
fn an_open_authenticates_lists_and_opens() {
    opens::<Blocking<Shelf>>();
    opens::<Awaiting<Shelf>>();
}

/// The composition locks the maildrop when it hears `Authenticated`: what it lists is what it locked.
fn waits_for_the_lock<A: Adapter>() {
    let mut bench = Bench::<A>::new(shelf());
    bench.ask(Request::Open(login()));
    assert!(bench.effect() && bench.finish_job());
    assert!(!bench.effect(), "listed before anybody knows");
    assert!(bench.reply());
    bench.ask(Request::Abandon);
    bench.settle();
    assert_eq!(bench.shelf.calls(), ["open"]);
    assert_eq!(bench.heard, [Heard::Authenticated]);
    bench.is_over();
}

#[test]
fn x022_nothing_is_listed_before_the_maildrop_is_locked() {
    waits_for_the_lock::<Blocking<Shelf>>();
    waits_for_the_lock::<Awaiting<Shelf>>();
}

fn refused<A: Adapter>() {
    let temporary = || StoreError::Temporary("x".into());
    let cases = [
        (
            StoreError::Credentials,
            Heard::Refused(RefusalKind::Credentials),
        ),
        (StoreError::InUse, Heard::Refused(RefusalKind::InUse)),
        (
            StoreError::LoginDelay,
            Heard::Refused(RefusalKind::LoginDelay),
        ),
        (
            StoreError::Policy("x".into()),
            Heard::Refused(RefusalKind::Policy),
        ),
        (temporary(), Heard::Failed(FailureKind::Temporary)),
        (
            StoreError::Permanent("x".into()),
            Heard::Failed(FailureKind::Permanent),
        ),
        (StoreError::Missing, Heard::Failed(FailureKind::Missing)),
    ];
    for call in ["open", "list"] {
        for (error, answer) in &cases {
            let mut bench = Bench::<A>::new(Shelf {
                fault: Some((call, error.clone())),
                ..shelf()
            });
            bench.ask(Request::Open(login()));
            bench.settle();
            assert_eq!(bench.heard.last(), Some(answer));
            bench.is_over();
        }
    }
}

#[test]
fn a_login_is_refused_or_fails_as_the_store_says() {
    refused::<Blocking<Shelf>>();
    refused::<Awaiting<Shelf>>();
}

#[test]
fn a_relayed_mechanism_never_reaches_the_store() {
    let mut bench = Bench::<Blocking<Shelf>>::new(shelf());
    bench.ask(Request::Open(login().login(Login::Relay {
        mechanism: Mechanism::new("GSSAPI").unwrap(),
        initial: None,
        names: Names::default(),
    })));
    bench.settle();
    assert_eq!(bench.heard, [Heard::Refused(RefusalKind::Policy)]);
    assert_eq!(bench.shelf.calls(), [""; 0]);
    bench.is_over();
}
