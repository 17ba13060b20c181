//! `check --connect` and `check --login`: an upstream is tried by the same code that serves sessions.
//!
//! Runs the gateway on a loopback port, is its only client, and watches what its backend meets: the name,
//! the connection, TLS, the greeting, what the server offers, and perhaps a whole login. Reads only: the
//! folder is opened by EXAMINE, and nothing is updated. Never shows a password or a token.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use crate::config::RuntimeKind;
use imap_backend::ImapBackend;
use pop3_proto::backend::erased::Erased;
use pop3_proto::backend::layer::{Layer, Turn};
use pop3_proto::backend::layered::Layered;
use pop3_proto::backend::{Access, Login, Note, RefusalKind, Reply};
#[cfg(feature = "oauth")]
use pop3_proto::backend::{Refusal, Request};
use pop3_proto::secret::Secret;
use pop3_proto::server::{Policy, ReadOnly};
use pop3_server::runtime::Runtime;
use pop3_server::server::Server;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;
use pop3_server::setup::Setup;

use crate::Failure;
use crate::layer::{Layers, Served};
use crate::mailbox::imap::Ready;
#[cfg(feature = "oauth")]
use crate::oauth::device_password;
use crate::service::Gateway;

/// No answer takes longer; the timeouts of the configuration are shorter.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a probe met.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What happened on the way, in order.
    pub notes: Vec<String>,
    /// How many messages the maildrop has, and their octets, if it was opened.
    pub maildrop: Option<(u64, u64)>,
    /// Why it was not opened.
    pub failure: Option<String>,
    /// Whether the server took the login.
    pub is_logged_in: bool,
    /// Whether it was a refusal, and of what kind.
    pub refusal: Option<RefusalKind>,
}

/// Connects to an upstream as a login would, and hangs up before it names a user.
pub fn connect(upstream: &Arc<Ready>, runtime: RuntimeKind) -> Result<Found, Failure> {
    let upstream = Arc::clone(upstream);
    let tls = upstream.tls.clone();
    let name = upstream.imap.server_name.clone();
    let route = move |_: &Login, _: &Peer| {
        let backend = ImapBackend::new(Arc::clone(&upstream.imap)).only_looking();
        Ok(Routed::new(
            Layers::default().around(Erased::boxed(backend)),
            "check",
            upstream.name.clone(),
        )
        .tls(upstream.tls.clone()))
    };
    let mut found = run(
        Box::new(route),
        runtime,
        "check",
        &Secret::from(&b"check"[..]),
    )?;
    if let Some(shown) = tls.and_then(|tls| tls.shown(&name)) {
        found.notes.insert(0, shown);
    }
    Ok(found)
}

/// Logs in as a client would, opens the folder for reading, and leaves.
pub fn log_in(
    gateway: Arc<Gateway>,
    runtime: RuntimeKind,
    user: &str,
    password: &Secret,
) -> Result<Found, Failure> {
    let route = move |login: &Login, peer: &Peer| gateway.route(login, peer);
    run(Box::new(route), runtime, user, password)
}

/// Logs in with this proof in the place of the client's, opens the folder for reading, and leaves. Another program of
/// this machine that finds the port does not know the password, and opens nothing.
#[cfg(feature = "oauth")]
pub fn open(upstream: &Arc<Ready>, runtime: RuntimeKind, login: &Login) -> Result<Found, Failure> {
    let (upstream, login) = (Arc::clone(upstream), login.clone());
    let own = device_password().map_err(Failure::running)?;
    let expected = own.clone();
    let route = move |said: &Login, _: &Peer| {
        let is_own = matches!(said, Login::Password { password, .. } if *password == expected);
        if !is_own {
            let refusal = Refusal::new(RefusalKind::Credentials, "only this program logs in here");
            return Err(Denied::Refused(refusal));
        }
        let backend = Erased::boxed(ImapBackend::new(Arc::clone(&upstream.imap)));
        let backend = Erased::boxed(Layered::new(Instead(login.clone()), backend));
        let served = Layers::default().around(backend);
        Ok(Routed::new(served, "check", upstream.name.clone()).tls(upstream.tls.clone()))
    };
    run(Box::new(route), runtime, "check", &own)
}

/// Another proof in the place of the client's.
#[cfg(feature = "oauth")]
struct Instead(Login);

#[cfg(feature = "oauth")]
impl<B> Layer<B> for Instead {
    type Done = ();

    fn request(&mut self, _: &mut Turn<'_, B, ()>, request: Request) -> Option<Request> {
        let Request::Open(open) = request else {
            return Some(request);
        };
        Some(Request::Open(open.login(self.0.clone())))
    }

    fn hears(&self) -> bool {
        false
    }
}

type Route = Box<dyn Fn(&Login, &Peer) -> Result<Routed<Served>, Denied> + Send + Sync>;

fn run(
    route: Route,
    runtime: RuntimeKind,
    user: &str,
    password: &Secret,
) -> Result<Found, Failure> {
    let unsayable = |b: &u8| matches!(b, 0 | b'\r' | b'\n');
    if user.bytes().any(|b| unsayable(&b)) || password.expose().iter().any(unsayable) {
        return Err(Failure::configuration(
            "a name or password with a line end or NUL cannot be sent in POP3",
        ));
    }
    let found = Arc::new(Mutex::new(Found::default()));
    let mut settings = Settings::new(Arc::new(Watching {
        route,
        found: Arc::clone(&found),
    }));
    settings.policy = Arc::new(
        Policy::default()
            .clear_login(true)
            .read_only(ReadOnly::Always),
    );
    let socket = TcpListener::bind("127.0.0.1:0").map_err(Failure::running)?;
    let address = socket.local_addr().map_err(Failure::running)?;
    let server = Server::new();
    let client = {
        let (server, user, password) = (server.clone(), user.to_owned(), password.clone());
        thread::spawn(move || {
            let said = session(address, &user, &password);
            server.shutdown().advance();
            said
        })
    };
    let served: io::Result<()> = match runtime {
        #[cfg(feature = "tokio")]
        RuntimeKind::Tokio => pop3_server_tokio::run(setup(server, socket, settings)),
        #[cfg(feature = "smol")]
        RuntimeKind::Smol => pop3_server_smol::run(setup(server, socket, settings)),
        #[cfg(not(all(feature = "tokio", feature = "smol")))]
        left_out => return Err(crate::runtime::not_built(left_out)),
    };
    served.map_err(Failure::running)?;
    let answer = match client.join() {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::running(format!("the check broke off: {error}"))),
        Err(_) => return Err(Failure::running("the check broke off")),
    };
    let mut found = lock(&found).clone();
    if found.maildrop.is_none() && found.failure.is_none() {
        found.failure = Some(answer);
    }
    Ok(found)
}

fn setup<R: Runtime>(
    server: Server,
    socket: TcpListener,
    settings: Settings<Watching>,
) -> Setup<R> {
    Setup::new()
        .server(server)
        .pop3(socket, settings)
        .threads(1)
        .grace(Duration::from_secs(5))
}

/// The client's side: a login and good-bye. Yields the answer to the password.
fn session(address: SocketAddr, user: &str, password: &Secret) -> io::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    let mut next = || {
        lines
            .next()
            .unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
    };
    next()?;
    socket.write_all(format!("USER {user}\r\n").as_bytes())?;
    next()?;
    socket.write_all(b"PASS ")?;
    socket.write_all(password.expose())?;
    socket.write_all(b"\r\n")?;
    let answer = next()?;
    socket.write_all(b"QUIT\r\n")?;
    // the answer to that changes nothing
    let _ = next();
    Ok(answer)
}

fn lock(found: &Mutex<Found>) -> MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Routes as the configuration says, and watches what the backends say.
struct Watching {
    route: Route,
    found: Arc<Mutex<Found>>,
}

impl Service for Watching {
    type Backend = Layered<Watch, Served>;

    fn route(&self, login: &Login, peer: &Peer) -> Result<Routed<Self::Backend>, Denied> {
        let routed = (self.route)(login, peer).inspect_err(|denied| {
            let (Denied::Refused(pop3_proto::backend::Refusal { detail, .. })
            | Denied::Failed(pop3_proto::backend::Failure { detail, .. })) = denied;
            lock(&self.found).failure = Some(detail.clone());
        })?;
        let watch = Watch {
            found: Arc::clone(&self.found),
            counted: (0, 0),
        };
        Ok(routed.map(|backend| Layered::new(watch, backend)))
    }
}

/// Looks at replies and notes on their way.
struct Watch {
    found: Arc<Mutex<Found>>,
    counted: (u64, u64),
}

impl<B> Layer<B> for Watch {
    type Done = ();

    fn reply<'r>(&'r mut self, _: &mut Turn<'_, B, ()>, reply: Reply<'r>) -> Option<Reply<'r>> {
        let looks = |access| match access {
            Access::ReadOnly => "the folder is open for reading".to_owned(),
            Access::ReadWrite => "the folder is open".to_owned(),
        };
        match &reply {
            Reply::Entry { size, .. } => {
                self.counted.0 += 1;
                self.counted.1 += size;
            }
            Reply::Authenticated => {
                let mut found = lock(&self.found);
                found.is_logged_in = true;
                found.notes.push("the login is good".into());
            }
            Reply::Opened { access } => {
                let mut found = lock(&self.found);
                found.maildrop = Some(self.counted);
                found.notes.push(looks(*access));
            }
            Reply::Refused(refusal) => {
                let mut found = lock(&self.found);
                found.failure = Some(refusal.detail.clone());
                found.refusal = Some(refusal.kind);
            }
            Reply::Failed(failure) => lock(&self.found).failure = Some(failure.detail.clone()),
            Reply::Challenge(_)
            | Reply::BodyStart { .. }
            | Reply::Body { .. }
            | Reply::BodyEnd { .. }
            | Reply::BodyFailed { .. }
            | Reply::Updated
            | Reply::Kept => {}
        }
        Some(reply)
    }

    fn note(&mut self, note: Note) -> Option<Note> {
        lock(&self.found).notes.push(note.text.clone());
        Some(note)
    }
}
