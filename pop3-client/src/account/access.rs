//! Opening a mailbox: connect, fetch the secret, log in, and ask again if the password was wrong.

use std::collections::BTreeSet;

use pop3_proto::secret::Secret;

use super::{Account, Source};
use pop3_client_io::blocking::Session;
use pop3_client_io::{Error, Transcript};

/// How often a password is asked for.
const TRIES: u32 = 3;

/// The way into a mailbox, as often as it is needed.
pub struct Access {
    account: Account,
    transcript: Transcript,
    /// What the user typed, once it proved right, so that it is not asked for again.
    remembered: Option<Secret>,
    /// The remark about the server's certificate, once it was made.
    told: BTreeSet<String>,
}

impl Access {
    /// Nothing is done before [`open`](Self::open).
    pub const fn new(account: Account, transcript: Transcript) -> Self {
        Self {
            account,
            transcript,
            remembered: None,
            told: BTreeSet::new(),
        }
    }

    /// Whose mailbox.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Connects and logs in. `complain` is called when a password was wrong, before it is asked for
    /// again, and once with what is odd about a certificate that is trusted because it was named.
    pub fn open(&mut self, complain: &mut dyn FnMut(&str)) -> Result<Session, Error> {
        let words = self.account.endpoint.words;
        let mut tries = 0;
        // keeps the same session while it lives: a server may count connections
        let mut session = None;
        loop {
            let secret = self.secret()?;
            let (mut open, used) = match session.take() {
                Some(open) => (open, true),
                None => (self.connect()?, false),
            };
            let mut outcome = open.log_in(&self.account.identity(secret.clone()));
            if used && outcome.as_ref().is_err_and(Error::is_loss) {
                // the server hung up after the last attempt
                open = self.connect()?;
                outcome = open.log_in(&self.account.identity(secret.clone()));
            }
            let Err(error) = outcome else {
                for oddity in open.tls().iter().flat_map(|facts| facts.oddities(&words)) {
                    if self.told.insert(oddity.clone()) {
                        complain(&oddity);
                    }
                }
                if self.account.source == Source::Prompt {
                    self.remembered = Some(secret);
                }
                return Ok(open);
            };
            tries += 1;
            let ask = self.account.source == Source::Prompt && error.is_bad_login();
            if !ask || tries == TRIES {
                return Err(error);
            }
            self.remembered = None;
            complain(&error.to_string());
            session = (!open.is_over()).then_some(open);
        }
    }

    fn connect(&self) -> Result<Session, Error> {
        let endpoint = self.account.endpoint.clone();
        Session::connect(&endpoint.transcript(self.transcript.clone()))
    }

    fn secret(&self) -> Result<Secret, Error> {
        match &self.remembered {
            Some(secret) => Ok(secret.clone()),
            None => self
                .account
                .secret()
                .map_err(|error| Error::NoLogin(error.to_string())),
        }
    }
}
