//! One errand for a token: what there is already is looked at, the provider is asked, and what it gives is kept.
//!
//! Owns the order: a refresh token that was replaced is kept for good before the access token that came with it is used,
//! and only a provider that ends a grant ends it. Blocks.

use std::time::{Duration, Instant};

use gateway_state::{Binding, Grant, GrantId, Replaced, StateError, Tokens};
use pop3_proto::secret::Secret;

use super::super::answer::Obtained;
use super::super::cell::{Cell, Token, alive, due, lock};
use super::super::records::Records;
use super::super::refusal::{Meaning, NoToken, Refusal};
use super::super::source::{Ask, Source};
use super::super::turns::Turn;
use super::{Keeper, Want, folded, refused_again};

/// After a failure the provider is not asked again before this, unless it names another time.
const BACKOFF: Duration = Duration::from_secs(10);
/// After a failure of the records they are not asked again before this.
const RECORDS_AGAIN: Duration = Duration::from_secs(1);
/// Clocks of several gateways differ by no more, in seconds. Records of a later time were made before the clock was
/// set back: what they say of a token's end is not believed.
const SKEW: u64 = 300;

impl Keeper {
    /// Gets a token that lives, if there can be one.
    pub(super) fn fly(&self, id: &GrantId, cell: &Cell, want: &Want) -> Result<Secret, NoToken> {
        let Some(source) = self.sources.get(&folded(id).grant) else {
            let text = format!("there is no grant {:?} in the configuration", id.grant);
            return Err(NoToken::lasting(text));
        };
        let landed = match source.flow().signs_in() {
            true => self.fly_for_person(id, cell, source.as_ref(), want),
            false => self.fly_for_app(id, cell, source.as_ref(), want),
        };
        if want.refused.is_some() && !want.looks && landed.is_err() {
            // nothing new came that could be refused
            lock(&cell.now).forced = None;
        }
        landed
    }

    fn fly_for_app(
        &self,
        id: &GrantId,
        cell: &Cell,
        source: &dyn Source,
        want: &Want,
    ) -> Result<Secret, NoToken> {
        let now = (self.clock)();
        if !want.ahead
            && let Some(access) = self.usable(&lock(&cell.now), now, want.refused.as_ref())
        {
            return Ok(access);
        }
        if want.looks {
            return Err(refused_again());
        }
        let ask = match id.owner.as_str() {
            "" => Ask::App,
            mailbox => Ask::Mailbox(mailbox),
        };
        match self.obtain(id, source, ask) {
            Ok(obtained) => {
                Ok(self.keep(id, cell, &self.tokens(obtained, None), (self.clock)(), None))
            }
            Err(refusal) => self.without(cell, &refusal, want.refused.as_ref()),
        }
    }

    fn fly_for_person(
        &self,
        id: &GrantId,
        cell: &Cell,
        source: &dyn Source,
        want: &Want,
    ) -> Result<Secret, NoToken> {
        let refused = want.refused.as_ref();
        let Some(records) = &self.records else {
            return Err(NoToken::lasting(
                "there is no [state] to keep grants in; add one",
            ));
        };
        let (issuer, client) = source.binding();
        let binding = Binding {
            issuer: &issuer,
            client: &client,
        };
        let mut waited = false;
        // somebody else may change the grant meanwhile; then what he left is looked at
        for _ in 0..3 + usize::from(self.turns.get().is_some()) {
            let grant = records.with(|state| state.grant(id, binding));
            let grant = match grant {
                Ok(Some(grant)) => grant,
                Ok(None) => return Err(nobody_signed_in(id)),
                Err(error) => return self.unkept(cell, &error, refused),
            };
            let signed_in = Some(grant.obtained);
            Self::is_of(cell, signed_in);
            if let Some(ended) = &grant.ended {
                return Err(NoToken::lasting(format!(
                    "the grant of {} ended: {}",
                    id.owner, ended.why
                )));
            }
            if want.used {
                self.note_use(id, records);
            }
            let grant = match self.make_up(id, cell, records, binding, grant) {
                Ok(Some(grant)) => grant,
                Ok(None) => continue,
                Err(error) => return self.unkept(cell, &error, refused),
            };
            let (now, expires) = ((self.clock)(), grant.tokens.access_expires);
            let access = grant.tokens.access.as_ref();
            let lives = access.is_some_and(|access| refused != Some(access))
                && alive(expires, now)
                && grant.refreshed <= now.saturating_add(SKEW);
            if lives && (!want.ahead || due(id, grant.refreshed, expires) > now) {
                return Ok(self.keep(id, cell, &grant.tokens, grant.refreshed, signed_in));
            }
            if want.looks {
                return Err(refused_again());
            }
            let Some(refresh) = &grant.tokens.refresh else {
                return Err(nobody_signed_in(id));
            };
            let turn = self.turns.get().map(|turns| turns.turn(id));
            // one that is late does not keep this one for ever
            if matches!(turn, Some(Turn::Waited)) && !waited {
                waited = true;
                continue;
            }
            let refusal = match self.obtain(id, source, Ask::Refresh(refresh)) {
                Ok(obtained) => {
                    let replaced = obtained.refresh.is_some();
                    let tokens = self.tokens(obtained, Some(refresh));
                    let kept = records.with(|state| {
                        state.replace_grant(id, binding, grant.version, &tokens, (self.clock)())
                    });
                    match kept {
                        Ok(Replaced::Done(_)) => {
                            return Ok(self.keep(id, cell, &tokens, (self.clock)(), signed_in));
                        }
                        Ok(Replaced::Changed) => continue,
                        Err(error) => {
                            if !replaced {
                                // the old refresh token still is the right one
                                return Ok(self.keep(id, cell, &tokens, (self.clock)(), signed_in));
                            }
                            lock(&cell.now).unkept = Some((grant.version, tokens));
                            return self.unkept(cell, &error, refused);
                        }
                    }
                }
                Err(refusal) => refusal,
            };
            if refusal.meaning == Meaning::Ended {
                let (version, now) = (grant.version, (self.clock)());
                let why = refusal.to_string();
                let ended = records.with(|state| state.end_grant(id, version, &why, now));
                match ended {
                    Ok(true) => {
                        tracing::error!(grant = id.grant, mailbox = id.owner, %why, "the grant ended");
                        lock(&cell.now).token = None;
                        return Err(NoToken::lasting(format!(
                            "the grant of {} ended: {why}",
                            id.owner
                        )));
                    }
                    Ok(false) => continue,
                    Err(error) => return self.unkept(cell, &error, refused),
                }
            }
            if lives {
                self.put(id, cell, &grant.tokens, grant.refreshed, signed_in);
            }
            return self.without(cell, &refusal, refused);
        }
        Err(NoToken::passing("the grant changes all the time"))
    }

    /// What is in memory is of this sign-in, or forgotten.
    fn is_of(cell: &Cell, signed_in: Option<u64>) {
        let token = &mut lock(&cell.now).token;
        token.take_if(|token| token.obtained != signed_in);
    }

    /// Asks the provider, unless it told another process to wait; what it tells this one, others hear.
    fn obtain(&self, id: &GrantId, source: &dyn Source, ask: Ask<'_>) -> Result<Obtained, Refusal> {
        let turns = self.turns.get();
        let rests = turns.map_or(Duration::ZERO, |turns| turns.rests(id));
        if !rests.is_zero() {
            let what = "the provider wanted another gateway to wait";
            return Err(Refusal::later(what, Some(rests)));
        }
        let obtained = source.obtain(ask);
        if let Err(refusal) = &obtained
            && let Meaning::Later { after: Some(span) } = refusal.meaning
            && let Some(turns) = turns
        {
            turns.rest(id, span);
        }
        obtained
    }

    /// Keeps what could not be kept before. `None`: somebody else changed the grant meanwhile.
    fn make_up(
        &self,
        id: &GrantId,
        cell: &Cell,
        records: &Records,
        binding: Binding<'_>,
        grant: Grant,
    ) -> Result<Option<Grant>, StateError> {
        let Some((version, tokens)) = lock(&cell.now).unkept.clone() else {
            return Ok(Some(grant));
        };
        if version == grant.version {
            let now = (self.clock)();
            let _: Replaced =
                records.with(|state| state.replace_grant(id, binding, version, &tokens, now))?;
        }
        lock(&cell.now).unkept = None;
        Ok(None)
    }

    fn note_use(&self, id: &GrantId, records: &Records) {
        let now = (self.clock)();
        if let Err(error) = records.with(|state| state.grant_used(id, now)) {
            tracing::warn!(grant = id.grant, %error, "the use of a grant cannot be noted");
        }
    }

    fn tokens(&self, obtained: Obtained, refresh: Option<&Secret>) -> Tokens {
        Tokens {
            refresh: obtained.refresh.or_else(|| refresh.cloned()),
            access: Some(obtained.access),
            access_expires: (self.clock)().saturating_add(obtained.life.as_secs()),
            scope: obtained.scope,
        }
    }

    /// Puts a token into memory that was got, or that somebody else got: it goes well again.
    fn keep(
        &self,
        id: &GrantId,
        cell: &Cell,
        tokens: &Tokens,
        since: u64,
        signed_in: Option<u64>,
    ) -> Secret {
        let access = self.put(id, cell, tokens, since, signed_in);
        let mut kept = lock(&cell.now);
        (kept.rest, kept.failures) = (None, None);
        access
    }

    /// Puts a token into memory that there is since then.
    fn put(
        &self,
        id: &GrantId,
        cell: &Cell,
        tokens: &Tokens,
        since: u64,
        signed_in: Option<u64>,
    ) -> Secret {
        let access = tokens.access.clone().unwrap_or_default();
        let due = due(id, since, tokens.access_expires);
        let hidden = self.hider.as_ref().and_then(|hider| hider.hide(&access));
        let now = (self.clock)();
        lock(&cell.now).token =
            hidden.map(|hidden| Token::new(hidden, due, signed_in, tokens.access_expires, now));
        access
    }

    /// The provider gave nothing: what still lives is used.
    fn without(
        &self,
        cell: &Cell,
        refusal: &Refusal,
        refused: Option<&Secret>,
    ) -> Result<Secret, NoToken> {
        let (why, rest) = match refusal.meaning {
            Meaning::Later { after } => (NoToken::passing(refusal), after.unwrap_or(BACKOFF)),
            Meaning::Ended
            | Meaning::Settings
            | Meaning::Pending
            | Meaning::SlowDown
            | Meaning::Declined => (NoToken::lasting(refusal), BACKOFF),
        };
        self.still(cell, why, rest, refused)
    }

    /// The records cannot be read or written: what still lives is used.
    fn unkept(
        &self,
        cell: &Cell,
        error: &StateError,
        refused: Option<&Secret>,
    ) -> Result<Secret, NoToken> {
        let why = match error.is_temporary() {
            true => NoToken::passing(error),
            false => NoToken::lasting(error),
        };
        self.still(cell, why, RECORDS_AGAIN, refused)
    }

    fn still(
        &self,
        cell: &Cell,
        why: NoToken,
        rest: Duration,
        refused: Option<&Secret>,
    ) -> Result<Secret, NoToken> {
        let now = (self.clock)();
        let mut kept = lock(&cell.now);
        kept.rest = Some((Instant::now() + rest, why.clone()));
        kept.failed();
        let still = self.usable(&kept, now, refused);
        if still.is_some() {
            tracing::warn!(%why, "no new token; the old one still lives and is used");
        }
        still.ok_or(why)
    }
}

fn nobody_signed_in(id: &GrantId) -> NoToken {
    NoToken::lasting(format!(
        "nobody signed in for {0}; do it with \"pop3-gateway sign-in {0}\"",
        id.owner
    ))
}
