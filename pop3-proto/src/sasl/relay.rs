//! Relayed mechanisms: which user logs in, where the initial message names one.
//!
//! Reads names and nothing else. A message that it cannot read is passed on all the same, since only
//! the upstream knows the mechanism.

use alloc::string::String;

use super::text;
use crate::backend::{Login, Mechanism, Names};
use crate::secret::Secret;

/// Where a mechanism's initial message has its names.
enum Shape {
    /// A GS2 header, then what is the mechanism's own (RFC 5801 section 4).
    Gs2,
    /// A GS2 header, then SCRAM's attributes with `n=` among them (RFC 5802 section 7).
    Scram,
    /// The authorization identity, and nothing else (RFC 4422 appendix A).
    Authorization,
    /// It has no name, or one that cannot be read here.
    Hidden,
}

impl Shape {
    fn of(mechanism: &Mechanism) -> Self {
        let name = mechanism.as_str();
        if name.starts_with("SCRAM-") {
            Self::Scram
        } else if name.starts_with("GS2-") || matches!(name, "OPENID20" | "SAML20") {
            Self::Gs2
        } else if name == "EXTERNAL" {
            Self::Authorization
        } else {
            Self::Hidden
        }
    }
}

/// Whether the mechanism begins with a message of the client that names the user.
pub(super) fn client_speaks_first(mechanism: &Mechanism) -> bool {
    match Shape::of(mechanism) {
        Shape::Gs2 | Shape::Scram | Shape::Authorization => true,
        Shape::Hidden => false,
    }
}

pub(super) fn login(mechanism: &Mechanism, initial: Option<Secret>) -> Login {
    let names = initial.as_ref().map(|initial| names(mechanism, initial));
    Login::Relay {
        mechanism: mechanism.clone(),
        initial,
        names: names.unwrap_or_default(),
    }
}

fn names(mechanism: &Mechanism, initial: &Secret) -> Names {
    let message = initial.expose();
    match Shape::of(mechanism) {
        Shape::Scram => {
            let Some((authorization, rest)) = gs2_header(message) else {
                return Names::default();
            };
            let name = rest
                .split(|b| *b == b',')
                .find_map(|field| field.strip_prefix(b"n="));
            Names {
                authentication: name.and_then(saslname),
                authorization,
            }
        }
        Shape::Gs2 => Names {
            authentication: None,
            authorization: gs2_header(message).and_then(|(name, _)| name),
        },
        // the credential is a certificate, which is the peer's own
        Shape::Authorization => Names {
            authentication: None,
            authorization: text(message),
        },
        Shape::Hidden => Names::default(),
    }
}

/// `[F,] n | y | p=name , [a=authzid] ,` and what follows it.
fn gs2_header(message: &[u8]) -> Option<(Option<String>, &[u8])> {
    let message = message.strip_prefix(b"F,").unwrap_or(message);
    let mut fields = message.splitn(3, |b| *b == b',');
    let (flag, authorization, rest) = (fields.next()?, fields.next()?, fields.next()?);
    if !(matches!(flag, b"n" | b"y") || flag.starts_with(b"p=")) {
        return None;
    }
    let authorization = match authorization.strip_prefix(b"a=") {
        Some(name) => Some(saslname(name)?),
        None if authorization.is_empty() => None,
        None => return None,
    };
    Some((authorization, rest))
}

/// `=2C` is a comma, `=3D` an equals sign, and no other `=` may stand in a name (RFC 5802 section 5.1).
fn saslname(name: &[u8]) -> Option<String> {
    let encoded = text(name)?;
    let mut pieces = encoded.split('=');
    let mut name = String::from(pieces.next()?);
    for piece in pieces {
        let (plain, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (None, Some(rest)) => ('=', rest),
            (None, None) => return None,
        };
        name.push(plain);
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn read(mechanism: &str, message: &[u8]) -> (Option<String>, Option<String>) {
        let mechanism = Mechanism::new(mechanism).unwrap_or_else(|| panic!("no name"));
        let names = names(&mechanism, &Secret::from(message));
        (names.authentication, names.authorization)
    }

    #[test]
    fn w012_client_first_says_whose_login_it_is() {
        let some = |name: &str| Some(name.to_string());
        for (mechanism, message, wanted) in [
            (
                "SCRAM-SHA-1",
                "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                (some("user"), None),
            ),
            (
                "SCRAM-SHA-256",
                "n,a=boss,n=tim,r=x",
                (some("tim"), some("boss")),
            ),
            (
                "SCRAM-SHA-256-PLUS",
                "p=tls-exporter,,n=tim,r=x",
                (some("tim"), None),
            ),
            ("SCRAM-SHA-512", "y,,m=ext,n=tim,r=x", (some("tim"), None)),
            (
                "SCRAM-SHA-1",
                "n,a=a=3Db,n=a=2Cb=3D=2C,r=x",
                (some("a,b=,"), some("a=b")),
            ),
            (
                "SCRAM-SHA-1",
                "n,,n=gr\u{fc}n,r=x",
                (some("gr\u{fc}n"), None),
            ),
            ("SCRAM-SHA-1", "n,,n=a=2cb,r=x", (None, None)),
            ("SCRAM-SHA-1", "n,,n=a=,r=x", (None, None)),
            ("SCRAM-SHA-1", "n,,n=,r=x", (None, None)),
            ("SCRAM-SHA-1", "x,,n=tim,r=x", (None, None)),
            ("SCRAM-SHA-1", "n,b=x,n=tim,r=x", (None, None)),
            ("SCRAM-SHA-1", "n,,n=a\rb,r=x", (None, None)),
            ("SCRAM-SHA-1", "n,", (None, None)),
            ("SCRAM-SHA-1", "", (None, None)),
            ("GS2-KRB5", "n,a=tim,\u{1}\u{2}", (None, some("tim"))),
            ("GS2-KRB5", "F,n,a=tim,\u{1}", (None, some("tim"))),
            (
                "OPENID20",
                "n,a=tim,https://example.org",
                (None, some("tim")),
            ),
            ("EXTERNAL", "tim", (None, some("tim"))),
            ("EXTERNAL", "", (None, None)),
            ("NTLM", "n,a=tim,n=tim", (None, None)),
        ] {
            assert_eq!(
                read(mechanism, message.as_bytes()),
                wanted,
                "{mechanism} {message}"
            );
        }
    }

    proptest! {
        /// Any name comes out as it was put in.
        #[test]
        fn w012_names_survive_their_encoding(name in "[ -~\u{e0}-\u{ff}]{1,20}", behalf in "[ -~]{1,20}") {
            let encode = |name: &str| name.replace('=', "=3D").replace(',', "=2C");
            let message = alloc::format!("n,a={},n={},r=x", encode(&behalf), encode(&name));
            prop_assert_eq!(read("SCRAM-SHA-256", message.as_bytes()), (Some(name), Some(behalf)));
        }

        #[test]
        fn w012_no_message_is_too_odd(message in prop::collection::vec(any::<u8>(), 0..60)) {
            for mechanism in ["SCRAM-SHA-1", "GS2-KRB5", "EXTERNAL", "NTLM"] {
                let _ = read(mechanism, &message);
            }
        }
    }
}
