//! A message that is being read: one piece at a time, each with a connection of its own.
//!
//! While a client is slow no connection is held. A message that somebody deletes meanwhile ends in an error,
//! never as a shorter message.

use std::fmt;
use std::mem;
use std::sync::Arc;

use pop3_proto::backend::awaiting::{AsyncMessage, Bytes};
use pop3_proto::backend::store::StoreError;

use crate::database::{Cell, Dialect, Lease, Value};
use crate::error::SqlError;
use crate::measure::Measure;
use crate::queries::{Id, number};
use crate::schema::PIECE;
use crate::store::Shared;

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

    pub(crate) async fn pieces(
        shared: Arc<Shared>,
        user: &str,
        id: i64,
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
            Some(Cell::Null | Cell::Int(_) | Cell::Text(_) | Cell::Moment(_)) | None => {
                Bytes::new()
            }
        };
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

    /// Reads the first part at once: that a message is missing has to be known before it begins.
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
    /// Came with the question how many there are.
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
}

impl Windows {
    pub(crate) const fn new(shared: Arc<Shared>, user: String, id: Id) -> Self {
        Self {
            shared,
            user,
            id,
            first: Bytes::new(),
            from: 1,
            ended: false,
        }
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
    pub(crate) async fn size(mut self, lease: &mut Lease) -> Result<u64, StoreError> {
        let mut measure = Measure::default();
        while !self.ended {
            match self.next(lease).await? {
                Some(part) => measure.add(&part),
                None => break,
            }
        }
        Ok(measure.size())
    }

    async fn next(&mut self, lease: &mut Lease) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(statement) = self.shared.custom.as_ref().and_then(|c| c.piece.as_ref()) else {
            return Ok(None);
        };
        let number = |number: i64| match self.shared.database.dialect() {
            // its substring takes no larger number
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
            Cell::Null | Cell::Int(_) | Cell::Moment(_) => 0,
        };
        if units > PIECE {
            let problem = "queries.body_piece returns more than :for";
            return Err(SqlError::config("queries.body_piece", problem).into());
        }
        self.ended = units < PIECE;
        // at most PIECE
        self.from = self.from.saturating_add(units as i64);
        Ok((units > 0).then(|| cell.into_bytes()))
    }
}

fn cut_short() -> StoreError {
    StoreError::Temporary("a message was deleted while it was read".into())
}
