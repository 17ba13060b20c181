//! What refusals become by their words, and what is said of them.

use std::time::Duration;

use imap_backend::{AuthPreference, Security};

use super::{BARE, greeted, relay, with};
use crate::common::{World, password_open, tags};

const AUTH: &str = "Refused Refusal { kind: Credentials";
const TEMP: &str = "Failed Temporary";
const PERM: &str = "Failed Permanent";

/// How far an upstream gets.
type Step = fn(&mut World);

/// The words of servers in the field.
#[test]
fn w043_only_what_speaks_of_credentials_is_auth() {
    for (answer, expected) in [
        ("NO System error", TEMP),
        ("NO Server busy, please retry", TEMP),
        ("NO Service not available", TEMP),
        ("NO Maintenance in progress", TEMP),
        ("NO Mailbox is locked", TEMP),
        (
            "NO Internal error occurred. Refer to server log for more information.",
            TEMP,
        ),
        ("NO LOGIN failed: backend timed out", TEMP),
        ("NO login failure: database error", TEMP),
        ("NO [ALERT] The server is shutting down", TEMP),
        ("NO System Error: mailbox store overloaded", TEMP),
        ("NO Server Unavailable. 15", TEMP),
        ("NO Authentication failed: too many attempts", TEMP),
        (
            "NO [ALERT] Your account is not enabled for IMAP use (Failure)",
            PERM,
        ),
        ("NO IMAP is not enabled for this mailbox", PERM),
        (
            "NO [ALERT] Please log in via your web browser: https://x.example (Failure)",
            PERM,
        ),
        ("NO Log in with a browser first", PERM),
        ("NO [WEBALERT https://x.example] Web login required.", PERM),
        ("NO your account has been suspended", PERM),
        ("NO LOGIN failed.", AUTH),
        ("NO [ALERT] Invalid credentials (Failure)", AUTH),
        ("NO Invalid login or password. Please try again.", AUTH),
        ("NO [ALERT] Application-specific password required", AUTH),
        ("NO LOGIN Login error password error", AUTH),
        ("NO Incorrect username", AUTH),
        ("BAD invalid login", AUTH),
        ("NO", AUTH),
        ("NO Falsches Kennwort", AUTH),
        ("BAD what", TEMP),
        // what is masked in it is not a word of the server's
        ("BAD unknown: LOGIN \"alice\" \"secret\"", TEMP),
        ("NO [AUTHENTICATIONFAILED] System error", AUTH),
        ("NO [UNAVAILABLE] Invalid password", TEMP),
        // Gmail
        (
            "NO [ALERT] Account exceeded command or bandwidth limits. (Failure)",
            TEMP,
        ),
        (
            "NO [ALERT] Too many simultaneous connections. (Failure)",
            TEMP,
        ),
        ("NO Lockdown in sector 4 (Failure)", TEMP),
        // Exchange and Outlook.com
        ("NO AUTHENTICATE failed.", AUTH),
        ("BAD User is authenticated but not connected.", TEMP),
        (
            "NO Request is throttled. Suggested Backoff Time: 299995 milliseconds",
            TEMP,
        ),
        ("NO LOGIN failed. LogonDenied-BasicAuthBlocked", PERM),
        ("NO Basic authentication is disabled", PERM),
        // Yahoo
        (
            "NO [SERVERBUG] LOGIN Server error - Please try again later.",
            TEMP,
        ),
        ("NO (#MBR1212) Incorrect username or password.", AUTH),
        // Dovecot
        (
            "NO [ALERT] Maximum number of connections from user+IP exceeded",
            TEMP,
        ),
        (
            "NO Temporary authentication failure. [host:2026-11-30 06:00:00]",
            TEMP,
        ),
        (
            "NO Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
            PERM,
        ),
        ("NO Login is currently disabled.", PERM),
        // Cyrus
        ("NO Login failed: authentication failure", AUTH),
        ("NO Login failed: generic failure", TEMP),
        (
            "NO Login failed: cannot connect to saslauthd server: No such file or directory",
            TEMP,
        ),
        ("NO Login failed: no mechanism available", PERM),
        ("NO Login only available under a layer", PERM),
        ("NO System I/O error", TEMP),
        // Courier
        ("NO Login failed.", AUTH),
        ("NO Error: Temporary failure, please try again later.", TEMP),
        // Zimbra
        ("NO cleartext logins disabled", PERM),
        ("NO LOGIN failed: account is not active", PERM),
        // QQ and 163
        (
            "NO Login fail. Account is abnormal, service is not open, password is incorrect, login frequency \
             limited, or system is busy.",
            AUTH,
        ),
        ("NO System busy!", TEMP),
        (
            "NO LOGIN Unsafe Login. Please contact kefu@188.com for help",
            PERM,
        ),
        ("NO ERR.LOGIN.PASSERR", AUTH),
        // GMX, iCloud, Yandex
        (
            "NO IMAP access disabled, please enable it in your settings",
            PERM,
        ),
        (
            "NO [UNAVAILABLE] The mailbox is temporarily unavailable",
            TEMP,
        ),
        (
            "NO [AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled",
            AUTH,
        ),
        (
            "NO This user does not have access rights to this service",
            PERM,
        ),
    ] {
        for (open, capabilities) in [
            (password_open(), BARE),
            (
                relay("SCRAM-SHA-256", Some(b"n,,n=alice,r=x")),
                "IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256",
            ),
        ] {
            let mut world = greeted(crate::common::config(), open, capabilities);
            let sent = world.take_sent();
            world.serve(&format!("{} {answer}\r\n", tags(&sent)[0]));
            world.expect_reply(expected);
        }
    }
    for (answer, expected) in [
        ("NO Mailbox is locked by POP server", TEMP),
        ("NO System error (I/O)", TEMP),
        ("NO Maintenance", TEMP),
        ("NO System I/O error", TEMP),
        ("BAD User is authenticated but not connected.", TEMP),
        ("NO no such folder", PERM),
    ] {
        let mut world = greeted(crate::common::config(), password_open(), BARE);
        let tags = tags(&world.take_sent());
        world.serve(&format!("{} OK in\r\n{} {answer}\r\n", tags[0], tags[1]));
        let replies = world.take_replies_said();
        assert!(replies[1].starts_with(expected), "{answer}: {replies:?}");
    }
}

/// Host, port, what was said, and what to change.
#[test]
fn w047_w052_each_failure_names_place_and_remedy() {
    let at = "imap.example.org port 143";
    // a port that wants TLS from the first byte says nothing
    let mut world = World::new(crate::common::config());
    world.open(password_open());
    world.pass(Duration::from_secs(31));
    let replies = world.take_replies_said();
    assert_eq!(
        replies,
        [format!(
            "{TEMP} {at} took the connection and sent no greeting within 30 s; if it wants TLS from the first \
             byte, write url = \"imaps://…\""
        )]
    );
    for (said, kind, part) in [
        ("\u{15}\u{3}\u{3}\n", TEMP, "write url = \"imaps://…\""),
        (
            "+OK POP3 ready\r\n",
            TEMP,
            "is no such server: it greets with \"+OK POP3 ready\"; look at the port of the url",
        ),
        (
            "* BYE too many from you\r\n",
            TEMP,
            "turns this machine away: BYE too many from you; look at its own log",
        ),
    ] {
        let mut world = World::new(crate::common::config());
        world.open(password_open());
        world.serve(said);
        let replies = world.take_replies_said();
        assert!(
            replies[0].starts_with(&format!("{kind} {at} ")),
            "{replies:?}"
        );
        assert!(replies[0].contains(part), "{replies:?}");
    }
    let mut world = World::new(crate::common::config());
    world.open(password_open());
    world.hang_up();
    let replies = world.take_replies_said();
    assert!(
        replies[0].contains("closed the connection before its greeting; if it wants TLS"),
        "{replies:?}"
    );
    // STARTTLS that is not available
    let mut world = World::new(with(|c| c.security = Security::StartTls));
    world.open(password_open());
    world.serve("* OK hi\r\n");
    let tag = world.expect("STARTTLS");
    world.serve(&format!("{tag} BAD unknown command\r\n"));
    let replies = world.take_replies_said();
    assert!(
        replies[0].contains(&format!(
            "{at} refuses STARTTLS: BAD unknown command; if it wants TLS from the first byte"
        )),
        "{replies:?}"
    );
    // commands that a server does not understand
    for (auth, capabilities, part) in [
        (
            AuthPreference::Plain,
            "IMAP4rev1 SASL-IR AUTH=PLAIN",
            "without = [\"SASL-IR\"]",
        ),
        (
            AuthPreference::Plain,
            "IMAP4rev1 AUTH=PLAIN",
            "login = \"login\" may help",
        ),
        (
            AuthPreference::Login,
            "IMAP4rev1 LITERAL+",
            "without = [\"LITERAL+\", \"LITERAL-\"]",
        ),
        (
            AuthPreference::Login,
            "IMAP4rev1",
            "login = \"plain\" may help",
        ),
    ] {
        let mut world = greeted(with(|c| c.auth = auth), password_open(), capabilities);
        let tag = tags(&world.take_sent())[0].clone();
        world.serve(&format!("{tag} BAD syntax error\r\n"));
        let replies = world.take_replies_said();
        assert!(
            replies[0].contains(&format!("{at} refuses the login: BAD syntax error")),
            "{replies:?}"
        );
        assert!(replies[0].contains(part), "{replies:?}");
    }
}

/// The client leaves before the deadline: why it waited is reported all the same.
#[test]
fn w047_the_reason_is_reported_though_the_client_has_gone() {
    let steps: [(Step, &str); 5] = [
        (
            |world| world.connects = false,
            "no connection to imap.example.org port 143 within 20 s",
        ),
        (
            |_| {},
            "sent no greeting within 20 s; if it wants TLS from the first byte, write url = \"imaps://",
        ),
        (
            |world| world.serve("* OK hi\r\n"),
            "is silent: the answer to CAPABILITY did not come within 20 s",
        ),
        (
            |world| world.serve("* OK [CAPABILITY IMAP4rev1] hi\r\n* NO slow today\r\n"),
            "the answer to the login did not come within 20 s; its last words were: NO slow today",
        ),
        (
            |world| world.serve("* OK [CAPABILITY IMAP4rev1] hi\r\nA1 OK in\r\n"),
            "the folder and its listing did not come within 20 s",
        ),
    ];
    for (step, part) in steps {
        let mut world = World::new(with(|c| {
            c.quirks.pipeline_login = imap_backend::PipelineLogin::Never
        }));
        let before = part.starts_with("no connection");
        if before {
            step(&mut world);
        }
        world.open(password_open());
        if !before {
            step(&mut world);
        }
        world.pass(Duration::from_secs(20));
        world.request(pop3_proto::backend::Request::Abandon);
        let notes = world.notes();
        assert!(
            notes.len() == 1 && notes[0].contains(part),
            "{part}: {notes:?}"
        );
        assert!(
            notes[0].starts_with("Warning the client gave up its login; "),
            "{notes:?}"
        );
    }
    // a client that leaves at once waited for nothing
    let mut world = World::new(crate::common::config());
    world.open(password_open());
    world.request(pop3_proto::backend::Request::Abandon);
    assert_eq!(world.notes(), [""; 0]);
}

/// However the silence is spread over the steps, the client is answered within half of its minute.
#[test]
fn w055_a_frozen_upstream_is_answered_within_30_seconds() {
    for patience in [0, 7, 12, 20, 25] {
        let mut world = World::new(crate::common::config());
        world.open(password_open());
        world.pass(Duration::from_secs(patience));
        world.serve("* OK hi\r\n");
        world.pass(Duration::from_secs((29 - patience) / 2));
        world.serve("* CAPABILITY IMAP4rev1\r\nA1 OK\r\n");
        assert!(world.take_replies_said().is_empty());
        world.pass(Duration::from_secs(30 - patience - (29 - patience) / 2));
        world.expect_reply(TEMP);
        assert_eq!(world.now.since_start().as_secs(), 30);
    }
}

/// A long listing that goes on coming is not a freeze.
#[test]
fn w055_a_listing_that_comes_is_waited_for() {
    let mut world = greeted(crate::common::config(), password_open(), BARE);
    let tags = tags(&world.take_sent());
    world.serve(&format!(
        "{} OK in\r\n* 20 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n{} OK in\r\n",
        tags[0], tags[1]
    ));
    for n in 1..=20 {
        world.pass(Duration::from_secs(8));
        world.serve(&format!("* {n} FETCH (UID {n} RFC822.SIZE 1)\r\n"));
    }
    world.serve(&format!("{} OK done\r\n", tags[2]));
    assert_eq!(
        world.take_replies_said().last().unwrap(),
        "Opened ReadWrite"
    );
}
