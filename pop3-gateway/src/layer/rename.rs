//! The name that a login has at the mailbox, in the place of the one that the client gives.

use pop3_proto::backend::layer::{Layer, Turn};
use pop3_proto::backend::{Login, Names, Request};

/// Another name for a login.
#[derive(Debug)]
pub struct Rename(String);

impl Rename {
    /// Logs in as this user.
    pub fn to(user: String) -> Self {
        Self(user)
    }
}

impl<B> Layer<B> for Rename {
    type Done = ();

    fn request(&mut self, _: &mut Turn<'_, B, ()>, request: Request) -> Option<Request> {
        let Request::Open(open) = request else {
            return Some(request);
        };
        let login = renamed(open.login.clone(), self.0.clone());
        Some(Request::Open(open.login(login)))
    }

    fn hears(&self) -> bool {
        false
    }
}

/// The same proof under another name: neither a password nor a digest covers it. What is said in a relayed
/// exchange stays as it is.
fn renamed(login: Login, user: String) -> Login {
    match login {
        Login::Password { password, .. } => Login::Password { user, password },
        Login::ActingFor { by, password, .. } => Login::ActingFor { user, by, password },
        Login::Apop {
            timestamp, digest, ..
        } => Login::Apop {
            user,
            timestamp,
            digest,
        },
        Login::CramMd5 {
            challenge, digest, ..
        } => Login::CramMd5 {
            user,
            challenge,
            digest,
        },
        Login::Bearer {
            mechanism,
            token,
            renewal,
            ..
        } => Login::Bearer {
            mechanism,
            user,
            token,
            renewal,
        },
        Login::Relay {
            mechanism,
            initial,
            names,
        } => Login::Relay {
            mechanism,
            initial,
            names: Names {
                authorization: Some(user),
                ..names
            },
        },
        unknown => unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use pop3_proto::backend::Mechanism;
    use pop3_proto::secret::Secret;

    #[test]
    fn every_login_has_the_other_name_and_the_same_proof() {
        let user = || String::from("joe");
        let secret = || Secret::from(&b"secret"[..]);
        let mechanism = || Mechanism::new("XOAUTH2").unwrap();
        let digest = [7; 16];
        let logins = |user: String| {
            [
                Login::Password {
                    user: user.clone(),
                    password: secret(),
                },
                Login::ActingFor {
                    user: user.clone(),
                    by: "ann".into(),
                    password: secret(),
                },
                Login::Apop {
                    user: user.clone(),
                    timestamp: "<1@2>".into(),
                    digest,
                },
                Login::CramMd5 {
                    user: user.clone(),
                    challenge: "<3@4>".into(),
                    digest,
                },
                Login::Bearer {
                    mechanism: mechanism(),
                    user: user.clone(),
                    token: secret(),
                    renewal: None,
                },
                Login::Relay {
                    mechanism: mechanism(),
                    initial: Some(secret()),
                    names: Names {
                        authentication: Some("ann".into()),
                        authorization: Some(user),
                    },
                },
            ]
        };
        let renamed = logins(user()).map(|login| renamed(login, "box-7".into()));
        assert_eq!(renamed, logins("box-7".into()));
    }
}
