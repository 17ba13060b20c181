//! The same questions to every engine. What each of them means is the ledger's; whoever answers otherwise is wrong.

mod asks;
mod servers;

use std::time::Duration;

use pop3_proto::secret::Secret;

use super::{Common, Engine, Memory, Redis};
use crate::ask::{Answer, Ask};
use crate::digest::{ClusterKey, Digest};
use crate::engine::Postgres;
use crate::lease::{Lease, Proof};
use crate::timing::Timing;

fn key(secret: &[u8]) -> ClusterKey {
    ClusterKey::new(&Secret::from(secret)).expect("long enough")
}

fn digest(name: &str) -> Digest {
    key(b"a secret of all nodes").digest("test", name.as_bytes())
}

/// Nothing ends while a test runs.
fn common(grace: Duration) -> Common {
    Common {
        timing: Timing {
            lease: Duration::from_secs(1000),
            grace,
            answer: Duration::from_secs(20),
            ..Timing::default()
        },
        check: key(b"a secret of all nodes").check(),
    }
}

/// An answer without the times in it, which differ from clock to clock.
fn without_times(mut answer: Answer) -> Answer {
    let round = |span: &mut Duration| {
        *span = match span.is_zero() {
            true => Duration::ZERO,
            false => Duration::from_secs(1),
        };
    };
    if let Answer::Standing {
        grace,
        namesake,
        posted,
    } = &mut answer
    {
        round(grace);
        namesake.iter_mut().for_each(round);
        posted.iter_mut().for_each(|posted| round(&mut posted.left));
    } else if let Answer::Grace(span) | Answer::Wait(span) = &mut answer {
        round(span);
    } else if let Answer::Nodes { nodes, .. } = &mut answer {
        nodes.iter_mut().for_each(|seen| round(&mut seen.left));
    }
    answer
}

fn answers(engine: &mut dyn Engine, common: &Common, asks: &[Ask]) -> Vec<Answer> {
    let answers = engine.answer(common, asks).expect("the engine answers");
    answers.into_iter().map(without_times).collect()
}
