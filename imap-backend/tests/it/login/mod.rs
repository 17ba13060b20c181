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
use pop3_proto::backend::{Login, Mechanism, Names, Open};
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

fn bearer(mechanism: &str, user: &str) -> Open {
    let mechanism = Mechanism::new(mechanism).unwrap();
    let token = Secret::from(&b"ya29.token"[..]);
    Open::new(Login::Bearer {
        mechanism,
        user: user.into(),
        token,
        renewal: None,
    })
}

fn relay(mechanism: &str, initial: Option<&[u8]>) -> Open {
    let mechanism = Mechanism::new(mechanism).unwrap();
    Open::new(Login::Relay {
        mechanism,
        initial: initial.map(Secret::from),
        names: Names::default(),
    })
}
