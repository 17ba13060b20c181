//! An open maildrop: its list and its messages. It holds a connection for one answer at a time.

mod removal;

use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};

use pop3_proto::backend::awaiting::AsyncMailbox;
use pop3_proto::backend::store::{Entry, StoreError, message_size};
use pop3_proto::backend::{Access, Index};

use crate::changes::Sent;
use crate::database::{Lease, Row};
use crate::error::Failed;
use crate::message::{SqlMessage, Windows};
use crate::queries::{Custom, Id, number};
use crate::rows::{Columns, Listed, message_of, told_apart, valid_unique_id};
use crate::shared::Shared;
use crate::sizes::Sizes;
use crate::value::{Cell, Value};

/// A maildrop in a database.
pub struct SqlMailbox {
    shared: Arc<Shared>,
    user: String,
    ids: Ids,
    sent: Sent,
}

/// The names of the listed messages in the database, and what the list said of them.
enum Ids {
    /// Numbers, and digests of the unique-ids, which are never reused.
    Own(Vec<(i64, u64)>),
    Custom(Rows),
}

/// The rows of the administrator's tables.
#[derive(Default)]
struct Rows {
    /// `None`: a row that cannot be asked for.
    ids: Vec<Option<Id>>,
    /// Digests of what the rows said of their messages; none where they say nothing.
    said: Vec<u64>,
    /// The sizes that had to be counted, by place, ascending.
    counted: Vec<(u32, u64)>,
}

/// If the database could not read this many rows in succession, the rows are not to blame: the number
/// for refusals, and for missing answers.
const REFUSALS: u32 = 100;
const SILENCES: u32 = 3;

impl SqlMailbox {
    pub(crate) fn new(shared: Arc<Shared>, user: String) -> Self {
        Self {
            shared,
            user,
            ids: Ids::Own(Vec::new()),
            sent: Sent::default(),
        }
    }

    async fn list_own(&mut self) -> Result<Vec<Entry>, StoreError> {
        let mut ids = Vec::new();
        let mut entries = Vec::new();
        let mut look = |row: Row<'_>| {
            let unique_id = row.cell(2)?.into_text();
            let digest = self.sent.digest(unique_id.as_bytes());
            // no message has this number
            let id = match row.cell(0)? {
                Cell::Int(id) => id,
                Cell::Null
                | Cell::Text(_)
                | Cell::Bytes(_)
                | Cell::Moment(_)
                | Cell::Unreadable(_) => -1,
            };
            ids.push((id, digest));
            entries.push(Entry {
                size: number(row.cell(1)?).unwrap_or_default(),
                unique_id: valid_unique_id(unique_id),
            });
            Ok(())
        };
        let user = [("user", Value::Text(&self.user))];
        let mut lease = self.shared.database.lease().await?;
        lease.each(&self.shared.own.list, &user, &mut look).await?;
        self.ids = Ids::Own(ids);
        Ok(entries)
    }

    async fn list_custom(&mut self, custom: &Custom) -> Result<Vec<Entry>, StoreError> {
        let mut listed: Vec<Listed> = Vec::new();
        let mut columns: Option<Columns> = None;
        let mut look = |row: Row<'_>| {
            let columns = match &mut columns {
                Some(columns) => columns,
                none => none.insert(Columns::new(row.names(), custom)),
            };
            listed.push(columns.read(&row, custom, &self.user, self.sent.hasher())?);
            Ok(())
        };
        let user = [("user", Value::Text(&self.user))];
        let mut lease = self.shared.database.lease().await?;
        lease.each(&custom.list, &user, &mut look).await?;
        let listed = told_apart(listed);
        let sizes = self.sizes(custom, lease, &listed).await?;

        let tell = columns.as_ref().is_some_and(Columns::tell) && !custom.delete.is_empty();
        let mut rows = Rows::default();
        let mut entries = Vec::with_capacity(listed.len());
        for ((place, row), size) in (0..).zip(listed).zip(sizes) {
            if row.size.is_none()
                && let Some(size) = size
            {
                rows.counted.push((place, size));
            }
            if tell {
                rows.said.push(row.said);
            }
            rows.ids.push(row.id);
            entries.push(Entry {
                size: size.unwrap_or_default(),
                unique_id: row.unique_id,
            });
        }
        self.ids = Ids::Custom(rows);
        Ok(entries)
    }

    /// The sizes, counted where the queries do not give them. A message that cannot be read has none: it fails when it
    /// is asked for, and does not affect the others.
    async fn sizes(
        &self,
        custom: &Custom,
        mut lease: Lease,
        listed: &[Listed],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let mut sizes = Vec::with_capacity(listed.len());
        let (mut refusals, mut silences) = (0, 0);
        for row in listed {
            let size = match (&row.size, &row.id) {
                (Some(size), _) => Some(*size),
                (None, None) => None,
                (None, Some(id)) => match self.counted_size(custom, &mut lease, id).await {
                    Ok(size) => {
                        (refusals, silences) = (0, 0);
                        Some(size)
                    }
                    Err(error) if lease.is_spent() => {
                        refusals += 1;
                        silences += u32::from(matches!(error, StoreError::Temporary(_)));
                        if refusals == REFUSALS || silences == SILENCES {
                            return Err(error);
                        }
                        // the row is to blame if the database still answers
                        drop(lease);
                        lease = self.shared.database.lease().await?;
                        None
                    }
                    Err(_) => None,
                },
            };
            sizes.push(size);
        }
        Ok(sizes)
    }

    /// Reads a message once to find its size. One that is gone meanwhile has none.
    async fn counted_size(
        &self,
        custom: &Custom,
        lease: &mut Lease,
        id: &Id,
    ) -> Result<u64, StoreError> {
        if let Some(size) = self.known_sizes().get(&self.user, id) {
            return Ok(size);
        }
        let size = self.size_now(custom, lease, id).await?;
        let size = size.unwrap_or_default();
        self.remember_size(id, size);
        Ok(size)
    }

    fn remember_size(&self, id: &Id, size: u64) {
        self.known_sizes().insert(&self.user, id, size);
    }

    fn known_sizes(&self) -> MutexGuard<'_, Sizes> {
        let sizes = self.shared.sizes.lock();
        sizes.unwrap_or_else(PoisonError::into_inner)
    }

    /// The size of a message as it is now, if it is there.
    async fn size_now(
        &self,
        custom: &Custom,
        lease: &mut Lease,
        id: &Id,
    ) -> Result<Option<u64>, Failed> {
        if custom.piece.is_some() {
            return match self.windows(id).size(lease).await {
                Err(Failed::Message(StoreError::Missing)) => Ok(None),
                size => size.map(Some),
            };
        }
        let message = self.whole(custom, lease, id).await?;
        let size = message.map(|message| message_size(&message[..]));
        Ok(size.transpose().map_err(StoreError::from)?)
    }

    fn windows(&self, id: &Id) -> Windows {
        let (shared, user) = (Arc::clone(&self.shared), self.user.clone());
        Windows::new(shared, user, id.clone(), self.sent.hasher())
    }

    /// A message that is read in one piece, if it is there.
    async fn whole(
        &self,
        custom: &Custom,
        lease: &mut Lease,
        id: &Id,
    ) -> Result<Option<Vec<u8>>, Failed> {
        let Some(body) = &custom.body else {
            return Ok(None);
        };
        let values = [("user", Value::Text(&self.user)), ("id", id.value())];
        let Some(cells) = lease.first(body, &values).await? else {
            return Ok(None);
        };
        Ok(Some(message_of(cells, custom, &self.user, id)?))
    }
}

impl AsyncMailbox for SqlMailbox {
    type Message = SqlMessage;

    fn access(&self) -> Access {
        match &self.shared.custom {
            Some(custom) if custom.delete.is_empty() => Access::ReadOnly,
            Some(_) | None => Access::ReadWrite,
        }
    }

    fn account(&self) -> Option<&str> {
        Some(&self.user)
    }

    async fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        let shared = Arc::clone(&self.shared);
        match &shared.custom {
            None => self.list_own().await,
            Some(custom) => self.list_custom(custom).await,
        }
    }

    async fn message(&mut self, index: Index) -> Result<SqlMessage, StoreError> {
        let at = index.0 as usize;
        let shared = Arc::clone(&self.shared);
        match (&self.ids, &shared.custom) {
            (Ids::Own(ids), _) => {
                let (id, digest) = *ids.get(at).ok_or(StoreError::Missing)?;
                let is_it = |name: &str| self.sent.digest(name.as_bytes()) == digest;
                SqlMessage::pieces(shared, &self.user, id, is_it).await
            }
            (Ids::Custom(rows), Some(custom)) => {
                let id = rows.ids.get(at).ok_or(StoreError::Missing)?;
                let id = id.as_ref().ok_or_else(nameless)?;
                if custom.piece.is_some() {
                    let windows = self.windows(id).noted(&self.sent, index.0);
                    return SqlMessage::windows(windows).await;
                }
                let mut lease = shared.database.lease().await?;
                let message = self.whole(custom, &mut lease, id).await?;
                let message = message.ok_or(StoreError::Missing)?;
                if message.len() as u64 > shared.max_message {
                    return Err(StoreError::Permanent(format!(
                        "the message {:?} has {} octets, more than max_message: raise it, or write \
                         queries.body_piece",
                        id.text(),
                        message.len()
                    )));
                }
                if !custom.delete.is_empty() {
                    self.sent.note(index.0, self.sent.digest(&message));
                }
                Ok(SqlMessage::whole(message))
            }
            (Ids::Custom(_), None) => Err(StoreError::Missing),
        }
    }

    async fn remove(&mut self, indexes: &[Index]) -> Result<(), StoreError> {
        self.remove_all(indexes).await
    }
}

/// A row without an id: it cannot be asked for.
fn nameless() -> StoreError {
    StoreError::Permanent(
        "queries.list: the `id` of this row is NULL, a date, or no value that can be read".into(),
    )
}

impl fmt::Debug for SqlMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlMailbox").finish_non_exhaustive()
    }
}
