//! One call serves a store, on the threads of `smol::spawn`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::net::TcpListener;

use pop3_server_smol::{Serving, serve};
use smol::Async;
use testkit_server::served::{self, Empty};

fn serve_std(socket: TcpListener, store: Empty) -> io::Result<Serving> {
    serve(Async::new(socket)?, store)
}

#[test]
fn a_store_is_served_until_the_handle_stops_it() {
    smol::block_on(served::a_store_is_served_until_the_handle_stops_it(
        serve_std,
    ));
}

#[test]
fn a_store_without_tls_is_for_this_machine() {
    smol::block_on(served::a_store_without_tls_is_for_this_machine(serve_std));
}

#[test]
fn a_socket_of_smols_own_is_taken() {
    smol::block_on(async {
        let socket = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kept = socket.clone();
        let serving = serve(socket, Empty).unwrap();
        served::refuses(kept.local_addr().unwrap()).await;
        serving.shut_down().await.unwrap();
    });
}
