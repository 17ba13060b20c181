//! What an upstream sends: 100,000 lines of a scan, and bodies, through framer, grammar and backend.

#![allow(missing_docs, reason = "criterion's macros")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use imap_backend::{Config, ImapBackend, Security};
use pop3_proto::backend::{Backend, Index, Login, Open, Outcome, Part, Reply, Request, Ticket};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

const NOW: Time = Time::ZERO;
const MESSAGES: usize = 100_000;
const BODY: usize = 25 * 1024 * 1024;
const ROOM: usize = 64 * 1024;

/// Reads as a socket would give it; returns what was replied, as far as it can be counted.
fn receive(backend: &mut ImapBackend, mut bytes: &[u8]) -> (usize, usize) {
    let (mut entries, mut octets) = (0, 0);
    while !bytes.is_empty() {
        let room = backend.recv_buf();
        let n = room.len().min(bytes.len());
        room[..n].copy_from_slice(&bytes[..n]);
        bytes = &bytes[n..];
        backend.received(NOW, n);
        while let Some(reply) = backend.poll_reply(NOW, ROOM) {
            match reply {
                Reply::Entry { .. } => entries += 1,
                Reply::Body { bytes, .. } => octets += black_box(bytes).len(),
                Reply::Failed(failure) => panic!("{failure:?}"),
                Reply::Challenge(_)
                | Reply::Authenticated
                | Reply::Opened { .. }
                | Reply::Refused(_)
                | Reply::BodyStart { .. }
                | Reply::BodyEnd { .. }
                | Reply::BodyFailed { .. }
                | Reply::Updated
                | Reply::Kept => {}
            }
        }
        let sent = backend.transmit().len();
        backend.transmitted(NOW, sent);
    }
    (entries, octets)
}

/// A backend whose login is on its way; its commands have the tags A1, A2 and A3.
fn opening() -> ImapBackend {
    let config = Config::new("imap.example.org", 143, Security::Clear);
    let mut backend = ImapBackend::new(Arc::new(config));
    let login = Login::Password {
        user: "alice".into(),
        password: Secret::from(&b"secret"[..]),
    };
    backend.handle_request(NOW, Request::Open(Open::new(login)));
    while backend.poll_effect().is_some() {}
    backend.handle_outcome(NOW, Outcome::Connected);
    receive(
        &mut backend,
        b"* OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] Dovecot ready\r\n",
    );
    backend
}

/// The answer to login, SELECT and scan.
fn opened(messages: usize) -> Vec<u8> {
    let mut text = String::from("A1 OK logged in\r\n");
    let _ = write!(text, "* {messages} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n");
    text += "A2 OK [READ-WRITE] selected\r\n";
    for number in 1..=messages {
        let (uid, size) = (number * 3, 600 + number % 4096);
        let _ = write!(text, "* {number} FETCH (UID {uid} RFC822.SIZE {size})\r\n");
    }
    (text + "A3 OK fetched\r\n").into()
}

fn scan(c: &mut Criterion) {
    let text = opened(MESSAGES);
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.sample_size(20);
    group.bench_function("100,000 messages", |b| {
        b.iter_batched_ref(
            opening,
            |backend| assert_eq!(receive(backend, &text).0, MESSAGES),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn bodies(c: &mut Criterion) {
    let mut group = c.benchmark_group("body");
    for (name, size) in [("25 MiB", BODY), ("4 KiB", 4096)] {
        let body = [b'x'].repeat(size);
        let mut backend = opening();
        receive(&mut backend, &opened(1));
        let mut tag = 3;
        group.throughput(Throughput::Bytes(size as u64));
        group.sample_size(20);
        group.bench_function(name, |b| {
            b.iter(|| {
                tag += 1;
                let (index, ticket) = (Index(0), Ticket(tag));
                let part = Part::Whole;
                backend.handle_request(
                    NOW,
                    Request::Retrieve {
                        ticket,
                        index,
                        part,
                    },
                );
                let head = format!("* 1 FETCH (UID 3 BODY[] {{{size}}}\r\n");
                let mut octets = 0;
                for piece in [
                    head.as_bytes(),
                    &body,
                    format!(")\r\nA{tag} OK fetched\r\n").as_bytes(),
                ] {
                    octets += receive(&mut backend, piece).1;
                }
                assert_eq!(octets, size);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scan, bodies);
criterion_main!(benches);
