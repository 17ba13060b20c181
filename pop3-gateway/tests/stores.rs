//! Mailboxes that are kept here, over real sockets, on both runtimes.

#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "maildir")]

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use std::fs;
use std::path::Path;

use common::{Gateway, RUNTIMES, imap, sent_form};
use testkit::mails;

const LISTENER: &str = "[[listener]]\nlisten = \"127.0.0.1:0\"\n";

/// Accounts whose passwords are their names; bcrypt, scrypt and argon2id are tested elsewhere.
const USERS: &str = "tim:{PLAIN}tim\ntom:{PLAIN}tom\nphone:{PLAIN}phone::::::user=tim\n";

/// A configuration in a folder of its own, with these files beside it.
struct Place {
    dir: tempfile::TempDir,
    config: String,
}

impl Place {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("users"), USERS).unwrap();
        let file = dir.path().join("g.toml");
        fs::write(&file, format!("{LISTENER}{config}")).unwrap();
        let config = file.to_str().unwrap().to_owned();
        Self { dir, config }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn serve(&self, runtime: &str) -> Gateway {
        Gateway::start(runtime, 1, &["--config", &self.config])
    }
}

fn maildir(path: &Path) {
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(path.join(part)).unwrap();
    }
}

/// The corpus in the folder, in this order, and what clients are to receive.
fn fill(folder: &Path) -> Vec<Vec<u8>> {
    let mails = mails::corpus().into_iter().filter(|mail| !mail.is_large());
    let mut sent = Vec::new();
    for (number, mail) in mails.enumerate() {
        let content: Vec<u8> = mail.content.to_vec();
        fs::write(
            folder.join(format!("{}.M1P1.host", 1_700_000_000 + number)),
            &content,
        )
        .unwrap();
        sent.push(sent_form(&content));
    }
    sent
}

fn left(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

const MAILDIR: &str = "[[store]]\nname = \"local\"\nkind = \"maildir\"\npath = \"mail\"\nusers = \"each\"\n\
                       subfolder = \"Maildir\"\naccounts = \"users\"\n";

#[test]
fn a_maildir_is_served_byte_for_byte_and_deleted_from_at_quit_alone() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        let home = place.path("mail/tim/Maildir");
        maildir(&home);
        let new = home.join("new");
        let mails = fill(&new);
        let mut gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        assert!(
            client
                .say("STAT")
                .starts_with(&format!("+OK {} ", mails.len()))
        );
        for (number, mail) in (1..).zip(&mails) {
            let received = client.ask(&format!("RETR {number}"));
            assert!(received == *mail, "message {number}");
        }
        assert!(client.say("DELE 1").starts_with("+OK"));
        gateway.cut(client);
        assert_eq!(left(&new), mails.len(), "nobody said QUIT");
        let mut client = gateway.log_in("tim");
        assert!(client.say("DELE 2").starts_with("+OK"));
        assert!(client.say("QUIT").starts_with("+OK"));
        assert_eq!(left(&new), mails.len() - 1);
        let mut client = gateway.log_in("tim");
        assert_eq!(client.ask("RETR 1"), mails[0]);
        assert_eq!(client.ask("RETR 2"), mails[2]);
    }
}

/// A client that was told `deleted` would take for new at the next login what is there again.
#[test]
fn w008_a_store_that_keeps_deleted_mail_says_so_at_quit() {
    for (kind, rest) in [
        ("maildir", "users = \"one\"\n"),
        ("directory", "settle = \"0s\"\n"),
    ] {
        for runtime in RUNTIMES {
            let place = Place::new(&format!(
                "[[store]]\nname = \"local\"\nkind = \"{kind}\"\npath = \"mail\"\naccounts = \"users\"\n\
                 delete = \"keep\"\n{rest}"
            ));
            let home = place.path("mail");
            if kind == "maildir" {
                maildir(&home);
            } else {
                fs::create_dir(&home).unwrap();
            }
            let mails = if kind == "maildir" {
                home.join("new")
            } else {
                home
            };
            for number in 0..3 {
                fs::write(mails.join(format!("{number}.x")), "Subject: x\n\nx\n").unwrap();
            }
            let gateway = place.serve(runtime);
            let mut client = gateway.log_in("tim");
            client.say("DELE 1");
            client.say("DELE 3");
            assert_eq!(
                client.say("QUIT").trim_end(),
                "+OK bye, 2 marked as deleted and all kept"
            );
            assert_eq!(left(&mails), 3);
            let mut client = gateway.log_in("tim");
            assert_eq!(client.say("QUIT").trim_end(), "+OK bye, 0 deleted");
        }
    }
}

#[test]
fn g25_accounts_have_their_own_folders_and_aliases_share_one() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        for (user, mails) in [("tim", 1), ("tom", 2)] {
            let home = place.path(&format!("mail/{user}/Maildir"));
            maildir(&home);
            for number in 0..mails {
                fs::write(home.join(format!("new/{number}.x")), "Subject: x\n\nx\n").unwrap();
            }
        }
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("phone");
        assert!(client.say("STAT").starts_with("+OK 1 "));
        // G25: the alias and the account share the lock
        let mut second = gateway.connect();
        second.say("USER TIM");
        let answer = second.say("PASS tim");
        assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 1 "));
        assert!(gateway.log_in("tom").say("STAT").starts_with("+OK 2 "));
        let mut stranger = gateway.connect();
        stranger.say("USER ../tom");
        assert!(stranger.say("PASS tom").starts_with("-ERR [AUTH]"));
    }
}

/// The lock's name comes from the table that the login itself was checked against, not from one that was read
/// before.
#[test]
fn w013_an_alias_that_was_just_added_shares_the_lock_of_its_account() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        maildir(&place.path("mail/tim/Maildir"));
        let gateway = place.serve(runtime);
        let users = place.path("users");
        let before = fs::read_to_string(&users).unwrap();
        fs::write(
            &users,
            format!("{before}tablet:{{PLAIN}}tablet::::::user=tim\n"),
        )
        .unwrap();
        let mut client = gateway.log_in("tablet");
        let mut second = gateway.connect();
        second.say("USER tim");
        let answer = second.say("PASS tim");
        assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
        assert!(client.say("QUIT").starts_with("+OK"));
    }
}

#[test]
fn a_directory_of_files_is_a_maildrop() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"scans\"\nkind = \"directory\"\npath = \"scans\"\naccounts = \"users\"\n\
             suffix = \".eml\"\nsettle = \"0s\"\ndelete = \"move:done\"\n",
        );
        let scans = place.path("scans");
        fs::create_dir(&scans).unwrap();
        fs::write(scans.join("one.eml"), "Subject: scan\n\n.\n").unwrap();
        fs::write(scans.join("notes.txt"), "no mail").unwrap();
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        assert_eq!(client.ask("LIST"), b"1 20\r\n");
        assert!(client.ask("UIDL").starts_with(b"1 one.eml."));
        assert_eq!(client.ask("RETR 1"), b"Subject: scan\r\n\r\n.\r\n");
        // everybody shares the folder, and one at a time may delete
        let mut second = gateway.connect();
        second.say("USER tom");
        assert!(second.say("PASS tom").starts_with("-ERR [IN-USE]"));
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert!(scans.join("done/one.eml").exists() && scans.join("notes.txt").exists());
    }
}

/// SIGHUP brings back what was deleted, under the ids that clients know; a message that is changed is another
/// one.
#[test]
fn w002_a_list_that_is_read_again_has_new_ids_for_new_messages_alone() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = \"users\"\n\
             [[store.message]]\nfile = \"one.eml\"\n[[store.message]]\nfile = \"two.eml\"\n",
        );
        let write = |name: &str, text: &str| {
            fs::write(place.path(name), format!("Subject: x\n\n{text}\n")).unwrap();
        };
        write("one.eml", "1");
        write("two.eml", "2");
        let ids = |gateway: &Gateway| -> Vec<String> {
            let mut client = gateway.log_in("tim");
            let listed = client.ask("UIDL");
            assert!(client.say("QUIT").starts_with("+OK"));
            let listed = str::from_utf8(&listed).unwrap().lines();
            listed.map(str::to_owned).collect()
        };
        let mut gateway = place.serve(runtime);
        let before = ids(&gateway);
        let mut client = gateway.log_in("tim");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert_eq!(ids(&gateway).len(), 1);
        for text in ["2", "3"] {
            write("two.eml", text);
            gateway.signal("HUP");
            gateway.wait_for("configuration and certificates reloaded");
            let after = ids(&gateway);
            assert_eq!(after[0], before[0]);
            assert_eq!(after[1] == before[1], text == "2");
        }
    }
}

/// The scanner begins again at one: what `fetch everything that is new` sees of it.
#[test]
fn w002_a_scan_under_an_old_name_has_another_id() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"scans\"\nkind = \"directory\"\npath = \"scans\"\naccounts = \"users\"\n\
             settle = \"0s\"\n",
        );
        let scan = place.path("scans/scan0001.eml");
        fs::create_dir(place.path("scans")).unwrap();
        fs::write(&scan, "Subject: first\n\n.\n").unwrap();
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        let first = client.ask("UIDL");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        fs::write(&scan, "Subject: second\n\n.\n").unwrap();
        let mut client = gateway.log_in("tim");
        assert_ne!(client.ask("UIDL"), first);
        // overwritten before it is deleted: it stays, and the client is told
        client.ask("RETR 1");
        fs::write(&scan, "Subject: third\n\n.\n").unwrap();
        assert!(client.say("RETR 1").starts_with("-ERR [SYS/TEMP]"));
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("-ERR"));
        assert_eq!(fs::read_to_string(&scan).unwrap(), "Subject: third\n\n.\n");
    }
}

#[test]
fn w062_w063_layouts_texts_and_capitals_are_served() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"mail\"\nkind = \"directory\"\npath = \"mail/{domain}/{local}\"\n\
             accounts = \"addresses\"\nsettle = \"0s\"\nsuffix = [\".eml\", \".txt\"]\n",
        );
        fs::write(place.path("addresses"), "tim@example.org:{PLAIN}tim\n").unwrap();
        let home = place.path("mail/Example.org/Tim");
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("NOTE.TXT"), "gruss\n").unwrap();
        fs::write(home.join(".pop3sf_password_bcrypt"), "$2b$12$x\n").unwrap();
        let gateway = place.serve(runtime);
        let mut client = gateway.connect();
        client.say("USER tim@example.org");
        assert!(client.say("PASS tim").starts_with("+OK"));
        assert!(client.say("STAT").starts_with("+OK 1 "));
        let mail = String::from_utf8(client.ask("RETR 1")).unwrap();
        assert!(
            mail.contains("\r\nX-Mailer: POP3SF-Plaintext-Wrapper\r\n"),
            "{mail}"
        );
        assert!(mail.ends_with("\r\n\r\nZ3J1c3MNCg==\r\n"), "{mail}");
    }
}

fn check(place: &Place) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
        .args(["check", "--config", &place.config])
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

#[test]
fn w003_check_tells_of_each_kind_whether_its_unique_ids_may_come_again() {
    for (kind, more, told) in [
        ("maildir", "path = \"new\"", "must never use a name again"),
        (
            "directory",
            "path = \"new\"",
            "none comes again, though names may",
        ),
        ("list", "", "with the ids that they had"),
    ] {
        let place = Place::new(&format!(
            "[[store]]\nname = \"a\"\nkind = \"{kind}\"\naccounts = \"users\"\n{more}\n"
        ));
        maildir(place.dir.path());
        let (good, text) = check(&place);
        assert!(good && text.contains(told), "{text}");
    }
}

#[test]
fn w062_check_refuses_a_template_with_an_unknown_field() {
    for (path, told) in [
        (
            "mail/{usr}",
            "path: there is no field {usr}; write {user}, {local} or {domain}",
        ),
        (
            "mail/{local}",
            "path: different accounts would have the same folder",
        ),
        ("mail/{user", "path: a brace is not closed"),
        (
            "mail/{user}/..",
            "path: \"..\" cannot be the name of a folder",
        ),
    ] {
        let place = Place::new(&format!(
            "[[store]]\nname = \"a\"\nkind = \"maildir\"\naccounts = \"users\"\npath = \"{path}\"\n"
        ));
        fs::create_dir(place.path("mail")).unwrap();
        let (good, text) = check(&place);
        assert!(
            !good && text.contains(told) && text.contains("store[1]."),
            "{text}"
        );
    }
}

#[test]
fn p050_a_list_is_the_same_for_everybody_until_it_is_deleted() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = \"users\"\n\
             [[store.message]]\nsubject = \"Welcome\"\ntext = \"Grüße\\n\"\ndate = 2026-11-20\n\
             [[store.message]]\nfile = \"second.eml\"\n",
        );
        fs::write(place.path("second.eml"), "Subject: two\n\n2\n").unwrap();
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        let ids = client.ask("UIDL");
        let first = String::from_utf8(client.ask("RETR 1")).unwrap();
        for part in [
            "Subject: Welcome\r\n",
            "Date: Fri, 20 Nov 2026 00:00:00 +0000\r\n",
            "\r\n\r\nR3LDvMOfZQ0K\r\n",
        ] {
            assert!(first.contains(part), "{first}");
        }
        assert_eq!(client.ask("RETR 2"), b"Subject: two\r\n\r\n2\r\n");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 1 "));
        assert!(gateway.log_in("tom").say("STAT").starts_with("+OK 2 "));
        drop(gateway);
        // P050: the ids are the same after a restart
        let gateway = place.serve(runtime);
        assert_eq!(gateway.log_in("tim").ask("UIDL"), ids);
        drop(gateway);
    }
}

#[test]
fn some_users_have_imap_and_others_a_store() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["alice"]);
        store.deliver("alice", b"Subject: imap\r\n\r\n1\r\n".to_vec());
        let place = Place::new(&format!(
            "[[upstream]]\nname = \"main\"\nurl = \"imap://{imap}\"\n{MAILDIR}\
             [routing]\ndefault = \"main\"\n[routing.user]\ntim = \"local\"\n\
             office = {{ store = \"local\", user = \"tom\" }}\n"
        ));
        for user in ["tim", "tom"] {
            maildir(&place.path(&format!("mail/{user}/Maildir")));
        }
        fs::write(
            place.path("mail/tim/Maildir/new/1.x"),
            "Subject: store\n\n1\n",
        )
        .unwrap();
        let mut gateway = place.serve(runtime);
        assert_eq!(
            gateway.log_in("alice").ask("RETR 1"),
            b"Subject: imap\r\n\r\n1\r\n"
        );
        let mut tim = gateway.log_in("tim");
        assert_eq!(tim.ask("RETR 1"), b"Subject: store\r\n\r\n1\r\n");
        gateway.cut(tim);
        let mut office = gateway.connect();
        office.say("USER office");
        assert!(office.say("PASS tom").starts_with("+OK"));
        assert!(office.say("STAT").starts_with("+OK 0 "));
        gateway.cut(office);
        // the upstream does not know him, and the store is not asked
        let mut tom = gateway.connect();
        tom.say("USER tom");
        assert!(tom.say("PASS tom").starts_with("-ERR [AUTH]"));

        // SIGHUP: another route, and the session that stands goes on
        let mut before = gateway.log_in("tim");
        let config = fs::read_to_string(&place.config).unwrap();
        fs::write(
            &place.config,
            config.replace("default = \"main\"", "default = \"local\""),
        )
        .unwrap();
        gateway.signal("HUP");
        gateway.wait_for("configuration and certificates reloaded");
        assert!(gateway.log_in("tom").say("STAT").starts_with("+OK 0 "));
        assert!(before.say("DELE 1").starts_with("+OK"));
        assert!(before.say("QUIT").starts_with("+OK"));
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 0 "));
    }
}

/// P037, P038: killed at any moment of QUIT, what was not deleted is whole, and what was reported deleted is
/// gone.
#[test]
fn p037_p038_killed_at_quit_nothing_is_half_done() {
    use std::time::Duration;
    const MAILS: usize = 300;
    let mut cut = 0;
    // on a machine that never ends between a command and its answer there is more than one round
    for step in 0..160 {
        if step >= 16 && cut > 0 {
            break;
        }
        let runtime = RUNTIMES[step % 2];
        let place = Place::new(MAILDIR);
        let home = place.path("mail/tim/Maildir");
        maildir(&home);
        for number in 0..MAILS {
            fs::write(
                home.join(format!("new/{number}.x")),
                format!("Subject: {number}\n\nx\n"),
            )
            .unwrap();
        }
        let mut gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        // every other one
        let marks: String = (1..=MAILS)
            .step_by(2)
            .map(|n| format!("DELE {n}\r\n"))
            .collect();
        client.send(marks.as_bytes());
        for _ in (1..=MAILS).step_by(2) {
            assert!(client.line().starts_with("+OK"));
        }
        client.send(b"QUIT\r\n");
        std::thread::sleep(Duration::from_micros(300 * (step as u64 % 16)));
        gateway.kill();
        let last = String::from_utf8(client.rest()).unwrap();
        let left = left(&home.join("new")) + self::left(&home.join("cur"));
        if last.starts_with("+OK") {
            assert_eq!(left, MAILS / 2, "reported deleted and still there");
        } else {
            assert!((MAILS / 2..=MAILS).contains(&left), "{left}");
            cut += 1;
        }
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        assert!(client.say("STAT").starts_with(&format!("+OK {left} ")));
        for number in 1..=left {
            let mail = String::from_utf8(client.ask(&format!("RETR {number}"))).unwrap();
            assert!(
                mail.starts_with("Subject: ") && mail.ends_with("\r\n\r\nx\r\n"),
                "{mail}"
            );
        }
        let subjects: Vec<_> = (1..=left)
            .map(|number| String::from_utf8(client.ask(&format!("TOP {number} 0"))).unwrap())
            .collect();
        let kept = (0..MAILS)
            .skip(1)
            .step_by(2)
            .map(|number| format!("Subject: {number}\r\n\r\n"));
        for subject in kept {
            assert!(subjects.contains(&subject), "{subject} was not marked");
        }
    }
    assert!(cut > 0, "no kill came in time");
}

/// APOP and CRAM-MD5 work for accounts with a stored secret, and for no others.
#[test]
fn p059_c002_digests_work_where_the_secret_is_stored() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        let config = fs::read_to_string(&place.config).unwrap();
        let with = "[[listener]]\napop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n";
        fs::write(&place.config, config.replace("[[listener]]\n", with)).unwrap();
        maildir(&place.path("mail/tim/Maildir"));
        let mut gateway = place.serve(runtime);
        let mut client = gateway.connect();
        let greeting = String::from_utf8(client.received.clone()).unwrap();
        let stamp = pop3_proto::apop::find_timestamp(greeting.as_bytes()).unwrap();
        let digest = pop3_proto::apop::digest(stamp, &b"tim"[..].into());
        let apop = format!("APOP tim {}", pop3_proto::apop::to_hex(&digest));
        assert!(client.say(&apop).starts_with("+OK"));
        gateway.cut(client);

        // CRAM-MD5, as Python's hmac answers
        let cram = "import base64, hashlib, hmac, sys\n\
                    text = base64.b64decode(sys.argv[1])\n\
                    answer = 'tim ' + hmac.new(b'tim', text, hashlib.md5).hexdigest()\n\
                    print(base64.b64encode(answer.encode()).decode(), end='')";
        let mut client = gateway.connect();
        let challenge = client.say("AUTH CRAM-MD5");
        let challenge = challenge.strip_prefix("+ ").unwrap();
        let mut python = std::process::Command::new("python3");
        let answer = python
            .args(["-c", cram, challenge])
            .output()
            .unwrap()
            .stdout;
        let answer = client.say(&String::from_utf8(answer).unwrap());
        assert!(answer.starts_with("+OK"), "{answer}");
        assert!(client.say("STAT").starts_with("+OK 0 "));
    }
}

/// Clients that take CRAM-MD5 wherever it is offered, as curl does, log in to accounts with hashes too: it is
/// offered only as long as it works for all.
#[test]
fn w065_digests_are_offered_only_where_every_account_can_do_them() {
    const HASHED: &str = "ann:{SSHA}Ri7hleCD3vShVVRv3ayfZFjfr0nIODaO\n";
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        let config = fs::read_to_string(&place.config).unwrap();
        let with = "[[listener]]\napop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n";
        fs::write(&place.config, config.replace("[[listener]]\n", with)).unwrap();
        maildir(&place.path("mail/tim/Maildir"));
        maildir(&place.path("mail/ann/Maildir"));
        let gateway = place.serve(runtime);
        let offers = || {
            let mut client = gateway.connect();
            let greeting = client.received.clone();
            let banner = pop3_proto::apop::find_timestamp(&greeting).is_some();
            let capa = String::from_utf8(client.ask("CAPA")).unwrap();
            assert!(capa.contains("SASL") && capa.contains("PLAIN"), "{capa}");
            assert_eq!(banner, capa.contains("CRAM-MD5"), "{capa}");
            banner
        };
        assert!(offers());
        let users = place.path("users");
        fs::write(&users, format!("{USERS}{HASHED}")).unwrap();
        // the login reads the file
        let mut client = gateway.connect();
        client.say("USER ann");
        assert!(client.say("PASS correct horse").starts_with("+OK"));
        assert!(!offers());
        assert!(client.say("QUIT").starts_with("+OK"));
        let refused = gateway.connect().say("AUTH CRAM-MD5");
        assert!(refused.starts_with("-ERR"), "{refused}");
        // one that nobody logs in to does not count
        fs::write(&users, format!("{USERS}ann:!\n")).unwrap();
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK"));
        assert!(offers());
        // from the start
        fs::write(&users, format!("{USERS}{HASHED}")).unwrap();
        let gateway = place.serve(runtime);
        let greeting = gateway.connect().received.clone();
        assert!(pop3_proto::apop::find_timestamp(&greeting).is_none());
    }
}

/// One line that is wrong, and a file that is no file: who it is about, and nobody else.
#[test]
fn w060_a_broken_accounts_file_stops_neither_the_start_nor_others() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        for user in ["tim", "tom"] {
            maildir(&place.path(&format!("mail/{user}/Maildir")));
        }
        let users = place.path("users");
        fs::write(&users, format!("bad:{{LANMAN}}x\n{USERS}")).unwrap();
        let gateway = place.serve(runtime);
        let answer = |user: &str| {
            let mut client = gateway.connect();
            client.say(&format!("USER {user}"));
            let answer = client.say(&format!("PASS {user}"));
            client.say("QUIT");
            answer
        };
        assert!(answer("tim").starts_with("+OK"));
        assert!(answer("bad").starts_with("-ERR [SYS/PERM]"));
        fs::write(&users, "bad:{LANMAN}x\ntom:{PLAIN}tom\n").unwrap();
        assert!(answer("tim").starts_with("-ERR [AUTH]"), "removed");
        assert!(answer("tom").starts_with("+OK"));
        fs::remove_file(&users).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&users).status();
        assert!(made.unwrap().success());
        assert!(answer("tom").starts_with("-ERR [SYS/TEMP]"));
        fs::remove_file(&users).unwrap();
        fs::write(&users, USERS).unwrap();
        assert!(answer("tim").starts_with("+OK"));
    }
}

/// V35: the monitoring account is there only if it is configured, with a secret of its own.
#[test]
fn v35_the_monitoring_account_has_a_message_at_each_login() {
    use std::os::unix::fs::PermissionsExt as _;
    for runtime in RUNTIMES {
        // nobody is there behind the upstream
        let place = Place::new(
            "[[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:9\"\n\
             [monitor]\nuser = \"probe\"\nsecret_file = \"probe.secret\"\n",
        );
        let gateway = place.serve(runtime);
        let file = place.path("probe.secret");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let secret = fs::read_to_string(&file).unwrap();
        assert!(secret.trim().len() >= 20);
        let mut seen = Vec::new();
        let log_in = || {
            let mut client = gateway.connect();
            client.say("USER probe");
            assert!(
                client
                    .say(&format!("PASS {}", secret.trim()))
                    .starts_with("+OK")
            );
            client
        };
        let _other = log_in();
        for login in 2..4 {
            let mut client = log_in();
            assert!(client.say("STAT").starts_with("+OK 1 "));
            seen.push(client.ask("UIDL"));
            let message = String::from_utf8(client.ask("RETR 1")).unwrap();
            assert!(
                message.contains(&format!("login {login}\r\nDate: ")),
                "{message}"
            );
            assert!(client.say("DELE 1").starts_with("+OK"));
            assert!(client.say("QUIT").starts_with("+OK"));
        }
        seen.dedup();
        assert_eq!(seen.len(), 2, "another id each time");
        let mut wrong = gateway.connect();
        wrong.say("USER probe");
        assert!(wrong.say("PASS monitor").starts_with("-ERR [AUTH]"));
        drop(gateway);
        let gateway = place.serve(runtime);
        let mut client = gateway.connect();
        client.say("USER probe");
        assert!(
            client
                .say(&format!("PASS {}", secret.trim()))
                .starts_with("+OK"),
            "the secret stays"
        );
    }
}

/// The same session is the same on both runtimes, and so is its transcript, in which no secret stands.
#[test]
fn a_session_with_a_store_is_the_same_on_both_runtimes() {
    let [tokio, smol] = RUNTIMES.map(|runtime| {
        let place = Place::new(MAILDIR);
        let home = place.path("mail/tim/Maildir");
        maildir(&home);
        for (number, mail) in mails::sample().into_iter().enumerate() {
            let content: Vec<u8> = mail.content.to_vec();
            fs::write(home.join(format!("new/{number}.x")), content).unwrap();
        }
        let folder = place.path("transcripts");
        let arguments = [
            "--config",
            &place.config,
            "--transcript",
            folder.to_str().unwrap(),
        ];
        let mut gateway = Gateway::start(runtime, 1, &arguments);
        let mut client = gateway.connect();
        for command in [
            "CAPA.",
            "USER tim",
            "PASS sw0rdfish",
            "USER tim",
            "PASS tim",
            "STAT",
            "LIST.",
            "UIDL.",
            "TOP 2 1.",
            "RETR 1.",
            "RETR 99",
            "DELE 2",
            "LIST.",
            "QUIT",
        ] {
            match command.strip_suffix('.') {
                Some(command) => drop(client.ask(command)),
                None => drop(client.say(command)),
            }
        }
        client.rest();
        gateway.wait_for("session ended");
        gateway.signal("TERM");
        assert!(gateway.ended().success());
        let files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "one session, one file");
        let transcript = fs::read_to_string(&files[0]).unwrap();
        assert!(
            transcript.contains("POP3 C: PASS <password>") && !transcript.contains("sw0rdfish"),
            "{transcript}"
        );
        assert_eq!(left(&home.join("new")), mails::sample().len() - 1);
        String::from_utf8_lossy(&client.received).into_owned()
    });
    assert_eq!(tokio, smol);
    assert!(tokio.contains("\r\n+OK bye, 1 deleted\r\n"), "{tokio}");
}

#[test]
fn a_store_that_is_not_there_is_told_and_tried_again() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        let mut gateway = place.serve(runtime);
        let mut client = gateway.connect();
        client.say("USER tim");
        let answer = client.say("PASS tim");
        assert!(answer.starts_with("-ERR [SYS/"), "{answer}");
        gateway.cut(client);
        maildir(&place.path("mail/tim/Maildir"));
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 0 "));
    }
}
