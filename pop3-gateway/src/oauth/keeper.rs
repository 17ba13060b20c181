//! The keeper of tokens.
//!
//! Owns the access tokens in memory, and when new ones are asked for:
//!
//! * One request at a time for each grant, however many logins wait for it (single flight). It runs to its end though
//!   they all leave: a refresh token that was replaced must not be lost with them.
//! * Ahead of time, at four fifths of a token's life, for grants that were used in the last day.
//! * A refresh token that was replaced is kept for good before the access token that came with it is used.
//! * A token that still lives is used while the provider is out of order.
//! * Only `invalid_grant` ends a grant ([`Meaning::Ended`]). An outage, a limit, a setting that is wrong never do.
//! * A token that the upstream refused is asked for anew once; another refusal soon after is answered without asking.
//!
//! Knows no mailbox and no session.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_lock::OnceCell;
use gateway_state::{Binding, Grant, GrantId, Replaced, StateError, Tokens, Version};
use pop3_proto::secret::Secret;

use super::answer::Obtained;
use super::authority::unix;
use super::records::Records;
use super::refusal::{Meaning, Refusal};
use super::source::{Ask, Source};

/// A token that ends sooner is not given out, in seconds.
const MARGIN: u64 = 60;
/// After a failure the provider is not asked again before this, unless it names another time.
const BACKOFF: Duration = Duration::from_secs(10);
/// After a forced refresh another one is not made before this.
const FORCED_AGAIN: Duration = Duration::from_secs(60);
/// Grants that were not used for so long are not refreshed ahead, in seconds.
const USED_WITHIN: u64 = 24 * 3600;
/// How often it is looked which grants are due.
const LOOK: Duration = Duration::from_secs(30);
/// How often a grant is noted as used, in seconds.
const NOTED: u64 = 600;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoToken {
    /// Whether it may work later without anybody's doing.
    pub passes: bool,
    /// What happened and what to do, in one line without secrets.
    pub text: String,
}

impl NoToken {
    fn passing(text: impl fmt::Display) -> Self {
        Self {
            passes: true,
            text: text.to_string(),
        }
    }

    fn lasting(text: impl fmt::Display) -> Self {
        Self {
            passes: false,
            text: text.to_string(),
        }
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for NoToken {}

/// What logins wait for together.
type Flight = Arc<OnceCell<Result<Secret, NoToken>>>;

/// Keeps the tokens of all grants.
pub struct Keeper {
    records: Option<Records>,
    sources: HashMap<String, Arc<dyn Source>>,
    cells: Mutex<HashMap<GrantId, Arc<Cell>>>,
    clock: fn() -> u64,
    me: Weak<Self>,
}

/// One grant that was used since the start.
#[derive(Default)]
struct Cell {
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    token: Option<Token>,
    flight: Option<Flight>,
    /// New tokens that could not be kept yet, and in the place of which they go.
    unkept: Option<(Version, Tokens)>,
    /// The provider is not asked before this, and why.
    rest: Option<(Instant, NoToken)>,
    forced: Option<Instant>,
    noted: u64,
}

/// An access token that lives.
struct Token {
    access: Secret,
    /// In seconds since 1970.
    due: u64,
    expires: u64,
    /// The same end on a clock that nobody sets.
    ends: Instant,
}

impl Keeper {
    /// A keeper of these grants. Without records there are only grants that no person signs in for.
    pub fn new(records: Option<Records>, sources: HashMap<String, Arc<dyn Source>>) -> Arc<Self> {
        Self::with_clock(records, sources, unix)
    }

    /// The same by another clock, in seconds since 1970.
    pub fn with_clock(
        records: Option<Records>,
        sources: HashMap<String, Arc<dyn Source>>,
        clock: fn() -> u64,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            records,
            sources,
            cells: Mutex::default(),
            clock,
            me: me.clone(),
        })
    }

    /// The same tokens for grants that were configured anew: what is in memory stays, for grants that stayed.
    #[must_use]
    pub fn reconfigured(
        &self,
        records: Option<Records>,
        sources: HashMap<String, Arc<dyn Source>>,
    ) -> Arc<Self> {
        let same = |id: &GrantId| {
            let (old, new) = (self.sources.get(&id.grant), sources.get(&id.grant));
            old.zip(new).is_some_and(|(old, new)| {
                old.binding() == new.binding() && old.flow() == new.flow()
            })
        };
        let mut cells = lock(&self.cells).clone();
        cells.retain(|id, _| same(id));
        Arc::new_cyclic(|me| Self {
            records,
            sources,
            cells: Mutex::new(cells),
            clock: self.clock,
            me: me.clone(),
        })
    }

    /// The token that is there already, if one lives. Asks nobody and waits for nothing.
    pub fn cached(&self, id: &GrantId) -> Option<Secret> {
        let cell = lock(&self.cells).get(id).cloned()?;
        let now = (self.clock)();
        let mut kept = lock(&cell.now);
        let token = kept.token.as_ref().filter(|token| token.lives(now))?;
        let access = token.access.clone();
        // the login need not wait for it
        let due = token.due <= now || kept.noted.saturating_add(NOTED) <= now;
        if due && kept.flight.is_none() && !kept.rests() {
            self.take_off(id, &cell, &mut kept, None);
        }
        Some(access)
    }

    /// A token that lives. `refused` is one that the upstream did not take.
    pub async fn token(&self, id: &GrantId, refused: Option<&Secret>) -> Result<Secret, NoToken> {
        let flight = {
            let cell = self.cell(id);
            let now = (self.clock)();
            let mut kept = lock(&cell.now);
            let token = kept.token.as_ref().filter(|token| token.lives(now));
            if let Some(token) = token
                && refused != Some(&token.access)
            {
                return Ok(token.access.clone());
            }
            match &kept.flight {
                Some(flight) => Arc::clone(flight),
                None => {
                    if refused.is_some() {
                        let before = kept.forced.replace(Instant::now());
                        if before.is_some_and(|at| at.elapsed() < FORCED_AGAIN) {
                            kept.forced = before;
                            return Err(refused_again());
                        }
                    } else if let Some((until, why)) = &kept.rest
                        && Instant::now() < *until
                    {
                        return Err(why.clone());
                    }
                    self.take_off(id, &cell, &mut kept, refused.cloned())
                }
            }
        };
        let landed = flight.wait().await.clone();
        match (landed, refused) {
            // it was under way before the refusal, and brought the same
            (Ok(token), Some(refused)) if token == *refused => Err(refused_again()),
            (landed, _) => landed,
        }
    }

    /// Forgets what is in memory of a grant: somebody signed in anew, or removed it.
    pub fn forget(&self, id: &GrantId) {
        let cell = lock(&self.cells).get(id).cloned();
        if let Some(cell) = cell {
            let mut kept = lock(&cell.now);
            *kept = Now {
                flight: kept.flight.take(),
                ..Now::default()
            };
        }
    }

    /// Refreshes ahead of time from now on, until nobody has the keeper any more.
    pub fn look_ahead(&self) -> std::io::Result<()> {
        let me = self.me.clone();
        let look = move || {
            while let Some(keeper) = me.upgrade() {
                keeper.refresh_due();
                drop(keeper);
                std::thread::sleep(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("tokens".into());
        thread.spawn(look).map(|_| ())
    }

    /// Begins a request for each grant that is due. Blocks while the records are read.
    pub fn refresh_due(&self) {
        let Some(records) = &self.records else {
            return;
        };
        let now = (self.clock)();
        // what cannot be read is told at the logins that need it
        let grants = records.with(|state| state.grants()).unwrap_or_default();
        for grant in grants {
            let unused = now.saturating_sub(grant.used) > USED_WITHIN;
            let due = due(&grant.id, grant.refreshed, grant.access_expires);
            let known = self.sources.contains_key(&grant.id.grant);
            if unused || grant.ended.is_some() || due > now || !known {
                continue;
            }
            let cell = self.cell(&grant.id);
            let mut kept = lock(&cell.now);
            if kept.flight.is_none() && !kept.rests() {
                self.take_off(&grant.id, &cell, &mut kept, None);
            }
        }
    }

    fn cell(&self, id: &GrantId) -> Arc<Cell> {
        let mut cells = lock(&self.cells);
        Arc::clone(cells.entry(id.clone()).or_default())
    }

    /// Begins a request that nobody's leaving ends.
    fn take_off(
        &self,
        id: &GrantId,
        cell: &Arc<Cell>,
        kept: &mut Now,
        refused: Option<Secret>,
    ) -> Flight {
        let flight = Flight::default();
        kept.flight = Some(Arc::clone(&flight));
        let landing = Landing {
            cell: Arc::clone(cell),
            flight: Arc::clone(&flight),
        };
        let (me, id) = (self.me.clone(), id.clone());
        blocking::unblock(move || {
            let landed = match me.upgrade() {
                Some(keeper) => keeper.fly(&id, &landing.cell, refused.as_ref()),
                None => Err(NoToken::passing("the server goes down")),
            };
            landing.land(landed);
        })
        .detach();
        flight
    }

    /// Gets a token that lives, if there can be one.
    fn fly(&self, id: &GrantId, cell: &Cell, refused: Option<&Secret>) -> Result<Secret, NoToken> {
        let Some(source) = self.sources.get(&id.grant) else {
            let text = format!("there is no grant {:?} in the configuration", id.grant);
            return Err(NoToken::lasting(text));
        };
        match source.flow().signs_in() {
            true => self.fly_for_person(id, cell, source.as_ref(), refused),
            false => {
                {
                    let now = (self.clock)();
                    let mut kept = lock(&cell.now);
                    // nothing is written down for these
                    kept.noted = now;
                    let token = kept.token.as_ref();
                    let token = token.filter(|token| token.lives(now) && token.due > now);
                    if let Some(token) = token
                        && refused != Some(&token.access)
                    {
                        return Ok(token.access.clone());
                    }
                }
                let ask = match id.owner.as_str() {
                    "" => Ask::App,
                    mailbox => Ask::Mailbox(mailbox),
                };
                match source.obtain(ask) {
                    Ok(obtained) => Ok(self.keep(id, cell, &self.tokens(obtained, None))),
                    Err(refusal) => self.without(cell, &refusal, refused),
                }
            }
        }
    }

    fn fly_for_person(
        &self,
        id: &GrantId,
        cell: &Cell,
        source: &dyn Source,
        refused: Option<&Secret>,
    ) -> Result<Secret, NoToken> {
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
        // somebody else may change the grant meanwhile; then what he left is looked at
        for _ in 0..3 {
            let grant = records.with(|state| state.grant(id, binding));
            let grant = match grant {
                Ok(Some(grant)) => grant,
                Ok(None) => return Err(nobody_signed_in(id)),
                Err(error) => return self.unkept(cell, &error, refused),
            };
            if let Some(ended) = &grant.ended {
                return Err(NoToken::lasting(format!(
                    "the grant of {} ended: {}",
                    id.owner, ended.why
                )));
            }
            self.note_use(id, cell, records);
            let grant = match self.make_up(id, cell, records, binding, grant) {
                Ok(Some(grant)) => grant,
                Ok(None) => continue,
                Err(error) => return self.unkept(cell, &error, refused),
            };
            let now = (self.clock)();
            if let Some(access) = &grant.tokens.access
                && refused != Some(access)
                && due(id, grant.refreshed, grant.tokens.access_expires) > now
                && alive(grant.tokens.access_expires, now)
            {
                return Ok(self.keep(id, cell, &grant.tokens));
            }
            let Some(refresh) = &grant.tokens.refresh else {
                return Err(nobody_signed_in(id));
            };
            let refusal = match source.obtain(Ask::Refresh(refresh)) {
                Ok(obtained) => {
                    let replaced = obtained.refresh.is_some();
                    let tokens = self.tokens(obtained, Some(refresh));
                    let kept = records.with(|state| {
                        state.replace_grant(id, binding, grant.version, &tokens, (self.clock)())
                    });
                    match kept {
                        Ok(Replaced::Done(_)) => return Ok(self.keep(id, cell, &tokens)),
                        Ok(Replaced::Changed) => continue,
                        Err(error) => {
                            let access = tokens.access.clone();
                            lock(&cell.now).unkept = Some((grant.version, tokens));
                            return match access {
                                // the old refresh token still is the right one
                                Some(access) if !replaced => Ok(access),
                                _ => self.unkept(cell, &error, refused),
                            };
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
            if let (Some(access), true) = (
                &grant.tokens.access,
                alive(grant.tokens.access_expires, (self.clock)()),
            ) && refused != Some(access)
            {
                self.keep(id, cell, &grant.tokens);
            }
            return self.without(cell, &refusal, refused);
        }
        Err(NoToken::passing("the grant changes all the time"))
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

    fn note_use(&self, id: &GrantId, cell: &Cell, records: &Records) {
        let now = (self.clock)();
        let mut kept = lock(&cell.now);
        if kept.noted.saturating_add(NOTED) > now {
            return;
        }
        kept.noted = now;
        drop(kept);
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

    /// Puts a token into memory.
    fn keep(&self, id: &GrantId, cell: &Cell, tokens: &Tokens) -> Secret {
        let now = (self.clock)();
        let access = tokens.access.clone().unwrap_or_default();
        let life = tokens.access_expires.saturating_sub(now);
        let mut kept = lock(&cell.now);
        kept.rest = None;
        kept.token = Some(Token {
            access: access.clone(),
            due: due(id, now, tokens.access_expires),
            expires: tokens.access_expires,
            ends: Instant::now() + Duration::from_secs(life),
        });
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
        self.still(cell, NoToken::passing(error), BACKOFF, refused)
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
        let token = kept.token.as_ref().filter(|token| token.lives(now));
        match token {
            Some(token) if refused != Some(&token.access) => {
                tracing::warn!(%why, "no new token; the old one still lives and is used");
                Ok(token.access.clone())
            }
            Some(_) | None => Err(why),
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Now {
    fn rests(&self) -> bool {
        self.rest
            .as_ref()
            .is_some_and(|(until, _)| Instant::now() < *until)
    }
}

impl Token {
    fn lives(&self, now: u64) -> bool {
        alive(self.expires, now) && Instant::now() < self.ends
    }
}

/// The end of a flight, whatever comes: those who wait for it must hear of it.
struct Landing {
    cell: Arc<Cell>,
    flight: Flight,
}

impl Landing {
    fn land(&self, landed: Result<Secret, NoToken>) {
        lock(&self.cell.now).flight = None;
        // there is no other landing
        let _ = self.flight.set_blocking(landed);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.flight.is_initialized() {
            self.land(Err(NoToken::passing("asking for a token broke off")));
        }
    }
}

fn alive(expires: u64, now: u64) -> bool {
    now.saturating_add(MARGIN) < expires
}

/// When a token is to be replaced: at four fifths of its life, earlier by up to a tenth, so that not all come at once.
fn due(id: &GrantId, since: u64, expires: u64) -> u64 {
    let life = expires.saturating_sub(since);
    let sum = id.owner.bytes().chain(id.grant.bytes());
    let spread = sum.fold(0_u64, |sum, octet| (sum * 31 + u64::from(octet)) % 100);
    since + life * 4 / 5 - life * spread / 1000
}

fn refused_again() -> NoToken {
    NoToken::lasting(
        "the upstream refuses a new token, too; look with \"pop3-gateway doctor MAILBOX\" for what is missing",
    )
}

fn nobody_signed_in(id: &GrantId) -> NoToken {
    NoToken::lasting(format!(
        "nobody signed in for {0}; do it with \"pop3-gateway sign-in {0}\"",
        id.owner
    ))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
