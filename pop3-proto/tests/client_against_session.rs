//! The two halves of the crate against each other: client machine and server session.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod client_pair;

use client_pair::{Heard, NOW, Server, commands, cuts, expected, messages};
use pop3_proto::backend::Mechanism;
use pop3_proto::client::{Client, Close, Config, Credentials, Method};
use pop3_proto::command::Command;
use pop3_proto::secret::Secret;
use pop3_proto::server::{Reason, TlsOffer};
use proptest::prelude::*;
use proptest::sample::select;
use testkit::talk::Talk;

struct Gateway(Talk);

impl Gateway {
    fn new(messages: &[Vec<u8>]) -> Self {
        let names = ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5"];
        let policy = testkit::talk::clear()
            .tls(TlsOffer::Stls)
            .apop(true)
            .mechanisms(names.into_iter().filter_map(Mechanism::new).collect());
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        Self(Talk::new(policy, &messages))
    }
}

impl Server for Gateway {
    fn hear(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    fn say(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0.out)
    }

    fn handle_tls(&mut self) {
        self.0.tls();
    }
}

fn methods() -> impl Strategy<Value = Method> {
    select(vec![
        Method::UserPass,
        Method::Apop,
        Method::Plain,
        Method::Login,
        Method::CramMd5,
        Method::XOauth2,
        Method::OauthBearer,
    ])
}

fn credentials(method: Method, right: bool, initial_response: bool) -> Credentials {
    let secret: &[u8] = match method {
        _ if !right => b"wrong",
        Method::XOauth2 | Method::OauthBearer => b"good",
        _ => b"p w",
    };
    Credentials::new("u", Secret::from(secret), method).initial_response(initial_response)
}

/// The greeting, which [`Talk`] threw away.
fn greeted(client: &mut Client, heard: &mut Heard) {
    client.handle_input(NOW, b"+OK ready <1.2@host>\r\n");
    while let Some(event) = client.poll_event() {
        heard.note(event);
    }
}

proptest! {
    #[test]
    fn o001_whole_sessions(
        messages in messages(),
        commands in commands(),
        cuts in cuts(),
        method in methods(),
        initial_response in any::<bool>(),
        tls in any::<bool>(),
        capa in any::<bool>(),
    ) {
        // O001
        let tls = tls || matches!(method, Method::XOauth2 | Method::OauthBearer);
        let mut server = Gateway::new(&messages);
        let mut client = Client::new(Config::default().clear_login(!tls), NOW);
        let mut heard = Heard::default();
        greeted(&mut client, &mut heard);
        if tls {
            client.send(NOW, &Command::Stls).unwrap();
            heard.converse(&mut client, &mut server, &cuts);
        }
        if capa {
            client.send(NOW, &Command::Capa).unwrap();
        }
        client.log_in(NOW, &credentials(method, true, initial_response)).unwrap();
        for command in &commands {
            client.send(NOW, command).unwrap();
        }
        client.send(NOW, &Command::Quit).unwrap();
        heard.converse(&mut client, &mut server, &cuts);
        let (outcomes, removed) = expected(&messages, &commands);
        prop_assert_eq!(&heard.closed, &Some(Close::Quit));
        prop_assert_eq!(heard.last(commands.len() + 1)[..commands.len()].to_vec(), outcomes);
        prop_assert_eq!(&server.0.store.removed, &removed);
        prop_assert!(matches!(server.0.closed, Some(Reason::Quit)), "{:?}", server.0.closed);
    }

    /// Wherever the connection ends, a message is whole or lost, and nothing is deleted without QUIT.
    #[test]
    fn g06_p037_cut_at_any_moment(messages in messages(), commands in commands(), cuts in cuts(), end in 0..3000_usize) {
        let mut server = Cut { inner: Gateway::new(&messages), left: end };
        let mut client = Client::new(Config::default().clear_login(true), NOW);
        let mut heard = Heard::default();
        greeted(&mut client, &mut heard);
        client.send(NOW, &Command::Capa).unwrap();
        client.log_in(NOW, &credentials(Method::UserPass, true, true)).unwrap();
        for command in &commands {
            client.send(NOW, command).unwrap();
        }
        heard.converse(&mut client, &mut server, &cuts);
        client.handle_eof(NOW);
        while let Some(event) = client.poll_event() {
            heard.note(event);
        }
        let (outcomes, _) = expected(&messages, &commands);
        prop_assert_eq!(heard.closed.clone(), Some(Close::Eof));
        for (came, should) in heard.last(commands.len()).into_iter().zip(outcomes) {
            prop_assert!(came.done == Some(false) || came == should);
            prop_assert!(came.done == Some(true) || came.body.is_none());
        }
        prop_assert!(server.inner.0.store.removed.is_empty());
    }

    #[test]
    fn wrong_credentials_are_refused_and_the_next_login_works(
        first in methods().prop_filter("the store takes any digest", |it| !matches!(it, Method::Apop | Method::CramMd5)),
        second in methods(),
        cuts in cuts(),
    ) {
        let mut server = Gateway::new(&[]);
        let mut client = Client::new(Config::default(), NOW);
        let mut heard = Heard::default();
        greeted(&mut client, &mut heard);
        client.send(NOW, &Command::Stls).unwrap();
        heard.converse(&mut client, &mut server, &cuts);
        client.send(NOW, &Command::Capa).unwrap();
        client.log_in(NOW, &credentials(first, false, true)).unwrap();
        client.log_in(NOW, &credentials(second, true, true)).unwrap();
        client.send(NOW, &Command::Stat).unwrap();
        heard.converse(&mut client, &mut server, &cuts);
        let outcomes = heard.last(3);
        prop_assert_eq!(outcomes[0].done, Some(false));
        prop_assert_eq!(outcomes[1].done, Some(true));
        prop_assert_eq!(outcomes[2].stat, Some((0, 0)));
    }
}

/// A server whose line goes dead after this many octets.
struct Cut {
    inner: Gateway,
    left: usize,
}

impl Server for Cut {
    fn hear(&mut self, bytes: &[u8]) {
        self.inner.hear(bytes);
    }

    fn say(&mut self) -> Vec<u8> {
        let mut said = self.inner.say();
        said.truncate(self.left);
        self.left -= said.len();
        said
    }
}
