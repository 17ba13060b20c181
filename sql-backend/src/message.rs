//! A message that is being read: one piece at a time, each with a connection of its own.
//!
//! No connection is held while a client is slow. A message that is deleted meanwhile ends in an error, never
//! as a shorter message.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::mem;
use std::sync::Arc;

use pop3_proto::backend::awaiting::{AsyncMessage, Bytes};
use pop3_proto::backend::store::StoreError;

use crate::changes::Sent;
use crate::database::Lease;
use crate::dialect::Dialect;
use crate::error::{Failed, SqlError};
use crate::measure::Measure;
use crate::queries::{Id, number};
use crate::schema::PIECE;
use crate::shared::Shared;
use crate::value::{Cell, Value};

/// A message of a [`SqlMailbox`](crate::SqlMailbox).
pub struct SqlMessage(Source);

enum Source {
    Whole(Bytes),
    Pieces(Pieces),
    Windows(Windows),
}

impl SqlMessage {
    pub(crate) fn whole(message: Vec<u8>) -> Self {
        Self(Source::Whole(message.into()))
    }

    /// A message of the tool's own tables. `is_it` compares its unique-id: the number may belong to
    /// another message by now.
    pub(crate) async fn pieces(
        shared: Arc<Shared>,
        user: &str,
        id: i64,
        is_it: impl FnOnce(&str) -> bool,
    ) -> Result<Self, StoreError> {
        let values = [("user", Value::Text(user)), ("id", Value::Int(id))];
        let row = {
            let mut lease = shared.database.lease().await?;
            lease.first(&shared.own.first_piece, &values).await?
        };
        let mut cells = row
            .ok_or(StoreError::Missing)?
            .into_iter()
            .map(|(_, cell)| cell);
        let count = cells.next().and_then(number).unwrap_or_default();
        let first = match cells.next() {
            Some(Cell::Bytes(data)) => data.into(),
            Some(
                Cell::Null | Cell::Int(_) | Cell::Text(_) | Cell::Moment(_) | Cell::Unreadable(_),
            )
            | None => Bytes::new(),
        };
        let name = cells.next().map(Cell::into_text);
        if !name.is_some_and(|name| is_it(&name)) {
            return Err(StoreError::Missing);
        }
        if count > 0 && first.is_empty() {
            return Err(cut_short());
        }
        Ok(Self(Source::Pieces(Pieces {
            shared,
            id,
            first,
            next: 1,
            count,
        })))
    }

    /// Reads the first part at once: a missing message has to be noticed before it begins.
    pub(crate) async fn windows(mut windows: Windows) -> Result<Self, StoreError> {
        let mut lease = windows.shared.database.lease().await?;
        windows.first = windows.next(&mut lease).await?.unwrap_or_default().into();
        Ok(Self(Source::Windows(windows)))
    }
}

impl AsyncMessage for SqlMessage {
    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        match &mut self.0 {
            Source::Whole(message) => Ok(Some(mem::take(message)).filter(|rest| !rest.is_empty())),
            Source::Pieces(pieces) => pieces.chunk().await,
            Source::Windows(windows) => windows.chunk().await,
        }
    }
}

impl fmt::Debug for SqlMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlMessage").finish_non_exhaustive()
    }
}

/// A message in the tool's own tables.
struct Pieces {
    shared: Arc<Shared>,
    id: i64,
    /// The first piece, which came together with their number.
    first: Bytes,
    next: u64,
    count: u64,
}

impl Pieces {
    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        if !self.first.is_empty() {
            return Ok(Some(mem::take(&mut self.first)));
        }
        if self.next >= self.count {
            return Ok(None);
        }
        let seq = i64::try_from(self.next).map_err(|_| cut_short())?;
        let values = [("id", Value::Int(self.id)), ("seq", Value::Int(seq))];
        let cell = {
            let mut lease = self.shared.database.lease().await?;
            lease.cell(&self.shared.own.piece, &values).await?
        };
        self.next += 1;
        let data = cell.map(Cell::into_bytes).unwrap_or_default();
        if data.is_empty() {
            return Err(cut_short());
        }
        Ok(Some(data.into()))
    }
}

/// A message in the administrator's tables, in parts of a column.
pub(crate) struct Windows {
    shared: Arc<Shared>,
    user: String,
    id: Id,
    first: Bytes,
    /// Counted from 1: in octets, or in characters of a text.
    from: i64,
    ended: bool,
    digest: DefaultHasher,
    /// Where the digest of what was sent goes, and the message's place in the list.
    sent: Option<(Sent, u32)>,
}

impl Windows {
    pub(crate) fn new(shared: Arc<Shared>, user: String, id: Id, digest: DefaultHasher) -> Self {
        Self {
            shared,
            user,
            id,
            first: Bytes::new(),
            from: 1,
            ended: false,
            digest,
            sent: None,
        }
    }

    /// Stores a digest of what is sent once all of it was read.
    pub(crate) fn noted(mut self, sent: &Sent, place: u32) -> Self {
        self.sent = Some((sent.clone(), place));
        self
    }

    /// A digest of the whole message.
    pub(crate) async fn digest(mut self, lease: &mut Lease) -> Result<u64, Failed> {
        while !self.ended && self.next(lease).await?.is_some() {}
        Ok(self.digest.finish())
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        if !self.first.is_empty() {
            return Ok(Some(mem::take(&mut self.first)));
        }
        if self.ended {
            return Ok(None);
        }
        let mut lease = self.shared.database.lease().await?;
        let part = self.next(&mut lease).await?;
        Ok(part.map(Bytes::from))
    }

    /// The size of the whole message.
    pub(crate) async fn size(mut self, lease: &mut Lease) -> Result<u64, Failed> {
        let mut measure = Measure::default();
        while !self.ended {
            match self.next(lease).await? {
                Some(part) => measure.add(&part),
                None => break,
            }
        }
        Ok(measure.size())
    }

    async fn next(&mut self, lease: &mut Lease) -> Result<Option<Vec<u8>>, Failed> {
        let Some(statement) = self.shared.custom.as_ref().and_then(|c| c.piece.as_ref()) else {
            return Ok(None);
        };
        let number = |number: i64| match self.shared.database.dialect() {
            // PostgreSQL's substring takes no larger number
            Dialect::Postgres => i32::try_from(number).map(Value::Small),
            Dialect::Sqlite | Dialect::MySql => Ok(Value::Int(number)),
        };
        let too_large = |_| StoreError::Permanent("a message has more than 2 GiB".into());
        let values = [
            ("user", Value::Text(&self.user)),
            ("id", self.id.value()),
            ("from", number(self.from).map_err(too_large)?),
            ("for", number(PIECE as i64).map_err(too_large)?),
        ];
        let row = lease.first(statement, &values).await?;
        let cells = row.ok_or(StoreError::Missing)?;
        let body = cells.into_iter().find(|(name, _)| name == "body");
        let cell = body.map_or(Cell::Null, |(_, cell)| cell);
        let units = match &cell {
            Cell::Text(text) => text.chars().count(),
            Cell::Bytes(bytes) => bytes.len(),
            // SQLite's substr() returns NULL for an empty blob
            Cell::Null if self.from == 1 && self.shared.database.dialect() != Dialect::Sqlite => {
                let problem = format!("the message {:?} has no body: it is NULL", self.id.text());
                return Err(StoreError::Temporary(problem).into());
            }
            Cell::Null => 0,
            Cell::Int(_) | Cell::Moment(_) => {
                let problem = "a part of a body is a number or a date";
                return Err(SqlError::config("queries.body_piece", problem).into());
            }
            Cell::Unreadable(why) => {
                let problem = format!("the message {:?}: {why}", self.id.text());
                return Err(StoreError::Permanent(problem).into());
            }
        };
        if units > PIECE {
            let problem = "it returns more than :for; a text that is no UTF-8 is counted in octets: cast \
                           the column to octets (blob, binary, bytea)";
            return Err(SqlError::config("queries.body_piece", problem).into());
        }
        self.ended = units < PIECE;
        // at most PIECE
        self.from = self.from.saturating_add(units as i64);
        let part = cell.into_bytes();
        self.digest.write(&part);
        if self.ended
            && let Some((sent, place)) = &self.sent
        {
            sent.note(*place, self.digest.finish());
        }
        Ok((units > 0).then_some(part))
    }
}

fn cut_short() -> StoreError {
    StoreError::Temporary("a message was deleted while it was read".into())
}
