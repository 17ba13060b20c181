#![doc = include_str!("../README.md")]

mod agent;
mod ask;
mod clock;
mod cluster;
mod digest;
mod engine;
mod error;
mod held;
mod lease;
mod ledger;
mod machine;
mod notice;
mod options;
mod owner;
mod pending;
mod shared;
mod status;
mod subject;
mod timing;
mod url;

pub use cluster::{Cluster, Ended, Ending, Left, Looked, Place, Refresh, RefreshLease, Spare};
pub use digest::ClusterKey;
pub use engine::Memory;
pub use error::{ClusterError, SECRET_LENGTH};
pub use held::{Hold, Released};
pub use machine::Outcome;
pub use notice::Notice;
pub use options::{OnFailure, Options};
pub use pending::Pending;
pub use status::{ClusterStatus, Figures, Latency, NodeStatus};
pub use subject::Subject;
pub use timing::Timing;
pub use url::ClusterUrl;
