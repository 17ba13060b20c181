//! A server that is far away, though it runs here: a relay in which everything takes its time and little of the processor's.
//!
//! `cargo run --release -p testkit --example far -- PORT TARGET MICROSECONDS`
//!
//! Listens at PORT of loopback for connections to TARGET; each way takes so many MICROSECONDS. What comes while something
//! is under way leaves after it: for one question and one answer at a time that is exact, a stream becomes slower.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Duration;
use std::{env, thread};

const PIECE: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let numbers: Option<Vec<u32>> = env::args().skip(1).map(|word| word.parse().ok()).collect();
    let Some([port, target, micros]) = numbers.as_deref() else {
        return Err(usage());
    };
    let as_port = |number: &u32| u16::try_from(*number).map_err(|_| usage());
    let (port, target) = (as_port(port)?, as_port(target)?);
    let one_way = Duration::from_micros(u64::from(*micros));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("listening");
    for near in listener.incoming() {
        let near = near?;
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            to.set_nodelay(true)?;
            thread::spawn(move || carry(from, to, one_way));
        }
    }
    Ok(())
}

fn usage() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "usage: far PORT TARGET MICROSECONDS",
    )
}

/// Until one end closes, or breaks, which is the same for the other.
fn carry(mut from: TcpStream, mut to: TcpStream, one_way: Duration) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        thread::sleep(one_way);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
