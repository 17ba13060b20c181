//! SASL exchanges, server side: PLAIN, LOGIN, XOAUTH2, OAUTHBEARER.
//!
//! Owns the steps of one AUTHENTICATE. Never writes a line itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::store::Store;

/// An AUTHENTICATE that runs.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) tag: Vec<u8>,
    mechanism: Mechanism,
    user: Option<String>,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
    Xoauth2,
    OauthBearer,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `+` and this, in base64.
    Challenge(String),
    /// This user is logged in.
    Accepted(String),
    /// The credentials are wrong.
    Refused,
    /// The client's line is not an answer to the challenge.
    Malformed,
}

impl Exchange {
    /// `None` if the mechanism is unknown.
    pub(super) fn new(tag: Vec<u8>, mechanism: &str) -> Option<Self> {
        let mechanism = match mechanism {
            "PLAIN" => Mechanism::Plain,
            "LOGIN" => Mechanism::Login,
            "XOAUTH2" => Mechanism::Xoauth2,
            "OAUTHBEARER" => Mechanism::OauthBearer,
            _ => return None,
        };
        Some(Self {
            tag,
            mechanism,
            user: None,
            failed: false,
        })
    }

    /// The first challenge to a client that sent no initial response.
    pub(super) fn first(&self) -> String {
        match self.mechanism {
            Mechanism::Login => STANDARD.encode("Username:"),
            Mechanism::Plain | Mechanism::Xoauth2 | Mechanism::OauthBearer => String::new(),
        }
    }

    /// Takes the client's line: base64, or `=` for nothing, or `*`.
    pub(super) fn answer(&mut self, store: &Store, line: &[u8]) -> Step {
        if self.failed {
            return if line == b"*" {
                Step::Malformed
            } else {
                Step::Refused
            };
        }
        let line = if line == b"=" { &[] } else { line };
        let Some(text) = STANDARD
            .decode(line)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
        else {
            return Step::Malformed;
        };
        match self.mechanism {
            Mechanism::Plain => plain(store, &text),
            Mechanism::Login => match self.user.take() {
                None => {
                    self.user = Some(text);
                    Step::Challenge(STANDARD.encode("Password:"))
                }
                Some(user) => password(store, &user, &text),
            },
            Mechanism::Xoauth2 => self.bearer(store, xoauth2(&text)),
            Mechanism::OauthBearer => self.bearer(store, oauth_bearer(&text)),
        }
    }

    /// RFC 7628 section 3.2.2: the failure is a challenge, which the client must answer.
    fn bearer(&mut self, store: &Store, parts: Option<(&str, &str)>) -> Step {
        let Some((user, token)) = parts else {
            return Step::Malformed;
        };
        if let Some(owner) = store.token_owner(user, token) {
            return Step::Accepted(owner);
        }
        self.failed = true;
        Step::Challenge(STANDARD.encode(r#"{"status":"401","schemes":"bearer","scope":"mail"}"#))
    }
}

fn password(store: &Store, user: &str, password: &str) -> Step {
    if store.password_fits(user, password) {
        Step::Accepted(user.to_owned())
    } else {
        Step::Refused
    }
}

fn plain(store: &Store, text: &str) -> Step {
    let parts: Vec<&str> = text.split('\0').collect();
    match parts.as_slice() {
        [authzid, user, secret] if authzid.is_empty() || authzid == user => {
            password(store, user, secret)
        }
        [_, _, _] => Step::Refused,
        _ => Step::Malformed,
    }
}

fn xoauth2(text: &str) -> Option<(&str, &str)> {
    let (user, rest) = text.strip_prefix("user=")?.split_once('\x01')?;
    Some((
        user,
        rest.strip_prefix("auth=Bearer ")?
            .strip_suffix("\x01\x01")?,
    ))
}

fn oauth_bearer(text: &str) -> Option<(&str, &str)> {
    let (header, pairs) = text.strip_suffix("\x01\x01")?.split_once('\x01')?;
    let user = match header {
        "n,," => "",
        _ => header.strip_prefix("n,a=")?.strip_suffix(',')?,
    };
    let token = pairs
        .split('\x01')
        .find_map(|pair| pair.strip_prefix("auth=Bearer "))?;
    Some((user, token))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn run(mechanism: &str, lines: &[&str]) -> Step {
        let store = Store::new();
        store.add_user("tim", "tanstaaf");
        store.add_token("tim", "t0ken");
        let mut exchange = Exchange::new(b"a".to_vec(), mechanism).unwrap();
        let mut step = Step::Malformed;
        for line in lines {
            step = exchange.answer(&store, STANDARD.encode(line).as_bytes());
        }
        step
    }

    #[test]
    fn good_credentials_are_accepted() {
        let tim = || Step::Accepted("tim".to_owned());
        assert_eq!(run("PLAIN", &["\0tim\0tanstaaf"]), tim());
        assert_eq!(run("PLAIN", &["tim\0tim\0tanstaaf"]), tim());
        assert_eq!(run("LOGIN", &["tim", "tanstaaf"]), tim());
        assert_eq!(
            run("XOAUTH2", &["user=tim\x01auth=Bearer t0ken\x01\x01"]),
            tim()
        );
        let bearer = "n,a=tim,\x01host=localhost\x01port=143\x01auth=Bearer t0ken\x01\x01";
        assert_eq!(run("OAUTHBEARER", &[bearer]), tim());
        assert_eq!(
            run("OAUTHBEARER", &["n,,\x01auth=Bearer t0ken\x01\x01"]),
            tim()
        );
    }

    #[test]
    fn bad_credentials_are_refused() {
        assert_eq!(run("PLAIN", &["\0tim\0x"]), Step::Refused);
        assert_eq!(run("PLAIN", &["tom\0tim\0tanstaaf"]), Step::Refused);
        assert_eq!(run("PLAIN", &["tim"]), Step::Malformed);
        assert_eq!(run("LOGIN", &["tim", ""]), Step::Refused);
        assert_eq!(
            run("XOAUTH2", &["user=tim\x01auth=Bearer t0ken\x01"]),
            Step::Malformed
        );
        let step = run("XOAUTH2", &["user=tim\x01auth=Bearer x\x01\x01"]);
        assert!(matches!(step, Step::Challenge(_)));
        assert_eq!(
            run("XOAUTH2", &["user=tim\x01auth=Bearer x\x01\x01", ""]),
            Step::Refused
        );
        assert!(Exchange::new(Vec::new(), "GSSAPI").is_none());
    }
}
