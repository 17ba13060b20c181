//! One refresh at a time for each grant, over several processes.

use std::any::Any;

use gateway_state::GrantId;

/// Says who refreshes a grant. A keeper without any is the only one.
pub trait Turns: Send + Sync + 'static {
    /// Waits for the turn, or until another had it. May block for some seconds.
    fn turn(&self, id: &GrantId) -> Turn;
}

/// Who refreshes.
pub enum Turn {
    /// This process. The turn is given back when this is dropped.
    Ours(Option<Box<dyn Any>>),
    /// Another process did, or is late: what it left is in the records.
    Waited,
}
