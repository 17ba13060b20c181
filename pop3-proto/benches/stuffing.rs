//! Dot-stuffing while copying, for what mail is made of and for what it is made of at its worst.

#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pop3_proto::stuffing::{Stuffer, Unstuffer};

const CHUNK: usize = 64 * 1024;
const BASE64: &[u8] =
    b"TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNldGV0dXIgc2FkaXBzY2luZyBlbGl0ciwg\r\n";

fn chunk(lines: &[u8]) -> Vec<u8> {
    lines.iter().copied().cycle().take(CHUNK).collect()
}

fn stuff(c: &mut Criterion) {
    let mut group = c.benchmark_group("stuff 64 KiB");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    for (name, lines) in [
        ("base64", BASE64),
        (
            "text",
            b"Some words in a line.\r\n\r\nAnd in others,\r\n".as_slice(),
        ),
        ("bare LF", b"Some words in a line.\n\nAnd in others,\n"),
        ("dots", b".\r\n"),
    ] {
        let text = chunk(lines);
        let mut out = BytesMut::with_capacity(2 * CHUNK);
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                Stuffer::whole().stuff(black_box(&text), &mut out)
            });
        });
        group.bench_function(format!("{name}, counting lines"), |b| {
            b.iter(|| {
                out.clear();
                Stuffer::top(u64::MAX).stuff(black_box(&text), &mut out)
            });
        });
    }
    group.finish();
}

fn unstuff(c: &mut Criterion) {
    let mut group = c.benchmark_group("unstuff 64 KiB");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    for (name, lines) in [("base64", BASE64), ("dots", b"..\r\n".as_slice())] {
        let text = chunk(lines);
        group.bench_function(name, |b| {
            b.iter(|| {
                let (mut unstuffer, mut rest) = (Unstuffer::new(), black_box(&text[..]));
                while !rest.is_empty() {
                    let read = unstuffer.unstuff(rest);
                    black_box(read.bytes);
                    rest = &rest[read.consumed..];
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, stuff, unstuff);
criterion_main!(benches);
