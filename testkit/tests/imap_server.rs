//! The small IMAP server by raw dialogues.
#![allow(clippy::unwrap_used, reason = "tests")]

use testkit::Content;
use testkit::imap_server::{BodyForm, Fault, Options, Server, ServerSession, Store, Trouble};

/// A server with user `u`, password `p`, and these messages.
fn server(options: Options, mails: &[&'static str]) -> Server {
    let store = Store::new();
    store.add_user("u", "p");
    for &mail in mails {
        store.deliver("u", mail);
    }
    Server::new(store, options)
}

fn take(session: &mut ServerSession) -> String {
    let mut out = Vec::new();
    while !session.transmit().is_empty() {
        out.extend_from_slice(session.transmit());
        session.transmitted(session.transmit().len());
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn say(session: &mut ServerSession, line: &str) -> String {
    session.handle_input(line.as_bytes());
    session.handle_input(b"\r\n");
    take(session)
}

/// A session that is logged in and has the INBOX open.
fn open(server: &Server) -> ServerSession {
    let mut session = server.connect();
    assert!(say(&mut session, "a LOGIN u p").contains("a OK"));
    assert!(say(&mut session, "b SELECT INBOX").contains("b OK [READ-WRITE]"));
    session
}

const TWO: &[&str] = &["A: one\r\n\r\nfirst\r\n", "A: two\r\n\r\n.second\r\n"];

#[test]
fn greeting_login_select_logout() {
    let server = server(Options::default().without("MOVE"), TWO);
    let mut session = server.connect();
    let greeting = take(&mut session);
    assert!(
        greeting.starts_with("* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ "),
        "{greeting}"
    );
    assert!(!greeting.contains("MOVE"));
    assert!(say(&mut session, "a SELECT INBOX").starts_with("a BAD"));
    assert_eq!(
        say(&mut session, "a LOGIN u x"),
        "a NO [AUTHENTICATIONFAILED] wrong user or password\r\n"
    );
    assert_eq!(say(&mut session, "a LOGIN \"u\" {1}"), "+ OK\r\n");
    assert!(say(&mut session, "p").starts_with("a OK [CAPABILITY "));
    assert_eq!(
        say(&mut session, "b SELECT inbox"),
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n\
         * 2 EXISTS\r\n\
         * 0 RECENT\r\n\
         * OK [UNSEEN 1] first unseen\r\n\
         * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] flags that stay\r\n\
         * OK [UIDVALIDITY 1] UIDs valid\r\n\
         * OK [UIDNEXT 3] predicted\r\n\
         b OK [READ-WRITE] selected\r\n"
    );
    assert_eq!(
        say(&mut session, "c logout"),
        "* BYE see you later\r\nc OK done\r\n"
    );
    assert!(session.is_closed());
    let expected = [
        "SELECT INBOX",
        "LOGIN u ***",
        "LOGIN \"u\" {1}***",
        "SELECT inbox",
        "LOGOUT",
    ];
    assert_eq!(server.commands(), expected);
}

#[test]
fn authenticate_with_and_without_initial_response() {
    let server = server(Options::default(), &[]);
    server.store().add_token("u", "t");
    let mut session = server.connect();
    take(&mut session);
    assert_eq!(say(&mut session, "a AUTHENTICATE PLAIN"), "+ \r\n");
    assert!(say(&mut session, "AHUAcA==").starts_with("a OK"));
    let mut session = server.connect();
    take(&mut session);
    assert!(say(&mut session, "a AUTHENTICATE PLAIN AHUAcA==").starts_with("a OK"));
    let mut session = server.connect();
    take(&mut session);
    assert_eq!(
        say(&mut session, "a AUTHENTICATE LOGIN"),
        "+ VXNlcm5hbWU6\r\n"
    );
    assert_eq!(say(&mut session, "dQ=="), "+ UGFzc3dvcmQ6\r\n");
    assert_eq!(
        say(&mut session, "*"),
        "a BAD not understood, or cancelled\r\n"
    );
    // user=u^Aauth=Bearer x^A^A, then the same with the right token
    let challenge = say(
        &mut session,
        "a AUTHENTICATE XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHgBAQ==",
    );
    assert!(challenge.starts_with("+ ey"), "{challenge}");
    assert!(say(&mut session, "").starts_with("a NO [AUTHENTICATIONFAILED]"));
    assert!(
        say(
            &mut session,
            "a AUTHENTICATE XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHQBAQ=="
        )
        .starts_with("a OK")
    );
    assert!(!format!("{:?}", server.log()).contains("dXNl"));
}

#[test]
fn fetch_items_sections_and_partials() {
    let server = server(Options::default(), TWO);
    let mut session = open(&server);
    assert_eq!(
        say(&mut session, "c UID FETCH 1:* (UID RFC822.SIZE FLAGS)"),
        "* 1 FETCH (UID 1 RFC822.SIZE 17 FLAGS ())\r\n\
         * 2 FETCH (UID 2 RFC822.SIZE 19 FLAGS ())\r\n\
         c OK fetched\r\n"
    );
    assert_eq!(
        say(
            &mut session,
            "c UID FETCH 2 (BODY.PEEK[HEADER] BODY.PEEK[TEXT]<1.3>)"
        ),
        "* 2 FETCH (UID 2 BODY[HEADER] {10}\r\nA: two\r\n\r\n BODY[TEXT]<1> {3}\r\nsec)\r\nc OK fetched\r\n"
    );
    assert_eq!(
        say(&mut session, "c FETCH 1 BODY.PEEK[]<100.5>"),
        "* 1 FETCH (BODY[]<100> {0}\r\n)\r\nc OK fetched\r\n"
    );
    assert_eq!(server.store().flags("u", "INBOX", 1), [""; 0]);
    assert_eq!(
        say(&mut session, "c FETCH 1 BODY[TEXT]"),
        "* 1 FETCH (BODY[TEXT] {7}\r\nfirst\r\n FLAGS (\\Seen))\r\nc OK fetched\r\n"
    );
    assert_eq!(server.store().flags("u", "INBOX", 1), ["\\Seen"]);
    assert!(say(&mut session, "c FETCH 1 ENVELOPE").starts_with("c BAD"));
    assert_eq!(
        say(&mut session, "c UID FETCH 77 FLAGS"),
        "c OK fetched\r\n"
    );
}

#[test]
fn flags_and_expunge() {
    let server = server(Options::default(), &["1\r\n", "2\r\n", "3\r\n"]);
    let mut session = open(&server);
    assert_eq!(
        say(&mut session, "c UID STORE 1,3 +FLAGS.SILENT (\\Deleted)"),
        "c OK stored\r\n"
    );
    assert_eq!(
        say(&mut session, "c UID STORE 2 +FLAGS (\\Deleted work)"),
        "* 2 FETCH (UID 2 FLAGS (\\Deleted work))\r\nc OK stored\r\n"
    );
    assert_eq!(
        say(&mut session, "c UID EXPUNGE 3"),
        "* 3 EXPUNGE\r\nc OK expunged\r\n"
    );
    assert_eq!(
        say(&mut session, "c STORE 2 -FLAGS.SILENT \\Deleted"),
        "c OK stored\r\n"
    );
    assert_eq!(
        say(&mut session, "c EXPUNGE"),
        "* 1 EXPUNGE\r\nc OK expunged\r\n"
    );
    assert_eq!(server.store().uids("u", "INBOX"), [2]);
    assert_eq!(server.store().flags("u", "INBOX", 2), ["work"]);
}

#[test]
fn search_keys() {
    let server = server(Options::default(), &["1\r\n", "2\r\n", "3\r\n"]);
    server.store().edit("u", "INBOX", |folder| {
        folder.set_flag(1, "\\Deleted", true);
        folder.set_flag(2, "fetched", true);
        folder.expunge(1);
        folder.set_flag(3, "\\Deleted", true);
    });
    let mut session = open(&server);
    for (key, found) in [
        ("ALL", " 2 3"),
        ("DELETED", " 3"),
        ("UNDELETED", " 2"),
        ("KEYWORD FETCHED", " 2"),
        ("UNKEYWORD fetched UID 1:*", " 3"),
        ("UID 1:2", " 2"),
        ("2", " 3"),
        ("SEEN", ""),
        ("NOT DELETED", " 2"),
        ("OR DELETED (UID 2)", " 2 3"),
    ] {
        let answer = say(&mut session, &format!("c UID SEARCH {key}"));
        assert_eq!(
            answer,
            format!("* SEARCH{found}\r\nc OK searched\r\n"),
            "{key}"
        );
    }
    assert_eq!(
        say(&mut session, "c SEARCH ALL"),
        "* SEARCH 1 2\r\nc OK searched\r\n"
    );
    assert!(say(&mut session, "c SEARCH SUBJECT x").starts_with("c BAD"));
}

#[test]
fn folders_copy_and_move() {
    let server = server(Options::default(), TWO);
    server
        .store()
        .add_folder("u", "Papierkorb", Some("\\Trash"));
    server.store().add_folder("u", "A \"b\"", None);
    let mut session = open(&server);
    assert_eq!(
        say(&mut session, "c LIST \"\" \"*\""),
        "* LIST (\\HasNoChildren) \"/\" \"A \\\"b\\\"\"\r\n\
         * LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n\
         * LIST (\\HasNoChildren \\Trash) \"/\" \"Papierkorb\"\r\n\
         c OK done\r\n"
    );
    assert_eq!(
        say(&mut session, "c LIST (SPECIAL-USE) \"\" %"),
        "* LIST (\\HasNoChildren \\Trash) \"/\" \"Papierkorb\"\r\nc OK done\r\n"
    );
    assert_eq!(
        say(&mut session, "c UID COPY 1 Papierkorb"),
        "c OK [COPYUID 1 1 1] copied\r\n"
    );
    assert_eq!(
        say(&mut session, "c UID MOVE 1:2 Papierkorb"),
        "* OK [COPYUID 1 1:2 2:3] moved\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\nc OK moved\r\n"
    );
    assert_eq!(
        say(&mut session, "c UID COPY 1 Nowhere"),
        "c NO [TRYCREATE] no such folder\r\n"
    );
    assert_eq!(say(&mut session, "c CREATE Nowhere"), "c OK created\r\n");
    assert_eq!(
        say(&mut session, "c CREATE Nowhere"),
        "c NO [ALREADYEXISTS] it is there\r\n"
    );
    assert_eq!(
        say(&mut session, "c STATUS Papierkorb (MESSAGES SIZE)"),
        "* STATUS \"Papierkorb\" (MESSAGES 3 SIZE 53)\r\nc OK done\r\n"
    );
}

#[test]
fn what_others_do_is_reported_at_the_right_time() {
    let server = server(Options::default(), &["1\r\n", "2\r\n", "3\r\n"]);
    let (mut session, mut other) = (open(&server), open(&server));
    say(&mut other, "c UID STORE 1 +FLAGS.SILENT (\\Deleted)");
    say(&mut other, "c EXPUNGE");
    server.store().deliver("u", "4\r\n");
    assert_eq!(
        say(&mut session, "c FETCH 1:3 UID"),
        "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 4 EXISTS\r\nc OK fetched\r\n"
    );
    assert_eq!(say(&mut session, "c NOOP"), "* 1 EXPUNGE\r\nc OK done\r\n");
    server
        .store()
        .edit("u", "INBOX", |folder| folder.set_flag(3, "\\Seen", true));
    assert_eq!(
        say(&mut session, "c NOOP"),
        "* 2 FETCH (FLAGS (\\Seen))\r\nc OK done\r\n"
    );
    assert_eq!(say(&mut session, "c NOOP"), "c OK done\r\n");
}

#[test]
fn read_only_folders_stay_as_they_are() {
    let server = server(Options::default(), TWO);
    server
        .store()
        .edit("u", "INBOX", |folder| folder.read_only = true);
    let mut session = server.connect();
    say(&mut session, "a LOGIN u p");
    assert!(say(&mut session, "b SELECT INBOX").ends_with("b OK [READ-ONLY] selected\r\n"));
    assert!(say(&mut session, "c UID STORE 1 +FLAGS (\\Deleted)").starts_with("c NO"));
    assert!(say(&mut session, "c UID EXPUNGE 1").starts_with("c NO"));
    assert!(!say(&mut session, "c FETCH 1 BODY[]").contains("Seen"));
    assert_eq!(say(&mut session, "c CLOSE"), "c OK closed\r\n");
    assert_eq!(server.store().uids("u", "INBOX"), [1, 2]);
}

#[test]
fn what_is_not_offered_does_not_work() {
    let server = server(Options::plain(), TWO);
    let mut session = open(&server);
    for command in [
        "UID EXPUNGE 1",
        "UID MOVE 1 INBOX",
        "UNSELECT",
        "ENABLE UTF8=ACCEPT",
        "ID NIL",
        "IDLE",
    ] {
        assert!(
            say(&mut session, &format!("c {command}")).starts_with("c BAD"),
            "{command}"
        );
    }
    let mut session = server.connect();
    take(&mut session);
    assert!(say(&mut session, "a AUTHENTICATE PLAIN AHUAcA==").starts_with("a NO"));
    assert!(say(&mut session, "a LOGIN {1+}").starts_with("* BYE"));
    assert!(session.is_closed());
}

#[test]
fn starttls_forgets_what_came_in_clear() {
    let options = Options::default().with("STARTTLS").with("LOGINDISABLED");
    let server = server(options, &[]);
    let mut session = server.connect();
    assert!(take(&mut session).contains(" STARTTLS LOGINDISABLED]"));
    assert!(say(&mut session, "a LOGIN u p").starts_with("a NO [PRIVACYREQUIRED]"));
    session.handle_input(b"a STARTTLS\r\nb LOGIN u p\r\n");
    assert!(!session.wants_tls());
    assert_eq!(take(&mut session), "a OK begin TLS now\r\n");
    assert!(session.wants_tls());
    session.handle_input(b"c NOOP\r\n");
    session.handle_tls_ready();
    assert_eq!(take(&mut session), "");
    assert!(say(&mut session, "d CAPABILITY").starts_with("* CAPABILITY IMAP4rev1 SASL-IR"));
    assert!(!say(&mut session, "d CAPABILITY").contains("LOGINDISABLED"));
    assert!(say(&mut session, "e STARTTLS").starts_with("e BAD"));
    assert!(say(&mut session, "e LOGIN u p").starts_with("e OK"));
    assert!(server.log().iter().skip(2).all(|logged| logged.tls));
}

#[test]
fn pipelined_commands_and_any_chunks_give_the_same() {
    let dialogue = b"a LOGIN u {1+}\r\np\r\nb SELECT INBOX\r\nc UID FETCH 1:* (FLAGS BODY.PEEK[])\r\nd LOGOUT\r\n";
    let run = |size: usize| {
        let server = server(Options::default(), TWO);
        let mut session = server.connect();
        let mut out = String::new();
        for chunk in dialogue.chunks(size) {
            session.handle_input(chunk);
            if size % 2 == 1 {
                out += &take(&mut session);
            }
        }
        out += &take(&mut session);
        assert!(session.is_closed());
        out
    };
    let expected = run(dialogue.len());
    assert!(expected.ends_with("d OK done\r\n"));
    for size in 1..dialogue.len() {
        assert_eq!(run(size), expected, "chunks of {size}");
    }
}

#[test]
fn a_gibibyte_and_many_messages_take_little_memory() {
    let server = server(Options::default(), &[]);
    server.store().deliver(
        "u",
        Content::repeated("A: b\r\n\r\n", "0123456789abcd\r\n", 1 << 26, ""),
    );
    for _ in 0..20_000 {
        server.store().deliver("u", "A: b\r\n\r\n");
    }
    let mut session = open(&server);
    session.handle_input(b"c UID FETCH 1 BODY.PEEK[]\r\nd UID FETCH 1:* (UID RFC822.SIZE)\r\n");
    let (mut total, mut tail) = (0u64, Vec::new());
    while !session.transmit().is_empty() {
        assert!(session.buffered() < 64 * 1024);
        let n = session.transmit().len();
        total += n as u64;
        tail = session.transmit().to_vec();
        session.transmitted(n);
    }
    assert!(total > (1 << 30) + 20_000 * 39, "{total}");
    assert!(tail.ends_with(b"* 20001 FETCH (UID 20001 RFC822.SIZE 8)\r\nd OK fetched\r\n"));
}

#[test]
fn faults_take_the_place_of_commands() {
    let options = Options::default()
        .with_fault(Fault::on_nth(
            "FETCH",
            2,
            Trouble::Answer("NO [UNAVAILABLE] later".to_owned()),
        ))
        .with_fault(Fault::on_nth(
            "STORE",
            1,
            Trouble::Raw(b"\0\xff\r\n".to_vec()),
        ))
        .with_fault(Fault::on_nth("NOOP", 2, Trouble::Bye("tired".to_owned())))
        .with_fault(Fault::on_nth("SEARCH", 1, Trouble::Drop))
        .with_fault(Fault::on_nth("CHECK", 1, Trouble::Hang));
    let server = server(options, TWO);
    let mut session = open(&server);
    assert!(say(&mut session, "c FETCH 1 UID").ends_with("c OK fetched\r\n"));
    assert_eq!(
        say(&mut session, "c UID FETCH 1 UID"),
        "c NO [UNAVAILABLE] later\r\n"
    );
    assert!(say(&mut session, "c FETCH 1 UID").ends_with("c OK fetched\r\n"));
    assert_eq!(
        say(&mut session, "c UID STORE 1 +FLAGS \\Deleted"),
        "\0\u{fffd}\r\n"
    );
    assert_eq!(server.store().flags("u", "INBOX", 1), [""; 0]);
    say(&mut session, "c NOOP");
    assert_eq!(say(&mut session, "c NOOP"), "* BYE tired\r\n");
    assert!(session.is_closed());
    let mut session = open(&server);
    assert_eq!(say(&mut session, "c SEARCH ALL"), "");
    assert!(session.is_closed());
    let mut session = open(&server);
    assert_eq!(say(&mut session, "c CHECK"), "");
    assert_eq!(say(&mut session, "d LOGOUT"), "");
    assert!(!session.is_closed());
}

#[test]
fn faults_change_the_form_of_responses() {
    let fetch = |trouble: Trouble| {
        let server = server(
            Options::default().with_fault(Fault::on_each("FETCH", trouble)),
            TWO,
        );
        let mut session = open(&server);
        say(&mut session, "c UID FETCH 1 (RFC822.SIZE BODY.PEEK[TEXT])")
    };
    let body = "* 1 FETCH (UID 1 RFC822.SIZE 17 BODY[TEXT] ";
    let done = "c OK fetched\r\n";
    assert_eq!(
        fetch(Trouble::BodyAs(BodyForm::Nil)),
        format!("{body}NIL)\r\n{done}")
    );
    assert_eq!(
        fetch(Trouble::BodyAs(BodyForm::Empty)),
        format!("{body}\"\")\r\n{done}")
    );
    assert_eq!(
        fetch(Trouble::BodyAs(BodyForm::Literal8)),
        format!("{body}~{{7}}\r\nfirst\r\n)\r\n{done}")
    );
    assert_eq!(
        fetch(Trouble::BodyAs(BodyForm::Quoted)),
        format!("{body}{{7}}\r\nfirst\r\n)\r\n{done}")
    );
    assert_eq!(
        fetch(Trouble::BodyAs(BodyForm::Missing)),
        format!("* 1 FETCH (UID 1 RFC822.SIZE 17)\r\n{done}")
    );
    assert_eq!(fetch(Trouble::NoData), done);
    assert!(fetch(Trouble::NoUid).starts_with("* 1 FETCH (RFC822.SIZE 17 BODY"));
    assert!(fetch(Trouble::SizeOff(-7)).contains(" RFC822.SIZE 10 "));
    assert_eq!(
        fetch(Trouble::ForeignBody(b"foreign".to_vec())),
        format!("* 2 FETCH (UID 2 BODY[] {{7}}\r\nforeign)\r\n{body}{{7}}\r\nfirst\r\n)\r\n{done}")
    );
    assert_eq!(fetch(Trouble::CutBody(3)), format!("{body}{{7}}\r\nfir"));
    assert_eq!(
        fetch(Trouble::ByeInBody(3)),
        format!("{body}{{7}}\r\nfir\r\n* BYE going down\r\n")
    );
    let junk = b"* 9 EXISTS\r\n".to_vec();
    assert_eq!(
        fetch(Trouble::Before(junk)),
        format!("* 9 EXISTS\r\n{body}{{7}}\r\nfirst\r\n)\r\n* 9 EXISTS\r\n{done}")
    );
    assert_eq!(
        fetch(Trouble::ExtraSpaces),
        "*  1  FETCH  (UID 1  RFC822.SIZE 17  BODY[TEXT] {7}\r\nfirst\r\n )\r\nc  OK  fetched \r\n"
    );
    assert!(fetch(Trouble::NoText).ends_with("\r\nc OK\r\n"));
    assert!(fetch(Trouble::EightBitText).contains("c OK fetched d\u{fffd}j"));
}

#[test]
fn faults_change_what_a_header_is() {
    let fetch = |trouble: Trouble, items: &str| {
        let server = server(
            Options::default().with_fault(Fault::on_each("FETCH", trouble)),
            TWO,
        );
        let mut session = open(&server);
        say(&mut session, &format!("c UID FETCH 2 {items}"))
    };
    let header = "* 2 FETCH (UID 2 BODY[HEADER] ";
    let whole = "* 2 FETCH (UID 2 BODY[]<0> {2}\r\nA:)\r\n";
    let done = "c OK fetched\r\n";
    assert_eq!(
        fetch(Trouble::HeaderLength(3), "BODY.PEEK[HEADER]"),
        format!("{header}{{3}}\r\nA: )\r\n{done}")
    );
    assert!(fetch(Trouble::HeaderLength(99), "BODY.PEEK[HEADER]").contains("{19}"));
    let bad = || Trouble::NoHeader("BAD what".to_owned());
    assert_eq!(fetch(bad(), "BODY.PEEK[HEADER]"), "c BAD what\r\n");
    assert_eq!(fetch(bad(), "BODY.PEEK[]<0.2>"), format!("{whole}{done}"));
    let foreign = || Trouble::ForeignHeader(b"X: y\r\n".to_vec());
    assert_eq!(
        fetch(foreign(), "BODY.PEEK[]<0.2>"),
        format!("{header}{{6}}\r\nX: y\r\n)\r\n{whole}{done}")
    );
    assert_eq!(
        fetch(foreign(), "BODY.PEEK[HEADER]"),
        format!("{header}{{10}}\r\nA: two\r\n\r\n)\r\n{done}")
    );
}

#[test]
fn faults_of_greeting_literal_and_starttls() {
    let one = |fault| server(Options::default().with("STARTTLS").with_fault(fault), TWO);
    let greeting = |trouble| take(&mut one(Fault::on_nth("GREETING", 1, trouble)).connect());
    assert_eq!(
        greeting(Trouble::Answer("BYE full".to_owned())),
        "* BYE full\r\n"
    );
    assert_eq!(
        greeting(Trouble::Raw(b"HTTP/1.1 400\r\n".to_vec())),
        "HTTP/1.1 400\r\n"
    );
    assert!(greeting(Trouble::Preauth("u".to_owned())).starts_with("* PREAUTH [CAPABILITY"));
    assert!(greeting(Trouble::NoText).ends_with("AUTH=OAUTHBEARER STARTTLS]\r\n"));

    let server = one(Fault::on_nth(
        "LITERAL",
        1,
        Trouble::Answer("NO too long".to_owned()),
    ));
    let mut session = server.connect();
    take(&mut session);
    assert_eq!(say(&mut session, "a LOGIN {1}"), "a NO too long\r\n");
    assert!(say(&mut session, "a LOGIN u p").starts_with("a OK"));

    let server = one(Fault::on_each(
        "STARTTLS",
        Trouble::After(b"* CAPABILITY X\r\n".to_vec()),
    ));
    let mut session = server.connect();
    take(&mut session);
    assert_eq!(
        say(&mut session, "a STARTTLS"),
        "a OK begin TLS now\r\n* CAPABILITY X\r\n"
    );
    assert!(session.wants_tls());
}

#[test]
fn the_output_is_cut_at_any_octet() {
    let run = |fault: Option<u64>| {
        let faults = fault.map(|octets| Fault::on_connection(1, Trouble::CutOutput(octets)));
        let options = Options {
            faults: faults.into_iter().collect(),
            ..Options::default()
        };
        let mut session = server(options, TWO).connect();
        session.handle_input(
            b"a LOGIN u p\r\nb SELECT INBOX\r\nc UID FETCH 1:* BODY.PEEK[]\r\nd NOOP\r\n",
        );
        (take(&mut session), session.is_closed())
    };
    let (whole, closed) = run(None);
    assert!(!closed && whole.ends_with("d OK done\r\n"));
    for octets in 0..whole.len() {
        assert_eq!(run(Some(octets as u64)), (whole[..octets].to_owned(), true));
    }
}
