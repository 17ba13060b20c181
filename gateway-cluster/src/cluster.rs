//! The handle of a node: what a program calls.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::failed_login::{Delay, Fault, Scope};

use crate::agent;
use crate::ask::{Answer, Ask, Turn};
use crate::clock::Clock;
use crate::digest::{ClusterKey, Digest};
use crate::engine::{Common, Engine};
use crate::error::ClusterError;
use crate::held::Hold;
use crate::lease::Lease;
use crate::machine::{Machine, Report, Turned};
use crate::options::{OnFailure, Options};
use crate::owner::Owner;
use crate::pending::{Cancel, Pending};
use crate::shared::{Shared, State};
use crate::status::{ClusterStatus, Figures, NodeStatus};
use crate::subject::Subject;
use crate::url::ClusterUrl;

/// This process among the nodes of a cluster. Cheap to clone; all clones are one, and when the last one is gone with all
/// that came of it, the node leaves.
///
/// No call blocks. What comes later comes as a [`Pending`] or a [`Hold`], which any executor can wait for. It has two
/// threads of its own.
///
/// ```
/// use gateway_cluster::{Cluster, ClusterKey, Options, Outcome};
/// use pop3_proto::secret::Secret;
///
/// let key = ClusterKey::new(&Secret::from(&b"what all nodes share"[..]))?;
/// let cluster = Cluster::start(&"memory:".parse()?, &key, Options::new("node-1"))?;
/// let mut hold = cluster.take("tim@example.org");
/// futures_lite::future::block_on(async {
///     assert_eq!(hold.next_outcome().await, Outcome::Held);
///     assert_eq!(cluster.take("tim@example.org").next_outcome().await, Outcome::Busy);
///     hold.release().await;
///     assert_eq!(cluster.take("tim@example.org").next_outcome().await, Outcome::Held);
///     cluster.leave().await;
/// });
/// # Ok::<(), gateway_cluster::ClusterError>(())
/// ```
#[derive(Clone)]
pub struct Cluster(pub(crate) Arc<Owner>);

impl Cluster {
    /// Starts to take part. Does not wait for the engine: until it answers, all is as if it were gone.
    ///
    /// # Errors
    ///
    /// If a name is not good, or the system gives no threads or no random octets.
    pub fn start(
        url: &ClusterUrl,
        key: &ClusterKey,
        options: Options,
    ) -> Result<Self, ClusterError> {
        options.check()?;
        let engine = url.engine(&options);
        Self::with_engine(engine, url.to_string(), key, options)
    }

    pub(crate) fn with_engine(
        engine: Box<dyn Engine>,
        place: String,
        key: &ClusterKey,
        options: Options,
    ) -> Result<Self, ClusterError> {
        let mut boot = [0; 8];
        let system = |error: &dyn fmt::Display| {
            ClusterError::System(format!("the system gives nothing: {error}"))
        };
        getrandom::fill(&mut boot).map_err(|error| system(&error))?;
        let boot = u64::from_be_bytes(boot);
        let open = options.on_failure == OnFailure::Open;
        let (timing, name) = (options.timing, options.node);
        let machine = Machine::new(timing, open, name.clone(), boot);
        let shared = Arc::new(Shared::new(
            machine,
            Clock::new(),
            timing.answer,
            options.notice,
        ));
        let common = Common {
            timing,
            check: key.check(),
        };
        agent::start(&shared, engine, common, place.clone()).map_err(|error| system(&error))?;
        let key = key.clone();
        Ok(Self(Arc::new(Owner {
            shared,
            key,
            name,
            place,
            boot,
        })))
    }

    /// Claims a maildrop for a session.
    pub fn take(&self, maildrop: &str) -> Hold {
        let maildrop = self.0.key.digest("hold", maildrop.as_bytes());
        let id = self.0.shared.with(|state, now| {
            let id = state.slot();
            state.machine.take(id, maildrop, now);
            id
        });
        Hold::new(Arc::clone(&self.0), id)
    }

    /// A connection of an upstream account, of which all nodes together have `cap` at most. `None`: there was none to
    /// spare within this time. Without the engine this node counts for itself.
    pub fn place(&self, account: &str, cap: u32, patience: Duration) -> Pending<Option<Place>> {
        let account = self.account(account);
        let owner = Arc::clone(&self.0);
        let place = move |report: Report| {
            let granted = matches!(report, Report::Place(_, true));
            granted.then(|| Place(Arc::new(Taken { owner, account })))
        };
        self.pending(Cancel::Place, place, |state, id, now| {
            state.machine.enter(id, account, cap, now + patience, now);
        })
    }

    /// No node is to connect to this account for so long. The others hear of it when they renew their leases.
    pub fn back_off(&self, account: &str, span: Duration) {
        let account = self.account(account);
        let shared = &self.0.shared;
        shared.with(|state, now| state.machine.back_off(account, span, now));
    }

    /// For how long this account is not to be connected to, as far as this node has heard. Asks nothing.
    #[must_use]
    pub fn wait_for(&self, account: &str) -> Duration {
        let account = self.account(account);
        let shared = &self.0.shared;
        let state = shared.lock();
        state.machine.wait_for(account, shared.clock.now())
    }

    /// The turn to refresh a grant. Others are waited for within this time.
    pub fn refresh(&self, grant: &str, patience: Duration) -> Pending<Refresh> {
        let grant = self.0.key.digest("grant", grant.as_bytes());
        let owner = Arc::clone(&self.0);
        let refresh = move |report: Report| {
            let Report::Turn(turn, turned) = report else {
                return Refresh::Alone;
            };
            match turned {
                Turned::Yours(lease) => Refresh::Yours(RefreshLease {
                    owner,
                    grant,
                    lease,
                    turn,
                }),
                Turned::Waited => Refresh::Waited,
                Turned::Alone => Refresh::Alone,
            }
        };
        self.pending(Cancel::Turn, refresh, |state, id, now| {
            state.machine.turn(id, grant, now + patience, now);
        })
    }

    /// A subject of failed logins: an address, a network or a name.
    #[must_use]
    pub fn subject(&self, kind: &str, name: &[u8], scope: Scope) -> Subject {
        Subject::new(&self.0.key, kind, name, scope)
    }

    /// How long a login of these subjects has to wait before it is looked at; without the engine not at all. If it need
    /// not wait but one of them failed lately, it has the turn: others wait until [`failed`](Self::failed) or the end of
    /// the [`Looked`].
    pub fn look(&self, subjects: &[Subject], rules: Delay) -> Pending<Looked> {
        let subjects = subjects.to_vec();
        let owner = Arc::clone(&self.0);
        let boot = self.0.boot;
        let kept = subjects.clone();
        let looked = move |report: Report| Looked {
            turn: Turn {
                boot,
                number: report.id(),
            },
            wait: wait(report),
            owner,
            subjects: kept,
        };
        self.pending(Cancel::Nothing, looked, |state, id, now| {
            let turn = Turn { boot, number: id };
            let ask = Ask::Look {
                subjects,
                turn,
                rules,
            };
            state.machine.errand(Some(id), ask, now);
        })
    }

    /// A login of these subjects failed.
    pub fn failed(&self, subjects: &[Subject], source: &[u8], fault: Fault, rules: Delay) {
        let source = self.0.key.digest("source", source);
        self.tell(Ask::Note {
            subjects: subjects.to_vec(),
            source,
            fault,
            rules,
        });
    }

    /// What the engine knows of all nodes; without it what this node knows of itself.
    pub fn status(&self) -> Pending<ClusterStatus> {
        let owner = Arc::clone(&self.0);
        let status = move |report: Report| status(&owner, report);
        self.pending(Cancel::Nothing, status, |state, id, now| {
            state.machine.errand(Some(id), Ask::Survey, now);
        })
    }

    /// What was counted so far, and what is the case now.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let shared = &self.0.shared;
        let state = shared.lock();
        state.machine.figures(shared.clock.now())
    }

    /// Ready when this node must end.
    pub fn ended(&self) -> Ended {
        Ended(Arc::clone(&self.0))
    }

    /// Gives back all that is held, and the lease. From then on all is as if the engine were gone, and the threads end.
    pub fn leave(&self) -> Left {
        self.0.shared.with(|state, _| state.closing = true);
        Left(Arc::clone(&self.0))
    }

    fn account(&self, account: &str) -> Digest {
        self.0.key.digest("account", account.as_bytes())
    }

    fn tell(&self, ask: Ask) {
        self.0
            .shared
            .with(|state, now| state.machine.errand(None, ask, now));
    }

    fn pending<T>(
        &self,
        cancel: Cancel,
        read: impl FnOnce(Report) -> T + Send + 'static,
        begin: impl FnOnce(&mut State, u64, pop3_proto::time::Time),
    ) -> Pending<T> {
        let id = self.0.shared.with(|state, now| {
            let id = state.slot();
            begin(state, id, now);
            id
        });
        Pending::new(Arc::clone(&self.0), id, cancel, Box::new(read))
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("node", &self.0.name)
            .field("engine", &self.0.place)
            .finish_non_exhaustive()
    }
}

fn wait(report: Report) -> Duration {
    if let Report::Answer(_, Some(Answer::Wait(wait))) = report {
        return wait;
    }
    Duration::ZERO
}

fn status(owner: &Owner, report: Report) -> ClusterStatus {
    let figures = {
        let state = owner.shared.lock();
        state.machine.figures(owner.shared.clock.now())
    };
    let seen = if let Report::Answer(_, Some(Answer::Nodes { nodes, fence })) = report {
        Some((nodes, fence))
    } else {
        None
    };
    let fence = seen.as_ref().map(|(_, fence)| *fence);
    let answered = seen.is_some();
    let nodes = match seen {
        Some((nodes, _)) => nodes
            .into_iter()
            .map(|seen| NodeStatus {
                name: seen.node.name,
                lease: seen.lease.to_string(),
                left: seen.left,
                holds: seen.node.holds,
                degraded: seen.node.degraded,
                own: seen.lease.boot == owner.boot,
            })
            .collect(),
        None => vec![NodeStatus {
            name: owner.name.clone(),
            lease: String::new(),
            left: Duration::ZERO,
            holds: u32::try_from(figures.held + figures.alone).unwrap_or(u32::MAX),
            degraded: figures.degraded.unwrap_or_default(),
            own: true,
        }],
    };
    ClusterStatus {
        name: owner.name.clone(),
        engine: owner.place.clone(),
        answered,
        degraded: figures.degraded,
        fence,
        nodes,
        figures,
    }
}

/// A connection of an upstream account. Dropped, with all [`Spare`]s that came of it, it makes room for another.
#[must_use]
pub struct Place(Arc<Taken>);

struct Taken {
    owner: Arc<Owner>,
    account: Digest,
}

impl Place {
    /// The connection is unused for now, and keeps its place. Once a login of any node waits for one, `end` is called,
    /// from whatever thread: it is to end the connection soon, and what this returns with it. It must not block.
    pub fn spare(&self, end: impl FnOnce() + Send + 'static) -> Spare {
        let taken = Arc::clone(&self.0);
        let account = taken.account;
        let spare = |state: &mut State, _| state.spare(account, Box::new(end));
        let id = taken.owner.shared.with(spare);
        Spare { taken, id }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let account = self.account;
        let exit = |state: &mut State, now| state.machine.exit(account, now);
        self.owner.shared.with(exit);
    }
}

/// An unused place; see [`Place::spare`].
#[must_use]
pub struct Spare {
    taken: Arc<Taken>,
    id: u64,
}

impl Drop for Spare {
    fn drop(&mut self) {
        let (account, id) = (self.taken.account, self.id);
        let used = |state: &mut State, _| state.spare_no_more(account, id);
        self.taken.owner.shared.with(used);
    }
}

/// Who refreshes a grant.
#[must_use]
pub enum Refresh {
    /// This process, now.
    Yours(RefreshLease),
    /// Another node had the turn, or has it for too long. What it got is in the state, or is not: look again.
    Waited,
    /// There is no engine to ask. This process goes on as if it were the only one.
    Alone,
}

/// The turn to refresh. It ends by itself after the time of a lease; dropped, it ends at once.
#[must_use]
pub struct RefreshLease {
    owner: Arc<Owner>,
    grant: Digest,
    lease: Lease,
    turn: u64,
}

impl Drop for RefreshLease {
    fn drop(&mut self) {
        let ask = Ask::Refreshed {
            lease: self.lease,
            grant: self.grant,
            turn: self.turn,
        };
        self.owner
            .shared
            .with(|state, now| state.machine.errand(None, ask, now));
    }
}

/// What became of a look. Dropped, it gives back the turn.
#[must_use]
pub struct Looked {
    wait: Duration,
    owner: Arc<Owner>,
    subjects: Vec<Subject>,
    turn: Turn,
}

impl Looked {
    /// How long to wait before the next look; zero: the login may be looked at now.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        if !self.wait.is_zero() {
            return;
        }
        let ask = Ask::Spare {
            subjects: std::mem::take(&mut self.subjects),
            turn: self.turn,
        };
        self.owner
            .shared
            .with(|state, now| state.machine.errand(None, ask, now));
    }
}

/// Why a node must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// Another process has the same name, and had it first.
    Namesake,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namesake => f.write_str(
                "another node of the cluster has the same name: give each node its own in [cluster] node",
            ),
        }
    }
}

/// Waits for the end; see [`Cluster::ended`].
#[must_use]
pub struct Ended(Arc<Owner>);

impl Future for Ended {
    type Output = Ending;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        let mut state = self.0.shared.lock();
        state.namesake.poll(cx).map(|()| Ending::Namesake)
    }
}

/// Waits until the node has left; see [`Cluster::leave`].
#[must_use]
pub struct Left(Arc<Owner>);

impl Future for Left {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.shared.lock().left.poll(cx)
    }
}
