//! `demo`: a small IMAP server with sample mail and the gateway in front of it, in one process.
//!
//! Everything stays on the loopback interface, in memory and in a temporary folder that is removed at
//! the end. Nothing here is meant for use with real mail.

mod script;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use std::{io, thread};

use imap_test_server::tcp::TcpHost;
use imap_test_server::{Options, Server as ImapServer, Store, mails};
use pop3_server::server::Server;

use crate::config::{Config, Flags, Log, LogFormat, LogLevel};
use crate::serve::Bound;
use crate::transcript::{Display, Recorder};
use crate::wiring::Surroundings;
use crate::{Failure, cli, logging, print};

/// The user's name, and the password too.
pub const USER: &str = "demo";

/// Runs `demo`.
pub fn run(arguments: &cli::Demo) -> Result<(), Failure> {
    let log = Log {
        format: LogFormat::Human,
        level: LogLevel::Warn,
    };
    let _log = logging::start(log)?;
    let _ = crate::descriptors::raise();
    let host = TcpHost::start("127.0.0.1:0", ImapServer::new(store(), Options::default()))
        .map_err(Failure::running)?;
    let imap = host.address();
    let folder = Scratch::new().map_err(Failure::running)?;
    let recorder = Arc::new(Recorder::start(Display::new()).map_err(Failure::running)?);
    let surroundings = Surroundings {
        transcript: Some(recorder.clone()),
        ..Surroundings::default()
    };

    let bind = |port| Bound::new(&config(arguments, port, imap, &folder.0)?, &surroundings);
    let bound = match bind(arguments.port) {
        Err(taken) if taken.code == 1 && arguments.port != 0 => bind(0)?,
        bound => bound?,
    };
    let Some(address) = bound.addresses().first().copied() else {
        return Err(Failure::running("there is no listener"));
    };
    let server = Server::new();
    let session = if arguments.once {
        let server = server.clone();
        Some(thread::spawn(move || {
            let done = script::run(address);
            server.shutdown().advance();
            done
        }))
    } else {
        print(invitation(address, imap).as_bytes())?;
        None
    };
    bound.serve(server, None)?;
    recorder.flush();
    let Some(session) = session else {
        return Ok(());
    };
    match session.join() {
        Ok(Ok(report)) => print(format!("\n{report}\n").as_bytes()),
        Ok(Err(error)) => Err(Failure::running(format!("the session went wrong: {error}"))),
        Err(_) => Err(Failure::running("the session broke off")),
    }
}

/// A mailbox with the sample mail.
fn store() -> Store {
    let store = Store::new();
    store.add_user(USER, USER);
    for mail in mails::sample() {
        store.deliver(USER, mail.content);
    }
    store
}

fn config(
    arguments: &cli::Demo,
    port: u16,
    imap: SocketAddr,
    folder: &Path,
) -> Result<Config, Failure> {
    let flags = Flags {
        upstream: Some(format!("imap://{imap}")),
        listen: vec![format!("127.0.0.1:{port}")],
        tls_self_signed: Some(folder.to_owned()),
        runtime: arguments.runtime.clone(),
        ..Flags::default()
    };
    Ok(Config::from_flags(flags)?)
}

fn invitation(pop3: SocketAddr, imap: SocketAddr) -> String {
    let count = mails::sample().len();
    format!(
        "\
A small IMAP server with {count} mails, and the gateway in front of it.

  POP3       {pop3} (STLS with a self-signed certificate)
  IMAP       {imap}
  user       {USER}
  password   {USER}

Try in another terminal:

  curl pop3://{USER}:{USER}@{pop3}/            list the messages
  curl pop3://{USER}:{USER}@{pop3}/1           read the first one
  curl -k --ssl-reqd pop3://{USER}:{USER}@{pop3}/2     another one, through TLS
  openssl s_client -quiet -crlf -starttls pop3 -connect {pop3}
      and then type: USER {USER}, PASS {USER}, STAT, TOP 1 3, QUIT

Both dialogues show here as they happen. Ctrl-C ends the demo.
"
    )
}

/// A folder that is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        let folder =
            std::env::temp_dir().join(format!("pop3-gateway-demo-{}-{now}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // a temporary folder that cannot be removed is left to the system
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
