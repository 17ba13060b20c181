//! The keeper of tokens.
//!
//! Owns the access tokens in memory, and when new ones are asked for:
//!
//! * One request at a time for each grant, however many logins wait for it (single flight). It runs to its end though
//!   they all leave: a refresh token that was replaced must not be lost with them.
//! * Ahead of time, at four fifths of a token's life, for grants that were used in the last day.
//! * A refresh token that was replaced is kept for good before the access token that came with it is used.
//! * A token that still lives is used while the provider is out of order, and asking ahead gets rarer meanwhile.
//! * Only `invalid_grant` ends a grant ([`Meaning::Ended`]). An outage, a limit, a setting that is wrong never do.
//! * What was removed or signed in for anew elsewhere is forgotten within half a minute.
//! * A token that the upstream refused is asked for anew once; another refusal soon after is answered without asking.
//!
//! Knows no mailbox and no session. What there is of one grant stands in `cell`.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use gateway_state::{Binding, Grant, GrantId, Replaced, StateError, Tokens};
use pop3_proto::secret::Secret;

use super::answer::Obtained;
use super::authority::unix;
use super::cell::{Cell, Flight, Landing, Now, Token, alive, due, lock};
use super::hidden::Hider;
use super::records::Records;
use super::refusal::{Meaning, NoToken, Refusal};
use super::source::{Ask, Source};
use super::turns::{Turn, Turns};

/// After a failure the provider is not asked again before this, unless it names another time.
const BACKOFF: Duration = Duration::from_secs(10);
/// After a failure of the records they are not asked again before this.
const RECORDS_AGAIN: Duration = Duration::from_secs(1);
/// After a forced refresh another one is not made before this.
const FORCED_AGAIN: Duration = Duration::from_secs(60);
/// Grants that were not used for so long are not refreshed ahead, in seconds.
const USED_WITHIN: u64 = 24 * 3600;
/// How often it is looked which grants are due.
const LOOK: Duration = Duration::from_secs(30);
/// How often it is looked which grants were removed elsewhere, or signed in for anew.
const LOOK_FOR_REMOVED: Duration = Duration::from_secs(15);
/// How many grants are refreshed ahead at once: logins need the threads, too, and providers count.
const AT_ONCE: usize = 8;
/// How often a grant is noted as used, in seconds.
const NOTED: u64 = 600;
/// Clocks of several gateways differ by no more, in seconds. Records of a later time were made before the clock was
/// set back: what they say of a token's end is not believed.
const SKEW: u64 = 300;

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

    /// Forgets what is in memory of grants that another process removed, or somebody signed in for anew there. A refresh
    /// by another is no reason: the token of before lives on. Blocks.
    pub fn forget_removed(&self) {
        let Some(records) = &self.records else {
            return;
        };
        let cells = lock(&self.cells).clone().into_iter();
        let held = cells.filter_map(|(id, cell)| {
            let kept = lock(&cell.now);
            Some((id, kept.token.as_ref()?.obtained?))
        });
        let held: Vec<_> = held.collect();
        if held.is_empty() {
            return;
        }
        // what cannot be read says nothing of what is there
        let Ok(grants) = records.with(|state| state.grants()) else {
            return;
        };
        let grants = grants.into_iter();
        let there: HashMap<_, _> = grants.map(|grant| (grant.id, grant.obtained)).collect();
        for (id, obtained) in held {
            if there.get(&id.folded()) != Some(&obtained) {
                self.forget(&id);
            }
        }
    }

    /// Refreshes ahead of time and forgets what was removed from now on, until nobody has the keeper any more.
    pub fn look_ahead(&self) -> std::io::Result<()> {
        self.repeat("tokens", LOOK, Self::refresh_due)?;
        // a provider that is slow does not hold this up
        self.repeat("grants", LOOK_FOR_REMOVED, Self::forget_removed)
    }

    fn repeat(&self, name: &str, pause: Duration, work: fn(&Self)) -> std::io::Result<()> {
        let me = self.me.clone();
        let repeat = move || {
            while let Some(keeper) = me.upgrade() {
                work(&keeper);
                drop(keeper);
                std::thread::sleep(pause);
            }
        };
        let thread = std::thread::Builder::new().name(name.into());
        thread.spawn(repeat).map(|_| ())
    }

    /// Refreshes each grant that is due, some at a time. Blocks until that is done.
    pub fn refresh_due(&self) {
        let now = (self.clock)();
        lock(&self.cells)
            .retain(|_, cell| Arc::strong_count(cell) > 1 || lock(&cell.now).matters(now));
        let Some(records) = &self.records else {
            return;
        };
        // what cannot be read shows at the logins that need it
        let grants = records.with(|state| state.grants()).unwrap_or_default();
        let mut under_way = VecDeque::new();
        for grant in grants {
            let unused = now.saturating_sub(grant.used) > USED_WITHIN;
            let due = due(&grant.id, grant.refreshed, grant.access_expires);
            let known = self.sources.contains_key(&grant.id.grant);
            if unused || grant.ended.is_some() || due > now || !known {
                continue;
            }
            if under_way.len() == AT_ONCE
                && let Some(flight) = under_way.pop_front()
            {
                wait_for(flight);
            }
            let cell = self.cell(&grant.id);
            let mut kept = lock(&cell.now);
            if kept.flight.is_none() && !kept.rests_ahead() {
                let want = Want {
                    ahead: true,
                    ..Want::default()
                };
                under_way.push_back(self.take_off(&grant.id, &cell, &mut kept, want));
            }
        }
        under_way.into_iter().for_each(wait_for);
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

    /// Gets a token that lives, if there can be one.
    fn fly(&self, id: &GrantId, cell: &Cell, want: &Want) -> Result<Secret, NoToken> {
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

fn nobody_signed_in(id: &GrantId) -> NoToken {
    NoToken::lasting(format!(
        "nobody signed in for {0}; do it with \"pop3-gateway sign-in {0}\"",
        id.owner
    ))
}

fn wait_for(flight: Flight) {
    flight.wait_blocking();
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
