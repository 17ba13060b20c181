//! The whole gateway over real sockets, on both runtimes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::{Gateway, RUNTIMES, imap, imap_with, sent_form};
use testkit::imap_server::{Fault, Options, Trouble};
use testkit::mails;

/// What every POP3 session of the comparison says, one command after the other.
const SESSION: &[&str] = &[
    "CAPA.",
    "NOOP",
    "STAT",
    "USER tim",
    "PASS sw0rdfish",
    "USER tim",
    "PASS tim",
    "CAPA.",
    "STAT",
    "LIST.",
    "UIDL.",
    "LIST 1",
    "UIDL 2",
    "LIST 0",
    "RETR 99",
    "TOP 1 0.",
    "TOP 2 1.",
    "RETR 1.",
    "RETR 2.",
    "RETR 3.",
    "FOO",
    "DELE 2",
    "RETR 2",
    "LIST.",
    "STAT",
    "RSET",
    "DELE 1",
    "NOOP",
    "QUIT",
];

/// The octets that a client receives, and the transcript without its times, one text for each speaker.
/// How the dialogues lie side by side is up to the clock; what is said in each is not.
fn session(runtime: &str) -> (Vec<u8>, BTreeMap<String, String>) {
    let (store, imap) = imap(&["tim"]);
    for mail in mails::sample() {
        store.deliver("tim", mail.content);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(
        runtime,
        imap,
        &["--transcript", dir.path().to_str().unwrap()],
    );
    let mut client = gateway.connect();
    client.play(SESSION);
    gateway.wait_for("session ended");
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    (client.received, transcript(dir.path()))
}

fn transcript(dir: &Path) -> BTreeMap<String, String> {
    let files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "one session, one file");
    let written = fs::read_to_string(&files[0]).unwrap();
    // what is said on one side stands after what it follows from on the other
    let mut rest = written.as_str();
    for step in [
        "POP3 C: PASS",
        "IMAP C: A1 LOGIN",
        "IMAP S: A1 OK",
        "POP3 S: +OK 7 messages",
    ] {
        let at = rest
            .find(step)
            .unwrap_or_else(|| panic!("{step} in its place:\n{written}"));
        rest = &rest[at..];
    }
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for line in written.lines() {
        let (_, line) = line.split_once(' ').unwrap();
        let (speaker, text) = line.split_once(": ").unwrap();
        *said.entry(speaker.into()).or_default() += &format!("{text}\n");
    }
    said
}

/// A dialogue that is shown is that of both sides, and shows no secret.
#[test]
fn v33_the_dialogue_is_shown_live_beside_transcripts() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["tim"]);
        store.deliver("tim", &b"Subject: private\r\n\r\nnobody's business\r\n"[..]);
        let dir = tempfile::tempdir().unwrap();
        let transcripts = ["--transcript", dir.path().to_str().unwrap()];
        for more in [&[][..], &transcripts] {
            let mut gateway = Gateway::serve(runtime, imap, &[&["--show-dialogue"], more].concat());
            let mut client = gateway.connect();
            for command in ["USER tim", "PASS sw0rdfish", "USER tim", "PASS tim"] {
                client.say(command);
            }
            client.ask("RETR 1");
            client.say("QUIT");
            client.rest();
            gateway.wait_for("session ended");
            gateway.signal("TERM");
            assert!(gateway.ended().success());
            let shown = gateway.shown();
            for said in [
                "C: PASS <password>",
                "S: +OK",
                "C: A1 LOGIN",
                "C: RETR 1",
                "C: QUIT",
            ] {
                assert!(shown.contains(said), "{said}:\n{shown}");
            }
            assert!(
                !shown.contains("sw0rdfish") && !shown.contains("business"),
                "{shown}"
            );
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn the_same_session_is_the_same_on_both_runtimes_byte_for_byte() {
    let [tokio, smol] = RUNTIMES.map(session);
    assert_eq!(
        String::from_utf8_lossy(&tokio.0),
        String::from_utf8_lossy(&smol.0)
    );
    assert_eq!(tokio.1, smol.1);
    let said = tokio.1;
    assert_eq!(
        said.keys().collect::<Vec<_>>(),
        ["IMAP C", "IMAP S", "POP3 C", "POP3 S"]
    );
    assert!(
        said["POP3 C"].contains("USER tim\nPASS <password>\n"),
        "{}",
        said["POP3 C"]
    );
    let leaks = |text: &String| text.contains("sw0rdfish");
    assert!(
        !said.values().any(leaks),
        "a secret is in the transcript: {said:#?}"
    );
}

#[test]
fn every_mail_of_the_corpus_arrives_as_it_is_stored() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["tim"]);
        let mails: Vec<_> = mails::corpus()
            .into_iter()
            .filter(|mail| !mail.is_large())
            .collect();
        for mail in &mails {
            store.deliver("tim", mail.content.clone());
        }
        let gateway = Gateway::serve(runtime, imap, &[]);
        let mut client = gateway.log_in("tim");
        for (number, mail) in (1..).zip(&mails) {
            let got = client.ask(&format!("RETR {number}"));
            assert!(
                got == sent_form(&mail.content.to_vec()),
                "{} on {runtime}",
                mail.name
            );
        }
        assert!(client.say("QUIT").starts_with("+OK"));
        assert_eq!(store.uids("tim", "INBOX").len(), mails.len());
    }
}

/// P036, P037: only QUIT deletes, and only what was marked.
#[test]
fn p036_p037_only_quit_deletes() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["tim"]);
        for text in ["a\r\n", "b\r\n", "c\r\n"] {
            store.deliver("tim", text);
        }
        let mut gateway = Gateway::serve(runtime, imap, &[]);
        let mut client = gateway.log_in("tim");
        client.say("DELE 1");
        client.say("DELE 2");
        gateway.cut(client);
        assert_eq!(store.uids("tim", "INBOX"), [1, 2, 3], "{runtime}");

        let mut client = gateway.log_in("tim");
        client.say("DELE 2");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert_eq!(store.uids("tim", "INBOX"), [1, 3], "{runtime}");
    }
}

/// P016, F02: one session at a time, and a session that is cut frees the mailbox at once.
#[test]
fn p016_f02_a_second_session_is_refused_until_the_first_is_gone() {
    for runtime in RUNTIMES {
        let (_, imap) = imap(&["tim"]);
        let mut gateway = Gateway::serve(runtime, imap, &[]);
        let first = gateway.log_in("tim");
        let mut second = gateway.connect();
        second.say("USER tim");
        let answer = second.say("PASS tim");
        assert!(answer.starts_with("-ERR [IN-USE]"), "{runtime}: {answer}");
        gateway.cut(first);
        second.say("USER tim");
        assert!(second.say("PASS tim").starts_with("+OK"), "{runtime}");
    }
}

/// G06: a message that breaks off upstream breaks off here, without the final dot; F02: the mailbox is
/// free again.
#[test]
fn g06_f02_a_message_that_breaks_off_has_no_final_dot() {
    for runtime in RUNTIMES {
        let fault = Fault::on_connection(1, Trouble::CutBody(40_000));
        let (store, imap) = imap_with(&["tim"], Options::default().with_fault(fault));
        store.deliver("tim", "0123456789\r\n".repeat(10_000).into_bytes());
        let mut gateway = Gateway::serve(runtime, imap, &[]);
        let mut client = gateway.log_in("tim");
        client.say("DELE 1");
        client.say("RSET");
        client.send(b"RETR 1\r\n");
        let rest = client.rest();
        assert!(rest.starts_with(b"+OK") && rest.len() > 30_000, "{runtime}");
        assert!(!rest.ends_with(b"\r\n.\r\n"), "{runtime}");
        gateway.wait_for("session ended");
        let mut client = gateway.log_in("tim");
        assert_eq!(client.ask("RETR 1").len(), 120_000);
    }
}

/// T005, V01: what comes in the clear after STLS is never carried out.
#[test]
fn t005_v01_bytes_after_stls_close_the_connection() {
    for runtime in RUNTIMES {
        let (_, imap) = imap(&["tim"]);
        let dir = tempfile::tempdir().unwrap();
        let gateway = Gateway::serve(
            runtime,
            imap,
            &["--tls-self-signed", dir.path().to_str().unwrap()],
        );
        let mut client = gateway.connect();
        client.send(b"STLS\r\nUSER tim\r\nPASS tim\r\nSTAT\r\n");
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(rest.matches("+OK").count() <= 1, "{runtime}: {rest}");
    }
}

/// T007: no login before TLS where that is not allowed. T012: TLS from the first byte. A new
/// certificate is shown after SIGHUP, and a client from before keeps its session.
#[test]
fn t007_t012_tls_is_offered_and_its_certificate_reloaded() {
    for runtime in RUNTIMES {
        let (_, imap) = imap(&["tim"]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        let text = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\ntls = \"stls\"\nself_signed = \"tls\"\n\
             allow_clear_login = false\n\
             [[listener]]\nlisten = \"[::1]:0\"\ntls = \"implicit\"\nself_signed = \"tls\"\n\
             [[upstream]]\nname = \"main\"\nurl = \"imap://{imap}\"\n"
        );
        fs::write(&file, text).unwrap();
        let mut gateway = Gateway::start(runtime, 2, &["--config", file.to_str().unwrap()]);
        let certificate = dir.path().join("tls/self-signed.crt");
        let before = dir.path().join("before.crt");
        fs::copy(&certificate, &before).unwrap();

        let mut clear = gateway.connect();
        assert!(clear.say("USER tim").starts_with("-ERR"), "{runtime}");
        let capabilities = String::from_utf8(clear.ask("CAPA")).unwrap();
        assert!(
            capabilities.contains("STLS") && !capabilities.contains("PLAIN"),
            "{capabilities}"
        );

        let mut client = gateway.connect_stls(&before).unwrap();
        assert!(client.say("USER tim").starts_with("+OK"), "{runtime}");
        assert!(client.say("PASS tim").starts_with("+OK"), "{runtime}");
        let mut other = gateway.connect_tls(1, &before).unwrap();
        assert!(other.say("USER tim").starts_with("+OK"), "{runtime}");

        fs::remove_dir_all(dir.path().join("tls")).unwrap();
        gateway.signal("HUP");
        gateway.wait_for("configuration and certificates reloaded");
        assert!(
            gateway.connect_stls(&before).is_err(),
            "{runtime}: the old certificate is shown"
        );
        for mut new in [
            gateway.connect_stls(&certificate).unwrap(),
            gateway.connect_tls(1, &certificate).unwrap(),
        ] {
            assert!(new.say("QUIT").starts_with("+OK"), "{runtime}");
        }
        assert!(client.say("QUIT").starts_with("+OK"), "{runtime}");
        assert!(other.say("QUIT").starts_with("+OK"), "{runtime}");
    }
}

/// qH2: each user goes to his own upstream, under his own name there.
#[test]
fn g22_qh2_routes_lead_to_their_upstreams_under_their_names() {
    for runtime in RUNTIMES {
        let ((one, first), (two, second)) = (imap(&["tim@one.example"]), imap(&["zaphod"]));
        one.deliver("tim@one.example", "one\r\n");
        two.deliver("zaphod", "two\r\n");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        let text = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
             [[upstream]]\nname = \"one\"\nurl = \"imap://{first}\"\n\
             [[upstream]]\nname = \"two\"\nurl = \"imap://{second}\"\n\
             [limits]\nfailed_login_delay = \"1ms\"\nfailed_login_delay_max = \"1ms\"\n\
             [routing.domain]\n\"one.example\" = \"one\"\n\
             [routing.user]\nscanner = {{ upstream = \"two\", user = \"zaphod\" }}\n"
        );
        fs::write(&file, text).unwrap();
        let gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
        assert_eq!(gateway.log_in("tim@one.example").ask("RETR 1"), b"one\r\n");

        let mut scanner = gateway.connect();
        scanner.say("USER scanner");
        assert!(scanner.say("PASS zaphod").starts_with("+OK"), "{runtime}");
        assert_eq!(scanner.ask("RETR 1"), b"two\r\n");

        // G22: neither a name without a route nor one with odd characters is more than a wrong password
        let mut wrong = gateway.connect();
        wrong.say("USER scanner");
        let expected = wrong.say("PASS wrong");
        assert!(expected.starts_with("-ERR [AUTH]"), "{expected}");
        for odd in [
            "nobody",
            "tim+INBOX@two.example",
            "%u",
            "*",
            "one.example\\tim",
        ] {
            let mut client = gateway.connect();
            client.say(&format!("USER {odd}"));
            assert_eq!(client.say("PASS x"), expected, "{runtime}: {odd}");
        }
    }
}

/// G19: a stop lets the running response end and applies no deletion.
#[test]
fn g19_a_stop_is_graceful() {
    for runtime in RUNTIMES {
        for signal in ["TERM", "INT"] {
            let (store, imap) = imap(&["tim"]);
            store.deliver("tim", "a\r\n");
            let mut gateway = Gateway::serve(runtime, imap, &[]);
            let mut client = gateway.log_in("tim");
            client.say("DELE 1");
            gateway.signal(signal);
            gateway.wait_for("stopping");
            client.send(b"NOOP\r\n");
            let rest = String::from_utf8_lossy(&client.rest()).into_owned();
            assert!(
                rest.is_empty() || rest.starts_with("-ERR [SYS/TEMP]"),
                "{runtime}: {rest}"
            );
            assert!(gateway.ended().success());
            assert_eq!(store.uids("tim", "INBOX"), [1], "{runtime}");
        }
    }
}

#[test]
fn sighup_reloads_without_dropping_sessions() {
    for runtime in RUNTIMES {
        let (_, imap) = imap(&["tim"]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        let write = |greeting: &str| {
            let text = format!(
                "[[listener]]\nlisten = \"127.0.0.1:0\"\n{greeting}\n\
                 [[upstream]]\nname = \"main\"\nurl = \"imap://{imap}\"\n"
            );
            fs::write(&file, text).unwrap();
        };
        write("greeting = \"first\"");
        let mut gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
        let mut client = gateway.log_in("tim");
        assert_eq!(
            client.received.split(|octet| *octet == b'\n').next(),
            Some(&b"+OK first\r"[..])
        );

        write("greeting = \"second\"");
        gateway.signal("HUP");
        gateway.wait_for("configuration and certificates reloaded");
        assert!(
            gateway.connect().received.starts_with(b"+OK second"),
            "{runtime}"
        );
        assert!(client.say("NOOP").starts_with("+OK"), "{runtime}");

        write("greting = \"third\"");
        gateway.signal("HUP");
        let entry = gateway.wait_for("not reloaded; the old configuration stays");
        assert!(
            entry["error"]
                .as_str()
                .unwrap()
                .contains("did you mean \"greeting\"?"),
            "{entry}"
        );
        assert!(
            gateway.connect().received.starts_with(b"+OK second"),
            "{runtime}"
        );
        assert!(client.say("QUIT").starts_with("+OK"), "{runtime}");
    }
}

/// The level of the log and the folder of transcripts; a session that stands ends as it began.
#[test]
fn sighup_changes_what_is_written_down() {
    for runtime in RUNTIMES {
        let (_, imap) = imap(&["tim", "sue"]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        let write = |more: &str| {
            let text = format!(
                "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
                 [[upstream]]\nname = \"main\"\nurl = \"imap://{imap}\"\n{more}"
            );
            fs::write(&file, text).unwrap();
        };
        write("");
        let mut gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
        let mut first = gateway.log_in("sue");
        write("[log]\nlevel = \"debug\"\n[transcript]\ndir = \"told\"\n");
        gateway.signal("HUP");
        gateway.wait_for("configuration and certificates reloaded");
        let mut client = gateway.log_in("tim");
        let entry = gateway.wait_for("logged in");
        assert_eq!(
            (&entry["user"], &entry["level"]),
            (&"tim".into(), &"DEBUG".into())
        );
        assert!(client.say("QUIT").starts_with("+OK"));
        gateway.wait_for("session ended");
        write("[log]\nlevel = \"info\"\n");
        gateway.signal("HUP");
        gateway.wait_for("configuration and certificates reloaded");
        let mut client = gateway.log_in("tim");
        assert!(client.say("QUIT").starts_with("+OK"));
        gateway.wait_for_line("session ended", |entry| {
            assert_ne!(entry["level"], "DEBUG", "{entry}");
            entry["message"] == "session ended"
        });
        assert!(first.say("QUIT").starts_with("+OK"), "{runtime}");
        gateway.signal("TERM");
        assert!(gateway.ended().success());
        // one session began while there were transcripts
        let told: Vec<_> = fs::read_dir(dir.path().join("told")).unwrap().collect();
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[test]
fn the_log_has_one_line_for_every_session() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["tim"]);
        store.deliver("tim", "a\r\n");
        let mut gateway = Gateway::serve(runtime, imap, &[]);
        let mut client = gateway.log_in("tim");
        client.ask("RETR 1");
        client.say("DELE 1");
        client.say("QUIT");
        let entry = gateway.wait_for("session ended");
        assert_eq!(entry["user"], "tim");
        assert_eq!(entry["retrieved"], 1);
        assert_eq!(entry["octets"], 3);
        assert_eq!(entry["deleted"], 1);
        assert_eq!(entry["upstream"], "main");
        assert!(
            entry["peer"].as_str().unwrap().starts_with("127.0.0.1:"),
            "{entry}"
        );
        assert!(!entry.to_string().contains("password"), "{entry}");
    }
}

/// Neither a core file nor freed memory holds a password of a session that is over.
#[cfg(target_os = "linux")]
#[test]
fn passwords_are_wiped_from_memory_at_the_end_of_a_session() {
    const PASSWORD: &str = "correct-horse-battery-staple-0123456789";
    // an allocator writes into the first octets of what is freed
    let tail = &PASSWORD[20..];
    for runtime in RUNTIMES {
        let (store, imap) = imap(&[]);
        store.add_user("tim", PASSWORD);
        let mut gateway = Gateway::serve(runtime, imap, &[]);
        let mut client = gateway.connect();
        client.say("USER tim");
        assert!(client.say(&format!("PASS {PASSWORD}")).starts_with("+OK"));
        assert_ne!(gateway.remembers(tail), 0, "it may have to reconnect");
        client.say("QUIT");
        client.rest();
        gateway.wait_for("session ended");
        assert_eq!(gateway.remembers(tail), 0, "{runtime}");

        let mut client = gateway.connect();
        client.say("USER tom");
        // a line that comes in pieces
        client.send(b"PASS correct-horse-batt");
        client.send(&PASSWORD.as_bytes()[18..]);
        assert!(client.say("").starts_with("-ERR"));
        client.say("QUIT");
        client.rest();
        gateway.wait_for("session ended");
        assert_eq!(gateway.remembers(tail), 0, "{runtime}");
    }
}

/// A reader of the log that ends, or a full disk below it: the log is lost, and nothing else.
#[test]
fn a_log_that_cannot_be_written_ends_no_session() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["tim"]);
        store.deliver("tim", "a\r\n");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        let config = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
             [[upstream]]\nname = \"main\"\nurl = \"imap://{imap}\"\n\
             [limits]\nfailed_login_delay = \"1ms\"\nconnections_per_address = 4\n"
        );
        fs::write(&file, config).unwrap();
        let mut gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
        gateway.close_log();
        let mut client = gateway.log_in("tim");
        let others: Vec<_> = (0..3)
            .map(|_| {
                let mut other = gateway.connect();
                other.say("USER tim");
                assert_eq!(other.say("PASS wrong"), "-ERR [AUTH] login failed");
                other
            })
            .collect();
        assert_eq!(gateway.connect().rest(), b"", "one too many");
        drop(others);
        assert_eq!(client.ask("RETR 1"), b"a\r\n");
        client.say("DELE 1");
        assert_eq!(client.say("QUIT"), "+OK bye, 1 deleted");
        gateway.signal("TERM");
        assert!(gateway.ended().success(), "{runtime}");
    }
}

#[test]
fn the_demo_runs_by_itself() {
    for runtime in RUNTIMES {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
            .args(["demo", "--once", "--port", "0", "--runtime", runtime])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{runtime}: {said}\n{complaint}");
        for part in [
            "POP3: client and gateway",
            "C: PASS <password>",
            "all as the IMAP server has them",
        ] {
            assert!(said.contains(part), "{runtime}: {said}\nlacks {part}");
        }
        assert!(!said.contains('\u{1b}'), "colour is for terminals");
    }
}
