//! Where the client connects from: said to an upstream of one's own, before the login, and to no other.

use std::net::SocketAddr;
use std::sync::Arc;

use imap_backend::{ImapBackend, PipelineLogin};

use super::with;
use crate::common::{World, config, password_open};

fn world(own: bool, client: &str, capabilities: &str) -> World {
    world_of(own, client, None, capabilities)
}

fn world_of(own: bool, client: &str, local: Option<&str>, capabilities: &str) -> World {
    let config = with(|c| {
        c.own = own;
        c.quirks.pipeline_login = PipelineLogin::Never;
    });
    let client: SocketAddr = client.parse().unwrap();
    let mut world = World::new(config.clone());
    let backend = ImapBackend::new(Arc::new(config)).of_client(client);
    world.backend = match local {
        Some(local) => backend.connected_to(local.parse().unwrap()),
        None => backend,
    };
    world.open(password_open());
    world.serve(&format!("* OK [CAPABILITY {capabilities}] ready\r\n"));
    world
}

#[test]
fn w026_the_clients_address_goes_to_an_upstream_of_ones_own() {
    for (client, told) in [
        (
            "192.0.2.1:4711",
            "\"x-originating-ip\" \"192.0.2.1\" \"x-originating-port\" \"4711\"",
        ),
        (
            "[2001:db8::1]:1",
            "\"x-originating-ip\" \"2001:db8::1\" \"x-originating-port\" \"1\"",
        ),
        (
            "[::ffff:192.0.2.1]:4711",
            "\"x-originating-ip\" \"192.0.2.1\" \"x-originating-port\" \"4711\"",
        ),
    ] {
        let mut world = world(true, client, "IMAP4rev1 ID");
        let id = world.expect(&format!("ID (\"name\" \"a test\" {told})"));
        let login = world.expect("LOGIN \"alice\" \"secret\"");
        world.serve(&format!("* ID NIL\r\n{id} OK\r\n{login} OK in\r\n"));
        // not said twice
        world.expect("SELECT \"INBOX\"");
    }
    let mut offered = world(true, "192.0.2.1:4711", "IMAP4rev1 XCLIENT");
    offered.expect("XCLIENT ADDR=192.0.2.1 PORT=4711");
    offered.expect("LOGIN \"alice\" \"secret\"");
}

/// It is in the upstream's log beside the client's, as where a balancer has several addresses.
#[test]
fn w026_so_does_the_address_that_it_connected_to() {
    let local = Some("[::ffff:198.51.100.9]:995");
    let mut own = world_of(true, "192.0.2.1:4711", local, "IMAP4rev1 ID");
    own.expect(
        "ID (\"name\" \"a test\" \"x-originating-ip\" \"192.0.2.1\" \"x-originating-port\" \"4711\" \
         \"x-connected-ip\" \"198.51.100.9\" \"x-connected-port\" \"995\")",
    );
    let mut other = world_of(false, "192.0.2.1:4711", local, "IMAP4rev1 ID");
    other.expect("LOGIN \"alice\" \"secret\"");
    assert!(!other.everything_sent().contains("198.51.100.9"));
}

#[test]
fn w026_no_other_upstream_learns_it() {
    for (own, capabilities) in [(false, "IMAP4rev1 ID XCLIENT"), (true, "IMAP4rev1")] {
        let mut world = world(own, "192.0.2.1:4711", capabilities);
        world.expect("LOGIN \"alice\" \"secret\"");
        assert!(!world.everything_sent().contains("192.0.2.1"));
    }
    assert!(!config().own, "off by default");
}
