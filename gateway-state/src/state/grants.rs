//! Grants: kept, replaced, ended, listed.

use super::{State, engine};
use crate::engine::GrantRow;
use crate::error::StateError;
use crate::grant::{Binding, Ended, Grant, GrantId, GrantSummary, Replaced, Version};
use crate::name::one_line;
use crate::tokens::Tokens;

impl State {
    /// A grant, if there is one.
    ///
    /// # Errors
    ///
    /// If it was given to another client or by another issuer, is sealed with another key, or damaged; and as for
    /// every call, if the state cannot be reached.
    pub async fn grant(
        &self,
        id: &GrantId,
        binding: Binding<'_>,
    ) -> Result<Option<Grant>, StateError> {
        let id = id.kept()?;
        let Some(GrantRow { summary, sealed }) = engine!(self, grant(&id))? else {
            return Ok(None);
        };
        if (summary.issuer.as_str(), summary.client.as_str()) != (binding.issuer, binding.client) {
            return Err(StateError::Bound {
                grant: id.text(),
                issuer: summary.issuer,
                client: summary.client,
            });
        }
        let plain = self.unseal(|| id.text(), &place(&summary), &sealed)?;
        let tokens = Tokens::from_plain(&plain, summary.access_expires);
        let tokens = tokens.ok_or_else(|| StateError::Damaged(id.text()))?;
        Ok(Some(Grant {
            tokens,
            version: summary.version,
            ended: summary.ended,
            obtained: summary.obtained,
            refreshed: summary.refreshed,
            used: summary.used,
        }))
    }

    /// Keeps what a sign-in brought, whatever was there before; a grant that had ended begins anew. When this
    /// returns, it is there for good.
    ///
    /// # Errors
    ///
    /// If it is not kept, or that is not known.
    pub async fn put_grant(
        &self,
        id: &GrantId,
        binding: Binding<'_>,
        tokens: &Tokens,
        now: u64,
    ) -> Result<Version, StateError> {
        let row = self.row(id, binding, tokens, now)?;
        engine!(self, put_grant(&row))?;
        Ok(row.summary.version)
    }

    /// Keeps what a refresh brought, if the tokens are still those that were refreshed. When this returns
    /// [`Replaced::Done`], they are there for good, also after a power cut: the new ones may be used.
    ///
    /// # Errors
    ///
    /// If they are not kept, or that is not known: then the old ones are there or the new ones. So it is, too, if the
    /// call is dropped before it returns.
    pub async fn replace_grant(
        &self,
        id: &GrantId,
        binding: Binding<'_>,
        expected: Version,
        tokens: &Tokens,
        now: u64,
    ) -> Result<Replaced, StateError> {
        let row = self.row(id, binding, tokens, now)?;
        let done = engine!(self, replace_grant(expected, &row))?;
        Ok(match done {
            true => Replaced::Done(row.summary.version),
            false => Replaced::Changed,
        })
    }

    /// Notes that no refresh will get tokens any more, and why, in words for a person. The tokens and their version
    /// stay: an access token may live on, and a refresh that was under way with the same ones may still replace
    /// them. `false` if there are other tokens by now, and nothing was noted.
    ///
    /// # Errors
    ///
    /// If it is not noted, or that is not known.
    pub async fn end_grant(
        &self,
        id: &GrantId,
        expected: Version,
        why: &str,
        now: u64,
    ) -> Result<bool, StateError> {
        let id = id.kept()?;
        let why = one_line(why);
        engine!(self, end_grant(&id, expected, &Ended { why, at: now }))
    }

    /// Notes that a grant was used, to some minutes.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn grant_used(&self, id: &GrantId, now: u64) -> Result<(), StateError> {
        let id = id.kept()?;
        engine!(self, grant_used(&id, now))
    }

    /// Removes a grant, and says whether it was there.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn remove_grant(&self, id: &GrantId) -> Result<bool, StateError> {
        let id = id.kept()?;
        engine!(self, remove_grant(&id))
    }

    /// All grants, without their tokens, by name and owner.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn grants(&self) -> Result<Vec<GrantSummary>, StateError> {
        engine!(self, grants())
    }

    fn row(
        &self,
        id: &GrantId,
        binding: Binding<'_>,
        tokens: &Tokens,
        now: u64,
    ) -> Result<GrantRow, StateError> {
        binding.check()?;
        let summary = GrantSummary {
            id: id.kept()?,
            issuer: binding.issuer.to_owned(),
            client: binding.client.to_owned(),
            version: Version::random()?,
            access_expires: tokens.access_expires,
            ended: None,
            obtained: now,
            refreshed: now,
            used: now,
        };
        let sealed = self.seal(&place(&summary), &tokens.to_plain()?)?;
        Ok(GrantRow { summary, sealed })
    }
}

/// What the tokens are sealed for.
pub(super) fn place(summary: &GrantSummary) -> [&str; 5] {
    let GrantId { grant, owner } = &summary.id;
    ["grant", grant, owner, &summary.issuer, &summary.client]
}
