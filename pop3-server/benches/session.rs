//! Whole sessions, composed as in the gateway but without sockets: a POP3 client's octets on one side, an
//! IMAP server that knows its answers by heart on the other.

#![allow(missing_docs, reason = "criterion's macros")]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use imap_backend::{Config, ImapBackend, Security};
use pop3_proto::backend::{Login, Outcome};
use pop3_proto::time::Time;
use pop3_server::connection::{Action, Connection, Side};
use pop3_server::server::Server;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;

const NOW: Time = Time::ZERO;

struct Everybody(Arc<Config>);

impl Service for Everybody {
    type Backend = ImapBackend;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<ImapBackend>, Denied> {
        Ok(Routed::new(
            ImapBackend::new(Arc::clone(&self.0)),
            login.user().unwrap_or_default(),
            "bench",
        ))
    }
}

/// Answers IMAP commands; its folder holds this many messages, all alike.
struct Upstream {
    messages: usize,
    body: Arc<[u8]>,
    /// A command that has not ended yet.
    heard: Vec<u8>,
    /// What it says, the first `sent` octets of the first piece done.
    out: VecDeque<Arc<[u8]>>,
    sent: usize,
}

impl Upstream {
    fn new(messages: usize, body: &Arc<[u8]>) -> Self {
        let greeting = &b"* OK [CAPABILITY IMAP4rev1 LITERAL+] Dovecot ready\r\n"[..];
        Self {
            messages,
            body: Arc::clone(body),
            heard: Vec::new(),
            out: [greeting.into()].into(),
            sent: 0,
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.out.push_back(bytes.into());
    }

    fn waiting(&self) -> &[u8] {
        self.out.front().map_or(&[], |piece| &piece[self.sent..])
    }

    fn sent(&mut self, n: usize) {
        self.sent += n;
        if self.waiting().is_empty() {
            self.out.pop_front();
            self.sent = 0;
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        while let Some(end) = self.heard.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).into_owned();
            self.answer(line.trim_end());
        }
    }

    fn answer(&mut self, line: &str) {
        let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
        let size = self.body.len();
        let mut text = String::new();
        if command.starts_with("SELECT") {
            let count = self.messages;
            let _ = write!(text, "* {count} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n");
        } else if command.starts_with("UID FETCH 1:*") {
            for number in 1..=self.messages {
                let _ = write!(
                    text,
                    "* {number} FETCH (UID {number} RFC822.SIZE {size})\r\n"
                );
            }
        } else if let Some(fetch) = command.strip_prefix("UID FETCH ") {
            for number in numbers(fetch.split(' ').next().unwrap_or_default()) {
                let head = format!("* {number} FETCH (UID {number} BODY[] {{{size}}}\r\n");
                self.say(head.as_bytes());
                self.out.push_back(Arc::clone(&self.body));
                self.say(b")\r\n");
            }
        }
        let _ = write!(text, "{tag} OK done\r\n");
        self.say(text.as_bytes());
    }
}

/// `1,3:5` and the like.
fn numbers(set: &str) -> impl Iterator<Item = usize> {
    set.split(',').flat_map(|piece| {
        let (first, last) = piece.split_once(':').unwrap_or((piece, piece));
        let number = |text: &str| text.parse().unwrap_or(1);
        number(first)..=number(last)
    })
}

/// Plays a whole session; returns how many octets the client got.
fn play(
    settings: &Arc<Settings<Everybody>>,
    server: &Server,
    upstream: &mut Upstream,
    commands: &[u8],
) -> usize {
    let peer = Peer::new(([192, 0, 2, 1], 4711).into(), ([192, 0, 2, 9], 110).into());
    let admitted = server
        .crowd()
        .admit(&settings.limits, peer.address.ip(), NOW);
    let place = admitted.expect("a place");
    let mut connection = Connection::new(Arc::clone(settings), server, peer, place, NOW);
    let (mut commands, mut octets, mut connected) = (commands, 0, false);
    let mut scratch = vec![0; 64 * 1024];
    loop {
        let mut moved = false;
        while let Some(action) = connection.poll_action() {
            moved = true;
            match action {
                Action::Connect(_) => {
                    connected = true;
                    connection.handle_outcome(NOW, Outcome::Connected);
                }
                Action::Disconnect | Action::Release => connected = false,
                Action::ShutDownClient => connection.handle_eof(Side::Client, NOW),
                Action::Run(_) | Action::Resume(_) | Action::Park(_) | Action::CloseClient => {}
            }
        }
        let room = connection.recv_buf(Side::Client, &mut scratch);
        let n = room.len().min(commands.len());
        if n > 0 {
            room[..n].copy_from_slice(&commands[..n]);
            commands = &commands[n..];
            connection.received(Side::Client, NOW, n, &scratch);
            moved = true;
        }
        if connected {
            let waiting = upstream.waiting();
            let room = connection.recv_buf(Side::Upstream, &mut scratch);
            let n = room.len().min(waiting.len());
            if n > 0 {
                room[..n].copy_from_slice(&waiting[..n]);
                upstream.sent(n);
                connection.received(Side::Upstream, NOW, n, &scratch);
                moved = true;
            }
            let said = connection.send_buf(Side::Upstream);
            if !said.is_empty() {
                let n = said.len();
                upstream.hear(said);
                connection.sent(Side::Upstream, NOW, n);
                moved = true;
            }
        }
        let n = black_box(connection.send_buf(Side::Client)).len();
        if n > 0 {
            octets += n;
            connection.sent(Side::Client, NOW, n);
            moved = true;
        }
        if connection.is_finished() {
            return octets;
        }
        assert!(moved, "the session stands still after {octets} octets");
    }
}

fn sessions(c: &mut Criterion) {
    let config = Config::new("imap.example.org", 143, Security::Clear);
    let mut settings = Settings::new(Arc::new(Everybody(Arc::new(config))));
    Arc::make_mut(&mut settings.policy).clear_login = true;
    let (settings, server) = (Arc::new(settings), Server::new());

    let mut group = c.benchmark_group("session");
    group.sample_size(20);
    for (name, messages, size, retrieved) in [
        ("login and QUIT", 3, 4096, 0),
        ("login, STAT, UIDL of 10,000", 10_000, 4096, 0),
        ("RETR of 1,000 × 4 KiB", 1000, 4096, 1000),
        ("RETR of 25 MiB", 1, 25 * 1024 * 1024, 1),
    ] {
        let mut commands = String::from("USER alice\r\nPASS secret\r\nSTAT\r\n");
        if messages > 3 {
            commands += "UIDL\r\n";
        }
        for number in 1..=retrieved {
            let _ = write!(commands, "RETR {number}\r\n");
        }
        commands += "QUIT\r\n";
        let least = retrieved * size;
        let line = b"TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNldGV0dXIgc2FkaXBzY2luZyBl\r\n";
        let body: Arc<[u8]> = line.iter().copied().cycle().take(size).collect();
        group.throughput(if retrieved > 0 {
            Throughput::Bytes(least as u64)
        } else {
            Throughput::Elements(messages as u64)
        });
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut upstream = Upstream::new(messages, &body);
                let octets = play(&settings, &server, &mut upstream, commands.as_bytes());
                assert!(octets > least, "{octets} octets");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sessions);
criterion_main!(benches);
