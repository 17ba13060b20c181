//! What is done without a login: tokens are refreshed before they end, and what was removed elsewhere is forgotten.
//!
//! Owns when that happens. Never asks a provider itself: it sends an errand.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::super::cell::{Flight, due, lock};
use super::{Keeper, Want};

/// Grants that were not used for so long are not refreshed ahead, in seconds.
const USED_WITHIN: u64 = 24 * 3600;
/// How often it is looked which grants are due.
const LOOK: Duration = Duration::from_secs(30);
/// How often it is looked which grants were removed elsewhere, or signed in for anew.
const LOOK_FOR_REMOVED: Duration = Duration::from_secs(15);
/// How many grants are refreshed ahead at once: logins need the threads, too, and providers count.
const AT_ONCE: usize = 8;

impl Keeper {
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
}

fn wait_for(flight: Flight) {
    flight.wait_blocking();
}
