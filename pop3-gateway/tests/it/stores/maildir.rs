//! Folders of messages as mail servers and agents keep them.

use std::fs;

use super::{MAILDIR, Place, check, fill, left, maildir};
use crate::common::RUNTIMES;

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

/// A client that was answered `deleted` would take a message that is there again for a new one at the next login.
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
/// before. The folder has no lock of its own here, which would hide that.
#[test]
fn w013_an_alias_that_was_just_added_shares_the_lock_of_its_account() {
    for runtime in RUNTIMES {
        let place = Place::new(&format!("{MAILDIR}lock = false\n"));
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
