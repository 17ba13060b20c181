//! Whether a password, the first line of standard input, opens an account of a passwd-file:
//!
//! ```text
//! echo tanstaaf | cargo run -p local-accounts --example check -- accounts tim
//! ```
//!
//! Without a file it makes one line to put into such a file.
use std::sync::Arc;
use std::{env, error::Error, io};

use local_accounts::{Algorithm, FileAccounts, Verifier, VerifierConfig, hash};
use pop3_proto::backend::store::Accounts as _;
use pop3_proto::backend::{Caller, Login};
use pop3_proto::secret::Secret;

fn main() -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let password = Secret::from(line.trim_end_matches(['\r', '\n']).as_bytes());
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [] => println!("tim:{}", hash(&password, Algorithm::Argon2id)?),
        [file, name] => {
            let verifier = Arc::new(Verifier::new(VerifierConfig::default())?);
            let accounts =
                FileAccounts::open(file, verifier)?.on_problem(|problem| eprintln!("{problem}"));
            let user = name.clone();
            let login = Login::Password { user, password };
            match accounts.check(&login, &Caller::default()) {
                Ok(maildrop) => println!("{name} opens the maildrop {maildrop}"),
                Err(refused) => println!("{name}: {refused}"),
            }
        }
        _ => return Err("give a passwd-file and a name, or nothing".into()),
    }
    Ok(())
}
