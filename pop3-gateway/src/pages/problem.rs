//! What can go wrong, and what a person reads then.
//!
//! Owns the texts. Holds no secret; what a provider or a server said is cleaned before it comes here.

use gateway_state::StateError;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

/// Why a page does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub enum Problem {
    /// The address in the browser is not the one that the operator gave these pages.
    WrongHost,
    /// A form that is too old, or not from here.
    Stale,
    /// Too many requests from there.
    TooOften,
    /// What was entered is no mail address.
    NoAddress,
    /// Mailboxes of this domain are not connected here.
    NotHere(String),
    /// The call-back belongs to no sign-in of this browser.
    Unknown,
    /// The sign-in was ended before.
    Used,
    /// The sign-in took too long.
    Late,
    /// The invitation was used, or is too old.
    NoInvitation,
    /// The person said no at the provider.
    Declined,
    /// The call-back is not from the provider that was asked, or says nothing.
    Strange,
    /// The provider is out of order.
    ProviderAway,
    /// The provider refuses, for a reason that an administrator can change.
    Refused(String),
    /// Somebody else signed in.
    SomebodyElse {
        /// Who.
        person: String,
        /// Whose mailbox it is about.
        address: String,
    },
    /// The mailbox does not open with what the provider gave.
    Closed {
        /// Which mailbox.
        address: String,
        /// What its server said.
        said: String,
    },
    /// The mail server cannot be reached.
    MailAway,
    /// There are too many sign-ins under way.
    Crowded,
    /// What is to be kept cannot be kept.
    Unkept,
    /// The session is over.
    SignedOut,
    /// There are as many devices as there may be.
    TooManyDevices(usize),
    /// There is no name left that would lead to the mailbox.
    NoName,
}

/// What a person reads.
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) text: String,
    /// What to do.
    pub(super) remedy: &'static str,
}

const AGAIN: &str = "Begin again from the first page.";
const WAIT: &str = "Wait some minutes, then begin again.";
const ASK: &str = "Tell the people who run this service what stands here.";

impl Problem {
    /// The state cannot be used. What it says of that is for the operator.
    pub(super) fn unkept(error: &StateError) -> Self {
        tracing::error!(%error, "the state cannot be used");
        Self::Unkept
    }

    pub(super) fn told(&self) -> Told {
        let (status, title, text, remedy) = match self {
            Self::WrongHost => (
                StatusCode::MISDIRECTED_REQUEST,
                "This is another address",
                "These pages are not served under the name that your browser asked for.".into(),
                "Use the address that you were given.",
            ),
            Self::Stale => (
                StatusCode::FORBIDDEN,
                "This form is out of date",
                "It was open for too long, it came from another site, or your browser keeps no cookies. Nothing was changed."
                    .into(),
                "Allow cookies for this site, open the first page again, and enter it once more.",
            ),
            Self::TooOften => (
                StatusCode::TOO_MANY_REQUESTS,
                "That was too often",
                "There were many requests from your network in a short time.".into(),
                WAIT,
            ),
            Self::NoAddress => (
                StatusCode::BAD_REQUEST,
                "That is no mail address",
                "A mail address has a name, an @ and a domain, such as ann@example.org.".into(),
                "Go back and enter it again.",
            ),
            Self::NotHere(domain) => (
                StatusCode::FORBIDDEN,
                "This mailbox cannot be connected here",
                format!("This service is not open for mailboxes of {domain}."),
                "Check the address for slips, or ask the people who run this service for an invitation.",
            ),
            Self::Unknown => (
                StatusCode::BAD_REQUEST,
                "This sign-in did not begin here",
                "What your mail provider sent back belongs to no sign-in of this browser. Perhaps it began in another browser \
                 or a private window, a link was sent to you by somebody else, or very many people \
                 from your network signed in at once. Nothing was changed."
                    .into(),
                AGAIN,
            ),
            Self::Used => (
                StatusCode::BAD_REQUEST,
                "This sign-in is over",
                "It was ended already; each works once. Perhaps the page was loaded again. Nothing was changed."
                    .into(),
                AGAIN,
            ),
            Self::Late => (
                StatusCode::BAD_REQUEST,
                "That took too long",
                "A sign-in has to be ended within 15 minutes. Nothing was changed.".into(),
                AGAIN,
            ),
            Self::NoInvitation => (
                StatusCode::BAD_REQUEST,
                "This invitation is not valid any more",
                "An invitation works once, and for a day.".into(),
                "Ask the people who run this service for another one.",
            ),
            Self::Declined => (
                StatusCode::FORBIDDEN,
                "You did not allow it",
                "Your mail provider says that access was not allowed. The mailbox is not connected."
                    .into(),
                "If that was a slip, begin again from the first page.",
            ),
            Self::Strange => (
                StatusCode::BAD_REQUEST,
                "The answer is not from your mail provider",
                "What came back is not what your mail provider would send. Nothing was changed.".into(),
                AGAIN,
            ),
            Self::ProviderAway => (
                StatusCode::BAD_GATEWAY,
                "Your mail provider does not answer",
                "Its sign-in is out of order at the moment. Devices that have a password go on working."
                    .into(),
                WAIT,
            ),
            Self::Refused(said) => (
                StatusCode::BAD_GATEWAY,
                "Your mail provider refuses",
                said.clone(),
                ASK,
            ),
            Self::SomebodyElse { person, address } => (
                StatusCode::FORBIDDEN,
                "Somebody else signed in",
                format!("You entered {address}, and {person} signed in. Nothing was changed."),
                "Sign out at your mail provider, or use a private window, and begin again.",
            ),
            Self::Closed { address, said } => (
                StatusCode::FORBIDDEN,
                "The mailbox does not open",
                format!("You signed in, but the mail server does not open {address} for it: {said}"),
                "Check the address. If it is right, tell the people who run this service what stands here.",
            ),
            Self::MailAway => (
                StatusCode::BAD_GATEWAY,
                "The mail server does not answer",
                "You signed in, but whether the mailbox opens cannot be seen at the moment. Nothing was changed."
                    .into(),
                WAIT,
            ),
            Self::Crowded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many people sign in right now",
                "There is no room for another sign-in.".into(),
                WAIT,
            ),
            Self::Unkept => (
                StatusCode::SERVICE_UNAVAILABLE,
                "This cannot be kept at the moment",
                "Something here is out of order. Devices that have a password may still work.".into(),
                "Try again later. If it stays, tell the people who run this service.",
            ),
            Self::SignedOut => (
                StatusCode::FORBIDDEN,
                "You are signed out",
                "After 15 minutes without use, and after an hour in any case, you have to sign in again. Nothing was changed."
                    .into(),
                AGAIN,
            ),
            Self::TooManyDevices(most) => (
                StatusCode::CONFLICT,
                "There are too many devices",
                format!("A mailbox may have {most} devices."),
                "Take back passwords that are not used any more.",
            ),
            Self::NoName => (
                StatusCode::CONFLICT,
                "There is no name left for another device",
                "Each device needs a name of its own here, and other names do not lead to this mailbox.".into(),
                "Take back a password that is not used any more, or ask the people who run this service.",
            ),
        };
        Told {
            status,
            title,
            text,
            remedy,
        }
    }
}
