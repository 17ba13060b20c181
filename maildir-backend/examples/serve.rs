//! Serves a Maildir to one user, without TLS:
//! `cargo run -p maildir-backend --example serve -- /home/tim/Maildir tim tanstaaf 127.0.0.1:1100`
use std::{env, error::Error, sync::Arc};

use maildir_backend::{Config, MaildirStore};
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Caller, Login};
use pop3_proto::{secret::Secret, server::Policy};
use pop3_server::{listen::listen, settings::Settings, store::Stored};
use pop3_server_tokio::Setup;

struct One {
    user: String,
    password: Secret,
}

impl Accounts for One {
    fn check(&self, login: &Login, _: &Caller) -> Result<String, StoreError> {
        let proven = login.proves(&self.password) && login.user() == Some(&self.user);
        proven
            .then(|| self.user.clone())
            .ok_or(StoreError::Credentials)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, user, password, address] = arguments.as_slice() else {
        return Err("usage: serve <Maildir> <user> <password> <address>".into());
    };
    let one = One {
        user: user.clone(),
        password: Secret::from(password.as_bytes()),
    };
    let store = MaildirStore::new(Config::new(folder), Arc::new(one))?;
    store.check_root()?;
    let policy = Policy::default().clear_login(true);
    let settings = Settings::new(Arc::new(Stored::new(store))).policy(policy);
    pop3_server_tokio::run(Setup::new().pop3(listen(address.parse()?)?, settings))?;
    Ok(())
}
