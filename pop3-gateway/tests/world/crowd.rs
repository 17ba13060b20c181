//! Many clients at once: those that are turned out and those that wait leave the processor alone.
//!
//! The world does not come to rest while a task is woken again and again.

use std::time::Duration;

use testkit::world::{Conditions, Route};

use crate::rig::{LONG, PASSWORD, Setup, USER};

/// W024: a client that was turned out and reads nothing is waited for, and not asked for without end.
#[test]
fn w024_who_is_turned_out_and_stays_keeps_no_processor_busy() {
    let mut setup = Setup::new(["a\r\n"]);
    setup.limits.strangers = 1;
    let mut rig = setup.start();
    let narrow = Conditions {
        window: 1,
        ..Conditions::default()
    };
    let deaf = rig.client_by(Route {
        there: Conditions::default(),
        back: narrow,
    });
    deaf.set_deaf(true);
    rig.world.settle();
    rig.world.advance(Duration::from_secs(60));
    let next = rig.client();
    assert!(rig.log_in(&next).starts_with("+OK"));
    rig.world.advance(LONG);
    deaf.set_deaf(false);
    rig.world.settle();
    assert!(deaf.has_ended());
    assert_eq!(rig.locks(), 0);
}

/// W020: a login whose turn comes within a moment of another deadline begins at once.
#[test]
fn w020_a_turn_that_comes_early_is_taken_at_once() {
    let mut rig = Setup::new(["a\r\n"]).start();
    let guesser = rig.client();
    let guess = format!("USER {USER}\r\nPASS wrong\r\n");
    assert!(rig.ask(&guesser, guess.trim_end()).contains("-ERR"));
    let clients = [(); 3].map(|()| rig.client());
    for client in &clients {
        client.say(format!("USER {USER}\r\nPASS {PASSWORD}\r\nQUIT\r\n"));
    }
    rig.world.settle();
    // the wait of the address is over for all of them in the same moment, and each is right at once
    rig.world.advance(Duration::from_secs(3));
    for client in &clients {
        let heard = client.heard();
        assert!(
            heard.ends_with(b"bye, 0 deleted\r\n"),
            "{}",
            heard.escape_ascii()
        );
        assert!(!heard.windows(4).any(|said| said == b"-ERR"));
    }
    rig.is_usable();
}
