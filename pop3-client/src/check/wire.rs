//! A dialogue octet by octet: nothing is changed on the way out or in.

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use pop3_proto::stuffing::Unstuffer;

use crate::text;
use pop3_client_io::blocking::Stream;
use pop3_client_io::{Endpoint, TlsMode, Transcript};

/// No server sends a longer line.
const MAX_LINE: usize = 64 * 1024;

pub(super) struct Wire {
    stream: Stream,
    unread: Vec<u8>,
    transcript: Transcript,
    patience: Duration,
}

/// A status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) verdict: Status,
    /// The text after the indicator.
    pub(super) text: String,
    /// The whole line, made harmless.
    pub(super) line: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Err,
    /// A SASL challenge.
    Challenge,
    /// None of these.
    Other,
}

impl Reply {
    pub(super) fn is_ok(&self) -> bool {
        self.verdict == Status::Ok
    }

    pub(super) fn is_err(&self) -> bool {
        self.verdict == Status::Err
    }

    fn read(line: &[u8]) -> Self {
        let is = |indicator: &[u8]| {
            line.strip_prefix(indicator)
                .filter(|rest| matches!(rest.first(), None | Some(b' ')))
        };
        let (verdict, rest) = if let Some(rest) = is(b"+OK") {
            (Status::Ok, rest)
        } else if let Some(rest) = is(b"-ERR") {
            (Status::Err, rest)
        } else if let Some(rest) = line.strip_prefix(b"+") {
            (Status::Challenge, rest)
        } else {
            (Status::Other, line)
        };
        Self {
            verdict,
            text: String::from_utf8_lossy(rest.strip_prefix(b" ").unwrap_or(rest)).into_owned(),
            line: text::one_line(&String::from_utf8_lossy(line)),
        }
    }
}

impl Wire {
    pub(super) fn over(stream: Stream, transcript: &Transcript, patience: Duration) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            transcript: transcript.clone(),
            patience,
        }
    }

    /// Connects, with TLS only if it begins at once, and reads the greeting.
    pub(super) fn open(endpoint: &Endpoint, transcript: &Transcript) -> io::Result<(Self, Reply)> {
        let stream = Stream::dial(endpoint);
        let stream = stream.map_err(io::Error::other)?;
        let mut wire = Self::over(stream, transcript, endpoint.patience);
        if endpoint.tls == TlsMode::Implicit {
            wire.start_tls(endpoint)?;
        }
        let greeting = wire.status()?;
        Ok((wire, greeting))
    }

    pub(super) fn start_tls(&mut self, endpoint: &Endpoint) -> io::Result<()> {
        self.stream.start_tls(endpoint).map_err(io::Error::other)
    }

    /// Sends octets as they are; the transcript has `label`.
    pub(super) fn send(&mut self, octets: &[u8], label: &str) -> io::Result<()> {
        self.transcript.line("C", label);
        self.stream.set_patience(self.patience);
        self.stream.write_all(octets)?;
        self.stream.flush()
    }

    /// Sends a command without secrets and reads the status line.
    pub(super) fn ask(&mut self, command: &str) -> io::Result<Reply> {
        self.send(format!("{command}\r\n").as_bytes(), &text::cut(command, 80))?;
        self.status()
    }

    /// Sends a command with a secret.
    pub(super) fn ask_secretly(&mut self, verb: &str, secret: &[u8]) -> io::Result<Reply> {
        let mut line = zeroize::Zeroizing::new(Vec::with_capacity(verb.len() + secret.len() + 3));
        for part in [verb.as_bytes(), b" ", secret, b"\r\n"] {
            line.extend_from_slice(part);
        }
        self.send(&line, &format!("{verb} <secret>"))?;
        self.status()
    }

    /// Sends a command and reads a multi-line response, if the status line promises one.
    pub(super) fn ask_body(&mut self, command: &str) -> io::Result<(Reply, Vec<u8>)> {
        let reply = self.ask(command)?;
        let body = if reply.is_ok() {
            self.body()?
        } else {
            Vec::new()
        };
        Ok((reply, body))
    }

    pub(super) fn status(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        Ok(Reply::read(&line))
    }

    /// A line without its line end.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let end = loop {
            if let Some(end) = self.unread.iter().position(|octet| *octet == b'\n') {
                break end;
            }
            if self.unread.len() > MAX_LINE {
                return Err(io::Error::other("a line without end"));
            }
            self.fill(self.patience)?;
        };
        let mut line: Vec<u8> = self.unread.drain(..=end).collect();
        line.pop();
        line.pop_if(|octet| *octet == b'\r');
        let shown = text::one_line(&String::from_utf8_lossy(&line));
        self.transcript.line("S", &shown);
        Ok(line)
    }

    /// The octets of a multi-line response, without stuffing.
    pub(super) fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut unstuffer = Unstuffer::new();
        let mut body = Vec::new();
        loop {
            while !self.unread.is_empty() {
                let unstuffed = unstuffer.unstuff(&self.unread);
                body.extend_from_slice(unstuffed.bytes);
                let (consumed, end) = (unstuffed.consumed, unstuffed.end);
                // a CR may be held back and handed out with nothing taken
                let stuck = consumed == 0 && unstuffed.bytes.is_empty();
                self.unread.drain(..consumed);
                if end {
                    let octets = body.len();
                    self.transcript.line("S", &format!("<{octets} octets>"));
                    return Ok(body);
                }
                if stuck {
                    break;
                }
            }
            self.fill(self.patience)?;
        }
    }

    /// What comes unasked within this time.
    pub(super) fn overhear(&mut self, wait: Duration) -> io::Result<Option<String>> {
        if self.unread.is_empty() {
            match self.fill(wait) {
                Ok(()) => {}
                Err(error) if is_wait(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let line = self.line()?;
        Ok(Some(text::one_line(&String::from_utf8_lossy(&line))))
    }

    /// Whether the server ends the connection within this time.
    pub(super) fn is_closed_within(&mut self, wait: Duration) -> bool {
        let start = Instant::now();
        while let Some(left) = wait.checked_sub(start.elapsed()) {
            match self.fill(left) {
                Ok(()) => self.unread.clear(),
                Err(error) => return !is_wait(&error),
            }
        }
        false
    }

    /// Reads what there is; waits for it.
    fn fill(&mut self, wait: Duration) -> io::Result<()> {
        self.stream.set_patience(wait);
        let mut some = [0; 16 * 1024];
        match self.stream.read(&mut some)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.unread.extend_from_slice(&some[..n]);
                Ok(())
            }
        }
    }
}

/// Whether the server is silent, and nothing else is wrong.
fn is_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// What happened to the connection, for a finding.
pub(super) fn trouble(error: &io::Error) -> String {
    if is_wait(error) {
        "the server does not answer".into()
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        "the server closes the connection".into()
    } else {
        error.to_string()
    }
}
