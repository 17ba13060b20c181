//! Sessions that proptest makes up: any mails, any commands, any network, any trouble.

use std::time::Duration;

use imap_backend::DeletePolicy;
use proptest::prelude::*;
use testkit::Content;
use testkit::generate::{self, Source};
use testkit::imap_server::{Fault, Options, Trouble};
use testkit::world::{Conditions, Route};

use crate::client::Client;
use crate::rig::{LONG, Pace, Rig, Setup, login};
use testkit::judge::Tolerance;

/// What is decided by octets.
struct Case {
    setup: Setup,
    commands: Vec<Vec<u8>>,
    quits: bool,
    pace: Pace,
    /// What passes between commands that are said one by one.
    pause: Duration,
    client: Route,
}

fn case(source: &mut Source<'_>) -> Case {
    let mails = generate::maildrop(source);
    let mut setup = Setup::new(mails.into_iter().map(|mail| perhaps_large(source, mail)));
    setup.imap.read_ahead = source.pick(&[0, 50, 300, 256 * 1024]);
    setup.imap.delete = match source.below(6) {
        0 => DeletePolicy::Move("Away".into()),
        1 => DeletePolicy::Trash {
            fallback: "Away".into(),
        },
        _ => DeletePolicy::Expunge,
    };
    setup.options = match source.below(5) {
        0 => Options::plain(),
        1 => Options::default().without("UIDPLUS"),
        2 => Options::default().without("MOVE").without("LITERAL+"),
        3 => Options::default().without("SASL-IR").with("LOGINDISABLED"),
        _ => Options::default(),
    };
    if source.below(2) == 1 {
        setup.options.greeting = "Dovecot ready".into();
    }
    setup.upstream = (0..source.below(3)).map(|_| route(source)).collect();
    let client = route(source);
    let pace = source.pick(&[Pace::AtOnce, Pace::OneByOne]);
    let pause = Duration::from_secs(source.pick(&[0, 0, 6, 100]));
    let quits = source.below(4) > 0;
    let mut commands: Vec<Vec<u8>> = login().into_iter().map(String::into_bytes).collect();
    let mails = setup.mails.len();
    commands.extend(generate::commands(source, mails));
    let quit = |command: &Vec<u8>| command.trim_ascii().eq_ignore_ascii_case(b"QUIT");
    commands.retain(|command| !quit(command));
    if quits {
        commands.push(b"QUIT".to_vec());
    }
    Case {
        setup,
        commands,
        quits,
        pace,
        pause,
        client,
    }
}

/// Now and then so large that TOP asks for the header alone.
fn perhaps_large(source: &mut Source<'_>, mail: Vec<u8>) -> Content {
    if source.below(8) == 7 {
        Content::repeated(mail, &b"0123456789\r\n"[..], 6_000, &b""[..])
    } else {
        mail.into()
    }
}

fn route(source: &mut Source<'_>) -> Route {
    let there = conditions(source);
    let back = conditions(source);
    Route { there, back }
}

fn conditions(source: &mut Source<'_>) -> Conditions {
    let sizes = match source.below(3) {
        0 => vec![],
        1 => vec![0],
        _ => source.take(4).to_vec(),
    };
    // one that is both slow and narrow only takes time without end
    let (delay, window) = source.pick(&[
        (0, 64 * 1024),
        (0, 64 * 1024),
        (40, 64 * 1024),
        (3, 500),
        (0, 30),
        (0, 1),
    ]);
    Conditions {
        delay: Duration::from_millis(delay),
        window,
        sizes,
        cut: None,
    }
}

/// Troubles in which a server says nothing that is not true.
fn honest_fault(source: &mut Source<'_>) -> Option<Fault> {
    let fault = generate::fault(source);
    let honest = match &fault.trouble {
        Trouble::Answer(text) => text.starts_with("NO") || text.starts_with("BAD"),
        Trouble::Hang
        | Trouble::Drop
        | Trouble::Bye(_)
        | Trouble::ExtraSpaces
        | Trouble::NoText
        | Trouble::EightBitText
        | Trouble::HeaderLength(_)
        | Trouble::NoHeader(_)
        | Trouble::CutBody(_)
        | Trouble::CutOutput(_) => true,
        _ => false,
    };
    honest.then_some(fault)
}

fn say(rig: &mut Rig, client: &Client, commands: &[Vec<u8>], pace: Pace, pause: Duration) {
    if pace == Pace::AtOnce || pause.is_zero() {
        return rig.say_all(client, commands, pace);
    }
    for (place, command) in commands.iter().enumerate() {
        rig.say_all(client, &[command], pace);
        // the login is in a hurry
        if place > 1 {
            rig.world.advance(pause);
        }
    }
}

/// A hundred, or the number in `PROPTEST_CASES`.
fn cases() -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: wanted.and_then(|cases| cases.parse().ok()).unwrap_or(100),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..1200)
}

proptest! {
    #![proptest_config(cases())]

    /// Agreement with the reference maildrop, whatever the network, the server's abilities and the
    /// guesses of the read-ahead.
    #[test]
    fn any_session_is_as_the_model_says(octets in octets()) {
        let mut source = Source::new(&octets);
        let Case { setup, commands, quits, pace, pause, client: route } = case(&mut source);
        let mut rig = setup.start();
        let model = rig.model();
        let mut reference = rig.model();
        let before = rig.uids();
        let client = rig.client_by(route);
        say(&mut rig, &client, &commands, pace, pause);
        let heard = client.judged(&commands, model, Tolerance::Nothing);
        // fifty bad commands in a row are not made up here
        let heard = heard.map_err(|fault| TestCaseError::fail(format!("{fault}\n{:#?}", rig.imap.commands())))?;
        prop_assert_eq!(heard.quit, quits.then_some(true));
        for command in &commands[2..] {
            reference.execute(command);
        }
        client.vanish();
        rig.world.settle();
        let gone = |uid: &u32| {
            let number = before.iter().position(|own| own == uid).unwrap() + 1;
            quits && reference.deleted().contains(&number)
        };
        let left: Vec<u32> = before.iter().copied().filter(|uid| !gone(uid)).collect();
        prop_assert_eq!(rig.uids(), left);
        prop_assert_eq!(rig.locks(), 0);
    }

    /// The same in trouble: what is heard is right as far as it goes, and it comes to an end.
    #[test]
    fn any_session_in_trouble_is_safe(octets in octets()) {
        let mut source = Source::new(&octets);
        let faults: Vec<Fault> = (0..1 + source.below(3)).filter_map(|_| honest_fault(&mut source)).collect();
        let Case { mut setup, commands, pace, pause, client: route, .. } = case(&mut source);
        setup.options.faults.extend(faults);
        let faults = format!("{:?}", setup.options.faults);
        let mut rig = setup.start();
        let model = rig.model();
        let mut reference = rig.model();
        for command in &commands[2..] {
            reference.execute(command);
        }
        let before = rig.uids();
        let client = rig.client_by(route);
        say(&mut rig, &client, &commands, pace, pause);
        rig.world.advance(LONG);
        let heard = client.judged(&commands, model, Tolerance::Upstream);
        let heard = heard.map_err(|fault| TestCaseError::fail(format!("{fault} {faults}\n{:#?}", rig.imap.commands())))?;
        prop_assert!(client.has_ended());
        prop_assert_eq!(rig.locks(), 0);
        let marked: Vec<u32> = reference.deleted().iter().map(|&number| before[number - 1]).collect();
        let left = rig.uids();
        for uid in &before {
            prop_assert!(left.contains(uid) || marked.contains(uid), "{} is gone {}", uid, faults);
        }
        match heard.quit {
            Some(true) if heard.logged_in => {
                prop_assert!(left.iter().all(|uid| !marked.contains(uid)), "{:?} {}", left, faults);
            }
            Some(false) => {}
            Some(true) | None => {
                prop_assert_eq!(left, before);
                prop_assert!(!rig.was_changed());
            }
        }
    }
}
