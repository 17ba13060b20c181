//! Leases of nodes, their names, and whether the engine lost what it knew.

use std::time::Duration;

use super::{BORN, Book, FENCE, NODES, VERSION, lease_row, millis, name_row, number};
use crate::ask::{Answer, Node, Posted, Seen};
use crate::lease::{Foreign, Lease};

/// What the engine says of itself.
pub(super) enum Born {
    /// It knows nothing, or another server has taken its place.
    Anew,
    /// Since then.
    At(u64),
    OtherSecret,
}

impl Book<'_, '_> {
    pub(super) fn open(&mut self, lease: Lease, node: &Node) -> Result<Answer, Foreign> {
        let born = match self.born()? {
            Born::Anew => None,
            Born::At(at) => Some(at),
            Born::OtherSecret => return Ok(Answer::OtherSecret),
        };
        let nodes = self.nodes()?;
        let namesake = self.namesake(lease, node)?;
        let posted = self.posted()?;
        let born = born.unwrap_or_else(|| {
            self.ledger.begin(self.terms);
            self.terms.now
        });
        let mut nodes: Vec<Lease> = nodes.into_iter().filter(|node| self.lives(*node)).collect();
        nodes.retain(|known| *known != lease);
        nodes.push(lease);
        let nodes: Vec<String> = nodes.iter().map(Lease::to_string).collect();
        self.set(NODES, nodes.join(" "), None);
        Ok(self.stand(lease, node, born, namesake, posted))
    }

    pub(super) fn renew(&mut self, lease: Lease, node: &Node) -> Result<Answer, Foreign> {
        let Born::At(born) = self.born()? else {
            return Ok(Answer::NoLease);
        };
        if !self.lives(lease) {
            return Ok(Answer::NoLease);
        }
        let (namesake, posted) = (self.namesake(lease, node)?, self.posted()?);
        Ok(self.stand(lease, node, born, namesake, posted))
    }

    /// The lease begins or lives on, and the name is this node's unless another has it.
    fn stand(
        &mut self,
        lease: Lease,
        node: &Node,
        born: u64,
        namesake: Option<Duration>,
        posted: Vec<Posted>,
    ) -> Answer {
        let span = Some(self.terms.timing.lease);
        let value = format!("{} {} {}", node.holds, millis(node.degraded), node.name);
        self.set(&lease_row(lease), value, span);
        if namesake.is_none() {
            self.set(&name_row(&node.name), lease.to_string(), span);
        }
        Answer::Standing {
            grace: self.grace(born),
            namesake,
            posted,
        }
    }

    pub(super) fn close(&mut self, lease: Lease) -> Result<Answer, Foreign> {
        self.delete(&lease_row(lease));
        Ok(Answer::Done)
    }

    pub(super) fn survey(&mut self) -> Result<Answer, Foreign> {
        if matches!(self.born()?, Born::OtherSecret) {
            return Ok(Answer::OtherSecret);
        }
        let seen = |lease: Lease| {
            let row = lease_row(lease);
            let value = self.get(&row)?;
            Some(read_node(value).map(|node| Seen {
                lease,
                left: self.left(&row),
                node,
            }))
        };
        let nodes = self.nodes()?.into_iter().filter_map(seen);
        let nodes = nodes.collect::<Result<_, _>>()?;
        let fence = self.fence()?;
        Ok(Answer::Nodes { nodes, fence })
    }

    /// How long nothing new is held, if a lease may ask at all.
    pub(super) fn standing(&self, lease: Lease) -> Result<Option<Duration>, Foreign> {
        match self.born()? {
            Born::At(born) if self.lives(lease) => Ok(Some(self.grace(born))),
            Born::At(_) | Born::Anew | Born::OtherSecret => Ok(None),
        }
    }

    fn grace(&self, born: u64) -> Duration {
        let end = born.saturating_add(millis(self.terms.timing.grace));
        Duration::from_millis(end.saturating_sub(self.terms.now))
    }

    fn born(&self) -> Result<Born, Foreign> {
        let Some(born) = self.get(BORN) else {
            return Ok(Born::Anew);
        };
        let mut words = born.splitn(4, ' ');
        if words.next() != Some(VERSION) {
            return Err(Foreign);
        }
        let check = words.next().ok_or(Foreign)?;
        let at = number(&mut words)?;
        let server = words.next().unwrap_or_default();
        if check != self.terms.check.to_string() {
            return Ok(Born::OtherSecret);
        }
        if server != self.terms.server {
            return Ok(Born::Anew);
        }
        Ok(Born::At(at))
    }

    fn nodes(&self) -> Result<Vec<Lease>, Foreign> {
        let nodes = self.get(NODES).unwrap_or_default();
        nodes.split_ascii_whitespace().map(str::parse).collect()
    }

    /// How long the other process's lease lives that has this name.
    fn namesake(&self, lease: Lease, node: &Node) -> Result<Option<Duration>, Foreign> {
        let Some(owner) = self.get(&name_row(&node.name)) else {
            return Ok(None);
        };
        let owner: Lease = owner.parse()?;
        let other = owner.boot != lease.boot && self.lives(owner);
        Ok(other.then(|| self.left(&lease_row(owner))))
    }

    pub(super) fn fence(&self) -> Result<u64, Foreign> {
        self.get(FENCE)
            .map_or(Ok(0), |fence| fence.parse().map_err(|_| Foreign))
    }
}

pub(crate) fn read_node(value: &str) -> Result<Node, Foreign> {
    let mut words = value.splitn(3, ' ');
    let holds = number(&mut words)?;
    let degraded = Duration::from_millis(number(&mut words)?);
    Ok(Node {
        name: words.next().ok_or(Foreign)?.to_owned(),
        holds: u32::try_from(holds).map_err(|_| Foreign)?,
        degraded,
    })
}
