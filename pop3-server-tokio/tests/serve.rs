//! One call serves a store, inside a runtime that runs already.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::ErrorKind;
use std::net::SocketAddr;

use pop3_server_tokio::serve;
use pop3_server_tokio::store::{AsyncMailbox, AsyncStore, Bytes, Entry, Index, Open, StoreError};
use testkit_server::socket::{Client, connect};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

/// Knows nobody.
struct Empty;

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

fn session(address: SocketAddr) {
    let mut client = Client::new(connect(address));
    assert!(client.line().starts_with("+OK"));
    assert!(client.log_in("tim").starts_with("-ERR [AUTH]"));
}

#[tokio::test]
async fn a_store_is_served_until_the_handle_stops_it() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let serving = serve(socket, Empty).unwrap();
    spawn_blocking(move || session(address)).await.unwrap();
    serving.shut_down().await.unwrap();
    assert!(
        TcpListener::bind(address).await.is_ok(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn a_store_without_tls_is_for_this_machine() {
    let socket = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(socket, Empty).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
