//! Transitions in TRANSACTION: the maildrop's commands, listings and messages on their way.

use alloc::string::String;
use core::fmt::Write;

use crate::backend::{Access, Failure, FailureKind, Index, Part, Request, Ticket};
use crate::command::{Command, MessageNumber};
use crate::response::ResponseCode;
use crate::server::event::Reason;
use crate::server::maildrop::Maildrop;
use crate::server::session::{OUTPUT_FULL, Session};
use crate::server::standing::{Listing, Retrieval, Running, State};
use crate::stuffing::Stuffer;
use crate::trace::Direction;

impl Session {
    pub(in crate::server) fn command_in_transaction(&mut self, command: Command) {
        match command {
            Command::Capa => self.capa(),
            Command::Lang(tag) => self.lang(tag.as_deref()),
            Command::Stat => {
                let (count, octets) = self.maildrop().map_or((0, 0), Maildrop::stat);
                self.good();
                self.send_ok(format_args!("{count} {octets}"));
            }
            Command::List(Some(number)) => self.list_one(Listing::Sizes, number),
            Command::Uidl(Some(number)) => self.list_one(Listing::UniqueIds, number),
            Command::List(None) => self.list(Listing::Sizes),
            Command::Uidl(None) => self.list(Listing::UniqueIds),
            Command::Retr(number) => self.retrieve(number, Part::Whole),
            Command::Top(number, lines) => self.retrieve(number, Part::Top { lines }),
            Command::Dele(number) => match self.find(number) {
                _ if self.access == Access::ReadOnly => {
                    self.send_err(
                        Some(ResponseCode::ReadOnly),
                        "the maildrop is open for reading only",
                    );
                }
                None => self.no_such_message(),
                Some(index) => {
                    if let State::Transaction(maildrop, _) = &mut self.state {
                        maildrop.delete(index);
                    }
                    self.good();
                    self.send_ok(format_args!("message {} marked", number.0));
                }
            },
            Command::Noop => {
                self.good();
                self.send_ok(format_args!("nothing done"));
            }
            Command::Rset => {
                if let State::Transaction(maildrop, _) = &mut self.state {
                    maildrop.reset();
                }
                self.good();
                self.send_ok(format_args!("no message is marked"));
            }
            Command::Quit => {
                let lists = self
                    .maildrop()
                    .map(|m| (m.deleted_list(), m.retrieved_list()));
                let (deleted, retrieved) = lists.unwrap_or_default();
                self.summary.not_deleted = deleted.len() as u64;
                self.request(Request::Update { deleted, retrieved });
                self.enter(State::Updating);
            }
            Command::User(_)
            | Command::Pass(_)
            | Command::Apop { .. }
            | Command::AuthList
            | Command::Auth { .. }
            | Command::Stls
            | Command::Utf8
            | Command::Xpro => self.bad("only before login"),
        }
    }

    pub(in crate::server) fn list_one(&mut self, what: Listing, number: MessageNumber) {
        let Some((maildrop, index)) = self.maildrop().and_then(|m| Some((m, m.find(number)?)))
        else {
            return self.no_such_message();
        };
        let mut line = String::new();
        // writing to a String cannot fail
        let _ = match what {
            Listing::Sizes => write!(line, "{} {}", number.0, maildrop.size(index)),
            Listing::UniqueIds => {
                let id = maildrop.unique_id(index).iter().copied().map(char::from);
                let id: String = id.collect();
                write!(line, "{} {id}", number.0)
            }
        };
        self.good();
        self.send_ok(format_args!("{line}"));
    }

    pub(in crate::server) fn list(&mut self, what: Listing) {
        let (count, octets) = self.maildrop().map_or((0, 0), Maildrop::stat);
        self.good();
        self.send_ok(format_args!("{count} messages, {octets} octets"));
        let next = self.maildrop().and_then(|m| m.next_from(Index(0)));
        let lines = 0;
        self.run(Running::Listing { what, next, lines });
    }

    /// Goes on with a listing while there is room; returns whether it is complete.
    pub(in crate::server) fn list_on(&mut self) -> bool {
        let State::Transaction(maildrop, running) = &mut self.state else {
            return true;
        };
        let Running::Listing { what, next, lines } = running else {
            return true;
        };
        while let Some(index) = *next {
            if self.output.len() >= OUTPUT_FULL {
                return false;
            }
            let (mut number, mut size) = (itoa::Buffer::new(), itoa::Buffer::new());
            let number = number.format(index.0 + 1).as_bytes();
            let rest = match what {
                Listing::Sizes => size.format(maildrop.size(index)).as_bytes(),
                Listing::UniqueIds => maildrop.unique_id(index),
            };
            for piece in [number, b" ", rest, b"\r\n"] {
                self.output.extend_from_slice(piece);
            }
            *lines += 1;
            *next = index
                .0
                .checked_add(1)
                .and_then(|after| maildrop.next_from(Index(after)));
        }
        self.output.extend_from_slice(b".\r\n");
        let lines = *lines;
        self.run(Running::Nothing);
        self.moments.activity = self.moments.now;
        self.note(Direction::Sent, format_args!("<{lines} lines>"));
        self.note(Direction::Sent, format_args!("."));
        true
    }

    pub(in crate::server) fn retrieve(&mut self, number: MessageNumber, part: Part) {
        let Some(index) = self.find(number) else {
            return self.no_such_message();
        };
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = Ticket(self.next_ticket);
        self.request(Request::Retrieve {
            ticket,
            index,
            part,
        });
        let retrieval = Retrieval {
            ticket,
            index,
            part,
            stuffer: None,
        };
        self.run(Running::Retrieving(retrieval));
    }

    pub(in crate::server) fn body_start(&mut self, ticket: Ticket, size: Option<u64>) {
        let Some(retrieval) = self.retrieval(ticket).filter(|r| !r.has_begun()) else {
            return;
        };
        let (stuffer, size) = match retrieval.part {
            Part::Whole => (Stuffer::whole(), size),
            Part::Top { lines } => (Stuffer::top(lines), None),
        };
        let number = retrieval.index.0 + 1;
        retrieval.stuffer = Some(stuffer);
        self.good();
        match size {
            Some(size) => self.send_ok(format_args!("{size} octets")),
            None => self.send_ok(format_args!("message {number} follows")),
        }
    }

    pub(in crate::server) fn body(&mut self, ticket: Ticket, bytes: &[u8]) {
        let State::Transaction(_, Running::Retrieving(retrieval)) = &mut self.state else {
            return;
        };
        let Some(stuffer) = retrieval
            .stuffer
            .as_mut()
            .filter(|_| retrieval.ticket == ticket)
        else {
            return;
        };
        if stuffer.stuff(bytes, &mut self.output) {
            self.request(Request::Cancel(ticket));
            self.body_end();
        }
    }

    /// The running RETR or TOP is complete.
    pub(in crate::server) fn body_end(&mut self) {
        let Some(Running::Retrieving(retrieval)) = self.run(Running::Nothing) else {
            return;
        };
        let Some(mut stuffer) = retrieval.stuffer else {
            return;
        };
        stuffer.finish(&mut self.output);
        let octets = stuffer.octets();
        self.summary.octets += octets;
        if retrieval.part == Part::Whole {
            if let State::Transaction(maildrop, _) = &mut self.state {
                maildrop.retrieved(retrieval.index);
            }
            self.summary.retrieved += 1;
        } else {
            self.summary.tops += 1;
        }
        self.moments.activity = self.moments.now;
        self.note(Direction::Sent, format_args!("<{octets} octets>"));
        self.note(Direction::Sent, format_args!("."));
    }

    pub(in crate::server) fn body_failed(&mut self, ticket: Ticket, failure: &Failure) {
        let Some(begun) = self
            .retrieval(ticket)
            .map(|retrieval| retrieval.has_begun())
        else {
            return;
        };
        if begun {
            // the client must not mistake a part for the whole message
            return self.close(Reason::BodyCut);
        }
        self.run(Running::Nothing);
        self.moments.activity = self.moments.now;
        match failure.kind {
            FailureKind::Missing => self.bad("the message is gone"),
            FailureKind::Temporary => {
                self.send_err(
                    Some(ResponseCode::SysTemp),
                    "the message cannot be read now",
                );
            }
            FailureKind::Permanent => {
                self.send_err(Some(ResponseCode::SysPerm), "the message cannot be read");
            }
        }
    }

    pub(in crate::server) fn maildrop(&self) -> Option<&Maildrop> {
        if let State::Transaction(maildrop, _) = &self.state {
            Some(maildrop)
        } else {
            None
        }
    }

    pub(in crate::server) fn find(&self, number: MessageNumber) -> Option<Index> {
        self.maildrop().and_then(|maildrop| maildrop.find(number))
    }

    pub(in crate::server) fn retrieval(&mut self, ticket: Ticket) -> Option<&mut Retrieval> {
        let State::Transaction(_, Running::Retrieving(retrieval)) = &mut self.state else {
            return None;
        };
        (retrieval.ticket == ticket).then_some(retrieval)
    }

    pub(in crate::server) fn no_such_message(&mut self) {
        self.bad("no such message");
    }
}
