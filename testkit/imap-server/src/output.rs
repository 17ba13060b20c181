//! The queue of octets that wait to be transmitted.
//!
//! Owns the order of what goes out. Bodies stay in their [`Content`] and are lent out piece by piece.

use std::collections::VecDeque;

use crate::content::Content;

/// What waits to be transmitted.
#[derive(Debug, Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    buffered: usize,
    left: Option<u64>,
    cut: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes {
        bytes: Vec<u8>,
        sent: usize,
    },
    Content {
        content: Content,
        from: u64,
        to: u64,
    },
    Cut,
}

impl Output {
    /// Cuts the connection after this many octets.
    pub(super) fn limit(&mut self, octets: Option<u64>) {
        self.left = octets;
        self.cut |= octets == Some(0);
    }

    /// Queues octets.
    pub(super) fn push(&mut self, more: &[u8]) {
        self.buffered += more.len();
        match self.pieces.back_mut() {
            Some(Piece::Bytes { bytes, sent: 0 }) => bytes.extend_from_slice(more),
            Some(Piece::Bytes { .. } | Piece::Content { .. } | Piece::Cut) | None => {
                self.pieces.push_back(Piece::Bytes {
                    bytes: more.to_vec(),
                    sent: 0,
                });
            }
        }
    }

    /// Queues a part of a message.
    pub(super) fn push_content(&mut self, content: &Content, from: u64, to: u64) {
        let to = to.min(content.len());
        if from < to {
            self.pieces.push_back(Piece::Content {
                content: content.clone(),
                from,
                to,
            });
        }
    }

    /// Queues the end of the connection.
    pub(super) fn push_cut(&mut self) {
        self.pieces.push_back(Piece::Cut);
        self.settle();
    }

    /// How much is queued, in octets of memory.
    pub(super) fn memory(&self) -> usize {
        self.buffered + self.pieces.len() * size_of::<Piece>()
    }

    /// Whether the connection ended.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// What can go out at once.
    pub(super) fn front(&self) -> &[u8] {
        if self.cut {
            return &[];
        }
        let front = match self.pieces.front() {
            Some(Piece::Bytes { bytes, sent }) => bytes.get(*sent..).unwrap_or_default(),
            Some(Piece::Content { content, from, to }) => {
                let chunk = content.chunk_at(*from);
                let len = (to - from).min(chunk.len() as u64) as usize;
                chunk.get(..len).unwrap_or_default()
            }
            Some(Piece::Cut) | None => &[],
        };
        let len = self
            .left
            .map_or(front.len(), |left| left.min(front.len() as u64) as usize);
        front.get(..len).unwrap_or_default()
    }

    /// The first `n` octets of [`front`](Self::front) went out.
    pub(super) fn sent(&mut self, n: usize) {
        let n = n.min(self.front().len());
        match self.pieces.front_mut() {
            Some(Piece::Bytes { sent, .. }) => {
                *sent += n;
                self.buffered -= n;
            }
            Some(Piece::Content { from, .. }) => *from += n as u64,
            Some(Piece::Cut) | None => {}
        }
        if let Some(left) = &mut self.left {
            *left -= n as u64;
            self.cut |= *left == 0;
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(piece) = self.pieces.front() {
            match piece {
                Piece::Bytes { bytes, sent } if *sent < bytes.len() => break,
                Piece::Content { from, to, .. } if from < to => break,
                Piece::Bytes { .. } | Piece::Content { .. } => {
                    self.pieces.pop_front();
                }
                Piece::Cut => {
                    self.cut = true;
                    break;
                }
            }
        }
    }
}
