//! A small POP3 server for tests: in this process, on loopback, with planted faults and cuts.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod serve;
pub(crate) mod stored;
mod tls;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_client_io::{Endpoint, Identity, Preference, SecretKind, TlsMode, Trust, Words};
use pop3_proto::secret::Secret;

use serve::base64;
pub(crate) use tls::Certificate;

/// The only user.
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const TOKEN: &str = "ya29.token";
pub(crate) const STAMP: &str = "<1.2@test>";

/// A message: unique-id and octets.
pub(crate) type Message = (String, Vec<u8>);

/// The faults of lessons.md that `check` must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    F14,
    F15,
    F16,
    F17,
    F18,
    F19,
    F20,
}

/// How a server behaves.
pub(crate) struct Behaviour {
    /// Lines of CAPA, beside STLS; `None`: no CAPA.
    pub(crate) capabilities: Option<Vec<&'static str>>,
    pub(crate) fault: Option<Fault>,
    /// Implicit TLS.
    pub(crate) implicit: bool,
    /// STLS is there.
    pub(crate) stls: bool,
    /// Greets with a timestamp.
    pub(crate) stamp: bool,
    /// How many octets each connection sends before it breaks; none: it never does.
    pub(crate) cuts: Box<dyn Fn(u64) -> Option<u64> + Send + Sync>,
    /// QUIT fails to remove.
    pub(crate) quit_fails: bool,
    /// What becomes of QUIT on each connection.
    pub(crate) quit: Box<dyn Fn(u64) -> Quit + Send + Sync>,
    /// UIDL is there.
    pub(crate) uidl: bool,
    /// Changes what is said in answer to a command.
    pub(crate) twist: Box<Twist>,
}

/// A change of the answer to this command.
pub(crate) type Twist = dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync;

/// What becomes of a QUIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quit {
    /// It is done and answered.
    Done,
    /// The connection breaks before anything is removed.
    LostBefore,
    /// The connection breaks after the removal.
    LostAfter,
    /// `-ERR`, and nothing is removed.
    RefusedBefore,
    /// `-ERR`, and all is removed.
    RefusedAfter,
    /// `+OK`, and nothing is removed.
    Lie,
}

impl Default for Behaviour {
    fn default() -> Self {
        let capabilities = vec![
            "TOP",
            "USER",
            "SASL PLAIN LOGIN CRAM-MD5 XOAUTH2",
            "RESP-CODES",
            "PIPELINING",
            "UIDL",
            "UTF8 USER",
            "AUTH-RESP-CODE",
        ];
        Self {
            capabilities: Some(capabilities),
            fault: None,
            implicit: false,
            stls: true,
            stamp: false,
            cuts: Box::new(|_| None),
            quit_fails: false,
            quit: Box::new(|_| Quit::Done),
            uidl: true,
            twist: Box::new(|_, answer| answer),
        }
    }
}

/// A server; it ends with this.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) behaviour: Behaviour,
    pub(crate) mailbox: Mutex<Vec<Message>>,
    /// Every command that came, passwords and all.
    pub(crate) heard: Mutex<Vec<String>>,
    pub(crate) connections: AtomicU64,
    pub(crate) certificate: Certificate,
    stopped: AtomicBool,
}

impl Server {
    pub(crate) fn start(behaviour: Behaviour, mailbox: Vec<Message>) -> Self {
        Self::start_with(behaviour, mailbox, Certificate::new())
    }

    pub(crate) fn start_with(
        behaviour: Behaviour,
        mailbox: Vec<Message>,
        certificate: Certificate,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            behaviour,
            mailbox: Mutex::new(mailbox),
            heard: Mutex::default(),
            connections: AtomicU64::new(0),
            certificate,
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                let Ok(socket) = socket else { continue };
                std::thread::spawn(move || {
                    // a connection that breaks is what is tested
                    let _ = serve::serve(&shared, socket);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn endpoint(&self, tls: TlsMode) -> Endpoint {
        let trust = Trust::File(self.shared.certificate.file.path().into());
        let mut endpoint = Endpoint::new("localhost").tls(tls).trust(trust);
        endpoint.port = self.address.port();
        endpoint.patience = Duration::from_secs(10);
        endpoint.window = 50;
        endpoint.words = Words::COMMAND_LINE;
        endpoint
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.shared.heard.lock().unwrap().clone()
    }

    pub(crate) fn ids(&self) -> BTreeSet<String> {
        let mailbox = self.shared.mailbox.lock().unwrap();
        mailbox.iter().map(|(id, _)| id.clone()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // wakes the listener
        let _ = std::net::TcpStream::connect(self.address);
    }
}

pub(crate) fn identity() -> Identity {
    Identity {
        user: USER.into(),
        secret: Secret::from(PASSWORD.as_bytes()),
        kind: SecretKind::Password,
        preference: Preference::Auto,
        allow_clear: false,
        initial_response: true,
    }
}

/// A message of CRLF lines.
pub(crate) fn message(subject: &str, body: &str) -> Vec<u8> {
    format!("From: Bob <bob@example.org>\r\nSubject: {subject}\r\n\r\n{body}").into_bytes()
}

/// Messages, all different, with lines that need stuffing.
pub(crate) fn messages(count: usize) -> Vec<Message> {
    (0..count)
        .map(|n| {
            let body = format!(
                ".dot {n}\r\nFrom me\r\n{}\r\n.\r\n",
                "x".repeat(n * 7 % 300)
            );
            (format!("id{n}"), message(&format!("mail {n}"), &body))
        })
        .collect()
}

/// A generator for seeds.
pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
