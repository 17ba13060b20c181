//! The update: what the client deleted is removed, if it is still what the client knows.
//!
//! A row that changed since it was sent (or listed, if it was not sent) stays, and so does one that cannot be
//! asked for. The others are removed, all of them or none, and then the client is answered that not all are.
//! Looking at a row and removing it is one transaction, in which no other changes it.

use std::collections::HashMap;

use pop3_proto::backend::Index;
use pop3_proto::backend::store::StoreError;

use super::{Ids, Rows, SqlMailbox, nameless};
use crate::database::{Lease, Row};
use crate::error::{Failed, SqlError};
use crate::own::BATCH;
use crate::queries::{Custom, Id};
use crate::rows::Columns;
use crate::value::{Cell, Value};

/// How often an update is tried.
const MAX_TRIES: u32 = 3;

/// What became of a row since the client saw it.
enum Now {
    Same,
    Changed,
    Gone,
}

impl SqlMailbox {
    /// Removes messages. If the database rolled that back because of a conflict, it is tried again: a client
    /// that gets an error may fetch everything once more.
    pub(super) async fn remove_all(&self, indexes: &[Index]) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.remove_once(indexes).await {
                Err(Failed::Database(SqlError::Conflict(_))) if tries < MAX_TRIES => {}
                Err(Failed::Database(error)) => return Err(error.into()),
                Err(Failed::Message(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn remove_once(&self, indexes: &[Index]) -> Result<(), Failed> {
        match (&self.ids, &self.shared.custom) {
            (Ids::Own(ids), _) => {
                let places = indexes.iter().map(|index| index.0 as usize);
                let ids: Vec<(i64, u64)> = places.filter_map(|at| ids.get(at).copied()).collect();
                Ok(self.remove_own(&ids).await?)
            }
            (Ids::Custom(rows), Some(custom)) if !custom.delete.is_empty() => {
                self.remove_custom(custom, rows, indexes).await
            }
            (Ids::Custom(_), _) => {
                let problem = "there is none: no message can be deleted";
                Err(SqlError::config("queries.delete", problem).into())
            }
        }
    }

    /// If the message of a number has another unique-id now, the listed message is gone.
    async fn remove_own(&self, ids: &[(i64, u64)]) -> Result<(), SqlError> {
        let own = &self.shared.own;
        let names: Vec<String> = (0..BATCH).map(|at| format!("id{at}")).collect();
        let values = |batch: &[i64]| {
            // a batch that is not full repeats its last
            let last = batch.last().copied().unwrap_or_default();
            let ids = batch.iter().copied().chain(std::iter::repeat(last));
            let mut values = vec![("user", Value::Text(&self.user))];
            values.extend(names.iter().map(String::as_str).zip(ids.map(Value::Int)));
            values
        };
        let mut lease = self.shared.database.lease().await?;
        lease.begin().await?;
        for batch in ids.chunks(BATCH) {
            let known: HashMap<i64, u64> = batch.iter().copied().collect();
            let mut same = Vec::with_capacity(batch.len());
            let mut look = |row: Row<'_>| {
                if let Cell::Int(id) = row.cell(0)? {
                    let digest = self.sent.digest(row.cell(1)?.into_text().as_bytes());
                    if known.get(&id) == Some(&digest) {
                        same.push(id);
                    }
                }
                Ok(())
            };
            let batch: Vec<i64> = batch.iter().map(|(id, _)| *id).collect();
            lease.each(&own.named, &values(&batch), &mut look).await?;
            if !same.is_empty() {
                lease.execute(&own.delete, &values(&same)).await?;
            }
        }
        lease.commit().await
    }

    async fn remove_custom(
        &self,
        custom: &Custom,
        rows: &Rows,
        indexes: &[Index],
    ) -> Result<(), Failed> {
        let mut stays = None;
        let mut lease = self.shared.database.lease().await?;
        lease.begin_strictly().await?;
        let said = self.said_now(custom, rows, indexes, &mut lease).await?;
        for index in indexes {
            let Some(id) = rows.ids.get(index.0 as usize) else {
                continue;
            };
            let Some(id) = id else {
                stays = Some(nameless());
                continue;
            };
            match self
                .now(custom, rows, *index, id, &said, &mut lease)
                .await?
            {
                Now::Same => {
                    let values = [("user", Value::Text(&self.user)), ("id", id.value())];
                    for delete in &custom.delete {
                        lease.execute(delete, &values).await?;
                    }
                }
                Now::Changed => {
                    let text = format!(
                        "the message {:?} changed since it was read, and stays",
                        id.text()
                    );
                    stays = Some(StoreError::Temporary(text));
                }
                Now::Gone => {}
            }
        }
        lease.commit().await?;
        match stays {
            Some(error) => Err(Failed::Message(error)),
            None => Ok(()),
        }
    }

    /// What the list says now, if messages that were not sent have to be compared.
    async fn said_now(
        &self,
        custom: &Custom,
        rows: &Rows,
        indexes: &[Index],
        lease: &mut Lease,
    ) -> Result<HashMap<Id, u64>, SqlError> {
        let mut said = HashMap::new();
        if rows.said.is_empty() || indexes.iter().all(|i| self.sent.get(i.0).is_some()) {
            return Ok(said);
        }
        let mut columns: Option<Columns> = None;
        let mut look = |row: Row<'_>| {
            let columns = match &mut columns {
                Some(columns) => columns,
                none => none.insert(Columns::new(row.names(), custom)),
            };
            if let Some(id) = columns.id(&row)? {
                said.insert(id, columns.said(&row, self.sent.hasher())?);
            }
            Ok(())
        };
        let user = [("user", Value::Text(&self.user))];
        lease.each(&custom.list, &user, &mut look).await?;
        Ok(said)
    }

    async fn now(
        &self,
        custom: &Custom,
        rows: &Rows,
        index: Index,
        id: &Id,
        said: &HashMap<Id, u64>,
        lease: &mut Lease,
    ) -> Result<Now, Failed> {
        let place = index.0 as usize;
        let same = |same: bool| if same { Now::Same } else { Now::Changed };
        if let Some(sent) = self.sent.get(index.0) {
            let digest = self.digest_now(custom, id, lease).await?;
            return Ok(digest.map_or(Now::Gone, |digest| same(digest == sent)));
        }
        if let Some(was) = rows.said.get(place) {
            match said.get(id) {
                None => return Ok(Now::Gone),
                Some(is) if is != was => return Ok(Now::Changed),
                Some(_) => {}
            }
        }
        let counted = rows
            .counted
            .binary_search_by_key(&index.0, |(place, _)| *place);
        let Some((_, size)) = counted.ok().and_then(|at| rows.counted.get(at)) else {
            return Ok(Now::Same);
        };
        match self.size_now(custom, lease, id).await? {
            None => Ok(Now::Gone),
            Some(now) if now == *size => Ok(Now::Same),
            Some(now) => {
                self.remember_size(id, now);
                Ok(Now::Changed)
            }
        }
    }

    /// A digest of what would be sent now, if the message is there.
    async fn digest_now(
        &self,
        custom: &Custom,
        id: &Id,
        lease: &mut Lease,
    ) -> Result<Option<u64>, Failed> {
        if custom.piece.is_some() {
            return match self.windows(id).digest(lease).await {
                Err(Failed::Message(StoreError::Missing)) => Ok(None),
                digest => digest.map(Some),
            };
        }
        let message = self.whole(custom, lease, id).await?;
        Ok(message.map(|message| self.sent.digest(&message)))
    }
}
