//! Which runtime drives the sockets.
//!
//! Owns the default, and the answer where a runtime was left out of this build. Starts none.

use crate::Failure;
use crate::config::RuntimeKind;
use crate::setting::value::Word as _;

/// What drives the sockets, unless it was left out of this build.
pub fn chosen(chosen: Option<RuntimeKind>) -> Result<RuntimeKind, Failure> {
    let built = |kind| match kind {
        RuntimeKind::Tokio => cfg!(feature = "tokio"),
        RuntimeKind::Smol => cfg!(feature = "smol"),
    };
    let default = if cfg!(feature = "tokio") {
        RuntimeKind::Tokio
    } else {
        RuntimeKind::Smol
    };
    let kind = chosen.unwrap_or(default);
    if built(kind) {
        Ok(kind)
    } else {
        Err(not_built(kind))
    }
}

/// What is said where this one was left out.
pub(crate) fn not_built(kind: RuntimeKind) -> Failure {
    let name = kind.word();
    Failure::configuration(format!(
        "this pop3-gateway was built without {name}; choose the other runtime"
    ))
}
