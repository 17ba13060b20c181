//! What can be wrong with a cluster, in words that name the thing, the cause and the remedy.

/// The fewest octets of a secret.
pub const SECRET_LENGTH: usize = 16;

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The address of the engine.
    #[error("the address of the cluster's engine: {0}")]
    Url(String),
    /// The secret of the cluster.
    #[error(
        "the secret of a cluster has {SECRET_LENGTH} octets or more, random ones: make one with openssl rand -base64 32"
    )]
    Secret,
    /// The name of a node or of the cluster.
    #[error("the name of a {0} is 1 to 64 letters, digits, dots, dashes, underlines")]
    Name(&'static str),
    /// The system gives no threads or no random octets.
    #[error("{0}")]
    System(String),
    /// The engine does not answer now. It may later.
    #[error("{0}")]
    Unavailable(String),
    /// The engine answers, and a person has to do something.
    #[error("{0}")]
    Refused(String),
}
