//! The list store, and what authors of stores are given.

use std::io;
use std::sync::Arc;

use pop3_proto::backend::awaiting::{AsyncMessage, Awaiting};
use pop3_proto::backend::blocking::{Blocking, Mailbox, Store};
use pop3_proto::backend::list::ListStore;
use pop3_proto::backend::store::{Entry, StoreError, message_size};
use pop3_proto::backend::{
    Backend, Effect, Endpoint, Index, Job, Login, Mechanism, Names, Open, Request,
};
use pop3_proto::secret::Secret;
use pop3_proto::stuffing::Stuffer;
use pop3_proto::time::Time;
use pop3_proto::{apop, unique_id};
use proptest::prelude::*;

use crate::common::world::World;
use crate::common::{login, policy};

fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes())
}

fn store(messages: &[&str]) -> Arc<ListStore> {
    let mut store = ListStore::default();
    store.add_account("u", secret("p w"));
    store.add_account("other", secret("other"));
    for message in messages {
        assert!(store.deliver("u", message.to_string()));
    }
    assert!(!store.deliver("nobody", "x"));
    Arc::new(store)
}

fn world(store: &Arc<ListStore>) -> World<Blocking<ListStore>> {
    let store = Arc::clone(store);
    World::new(policy(), move || Blocking::new(Arc::clone(&store)))
}

fn ids(store: &ListStore) -> Vec<String> {
    let mut mailbox = store.open(&login()).unwrap();
    let entries = mailbox.list().unwrap();
    entries.into_iter().map(|entry| entry.unique_id).collect()
}

#[test]
fn a_session_with_a_list() {
    let store = store(&["Subject: a\n\none\n.two", "", "Subject: a\n\none\n.two"]);
    let mut world = world(&store);
    let heard = world.say("USER u\r\nPASS p w\r\nLIST\r\nRETR 1\r\nDELE 1\r\nDELE 2\r\n");
    assert!(
        heard.contains("\r\n1 25\r\n2 0\r\n3 25\r\n.\r\n"),
        "{heard}"
    );
    assert!(heard.contains("\r\nSubject: a\r\n\r\none\r\n..two\r\n.\r\n"));
    // what comes meanwhile is for the next session, and stays
    assert!(store.deliver("u", "new"));
    assert!(world.say("STAT\r\n").starts_with("+OK 1 25\r\n"));
    assert!(world.say("QUIT\r\n").starts_with("+OK"));
    assert_eq!(
        store.messages("u"),
        [&b"Subject: a\n\none\n.two"[..], b"new"]
    );
    assert!(store.messages("other").is_empty());
    assert!(store.messages("nobody").is_empty());
}

#[test]
fn p049_p050_p047_ids_are_unique_and_stay() {
    let one = store(&["a", "b", "a", "a"]);
    let two = store(&["a", "b", "a", "a"]);
    let all = ids(&one);
    assert_eq!(all, ids(&two));
    // P047: what a client remembers must be what later versions say
    let digest = "0cc175b9c0f1b6a831c399e269772661";
    assert_eq!(all[0], digest);
    assert_eq!(all[2..], [format!("{digest}.1"), format!("{digest}.2")]);
    assert!(all.iter().all(|id| unique_id::is_valid(id.as_bytes())));
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 4);
    let mut world = world(&one);
    world.say("USER u\r\nPASS p w\r\nDELE 3\r\nQUIT\r\n");
    one.deliver("u", "a");
    let after = ids(&one);
    assert_eq!(after[..3], [&all[..2], &all[3..]].concat());
    assert!(!all.contains(&after[3]), "an id that was in use came again");
}

#[test]
fn many_messages_that_are_alike() {
    let store = store(&["x"; 20_000]);
    let mut world = world(&store);
    assert!(
        world
            .say("USER u\r\nPASS p w\r\nUIDL\r\n")
            .contains("20000 ")
    );
    assert!(world.say("QUIT\r\n").starts_with("+OK"));
}

/// F01: sessions share nothing but the store.
#[test]
fn f01_one_user_never_sees_the_messages_of_another() {
    let store = store(&["x"]);
    let heard = world(&store).say("USER other\r\nPASS other\r\nSTAT\r\nQUIT\r\n");
    assert!(heard.contains("+OK 0 0\r\n"));
    for (user, password) in [
        ("other", "p w"),
        ("u", "other"),
        ("nobody", "nobody"),
        ("nobody", "p w"),
    ] {
        let heard = world(&store).say(&format!("USER {user}\r\nPASS {password}\r\n"));
        assert!(heard.contains("-ERR [AUTH]"), "{user} {heard}");
    }
}

#[test]
fn p059_c002_logins_are_proven_by_what_they_carry() {
    let known = secret("tanstaaf");
    let wrong = secret("tanstaa");
    let user = || "mrose".to_string();
    let timestamp = "<1896.697170952@dbc.mtview.ca.us>";
    let logins = [
        Login::Password {
            user: user(),
            password: known.clone(),
        },
        Login::Apop {
            user: user(),
            timestamp: timestamp.into(),
            digest: apop::from_hex(b"c4c9334bac560ecc979e58001b3e22fb").unwrap(),
        },
        Login::CramMd5 {
            user: user(),
            challenge: "<1896.697170952@postoffice.reston.mci.net>".into(),
            // of tanstaaf, not of the RFC's secret
            digest: apop::from_hex(b"36ea53ae0e5316b40a9e91c51e62dc57").unwrap(),
        },
    ];
    assert!(logins[..2].iter().all(|login| login.proves(&known)));
    assert!(logins.iter().all(|login| !login.proves(&wrong)));
    let Login::CramMd5 { challenge, .. } = &logins[2] else {
        unreachable!()
    };
    let rfc = Login::CramMd5 {
        user: "tim".into(),
        challenge: challenge.clone(),
        digest: apop::from_hex(b"b913a602c7eda7a495b4e6e7334d3890").unwrap(),
    };
    assert!(rfc.proves(&secret("tanstaaftanstaaf")) && !rfc.proves(&known));
}

#[test]
fn an_empty_secret_proves_nothing() {
    let empty = Secret::default();
    let timestamp = "<1@h>".to_string();
    let digest = apop::digest(&timestamp, &empty);
    let user = "u".to_string();
    let apop = Login::Apop {
        user: user.clone(),
        timestamp,
        digest,
    };
    let password = Login::Password {
        user: user.clone(),
        password: Secret::default(),
    };
    let bearer = Login::Bearer {
        mechanism: Mechanism::new("XOAUTH2").unwrap(),
        user,
        token: secret("p"),
        renewal: None,
    };
    assert!(!apop.proves(&empty) && !password.proves(&empty) && !bearer.proves(&secret("p")));
}

#[test]
fn p059_apop_over_a_list() {
    let store = store(&["x"]);
    let make = Arc::clone(&store);
    let policy = policy().apop(true);
    let mut world = World::new(policy, move || Blocking::new(Arc::clone(&make)));
    let digest = apop::to_hex(&apop::digest("<1.2@host>", &secret("p w")));
    let heard = world.say(&format!("APOP u {digest}\r\nSTAT\r\nQUIT\r\n"));
    assert!(heard.contains("+OK 1 3\r\n"), "{heard}");
}

proptest! {
    #[test]
    fn p063_the_size_is_what_is_sent(
        message in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a')], 0..60),
        times in 1usize..400,
    ) {
        let message = message.repeat(times);
        let mut stuffer = Stuffer::whole();
        let mut sent = bytes::BytesMut::new();
        stuffer.stuff(&message, &mut sent);
        stuffer.finish(&mut sent);
        prop_assert_eq!(message_size(&message[..]).unwrap(), stuffer.octets());
    }
}

/// A message that is interrupted now and then, or breaks.
struct Interrupted(Vec<Result<&'static [u8], io::ErrorKind>>);

impl io::Read for Interrupted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.pop() {
            None => Ok(0),
            Some(Err(kind)) => Err(kind.into()),
            Some(Ok(octets)) => {
                buf[..octets.len()].copy_from_slice(octets);
                Ok(octets.len())
            }
        }
    }
}

#[test]
fn p063_an_interrupted_read_is_no_error() {
    let interrupted = || Err(io::ErrorKind::Interrupted);
    let pieces = vec![interrupted(), Ok(&b"c\n"[..]), interrupted(), Ok(b"ab")];
    assert_eq!(message_size(Interrupted(pieces)).unwrap(), 5);
    let broken = vec![Ok(&b"c\n"[..]), Err(io::ErrorKind::TimedOut), Ok(b"ab")];
    let error = message_size(Interrupted(broken)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

/// A store with the least that one can write: everything else is provided.
struct Least(Vec<&'static str>);

impl Store for Least {
    type Mailbox = Self;

    fn open(&self, _: &Open) -> Result<Self, StoreError> {
        Ok(Self(self.0.clone()))
    }
}

impl Mailbox for Least {
    fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        let entries = self.0.iter().map(|id| Entry {
            size: 1,
            unique_id: id.to_string(),
        });
        Ok(entries.collect())
    }

    fn message(&mut self, index: Index) -> Result<Box<dyn io::Read + Send>, StoreError> {
        Ok(Box::new(self.0[index.0 as usize].as_bytes()))
    }

    fn remove(&mut self, indexes: &[Index]) -> Result<(), StoreError> {
        assert!(!indexes.is_empty(), "nothing to remove");
        Err(StoreError::Temporary("not today".into()))
    }
}

fn least(ids: &[&'static str]) -> World<Blocking<Least>> {
    let ids = ids.to_vec();
    World::new(policy(), move || {
        Blocking::new(Arc::new(Least(ids.clone())))
    })
}

#[test]
fn what_is_provided_does_what_it_says() {
    let login = "USER u\r\nPASS p\r\n";
    let mut world = least(&["a", "b"]);
    let heard = world.say(&format!("{login}TOP 2 0\r\nQUIT\r\n"));
    assert!(heard.contains("\r\nb\r\n.\r\n+OK bye"), "{heard}");
    let heard = least(&["a"]).say(&format!("{login}DELE 1\r\nQUIT\r\n"));
    assert!(heard.contains("-ERR [SYS/TEMP]"), "{heard}");
}

#[test]
fn p049_qa7_repeated_ids_are_reported_and_not_sent() {
    let heard = least(&["a", "b", "a"]).say("USER u\r\nPASS p\r\n");
    assert!(heard.contains("-ERR [SYS/PERM]"), "{heard}");
}

#[test]
fn errors_of_files_keep_their_class() {
    let class = |kind| StoreError::from(io::Error::from(kind));
    assert_eq!(class(io::ErrorKind::NotFound), StoreError::Missing);
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidData] {
        assert!(matches!(class(kind), StoreError::Permanent(_)));
    }
    for kind in [io::ErrorKind::TimedOut, io::ErrorKind::StorageFull] {
        assert!(matches!(class(kind), StoreError::Temporary(_)));
    }
}

/// V33: what is shown of stores, sessions with them and what goes between has no mail and no secret.
#[test]
fn v33_what_is_shown_names_no_secret() {
    let store = store(&["this is a private mail"]);
    let mut backend = Blocking::new(Arc::clone(&store));
    assert_eq!(backend.poll_timeout(), None);
    backend.handle_request(Time::ZERO, Request::Open(login()));
    let effect = backend.poll_effect().unwrap();
    let mut shown = format!("{store:?} {backend:?} {effect:?}");
    if let Effect::Run(Job::Block(job)) = effect {
        let done = job();
        shown.push_str(&format!("{done:?}"));
    }
    let connect = Effect::<()>::Connect(Endpoint {
        host: "mail.example.org".into(),
        port: 143,
    });
    let shake = Effect::<()>::StartTls {
        server_name: "mail.example.org".into(),
    };
    shown.push_str(&format!(
        "{connect:?} {shake:?} {:?}",
        Effect::<()>::Disconnect
    ));
    for word in [
        "\"other\"",
        "Blocking",
        "Run",
        "Done",
        "Connect",
        "StartTls",
        "Disconnect",
    ] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(
        !shown.contains("p w") && !shown.contains("private"),
        "{shown}"
    );
    let logins = [
        Login::Apop {
            user: "mrose".into(),
            timestamp: "<1@x>".into(),
            digest: [7; 16],
        },
        Login::Relay {
            mechanism: Mechanism::new("SCRAM-SHA-256").unwrap(),
            initial: Some(secret("hidden")),
            names: Names::default(),
        },
        Login::Password {
            user: "mrose".into(),
            password: secret("hidden"),
        },
    ];
    let shown = format!("{logins:?} {:?}", secret("hidden"));
    for word in [
        "Apop(\"mrose\"",
        "Relay(\"SCRAM-SHA-256\"",
        "Password(\"mrose\"",
        "<secret>",
    ] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(
        !shown.contains("hidden") && !shown.contains("07"),
        "{shown}"
    );
}

/// A backend without a connection of its own needs to say nothing about octets.
#[test]
fn a_backend_without_octets() {
    let mut backend = Blocking::new(store(&[]));
    assert!(backend.recv_buf().is_empty());
    backend.received(Time::ZERO, 7);
    assert!(backend.transmit().is_empty());
    backend.transmitted(Time::ZERO, 7);
    assert!(backend.poll_effect().is_none());
}

/// A message in memory is one piece, and then it is over.
#[test]
fn octets_are_a_message() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    let mut message = bytes::Bytes::from_static(b"mail");
    for expected in [Some(bytes::Bytes::from_static(b"mail")), None, None] {
        let chunk = AsyncMessage::chunk(&mut message);
        let polled = pin!(chunk).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(Ok(expected)));
    }
}

/// What is shown of stores says what they are, and nothing that is in them.
#[test]
fn v33_stores_show_no_secret() {
    let store = store(&["one", "two"]);
    let mailbox = store.open(&login()).unwrap();
    assert_eq!(format!("{mailbox:?}"), "ListMailbox { listed: 0, .. }");
    let blocking = Blocking::new(Arc::clone(&store));
    assert_eq!(format!("{blocking:?}"), "Blocking { .. }");
    assert!(!format!("{store:?}").contains("p w"));
    let shelf = Arc::new(crate::common::Shelf::new(&[]));
    let awaiting = Awaiting::new(shelf);
    assert_eq!(format!("{awaiting:?}"), "Awaiting { .. }");
}

/// A list that goes on: what is delivered after something was removed never has an id that a client has seen,
/// alike or not.
#[test]
fn w002_an_id_of_a_list_never_comes_again() {
    let store = store(&["same", "same", "other"]);
    let mut seen: Vec<String> = ids(&store);
    // the same messages have the same ids after a restart
    assert_eq!(ids(&self::store(&["same", "same", "other"])), seen);
    for round in 0..20 {
        let mut mailbox = store.open(&login()).unwrap();
        let messages = mailbox.list().unwrap().len() as u32;
        let removed: Vec<Index> = (0..messages).step_by(1 + round % 2).map(Index).collect();
        mailbox.remove(&removed).unwrap();
        let kept = ids(&store);
        for message in ["same", "same", "other"] {
            store.deliver("u", message);
        }
        let now = ids(&store);
        assert_eq!(now[..kept.len()], kept);
        for id in &now[kept.len()..] {
            assert!(
                !seen.contains(id) && unique_id::is_valid(id.as_bytes()),
                "{id}"
            );
        }
        seen.extend_from_slice(&now[kept.len()..]);
    }
}
