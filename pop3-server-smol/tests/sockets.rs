//! Whole sessions on real sockets.

testkit_server::on_sockets!(pop3_server_smol::run);
