//! One connection of the test server.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use rustls::{ServerConnection, StreamOwned};

use super::{Fault, Message, PASSWORD, Quit, STAMP, Shared, TOKEN, USER};

enum Way {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

struct Connection<'a> {
    shared: &'a Shared,
    way: Way,
    unread: Vec<u8>,
    /// How many octets may still be sent.
    left: Option<u64>,
    nth: u64,
    /// The command that is being answered.
    line: String,
    user: Option<String>,
    inside: bool,
    snapshot: Vec<Message>,
    marked: BTreeSet<usize>,
}

pub(crate) fn serve(shared: &Shared, socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let nth = shared.connections.fetch_add(1, Ordering::SeqCst);
    let mut connection = Connection {
        shared,
        way: Way::Clear(socket),
        unread: Vec::new(),
        left: (shared.behaviour.cuts)(nth),
        nth,
        line: String::new(),
        user: None,
        inside: false,
        snapshot: Vec::new(),
        marked: BTreeSet::new(),
    };
    if shared.behaviour.implicit {
        connection = connection.start_tls()?;
    }
    let stamp = if shared.behaviour.stamp { STAMP } else { "" };
    connection.say(&format!("+OK ready {stamp}"))?;
    loop {
        let line = connection.line()?;
        shared.heard.lock().unwrap().push(line.clone());
        connection.line.clone_from(&line);
        if line == "STLS" && shared.behaviour.stls && matches!(connection.way, Way::Clear(_)) {
            connection.say("+OK go on")?;
            if connection.fault() != Some(Fault::F18) {
                if !connection.unread.is_empty() {
                    return Ok(());
                }
                connection.user = None;
            }
            connection = connection.start_tls()?;
        } else if line == "QUIT" {
            return connection.quit();
        } else {
            connection.obey(&line)?;
        }
    }
}

impl Connection<'_> {
    fn fault(&self) -> Option<Fault> {
        self.shared.behaviour.fault
    }

    fn start_tls(self) -> io::Result<Self> {
        let Way::Clear(socket) = self.way else {
            return Ok(self);
        };
        let config = self.shared.certificate.config.clone();
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let way = Way::Tls(Box::new(StreamOwned::new(connection, socket)));
        Ok(Self { way, ..self })
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_string());
            }
            let mut some = [0; 4096];
            let n = match &mut self.way {
                Way::Clear(socket) => socket.read(&mut some)?,
                Way::Tls(stream) => stream.read(&mut some)?,
            };
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.unread.extend_from_slice(&some[..n]);
        }
    }

    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let octets = (self.shared.behaviour.twist)(&self.line, octets.to_vec());
        let allowed = self.left.map_or(octets.len(), |left| {
            octets.len().min(usize::try_from(left).unwrap())
        });
        match &mut self.way {
            Way::Clear(socket) => socket.write_all(&octets[..allowed])?,
            Way::Tls(stream) => {
                stream.write_all(&octets[..allowed])?;
                stream.flush()?;
            }
        }
        if let Some(left) = &mut self.left {
            *left -= allowed as u64;
        }
        if allowed < octets.len() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.send(format!("{line}\r\n").as_bytes())
    }

    fn lines(&mut self, lines: &[String]) -> io::Result<()> {
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(format!("+OK\r\n{text}.\r\n").as_bytes())
    }

    fn quit(&mut self) -> io::Result<()> {
        if self.inside && self.shared.behaviour.quit_fails {
            return self.say("-ERR [SYS/TEMP] some messages were not removed");
        }
        let fate = (self.shared.behaviour.quit)(self.nth);
        if fate == Quit::LostBefore {
            return Ok(());
        }
        if self.inside && matches!(fate, Quit::Done | Quit::LostAfter | Quit::RefusedAfter) {
            let gone: BTreeSet<_> = self
                .marked
                .iter()
                .map(|place| &self.snapshot[*place])
                .collect();
            let mut mailbox = self.shared.mailbox.lock().unwrap();
            mailbox.retain(|message| !gone.contains(message));
        }
        match fate {
            Quit::LostBefore | Quit::LostAfter => Ok(()),
            Quit::RefusedBefore | Quit::RefusedAfter => {
                self.say("-ERR [SYS/TEMP] some messages were not removed")
            }
            Quit::Done | Quit::Lie => self.say("+OK bye"),
        }
    }

    fn obey(&mut self, line: &str) -> io::Result<()> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        if line.len() > 1000 {
            return self.say("-ERR too long");
        }
        match (verb.as_str(), self.inside) {
            ("CAPA", _) => match &self.shared.behaviour.capabilities {
                None => self.say("-ERR unknown"),
                Some(capabilities) => {
                    let mut lines: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
                    let clear = matches!(self.way, Way::Clear(_));
                    if self.shared.behaviour.stls && clear && !self.inside {
                        lines.push("STLS".into());
                    }
                    self.lines(&lines)
                }
            },
            ("USER", false) if !rest.is_empty() => {
                self.user = Some(rest.into());
                self.say("+OK")
            }
            ("PASS", false) if self.user.is_some() => {
                if self.fault() == Some(Fault::F19) && rest.contains(' ') && rest != PASSWORD {
                    return self.say("-ERR syntax error");
                }
                let good = self.user.take().as_deref() == Some(USER) && rest == PASSWORD;
                self.verdict(good)
            }
            ("APOP", false) => {
                let digest = pop3_proto::apop::digest(
                    STAMP,
                    &pop3_proto::secret::Secret::from(PASSWORD.as_bytes()),
                );
                let wanted = format!("{USER} {}", pop3_proto::apop::to_hex(&digest).as_str());
                self.verdict(rest == wanted && self.shared.behaviour.stamp)
            }
            ("AUTH", false) => self.auth(rest),
            ("UTF8", false) if self.fault() != Some(Fault::F19) => self.say("+OK"),
            ("NOOP", true) => self.say("+OK"),
            ("RSET", true) => {
                self.marked.clear();
                self.say("+OK")
            }
            ("STAT", true) => {
                let (count, sum) = self
                    .visible()
                    .iter()
                    .fold((0, 0), |(count, sum), (_, place)| {
                        (count + 1, sum + self.size(*place))
                    });
                self.say(&format!("+OK {count} {sum}"))
            }
            ("LIST", true) => {
                self.listing(rest, |connection, place| connection.size(place).to_string())
            }
            ("UIDL", true) if self.shared.behaviour.uidl => self
                .listing(rest, |connection, place| {
                    connection.snapshot[place].0.clone()
                }),
            ("RETR" | "TOP", true) => self.send_message(&verb, rest),
            ("DELE", true) => match self.place(rest) {
                Some(place) => {
                    self.marked.insert(place);
                    self.say("+OK")
                }
                None => self.say("-ERR no such message"),
            },
            _ => self.say("-ERR no"),
        }
    }

    fn verdict(&mut self, good: bool) -> io::Result<()> {
        if !good {
            return self.say("-ERR [AUTH] no");
        }
        self.inside = true;
        self.snapshot = self.shared.mailbox.lock().unwrap().clone();
        self.say("+OK in")
    }

    fn auth(&mut self, rest: &str) -> io::Result<()> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let encode = |text: &str| base64(text.as_bytes());
        match mechanism {
            "" => self.lines(&[
                "PLAIN".into(),
                "LOGIN".into(),
                "CRAM-MD5".into(),
                "XOAUTH2".into(),
            ]),
            "PLAIN" | "XOAUTH2" => {
                let answer = if initial.is_empty() {
                    self.say("+ ")?;
                    self.line()?
                } else {
                    initial.into()
                };
                let plain = encode(&format!("\0{USER}\0{PASSWORD}"));
                let token = encode(&format!("user={USER}\x01auth=Bearer {TOKEN}\x01\x01"));
                if answer == "*" {
                    return self.say("-ERR given up");
                }
                self.verdict(answer == if mechanism == "PLAIN" { plain } else { token })
            }
            "LOGIN" => {
                self.say("+ VXNlcm5hbWU6")?;
                let user = self.line()?;
                self.say("+ UGFzc3dvcmQ6")?;
                let password = self.line()?;
                self.verdict(user == encode(USER) && password == encode(PASSWORD))
            }
            "CRAM-MD5" => {
                self.say(&format!("+ {}", encode(STAMP)))?;
                let answer = self.line()?;
                // this server keeps digests only, and so no password for this user
                let _ = answer;
                self.say("-ERR [AUTH] no")
            }
            _ => self.say("-ERR no such mechanism"),
        }
    }

    /// Numbers and places of what is not marked.
    fn visible(&self) -> Vec<(usize, usize)> {
        let all = (0..self.snapshot.len())
            .filter(|place| self.fault() == Some(Fault::F15) || !self.marked.contains(place));
        if self.fault() == Some(Fault::F20) {
            return all.enumerate().map(|(at, place)| (at + 1, place)).collect();
        }
        all.map(|place| (place + 1, place)).collect()
    }

    fn place(&self, number: &str) -> Option<usize> {
        let digits = !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit());
        let mut number = digits.then(|| number.parse::<usize>().ok()).flatten()?;
        if self.fault() == Some(Fault::F15) {
            number = number.max(1);
        }
        if self.fault().is_none() {
            let place = number.checked_sub(1)?;
            return (place < self.snapshot.len() && !self.marked.contains(&place)).then_some(place);
        }
        let visible = self.visible();
        visible
            .iter()
            .find(|(of, _)| *of == number)
            .map(|(_, place)| *place)
    }

    fn size(&self, place: usize) -> u64 {
        let octets = &self.snapshot[place].1;
        let repaired = octets.iter().filter(|octet| **octet == b'\r').count();
        let before = if self.fault() == Some(Fault::F17) {
            repaired
        } else {
            0
        };
        (octets.len() - before) as u64
    }

    fn listing(&mut self, rest: &str, show: impl Fn(&Self, usize) -> String) -> io::Result<()> {
        if rest.is_empty() {
            let lines: Vec<_> = self
                .visible()
                .into_iter()
                .map(|(number, place)| format!("{number} {}", show(self, place)))
                .collect();
            return self.lines(&lines);
        }
        match self.place(rest) {
            Some(place) => {
                let line = format!("+OK {rest} {}", show(self, place));
                self.say(&line)
            }
            None => self.say("-ERR no such message"),
        }
    }

    fn send_message(&mut self, verb: &str, rest: &str) -> io::Result<()> {
        let (number, lines) = rest.split_once(' ').unwrap_or((rest, ""));
        let Some(place) = self.place(number) else {
            return self.say("-ERR no such message");
        };
        let octets = self.snapshot[place].1.clone();
        let octets = match (verb, lines.parse::<usize>()) {
            ("TOP", Ok(lines)) => top(&octets, lines, self.fault() == Some(Fault::F14)),
            ("TOP", Err(_)) => return self.say("-ERR two numbers"),
            _ => octets,
        };
        let mut wire = format!("+OK {} octets\r\n", self.size(place)).into_bytes();
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        if !wire.ends_with(b"\r\n") {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        self.send(&wire)
    }
}

fn top(octets: &[u8], lines: usize, faulty: bool) -> Vec<u8> {
    let all: Vec<_> = octets.split_inclusive(|octet| *octet == b'\n').collect();
    let head = all
        .iter()
        .position(|line| *line == b"\r\n")
        .map_or(all.len(), |at| at + 1);
    let until = match (faulty, lines) {
        (true, 0) => all.len(),
        (true, lines) => lines,
        (false, lines) => head.saturating_add(lines),
    };
    all[..until.min(all.len())].concat()
}

pub(super) fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0u32, |bits, octet| bits << 8 | u32::from(*octet))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}
