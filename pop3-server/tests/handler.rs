//! A made-up handler, [`Echo`], in the clear and through TLS, step by step.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use pop3_server::listen::listen;
use pop3_server::server::Server;
use pop3_server::setup::Setup;
use pop3_server::tls::{Identity, ServerTls};
use testkit_server::echo::{Echo, PATIENCE};
use testkit_server::identity;
use testkit_server::peer::TlsPeer;
use testkit_server::sim::{Outcome, Shape, Sim, keep};

const NAME: &str = "mail.example.org";

struct World {
    sim: Sim,
    server: Server,
    outcome: Outcome,
}

impl World {
    fn new(chunk: usize, tls: Option<ServerTls>) -> Self {
        let shape = Shape {
            buffer: 16 * 1024,
            chunk,
        };
        let (sim, server) = (Sim::new(shape), Server::new());
        let socket = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let setup = Setup::new()
            .server(server.clone())
            .speak(socket, Echo { tls });
        let outcome = keep(&sim, setup.serve(sim.clone(), sim.signals()));
        sim.run();
        Self {
            sim,
            server,
            outcome,
        }
    }

    fn has_stopped(&self) -> bool {
        let outcome = self.outcome.lock().unwrap().take();
        outcome.is_some_and(|outcome| outcome.is_ok())
    }
}

fn certificate() -> (tempfile::TempDir, Identity) {
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(folder.path(), &[NAME]);
    (folder, identity)
}

fn load(identity: &Identity) -> ServerTls {
    ServerTls::load(std::slice::from_ref(identity)).unwrap()
}

#[test]
fn it_speaks_in_the_clear() {
    let world = World::new(7, None);
    let mut client = world.sim.client();
    client.say("hello");
    world.sim.settle(&mut client);
    assert_eq!(client.text(), "hello");
    let mut second = world.sim.client();
    world.sim.settle(&mut second);
    assert_eq!(second.text(), "full\n");
    client.end();
    world.sim.settle(&mut client);
    assert!(client.ended() && client.dropped());
    assert_eq!(world.server.crowd().count(), (0, 0));
}

/// Whatever the pieces, and with more than the buffers hold.
#[test]
fn it_speaks_tls() {
    let (_folder, identity) = certificate();
    for chunk in [1, 7, 64 * 1024] {
        let world = World::new(chunk, Some(load(&identity)));
        let (mut client, mut tls) = (world.sim.client(), TlsPeer::client(&identity, NAME, &[]));
        let long = b"long ".repeat(20_000);
        world.sim.settle_tls(&mut client, &mut tls);
        tls.send(&long);
        world.sim.settle_tls(&mut client, &mut tls);
        assert_eq!(tls.plaintext, long);
        tls.connection.send_close_notify();
        world.sim.settle_tls(&mut client, &mut tls);
        assert!(tls.closed && tls.error.is_none());
        assert!(client.ended() && client.dropped());
        assert_eq!(world.server.crowd().count(), (0, 0));
    }
}

/// What listeners speak otherwise is the handler's to say.
#[test]
fn it_names_its_protocol() {
    let (_folder, identity) = certificate();
    let world = World::new(64 * 1024, Some(load(&identity).protocols(["echo"])));
    for (asks, hears) in [("echo", true), ("pop3", false)] {
        let (mut client, mut tls) = (
            world.sim.client(),
            TlsPeer::client(&identity, NAME, &[asks]),
        );
        tls.send(b"hello");
        world.sim.settle_tls(&mut client, &mut tls);
        assert_eq!(tls.plaintext == b"hello", hears, "{:?}", tls.error);
        assert_eq!(tls.error.is_none(), hears);
        client.end();
        world.sim.settle(&mut client);
        assert!(client.dropped());
    }
}

#[test]
fn it_does_not_wait_for_a_handshake_for_ever() {
    let (_folder, identity) = certificate();
    let world = World::new(64 * 1024, Some(load(&identity)));
    let mut client = world.sim.client();
    client.say(&TlsPeer::client(&identity, NAME, &[]).wire()[..40]);
    world.sim.settle(&mut client);
    world.sim.wait(PATIENCE - Duration::from_millis(1));
    assert!(!client.dropped());
    assert_eq!(world.server.crowd().count().0, 1, "it has its place");
    world.sim.wait(Duration::from_millis(1));
    world.sim.settle(&mut client);
    assert!(client.dropped());
}

#[test]
fn what_is_no_tls_hears_so() {
    let (_folder, identity) = certificate();
    let world = World::new(64 * 1024, Some(load(&identity)));
    let mut client = world.sim.client();
    client.say("GET / HTTP/1.1\r\n\r\n");
    world.sim.settle(&mut client);
    assert_eq!(client.heard[0], 21, "an alert (RFC 8446 section 5.1)");
    assert!(client.dropped());
}

/// Octets that are not followed by a good-bye are all that comes, and no end.
#[test]
fn a_client_that_is_cut_off_gives_its_place_back() {
    let (_folder, identity) = certificate();
    let world = World::new(64 * 1024, Some(load(&identity)));
    let (mut client, mut tls) = (world.sim.client(), TlsPeer::client(&identity, NAME, &[]));
    tls.send(b"hello");
    world.sim.settle_tls(&mut client, &mut tls);
    client.end();
    world.sim.settle_tls(&mut client, &mut tls);
    assert_eq!(tls.plaintext, b"hello");
    assert!(!tls.closed && client.dropped());
    assert_eq!(world.server.crowd().count(), (0, 0));
}

#[test]
fn it_hears_that_the_server_goes_down() {
    let (_folder, identity) = certificate();
    for tls in [None, Some(load(&identity))] {
        let world = World::new(7, tls.clone());
        let (mut client, mut peer) = (world.sim.client(), TlsPeer::client(&identity, NAME, &[]));
        if tls.is_some() {
            world.sim.settle_tls(&mut client, &mut peer);
        } else {
            world.sim.settle(&mut client);
        }
        world.server.shutdown().advance();
        if tls.is_some() {
            world.sim.settle_tls(&mut client, &mut peer);
            assert_eq!(peer.plaintext, b"bye\r\n");
        } else {
            world.sim.settle(&mut client);
            assert_eq!(client.text(), "bye\r\n");
        }
        assert!(client.ended() && client.dropped());
        world.sim.run();
        assert!(world.has_stopped());
    }
}
