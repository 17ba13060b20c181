//! The client machine against a naive server, against any bytes, and cut anywhere.
#![allow(clippy::unwrap_used, reason = "tests")]

mod client_pair;

use client_pair::{Heard, NOW, Server, commands, cuts, expected, lines, messages, top};
use pop3_proto::backend::Mechanism;
use pop3_proto::client::{Client, Close, Config, Credentials, Method, ServerFault, Tag};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::secret::Secret;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A server without a thought to spare: line in, response out.
#[derive(Default)]
struct Naive {
    messages: Vec<Vec<u8>>,
    deleted: Vec<bool>,
    removed: Vec<u32>,
    pipelining: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    most_at_once: usize,
}

impl Naive {
    fn new(messages: &[Vec<u8>], pipelining: bool) -> Self {
        let (messages, deleted) = (messages.to_vec(), vec![false; messages.len()]);
        Self {
            messages,
            deleted,
            pipelining,
            output: b"+OK hello\r\n".to_vec(),
            ..Self::default()
        }
    }

    fn answer(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = words.get(1).and_then(|word| word.parse::<usize>().ok());
        let index = number
            .and_then(|n| n.checked_sub(1))
            .filter(|n| self.deleted.get(*n) == Some(&false));
        let left: Vec<usize> = (0..self.messages.len())
            .filter(|n| !self.deleted[*n])
            .collect();
        let size = |n: usize| format!("{} {}", n + 1, self.messages[n].len());
        let id = |n: usize| format!("{} id{n}", n + 1);
        let listing = |entry: &dyn Fn(usize) -> String| match (words.len(), index) {
            (1, _) => {
                let lines: String = left.iter().map(|n| entry(*n) + "\r\n").collect();
                format!("+OK\r\n{lines}.\r\n")
            }
            (_, Some(n)) => format!("+OK {}\r\n", entry(n)),
            _ => "-ERR none\r\n".into(),
        };
        let reply = match (words[0], index) {
            ("USER" | "PASS" | "NOOP", _) => "+OK\r\n".into(),
            ("CAPA", _) if self.pipelining => "+OK\r\nPIPELINING\r\n.\r\n".into(),
            ("CAPA", _) => "+OK\r\nTOP\r\n.\r\n".into(),
            ("STAT", _) => {
                let octets: usize = left.iter().map(|n| self.messages[*n].len()).sum();
                format!("+OK {} {octets}\r\n", left.len())
            }
            ("LIST", _) => listing(&size),
            ("UIDL", _) => listing(&id),
            ("RETR", Some(n)) => return self.body(&lines(&self.messages[n]).concat()),
            ("TOP", Some(n)) => {
                return self.body(&top(&self.messages[n], words[2].parse().unwrap()));
            }
            ("DELE", Some(n)) => {
                self.deleted[n] = true;
                "+OK\r\n".into()
            }
            ("RSET", _) => {
                self.deleted.fill(false);
                "+OK\r\n".into()
            }
            ("QUIT", _) => {
                self.removed = (0..)
                    .zip(&self.deleted)
                    .filter(|(_, gone)| **gone)
                    .map(|(n, _)| n)
                    .collect();
                "+OK\r\n".into()
            }
            _ => "-ERR\r\n".into(),
        };
        self.output.extend(reply.bytes());
    }

    fn body(&mut self, text: &[u8]) {
        self.output.extend(b"+OK\r\n");
        for line in text.split_inclusive(|b| *b == b'\n') {
            if line.starts_with(b".") {
                self.output.push(b'.');
            }
            self.output.extend(line);
        }
        self.output.extend(b".\r\n");
    }
}

impl Server for Naive {
    fn hear(&mut self, bytes: &[u8]) {
        self.input.extend(bytes);
        let mut at_once = 0;
        while let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            self.answer(str::from_utf8(&line[..end]).unwrap());
            at_once += 1;
        }
        self.most_at_once = self.most_at_once.max(at_once);
    }

    fn say(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }
}

fn clear() -> Config {
    Config::default().clear_login(true)
}

fn credentials() -> Credentials {
    let secret = Secret::from(&b"p"[..]);
    Credentials::new("u", secret, Method::UserPass)
}

/// Everything a caller can ask for.
fn ask(client: &mut Client, what: u8) -> Option<Tag> {
    let number = MessageNumber(1);
    let command = match what % 14 {
        0 => Command::Stat,
        1 => Command::List(None),
        2 => Command::List(Some(number)),
        3 => Command::Uidl(None),
        4 => Command::Uidl(Some(number)),
        5 => Command::Retr(number),
        6 => Command::Capa,
        7 => Command::Stls,
        8 => Command::Quit,
        9 => Command::AuthList,
        10 => Command::Auth {
            mechanism: Mechanism::new("X").unwrap(),
            initial: None,
        },
        11 => return client.log_in(NOW, &credentials()).ok(),
        12 => {
            let login = credentials().method(Method::Plain);
            return client.log_in(NOW, &login).ok();
        }
        _ => return client.send_raw(NOW, "XYZ", true).ok(),
    };
    client.send(NOW, &command).ok()
}

const GREETING: &[u8] = b"+OK <1@b>\r\n";

/// Bytes that look like responses, mostly.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let tokens: [&[u8]; 16] = [
        b"+OK\r\n",
        b"+OK 1 2\r\n",
        b"+OK\n",
        b"-ERR [AUTH] no\r\n",
        b"+ AAAA\r\n",
        b"+\r\n",
        b".\r\n",
        b".",
        b"\r",
        b"\n",
        b"1 2\r\n",
        b"..\r\n",
        b"\0\xff",
        b"PIPELINING\r\n.\r\n",
        b"AUTH-RESP-CODE\r\n",
        b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ];
    let bytes = prop_oneof![
        20 => select(tokens.map(<[u8]>::to_vec).to_vec()),
        1 => vec(any::<u8>(), 1..20),
    ];
    vec(bytes, 0..40).prop_map(|bytes| [GREETING, &bytes.concat()].concat())
}

proptest! {
    #[test]
    fn agrees_with_a_naive_server_however_it_is_cut(
        messages in messages(),
        commands in commands(),
        cuts in cuts(),
        pipelining in any::<bool>(),
        small in any::<bool>(),
    ) {
        let config = if small { clear().input_limit(1).line_limit(40) } else { clear() };
        let mut client = Client::new(config, NOW);
        client.record();
        let mut server = Naive::new(&messages, pipelining);
        let mut heard = Heard::default();
        client.send(NOW, &Command::Capa).unwrap();
        client.log_in(NOW, &credentials()).unwrap();
        for command in &commands {
            client.send(NOW, command).unwrap();
        }
        client.send(NOW, &Command::Quit).unwrap();
        heard.converse(&mut client, &mut server, &cuts);
        let (outcomes, removed) = expected(&messages, &commands);
        prop_assert_eq!(&heard.closed, &Some(Close::Quit));
        prop_assert_eq!(heard.last(commands.len() + 1)[..commands.len()].to_vec(), outcomes);
        prop_assert_eq!(server.removed, removed);
        prop_assert!(pipelining || server.most_at_once <= 1);
    }

    /// V12: whatever a server sends, nothing panics, every tag ends once and in order, bounds hold, and
    /// at the end of the stream all is said.
    #[test]
    fn v12_hostile_bytes(
        bytes in hostile(),
        cuts in cuts(),
        asked in vec((any::<u8>(), 0..30_usize), 0..8),
        tls in any::<bool>(),
    ) {
        let config = clear().input_limit(64).line_limit(62).window(4);
        let mut client = Client::new(config, NOW);
        client.record();
        let mut heard = Heard::default();
        let mut tags = Vec::new();
        let mut asked = asked.into_iter().peekable();
        let mut rest = &bytes[..];
        let mut cuts = cuts.iter().copied().chain([7]).cycle();
        for step in 0.. {
            while let Some((what, _)) = asked.next_if(|(_, when)| *when <= step) {
                tags.extend(ask(&mut client, what));
            }
            let taken = client.handle_input(NOW, &rest[..cuts.next().unwrap().min(rest.len())]);
            rest = &rest[taken..];
            prop_assert!(client.input_room() <= 64);
            prop_assert!(client.transmit().len() < 1000);
            if step % 3 == 0 {
                while let Some(event) = client.poll_event() {
                    heard.note(event);
                }
                let _ = client.answer(NOW, &Secret::default());
                if tls {
                    client.handle_tls(NOW);
                }
            }
            client.transmitted(NOW, step);
            if rest.is_empty() && asked.peek().is_none() {
                break;
            }
        }
        client.handle_eof(NOW);
        while let Some(event) = client.poll_event() {
            heard.note(event);
        }
        prop_assert!(heard.closed.is_some());
        let ended: Vec<Tag> = heard.outcomes.iter().filter(|(_, it)| it.done.is_some()).map(|(tag, _)| *tag).collect();
        prop_assert_eq!(ended, tags);
        prop_assert_eq!(client.poll_timeout(), None);
    }

    /// The same bytes in one piece and in many say the same. (A command that makes the client speak
    /// again is left out: how much came unasked before that depends on the cuts.)
    #[test]
    fn chunks_are_invisible(bytes in hostile(), cuts in cuts(), what in select(vec![0_u8, 1, 2, 3, 4, 5, 5, 6, 8, 9, 13])) {
        let run = |cuts: &[usize]| {
            let mut client = Client::new(clear().line_limit(62), NOW);
            let mut heard = Heard::default();
            let (greeting, mut rest) = bytes.split_at(GREETING.len());
            client.handle_input(NOW, greeting);
            while let Some(event) = client.poll_event() {
                heard.note(event);
            }
            ask(&mut client, what).unwrap();
            let mut cuts = cuts.iter().copied().cycle();
            while !rest.is_empty() {
                let taken = client.handle_input(NOW, &rest[..cuts.next().unwrap().min(rest.len())]);
                rest = &rest[taken..];
                while let Some(event) = client.poll_event() {
                    heard.note(event);
                }
            }
            client.handle_eof(NOW);
            while let Some(event) = client.poll_event() {
                heard.note(event);
            }
            if let Some(Close::Server(ServerFault::Unasked(start))) = &mut heard.closed {
                start.clear();
            }
            heard
        };
        let whole = run(&[usize::MAX]);
        let cut = run(&if cuts.is_empty() { vec![1] } else { cuts });
        prop_assert_eq!(whole.outcomes, cut.outcomes);
        prop_assert_eq!(whole.others, cut.others);
        prop_assert_eq!(whole.closed, cut.closed);
    }
}
