//! What deleting takes and the server has not: found out at the login, reported to the operator, and the login
//! works all the same.

use crate::common::{FULL, World, config, password_open, tags};
use imap_backend::{Config, DeletePolicy};
use pop3_proto::backend::Access;

fn policies() -> [DeletePolicy; 6] {
    [
        DeletePolicy::Expunge,
        DeletePolicy::Trash {
            fallback: "Trash".into(),
        },
        DeletePolicy::Move("Old".into()),
        DeletePolicy::Seen,
        DeletePolicy::Keyword("$Fetched".into()),
        DeletePolicy::Keep,
    ]
}

/// A login: what the greeting says, what comes with the answer to LOGIN, and what CAPABILITY answers if it
/// is asked. Returns the notes, and whether it was asked.
fn logs_in(config: &Config, before: &str, at_login: &str, asked: &str) -> (Vec<String>, bool) {
    let mut world = World::new(config.clone());
    world.answers_capability = false;
    world.open(password_open());
    world.serve(&format!("* OK [CAPABILITY {before}] ready\r\n"));
    let mut asks = false;
    // LOGIN, and what follows its answer or not
    for _ in 0..2 {
        for line in world.take_sent().lines() {
            let tag = tags(line).remove(0);
            let answer = match line.split(' ').nth(1).unwrap() {
                "LOGIN" => format!("{tag} OK {at_login}in\r\n"),
                "SELECT" => {
                    format!("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK [READ-WRITE] x\r\n")
                }
                "CAPABILITY" => {
                    asks = true;
                    format!("* CAPABILITY {asked}\r\n{tag} OK x\r\n")
                }
                _ => format!("* 1 FETCH (UID 2 RFC822.SIZE 3 FLAGS ())\r\n{tag} OK x\r\n"),
            };
            world.serve(&answer);
        }
    }
    world.expect_replies(&["Authenticated", "Entry 7.2 3", "Opened ReadWrite"]);
    world.expect_nothing();
    (world.notes(), asks)
}

#[test]
fn w009_what_deleting_needs_and_the_server_lacks_is_reported_at_login() {
    const POOR: &str = "IMAP4rev1";
    for policy in policies() {
        let moves = matches!(policy, DeletePolicy::Trash { .. } | DeletePolicy::Move(_));
        let needs = moves || policy == DeletePolicy::Expunge;
        for (before, at_login, asked, lacks) in [
            (FULL, String::new(), FULL, false),
            (POOR, String::new(), POOR, true),
            (POOR, String::new(), "IMAP4rev1 UIDPLUS", false),
            (POOR, format!("[CAPABILITY {POOR}] "), POOR, true),
            (POOR, format!("[CAPABILITY {FULL}] "), FULL, false),
            (FULL, format!("[CAPABILITY {POOR}] "), POOR, true),
            (POOR, String::new(), "IMAP4rev1 MOVE", !moves),
        ] {
            let mut config = config();
            config.delete = policy.clone();
            let (notes, asks) = logs_in(&config, before, &at_login, asked);
            let case = format!("{policy:?} {before} {at_login} {asked}: {notes:?}");
            let told = notes.iter().filter(|note| note.contains("UIDPLUS")).count();
            assert_eq!(told, usize::from(needs && lacks), "{case}");
            assert!(asks || !lacks || !needs || !at_login.is_empty(), "{case}");
            assert!(needs || !asks, "{case}");
            if told == 1 {
                let note = &notes[0];
                for part in ["delete", "imap.example.org", "INBOX", "\"seen\""] {
                    assert!(note.contains(part), "{part}: {case}");
                }
            }
            // once for each upstream, and nothing is asked for it any more
            let (notes, asks) = logs_in(&config, before, &at_login, asked);
            assert!(
                notes.is_empty() && !(asks && needs && lacks),
                "{case} {notes:?}"
            );
        }
    }
}

/// `check --login` opens the folder for reading, and is where an operator looks.
#[test]
fn w009_a_login_that_asks_to_read_alone_is_warned_too() {
    let mut world = World::new(config());
    let mut open = password_open();
    open.access = Access::ReadOnly;
    world.open(open);
    world.serve("* OK [CAPABILITY IMAP4rev1] ready\r\n");
    let login = world.expect("LOGIN \"alice\" \"secret\"");
    world.serve(&format!("{login} OK [CAPABILITY IMAP4rev1] in\r\n"));
    let examine = world.expect("EXAMINE \"INBOX\"");
    let scan = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.serve(&format!(
        "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{examine} OK [READ-ONLY] x\r\n{scan} OK\r\n"
    ));
    world.expect_replies(&["Authenticated", "Opened ReadOnly"]);
    assert!(world.notes().iter().any(|note| note.contains("UIDPLUS")));
}

/// Where the server opens a folder for reading alone nothing can be deleted anyway.
#[test]
fn w009_nothing_is_said_of_a_folder_that_is_only_read() {
    let mut world = World::new(config());
    world.open(password_open());
    world.serve("* OK [CAPABILITY IMAP4rev1] ready\r\n");
    let login = world.expect("LOGIN \"alice\" \"secret\"");
    world.serve(&format!("{login} OK [CAPABILITY IMAP4rev1] in\r\n"));
    let select = world.expect("SELECT \"INBOX\"");
    let scan = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.serve(&format!(
        "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{select} OK [READ-ONLY] x\r\n{scan} OK\r\n"
    ));
    world.expect_replies(&["Authenticated", "Opened ReadOnly"]);
    assert!(world.notes().is_empty());
}
