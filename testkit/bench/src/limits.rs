//! Where the physical limit lies on this machine: copying, stuffing, enciphering, and the kernel's share.
//!
//! The hops are the least that a program between two sockets can do: read, write, nothing else, in a thread
//! that blocks. What is measured there is the processor time of that thread.

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use pop3_proto::stuffing::Stuffer;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::Outcome;
use crate::mail::{LARGE_SIZE, MANY_SIZE};

/// What a gateway's read holds.
const PIECE: usize = 64 * 1024;
/// What a TLS record holds.
const RECORD: usize = 16 * 1024;
const MB: f64 = 1e6;

/// How long each is measured.
const SPAN: Duration = Duration::from_millis(400);

/// Seconds per MB, or per event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) copy: f64,
    pub(crate) stuff: f64,
    pub(crate) cipher: f64,
    /// A program that passes bytes from socket to socket.
    pub(crate) hop: f64,
    /// The same, for a command and an answer of 4 KiB.
    pub(crate) exchange: f64,
    /// The same, for a connection: accept, connect, four commands and answers, close both.
    pub(crate) connection: f64,
}

pub(crate) fn measure() -> Outcome<Limits> {
    Ok(Limits {
        copy: copy()?,
        stuff: stuff()?,
        cipher: cipher()?,
        hop: hop()?,
        exchange: exchanges(20_000)? / 20_000.0,
        connection: connections(2_000)?,
    })
}

/// Seconds of processor time per MB of calling `step`, which deals with `octets`.
fn rate(octets: usize, mut step: impl FnMut()) -> Outcome<f64> {
    let (begin, used, mut count) = (Instant::now(), thread_time()?, 0_u32);
    while begin.elapsed() < SPAN {
        for _ in 0..64 {
            step();
        }
        count += 64;
    }
    Ok((thread_time()? - used) / (f64::from(count) * octets as f64 / MB))
}

fn copy() -> Outcome<f64> {
    let (from, mut to) = (vec![7; PIECE], vec![0; PIECE]);
    rate(PIECE, || {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
    })
}

fn stuff() -> Outcome<f64> {
    let line = b"TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNldGV0dXIgc2FkaXBzY2luZyBlbGl0ciwg\r\n";
    let text: Vec<u8> = line.iter().copied().cycle().take(PIECE).collect();
    let mut out = BytesMut::with_capacity(2 * PIECE);
    rate(PIECE, || {
        out.clear();
        Stuffer::whole().stuff(black_box(&text), &mut out);
        black_box(&mut out);
    })
}

fn cipher() -> Outcome<f64> {
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| "no AES-256-GCM")?;
    let key = LessSafeKey::new(key);
    let mut record = vec![7; RECORD];
    rate(RECORD, || {
        let nonce = Nonce::assume_unique_for_key([1; 12]);
        // sealing a record of this length cannot fail
        let _ = black_box(key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut record));
    })
}

fn hop() -> Outcome<f64> {
    let octets = 20 * LARGE_SIZE;
    let (mut source, from) = pair()?;
    let (to, mut sink) = pair()?;
    let writer = thread::spawn(move || {
        let piece = vec![7; PIECE];
        // an error shows as an early end
        (0..octets / PIECE).all(|_| source.write_all(&piece).is_ok())
    });
    let reader = thread::spawn(move || {
        let (mut buffer, mut heard) = (vec![0; 4 * PIECE], 0);
        while let Ok(n @ 1..) = sink.read(&mut buffer) {
            heard += n;
        }
        heard
    });
    let used = pass(from, to)?;
    let _ = writer.join();
    let heard = reader.join().map_err(|_| "the reader died")?;
    Ok(used / (heard as f64 / MB))
}

/// Passes everything on until the end; tells the processor time.
fn pass(mut from: TcpStream, mut to: TcpStream) -> Outcome<f64> {
    let hop = thread::spawn(move || -> Outcome<f64> {
        let mut buffer = vec![0; PIECE];
        let begin = thread_time()?;
        loop {
            let n = from.read(&mut buffer)?;
            if n == 0 {
                return Ok(thread_time()? - begin);
            }
            to.write_all(&buffer[..n])?;
        }
    });
    hop.join().map_err(|_| "the hop died")?
}

/// The processor time of this many commands and answers through a hop.
fn exchanges(count: usize) -> Outcome<f64> {
    let (mut client, mut front) = pair()?;
    let (mut back, mut server) = pair()?;
    let answering = thread::spawn(move || {
        let (mut buffer, answer) = ([0; 256], [7; MANY_SIZE]);
        while let Ok(1..) = server.read(&mut buffer) {
            if server.write_all(&answer).is_err() {
                return;
            }
        }
    });
    let asking = thread::spawn(move || {
        let mut answer = [0; MANY_SIZE];
        (0..count).all(|_| {
            client.write_all(b"RETR 1000\r\n").is_ok() && client.read_exact(&mut answer).is_ok()
        })
    });
    let begin = thread_time()?;
    let mut buffer = [0; 2 * MANY_SIZE];
    for _ in 0..count {
        let n = front.read(&mut buffer)?;
        back.write_all(&buffer[..n])?;
        back.read_exact(&mut buffer[..MANY_SIZE])?;
        front.write_all(&buffer[..MANY_SIZE])?;
    }
    let used = thread_time()? - begin;
    drop(back);
    let _ = (asking.join(), answering.join());
    Ok(used)
}

/// The processor time of a connection through a hop: greeting, three exchanges, closing.
fn connections(count: usize) -> Outcome<f64> {
    const SAID: [u8; 32] = [b'x'; 32];
    let (front, back) = (
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    );
    let (front_at, back_at) = (front.local_addr()?, back.local_addr()?);
    let serving = thread::spawn(move || {
        for mut stream in back.incoming().take(count).flatten() {
            let mut heard = SAID;
            let mut polite = stream.write_all(&SAID).is_ok();
            while polite && stream.read_exact(&mut heard).is_ok() {
                polite = stream.write_all(&SAID).is_ok();
            }
        }
    });
    let asking = thread::spawn(move || {
        for _ in 0..count {
            let Ok(mut stream) = TcpStream::connect(front_at) else {
                return;
            };
            let mut heard = SAID;
            let mut polite = stream.read_exact(&mut heard).is_ok();
            for _ in 0..3 {
                polite &= stream.write_all(&SAID).is_ok() && stream.read_exact(&mut heard).is_ok();
            }
            if !polite {
                return;
            }
        }
    });
    let mut buffer = SAID;
    let begin = thread_time()?;
    for _ in 0..count {
        let (mut client, _) = front.accept()?;
        client.set_nodelay(true)?;
        let mut server = TcpStream::connect(back_at)?;
        server.set_nodelay(true)?;
        server.read_exact(&mut buffer)?;
        client.write_all(&buffer)?;
        for _ in 0..3 {
            client.read_exact(&mut buffer)?;
            server.write_all(&buffer)?;
            server.read_exact(&mut buffer)?;
            client.write_all(&buffer)?;
        }
    }
    let used = thread_time()? - begin;
    let _ = (asking.join(), serving.join());
    Ok(used / count as f64)
}

/// Two ends of a connection.
fn pair() -> Outcome<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    for stream in [&one, &other] {
        stream.set_nodelay(true)?;
    }
    Ok((one, other))
}

/// The processor time of this thread so far, in seconds.
fn thread_time() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}
