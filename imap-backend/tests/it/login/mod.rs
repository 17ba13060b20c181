//! From the greeting to the open maildrop.

mod alerts;
mod as_given;
mod authenticate;
mod capabilities;
mod credentials;
mod flights;
mod folder;
mod looking;
mod lost;
mod origin;
mod refusals;
mod tls;
mod words;

use crate::common::{World, config};
use imap_backend::Config;
use pop3_proto::backend::{Access, Caller, Login, Mechanism, Names, Open};
use pop3_proto::secret::Secret;

const BARE: &str = "IMAP4rev1";

/// A world whose upstream has greeted.
fn greeted(config: Config, open: Open, capabilities: &str) -> World {
    let mut world = World::new(config);
    world.open(open);
    world.serve(&format!("* OK [CAPABILITY {capabilities}] ready\r\n"));
    world
}

fn with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config();
    change(&mut config);
    config
}

fn login_open(login: Login) -> Open {
    Open {
        login,
        access: Access::ReadWrite,
        utf8: false,
        caller: Caller::default(),
    }
}

fn bearer(mechanism: &str, user: &str) -> Open {
    let mechanism = Mechanism::new(mechanism).unwrap();
    let token = Secret::from(&b"ya29.token"[..]);
    login_open(Login::Bearer {
        mechanism,
        user: user.into(),
        token,
    })
}

fn relay(mechanism: &str, initial: Option<&[u8]>) -> Open {
    let mechanism = Mechanism::new(mechanism).unwrap();
    login_open(Login::Relay {
        mechanism,
        initial: initial.map(Secret::from),
        names: Names::default(),
    })
}
