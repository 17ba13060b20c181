//! Serves a Maildir to one user on 127.0.0.1:1100.
//!
//! ```text
//! cargo run -p maildir-backend --example serve -- /home/tim/Maildir tim tanstaaf
//! ```

use std::error::Error;
use std::sync::Arc;

use arc_swap::ArcSwap;
use maildir_backend::{Config, MaildirStore};
use pop3_proto::backend::Login;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::secret::Secret;
use pop3_server::listen::listen;
use pop3_server::server::{Options, Server};
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;

struct One {
    user: String,
    password: Secret,
}

impl Accounts for One {
    fn check(&self, login: &Login) -> Result<String, StoreError> {
        let proven = login.proves(&self.password) && login.user() == Some(&self.user);
        if proven {
            Ok(self.user.clone())
        } else {
            Err(StoreError::Credentials)
        }
    }
}

struct Mail(Arc<MaildirStore>);

impl Service for Mail {
    type Backend = Blocking<MaildirStore>;

    fn route(&self, _: &Login, _: &Peer) -> Result<Routed<Self::Backend>, Denied> {
        Ok(Routed {
            backend: Blocking::new(Arc::clone(&self.0)),
            maildrop: "the one".into(),
            upstream: "maildir".into(),
            tls: None,
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, user, password] = arguments.as_slice() else {
        return Err("usage: serve <Maildir> <user> <password>".into());
    };
    let accounts = One {
        user: user.clone(),
        password: Secret::from(password.as_bytes()),
    };
    let store = MaildirStore::new(Config::new(folder), Arc::new(accounts))?;
    store.check_root()?;
    let settings = Arc::new(ArcSwap::from_pointee(Settings::new(Arc::new(Mail(
        Arc::new(store),
    )))));
    let sockets = vec![(listen("127.0.0.1:1100".parse()?)?, settings)];
    pop3_server_tokio::run(Server::new(), sockets, Arc::new(|| {}), &Options::default())?;
    Ok(())
}
