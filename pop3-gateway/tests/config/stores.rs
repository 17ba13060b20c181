//! Stores of the gateway itself.

use std::any::Any;
use std::path::Path;
use std::time::Duration;

use maildir_backend::{Deletion, Layout, Missing, Template, Users};
use pop3_gateway::mailbox::Store;
use pop3_gateway::mailbox::files::Files;
use pop3_gateway::mailbox::list::{List, ListedMessage};
use pop3_gateway::mailbox::sql::Sql;
use sql_backend::Maildrops;

use super::{LISTENER, UPSTREAM, error, error_with, parse};

const STORE: &str =
    "[[store]]\nname = \"local\"\nkind = \"maildir\"\npath = \"mail\"\naccounts = \"users\"\n";

/// The kind of a store, as the one that it must be.
fn kind<K: Any>(store: &Store) -> &K {
    let kind: &dyn Any = &*store.kind;
    kind.downcast_ref().unwrap()
}

#[test]
fn a_store_is_enough_and_takes_everybody() {
    let config = parse(&format!("{LISTENER}{STORE}")).unwrap();
    assert!(config.upstreams.is_empty());
    assert_eq!(config.routing.default.as_deref(), Some("local"));
    let store = &config.stores[0];
    assert_eq!(store.accounts.as_deref(), Some(Path::new("/etc/users")));
    let files = &kind::<Files>(store).config;
    assert_eq!(files.root, Path::new("/etc/mail"));
    assert_eq!((files.layout, &files.users), (Layout::Maildir, &Users::One));
    assert!(files.lock && !files.follow_links && !files.mark_seen);
    assert_eq!(files.deletion, Deletion::Remove);
}

#[test]
fn every_key_of_a_store_is_heard() {
    let config = parse(&format!(
        "{LISTENER}apop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n{UPSTREAM}{STORE}\
         users = \"each\"\nsubfolder = \"Maildir\"\ndelete = \"move:.Trash\"\nmissing = \"empty\"\n\
         mark_seen = true\nfollow_links = true\nlock = false\n\
         [[store]]\nname = \"scans\"\nkind = \"directory\"\npath = \"/srv/scans\"\naccounts = \"users\"\n\
         suffix = \".eml\"\nsettle = \"5s\"\ndelete = \"keep\"\n\
         [[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = \"users\"\n\
         [[store.message]]\nfile = \"a.eml\"\n\
         [[store.message]]\nsubject = \"b\"\ntext = \"c\\n\"\ndate = 1970-01-02\n\
         [[store]]\nname = \"db\"\nkind = \"sql\"\nurl = \"postgres://a:s3cret@h/b\"\n\
         password_file = \"p\"\nconnections = 3\nacquire_timeout = \"1s\"\nstatement_timeout = \"2s\"\n\
         max_message = \"1 MiB\"\n\
         [store.queries]\nlist = \"select 1\"\nbody = \"select 2\"\nbody_piece = \"select 3\"\n\
         delete = \"delete 4\"\naccount = \"select 5\"\n\
         [store.template]\nfrom = \"{{host}}\"\nsubject = \"s\"\ndate = \"logged\"\n\
         [store.template.headers]\n\"X-Level\" = \"{{level}}\"\n\
         [monitor]\nuser = \"probe\"\nsecret = \"not so easy to guess\"\n\
         [routing]\ndefault = \"main\"\n[routing.domain]\n\"example.org\" = \"local\"\n\
         [routing.user]\nscan = \"scans\"\nnote = {{ store = \"notes\", user = \"n\" }}\n"
    ))
    .unwrap();
    let [local, scans, notes, db] = &config.stores[..] else {
        panic!("{:?}", config.stores)
    };
    let (local, scans) = (&kind::<Files>(local).config, &kind::<Files>(scans).config);
    let subfolder = Some("Maildir".into());
    assert_eq!(local.users, Users::Each { subfolder });
    assert_eq!(local.missing, Missing::Empty);
    assert!(local.mark_seen && local.follow_links && !local.lock);
    assert_eq!(local.deletion, Deletion::Move(".Trash".into()));
    assert!(scans.layout == Layout::Directory && scans.suffixes == [".eml"]);
    assert_eq!(scans.settle, Duration::from_secs(5));
    let List(notes) = kind(notes);
    assert_eq!(notes[0], ListedMessage::File("/etc/a.eml".into()));
    assert!(matches!(
        &notes[1],
        ListedMessage::Text { date: 86_400, .. }
    ));
    let Maildrops::Queries(queries) = &kind::<Sql>(db).config.maildrops else {
        panic!("{db:?}")
    };
    assert_eq!(queries.delete, ["delete 4"]);
    let template = queries.template.as_ref().unwrap();
    assert_eq!(
        template.headers,
        [("X-Level".to_owned(), "{level}".to_owned())]
    );
    assert_eq!(config.routing.users["note"].to, "notes");
    assert_eq!(config.routing.users["note"].user.as_deref(), Some("n"));
    assert!(config.listeners[0].policy.apop);
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("not so easy"),
        "{shown}"
    );
}

#[test]
fn mistakes_in_stores() {
    let with = |lines: &str| error(&format!("{LISTENER}{STORE}{lines}\n"));
    let other = |lines: &str| {
        error(&format!(
            "{LISTENER}[[store]]\nname = \"a\"\naccounts = \"u\"\n{lines}\n"
        ))
    };
    for (message, part) in [
        (
            with("pth = \"x\""),
            "8:1: store[1].pth: unknown key; did you mean \"path\"?",
        ),
        (
            with("delete = \"trash\""),
            "\"trash\" does not say what becomes of deleted messages; write \"remove\"",
        ),
        (
            with("delete = \"move:Trash\""),
            "\"Trash\" is not a folder for deleted messages; write a folder of the Maildir, such as \"move:.Trash\"",
        ),
        (
            with("subfolder = \"x\""),
            "store[1].subfolder: there is one folder for all",
        ),
        (
            with("users = \"each\"\nsubfolder = \"../x\""),
            "this leads out of the account's folder",
        ),
        (
            with("users = \"many\""),
            "\"many\" is not known here; write \"one\" or \"each\"",
        ),
        (with("suffix = \".eml\""), "store[1].suffix: unknown key"),
        (
            other("kind = \"directory\"\npath = \"x\"\nsuffix = [\".eml\", \"\"]"),
            "store[1].suffix: no name ends like this",
        ),
        (
            other("kind = \"maildir\"\npath = \"x/{user}\"\nusers = \"one\""),
            "store[1].users: there is one folder for all",
        ),
        (
            other("kind = \"maildir\"\npath = \"x/{user}\"\nsubfolder = \"Maildir\""),
            "store[1].subfolder: the path says where the messages of an account are",
        ),
        (
            with(&STORE.replace("\"users\"", "\"u\"")),
            "store[2].name: there is another store or upstream \"local\"",
        ),
        (
            error_with("", "", &STORE.replace("local", "main")),
            "store[1].name: there is another store or upstream \"main\"",
        ),
        (
            error_with("", "", STORE),
            "routing: there are several upstreams or stores, and no route says who goes where",
        ),
        (
            error_with("", "", &format!("{STORE}[routing]\ndefault = \"loacl\"")),
            "there is no upstream or store \"loacl\"; did you mean \"local\"?",
        ),
        (
            error_with(
                "",
                "",
                &format!(
                    "{STORE}[routing]\ndefault = \"main\"\n[routing.user]\na = {{ store = \"local\", upstream = \"main\" }}"
                ),
            ),
            "keep one of the two",
        ),
        (other("path = \"x\""), "store[1].kind: the kind is missing"),
        (
            other("kind = \"mbox\""),
            "\"mbox\" is not known here; write \"maildir\", \"directory\", \"list\" or \"sql\"",
        ),
        (
            other("kind = \"maildir\""),
            "store[1].path: the folder is missing",
        ),
        (
            other("kind = \"directory\"\npath = \"x\"\nmark_seen = true"),
            "store[1].mark_seen: unknown key",
        ),
        (
            other("kind = \"list\"\n[[store.message]]\nsubject = \"x\"\ntext = \"y\""),
            "the date is missing",
        ),
        (
            other("kind = \"list\"\n[[store.message]]\nsubject = \"x\""),
            "a message is a file, or a subject with a text and a date",
        ),
        (
            other(
                "kind = \"list\"\n[[store.message]]\nsubject = \"x\\ny\"\ntext = \"y\"\ndate = 2026-01-01",
            ),
            "this is not one line",
        ),
        (
            other("kind = \"sql\""),
            "store[1].url: the database is missing",
        ),
        (
            other("kind = \"sql\"\nurl = \"x\"\nconnections = 0"),
            "no session could be served",
        ),
        (
            other("kind = \"sql\"\nurl = \"x\"\n[store.queries]\nlist = \"x\""),
            "store[1].queries.body: the query is missing",
        ),
        (
            other(
                "kind = \"sql\"\nurl = \"x\"\n[store.queries]\nlist = \"x\"\nbody = \"y\"\naccount = \"z\"",
            ),
            "there are accounts in a file and in the database",
        ),
        (
            other("kind = \"sql\"\nurl = \"x\"\n[store.template]\nsubject = \"x\""),
            "the tool's own tables hold messages, not texts",
        ),
        (
            error(&format!(
                "{LISTENER}[[store]]\nname = \"a\"\nkind = \"sql\"\nurl = \"x\"\n[store.queries]\nlist = \"x\"\nbody = \"y\"\n"
            )),
            "no login is possible",
        ),
        (
            other(
                "kind = \"sql\"\nurl = \"x\"\n[store.queries]\nlist = \"x\"\nbody = \"y\"\n\
                 stored_secrets = true",
            ),
            "store[1].queries.stored_secrets: it is about the secrets that queries.account gives",
        ),
        (
            error(&format!(
                "{LISTENER}{}",
                STORE.replace("accounts = \"users\"\n", "")
            )),
            "store[1].accounts: no login is possible; write accounts = \"FILE\"",
        ),
        (
            error(&format!("{LISTENER}sasl = [\"SCRAM-SHA-1\"]\n{STORE}")),
            "SCRAM-SHA-1 is handed through, and the default route leads to a store",
        ),
        (
            error_with("apop = true", "", ""),
            "listener[1].apop: \"APOP\" needs the password, which only the upstream holds",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
    // each key that is known is named once
    let unknown = other("kind = \"maildir\"\npath = \"x\"\nzzzzzzzz = 1");
    assert_eq!(unknown.matches("path,").count(), 1, "{unknown}");
    // whatever is wrong with it, the address of a database is not repeated
    let secret = other("kind = \"sql\"\nurl = [\"mysql://a:hush@b/c\"]");
    assert!(!secret.contains("hush"), "{secret}");
}

/// Messages that are read piece by piece are never asked for whole.
#[test]
fn a_query_for_pieces_is_enough() {
    let config = parse(&format!(
        "{LISTENER}[[store]]\nname = \"db\"\nkind = \"sql\"\nurl = \"sqlite:///x\"\naccounts = \"u\"\n\
         [store.queries]\nlist = \"select 1\"\nbody_piece = \"select 2\"\n"
    ))
    .unwrap();
    let Maildrops::Queries(queries) = &kind::<Sql>(&config.stores[0]).config.maildrops else {
        panic!("{config:?}")
    };
    assert_eq!(queries.body_piece.as_deref(), Some("select 2"));
}

#[test]
fn w062_a_path_with_fields_begins_below_the_folder_that_all_share() {
    for (path, root, below) in [
        (
            "/var/mail/{domain}/{local}/Maildir",
            "/var/mail/",
            "{domain}/{local}/Maildir",
        ),
        ("mail/u-{user}", "/etc/mail/", "u-{user}"),
        ("{user}/Maildir", "/etc/", "{user}/Maildir"),
    ] {
        let config = parse(&format!(
            "{LISTENER}[[store]]\nname = \"a\"\nkind = \"maildir\"\naccounts = \"u\"\npath = \"{path}\"\n"
        ))
        .unwrap();
        let files = &kind::<Files>(&config.stores[0]).config;
        assert_eq!(files.root, Path::new(root));
        assert_eq!(
            files.users,
            Users::Template(Template::parse(below).unwrap())
        );
    }
    let odd = error(&format!(
        "{LISTENER}[[store]]\nname = \"a\"\nkind = \"maildir\"\naccounts = \"u\"\npath = \"/srv/a}}b\"\n"
    ));
    let reason = Template::parse("a}b").unwrap_err();
    assert_eq!(odd, format!("/etc/g.toml:7:1: store[1].path: {reason}"));
}

#[test]
fn w063_suffixes_and_texts_are_one_or_several() {
    for (lines, suffixes, texts) in [
        ("", &[][..], &[".txt"][..]),
        ("suffix = \".eml\"\n", &[".eml"], &[".txt"]),
        (
            "suffix = [\".eml\", \".TXT\"]\ntext = []\n",
            &[".eml", ".TXT"],
            &[],
        ),
        ("text = [\".log\", \".asc\"]\n", &[], &[".log", ".asc"]),
    ] {
        let config = parse(&format!(
            "{LISTENER}[[store]]\nname = \"a\"\nkind = \"directory\"\naccounts = \"u\"\npath = \"x\"\n{lines}"
        ))
        .unwrap();
        let files = &kind::<Files>(&config.stores[0]).config;
        assert_eq!(
            (&files.suffixes[..], &files.texts[..]),
            (
                &suffixes.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                &texts.iter().map(ToString::to_string).collect::<Vec<_>>()[..]
            )
        );
    }
}
