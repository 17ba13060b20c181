//! Octets between the connection and the machine, and events out of it: the only loop of a session.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use pop3_proto::client::{Close, Event, Tag};
use pop3_proto::command::Command;
use pop3_proto::time::Time;

use super::{Error, Refusal, Session};

/// Whether more is expected.
pub(super) enum Step {
    More,
    Enough,
}

impl Session {
    pub(super) fn send(&mut self, command: &Command) -> Result<Tag, Error> {
        self.client
            .send(self.now(), command)
            .map_err(|cause| Error::Unsendable {
                what: command.to_string(),
                cause,
            })
    }

    /// Sends a command and waits for its end.
    pub(super) fn ask(
        &mut self,
        command: &Command,
        take: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Error> {
        let tag = self.send(command)?;
        self.until(tag, command, take)
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    pub(super) fn until(
        &mut self,
        tag: Tag,
        command: &Command,
        take: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Error> {
        let is_listing = matches!(command, Command::List(None) | Command::Uidl(None));
        let mut verdict = Ok(());
        self.pump(&mut |event| {
            let step = match &event {
                Event::Done { tag: of, .. } if *of == tag => Step::Enough,
                Event::Refused {
                    tag: of,
                    code,
                    text,
                } if *of == tag => {
                    verdict = Err(Error::Refused {
                        what: command.to_string(),
                        refusal: Refusal {
                            code: *code,
                            text: text.clone(),
                        },
                    });
                    Step::Enough
                }
                // one bad line of a listing must not hide the others (qB6)
                Event::Malformed { bytes, .. } if !is_listing => {
                    verdict = Err(nonsense(command, bytes));
                    Step::More
                }
                _ => Step::More,
            };
            take(event);
            Ok(step)
        })?;
        verdict
    }

    /// Moves octets and events until `take` has enough. Any error is the end of the session.
    pub(super) fn pump(
        &mut self,
        take: &mut dyn FnMut(Event<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        if self.over {
            return Err(Error::Closed(Close::Eof));
        }
        let outcome = self.exchange(take);
        self.over |= outcome.is_err();
        outcome
    }

    fn exchange(
        &mut self,
        take: &mut dyn FnMut(Event<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let mut enough = false;
            while let Some(event) = (!enough).then(|| self.client.poll_event()).flatten() {
                if let Event::Closed(close) = event {
                    self.log();
                    return Err(Error::Closed(close));
                }
                let step = take(event);
                self.log();
                enough = matches!(step?, Step::Enough);
            }
            self.log();
            self.flush()?;
            if enough {
                return Ok(());
            }
            self.read(&mut buffer)?;
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        while !self.client.transmit().is_empty() {
            match self.stream.write(self.client.transmit()) {
                Ok(0) => return Err(Error::Broken(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.client.transmitted(self.now(), n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Broken(error)),
            }
        }
        self.stream.flush().map_err(Error::Broken)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let now = self.now();
        let wait = match self.client.poll_timeout() {
            Some((deadline, _)) if deadline <= now => {
                self.client.handle_timeout(now);
                return Ok(());
            }
            Some((deadline, _)) => deadline.since(now),
            // nothing is expected: an event is due that lets the loop go on
            None => Duration::from_secs(1),
        };
        self.stream.set_patience(wait).map_err(Error::Broken)?;
        let room = buffer.len().min(self.client.input_room());
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => self.client.handle_eof(self.now()),
            Ok(n) => {
                let now = self.now();
                self.client.handle_input(now, &buffer[..n]);
            }
            Err(error) if is_wait(&error) => {}
            Err(error) => return Err(Error::Broken(error)),
        }
        Ok(())
    }

    fn log(&mut self) {
        while let Some(trace) = self.client.poll_trace() {
            self.transcript.trace(&trace);
        }
    }

    pub(super) fn now(&self) -> Time {
        Time::from_start(self.clock.elapsed())
    }
}

pub(crate) fn is_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

pub(super) fn nonsense(command: &Command, line: &[u8]) -> Error {
    Error::Nonsense {
        what: command.to_string(),
        line: crate::text::one_line(&String::from_utf8_lossy(line)),
    }
}
