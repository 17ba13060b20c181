//! The model and the session of the protocol crate judge each other.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use pop3_proto::backend::{Access, Index, Reply, Request};
use pop3_proto::server::{Event, Policy, Session};
use pop3_proto::time::Time;
use proptest::prelude::*;
use testkit::generate::{self, Source};
use testkit::mails::corpus;
use testkit::model::{self, Maildrop, Message};

/// A session that is logged in, with a store that answers at once.
struct Talk {
    session: Session,
    messages: Vec<Vec<u8>>,
    /// Octets in one piece of a body.
    piece: usize,
    deleted: Option<Vec<usize>>,
    closed: bool,
}

impl Talk {
    fn new(messages: Vec<Vec<u8>>, piece: usize) -> Self {
        let policy = Policy::default().clear_login(true);
        let session = Session::new(Arc::new(policy), "", Time::ZERO);
        let mut talk = Self {
            session,
            messages,
            piece,
            deleted: None,
            closed: false,
        };
        talk.say(b"USER u\r\nPASS p\r\n", 1000);
        talk
    }

    fn say(&mut self, octets: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in octets.chunks(size) {
            let mut rest = chunk;
            while !rest.is_empty() && !self.closed {
                let room = self.session.input_room().min(rest.len());
                let taken = self.session.handle_input(Time::ZERO, &rest[..room]);
                rest = &rest[taken..];
                self.settle(&mut out);
            }
        }
        out
    }

    fn settle(&mut self, out: &mut Vec<u8>) {
        loop {
            let sent = self.session.transmit().len();
            out.extend_from_slice(self.session.transmit());
            self.session.transmitted(Time::ZERO, sent);
            match self.session.poll_event() {
                Some(Event::Request(request)) => self.carry_out(request, out),
                Some(Event::StartTls) => panic!("no TLS here"),
                Some(Event::Close(_)) => self.closed = true,
                None if sent == 0 => return,
                None => {}
            }
        }
    }

    fn carry_out(&mut self, request: Request, out: &mut Vec<u8>) {
        match request {
            Request::Open(_) => {
                self.reply(Reply::Authenticated);
                for (number, message) in (1..).zip(self.messages.clone()) {
                    let unique_id = format!("1.{number}");
                    self.reply(Reply::Entry {
                        size: message.len() as u64,
                        unique_id: unique_id.as_bytes(),
                    });
                }
                self.reply(Reply::Opened {
                    access: Access::ReadWrite,
                });
            }
            Request::Retrieve {
                ticket,
                index: Index(index),
                ..
            } => {
                let message = self.messages[index as usize].clone();
                self.reply(Reply::BodyStart { ticket, size: None });
                for bytes in message.chunks(self.piece) {
                    while self.session.body_room() < bytes.len()
                        && !self.session.transmit().is_empty()
                    {
                        out.extend_from_slice(self.session.transmit());
                        self.session
                            .transmitted(Time::ZERO, self.session.transmit().len());
                    }
                    self.reply(Reply::Body { ticket, bytes });
                }
                self.reply(Reply::BodyEnd { ticket });
            }
            Request::Update { deleted, .. } => {
                self.deleted = Some(deleted.iter().map(|index| index.0 as usize + 1).collect());
                self.reply(Reply::Updated);
            }
            Request::Answer(_) | Request::Cancel(_) | Request::Abandon => {}
        }
    }

    fn reply(&mut self, reply: Reply<'_>) {
        self.session.handle_reply(Time::ZERO, reply);
    }
}

fn maildrop(messages: &[Vec<u8>]) -> Maildrop {
    Maildrop::new(
        (1..)
            .zip(messages)
            .map(|(number, mail)| Message::new(format!("1.{number}"), mail.clone())),
    )
}

/// Says all commands at once and compares every reply.
fn compare(
    messages: Vec<Vec<u8>>,
    commands: &[Vec<u8>],
    piece: usize,
    size: usize,
) -> Result<(), String> {
    let mut model = maildrop(&messages);
    let mut talk = Talk::new(messages, piece);
    let octets: Vec<u8> = commands
        .iter()
        .flat_map(|line| [line, b"\r\n".as_slice()].concat())
        .collect();
    let output = talk.say(&octets, size);
    let mut rest = output.as_slice();
    for command in commands {
        let shown = command.escape_ascii();
        let reply = model.execute(command);
        let len = reply
            .check(rest)
            .map_err(|fault| format!("{shown}: {fault}"))?;
        rest = &rest[len.ok_or_else(|| format!("{shown}: no whole reply"))?..];
        if reply == model::Reply::Quit {
            assert_eq!(talk.deleted.clone().unwrap_or_default(), model.deleted());
            assert!(talk.closed);
            break;
        }
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(format!("left over: {}", rest.escape_ascii()))
    }
}

#[test]
fn p031_p043_every_mail_of_the_corpus_is_retrieved_as_the_model_says() {
    let messages: Vec<Vec<u8>> = corpus()
        .iter()
        .filter(|mail| !mail.is_large())
        .map(|mail| mail.content.to_vec())
        .collect();
    let commands: Vec<Vec<u8>> = (1..=messages.len())
        .flat_map(|n| {
            [
                format!("RETR {n}"),
                format!("TOP {n} 0"),
                format!("TOP {n} 3"),
                format!("TOP {n} 999999"),
            ]
        })
        .map(String::into_bytes)
        .collect();
    for piece in [4096, 16 * 1024, 60_000] {
        compare(messages.clone(), &commands, piece, 1000).unwrap();
    }
}

proptest! {
    #[test]
    fn any_commands_get_the_replies_that_the_model_says(
        octets in proptest::collection::vec(any::<u8>(), 0..1500),
        piece in 1usize..200,
        size in 1usize..100,
    ) {
        let mut source = Source::new(&octets);
        let messages = generate::maildrop(&mut source);
        let commands = generate::commands(&mut source, messages.len());
        let compared = compare(messages, &commands, piece, size);
        prop_assert!(compared.is_ok(), "{}", compared.unwrap_err());
    }
}
