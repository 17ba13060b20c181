//! A database as the store of the whole gateway, on both runtimes: here SQLite; the other databases are in the suite of
//! `sql-backend` and in the interop run.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::common::{Gateway, RUNTIMES, sent_form};
use serde_json::{Value, json};
use testkit::mails;

struct Place {
    dir: tempfile::TempDir,
    config: String,
}

impl Place {
    /// `DB` in the configuration is the database's address.
    fn new(store: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", dir.path().join("mail.db").display());
        let file = dir.path().join("g.toml");
        let text =
            format!("[[listener]]\nlisten = \"127.0.0.1:0\"\n{store}").replace("DB", &database);
        fs::write(&file, text).unwrap();
        let config = file.to_str().unwrap().to_owned();
        Self { dir, config }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn tool(&self, command: &str, arguments: &[&str], input: &str) -> Output {
        let input = self.file("input", input.as_bytes());
        Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
            .args(command.split(' '))
            .args(["--config", &self.config])
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(fs::File::open(input).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap()
    }

    fn good(&self, command: &str, arguments: &[&str], input: &str) -> String {
        let output = self.tool(command, arguments, input);
        assert!(
            output.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn sql(&self, text: &str) {
        let status = Command::new("python3")
            .args([
                "-c",
                "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])",
            ])
            .arg(self.dir.path().join("mail.db"))
            .arg(text)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

const OWN: &str = "[[store]]\nname = \"db\"\nkind = \"sql\"\nurl = \"DB\"\n";

#[test]
fn g25_a_database_is_served_byte_for_byte_and_managed_by_the_tools() {
    for runtime in RUNTIMES {
        let place = Place::new(OWN);
        let early = place.tool("check", &[], "");
        assert_eq!(early.status.code(), Some(2));
        let said = String::from_utf8(early.stderr).unwrap();
        assert!(said.starts_with("pop3-gateway: store \"db\": "), "{said}");
        place.good("store migrate", &[], "");
        place.good("check", &[], "");
        place.good(
            "account add",
            &["--password-stdin", "--stored-secret", "tim"],
            "tim\n",
        );
        assert_eq!(
            place
                .tool("account add", &["--password-stdin", "tim"], "x")
                .status
                .code(),
            Some(3)
        );
        assert_eq!(
            place.tool("account remove", &["tom"], "").status.code(),
            Some(3)
        );
        let mut sent = Vec::new();
        for mail in mails::sample() {
            let content: Vec<u8> = mail.content.to_vec();
            let file = place.file("mail.eml", &content);
            place.good(
                "message add",
                &["--user", "tim", file.to_str().unwrap()],
                "",
            );
            sent.push(sent_form(&content));
        }
        let mut gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        let mut client = gateway.log_in("tim");
        for (number, mail) in (1..).zip(&sent) {
            assert!(
                client.ask(&format!("RETR {number}")) == *mail,
                "message {number}"
            );
        }
        client.say("DELE 1");
        gateway.cut(client);
        let mut client = gateway.log_in("tim");
        assert!(
            client
                .say("STAT")
                .starts_with(&format!("+OK {} ", sent.len()))
        );
        client.say("DELE 2");
        assert!(client.say("QUIT").starts_with("+OK"));
        let mut client = gateway.log_in("tim");
        assert_eq!(client.ask("RETR 2"), sent[2]);
        let listed: Value =
            serde_json::from_str(&place.good("account list", &["--json"], "")).unwrap();
        assert_eq!(listed[0]["account"], "tim");
        assert_eq!(listed[0]["messages"], json!(sent.len() - 1));
        // G25: one session at a time may delete
        let mut second = gateway.connect();
        second.say("USER tim");
        let answer = second.say("PASS tim");
        assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
        let mut wrong = gateway.connect();
        wrong.say("USER nobody");
        assert!(wrong.say("PASS tim").starts_with("-ERR [AUTH]"));
        // SIGHUP: new connections to the database, and the session that stands goes on
        let mut gateway = gateway;
        gateway.signal("HUP");
        gateway.wait_for("configuration and certificates reloaded");
        assert_eq!(client.ask("RETR 3"), sent[3]);
        assert!(client.say("QUIT").starts_with("+OK"));
        let mut client = gateway.log_in("tim");
        assert_eq!(client.ask("RETR 3"), sent[3]);
        assert!(client.say("QUIT").starts_with("+OK"));
        gateway.signal("TERM");
        assert!(gateway.ended().success());
    }
}

#[test]
fn a_table_of_somebody_elses_becomes_mail() {
    for runtime in RUNTIMES {
        let place = Place::new(&format!(
            "{OWN}accounts = \"users\"\n[store.queries]\n\
             list = \"select id, logged, level from log where owner = :user order by id\"\n\
             body = \"select text as body, logged, level from log where owner = :user and id = :id\"\n\
             delete = \"delete from log where owner = :user and id = :id\"\n\
             [store.template]\nfrom = \"log@example.org\"\nsubject = \"[{{level}}] entry {{id}}\"\ndate = \"logged\"\n\
             [store.template.headers]\n\"X-Level\" = \"{{level}}\"\n"
        ));
        place.file("users", b"tim:{PLAIN}tim\n");
        place.sql(
            "create table log (id integer primary key, owner text, logged text, level text, text text);\
             insert into log values (7, 'tim', '2026-11-20 08:30:00', 'warn', 'disk 97 %'),\
             (8, 'tom', '2026-11-20 08:31:00', 'warn', 'of tom'),\
             (9, 'tim', '2026-11-20 08:32:00', 'info', '.');",
        );
        place.good("check", &[], "");
        let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        let mut client = gateway.log_in("tim");
        assert!(client.say("STAT").starts_with("+OK 2 "));
        let mail = String::from_utf8(client.ask("RETR 1")).unwrap();
        for part in [
            "From: log@example.org\r\n",
            "Subject: [warn] entry 7\r\n",
            "Date: Fri, 20 Nov 2026 08:30:00 +0000\r\n",
            "X-Level: warn\r\n",
            "disk 97 %",
        ] {
            assert!(mail.contains(part), "{mail}\nlacks {part}");
        }
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        let mut client = gateway.log_in("tim");
        assert!(client.say("STAT").starts_with("+OK 1 "));
        // the tables are not the tool's
        assert_eq!(
            place
                .tool("message list", &["--user", "tim"], "")
                .status
                .code(),
            Some(2)
        );
    }
}

#[test]
fn a_database_that_is_not_there_is_sys_temp_and_no_obstacle_to_a_start() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"db\"\nkind = \"sql\"\nurl = \"postgres://a:s3cret@127.0.0.1:9/b?sslmode=disable\"\nacquire_timeout = \"1s\"\n",
        );
        let mut gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        let mut client = gateway.connect();
        client.say("USER tim");
        let answer = client.say("PASS tim");
        assert!(answer.starts_with("-ERR [SYS/TEMP]"), "{answer}");
        drop(client);
        let ended = gateway.wait_for("session ended").to_string();
        assert!(!ended.contains("s3cret"), "{ended}");
        let said = String::from_utf8(place.tool("check", &[], "").stderr).unwrap();
        assert!(
            said.contains("store \"db\"") && !said.contains("s3cret"),
            "{said}"
        );
    }
}

/// POP3SF's own tables with its bcrypt hashes; the queries of the book want a MySQL, and are in the tests of
/// `sql-backend`.
#[test]
fn the_tables_of_pop3sf_are_served() {
    let from = "from pop3sf_multiuser_messages m join pop3sf_multiuser_users u on u.id = m.user_id where u.username = :user";
    for runtime in RUNTIMES {
        let place = Place::new(&format!(
            "{OWN}[store.queries]\nlist = \"select m.id {from} order by m.id\"\n\
             body = \"select m.message as body {from} and m.id = :id\"\n\
             delete = \"delete from pop3sf_multiuser_messages where id = :id and user_id in \
             (select id from pop3sf_multiuser_users where username = :user)\"\n\
             account = \"select password_bcrypt as password from pop3sf_multiuser_users where username = :user\"\n"
        ));
        place.sql(
            "create table pop3sf_multiuser_messages (id integer primary key, user_id int, message mediumtext, is_plaintext bool);\
             create table pop3sf_multiuser_users (id integer primary key, username varchar(64) unique, password_bcrypt char(60));\
             insert into pop3sf_multiuser_users values (1, 'tim', '$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu');\
             insert into pop3sf_multiuser_users values (2, 'tom', '*');\
             insert into pop3sf_multiuser_messages values (1, 1, 'Subject: one' || char(10, 10) || '.' || char(10), 0);\
             insert into pop3sf_multiuser_messages values (2, 2, 'Subject: of tom' || char(10, 10), 0);",
        );
        place.good("check", &[], "");
        let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        let mut client = gateway.connect();
        client.say("USER tim");
        assert!(client.say("PASS password").starts_with("+OK"));
        assert_eq!(client.ask("LIST"), b"1 19\r\n");
        assert_eq!(client.ask("RETR 1"), b"Subject: one\r\n\r\n.\r\n");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        let mut wrong = gateway.connect();
        wrong.say("USER tom");
        assert!(wrong.say("PASS *").starts_with("-ERR [AUTH]"));
    }
}

/// All users in the file of accounts share one maildrop if the queries leave out whose it is.
#[test]
fn p016_a_table_for_everybody_is_one_maildrop() {
    for runtime in RUNTIMES {
        let place = Place::new(&format!(
            "{OWN}accounts = \"users\"\n[store.queries]\nlist = \"select id from notes order by id\"\n\
             body = \"select text as body from notes where id = :id\"\ndelete = \"delete from notes where id = :id\"\n"
        ));
        place.file("users", b"tim:{PLAIN}tim\ntom:{PLAIN}tom\n");
        place.sql("create table notes (id integer primary key, text text); insert into notes values (1, 'Subject: x');");
        let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        let mut client = gateway.log_in("tim");
        assert!(client.say("STAT").starts_with("+OK 1 "));
        // P016: one of them at a time may delete
        let mut second = gateway.connect();
        second.say("USER tom");
        let answer = second.say("PASS tom");
        assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert!(gateway.log_in("tom").say("STAT").starts_with("+OK 0 "));
    }
}

/// A log whose rows are mails, set up as the book says.
fn log(template: &str) -> Place {
    let place = Place::new(&format!(
        "{OWN}accounts = \"users\"\n[store.queries]\n\
         list = \"select id from log where owner = :user order by id\"\n\
         body = \"select text as body, level, made from log where owner = :user and id = :id\"\n\
         delete = \"delete from log where owner = :user and id = :id\"\n\
         [store.template]\n{template}"
    ));
    place.file("users", b"tim:{PLAIN}tim\n");
    place.sql(
        "create table log (id integer primary key, owner text, level text, made real, text text);\
         insert into log values (7, 'tim', 'warn', 1795163400123.5, 'disk 97 %'), (8, 'tim', 'info', null, null),\
         (9, 'tim', 'info', 1795163400, 'late');",
    );
    place
}

/// `check` tells where ids may come again and what to do, in both forms, and finds the configuration good; the
/// start tells it too. A column that is named for it settles it.
#[test]
fn w003_check_and_the_start_tell_that_ids_may_come_again() {
    let place = log("");
    let told = place.good("check", &[], "");
    for part in [
        "is good",
        "warning",
        "store \"db\"",
        "autoincrement",
        "`unique_id`",
    ] {
        assert!(told.contains(part), "{told}\nlacks {part}");
    }
    let told: Value = serde_json::from_str(&place.good("check", &["--json"], "")).unwrap();
    assert_eq!(told["ok"], true);
    let mut warnings = told["warnings"].as_array().unwrap().iter();
    let of_store = warnings
        .find(|warning| warning["of"] == "store \"db\"")
        .unwrap();
    assert!(of_store["what"].as_str().unwrap().contains("`unique_id`"));
    let mut gateway = Gateway::start(RUNTIMES[0], 0, &["--config", &place.config]);
    let told = gateway.wait_for_line("autoincrement", |entry| {
        entry.to_string().contains("autoincrement")
    });
    assert_eq!(
        (&told["level"], &told["store"]),
        (&"WARN".into(), &"db".into())
    );
    place.sql("alter table log add token text; create unique index tokens on log (token);");
    let text = fs::read_to_string(&place.config).unwrap();
    let text = text.replace("select id from", "select id, token as unique_id from");
    fs::write(&place.config, text).unwrap();
    assert!(!place.good("check", &[], "").contains("store \"db\""));
}

/// What is changed between RETR and QUIT stays; the answer says so and the log says which.
#[test]
fn w003_a_row_that_changed_between_retr_and_quit_stays() {
    for runtime in RUNTIMES {
        let place = log("");
        let mut gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        let mut client = gateway.log_in("tim");
        client.ask("RETR 1");
        client.ask("RETR 3");
        place.sql("update log set text = 'disk 99 %' where id = 7;");
        client.say("DELE 1");
        client.say("DELE 3");
        let answer = client.say("QUIT");
        assert!(answer.starts_with("-ERR"), "{answer}");
        let told = gateway.wait_for("update failed")["detail"].to_string();
        assert!(told.contains("changed since it was read"), "{told}");
        let mut client = gateway.log_in("tim");
        assert!(client.say("STAT").starts_with("+OK 2 "));
        let mail = String::from_utf8(client.ask("RETR 1")).unwrap();
        assert!(mail.contains("disk 99 %"), "{mail}");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
    }
}

/// W064: a Message-ID names the store, and dates are numbers of whatever unit.
#[test]
fn w064_mails_of_a_store_have_names_of_their_own_and_true_dates() {
    let place = log("date = \"made\"\n");
    let gateway = Gateway::start(RUNTIMES[0], 1, &["--config", &place.config]);
    let mut client = gateway.log_in("tim");
    for (number, id) in [(1, 7), (3, 9)] {
        let mail = String::from_utf8(client.ask(&format!("RETR {number}"))).unwrap();
        for part in [
            format!("Message-ID: <{id}.tim.db@localhost>\r\n"),
            "Date: Fri, 20 Nov 2026 08:30:00 +0000\r\n".into(),
        ] {
            assert!(mail.contains(&part), "{mail}\nlacks {part}");
        }
    }
}

/// W064: `check` refuses a template that names what the query does not return, and says what it does.
#[test]
fn w064_a_template_with_an_unknown_column_is_refused_with_the_known_ones() {
    let place =
        log("subject = \"[{levle}] {id}\"\n[store.template.headers]\n\"X-Host\" = \"{host}\"\n");
    let refused = place.tool("check", &[], "");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    for part in [
        "`levle` (for template.subject)",
        "`host` (for template.X-Host)",
        "`body`, `level`, `made`",
    ] {
        assert!(said.contains(part), "{said}\nlacks {part}");
    }
}

/// APOP, CRAM-MD5 and accounts in a database: offered only as long as all have a stored secret, so that curl, which
/// takes CRAM-MD5 wherever it is offered, logs in to accounts with hashes.
#[test]
fn w065_digests_are_offered_only_where_a_database_has_every_secret() {
    let digests = "[[listener]]\napop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n";
    let place_with = |store: &str| {
        let place = Place::new(store);
        let text = fs::read_to_string(&place.config).unwrap();
        fs::write(&place.config, text.replace("[[listener]]\n", digests)).unwrap();
        place
    };
    let offers = |gateway: &Gateway| {
        let mut client = gateway.connect();
        let banner = pop3_proto::apop::find_timestamp(&client.received).is_some();
        let capa = String::from_utf8(client.ask("CAPA")).unwrap();
        assert!(capa.contains("SASL") && capa.contains("PLAIN"), "{capa}");
        assert_eq!(banner, capa.contains("CRAM-MD5"), "{capa}");
        banner
    };
    let answer = |gateway: &Gateway, user: &str| {
        let mut client = gateway.connect();
        client.say(&format!("USER {user}"));
        let answer = client.say(&format!("PASS {user}"));
        client.say("QUIT");
        answer
    };
    let hash = |place: &Place, user: &str| {
        place.good("account add", &["--password-stdin", user], user);
    };
    for runtime in RUNTIMES {
        // the tool's own tables, asked at the start; a login to an account with a hash that came later teaches
        let place = place_with(OWN);
        place.good("store migrate", &[], "");
        let stored = ["--password-stdin", "--stored-secret", "tim"];
        place.good("account add", &stored, "tim");
        let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        assert!(offers(&gateway));
        hash(&place, "ann");
        assert!(answer(&gateway, "ann").starts_with("+OK"));
        assert!(!offers(&gateway));
        let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        assert!(!offers(&gateway));
        // forms that others write: a digest is not a stored secret, and a locked account does not count
        for (password, all) in [
            ("{cleartext}x", true),
            ("{PLAIN.b64}dGlt", true),
            ("!", true),
            ("*", true),
            ("{PLAIN-MD5}0", false),
            ("{SSHA}x", false),
        ] {
            place.sql(&format!(
                "update pop3_accounts set password = '{password}' where name = 'ann'"
            ));
            let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
            assert_eq!(offers(&gateway), all, "{password}");
        }

        // while the tables are not there nothing is known; the next login asks
        let place = place_with(OWN);
        let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        assert!(!offers(&gateway));
        place.good("store migrate", &[], "");
        place.good("account add", &stored, "tim");
        assert!(answer(&gateway, "tim").starts_with("+OK"));
        assert!(offers(&gateway));

        // the administrator's tables: only where he says so, and as long as it is true
        for (said, all) in [("", false), ("stored_secrets = true\n", true)] {
            let place = place_with(&format!(
                "[[store]]\nname = \"own\"\nkind = \"sql\"\nurl = \"DB\"\n[store.queries]\n\
                 list = \"select id from mails\"\nbody = \"select '' as body from mails where id = :id\"\n\
                 account = \"select password from people where login = :user\"\n{said}"
            ));
            place.sql(
                "create table mails (id integer primary key autoincrement); \
                 create table people (login text primary key, password text); \
                 insert into people values ('tim', '{PLAIN}tim'), \
                 ('ann', '{PLAIN-MD5}7e0d7f8a5d96c24ffcc840f31bce72b2');",
            );
            let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
            assert_eq!(offers(&gateway), all, "{said}");
            assert!(answer(&gateway, "ann").starts_with("+OK"));
            assert!(!offers(&gateway));
            let output = place.tool("check", &[], "");
            let told = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert_eq!(told.contains("stored_secrets = true"), !all, "{told}");
        }
    }
}
