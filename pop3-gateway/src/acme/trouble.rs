//! Why there is no certificate, and the words for it.

use std::time::Duration;

use instant_acme::Error;

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) what: String,
    pub(super) remedy: String,
    /// How long the CA wants to be left in peace.
    pub(super) retry_after: Option<Duration>,
}

/// The type of the CA's problem, without what all of them begin with (RFC 8555 section 6.7).
pub(super) fn kind(error: &Error) -> String {
    let Error::Api(problem) = error else {
        return String::new();
    };
    let named = problem.r#type.as_deref().unwrap_or_default();
    let named = named.strip_prefix("urn:ietf:params:acme:error:");
    clean(named.unwrap_or_default())
}

pub(super) fn slow() -> Trouble {
    Trouble {
        what: "the CA has not come to an end for two minutes".into(),
        remedy: "nothing: it is asked again later".into(),
        retry_after: None,
    }
}

pub(super) fn here(what: String) -> Trouble {
    Trouble {
        what,
        remedy: "check the folder dir in [acme]".into(),
        retry_after: None,
    }
}

/// One short line of what somebody else says.
pub(super) fn clean(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.take(300).collect()
}
