//! One message that the upstream cannot send: poll after poll, as a mail client does it.

use std::time::Duration;

use testkit::imap_server::{Fault, Trouble};

use crate::rig::{Rig, Setup};

const MAILS: usize = 6;

fn mail(number: usize) -> String {
    format!("Subject: {number}\r\n\r\nbody of {number}\r\n")
}

/// One poll: what each RETR was answered, and QUIT. Deletes what came.
fn poll(rig: &mut Rig) -> (Vec<String>, String) {
    let client = rig.logged_in();
    let listed = rig.ask(&client, "STAT");
    let count: usize = listed.split(' ').nth(1).unwrap().parse().unwrap();
    let mut heard = Vec::new();
    for number in 1..=count {
        let mut answer = rig.ask(&client, &format!("RETR {number}"));
        if answer.is_empty() {
            rig.world.advance(Duration::from_secs(10 * 60));
            answer = client.take();
        }
        if answer.starts_with("+OK") {
            assert!(
                rig.ask(&client, &format!("DELE {number}"))
                    .starts_with("+OK")
            );
        }
        heard.push(answer);
    }
    (heard, rig.ask(&client, "QUIT"))
}

/// Whichever it is, and however it breaks: the others come in the first poll and are removed, nothing of the
/// protocol or of another message goes out, and the broken one costs nothing but its own refusal.
#[test]
fn w007_one_message_that_cannot_be_sent_costs_that_message() {
    let breaks = |uid: u32| {
        [0, 5, 1000]
            .map(|octets| Trouble::CutMessage { uid, octets })
            .into_iter()
            .chain([1, 20, 100, 5000].map(|octets| Trouble::ShortMessage { uid, octets }))
    };
    for read_ahead in [0, 256 * 1024] {
        for broken in 1..=MAILS {
            for trouble in breaks(broken as u32) {
                let context = format!("{read_ahead} {broken} {trouble:?}");
                let mut setup = Setup::new((1..=MAILS).map(|n| mail(n).into_bytes()));
                setup.imap.read_ahead = read_ahead;
                setup.options = setup.options.with_fault(Fault::always(trouble));
                let mut rig = setup.start();
                let (heard, quit) = poll(&mut rig);
                for (number, answer) in (1..).zip(&heard) {
                    if number == broken {
                        assert!(
                            answer.starts_with("-ERR [SYS/TEMP] "),
                            "{context}: {answer}"
                        );
                    } else {
                        let whole = mail(number);
                        let expected = format!("+OK {} octets\r\n{whole}.\r\n", whole.len());
                        assert_eq!(*answer, expected, "{context}");
                    }
                }
                assert!(quit.starts_with("+OK bye, 5 deleted"), "{context}: {quit}");
                assert_eq!(rig.uids(), [broken as u32], "{context}");
                // poll after poll: refused, and after the second at no cost
                for round in 0..3 {
                    let before = rig.imap.connections();
                    let (heard, quit) = poll(&mut rig);
                    assert!(
                        heard[0].starts_with("-ERR [SYS/TEMP] "),
                        "{context}: {heard:?}"
                    );
                    assert!(quit.starts_with("+OK"), "{context}: {quit}");
                    assert!(
                        round == 0 || rig.imap.connections() == before + 1,
                        "{context}"
                    );
                }
                // once the server can send it again, it comes
                rig.imap.clear_faults();
                rig.world.advance(Duration::from_secs(11 * 60));
                let (heard, _) = poll(&mut rig);
                assert!(heard[0].contains(&mail(broken)), "{context}: {heard:?}");
                assert_eq!(rig.uids(), [0; 0], "{context}");
            }
        }
    }
}

/// As an empty message, or as none at all: never `+OK` with nothing.
#[test]
fn w006_a_message_without_octets_is_not_handed_out() {
    for form in [
        testkit::imap_server::BodyForm::Empty,
        testkit::imap_server::BodyForm::Nil,
    ] {
        let mut setup = Setup::new([mail(1).into_bytes()]);
        setup.options = setup
            .options
            .with_fault(Fault::always(Trouble::BodyAs(form)));
        let mut rig = setup.start();
        let client = rig.logged_in();
        for command in ["RETR 1", "TOP 1 0", "TOP 1 100"] {
            let heard = rig.ask(&client, command);
            assert!(heard.starts_with("-ERR"), "{form:?} {command}: {heard}");
        }
    }
}
