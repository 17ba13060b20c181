//! The server is asked to stop, before every single operation on a socket.

use std::time::Duration;

use crate::rig::{Pace, Setup, pieces, session};
use testkit::judge::{Heard, Tolerance};

const MAILS: [&str; 3] = [
    "Subject: one\r\n\r\n.\r\nbody\r\n",
    "Subject: two\r\n\r\nshort\r\n",
    "Subject: three\r\n\r\nlast\r\n",
];
const COMMANDS: [&str; 6] = ["UIDL", "RETR 1", "DELE 1", "TOP 2 0", "DELE 2", "RETR 3"];

/// What the server hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Finish and go.
    Finish,
    /// Go now.
    Go,
}

fn stop(at: Option<u64>, order: Order, pace: Pace) -> (Heard, u64) {
    let commands = session(&COMMANDS);
    let mut rig = Setup::new(MAILS).upstream_route(pieces(&[40])).start();
    if let Some(at) = at {
        let shutdown = rig.server.shutdown().clone();
        rig.meter.interrupt(at, move || {
            shutdown.advance();
            if order == Order::Go {
                shutdown.advance();
            }
        });
    }
    let model = rig.model();
    let client = rig.client_by(pieces(&[6, 30]));
    rig.say_all(&client, &commands, pace);
    if at.is_some() {
        rig.world.advance(Duration::from_secs(20));
        assert_eq!(rig.tasks.running(), 0, "{at:?}: everybody is gone");
        assert!(client.has_ended());
    }
    let tolerance = match (at, order) {
        (None, _) => Tolerance::Nothing,
        (Some(_), Order::Finish) => Tolerance::Shutdown,
        (Some(_), Order::Go) => Tolerance::Cut,
    };
    let heard = client
        .judged(&commands, model, tolerance)
        .unwrap_or_else(|fault| panic!("{at:?}, {order:?}: {fault}"));
    assert_eq!(rig.locks(), 0);
    match (heard.quit, order) {
        (Some(_), _) => assert_eq!(rig.uids(), [3]),
        // QUIT was sent, and no client waits for what comes of it
        (None, Order::Go) => assert!(rig.uids().contains(&3)),
        (None, Order::Finish) => {
            assert_eq!(rig.uids(), [1, 2, 3]);
            assert!(!rig.was_changed());
        }
    }
    (heard, rig.meter.operations())
}

/// G19: the response is finished, the next command refused, nothing updated that was not asked for.
#[test]
fn g19_told_to_finish_before_every_operation() {
    for pace in [Pace::AtOnce, Pace::OneByOne] {
        let (_, operations) = stop(None, Order::Finish, pace);
        let mut refused = 0;
        for at in 0..operations {
            let (heard, _) = stop(Some(at), Order::Finish, pace);
            refused += u64::from(heard.down);
        }
        assert!(refused > operations / 4, "{refused} of {operations}");
    }
}

/// G18: asked to stop at once.
#[test]
fn g18_told_to_go_before_every_operation() {
    let (_, operations) = stop(None, Order::Go, Pace::AtOnce);
    for at in 0..operations {
        stop(Some(at), Order::Go, Pace::AtOnce);
    }
}
