//! Tokens from OAuth 2 providers, for mailboxes that take no password.
//!
//! | file | what it owns |
//! |---|---|
//! | [`provider`] | who gives tokens: profiles, endpoints, scopes, and what each wants said differently |
//! | [`proof`] | how this program proves to a provider which app it is |
//! | [`assertion`] | the signed statements (JWT) of that and of service accounts |
//! | [`http`] | the requests themselves, with their bounds |
//! | [`answer`] | what a provider's answers say |
//! | [`refusal`] | why there is no token, what that means for the grant, and the remedy |
//! | [`authority`] | a provider at work: one method for each thing that is asked of it |
//! | [`devices`] | who may log in to mailboxes that grants reach |
//! | [`password`] | passwords for devices |
//! | [`records`] | the state of grants and accounts, for code that blocks |
//! | [`source`] | where new tokens of one grant come from |
//! | `lookups` | logins that wait for the state |
//! | [`keeper`] | the tokens in memory, and when new ones are asked for |
//! | `turns` | which of several processes asks |
//! | `cell` | what there is in memory of one grant |
//! | `hidden` | secrets that stay in memory for hours |
//! | [`sign_in`] | what is kept of a sign-in under way, and what comes back |
//! | `service_account` | the files of service accounts |
//! | [`claims`] | what a token says of itself, for people who look for a fault |
//!
//! Nothing here knows a mailbox or a session. What asks a provider blocks, for 30 seconds at most, so it runs where
//! that holds up nobody else. No token, secret or code stands in an error, a log line or `Debug`.
//!
//! Sources: RFC 6749, 7523, 7636 (PKCE), 8252, 8414 (metadata), 8628 (device code), 9207, 9700.

pub mod answer;
pub mod assertion;
pub mod authority;
mod cell;
pub mod claims;
pub mod devices;
mod hidden;
pub mod http;
pub mod keeper;
mod lookups;
pub mod password;
pub mod proof;
pub mod provider;
pub mod records;
pub mod refusal;
mod service_account;
pub mod sign_in;
pub mod source;
mod turns;

pub use answer::Obtained;
pub use authority::Authority;
pub use authority::unix as now;
pub use devices::Devices;
pub use keeper::Keeper;
pub use password::device_password;
pub use proof::Proof;
pub use provider::{Cloud, Endpoints, Flow, Profile, Provider};
pub use records::Records;
pub use refusal::{Meaning, NoToken, Refusal};
pub use sign_in::{CallBack, DeviceCode, Polled, SignIn};
pub use source::{Ask, Granted, Source};
pub use turns::{Turn, Turns};
