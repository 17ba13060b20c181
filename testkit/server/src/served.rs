//! What the `serve` of every driver must do, inside a runtime that runs already: one call serves a store.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use blocking::unblock;
use pop3_server::serving::Serving;
use pop3_server::store::{AsyncMailbox, AsyncStore, Bytes, Entry, Index, Open, StoreError};

use crate::socket::{Client, connect};

/// Refuses every login.
pub struct Empty;

impl AsyncStore for Empty {
    type Mailbox = Self;

    async fn open(&self, _: &Open) -> Result<Self, StoreError> {
        Err(StoreError::Credentials)
    }
}

impl AsyncMailbox for Empty {
    type Message = Bytes;

    async fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        Ok(Vec::new())
    }

    async fn message(&mut self, _: Index) -> Result<Bytes, StoreError> {
        Err(StoreError::Missing)
    }

    async fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A session there.
pub async fn refuses(address: SocketAddr) {
    let session = move || {
        let mut client = Client::new(connect(address));
        assert!(client.line().starts_with("+OK"));
        assert!(client.log_in("tim").starts_with("-ERR [AUTH]"));
    };
    unblock(session).await;
}

/// A socket that does not block.
fn bind(address: &str) -> TcpListener {
    let socket = TcpListener::bind(address).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

pub async fn a_store_is_served_until_the_handle_stops_it(
    serve: impl FnOnce(TcpListener, Empty) -> io::Result<Serving>,
) {
    let socket = bind("127.0.0.1:0");
    let address = socket.local_addr().unwrap();
    let serving = serve(socket, Empty).unwrap();
    refuses(address).await;
    serving.shut_down().await.unwrap();
    assert!(TcpListener::bind(address).is_ok(), "the socket is closed");
}

pub async fn a_store_without_tls_is_for_this_machine(
    serve: impl FnOnce(TcpListener, Empty) -> io::Result<Serving>,
) {
    let error = serve(bind("0.0.0.0:0"), Empty).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
