//! What an upstream's refusal means: the one table from its codes and words to ours.

use alloc::format;
use alloc::string::String;

use pop3_proto::backend::{Failure, FailureKind, Refusal, RefusalKind};

use crate::backoff;
use crate::grammar::{Code, Kind};
use crate::text::MASKS;
use crate::wire::Notice;

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

/// The kind of trouble that a code names; `None` if it names none.
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
        | Code::UidNext(_)
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

/// What a text means where no code helps, in upper or lower case; the first row with a word of the text counts.
const WORDS: [(Class, &[&str]); 5] = [
    (Class::Credentials, &ANY_OF_THESE),
    (Class::Permanent, &NEEDS_A_PERSON),
    (Class::Temporary, &LATER),
    (Class::Credentials, &CREDENTIALS),
    (Class::Temporary, &AGAIN),
];

/// From a text that lists everything that may be wrong (QQ): most often it is this.
const ANY_OF_THESE: [&str; 1] = ["password is incorrect"];

/// The account or its provider's settings (`[SYS/PERM]`): no other password would help.
const NEEDS_A_PERSON: [&str; 42] = [
    "access disabled",
    "access has been disabled",
    "access is disabled",
    "account blocked",
    "account disabled",
    "account has been",
    "account inactive",
    "account is blocked",
    "account is disabled",
    "account is inactive",
    "account is not active",
    "account suspended",
    "basic auth",
    "basicauth",
    "cleartext",
    "contact your admin",
    "deactivated",
    "disabled for this",
    "imap is disabled",
    "is disabled for",
    "login disabled",
    "login is currently disabled",
    "login is disabled",
    "logins are disabled",
    "logins disabled",
    "mailbox is disabled",
    "no access rights",
    "no mechanism available",
    "not allowed to use imap",
    "not enabled",
    "not have access rights",
    "not permitted to use imap",
    "plaintext",
    "suspended",
    "under a layer",
    "unsafe login",
    "user disabled",
    "user is disabled",
    "via your browser",
    "web browser",
    "web login required",
    "with a browser",
];

/// The server has a problem that will pass (`[SYS/TEMP]`; qF1, qF2).
const LATER: [&str; 50] = [
    "backend error",
    "backoff",
    "bandwidth",
    "being moved",
    "busy",
    "connection limit",
    "connection refused",
    "connection to",
    "database error",
    "disk full",
    "exceeded",
    "frequency limit",
    "generic failure",
    "i/o error",
    "in transit",
    "internal error",
    "internal failure",
    "internal server",
    "later",
    "limit reached",
    "lockdown",
    "locked",
    "maintenance",
    "maximum number",
    "no space left",
    "not available",
    "not connected",
    "not ready",
    "not responding",
    "offline",
    "out of memory",
    "out of service",
    "over quota",
    "overload",
    "overquota",
    "rate limit",
    "reached the limit",
    "read-only mode",
    "resource",
    "saslauthd",
    "server error",
    "shutting down",
    "system error",
    "system failure",
    "temporar",
    "throttl",
    "timed out",
    "timeout",
    "too many",
    "unreachable",
];

/// Name or password (`[AUTH]`).
const CREDENTIALS: [&str; 13] = [
    "account not found",
    "authentication fail",
    "authenticationfail",
    "bad login",
    "credential",
    "incorrect",
    "invalid login",
    "invalid user",
    "login fail",
    "no such user",
    "password",
    "unknown user",
    "username",
];

/// Also said of wrong passwords, so these come last.
const AGAIN: [&str; 3] = ["cannot connect", "try again", "unavailable"];

/// The meaning of the text, if it has one.
fn said_in_words(notice: &Notice) -> Option<Class> {
    // a mask is our word, not the server's
    let text = MASKS
        .iter()
        .fold(notice.text.to_ascii_lowercase(), |text, mask| {
            text.replace(mask, "")
        });
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let (class, _) = WORDS.iter().find(|(_, words)| has(words))?;
    Some(*class)
}

/// Whether a status that ends no command refuses the credentials all the same: some servers say so and
/// leave the command without an answer. Without a code it is only a warning (RFC 3501 section 7.1.2).
pub(crate) fn refuses_untagged(notice: &Notice) -> bool {
    matches!(notice.kind, Kind::No | Kind::Bad) && class(notice.code) == Some(Class::Credentials)
}

/// A login that was refused. `NO` without a known word, in whatever language, means name or password
/// (RFC 3501 section 6.2.3). Anything else means that they are not to blame.
pub(crate) fn login(notice: &Notice, detail: String) -> Denial {
    let otherwise = if notice.kind == Kind::No {
        Class::Credentials
    } else {
        Class::Temporary
    };
    let class = class(notice.code).filter(|class| *class != Class::Absent);
    match class.or_else(|| said_in_words(notice)).unwrap_or(otherwise) {
        Class::Temporary | Class::Absent => {
            Denial::Failed(of(FailureKind::Temporary, detail, notice))
        }
        Class::Permanent => Denial::Failed(Failure::permanent(detail)),
        Class::Credentials => Denial::Refused(Refusal::new(RefusalKind::Credentials, detail)),
    }
}

/// A folder that could not be opened. Without a code or a known word it does not exist.
pub(crate) fn select(notice: &Notice, detail: String) -> Failure {
    let otherwise = if notice.kind == Kind::No {
        Class::Permanent
    } else {
        Class::Temporary
    };
    let class = class(notice.code).or_else(|| said_in_words(notice));
    let kind = match class.unwrap_or(otherwise) {
        Class::Temporary => FailureKind::Temporary,
        Class::Permanent | Class::Credentials | Class::Absent => FailureKind::Permanent,
    };
    of(kind, detail, notice)
}

/// Whether a refusal of the folder may mean that ID has to come first.
pub(crate) fn may_want_id(notice: &Notice) -> bool {
    match class(notice.code) {
        Some(Class::Temporary | Class::Absent | Class::Permanent) => false,
        Some(Class::Credentials) | None => said_in_words(notice) != Some(Class::Temporary),
    }
}

/// A message that was not sent.
pub(crate) fn fetch(notice: &Notice) -> Failure {
    let absent = class(notice.code) == Some(Class::Absent);
    let kind = if absent {
        FailureKind::Missing
    } else {
        FailureKind::Temporary
    };
    of(kind, said("message", notice), notice)
}

/// Anything else that failed.
pub(crate) fn command(what: &str, notice: &Notice) -> Failure {
    let kind = match class(notice.code) {
        Some(Class::Permanent | Class::Absent) => FailureKind::Permanent,
        Some(Class::Temporary | Class::Credentials) | None => FailureKind::Temporary,
    };
    of(kind, said(what, notice), notice)
}

/// With the time for which the server wants to be left alone, where that helps.
fn of(kind: FailureKind, detail: String, notice: &Notice) -> Failure {
    let passes = kind == FailureKind::Temporary;
    Failure {
        retry_after: backoff::wanted(notice.code, &notice.text).filter(|_| passes),
        ..Failure::new(kind, detail)
    }
}

fn said(what: &str, notice: &Notice) -> String {
    format!("{what}: upstream says {} {}", notice.kind, notice.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_row(class_of: Option<Class>) -> String {
        let known = [
            ("AUTHENTICATIONFAILED", Code::AuthenticationFailed),
            ("AUTHORIZATIONFAILED", Code::AuthorizationFailed),
            ("EXPIRED", Code::Expired),
            ("UNAVAILABLE", Code::Unavailable),
            ("INUSE", Code::InUse),
            ("LIMIT", Code::Limit),
            ("OVERQUOTA", Code::OverQuota),
            ("SERVERBUG", Code::ServerBug),
            ("THROTTLED", Code::Throttled),
            ("MESSAGELIMIT", Code::MessageLimit(None)),
            ("CONTACTADMIN", Code::ContactAdmin),
            ("NOPERM", Code::NoPerm),
            ("PRIVACYREQUIRED", Code::PrivacyRequired),
            ("CORRUPTION", Code::Corruption),
            ("READ-ONLY", Code::ReadOnly),
            ("NONEXISTENT", Code::NonExistent),
            ("EXPUNGEISSUED", Code::ExpungeIssued),
        ];
        let names: alloc::vec::Vec<_> = known
            .iter()
            .filter(|(_, code)| class(*code) == class_of)
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        names.join(", ")
    }

    /// The table as docs/upstream-errors.md shows it.
    fn table() -> String {
        let mut table = String::new();
        let answer = |class| match class {
            Class::Credentials => "`-ERR [AUTH]`",
            Class::Temporary => "`-ERR [SYS/TEMP]`",
            Class::Permanent => "`-ERR [SYS/PERM]`",
            Class::Absent => "`-ERR [SYS/PERM]` for a folder, else by the text",
        };
        for class in [
            Class::Credentials,
            Class::Temporary,
            Class::Permanent,
            Class::Absent,
        ] {
            let codes = code_row(Some(class));
            table += &format!("| code {codes} | {} |\n", answer(class));
        }
        for (class, words) in WORDS {
            let words: alloc::vec::Vec<_> = words.iter().map(|word| format!("*{word}*")).collect();
            let row = words.join(", ");
            table += &format!(
                "| no such code, and the text has {row} | {} |\n",
                answer(class)
            );
        }
        table
    }

    /// The table is there as it should be; if not, this prints it.
    #[test]
    fn w043_the_documentation_shows_the_table() {
        let shown = include_str!("../../docs/upstream-errors.md");
        let table = table();
        assert!(shown.contains(&table), "docs/upstream-errors.md:\n{table}");
    }
}
