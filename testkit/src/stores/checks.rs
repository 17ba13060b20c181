//! The checks.

use std::collections::BTreeSet;

use pop3_proto::unique_id;

use super::{Client, Make, OTHER, OTHER_PASSWORD, PASSWORD, Subject, USER};
use crate::Content;
use crate::generate::{self, Source};
use crate::mails::corpus;
use crate::model::{Maildrop, Message, Reply, normalised};

/// What the adapters read at once.
const CHUNK: usize = 64 * 1024;

/// How many sessions [`random_sessions`] has.
const SESSIONS: u64 = 60;

/// All checks, the slow ones last.
pub fn all<S: Subject>(make: Make<'_, S>) {
    lists(make);
    credentials(make);
    deletes(make);
    changes_nothing_without_quit(make);
    is_read_only_on_request(make);
    misses_what_vanished(make);
    random_sessions(make);
    streams(make);
    retrieves(make);
}

/// Sizes count CRLF line ends (P063), unique-ids are valid, unique and the same in every session (P049,
/// P050), the order stays; an empty maildrop is one.
pub fn lists<S: Subject>(make: Make<'_, S>) {
    let mails = some_mails::<S>();
    let subject = make(&mails);
    let ids = opened(&subject, &mails).1.quit_with_ids();
    let set: BTreeSet<_> = ids.iter().collect();
    assert_eq!(set.len(), ids.len(), "unique-ids are not unique: {ids:?}");
    for id in &ids {
        assert!(unique_id::is_valid(id.as_bytes()), "unique-id {id:?}");
    }
    assert_eq!(opened(&subject, &mails).1.quit_with_ids(), ids);
    assert_eq!(
        normal(&subject.stored()),
        mails.iter().map(normalised).collect::<Vec<_>>()
    );

    let subject = make(&[]);
    let mut client = Client::log_in(&subject);
    assert_eq!(client.listing("LIST"), [""; 0]);
    client.expect(b"STAT", &Reply::Status("0 0".to_owned()));
    client.expect(b"RETR 1", &Reply::Err);
    assert!(client.quit());
}

/// No login succeeds without the password, and no user sees the mail of another.
pub fn credentials<S: Subject>(make: Make<'_, S>) {
    let mails = some_mails::<S>();
    let subject = make(&mails);
    for (user, password) in [
        (USER, OTHER_PASSWORD),
        (OTHER, PASSWORD),
        ("nobody", PASSWORD),
        ("nobody", "nobody"),
        (USER, "p"),
        (USER, "p w "),
        ("../u", PASSWORD),
        ("u/", PASSWORD),
        ("' OR '1'='1", PASSWORD),
        ("%", PASSWORD),
        ("*", PASSWORD),
    ] {
        let mut client = Client::connect(&subject);
        let heard = client.say(&format!("USER {user}\r\nPASS {password}\r\nSTAT\r\n"));
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(heard.contains("-ERR [AUTH]"), "{user}: {heard}");
        assert!(
            heard
                .trim_end()
                .lines()
                .last()
                .is_some_and(|l| l.starts_with("-ERR"))
        );
        // the next try is a new one
        let heard = client.say(&format!("USER {USER}\r\nPASS {PASSWORD}\r\n"));
        assert!(
            !heard.windows(4).any(|w| w == b"-ERR"),
            "{user}, then {USER}"
        );
        assert!(client.quit());
    }
    let mut client = Client::connect(&subject);
    let heard = client.say(&format!(
        "USER {OTHER}\r\nPASS {OTHER_PASSWORD}\r\nSTAT\r\n"
    ));
    assert!(heard.ends_with(b"+OK 0 0\r\n"), "{}", heard.escape_ascii());
    assert!(client.quit());
}

/// QUIT removes the marked messages and nothing else; the others keep their unique-ids.
pub fn deletes<S: Subject>(make: Make<'_, S>) {
    let mails = some_mails::<S>();
    let subject = make(&mails);
    let (mut maildrop, mut client) = opened(&subject, &mails);
    for command in [
        "DELE 2", "DELE 2", "DELE 1", "RSET", "DELE 3", "RETR 3", "DELE 1", "LIST", "UIDL", "STAT",
        "TOP 1 0", "RETR 2",
    ] {
        client.expect(command.as_bytes(), &maildrop.execute(command.as_bytes()));
    }
    assert!(client.quit());
    let left: Vec<Content> = kept(&maildrop)
        .map(|message| message.content.clone())
        .collect();
    let ids: Vec<String> = kept(&maildrop)
        .map(|message| message.unique_id.clone())
        .collect();
    assert_eq!(
        normal(&subject.stored()),
        left.iter().map(normalised).collect::<Vec<_>>()
    );
    let (_, client) = opened(&subject, &left);
    assert_eq!(client.quit_with_ids(), ids);

    // and all of it
    let (mut maildrop, mut client) = opened(&subject, &left);
    for number in 1..=left.len() {
        let command = format!("DELE {number}");
        client.expect(command.as_bytes(), &maildrop.execute(command.as_bytes()));
    }
    assert!(client.quit());
    assert_eq!(subject.stored(), [[0; 0]; 0]);
}

/// A client that goes away without QUIT deletes nothing.
pub fn changes_nothing_without_quit<S: Subject>(make: Make<'_, S>) {
    let mails = some_mails::<S>();
    let subject = make(&mails);
    for commands in [
        &["DELE 1", "DELE 2"][..],
        &["RETR 1", "DELE 1", "TOP 2 1"],
        &[],
    ] {
        let (mut maildrop, mut client) = opened(&subject, &mails);
        for command in commands {
            client.expect(command.as_bytes(), &maildrop.execute(command.as_bytes()));
        }
        client.vanish();
    }
    // within a message
    let (_, client) = opened(&subject, &mails);
    let mut client = client.slow(1);
    client.say("DELE 1\r\nRETR 2\r\nRETR 3\r\n");
    client.vanish();
    let (_, mut client) = opened(&subject, &mails);
    client.say("DELE 1\r\nRSET\r\n");
    assert!(client.quit());
    assert_eq!(subject.stored().len(), mails.len());
    assert!(opened(&subject, &mails).1.quit());
}

/// A read-only session deletes nothing, and several may run at once.
pub fn is_read_only_on_request<S: Subject>(make: Make<'_, S>) {
    let mails = some_mails::<S>();
    let subject = make(&mails);
    let log_in = format!("XPRO\r\nUSER {USER}\r\nPASS {PASSWORD}\r\n");
    let mut first = Client::connect(&subject);
    let mut second = Client::connect(&subject);
    for client in [&mut first, &mut second] {
        let heard = client.say(&log_in);
        assert!(
            !heard.windows(4).any(|w| w == b"-ERR"),
            "{}",
            heard.escape_ascii()
        );
        assert!(client.say("DELE 1\r\n").starts_with(b"-ERR"));
        assert!(client.say("RETR 1\r\n").starts_with(b"+OK"));
    }
    assert!(first.quit() && second.quit());
    assert_eq!(subject.stored().len(), mails.len());
}

/// A message that another session removes meanwhile is reported as missing; deleting it is no error. Numbers do
/// not shift.
pub fn misses_what_vanished<S: Subject>(make: Make<'_, S>) {
    let mails = some_mails::<S>();
    let subject = make(&mails);
    let (mut maildrop, mut client) = opened(&subject, &mails);
    if !subject.take_away(1) {
        return client.vanish();
    }
    maildrop.vanish(2);
    for command in [
        "RETR 2", "TOP 2 0", "RETR 1", "RETR 3", "LIST", "UIDL 2", "DELE 2", "DELE 1",
    ] {
        client.expect(command.as_bytes(), &maildrop.execute(command.as_bytes()));
    }
    assert!(client.quit());
    let left: Vec<Content> = kept(&maildrop)
        .map(|message| message.content.clone())
        .collect();
    assert!(opened(&subject, &left).1.quit());
}

/// Messages of all lengths around a chunk, and one that fits into no buffer, for clients fast and slow,
/// talking ahead or not.
pub fn streams<S: Subject>(make: Make<'_, S>) {
    let lengths = [
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        2 * CHUNK,
        2 * CHUNK + 1,
        3 * CHUNK,
    ];
    let mail = |length: usize, text: &str| {
        let head = b"Subject: large\r\n\r\n"
            .iter()
            .chain(text.as_bytes().iter().cycle());
        Content::new(head.copied().take(length).collect::<Vec<u8>>())
    };
    let texts = ["0123456789abcde\r\n", ".\r\n", "....", "a\r\n.b\r\n"];
    let mut mails: Vec<Content> = lengths
        .iter()
        .zip(texts.iter().cycle())
        .map(|(length, text)| mail(*length, text))
        .collect();
    mails.push(Content::repeated(
        "Subject: huge\r\n\r\n",
        "..and so on for quite some time\r\n",
        300_000,
        "end",
    ));
    let subject = make(&mails);
    let (mut maildrop, client) = opened(&subject, &mails);
    let mut client = client.slow(100_000);
    for number in 1..=mails.len() {
        for command in [format!("RETR {number}"), format!("TOP {number} 5000")] {
            client.expect(command.as_bytes(), &maildrop.execute(command.as_bytes()));
        }
    }
    assert!(client.quit());

    let ahead: String = (1..mails.len())
        .map(|n| format!("RETR {n}\r\nTOP {n} 1\r\n"))
        .collect();
    let heard = |window| {
        let mut client = opened(&subject, &mails).1.slow(window);
        let heard = client.say(&ahead);
        assert!(client.quit());
        heard
    };
    let whole = heard(usize::MAX);
    let expected: usize = mails[..lengths.len()]
        .iter()
        .map(|m| normalised(m).len())
        .sum();
    assert!(whole.len() > expected);
    assert!(whole == heard(777) && whole == heard(CHUNK + 1));
}

/// Each mail of the corpus comes back octet for octet.
pub fn retrieves<S: Subject>(make: Make<'_, S>) {
    let mails = corpus().into_iter().map(|mail| mail.content);
    let mails: Vec<Content> = mails.filter(S::holds).collect();
    let subject = make(&mails);
    let (mut maildrop, mut client) = opened(&subject, &mails);
    for number in 1..=mails.len() {
        for command in [
            format!("RETR {number}"),
            format!("TOP {number} 0"),
            format!("TOP {number} 1"),
            format!("TOP {number} 18446744073709551615"),
        ] {
            client.expect(command.as_bytes(), &maildrop.execute(command.as_bytes()));
        }
    }
    assert!(client.quit());
}

/// Sessions of all kinds, one after the other, with one store: each goes as the reference says, and
/// leaves what it says.
pub fn random_sessions<S: Subject>(make: Make<'_, S>) {
    for seed in 0..SESSIONS {
        let octets = noise(seed);
        let mut source = Source::new(&octets);
        let mails = generate::maildrop(&mut source)
            .into_iter()
            .map(Content::new);
        let mut left: Vec<Content> = mails.filter(S::holds).collect();
        let subject = make(&left);
        let mut ids: Option<Vec<String>> = None;
        for _ in 0..3 {
            let (mut maildrop, mut client) = opened(&subject, &left);
            let now: Vec<_> = maildrop
                .messages()
                .iter()
                .map(|m| m.unique_id.clone())
                .collect();
            assert!(ids.is_none_or(|ids| ids == now), "unique-ids changed");
            client = client.slow(1 + source.below(2000));
            let commands = generate::commands(&mut source, left.len());
            for command in commands.iter().filter(|c| !c.eq_ignore_ascii_case(b"QUIT")) {
                let reply = maildrop.execute(command);
                if reply == Reply::Quit {
                    continue;
                }
                client.expect(command, &reply);
            }
            ids = Some(now);
            if source.chance(3) {
                client.vanish();
                continue;
            }
            assert!(client.quit());
            left = kept(&maildrop).map(|m| m.content.clone()).collect();
            ids = Some(kept(&maildrop).map(|m| m.unique_id.clone()).collect());
        }
    }
}

/// Plays a session, and compares it with the maildrop that it must show.
fn opened<'a, S: Subject>(subject: &'a S, mails: &[Content]) -> (Maildrop, Client<'a, S>) {
    let mut client = Client::log_in(subject);
    let ids = client.listing("UIDL");
    assert_eq!(ids.len(), mails.len(), "messages");
    let messages = ids.into_iter().zip(mails).map(|(id, content)| {
        let mut message = Message::new(id, content.clone());
        message.size = normalised(content).len() as u64;
        message
    });
    let mut maildrop = Maildrop::new(messages);
    for command in [&b"STAT"[..], b"LIST"] {
        client.expect(command, &maildrop.execute(command));
    }
    (maildrop, client)
}

impl<S: Subject> Client<'_, S> {
    fn quit_with_ids(mut self) -> Vec<String> {
        let ids = self.listing("UIDL");
        assert!(self.quit());
        ids
    }
}

/// The messages that are left when a session ends with QUIT.
fn kept(maildrop: &Maildrop) -> impl Iterator<Item = &Message> {
    let deleted = maildrop.deleted();
    let all = (1..).zip(maildrop.messages());
    all.filter(move |(number, _)| !deleted.contains(number))
        .map(|(_, message)| message)
}

/// Four mails, small and different, with all kinds of line ends.
fn some_mails<S: Subject>() -> Vec<Content> {
    let mails = [
        "Subject: one\r\n\r\nHello.\r\n",
        "Subject: two\n\n.dot\n..\n.\nno end",
        "Subject: three\r\n\r\n\r\n",
        "Subject: four\r\n\r\nlast\r\n",
    ];
    let mails: Vec<Content> = mails.into_iter().map(Content::from).collect();
    assert!(mails.iter().all(S::holds), "every store holds these");
    mails
}

fn normal(stored: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let contents = stored.iter().map(|octets| Content::new(octets.clone()));
    contents.map(|content| normalised(&content)).collect()
}

/// Octets that depend only on the seed.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(3000).collect()
}
