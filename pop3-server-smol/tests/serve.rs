//! One call serves a store, on the threads of `smol::spawn`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use pop3_server_smol::serve;
use pop3_server_smol::store::{AsyncMailbox, AsyncStore, Bytes, Entry, Index, Open, StoreError};
use testkit_server::socket::{Client, connect};

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

#[test]
fn a_store_is_served_until_the_handle_stops_it() {
    smol::block_on(async {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let serving = serve(socket, Empty).unwrap();
        smol::unblock(move || session(address)).await;
        serving.shut_down().await.unwrap();
        assert!(
            TcpListener::bind(address).is_ok(),
            "nobody listens any more"
        );
    });
}

#[test]
fn a_store_without_tls_is_for_this_machine() {
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let error = serve(socket, Empty).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
