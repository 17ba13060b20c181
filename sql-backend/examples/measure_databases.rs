//! Figures of a store in a database: how long a login with LIST and UIDL takes for many messages, how much
//! memory, and how much a large message costs.
//!
//! ```text
//! cargo run --release -p sql-backend --example measure_databases -- sqlite|mariadb|postgres [messages] [MiB]
//! ```
//!
//! MariaDB and PostgreSQL are started in scratch folders; their packages have to be installed.
#![allow(clippy::unwrap_used, reason = "a tool for measurements")]

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::{Backend, Effect, Job, Outcome};
use pop3_proto::server::{Event, Policy, Session};
use pop3_proto::time::Time;
use sql_backend::{Config, DatabaseUrl, Maildrops, Queries, SqlStore};
use sqlx::Connection;
use testkit_databases::{Kind, Server};

const SIZE: usize = 2000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let engine = arguments.next().unwrap_or_else(|| "sqlite".into());
    let messages: usize = arguments.next().map_or(100_000, |n| n.parse().unwrap());
    let mebibytes: u64 = arguments.next().map_or(1024, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mail.db");
    let server = match engine.as_str() {
        "sqlite" => None,
        "mariadb" => Some(Server::start(Kind::MariaDb)),
        "postgres" => Some(Server::start(Kind::Postgres)),
        other => panic!("no engine {other}"),
    };
    let sqlite = || DatabaseUrl::new(&format!("sqlite://{}", file.display()));
    let url = server
        .as_ref()
        .map_or_else(sqlite, |server| DatabaseUrl::new(&server.url()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let store = SqlStore::connect(Config::new(url.clone())).unwrap();
    runtime.block_on(async {
        store.migrate().await.unwrap();
        for user in ["many", "large"] {
            store.add_account(user, "{PLAIN}secret").await.unwrap();
        }
    });
    let fill = fill(server.as_ref().map(|server| server.kind), messages);
    match &server {
        Some(server) => server.sql("test", &fill).unwrap(),
        None => runtime.block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
            let mut connection = sqlx::SqliteConnection::connect_with(&options)
                .await
                .unwrap();
            let fill = sqlx::raw_sql(sqlx::AssertSqlSafe(fill));
            fill.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }),
    }
    println!("{engine}: {messages} messages of {SIZE} octets");
    for round in ["first", "again"] {
        let mut client = Client::new(&runtime, &store);
        let figures = Figures::begin();
        client.say("USER many\r\nPASS secret\r\nSTAT\r\n");
        figures.end(&format!("login and STAT, {round}"), client.heard);
        let figures = Figures::begin();
        client.say("LIST\r\nUIDL\r\n");
        figures.end(&format!("LIST and UIDL, {round}"), client.heard);
        client.say("QUIT\r\n");
    }

    // the same messages as if they were somebody's own
    let all = "from pop3_messages m join pop3_pieces p on p.message = m.id";
    for (what, list) in [
        (
            "sizes counted one by one",
            "select id from pop3_messages where account = :user order by id".into(),
        ),
        (
            "sizes counted in one pass",
            format!("select m.id, p.data as body {all} where m.account = :user order by m.id"),
        ),
    ] {
        let queries = Queries::default()
            .list(list)
            .body(format!("select p.data as body {all} where m.id = :id"));
        let mut config = Config::new(url.clone());
        config.maildrops = Maildrops::Queries(Box::new(queries));
        let store = SqlStore::connect(config).unwrap();
        for round in ["first", "again"] {
            let mut client = Client::new(&runtime, &store);
            let figures = Figures::begin();
            client.say("USER many\r\nPASS secret\r\nSTAT\r\n");
            figures.end(&format!("login and STAT, {what}, {round}"), client.heard);
            client.say("QUIT\r\n");
        }
        runtime.block_on(store.close());
    }

    let figures = Figures::begin();
    let length = mebibytes << 20;
    let line = std::io::repeat(b'x').take(length);
    let stored = runtime.block_on(store.add_message("large", line)).unwrap();
    figures.end("a large message stored", stored.size);
    let mut client = Client::new(&runtime, &store);
    client.say("USER large\r\nPASS secret\r\n");
    let figures = Figures::begin();
    client.heard = 0;
    client.say("RETR 1\r\n");
    assert!(client.heard > length);
    figures.end("a large message read", client.heard);
    let figures = Figures::begin();
    client.say("DELE 1\r\nQUIT\r\n");
    figures.end("a large message deleted", 0);
    runtime.block_on(store.close());
}

/// SQL that puts many messages into the tool's own tables at once.
fn fill(kind: Option<Kind>, messages: usize) -> String {
    let (numbers, text, unique_id) = match kind {
        None => (
            format!(
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {messages})
                  SELECT i FROM n)"
            ),
            format!("zeroblob({SIZE})"),
            "printf('%024d', i)",
        ),
        Some(Kind::MariaDb) => (
            format!("(SELECT seq AS i FROM seq_1_to_{messages}) n"),
            format!("REPEAT('x', {SIZE})"),
            "LPAD(i, 24, '0')",
        ),
        Some(Kind::Postgres) => (
            format!("generate_series(1, {messages}) i"),
            format!("REPEAT('x', {SIZE})::bytea"),
            "LPAD(i::text, 24, '0')",
        ),
    };
    format!(
        "INSERT INTO pop3_messages (account, unique_id, size, pieces, received)
            SELECT 'many', {unique_id}, {SIZE}, 1, 0 FROM {numbers};
         INSERT INTO pop3_pieces (message, seq, data) SELECT id, 0, {text} FROM pop3_messages"
    )
}

/// A session, and a client that only counts what it hears.
struct Client<'a> {
    runtime: &'a tokio::runtime::Runtime,
    session: Session,
    backend: Awaiting<SqlStore>,
    heard: u64,
}

impl<'a> Client<'a> {
    fn new(runtime: &'a tokio::runtime::Runtime, store: &SqlStore) -> Self {
        let policy = Policy::default().clear_login(true);
        Self {
            runtime,
            session: Session::new(policy.into(), "", Time::ZERO),
            backend: Awaiting::new(Arc::new(store.clone())),
            heard: 0,
        }
    }

    fn say(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let taken = self.session.handle_input(Time::ZERO, rest);
            rest = &rest[taken..];
            while self.step() {}
        }
    }

    fn step(&mut self) -> bool {
        let now = Time::ZERO;
        let waiting = self.session.transmit().len();
        if waiting > 0 {
            self.heard += waiting as u64;
            self.session.transmitted(now, waiting);
        } else if let Some(event) = self.session.poll_event() {
            match event {
                Event::Request(request) => self.backend.handle_request(now, request),
                Event::StartTls | Event::Close(_) => {}
            }
        } else if let Some(reply) = self.backend.poll_reply(now, self.session.body_room()) {
            self.session.handle_reply(now, reply);
        } else if let Some(Effect::Run(Job::Await(job))) = self.backend.poll_effect() {
            let done = self.runtime.block_on(job);
            self.backend.handle_outcome(now, Outcome::Done(done));
        } else {
            return false;
        }
        true
    }
}

/// Time, and memory at its peak.
struct Figures {
    begun: Instant,
    before: u64,
}

impl Figures {
    fn begin() -> Self {
        // the peak is counted from here on
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        Self {
            begun: Instant::now(),
            before: status("VmRSS:"),
        }
    }

    fn end(self, what: &str, octets: u64) {
        println!(
            "  {what}: {:.2} s, {octets} octets, memory {:.1} MiB, at its peak {:.1} MiB",
            self.begun.elapsed().as_secs_f64(),
            self.before as f64 / 1024.0,
            status("VmHWM:") as f64 / 1024.0,
        );
    }
}

/// In KiB.
fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
