//! Where the engine of a cluster is.

use std::fmt;
use std::str::FromStr;

use pop3_proto::secret::Secret;

use crate::digest::ClusterKey;
use crate::engine::{Engine, Memory};
use crate::error::ClusterError;
use crate::options::Options;

/// The address of an engine:
///
/// * `memory:`: in this process, for tests
///
/// Printed, it shows neither user nor password.
#[derive(Clone)]
pub struct ClusterUrl(Place);

#[derive(Clone)]
enum Place {
    Memory(Memory),
}

impl ClusterUrl {
    /// An engine in memory that several nodes of this process share.
    #[must_use]
    pub fn memory(memory: &Memory) -> Self {
        Self(Place::Memory(memory.clone()))
    }

    /// The password from elsewhere, a file for example. It goes before one in the address.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8, or there is no server to give it to.
    pub fn with_password(self, password: &Secret) -> Result<Self, ClusterError> {
        let _ = password;
        match self.0 {
            Place::Memory(_) => Err(ClusterError::Url("it takes no password".into())),
        }
    }

    /// Asks the engine whether a node could take part, and changes nothing. Blocks, for some seconds at most.
    ///
    /// # Errors
    ///
    /// If it could not, in words that name the thing, the cause and the remedy.
    pub fn probe(&self, key: &ClusterKey, options: &Options) -> Result<(), ClusterError> {
        options.check()?;
        let _ = key;
        match &self.0 {
            Place::Memory(_) => Ok(()),
        }
    }

    pub(crate) fn engine(&self, _options: &Options) -> Result<Box<dyn Engine>, ClusterError> {
        match &self.0 {
            Place::Memory(memory) => Ok(Box::new(memory.clone())),
        }
    }
}

impl FromStr for ClusterUrl {
    type Err = ClusterError;

    fn from_str(url: &str) -> Result<Self, ClusterError> {
        match url {
            "memory:" => Ok(Self(Place::Memory(Memory::new()))),
            _ => Err(ClusterError::Url(
                "it is memory:, redis://…, rediss://… or postgres://…".into(),
            )),
        }
    }
}

impl fmt::Display for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Memory(_) => f.write_str("memory:"),
        }
    }
}

impl fmt::Debug for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
