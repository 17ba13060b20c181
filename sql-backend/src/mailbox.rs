//! An open maildrop: its list, its messages, its update. It holds a connection for one answer at a time.

use std::fmt;
use std::sync::{Arc, PoisonError};

use pop3_proto::backend::awaiting::AsyncMailbox;
use pop3_proto::backend::store::{Entry, StoreError, message_size};
use pop3_proto::backend::{Access, Index};

use crate::database::{Cell, Lease, Row, Value};
use crate::error::SqlError;
use crate::message::{SqlMessage, Windows};
use crate::own::BATCH;
use crate::queries::{Custom, Id, number};
use crate::rows::{Columns, message_of, strange, valid_unique_id};
use crate::store::Shared;

/// A maildrop in a database.
pub struct SqlMailbox {
    shared: Arc<Shared>,
    user: String,
    ids: Ids,
}

/// How often an update is tried.
const MAX_TRIES: u32 = 3;

/// What the listed messages are called in the database.
enum Ids {
    Own(Vec<i64>),
    Custom(Vec<Id>),
}

impl SqlMailbox {
    pub(crate) const fn new(shared: Arc<Shared>, user: String) -> Self {
        Self {
            shared,
            user,
            ids: Ids::Own(Vec::new()),
        }
    }

    async fn list_own(&mut self) -> Result<Vec<Entry>, StoreError> {
        let mut ids = Vec::new();
        let mut entries = Vec::new();
        let mut look = |row: Row<'_>| {
            let (Cell::Int(id), Some(size)) = (row.cell(0)?, number(row.cell(1)?)) else {
                return Err(strange(
                    "pop3_messages: an id or a size is no number".into(),
                ));
            };
            ids.push(id);
            let unique_id = valid_unique_id(row.cell(2)?.into_text());
            entries.push(Entry { size, unique_id });
            Ok(())
        };
        let user = [("user", Value::Text(&self.user))];
        let mut lease = self.shared.database.lease().await?;
        lease.each(&self.shared.own.list, &user, &mut look).await?;
        self.ids = Ids::Own(ids);
        Ok(entries)
    }

    async fn list_custom(&mut self, custom: &Custom) -> Result<Vec<Entry>, StoreError> {
        let mut ids: Vec<Id> = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        // the places in the list whose size nobody told
        let mut unknown: Vec<usize> = Vec::new();
        let mut columns: Option<Columns> = None;
        let mut look = |row: Row<'_>| {
            let columns = match &mut columns {
                Some(columns) => columns,
                none => none.insert(Columns::new(row.names(), custom)),
            };
            let read = columns.read(&row, custom, &self.user)?;
            if read.size.is_none() {
                unknown.push(entries.len());
            }
            ids.push(read.id);
            entries.push(Entry {
                size: read.size.unwrap_or_default(),
                unique_id: read.unique_id,
            });
            Ok(())
        };
        let user = [("user", Value::Text(&self.user))];
        let mut lease = self.shared.database.lease().await?;
        lease.each(&custom.list, &user, &mut look).await?;
        for at in unknown {
            if let (Some(id), Some(entry)) = (ids.get(at), entries.get_mut(at)) {
                entry.size = self.counted_size(custom, &mut lease, id).await?;
            }
        }
        self.ids = Ids::Custom(ids);
        Ok(entries)
    }

    /// The size of a message that has to be read for it, this once. One that is gone meanwhile has none.
    async fn counted_size(
        &self,
        custom: &Custom,
        lease: &mut Lease,
        id: &Id,
    ) -> Result<u64, StoreError> {
        let sizes = || {
            self.shared
                .sizes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(size) = sizes().get(&self.user, id) {
            return Ok(size);
        }
        let size = if custom.piece.is_some() {
            let windows = Windows::new(Arc::clone(&self.shared), self.user.clone(), id.clone());
            match windows.size(lease).await {
                Err(StoreError::Missing) => return Ok(0),
                size => size?,
            }
        } else {
            match self.whole(custom, lease, id).await? {
                Some(message) => message_size(&message[..])?,
                None => return Ok(0),
            }
        };
        sizes().insert(&self.user, id, size);
        Ok(size)
    }

    /// A message that is read in one piece, if it is there.
    async fn whole(
        &self,
        custom: &Custom,
        lease: &mut Lease,
        id: &Id,
    ) -> Result<Option<Vec<u8>>, SqlError> {
        let Some(body) = &custom.body else {
            return Ok(None);
        };
        let values = [("user", Value::Text(&self.user)), ("id", id.value())];
        let Some(cells) = lease.first(body, &values).await? else {
            return Ok(None);
        };
        Ok(Some(message_of(cells, custom, &self.user, id)))
    }

    /// Removes messages, all or none. Where the database chose to take that back for another's sake, it is
    /// tried again: a client that is told of an error may fetch everything once more.
    async fn remove_all(&self, indexes: &[Index]) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.remove_once(indexes).await {
                Err(SqlError::Conflict(_)) if tries < MAX_TRIES => {}
                result => return Ok(result?),
            }
        }
    }

    async fn remove_once(&self, indexes: &[Index]) -> Result<(), SqlError> {
        let places = indexes.iter().map(|index| index.0 as usize);
        match (&self.ids, &self.shared.custom) {
            (Ids::Own(ids), _) => {
                let ids: Vec<i64> = places.filter_map(|at| ids.get(at).copied()).collect();
                self.remove_own(&ids).await
            }
            (Ids::Custom(ids), Some(custom)) if !custom.delete.is_empty() => {
                let ids: Vec<&Id> = places.filter_map(|at| ids.get(at)).collect();
                self.remove_custom(custom, &ids).await
            }
            (Ids::Custom(_), _) => {
                let problem = "there is none: nobody may delete";
                Err(SqlError::config("queries.delete", problem))
            }
        }
    }

    async fn remove_own(&self, ids: &[i64]) -> Result<(), SqlError> {
        let delete = &self.shared.own.delete;
        let names: Vec<String> = (0..BATCH).map(|at| format!("id{at}")).collect();
        let mut lease = self.shared.database.lease().await?;
        lease.begin().await?;
        for batch in ids.chunks(BATCH) {
            // a batch that is not full repeats its last
            let last = batch.last().copied().unwrap_or_default();
            let ids = batch.iter().copied().chain(std::iter::repeat(last));
            let mut values = vec![("user", Value::Text(&self.user))];
            values.extend(names.iter().map(String::as_str).zip(ids.map(Value::Int)));
            lease.execute(delete, &values).await?;
        }
        lease.commit().await
    }

    async fn remove_custom(&self, custom: &Custom, ids: &[&Id]) -> Result<(), SqlError> {
        let mut lease = self.shared.database.lease().await?;
        lease.begin().await?;
        for id in ids {
            let values = [("user", Value::Text(&self.user)), ("id", id.value())];
            for delete in &custom.delete {
                lease.execute(delete, &values).await?;
            }
        }
        lease.commit().await
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
                let id = *ids.get(at).ok_or(StoreError::Missing)?;
                SqlMessage::pieces(shared, &self.user, id).await
            }
            (Ids::Custom(ids), Some(custom)) => {
                let id = ids.get(at).ok_or(StoreError::Missing)?;
                if custom.piece.is_some() {
                    let windows = Windows::new(Arc::clone(&shared), self.user.clone(), id.clone());
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
                Ok(SqlMessage::whole(message))
            }
            (Ids::Custom(_), None) => Err(StoreError::Missing),
        }
    }

    async fn remove(&mut self, indexes: &[Index]) -> Result<(), StoreError> {
        self.remove_all(indexes).await
    }
}

impl fmt::Debug for SqlMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlMailbox").finish_non_exhaustive()
    }
}
