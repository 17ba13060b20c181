//! One refresh at a time for each grant, over several processes, and none while the provider wants to be left alone.

use std::any::Any;
use std::time::Duration;

use gateway_state::GrantId;

/// Says who refreshes a grant. A keeper without any is the only one.
pub trait Turns: Send + Sync + 'static {
    /// Waits for the turn, or until another had it. May block for some seconds.
    fn turn(&self, id: &GrantId) -> Turn;

    /// For how long the provider still wants not to be asked for this grant. Waits for nothing.
    fn rests(&self, id: &GrantId) -> Duration;

    /// The provider wants not to be asked for this grant for so long.
    fn rest(&self, id: &GrantId, span: Duration);
}

/// Who refreshes.
pub enum Turn {
    /// This process. The turn is given back when this is dropped.
    Ours(Option<Box<dyn Any>>),
    /// Another process did, or is late: what it left is in the records.
    Waited,
}
