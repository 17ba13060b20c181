//! The rows of slips.

use super::Sql;
use super::cursor::{Mismatch, Row, values};
use super::options::Options;
use super::work::Work;
use crate::engine::SlipRow;
use crate::error::StateError;
use crate::slip::MAX_SLIPS;

/// One at a time makes room, whichever process it is in.
const ALONE: &str = "SELECT pg_advisory_xact_lock(4915404)";

impl Sql {
    pub(crate) async fn put_slip(&self, row: &SlipRow, now: u64) -> Result<(), StateError> {
        let mut work = Work::write(&self.pool).await?;
        if let Options::Postgres(_) = self.pool.options {
            work.plain(ALONE).await?;
        }
        // as `lives` has it
        let late =
            "DELETE FROM gateway_slips WHERE expires <= $1 OR created - (expires - created) > $1";
        work.execute(late, values![now]).await?;
        let (digest, kind) = (row.digest.as_slice(), row.kind.as_str());
        let count = "SELECT COUNT(*) FROM gateway_slips WHERE kind = $1 AND digest <> $2";
        let count = work
            .rows(count, values![kind, digest], |row| row.time())
            .await?;
        let count = count.first().copied().unwrap_or_default();
        let too_many = (count + 1).saturating_sub(MAX_SLIPS as u64);
        if too_many > 0 {
            let first = "DELETE FROM gateway_slips WHERE digest IN (SELECT digest FROM gateway_slips \
                WHERE kind = $1 AND digest <> $2 ORDER BY expires, digest LIMIT $3)";
            work.execute(first, values![kind, digest, too_many]).await?;
        }
        let put = "INSERT INTO gateway_slips (digest, kind, sealed, created, expires) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (digest) DO UPDATE SET kind = $2, sealed = $3, created = $4, expires = $5";
        let sealed = row.sealed.as_slice();
        let values = values![digest, kind, sealed, row.created, row.expires];
        work.execute(put, values).await?;
        work.end().await
    }

    pub(crate) async fn slip(&self, digest: &[u8]) -> Result<Option<SlipRow>, StateError> {
        let mut work = Work::look(&self.pool).await?;
        let look =
            "SELECT digest, kind, sealed, created, expires FROM gateway_slips WHERE digest = $1";
        let found = work.rows(look, values![digest], slip).await?.pop();
        work.end().await?;
        Ok(found)
    }

    pub(crate) async fn take_slip(&self, digest: &[u8]) -> Result<Option<SlipRow>, StateError> {
        // most are not there, and not every look is to wait for the turn to write
        if self.slip(digest).await?.is_none() {
            return Ok(None);
        }
        let mut work = Work::write(&self.pool).await?;
        let take = "DELETE FROM gateway_slips WHERE digest = $1 \
            RETURNING digest, kind, sealed, created, expires";
        let taken = work.rows(take, values![digest], slip).await?.pop();
        work.end().await?;
        Ok(taken)
    }

    pub(crate) async fn prolong_slip(&self, digest: &[u8], expires: u64) -> Result<(), StateError> {
        let mut work = Work::write(&self.pool).await?;
        let prolong = "UPDATE gateway_slips SET expires = $2 WHERE digest = $1";
        work.execute(prolong, values![digest, expires]).await?;
        work.end().await
    }
}

fn slip(row: &mut Row) -> Result<SlipRow, Mismatch> {
    Ok(SlipRow {
        digest: row.bytes()?,
        kind: row.text()?,
        sealed: row.bytes()?,
        created: row.time()?,
        expires: row.time()?,
    })
}
