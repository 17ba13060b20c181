//! Whole sessions on real sockets.

use std::io;

use pop3_server_smol::{Setup, Smol};
use testkit_server::socket;

#[derive(Clone, Copy)]
struct Driver;

impl socket::Driver for Driver {
    type Runtime = Smol;

    fn run(self, setup: Setup) -> io::Result<()> {
        pop3_server_smol::run(setup)
    }
}

macro_rules! on_sockets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            socket::$name(Driver);
        })*
    };
}

on_sockets! {
    a_session_in_the_clear
    pipelined_commands_are_answered_in_order
    a_client_cut_off_frees_its_lock
    stls_and_implicit_tls
    an_upstream_in_the_clear_and_in_tls
    an_upstream_that_is_not_there
    jobs_run_and_may_panic
    too_many_connections_are_told_so
    many_clients_at_once
    shutdown_ends_all
    both_address_families
    another_handler_speaks
    another_handler_speaks_tls
}
