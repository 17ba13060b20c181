//! All transitions of a [`Client`]: what is read next, what may be sent next.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::Client;
use super::event::{Close, Event, ServerFault, Tag};
use super::flight::{Flight, Kind, Listing, Queued, Step};
use super::input::TooLong;
use super::reply::{self, Status};
use super::wire::Wire;
use crate::capability::Capability;
use crate::response::ResponseCode;
use crate::stuffing::Unstuffer;

/// The most that a CAPA response may say.
const MAX_CAPABILITIES: usize = 200;

/// What the next bytes from the server are.
#[derive(Debug)]
pub(super) enum Reading {
    /// The greeting.
    Greeting,
    /// The status line of the first command in flight, or a challenge.
    Status,
    /// The lines of its response.
    Lines(Listing),
    /// The message of its response.
    Body { unstuffer: Unstuffer, octets: u64 },
    /// Its response is complete; that has to be reported.
    Finished,
    /// It is the caller's turn to answer a challenge.
    Answer,
    /// The TLS handshake goes on outside.
    Handshake,
    /// It is over; that has to be reported for every command that is left.
    Ending(Close),
    /// Everything is reported.
    Closed,
}

/// What a transition led to.
enum Next {
    /// Something to report.
    Report(Step),
    /// Something changed; look again.
    Again,
    /// More bytes are needed, or the caller has to do something.
    Wait,
}

impl Client {
    /// Runs until there is something to report or nothing more to do.
    pub(super) fn step(&mut self) -> Option<Step> {
        loop {
            // first, so that nothing changes between a report and its lending
            self.advance();
            let next = match &self.reading {
                Reading::Greeting => self.read_greeting(),
                Reading::Status => self.read_status(),
                Reading::Lines(listing) => self.read_line(*listing),
                Reading::Body { .. } => self.read_body(),
                Reading::Finished => self.finish(),
                Reading::Answer | Reading::Handshake => Next::Wait,
                Reading::Ending(_) => self.report_end(),
                Reading::Closed => return None,
            };
            match next {
                Next::Report(step) => return Some(step),
                Next::Again => {}
                Next::Wait if self.eof => self.end(Close::Eof),
                Next::Wait => return None,
            }
        }
    }

    /// Sends what may be sent.
    pub(super) fn advance(&mut self) {
        while let Some(next) = self.queue.front() {
            let may_send = match self.reading {
                Reading::Status | Reading::Lines(_) | Reading::Body { .. } | Reading::Finished => {
                    let room = self.flights.len() < self.window();
                    let mixes = |front: &Flight| !front.alone && !next.flight.alone;
                    self.flights
                        .front()
                        .is_none_or(|front| room && mixes(front))
                }
                Reading::Greeting
                | Reading::Answer
                | Reading::Handshake
                | Reading::Ending(_)
                | Reading::Closed => false,
            };
            if !may_send {
                return;
            }
            let Some(Queued { wire, flight }) = self.queue.pop_front() else {
                return;
            };
            let first = self.flights.is_empty();
            self.flights.push_back(flight);
            if first {
                self.write(&wire);
            } else {
                self.transcript.sent(&wire.label);
                self.output.push(&wire.bytes);
            }
        }
    }

    /// Sends a line; only its response may come next.
    pub(super) fn write(&mut self, wire: &Wire) {
        if self.input.is_empty() {
            self.transcript.sent(&wire.label);
            self.output.push(&wire.bytes);
        } else {
            self.end_unasked();
        }
    }

    /// It is over, once everything is reported.
    pub(super) fn end(&mut self, close: Close) {
        if !matches!(self.reading, Reading::Ending(_) | Reading::Closed) {
            self.reading = Reading::Ending(close);
            self.input.clear();
            self.output.clear();
        }
    }

    fn window(&self) -> usize {
        if self.capabilities.contains(&Capability::Pipelining) {
            self.config.window
        } else {
            1
        }
    }

    fn fail(&mut self, fault: ServerFault) -> Next {
        self.end(Close::Server(fault));
        Next::Again
    }

    fn end_unasked(&mut self) {
        let start = &self.input.unread()[..self.input.unread().len().min(self.config.line_limit)];
        let line = start
            .split(|b| matches!(b, b'\r' | b'\n'))
            .next()
            .unwrap_or_default();
        self.transcript.received(line);
        let text = reply::printable(line);
        self.end(Close::Server(ServerFault::Unasked(text)));
    }

    /// The place of the next line; `Err` says what to do without one.
    fn line(&mut self) -> Result<Range<usize>, Next> {
        match self.input.line(self.config.line_limit) {
            Ok(Some(place)) => {
                self.transcript.received(self.input.at(place.clone()));
                Ok(place)
            }
            Ok(None) => Err(Next::Wait),
            Err(TooLong) => Err(self.fail(ServerFault::LineTooLong)),
        }
    }

    fn read_greeting(&mut self) -> Next {
        let place = match self.line() {
            Ok(place) => place,
            Err(next) => return next,
        };
        let line = self.input.at(place);
        match reply::status(line) {
            Some(Status::Ok(text)) => {
                self.timestamp = crate::apop::find_timestamp(text).map(Into::into);
                let text = reply::printable(text);
                self.reading = Reading::Status;
                report(Event::Greeting {
                    text,
                    timestamp: self.timestamp.clone(),
                })
            }
            Some(Status::Err(text)) => {
                let (code, text) = reply::code(text);
                let text = reply::printable(text);
                self.end(Close::Rejected { code, text });
                Next::Again
            }
            Some(Status::Challenge(_)) | None => {
                let text = reply::printable(line);
                self.fail(ServerFault::NoStatus(text))
            }
        }
    }

    fn read_status(&mut self) -> Next {
        if self.flights.is_empty() {
            if self.input.is_empty() {
                return Next::Wait;
            }
            self.end_unasked();
            return Next::Again;
        }
        let place = match self.line() {
            Ok(place) => place,
            Err(next) => return next,
        };
        let line = self.input.at(place.clone());
        match reply::status(line) {
            Some(Status::Ok(text)) => {
                let text = place.end - text.len()..place.end;
                self.accepted(text)
            }
            Some(Status::Err(text)) => {
                let (code, text) = reply::code(text);
                let text = reply::printable(text);
                self.refused(code, text)
            }
            Some(Status::Challenge(data)) => {
                let data = reply::challenge(data);
                self.challenged(data, place)
            }
            None => {
                let text = reply::printable(line);
                self.fail(ServerFault::NoStatus(text))
            }
        }
    }

    /// `+OK`; the place is that of its text.
    fn accepted(&mut self, place: Range<usize>) -> Next {
        let Some(flight) = self.flights.front_mut() else {
            return Next::Wait;
        };
        let tag = flight.tag;
        let text = self.input.at(place.clone());
        let malformed = Next::Report(Step::Malformed(tag, place.clone()));
        flight.text = reply::printable(reply::code(text).1);
        self.reading = Reading::Finished;
        match &mut flight.kind {
            Kind::Line | Kind::Quit | Kind::Challenges => Next::Again,
            Kind::Stat => reply::two_numbers(text).map_or(malformed, |(messages, octets)| {
                report(Event::Stat {
                    tag,
                    messages,
                    octets,
                })
            }),
            Kind::Size => size(tag, text).map_or(malformed, report),
            Kind::UniqueId => unique_id(tag, text, place).unwrap_or(malformed),
            Kind::Listing(listing) => {
                self.reading = Reading::Lines(*listing);
                if matches!(listing, Listing::Capabilities) {
                    self.capabilities.clear();
                }
                Next::Again
            }
            Kind::Body => {
                let size = reply::first_number(text);
                self.reading = Reading::Body {
                    unstuffer: Unstuffer::new(),
                    octets: 0,
                };
                report(Event::BodyStart { tag, size })
            }
            Kind::Tls if self.input.is_empty() => {
                self.reading = Reading::Handshake;
                report(Event::StartTls { tag })
            }
            Kind::Tls => self.fail(ServerFault::ClearTextAfterStls),
            Kind::Login(flow) => {
                if let Some(wire) = flow.accepted() {
                    self.reading = Reading::Status;
                    self.write(&wire);
                }
                Next::Again
            }
        }
    }

    /// `-ERR`.
    fn refused(&mut self, code: Option<ResponseCode>, text: String) -> Next {
        let codes_are_sure = self.capabilities.contains(&Capability::AuthRespCode);
        let Some(flight) = self.flights.front_mut() else {
            return Next::Wait;
        };
        if let Kind::Login(flow) = &mut flight.kind
            && let Some(wire) = flow.refused(code, codes_are_sure)
        {
            self.write(&wire);
            return Next::Again;
        }
        let tag = flight.tag;
        self.land();
        report(Event::Refused { tag, code, text })
    }

    /// `+` and a challenge; `None` if it is not base64.
    fn challenged(&mut self, data: Option<Vec<u8>>, place: Range<usize>) -> Next {
        let Some(flight) = self.flights.front_mut() else {
            return Next::Wait;
        };
        let tag = flight.tag;
        let wire = match &mut flight.kind {
            Kind::Challenges => match data {
                Some(data) => {
                    self.reading = Reading::Answer;
                    return report(Event::Challenge { tag, data });
                }
                None => Some(Wire::cancel()),
            },
            Kind::Login(flow) => flow.challenged(data.as_deref()),
            Kind::Line
            | Kind::Quit
            | Kind::Stat
            | Kind::Size
            | Kind::UniqueId
            | Kind::Listing(_)
            | Kind::Body
            | Kind::Tls => None,
        };
        let Some(wire) = wire else {
            let text = reply::printable(self.input.at(place));
            return self.fail(ServerFault::NoStatus(text));
        };
        self.write(&wire);
        Next::Again
    }

    fn read_line(&mut self, listing: Listing) -> Next {
        let mut place = match self.line() {
            Ok(place) => place,
            Err(next) => return next,
        };
        let Some(flight) = self.flights.front() else {
            return Next::Wait;
        };
        let tag = flight.tag;
        if self.input.at(place.clone()) == b"." {
            self.reading = Reading::Finished;
            return match listing {
                Listing::Capabilities => Next::Report(Step::Capabilities(tag)),
                Listing::Sizes | Listing::UniqueIds | Listing::Lines => Next::Again,
            };
        }
        if self.input.at(place.clone()).starts_with(b".") {
            place.start += 1;
        }
        let line = self.input.at(place.clone());
        let malformed = Next::Report(Step::Malformed(tag, place.clone()));
        match listing {
            Listing::Capabilities if self.capabilities.len() == MAX_CAPABILITIES => {
                self.fail(ServerFault::TooManyCapabilities)
            }
            Listing::Capabilities => {
                self.capabilities.extend(reply::printable(line).parse());
                Next::Again
            }
            Listing::Sizes => size(tag, line).map_or(malformed, report),
            Listing::UniqueIds => unique_id(tag, line, place).unwrap_or(malformed),
            Listing::Lines => Next::Report(Step::Line(tag, place)),
        }
    }

    fn read_body(&mut self) -> Next {
        let Reading::Body { unstuffer, octets } = &mut self.reading else {
            return Next::Again;
        };
        let Some(flight) = self.flights.front() else {
            return Next::Wait;
        };
        let unstuffed = unstuffer.unstuff(self.input.unread());
        let (consumed, length, ends) = (unstuffed.consumed, unstuffed.bytes.len(), unstuffed.end);
        *octets += length as u64;
        if ends {
            self.transcript.received_body(*octets);
            self.reading = Reading::Finished;
        }
        let place = self.input.read(consumed);
        match (length, ends) {
            (0, true) => Next::Again,
            (0, false) => Next::Wait,
            // held back from an earlier piece of input
            (1, _) if consumed == 0 => report(Event::Body {
                tag: flight.tag,
                bytes: b"\r",
            }),
            _ => Next::Report(Step::Body(flight.tag, place.end - length..place.end)),
        }
    }

    fn finish(&mut self) -> Next {
        let Some(Flight { tag, text, .. }) = self.land() else {
            return Next::Wait;
        };
        report(Event::Done { tag, text })
    }

    /// Takes the first command out of flight.
    fn land(&mut self) -> Option<Flight> {
        let flight = self.flights.pop_front()?;
        self.reading = Reading::Status;
        if matches!(flight.kind, Kind::Quit) {
            self.end(Close::Quit);
        }
        Some(flight)
    }

    fn report_end(&mut self) -> Next {
        let left = self.flights.pop_front();
        if let Some(left) = left.or_else(|| self.queue.pop_front().map(|queued| queued.flight)) {
            return report(Event::Lost { tag: left.tag });
        }
        match core::mem::replace(&mut self.reading, Reading::Closed) {
            Reading::Ending(close) => report(Event::Closed(close)),
            Reading::Greeting
            | Reading::Status
            | Reading::Lines(_)
            | Reading::Body { .. }
            | Reading::Finished
            | Reading::Answer
            | Reading::Handshake
            | Reading::Closed => Next::Again,
        }
    }
}

const fn report(event: Event<'static>) -> Next {
    Next::Report(Step::Whole(event))
}

fn size(tag: Tag, line: &[u8]) -> Option<Event<'static>> {
    let (number, rest) = reply::entry(line)?;
    Some(Event::Size {
        tag,
        number,
        octets: reply::first_number(rest)?,
    })
}

fn unique_id(tag: Tag, line: &[u8], place: Range<usize>) -> Option<Next> {
    let (number, id) = reply::entry(line)?;
    // it ends where the line ends, but for white space
    let end = place.start + line.trim_ascii_end().len();
    Some(Next::Report(Step::UniqueId(
        tag,
        number,
        end - id.len()..end,
    )))
}
