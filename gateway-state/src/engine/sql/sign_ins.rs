//! The rows of sign-ins under way.

use super::Sql;
use super::cursor::{Mismatch, Row, values};
use super::options::Options;
use super::work::Work;
use crate::engine::SignInRow;
use crate::error::StateError;
use crate::grant::GrantId;
use crate::sign_in::{MAX_SIGN_INS, MAX_SIGN_INS_OF_OWNER};

/// One at a time counts them, whichever process it is in.
const ALONE: &str = "SELECT pg_advisory_xact_lock(4915403)";

impl Sql {
    /// Whether there was room for it.
    pub(crate) async fn begin_sign_in(
        &self,
        row: &SignInRow,
        now: u64,
    ) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        if let Options::Postgres(_) = self.pool.options {
            work.plain(ALONE).await?;
        }
        // as `SignInRow::lives` has it
        let late = "DELETE FROM gateway_sign_ins WHERE expires <= $1 OR created - (expires - created) > $1";
        work.execute(late, values![now]).await?;
        let (grant, owner) = (row.id.grant.as_str(), row.id.owner.as_str());
        let oldest = "DELETE FROM gateway_sign_ins WHERE name = $1 AND owner = $2 AND digest NOT IN \
            (SELECT digest FROM gateway_sign_ins WHERE name = $1 AND owner = $2 \
                ORDER BY created DESC, digest DESC LIMIT $3)";
        let others = MAX_SIGN_INS_OF_OWNER as u64 - 1;
        work.execute(oldest, values![grant, owner, others]).await?;
        let count = "SELECT COUNT(*) FROM gateway_sign_ins";
        let count = work.rows(count, &[], |row| row.time()).await?;
        let room = count.iter().all(|count| *count < MAX_SIGN_INS as u64);
        if room {
            let insert = "INSERT INTO gateway_sign_ins (digest, name, owner, sealed, created, expires) \
                VALUES ($1, $2, $3, $4, $5, $6) \
                ON CONFLICT (digest) DO UPDATE SET name = $2, owner = $3, sealed = $4, created = $5, expires = $6";
            let (digest, sealed) = (row.digest.as_slice(), row.sealed.as_slice());
            let values = values![digest, grant, owner, sealed, row.created, row.expires];
            work.execute(insert, values).await?;
        }
        work.end().await?;
        Ok(room)
    }

    pub(crate) async fn take_sign_in(
        &self,
        digest: &[u8],
    ) -> Result<Option<SignInRow>, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let take = "DELETE FROM gateway_sign_ins WHERE digest = $1 \
            RETURNING digest, name, owner, sealed, created, expires";
        let taken = work.rows(take, values![digest], sign_in).await?.pop();
        work.end().await?;
        Ok(taken)
    }
}

fn sign_in(row: &mut Row) -> Result<SignInRow, Mismatch> {
    Ok(SignInRow {
        digest: row.bytes()?,
        id: GrantId::new(row.text()?, row.text()?),
        sealed: row.bytes()?,
        created: row.time()?,
        expires: row.time()?,
    })
}
