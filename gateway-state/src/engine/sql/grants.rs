//! The rows of grants.

use super::Sql;
use super::cursor::{Mismatch, Row, values};
use super::work::Work;
use crate::engine::GrantRow;
use crate::error::StateError;
use crate::grant::{Ended, GrantId, GrantSummary, Version};
use crate::usage::USE_STEP;

/// The columns of a summary, as [`summary`] reads them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT name, owner, issuer, client, version, access_expires, ended, ended_at, obtained, refreshed, used",
            $rest
        )
    };
}

impl Sql {
    pub(crate) async fn grant(&self, id: &GrantId) -> Result<Option<GrantRow>, StateError> {
        let mut work = Work::look(&self.pool).await?;
        let select = select!(", sealed FROM gateway_grants WHERE name = $1 AND owner = $2");
        let values = values![id.grant.as_str(), id.owner.as_str()];
        let read = |row: &mut Row| {
            let (summary, sealed) = (summary(row)?, row.bytes()?);
            Ok(GrantRow { summary, sealed })
        };
        let found = work.rows(select, values, read).await?.pop();
        work.end().await?;
        Ok(found)
    }

    pub(crate) async fn put_grant(&self, row: &GrantRow) -> Result<(), StateError> {
        let mut work = Work::write(&self.pool).await?;
        let put = "INSERT INTO gateway_grants (name, owner, issuer, client, version, access_expires, sealed, \
                obtained, refreshed, used) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
            ON CONFLICT (name, owner) DO UPDATE SET issuer = $3, client = $4, version = $5, access_expires = $6, \
                sealed = $7, obtained = $8, refreshed = $9, used = $10, ended = NULL, ended_at = NULL";
        let GrantRow { summary, sealed } = row;
        let values = values![
            summary.id.grant.as_str(),
            summary.id.owner.as_str(),
            summary.issuer.as_str(),
            summary.client.as_str(),
            summary.version.0,
            summary.access_expires,
            sealed.as_slice(),
            summary.obtained,
            summary.refreshed,
            summary.used,
        ];
        work.execute(put, values).await?;
        work.end().await
    }

    /// When somebody signed in and when it was used stay as they are.
    pub(crate) async fn replace_grant(
        &self,
        expected: Version,
        row: &GrantRow,
    ) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let update = "UPDATE gateway_grants SET issuer = $4, client = $5, version = $6, access_expires = $7, \
                sealed = $8, refreshed = $9, ended = NULL, ended_at = NULL \
            WHERE name = $1 AND owner = $2 AND version = $3";
        let GrantRow { summary, sealed } = row;
        let values = values![
            summary.id.grant.as_str(),
            summary.id.owner.as_str(),
            expected.0,
            summary.issuer.as_str(),
            summary.client.as_str(),
            summary.version.0,
            summary.access_expires,
            sealed.as_slice(),
            summary.refreshed,
        ];
        let changed = work.execute(update, values).await?;
        work.end().await?;
        Ok(changed == 1)
    }

    pub(crate) async fn end_grant(
        &self,
        id: &GrantId,
        expected: Version,
        ended: &Ended,
    ) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let update = "UPDATE gateway_grants SET ended = $4, ended_at = $5 \
            WHERE name = $1 AND owner = $2 AND version = $3";
        let (grant, owner) = (id.grant.as_str(), id.owner.as_str());
        let values = values![grant, owner, expected.0, ended.why.as_str(), ended.at];
        let changed = work.execute(update, values).await?;
        work.end().await?;
        Ok(changed == 1)
    }

    /// Puts another seal in the place of one, if it is still that one.
    pub(crate) async fn reseal_grant(
        &self,
        row: &GrantRow,
        sealed: &[u8],
    ) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let update =
            "UPDATE gateway_grants SET sealed = $4 WHERE name = $1 AND owner = $2 AND sealed = $3";
        let GrantId { grant, owner } = &row.summary.id;
        let old = row.sealed.as_slice();
        let values = values![grant.as_str(), owner.as_str(), old, sealed];
        let changed = work.execute(update, values).await?;
        work.end().await?;
        Ok(changed == 1)
    }

    pub(crate) async fn grant_used(&self, id: &GrantId, now: u64) -> Result<(), StateError> {
        // looked at first: not every login is to wait for the turn to write
        let mut work = Work::look(&self.pool).await?;
        let news = "SELECT 1 FROM gateway_grants \
            WHERE name = $1 AND owner = $2 AND abs(used - $3) >= $4";
        let (grant, owner) = (id.grant.as_str(), id.owner.as_str());
        let values = values![grant, owner, now, USE_STEP];
        let news = work.rows(news, values, |_| Ok(())).await?;
        work.end().await?;
        if news.is_empty() {
            return Ok(());
        }
        let mut work = Work::write(&self.pool).await?;
        let update = "UPDATE gateway_grants SET used = $3 WHERE name = $1 AND owner = $2";
        work.execute(update, values![grant, owner, now]).await?;
        work.end().await
    }

    pub(crate) async fn remove_grant(&self, id: &GrantId) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let delete = "DELETE FROM gateway_grants WHERE name = $1 AND owner = $2";
        let values = values![id.grant.as_str(), id.owner.as_str()];
        let changed = work.execute(delete, values).await?;
        work.end().await?;
        Ok(changed == 1)
    }

    pub(crate) async fn grants(&self) -> Result<Vec<GrantSummary>, StateError> {
        let mut work = Work::look(&self.pool).await?;
        let mut all = work
            .rows(select!(" FROM gateway_grants"), &[], summary)
            .await?;
        work.end().await?;
        // databases have orders of their own
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }
}

fn summary(row: &mut Row) -> Result<GrantSummary, Mismatch> {
    Ok(GrantSummary {
        id: GrantId::new(row.text()?, row.text()?),
        issuer: row.text()?,
        client: row.text()?,
        version: Version(row.int()?),
        access_expires: row.time()?,
        ended: match (row.maybe_text()?, row.maybe_time()?) {
            (Some(why), at) => Some(Ended {
                why,
                at: at.unwrap_or_default(),
            }),
            (None, _) => None,
        },
        obtained: row.time()?,
        refreshed: row.time()?,
        used: row.time()?,
    })
}
