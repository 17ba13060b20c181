//! What a server says that it can do (CAPA, RFC 2449 section 5): one capability in each line, written and read.
//!
//! It knows the words. Which of them hold at what moment of a session is decided in `server`.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::capability::Capability;
//!
//! let capability: Capability = "expire 30 USER".parse()?;
//! assert_eq!(capability, Capability::Expire { days: Some(30), per_user: true });
//! assert_eq!(capability.to_string(), "EXPIRE 30 USER");
//! # Ok::<(), core::convert::Infallible>(())
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;

use crate::backend::Mechanism;

/// One line of the CAPA response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// TOP (RFC 2449 section 6.1).
    Top,
    /// USER and PASS (6.2).
    User,
    /// SASL and its mechanisms (6.3, RFC 5034).
    Sasl(Vec<Mechanism>),
    /// RESP-CODES (6.4).
    RespCodes,
    /// LOGIN-DELAY in seconds (6.5).
    LoginDelay {
        /// Seconds between two logins.
        seconds: u32,
        /// Whether it differs from user to user.
        per_user: bool,
    },
    /// PIPELINING (6.6).
    Pipelining,
    /// EXPIRE (6.7).
    Expire {
        /// Days; `None` is NEVER.
        days: Option<u32>,
        /// Whether it differs from user to user.
        per_user: bool,
    },
    /// UIDL (6.8).
    Uidl,
    /// IMPLEMENTATION and its text (6.9).
    Implementation(String),
    /// STLS (RFC 2595 section 4).
    Stls,
    /// UTF8 (RFC 6856 section 2).
    Utf8 {
        /// Whether names and passwords may be UTF-8.
        user: bool,
    },
    /// LANG (RFC 6856 section 3).
    Lang,
    /// AUTH-RESP-CODE (RFC 3206 section 6).
    AuthRespCode,
    /// X-POP3SF-READ-ONLY: XPRO works.
    ReadOnly,
    /// Anything else, as it came.
    Other(String),
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = |per_user: &bool| if *per_user { " USER" } else { "" };
        match self {
            Self::Top => f.write_str("TOP"),
            Self::User => f.write_str("USER"),
            Self::Sasl(mechanisms) => {
                f.write_str("SASL")?;
                mechanisms
                    .iter()
                    .try_for_each(|mechanism| write!(f, " {}", mechanism.as_str()))
            }
            Self::RespCodes => f.write_str("RESP-CODES"),
            Self::LoginDelay { seconds, per_user } => {
                write!(f, "LOGIN-DELAY {seconds}{}", user(per_user))
            }
            Self::Pipelining => f.write_str("PIPELINING"),
            Self::Expire {
                days: Some(days),
                per_user,
            } => {
                write!(f, "EXPIRE {days}{}", user(per_user))
            }
            Self::Expire {
                days: None,
                per_user,
            } => write!(f, "EXPIRE NEVER{}", user(per_user)),
            Self::Uidl => f.write_str("UIDL"),
            Self::Implementation(text) => write!(f, "IMPLEMENTATION {text}"),
            Self::Stls => f.write_str("STLS"),
            Self::Utf8 { user: true } => f.write_str("UTF8 USER"),
            Self::Utf8 { user: false } => f.write_str("UTF8"),
            Self::Lang => f.write_str("LANG"),
            Self::AuthRespCode => f.write_str("AUTH-RESP-CODE"),
            Self::ReadOnly => f.write_str("X-POP3SF-READ-ONLY"),
            Self::Other(line) => f.write_str(line),
        }
    }
}

impl FromStr for Capability {
    type Err = Infallible;

    /// Reads a line in any case (X008); what it does not know or cannot read is [`Capability::Other`].
    fn from_str(line: &str) -> Result<Self, Infallible> {
        let mut words = line.split_ascii_whitespace();
        let tag = words.next().unwrap_or_default().to_ascii_uppercase();
        let rest: Vec<&str> = words.collect();
        let per_user = rest
            .get(1)
            .is_some_and(|word| word.eq_ignore_ascii_case("USER"));
        let number = || rest.first().and_then(|word| word.parse::<u32>().ok());
        let known = match tag.as_str() {
            "TOP" => Some(Self::Top),
            "USER" => Some(Self::User),
            "SASL" => Some(Self::Sasl(
                rest.iter()
                    .filter_map(|name| Mechanism::new(name))
                    .collect(),
            )),
            "RESP-CODES" => Some(Self::RespCodes),
            "LOGIN-DELAY" => number().map(|seconds| Self::LoginDelay { seconds, per_user }),
            "PIPELINING" => Some(Self::Pipelining),
            "EXPIRE"
                if rest
                    .first()
                    .is_some_and(|word| word.eq_ignore_ascii_case("NEVER")) =>
            {
                Some(Self::Expire {
                    days: None,
                    per_user,
                })
            }
            "EXPIRE" => number().map(|days| Self::Expire {
                days: Some(days),
                per_user,
            }),
            "UIDL" => Some(Self::Uidl),
            "IMPLEMENTATION" => Some(Self::Implementation(rest.join(" "))),
            "STLS" => Some(Self::Stls),
            "UTF8" => {
                let user = rest.iter().any(|word| word.eq_ignore_ascii_case("USER"));
                Some(Self::Utf8 { user })
            }
            "LANG" => Some(Self::Lang),
            "AUTH-RESP-CODE" => Some(Self::AuthRespCode),
            "X-POP3SF-READ-ONLY" => Some(Self::ReadOnly),
            _ => None,
        };
        Ok(known.unwrap_or_else(|| Self::Other(line.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x008_what_is_written_is_read_alike() {
        let mechanisms = ["PLAIN", "XOAUTH2"]
            .into_iter()
            .filter_map(Mechanism::new)
            .collect();
        let all = [
            Capability::Top,
            Capability::User,
            Capability::Sasl(mechanisms),
            Capability::RespCodes,
            Capability::LoginDelay {
                seconds: 60,
                per_user: true,
            },
            Capability::Pipelining,
            Capability::Expire {
                days: None,
                per_user: false,
            },
            Capability::Expire {
                days: Some(0),
                per_user: true,
            },
            Capability::Uidl,
            Capability::Implementation("pop3-gateway 1".to_string()),
            Capability::Stls,
            Capability::Utf8 { user: true },
            Capability::Utf8 { user: false },
            Capability::Lang,
            Capability::AuthRespCode,
            Capability::ReadOnly,
            Capability::Other("X-NEW thing".to_string()),
        ];
        for capability in all {
            assert_eq!(capability.to_string().parse(), Ok(capability.clone()));
            let lower = capability.to_string().to_ascii_lowercase();
            let read: Capability = lower.parse().unwrap_or_else(|never| match never {});
            let kept = matches!(read, Capability::Other(_) | Capability::Implementation(_));
            assert!(kept || read == capability, "{lower}");
        }
    }
}
