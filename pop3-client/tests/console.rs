//! The console, driven through the terminal's place by a script.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use common::{Behaviour, PASSWORD, Server, USER, message, messages};
use pop3_client::account::{Access, Account, Settings, Source};
use pop3_client::console::{self, Input, Manners, Terminal, Words};
use pop3_client_io::Trust;
use pop3_client_io::{TlsMode, Transcript};

/// A user who knows beforehand what he will type.
struct Script<'a> {
    lines: VecDeque<String>,
    shown: String,
    size: Option<(usize, usize)>,
    /// What he waits for before he types a line.
    wait: Box<dyn FnMut() + 'a>,
}

impl Terminal for Script<'_> {
    fn read_line(&mut self, prompt: &str, _: &Words) -> io::Result<Input> {
        self.shown.push_str(prompt);
        (self.wait)();
        Ok(self.lines.pop_front().map_or(Input::End, Input::Line))
    }

    fn ask(&mut self, question: &str) -> io::Result<Input> {
        self.read_line(question, &Words::default())
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
        self.shown.push_str(text);
        Ok(())
    }

    fn size(&self) -> Option<(usize, usize)> {
        self.size
    }
}

fn script<'a>(lines: &[&str]) -> Script<'a> {
    Script {
        lines: lines.iter().map(ToString::to_string).collect(),
        shown: String::new(),
        size: None,
        wait: Box::new(|| ()),
    }
}

/// With the file of the secret, which goes with it.
fn access(server: &Server) -> (Access, tempfile::NamedTempFile) {
    // the secret comes as it would: from a file that only its owner may read
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), PASSWORD).unwrap();
    let settings = Settings {
        host: Some("localhost".into()),
        port: Some(server.address.port()),
        tls: Some(TlsMode::Starttls),
        user: Some(USER.into()),
        password_from: Some(Source::File(secret.path().into())),
        ..Settings::default()
    };
    let mut account = Account::new(&settings).unwrap();
    account.endpoint.trust = Trust::File(server.shared.certificate.file.path().into());
    (Access::new(account, Transcript::default()), secret)
}

fn run(server: &Server, script: &mut Script) {
    let (access, _secret) = access(server);
    console::run(access, script, Manners::default()).unwrap();
}

fn shown(server: &Server, lines: &[&str]) -> String {
    let mut script = script(lines);
    run(server, &mut script);
    script.shown
}

#[test]
fn a_session_from_list_to_quit() {
    let server = Server::start(Behaviour::default(), messages(5));
    let shown = shown(
        &server,
        &[
            "list",
            "show 2",
            "headers 1",
            "delete 2-3",
            "list 1-3",
            "stat",
            "uidl",
            "rollback",
            "delete 5",
            "quit",
        ],
    );
    for part in [
        "alice@localhost: 5 messages",
        "mail 4",
        "Subject: mail 1\n\n.dot 1\nFrom me\n",
        "From: Bob <bob@example.org>\nSubject: mail 0\n",
        "2 messages marked",
        "D    2",
        "3 messages, ",
        "    1 id0\n    4 id3\n    5 id4\n",
        "2 marks taken back",
        "1 message marked",
        "1 message deleted",
    ] {
        assert!(shown.contains(part), "{part:?} not in\n{shown}");
    }
    assert_eq!(server.ids().len(), 4);
    assert!(!server.ids().contains("id4"));
}

#[test]
fn p037_abort_and_the_end_of_input_delete_nothing() {
    for lines in [
        &["delete all", "abort"][..],
        &["delete all"],
        &["delete all", "\u{4}"],
    ] {
        let server = Server::start(Behaviour::default(), messages(3));
        let shown = shown(&server, lines);
        assert!(shown.contains("nothing was deleted"), "{shown}");
        assert_eq!(server.ids().len(), 3);
    }
}

#[test]
fn a_list_is_shown_page_by_page_and_fetched_so() {
    let server = Server::start(Behaviour::default(), messages(50));
    let mut script = script(&["list", "", "q", "quit"]);
    script.size = Some((80, 11));
    run(&server, &mut script);
    assert_eq!(script.shown.matches("-- more").count(), 2);
    let tops = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("TOP"))
        .count();
    assert_eq!(tops, 20);
    assert!(
        script
            .shown
            .lines()
            .all(|line| line.chars().count() <= 80 + 30)
    );
}

#[test]
fn what_is_wrong_is_said_and_the_session_goes_on() {
    let server = Server::start(Behaviour::default(), messages(2));
    let shown = shown(
        &server,
        &[
            "foo", "show", "show 9", "delete 7", "s", "", "help", "noop", "quit",
        ],
    );
    for part in [
        "no command 'foo'",
        "which message?",
        "the server refuses RETR 9",
        "there is no message 7",
        "which: save, show",
        "rollback",
        "the server is there",
    ] {
        assert!(shown.contains(part), "{part:?} not in\n{shown}");
    }
}

#[test]
fn save_and_attachments_write_files_and_overwrite_none() {
    let folder = tempfile::tempdir().unwrap();
    let multipart = "Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=\"../x.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n--b--\r\n";
    let server = Server::start(
        Behaviour::default(),
        vec![("a".into(), multipart.as_bytes().to_vec())],
    );
    let file = folder.path().join("my mail.eml");
    let save = format!("save 1 \"{}\"", file.display());
    let attachments = format!("attachments 1 {}", folder.path().display());
    let shown = shown(&server, &[&save, &save, &attachments, &attachments, "quit"]);
    assert_eq!(std::fs::read(&file).unwrap(), multipart.as_bytes());
    assert_eq!(
        std::fs::read(folder.path().join("_x.png")).unwrap(),
        b"\x89PN"
    );
    assert!(folder.path().join("2-_x.png").exists(), "{shown}");
    assert!(shown.contains("is there already"), "{shown}");
}

#[test]
fn w080_save_takes_a_folder_and_says_why_it_does_not_write() {
    let server = Server::start(Behaviour::default(), messages(1));
    let dir = tempfile::tempdir().unwrap();
    let into = format!("save 1 \"{}\"", dir.path().display());
    let nowhere = format!("save 1 \"{}\"", dir.path().join("a/b").display());
    let shown = shown(&server, &[&into, &into, &nowhere, "quit"]);
    assert!(dir.path().join("1.eml").is_file(), "{shown}");
    assert!(shown.contains("1.eml is there already: name another file"));
    assert!(shown.contains("cannot write "), "{shown}");
}

#[test]
fn an_idle_session_is_kept_alive() {
    let server = Server::start(Behaviour::default(), messages(1));
    let heard = || server.heard().iter().filter(|line| *line == "NOOP").count();
    let mut script = script(&["stat", "quit"]);
    script.wait = Box::new(|| {
        let (before, begun) = (heard(), Instant::now());
        while heard() < before + 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no NOOP comes");
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let manners = Manners {
        keep_alive: Duration::from_millis(50),
    };
    let (access, _secret) = access(&server);
    console::run(access, &mut script, manners).unwrap();
}

#[test]
fn a_lost_session_is_reported_and_opened_again() {
    // the first connection breaks in the middle of the big one
    let behaviour = Behaviour {
        cuts: Box::new(|nth| (nth == 0).then_some(20_000)),
        ..Behaviour::default()
    };
    let big = message("big", &"x\r\n".repeat(20_000));
    let server = Server::start(
        behaviour,
        vec![("a".into(), message("a", "")), ("b".into(), big)],
    );
    let shown = shown(
        &server,
        &["delete 1", "show 2", "stat", "reconnect", "stat", "quit"],
    );
    assert!(
        shown.contains("Nothing was deleted. 'reconnect'"),
        "{shown}"
    );
    assert!(shown.contains("2 messages, "), "{shown}");
    assert_eq!(server.ids().len(), 2);
}

#[test]
fn w080_the_words_of_other_programs_do_what_their_users_expect() {
    let server = Server::start(Behaviour::default(), messages(5));
    let shown = shown(
        &server,
        &[
            "retr 2",
            "top 1 0",
            "dele 2-4",
            "undelete 3-4",
            "stat",
            "rset",
            "help dele",
            "3",
            "next",
            "previous",
            "previous",
            "/MAIL 4",
            "search nothing like it",
            "DELE 5",
            "exit",
            "y",
        ],
    );
    for part in [
        "Subject: mail 1\n\n.dot 1\nFrom me\n",
        "Subject: mail 0\n\nalice> ",
        "3 messages marked",
        "2 marks taken back, 1 left",
        "4 messages, ",
        "1 mark taken back",
        "delete N...",
        "Other names: dele",
        ".dot 2\n",
        ".dot 3\n",
        "no date, sender or subject",
        "1 message marked. Delete for good? [y/N] ",
        "1 message deleted",
    ] {
        assert!(shown.contains(part), "{part:?} not in\n{shown}");
    }
    // shown by its number, by 'next' and by 'previous'
    assert_eq!(shown.matches(".dot 2\n").count(), 2);
    assert_eq!(shown.matches(".dot 1\n").count(), 2);
    let found = shown.split("> ").find(|answer| answer.contains("mail 4"));
    assert_eq!(found.map(|found| found.lines().count()), Some(2), "{shown}");
    assert!(!server.ids().contains("id4"));
    assert_eq!(server.ids().len(), 4);
}

#[test]
fn w080_exit_deletes_nothing_that_is_not_agreed_to() {
    let server = Server::start(Behaviour::default(), messages(2));
    for answer in ["", "n", "nonsense"] {
        let shown = shown(&server, &["delete all", "exit", answer]);
        assert!(shown.contains("nothing was deleted"), "{shown}");
    }
    assert_eq!(server.ids().len(), 2);
    assert!(!shown(&server, &["exit"]).contains("[y/N]"));
}

#[test]
fn w080_pages_turn_both_ways_and_are_searched() {
    let server = Server::start(Behaviour::default(), messages(50));
    let pages = |keys: &[&str]| {
        let mut script = script(keys);
        script.size = Some((80, 11));
        run(&server, &mut script);
        let pages: Vec<_> = script.shown.split("-- more").map(str::to_string).collect();
        pages
    };
    let list = pages(&["list", "", "b", "b", "/MAIL 45", "/", "b", "g", "q", "quit"]);
    let begins = |page: &str, number: usize| {
        let line = page.lines().find(|line| line.contains("mail "));
        // after the question or the prompt
        let line = line.unwrap_or_default().rsplit("-- ").next();
        let line = line.unwrap_or_default().trim_start_matches("alice>");
        line.split_whitespace().next() == Some(&number.to_string())
    };
    for (page, number) in [(0, 1), (1, 11), (2, 1)] {
        assert!(begins(&list[page], number), "{}", list[page]);
    }
    assert!(list[3].contains("this is the beginning"));
    // the last page shows itself and asks nothing
    assert!(begins(&list[4], 46) && !list.iter().any(|page| page.contains("not found")));
    assert_eq!(list.len(), 5);
    let big = message(
        "big",
        &(1..=40)
            .map(|n| format!("line {n}\r\n"))
            .collect::<String>(),
    );
    *server.shared.mailbox.lock().unwrap() = vec![("a".into(), big)];
    let text = pages(&["show 1", "", "b", "/LINE 20", "/nowhere", "g", "q", "quit"]);
    assert!(
        text[1].contains("line 10\n") && !text[1].contains("line 1\n"),
        "{text:?}"
    );
    assert!(text[2].contains("line 1\n"), "{text:?}");
    assert!(
        text[3].contains("line 20\n") && !text[3].contains("line 19\n"),
        "{text:?}"
    );
    assert!(text[4].contains("not found further on"), "{text:?}");
    assert!(text[5].contains("Subject: big"), "{text:?}");
}
