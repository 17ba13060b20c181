//! Failed logins, told to the other nodes and heard from them.

use std::fmt;

use gateway_cluster::Cluster;
use pop3_server::delay::{Delay, Fault};
use pop3_server::runtime::Boxed;
use pop3_server::throttle::{Looked, Others, Subject};

/// The failed logins of all nodes.
pub(super) struct Failures(Cluster);

impl Failures {
    pub(super) const fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }

    fn subjects(&self, subjects: &[Subject]) -> Vec<gateway_cluster::Subject> {
        let subject = |own: &Subject| self.0.subject(own.kind, &own.octets, own.scope);
        subjects.iter().map(subject).collect()
    }
}

impl Others for Failures {
    fn look(&self, rules: &Delay, subjects: &[Subject]) -> Boxed<Looked> {
        let looked = self.0.look(&self.subjects(subjects), *rules);
        Box::pin(async {
            let looked = looked.await;
            match looked.wait() {
                wait if wait.is_zero() => Looked::now(Some(Box::new(looked))),
                wait => Looked::later(wait),
            }
        })
    }

    fn failed(&self, rules: &Delay, subjects: &[Subject], source: &[u8], fault: Fault) {
        self.0
            .failed(&self.subjects(subjects), source, fault, *rules);
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures").finish_non_exhaustive()
    }
}
