//! SIGHUP reloads, SIGTERM stops. Alone in its process, because signals are the process's.

#[test]
fn g19_signals_reload_and_stop() {
    testkit_server::socket::signals_reload_and_stop(pop3_server_smol::run);
}
