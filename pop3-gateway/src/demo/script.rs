//! The session that `demo --once` runs by itself: what a careful client does, and what must come back.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use imap_test_server::mails;

use super::USER;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the session; says what was seen.
pub(super) fn run(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut client = Client {
        stream: BufReader::new(stream),
    };
    let expected: Vec<_> = mails::sample()
        .iter()
        .map(|mail| sent_form(&mail.content.to_vec()))
        .collect();

    client.status()?;
    client.multi_line("CAPA")?;
    client.line(&format!("USER {USER}"))?;
    client.line(&format!("PASS {USER}"))?;
    let octets: usize = expected.iter().map(Vec::len).sum();
    client.expect("STAT", &format!("+OK {} {octets}", expected.len()))?;
    client.multi_line("LIST")?;
    client.multi_line("UIDL")?;
    client.multi_line("TOP 1 2")?;
    for (number, mail) in (1..).zip(&expected) {
        if client.multi_line(&format!("RETR {number}"))? != *mail {
            return Err(io::Error::other(format!(
                "message {number} is not what the IMAP server has"
            )));
        }
    }
    client.line("DELE 1")?;
    client.line("RSET")?;
    client.line("QUIT")?;
    Ok(format!(
        "One session, {} messages, {octets} octets: all as the IMAP server has them.",
        expected.len()
    ))
}

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Sends a command and takes its status line, which must be good.
    fn line(&mut self, command: &str) -> io::Result<String> {
        self.stream
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())?;
        self.status()
    }

    /// The same, with the status line given.
    fn expect(&mut self, command: &str, status: &str) -> io::Result<()> {
        let got = self.line(command)?;
        if got == status {
            Ok(())
        } else {
            Err(io::Error::other(format!("{command}: {got}")))
        }
    }

    /// Sends a command and takes what follows its status line, unstuffed.
    fn multi_line(&mut self, command: &str) -> io::Result<Vec<u8>> {
        self.line(command)?;
        let mut octets = Vec::new();
        loop {
            let line = self.read()?;
            if line == b".\r\n" {
                return Ok(octets);
            }
            octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn status(&mut self) -> io::Result<String> {
        let line = String::from_utf8_lossy(&self.read()?).trim_end().to_owned();
        if line.starts_with("+OK") {
            Ok(line)
        } else {
            Err(io::Error::other(line))
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.ends_with(b"\r\n") {
            Ok(line)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// A message as POP3 sends it: every line ends with CRLF.
fn sent_form(stored: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(stored.len());
    for line in stored.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        sent.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        sent.extend_from_slice(b"\r\n");
    }
    sent
}
