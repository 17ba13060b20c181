//! The upstream at scale: testkit's IMAP server with very many connections, in a process of its own.
//!
//! Real servers use a process for each session, which would take the memory and the processors that are
//! to be measured.

use smol::LocalExecutor;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use testkit::Content;
use testkit::imap_server::{Options, Server, ServerSession, Store};

use crate::Outcome;
use crate::mail::{MANY_SIZE, MIB, user};
use crate::pop::PASSWORD;

/// How large the one large message of each user is.
pub(super) const LARGE: usize = 2 * MIB;
/// Its number; the small ones come before.
pub(super) const LARGE_NUMBER: usize = 4;

const LINE: &str =
    "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNldGV0dXIgc2FkaXBzY2luZyBlbGl0ciwg\r\n";

/// Serves this many users on this port until the process is ended.
pub(crate) fn serve(port: u16, users: usize) -> Outcome {
    let server = Server::new(store(users), Options::default());
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            executor.spawn(converse(stream, server.connect())).detach();
        }
    }))
}

fn store(users: usize) -> Store {
    let mail = |size: usize| {
        let head = "Subject: one of many\r\n\r\n";
        Content::repeated(head, LINE, (size / LINE.len()) as u64, "")
    };
    let (small, large) = (mail(MANY_SIZE), mail(LARGE));
    let store = Store::new();
    for name in (0..users).map(user) {
        store.add_user(&name, PASSWORD);
        for _ in 1..LARGE_NUMBER {
            store.deliver(&name, small.clone());
        }
        store.deliver(&name, large.clone());
    }
    store
}

/// An error ends the connection, as an end does.
async fn converse(mut stream: TcpStream, mut session: ServerSession) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut buffer = [0; 1024];
    loop {
        while !session.transmit().is_empty() {
            let Ok(n) = stream.write(session.transmit()).await else {
                return;
            };
            session.transmitted(n);
        }
        if session.is_closed() {
            return;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => session.handle_eof(),
            Ok(n) => session.handle_input(&buffer[..n]),
        }
    }
}
