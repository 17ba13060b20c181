//! Counters by a name of the configuration.
//!
//! Owns that finding them takes no lock: they are looked up in the task of a session. Names are added and never
//! removed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// What there is of each name.
pub(super) struct Table<T>(ArcSwap<BTreeMap<Arc<str>, Arc<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(ArcSwap::default())
    }
}

impl<T: Default> Table<T> {
    /// Counts at this name.
    pub(super) fn at<R>(&self, name: &str, count: impl FnOnce(&T) -> R) -> R {
        let now = self.0.load();
        match now.get(name) {
            Some(own) => count(own),
            None => count(&self.added(name)),
        }
    }

    fn added(&self, name: &str) -> Arc<T> {
        let (name, fresh) = (Arc::<str>::from(name), Arc::<T>::default());
        self.0.rcu(|now| {
            let mut more = BTreeMap::clone(now);
            more.entry(Arc::clone(&name))
                .or_insert_with(|| Arc::clone(&fresh));
            more
        });
        // somebody else may have been first
        self.0.load().get(&name).map_or(fresh, Arc::clone)
    }
}

impl<T> Table<T> {
    /// All names as they are now, in their order.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Arc<T>)> {
        let now = self.0.load();
        let each = |(name, own): (&Arc<str>, &Arc<T>)| (Arc::clone(name), Arc::clone(own));
        now.iter().map(each).collect()
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.load().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Whichever thread adds a name first, no count is lost.
    #[test]
    fn threads_that_add_names_at_once_count_at_the_same_ones() {
        let table = Table::<AtomicU64>::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        let name = (n % 50).to_string();
                        table.at(&name, |own| own.fetch_add(1, Ordering::Relaxed));
                    }
                });
            }
        });
        let all = table.all();
        assert_eq!(all.len(), 50);
        assert!(
            all.iter()
                .all(|(_, own)| own.load(Ordering::Relaxed) == 160)
        );
    }
}
