//! Client and servers on a core each, where they wait for each other at each step.
//!
//! Left to itself the kernel puts them on one core or on two, from one second to the next, and what is
//! measured is its choice: one of the two is three times as fast as the other, with the same programs.

use std::collections::BTreeSet;

use rustix::io::Errno;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

use crate::Outcome;
use crate::process::Tree;

/// As long as it lives, this thread has a core of its own, and all processes that this one started share
/// another.
pub(crate) struct Apart {
    /// The cores of before.
    all: CpuSet,
}

impl Apart {
    /// `None` where there is only one core.
    pub(crate) fn keep() -> Outcome<Option<Self>> {
        let all = sched_getaffinity(None)?;
        let mut each = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (Some(client), Some(servers)) = (each.next(), each.next()) else {
            return Ok(None);
        };
        let apart = Self { all };
        sched_setaffinity(None, &only(client))?;
        place_servers(&only(servers))?;
        Ok(Some(apart))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // it was allowed a moment ago
        let _ = sched_setaffinity(None, &self.all);
        let _ = place_servers(&self.all);
    }
}

fn only(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}

/// What they start later comes to the same cores by itself; what they start meanwhile is looked for.
fn place_servers(cores: &CpuSet) -> Outcome {
    let mut placed = BTreeSet::new();
    loop {
        let new: Vec<u32> = Tree(std::process::id())
            .threads_below()
            .into_iter()
            .filter(|thread| placed.insert(*thread))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        for thread in new {
            match sched_setaffinity(Pid::from_raw(thread.cast_signed()), cores) {
                // it has ended
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
