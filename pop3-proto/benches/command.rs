//! Reading commands: the grammar alone, and a session that answers pipelined ones.

#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pop3_proto::backend::{Access, Reply};
use pop3_proto::command::Command;
use pop3_proto::server::{Policy, Session};
use pop3_proto::time::Time;

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for line in [
        "RETR 1000",
        "TOP 1 0",
        "USER alice@example.org",
        "AUTH PLAIN dABlAHM=",
    ] {
        group.bench_function(line, |b| {
            b.iter(|| Command::parse(black_box(line.as_bytes())))
        });
    }
    group.finish();
}

/// 64 commands in one read, answered in one write.
fn answer(c: &mut Criterion) {
    const COMMANDS: usize = 64;
    let policy = Policy::default().clear_login(true);
    let mut session = Session::new(policy.into(), "", Time::ZERO);
    session.handle_input(Time::ZERO, b"USER alice\r\nPASS secret\r\n");
    session.handle_reply(
        Time::ZERO,
        Reply::Entry {
            size: 4096,
            unique_id: b"7.1",
        },
    );
    let access = Access::ReadWrite;
    session.handle_reply(Time::ZERO, Reply::Opened { access });
    let said = String::from_utf8_lossy(session.transmit()).into_owned();
    assert!(said.contains("1 messages"), "not logged in: {said}");
    session.transmitted(Time::ZERO, usize::MAX);

    let commands = "LIST 1\r\n".repeat(COMMANDS);
    let mut group = c.benchmark_group("answer");
    group.throughput(Throughput::Elements(COMMANDS as u64));
    group.bench_function("64 × LIST 1", |b| {
        b.iter(|| {
            let mut rest = black_box(commands.as_bytes());
            while !rest.is_empty() {
                let taken = session.handle_input(Time::ZERO, rest);
                rest = &rest[taken..];
                let sent = black_box(session.transmit()).len();
                session.transmitted(Time::ZERO, sent);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, parse, answer);
criterion_main!(benches);
