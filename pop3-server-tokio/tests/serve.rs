//! One call serves a store, inside a runtime that runs already.

use std::io;

use pop3_server_tokio::{Serving, serve};
use testkit_server::served::{self, Empty};
use tokio::net::TcpListener;

fn serve_std(socket: std::net::TcpListener, store: Empty) -> io::Result<Serving> {
    serve(TcpListener::from_std(socket)?, store)
}

#[tokio::test]
async fn a_store_is_served_until_the_handle_stops_it() {
    served::a_store_is_served_until_the_handle_stops_it(serve_std).await;
}

#[tokio::test]
async fn a_store_without_tls_is_for_this_machine() {
    served::a_store_without_tls_is_for_this_machine(serve_std).await;
}
