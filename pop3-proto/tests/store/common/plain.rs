//! The plain reference: messages in memory, no jobs, no chunks.

use std::collections::VecDeque;

use pop3_proto::backend::store::message_size;
use pop3_proto::backend::{
    Backend, Effect, Open, Outcome, Refusal, RefusalKind, Reply, Request, Ticket,
};
use pop3_proto::time::Time;

/// One session with messages in memory.
pub(crate) struct Plain {
    messages: Vec<Vec<u8>>,
    replies: VecDeque<Reply<'static>>,
    body: Option<(Ticket, Vec<u8>, usize)>,
}

impl Plain {
    pub(crate) fn new(messages: &[Vec<u8>]) -> Self {
        Self {
            messages: messages.to_vec(),
            replies: VecDeque::new(),
            body: None,
        }
    }

    fn open(&mut self, open: &Open) {
        let secret = pop3_proto::secret::Secret::from(&b"p w"[..]);
        if open.login.user() != Some("u") || !open.login.proves(&secret) {
            let refusal = Refusal::new(RefusalKind::Credentials, "");
            return self.replies.push_back(Reply::Refused(refusal));
        }
        for (n, message) in self.messages.iter().enumerate() {
            self.replies.push_back(Reply::Entry {
                size: message_size(&message[..]).unwrap(),
                unique_id: format!("id{n}").leak().as_bytes(),
            });
        }
        self.replies.push_back(Reply::Opened {
            access: open.access,
        });
    }
}

impl Backend for Plain {
    type Done = ();

    fn handle_request(&mut self, _: Time, request: Request) {
        match request {
            Request::Open(open) => self.open(&open),
            Request::Answer(_) => {}
            Request::Retrieve { ticket, index, .. } => {
                self.replies
                    .push_back(Reply::BodyStart { ticket, size: None });
                let message = self.messages[index.0 as usize].clone();
                self.body = Some((ticket, message, 0));
            }
            Request::Cancel(_) | Request::Abandon => self.body = None,
            Request::Update { .. } => self.replies.push_back(Reply::Updated),
        }
    }

    fn handle_outcome(&mut self, _: Time, _: Outcome<()>) {}
    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, room: usize) -> Option<Reply<'_>> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(reply);
        }
        if self.body.as_ref().is_some_and(|(_, m, at)| *at == m.len()) {
            let (ticket, ..) = self.body.take()?;
            return Some(Reply::BodyEnd { ticket });
        }
        let (ticket, message, at) = self.body.as_mut()?;
        let from = *at;
        *at = message.len().min(from + room);
        let bytes = &message[from..*at];
        let ticket = *ticket;
        (!bytes.is_empty()).then_some(Reply::Body { ticket, bytes })
    }

    fn poll_effect(&mut self) -> Option<Effect<()>> {
        None
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}
