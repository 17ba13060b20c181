//! The rows of sign-ins under way.

use super::Sql;
use super::cursor::{Mismatch, Row, Value, values};
use super::options::Options;
use super::work::Work;
use crate::engine::SignInRow;
use crate::error::StateError;
use crate::grant::GrantId;
use crate::sign_in::{FAIR, MAX_SIGN_INS, MAX_SIGN_INS_OF_OWNER};

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
        let all = "SELECT COUNT(*) FROM gateway_sign_ins";
        let is_full = count(&mut work, all, &[]).await? >= MAX_SIGN_INS as u64;
        let network = row.network.as_deref();
        let room = !is_full || make_room(&mut work, network).await?;
        if room {
            let insert = "INSERT INTO gateway_sign_ins (digest, name, owner, network, sealed, created, expires) \
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (digest) DO UPDATE SET \
                    name = $2, owner = $3, network = $4, sealed = $5, created = $6, expires = $7";
            let (digest, sealed) = (row.digest.as_slice(), row.sealed.as_slice());
            let values = values![
                digest,
                grant,
                owner,
                network,
                sealed,
                row.created,
                row.expires
            ];
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
            RETURNING digest, name, owner, network, sealed, created, expires";
        let taken = work.rows(take, values![digest], sign_in).await?.pop();
        work.end().await?;
        Ok(taken)
    }
}

/// Puts out the oldest of the network that has the most, for one of this network, if that is fair.
async fn make_room(work: &mut Work, network: Option<&str>) -> Result<bool, StateError> {
    let own = "SELECT COUNT(*) FROM gateway_sign_ins WHERE network = $1";
    let own = count(work, own, values![network]).await?;
    // a flood is not to make them all be counted each time
    if own * 2 + FAIR > MAX_SIGN_INS as u64 {
        return Ok(false);
    }
    let noisiest = "SELECT network, COUNT(*) FROM gateway_sign_ins WHERE network IS NOT NULL \
        GROUP BY network ORDER BY 2 DESC, 1 LIMIT 1";
    let noisiest = work.rows(noisiest, &[], |row| Ok((row.text()?, row.time()?)));
    let noisiest = noisiest.await?.pop();
    let Some((noisiest, _)) = noisiest.filter(|(_, most)| *most >= own + FAIR) else {
        return Ok(false);
    };
    let oldest = "DELETE FROM gateway_sign_ins WHERE digest = (SELECT digest FROM gateway_sign_ins \
        WHERE network = $1 ORDER BY created, digest LIMIT 1)";
    work.execute(oldest, values![noisiest.as_str()]).await?;
    Ok(true)
}

async fn count(
    work: &mut Work,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<u64, StateError> {
    let counted = work.rows(sql, values, |row| row.time()).await?;
    Ok(counted.first().copied().unwrap_or_default())
}

fn sign_in(row: &mut Row) -> Result<SignInRow, Mismatch> {
    Ok(SignInRow {
        digest: row.bytes()?,
        id: GrantId::new(row.text()?, row.text()?),
        network: row.maybe_text()?,
        sealed: row.bytes()?,
        created: row.time()?,
        expires: row.time()?,
    })
}
