//! A relay that lets everything take its time: a distant server on this machine, without privileges.
//!
//! Each way takes [`ONE_WAY`]. The connection's own round trip, and the way of its last packet, are waited
//! for before the target is connected to: a client learns no sooner that it is connected, because it
//! has to wait for the greeting anyway. Nothing is lost and nothing limits the bandwidth.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// Half a round trip.
pub(crate) const ONE_WAY: Duration = Duration::from_millis(10);

const PIECE: usize = 64 * 1024;
/// Pieces on their way.
const DEPTH: usize = 1024;

/// Relays from `port` to `target` until the program ends.
pub(crate) fn relay(port: u16, target: u16) -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // whatever fails here ends this connection, as on any network
            thread::spawn(move || connect(client, target));
        }
    });
    Ok(())
}

fn connect(client: TcpStream, target: u16) -> std::io::Result<()> {
    thread::sleep(ONE_WAY * 3);
    let server = TcpStream::connect(("127.0.0.1", target))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        let (sender, receiver) = sync_channel(DEPTH);
        thread::spawn(move || take(from, &sender));
        thread::spawn(move || give(to, &receiver));
    }
    Ok(())
}

fn take(mut from: TcpStream, sender: &SyncSender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; PIECE];
    while let Ok(n) = from.read(&mut buffer) {
        let piece = buffer[..n].to_vec();
        if sender.send((Instant::now() + ONE_WAY, piece)).is_err() || n == 0 {
            return;
        }
    }
}

fn give(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, piece)) = receiver.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    // gone already, if this fails
    let _ = to.shutdown(Shutdown::Write);
}
