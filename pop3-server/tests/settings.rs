//! What a new connection starts with.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use pop3_proto::backend::{Failure, Login, Mechanism};
use pop3_proto::server::Policy;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;
use testkit_server::jobs::JobBackend;

/// Whether the secrets of all users are stored.
struct Nobody(bool);

impl Service for Nobody {
    type Backend = JobBackend;

    fn route(&self, _: &Login, _: &Peer) -> Result<Routed<JobBackend>, Denied> {
        Err(Denied::Failed(Failure::temporary("nobody is here")))
    }

    fn takes_digests(&self) -> bool {
        self.0
    }
}

fn policies(takes_digests: bool, policy: Policy) -> [Arc<Policy>; 3] {
    let settings = Settings::new(Arc::new(Nobody(takes_digests))).policy(policy);
    let listener = Arc::clone(&settings.policy);
    [
        settings.session_policy(),
        settings.session_policy(),
        listener,
    ]
}

/// Where they cannot work they are not offered; the rules without them are made once for all connections.
#[test]
fn rules_without_digests_are_made_once() {
    let cram = Mechanism::new("CRAM-MD5").unwrap();
    let both = Policy::default().apop(true).mechanisms(vec![cram]);
    let [first, second, _] = policies(false, both.clone());
    assert!(first.user_pass && !first.offers_digests());
    assert!(Arc::ptr_eq(&first, &second));
    let unchanged = [
        (true, both.clone()),
        (false, Policy::default()),
        // there would be no way to log in
        (false, both.user_pass(false)),
    ];
    for (takes_digests, policy) in unchanged {
        let [first, _, listener] = policies(takes_digests, policy);
        assert!(Arc::ptr_eq(&first, &listener));
    }
}
