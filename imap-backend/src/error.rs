//! What an upstream's refusal means: the one table from its codes and words to ours.

use alloc::format;
use alloc::string::String;

use pop3_proto::backend::{Failure, FailureKind, Refusal, RefusalKind};

use crate::client::Notice;
use crate::grammar::{Code, Kind};

/// Why an `Open` ends without a maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    Refused(Refusal),
    Failed(Failure),
}

impl From<Failure> for Denial {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a code says about the kind of trouble; `None` if it says nothing.
fn class(code: Code) -> Option<Class> {
    match code {
        Code::AuthenticationFailed | Code::AuthorizationFailed | Code::Expired => {
            Some(Class::Credentials)
        }
        Code::Unavailable
        | Code::InUse
        | Code::Limit
        | Code::OverQuota
        | Code::ServerBug
        | Code::Throttled
        | Code::MessageLimit(_) => Some(Class::Temporary),
        Code::ContactAdmin
        | Code::NoPerm
        | Code::PrivacyRequired
        | Code::Corruption
        | Code::ReadOnly => Some(Class::Permanent),
        Code::NonExistent | Code::ExpungeIssued => Some(Class::Absent),
        Code::Other
        | Code::Alert
        | Code::UidValidity(_)
        | Code::UidNotSticky
        | Code::ReadWrite
        | Code::TryCreate => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Credentials,
    Temporary,
    Permanent,
    Absent,
}

/// Words that say "later" where no code does (qF1, qF2).
const LATER: [&str; 11] = [
    "backoff",
    "connection limit",
    "later",
    "not connected",
    "overquota",
    "rate limit",
    "temporar",
    "throttl",
    "too many",
    "try again",
    "unavailable",
];

fn says_later(notice: &Notice) -> bool {
    let text = notice.text.to_ascii_lowercase();
    notice.kind != Kind::No || LATER.iter().any(|words| text.contains(words))
}

/// Whether a status that ends no command refuses the credentials all the same: some servers say so and
/// leave the command without an answer. Without a code it is but a warning (RFC 3501 section 7.1.2).
pub(crate) fn refuses_untagged(notice: &Notice) -> bool {
    matches!(notice.kind, Kind::No | Kind::Bad) && class(notice.code) == Some(Class::Credentials)
}

/// A login that was not granted.
pub(crate) fn login(notice: &Notice) -> Denial {
    let detail = said("login", notice);
    match class(notice.code) {
        Some(Class::Temporary) => Denial::Failed(Failure::temporary(detail)),
        Some(Class::Permanent) => Denial::Failed(Failure::permanent(detail)),
        Some(Class::Credentials) => Denial::Refused(Refusal::new(RefusalKind::Credentials, detail)),
        Some(Class::Absent) | None if says_later(notice) => {
            Denial::Failed(Failure::temporary(detail))
        }
        Some(Class::Absent) | None => {
            Denial::Refused(Refusal::new(RefusalKind::Credentials, detail))
        }
    }
}

/// A folder that could not be opened: without a code it is not there.
pub(crate) fn select(notice: &Notice) -> Failure {
    let kind = match class(notice.code) {
        Some(Class::Temporary) => FailureKind::Temporary,
        Some(Class::Permanent | Class::Credentials | Class::Absent) => FailureKind::Permanent,
        None if says_later(notice) => FailureKind::Temporary,
        None => FailureKind::Permanent,
    };
    Failure::new(kind, said("folder", notice))
}

/// A message that was not sent.
pub(crate) fn fetch(notice: &Notice) -> Failure {
    let absent = class(notice.code) == Some(Class::Absent);
    let kind = if absent {
        FailureKind::Missing
    } else {
        FailureKind::Temporary
    };
    Failure::new(kind, said("message", notice))
}

/// Anything else that was not done.
pub(crate) fn command(what: &str, notice: &Notice) -> Failure {
    let kind = match class(notice.code) {
        Some(Class::Permanent | Class::Absent) => FailureKind::Permanent,
        Some(Class::Temporary | Class::Credentials) | None => FailureKind::Temporary,
    };
    Failure::new(kind, said(what, notice))
}

fn said(what: &str, notice: &Notice) -> String {
    format!("{what}: upstream says {} {}", notice.kind, notice.text)
}
