//! What may pile up, and what may take time.

use std::time::Duration;

use imap_backend::Security;
use pop3_proto::server::TlsOffer;
use testkit::Content;
use testkit::world::{Conditions, Route};

use crate::rig::{Pace, Setup, session};
use testkit::judge::Tolerance;

const WINDOW: usize = 16 * 1024;

fn line(lines: u64) -> Content {
    Content::repeated(
        "A: b\r\n\r\n",
        "0123456789abcdef0123456789abcdef\r\n",
        lines,
        "",
    )
}

fn narrow() -> Route {
    let conditions = Conditions {
        window: WINDOW,
        ..Conditions::default()
    };
    Route {
        there: conditions.clone(),
        back: conditions,
    }
}

/// G14, V39: a client that does not read stops the upstream: no more of a mail of a gibibyte leaves it
/// than fits into the buffers of the way, whatever the way.
#[test]
fn g14_v39_no_more_is_fetched_than_fits() {
    for offer in [TlsOffer::None, TlsOffer::Implicit] {
        for security in [Security::Clear, Security::Implicit] {
            for command in ["RETR 1", "TOP 1 99999999", "TOP 1 1000000", "LIST"] {
                let mails = [line(1 << 25), line(10), line(1 << 25)];
                let setup = Setup::new(mails).with_tls(offer, security);
                let mut rig = setup.upstream_route(narrow()).start();
                let client = rig.client_by(narrow());
                assert!(rig.log_in(&client).starts_with("+OK"));
                let before = rig.host.octets();
                client.set_deaf(true);
                client.say(format!("{command}\r\n").repeat(100));
                rig.world.settle();
                let fetched = rig.host.octets() - before;
                // two sockets' windows, the backend's buffer, the session's, TLS records between
                let most = 2 * WINDOW as u64 + 2 * 64 * 1024 + 4 * 32 * 1024;
                assert!(
                    fetched < most,
                    "{offer:?} {security:?} {command}: {fetched} octets"
                );
                client.reset();
                rig.world.settle();
                assert_eq!(rig.locks(), 0);
            }
        }
    }
}

/// X015: a client that says everything before it reads anything gets everything.
#[test]
fn x015_a_client_that_writes_before_it_reads() {
    let mut mails: Vec<Content> = (0..50).map(|_| line(1000)).collect();
    mails[7] = line(30_000);
    let retrieve: Vec<String> = (1..=50).map(|number| format!("RETR {number}")).collect();
    let retrieve: Vec<&str> = retrieve.iter().map(String::as_str).collect();
    let commands = session(&retrieve);
    for read_ahead in [0, 256 * 1024] {
        let mut setup = Setup::new(mails.clone()).upstream_route(narrow());
        setup.imap.read_ahead = read_ahead;
        let mut rig = setup.start();
        let model = rig.model();
        let client = rig.client_by(narrow());
        client.set_deaf(true);
        rig.say_all(&client, &commands, Pace::AtOnce);
        rig.world.advance(Duration::from_secs(60));
        client.set_deaf(false);
        rig.world.settle();
        let heard = client.judged(&commands, model, Tolerance::Nothing);
        assert_eq!(heard.map(|heard| heard.whole.len()), Ok(50));
    }
}

/// Issue "Bad input": garbage, endless lines, single octets: an answer within the limits, then the cut.
#[test]
fn x001_v12_garbage_from_the_client() {
    let nul = vec![0u8; 80_000];
    let endless = vec![b'A'; 200_000];
    let lines = b"XYZZY\r\n".repeat(1000);
    let empty = b"\r\n".repeat(1000);
    let newlines = b"\n".repeat(5000);
    let octets: Vec<u8> = (0..=255u8).cycle().take(20_000).collect();
    let http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    for garbage in [nul, endless, lines, empty, newlines, octets, http, tls] {
        for logged_in in [false, true] {
            for sizes in [vec![], vec![0, 3, 0, 9]] {
                let mut rig = Setup::new(["A: b\r\n"]).start();
                let there = Conditions {
                    sizes,
                    ..Conditions::default()
                };
                let client = rig.client_by(Route {
                    there,
                    ..Route::default()
                });
                if logged_in {
                    assert!(rig.log_in(&client).starts_with("+OK"));
                    client.say("DELE 1\r\n");
                }
                client.say(&garbage);
                rig.world.settle();
                let answers = client.take().len();
                assert!(answers < 16 * 1024, "{answers} octets");
                rig.world.advance(Duration::from_secs(15 * 60));
                assert!(client.has_ended());
                assert_eq!(rig.locks(), 0);
                assert!(!rig.was_changed());
            }
        }
    }
}
