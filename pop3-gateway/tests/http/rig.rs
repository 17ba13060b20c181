//! A gateway that serves HTTP, and a client that says what the test wants, to the octet.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pop3_gateway::config::Config;
use pop3_gateway::serve::Bound;
use pop3_gateway::wiring::Surroundings;
use pop3_server::server::Server;
use tempfile::TempDir;

/// The runtimes of this build.
pub(crate) const RUNTIMES: &[&str] = &[
    #[cfg(feature = "tokio")]
    "tokio",
    #[cfg(feature = "smol")]
    "smol",
];

/// Longer than anything here takes, on a busy machine, too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that runs until this is dropped.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) pop3: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) folder: TempDir,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    /// With these lines in `[[http]]`, and a store in a folder.
    pub(crate) fn new(runtime: &str, http: &str) -> Self {
        Self::with(runtime, http, "")
    }

    /// The same with more tables.
    pub(crate) fn with(runtime: &str, http: &str, rest: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("gateway.toml");
        let text = format!(
            "runtime = \"{runtime}\"\n[[listener]]\nlisten = \"127.0.0.1:0\"\n[[http]]\nlisten = \"127.0.0.1:0\"\n{http}\n\
             [[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:1\"\n[timers]\nshutdown_grace = \"20s\"\n{rest}"
        );
        fs::write(&file, text).unwrap();
        let config = Config::load(&file).unwrap();
        let surroundings = Surroundings::default();
        let server = surroundings.metrics.server();
        let shown = pop3_gateway::certificates::shown(&config);
        surroundings.metrics.configured(&config, &shown);
        let bound = Bound::new(&config, &surroundings).unwrap();
        let (pop3, http) = (bound.addresses()[0], bound.http_addresses()[0]);
        let running = server.clone();
        let thread = thread::spawn(move || bound.serve(running, None).unwrap());
        Self {
            server,
            pop3,
            http,
            folder,
            thread: Some(thread),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.http).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// A session that was greeted.
    pub(crate) fn connect_pop3(&self) -> TcpStream {
        let mut socket = TcpStream::connect(self.pop3).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut greeting = [0; 3];
        socket.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"+OK");
        socket
    }

    /// What is answered to these octets, until the connection ends.
    pub(crate) fn say(&self, octets: impl AsRef<[u8]>) -> String {
        let mut socket = self.connect();
        // the other side may have heard enough
        let _ = socket.write_all(octets.as_ref());
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// What is answered to this request.
    pub(crate) fn get(&self, path: &str) -> String {
        self.say(format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.server.shutdown().advance();
        self.server.shutdown().advance();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}

/// One answer on a connection that stays open.
pub(crate) fn answer(socket: &mut TcpStream) -> String {
    let (mut answer, mut octet) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        assert_eq!(socket.read(&mut octet).unwrap(), 1, "{answer:?}");
        answer.push(octet[0]);
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let mut body = vec![0; length.unwrap_or("0").parse().unwrap()];
    socket.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}
