//! Downloads a mailbox over a blocking socket, and deletes nothing:
//!
//! ```text
//! cargo run -p pop3-proto --example download -- 127.0.0.1:1100 tim tanstaaf folder
//! ```
//!
//! Each mail becomes a file that is named by its unique-id; what is there already is not fetched again.
//! In the clear, so for a machine of one's own alone.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the machine has none; its user does"
)]

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pop3_proto::client::{Client, Config, Credentials, Event, Method, Tag};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;
use pop3_proto::unique_id;

/// A client with its socket and its clock.
struct Connection {
    client: Client,
    socket: TcpStream,
    start: Instant,
}

impl Connection {
    fn open(address: &str) -> Result<Self, Box<dyn Error>> {
        let config = Config::default().clear_login(true);
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(config.patience))?;
        let client = Client::new(config, Time::ZERO);
        Ok(Self {
            client,
            socket,
            start: Instant::now(),
        })
    }

    fn now(&self) -> Time {
        Time::from_start(self.start.elapsed())
    }

    /// Waits until a command is done, or for the greeting, and shows what comes until then.
    fn finish(
        &mut self,
        wanted: Option<Tag>,
        mut show: impl FnMut(&Event<'_>) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        loop {
            while let Some(event) = self.client.poll_event() {
                show(&event)?;
                let ready = matches!(event, Event::Greeting { .. }) && wanted.is_none();
                if ready || matches!(event, Event::Done { tag, .. } if Some(tag) == wanted) {
                    return Ok(());
                } else if let Event::Refused { text, .. } = event {
                    return Err(text.into());
                } else if matches!(event, Event::Lost { .. } | Event::Closed(_)) {
                    return Err("the connection ended".into());
                }
            }
            let sent = self.socket.write(self.client.transmit())?;
            self.client.transmitted(self.now(), sent);
            if self.client.transmit().is_empty() {
                let mut buffer = vec![0; self.client.input_room().min(16 * 1024)];
                let read = self.socket.read(&mut buffer)?;
                match read {
                    0 => self.client.handle_eof(self.now()),
                    _ => assert_eq!(self.client.handle_input(self.now(), &buffer[..read]), read),
                }
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, password, folder] = arguments.as_slice() else {
        return Err("address, user, password and folder, please".into());
    };
    fs::create_dir_all(folder)?;

    let mut connection = Connection::open(address)?;
    connection.finish(None, |_| Ok(()))?;
    let secret = Secret::from(password.as_bytes());
    let credentials = Credentials::new(user, secret, Method::Plain);
    let login = connection.client.log_in(connection.now(), &credentials)?;
    connection.finish(Some(login), |_| Ok(()))?;

    let uidl = connection
        .client
        .send(connection.now(), &Command::Uidl(None))?;
    let mut mails = VecDeque::new();
    connection.finish(Some(uidl), |event| {
        if let Event::UniqueId { number, id, .. } = event {
            mails.push_back((*number, file_name(id)?));
        }
        Ok(())
    })?;
    for (number, name) in mails {
        let path = Path::new(folder).join(name);
        if !path.exists() {
            download(&mut connection, number, &path)?;
            println!("{}", path.display());
        }
    }
    let quit = connection.client.send(connection.now(), &Command::Quit)?;
    connection.finish(Some(quit), |_| Ok(()))
}

/// A mail has its name once it is whole.
fn download(
    connection: &mut Connection,
    number: MessageNumber,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    let part: PathBuf = path.with_extension("part");
    let mut file = File::create(&part)?;
    let retrieve = connection
        .client
        .send(connection.now(), &Command::Retr(number))?;
    connection.finish(Some(retrieve), |event| {
        if let Event::Body { bytes, .. } = event {
            file.write_all(bytes)?;
        }
        Ok(())
    })?;
    file.sync_all()?;
    Ok(fs::rename(part, path)?)
}

/// Unique-ids may hold a slash; what is written here holds letters and digits alone.
fn file_name(id: &[u8]) -> Result<String, Box<dyn Error>> {
    if !unique_id::is_valid(id) {
        return Err("the server's unique-ids are none".into());
    }
    let hex: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(format!("{hex}.eml"))
}
