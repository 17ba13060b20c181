//! What the backend answers: every request once and in order, within the room there is.

use pop3_proto::backend::{Backend, Reply};

use crate::choices::MESSAGES;
use crate::{Body, Rig};

impl Rig {
    pub(crate) fn replies(&mut self) -> bool {
        let mut moved = false;
        let mut finished = false;
        while let Some(reply) = self.backend.poll_reply(self.now, self.room) {
            moved = true;
            assert!(!finished, "a reply after the last one: {reply:?}");
            match reply {
                Reply::Challenge(_) => {
                    assert!(self.opening && !self.challenged);
                    self.challenged = true;
                }
                Reply::Authenticated => assert!(self.opening),
                Reply::Entry { unique_id, .. } => {
                    assert!(self.opening);
                    assert!((1..=70).contains(&unique_id.len()));
                    assert!(unique_id.iter().all(|byte| (0x21..=0x7e).contains(byte)));
                    assert!(self.ids.insert(unique_id.to_vec()), "P049");
                    assert!(self.ids.len() <= MESSAGES as usize);
                    let id = std::str::from_utf8(unique_id).expect("ASCII");
                    let uid = id.split_once('.').expect("two numbers").1;
                    self.uids.push(uid.parse().expect("a number"));
                }
                Reply::Opened { .. } => {
                    assert!(std::mem::take(&mut self.opening));
                    self.opened = true;
                }
                Reply::Refused(_) => {
                    assert!(self.opening);
                    finished = true;
                }
                Reply::Failed(_) => {
                    assert!(self.opening || self.updating);
                    finished = true;
                }
                Reply::Kept => {
                    assert!(self.updating);
                    finished = true;
                }
                Reply::Updated => {
                    assert!(self.updating);
                    for tag in &self.changes {
                        assert!(was_confirmed(&self.said, tag), "{tag} was not confirmed");
                    }
                    finished = true;
                }
                Reply::BodyStart { ticket, size } if !self.cancelled.contains(&ticket.0) => {
                    let front = self.reading.front_mut().expect("something is wanted");
                    assert_eq!((front.0, front.1.is_none()), (ticket, true));
                    // the size of a header or of a window is not that of the message
                    assert_eq!(size.is_some(), self.wholes.contains(&ticket.0));
                    front.1 = Some(Body { size, came: 0 });
                }
                Reply::Body { ticket, bytes } if !self.cancelled.contains(&ticket.0) => {
                    assert!(!bytes.is_empty() && bytes.len() <= self.room);
                    let front = self.reading.front_mut().expect("something is wanted");
                    assert_eq!(front.0, ticket);
                    front.1.as_mut().expect("it has begun").came += bytes.len() as u64;
                }
                Reply::BodyEnd { ticket } if !self.cancelled.contains(&ticket.0) => {
                    let (own, body) = self.reading.pop_front().expect("something is wanted");
                    let body = body.expect("it has begun");
                    assert_eq!(own, ticket);
                    assert!(body.size.is_none_or(|size| size == body.came), "{body:?}");
                }
                Reply::BodyFailed { ticket, .. } if !self.cancelled.contains(&ticket.0) => {
                    let (own, _) = self.reading.pop_front().expect("something is wanted");
                    assert_eq!(own, ticket);
                }
                Reply::BodyStart { .. }
                | Reply::Body { .. }
                | Reply::BodyEnd { .. }
                | Reply::BodyFailed { .. } => {}
            }
        }
        if finished {
            self.finished();
        }
        moved
    }
}

/// Whether the server said OK to this tag.
fn was_confirmed(said: &[u8], tag: &str) -> bool {
    let said = String::from_utf8_lossy(said).to_ascii_uppercase();
    said.match_indices(tag).any(|(at, _)| {
        let rest = &said[at + tag.len()..];
        rest.starts_with(' ') && rest.trim_start_matches(' ').starts_with("OK")
    })
}
