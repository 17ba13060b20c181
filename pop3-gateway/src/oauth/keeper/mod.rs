//! The keeper of tokens.
//!
//! Owns the access tokens in memory, and when new ones are asked for:
//!
//! * One request at a time for each grant, however many logins wait for it (single flight). It runs to its end though
//!   they all leave: a refresh token that was replaced must not be lost with them.
//! * Ahead of time, at four fifths of a token's life, for grants that were used in the last day.
//! * A refresh token that was replaced is kept for good before the access token that came with it is used.
//! * A token that still lives is used while the provider is out of order, and asking ahead gets rarer meanwhile.
//! * Only `invalid_grant` ends a grant ([`Meaning::Ended`](super::refusal::Meaning::Ended)). An outage, a limit, a setting
//!   that is wrong never do.
//! * What was removed or signed in for anew elsewhere is forgotten within half a minute.
//! * A token that the upstream refused is asked for anew once; another refusal soon after is answered without asking.
//!
//! Knows no mailbox and no session. What there is of one grant stands in `cell`; how a token is got, in `errand`; what
//! is done without a login, in `ahead`.

mod ahead;
mod errand;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use gateway_state::GrantId;
use pop3_proto::secret::Secret;

use super::authority::unix;
use super::cell::{Cell, Flight, Landing, Now, Token, lock};
use super::hidden::Hider;
use super::records::Records;
use super::refusal::NoToken;
use super::source::Source;
use super::turns::Turns;

/// After a forced refresh another one is not made before this.
const FORCED_AGAIN: Duration = Duration::from_secs(60);
/// How often a grant is noted as used, in seconds.
const NOTED: u64 = 600;

/// Keeps the tokens of all grants.
pub struct Keeper {
    records: Option<Records>,
    sources: HashMap<String, Arc<dyn Source>>,
    cells: Mutex<HashMap<GrantId, Arc<Cell>>>,
    /// Without it nothing is kept in memory, and each login asks.
    hider: Option<Arc<Hider>>,
    clock: fn() -> u64,
    /// Who refreshes, where there are other processes.
    turns: OnceLock<Arc<dyn Turns>>,
    me: Weak<Self>,
}

/// What a request is made for.
#[derive(Default)]
struct Want {
    /// The upstream refused this one.
    refused: Option<Secret>,
    /// A token that is due will not do.
    ahead: bool,
    /// A login is noted.
    used: bool,
    /// The provider was asked a moment ago: only what somebody else left in the records is new.
    looks: bool,
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
            sources: by_folded_name(sources),
            cells: Mutex::default(),
            hider: Hider::new().map(Arc::new),
            clock,
            turns: OnceLock::new(),
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
        let sources = by_folded_name(sources);
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
            hider: self.hider.clone(),
            clock: self.clock,
            turns: self.turns.clone(),
            me: me.clone(),
        })
    }

    /// From now on refreshes wait for their turn among those of other processes.
    pub fn takes_turns(&self, turns: Arc<dyn Turns>) {
        // it stays the same until the process ends
        let _ = self.turns.set(turns);
    }

    /// The token that is there already, if one lives. Asks nobody and waits for nothing.
    pub fn cached(&self, id: &GrantId) -> Option<Secret> {
        let cell = lock(&self.cells).get(&folded(id)).cloned()?;
        let now = (self.clock)();
        let mut kept = lock(&cell.now);
        let token = kept.token.as_ref().filter(|token| token.lives(now))?;
        let access = self.shown(token)?;
        // the login need not wait for it
        let ahead = token.due <= now && !kept.rests_ahead();
        let used = kept.noted.abs_diff(now) >= NOTED;
        if (ahead || used) && kept.flight.is_none() && !kept.rests() {
            let want = Want {
                ahead,
                used,
                ..Want::default()
            };
            self.take_off(id, &cell, &mut kept, want);
        }
        Some(access)
    }

    /// A token that lives. `refused` is one that the upstream did not take.
    pub async fn token(&self, id: &GrantId, refused: Option<&Secret>) -> Result<Secret, NoToken> {
        // a request that was under way before the refusal may bring the same token
        for _ in 0..3 {
            let (flight, is_own) = {
                let cell = self.cell(id);
                let now = (self.clock)();
                let mut kept = lock(&cell.now);
                if let Some(access) = self.usable(&kept, now, refused) {
                    return Ok(access);
                }
                match &kept.flight {
                    Some(flight) => (Arc::clone(flight), false),
                    None => (self.begin(id, &cell, &mut kept, refused)?, true),
                }
            };
            let landed = flight.wait().await.clone();
            match landed {
                Ok(token) if refused == Some(&token) && is_own => return Err(refused_again()),
                Ok(token) if refused == Some(&token) => {}
                Ok(_) | Err(_) => return landed,
            }
        }
        Err(NoToken::passing("the grant is asked for all the time"))
    }

    /// Begins a request for a login, if one may be made now.
    fn begin(
        &self,
        id: &GrantId,
        cell: &Arc<Cell>,
        kept: &mut Now,
        refused: Option<&Secret>,
    ) -> Result<Flight, NoToken> {
        if let Some((_, why)) = kept.rest.as_ref().filter(|_| kept.rests()) {
            return Err(why.clone());
        }
        let forced = kept.forced.filter(|at| at.elapsed() < FORCED_AGAIN);
        let looks = refused.is_some() && forced.is_some();
        if refused.is_some() && !looks {
            kept.forced = Some(Instant::now());
        }
        let want = Want {
            refused: refused.cloned(),
            ahead: false,
            used: kept.noted.abs_diff((self.clock)()) >= NOTED,
            looks,
        };
        Ok(self.take_off(id, cell, kept, want))
    }

    /// Forgets what is in memory of a grant: somebody signed in anew, or removed it.
    pub fn forget(&self, id: &GrantId) {
        let cell = lock(&self.cells).get(&folded(id)).cloned();
        if let Some(cell) = cell {
            let mut kept = lock(&cell.now);
            *kept = Now {
                flight: kept.flight.take(),
                ..Now::default()
            };
        }
    }

    fn cell(&self, id: &GrantId) -> Arc<Cell> {
        let mut cells = lock(&self.cells);
        Arc::clone(cells.entry(folded(id)).or_default())
    }

    /// Begins a request that nobody's leaving ends.
    fn take_off(&self, id: &GrantId, cell: &Arc<Cell>, kept: &mut Now, want: Want) -> Flight {
        let flight = Flight::default();
        if want.used {
            kept.noted = (self.clock)();
        }
        kept.flight = Some(Arc::clone(&flight));
        let landing = Landing {
            cell: Arc::clone(cell),
            flight: Arc::clone(&flight),
        };
        let (me, id) = (self.me.clone(), id.clone());
        blocking::unblock(move || {
            let landed = match me.upgrade() {
                Some(keeper) => keeper.fly(&id, &landing.cell, &want),
                None => Err(NoToken::passing("the server goes down")),
            };
            landing.land(landed);
        })
        .detach();
        flight
    }

    /// The token in memory, if it lives and is not the one that was refused.
    fn usable(&self, kept: &Now, now: u64, refused: Option<&Secret>) -> Option<Secret> {
        let token = kept.token.as_ref().filter(|token| token.lives(now))?;
        self.shown(token).filter(|access| refused != Some(access))
    }

    fn shown(&self, token: &Token) -> Option<Secret> {
        self.hider.as_ref()?.show(&token.access)
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

fn refused_again() -> NoToken {
    NoToken::lasting(
        "the upstream refuses a new token, too; look with \"pop3-gateway doctor MAILBOX\" for what is missing",
    )
}

/// As the state has names: without case.
fn folded(id: &GrantId) -> GrantId {
    GrantId::new(id.grant.to_lowercase(), id.owner.to_lowercase())
}

fn by_folded_name(sources: HashMap<String, Arc<dyn Source>>) -> HashMap<String, Arc<dyn Source>> {
    let sources = sources.into_iter();
    sources
        .map(|(name, source)| (name.to_lowercase(), source))
        .collect()
}
