//! The passwd-file: read, changed by tools, and followed by a running server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod changes;
mod elsewhere;
mod limits;
mod live;

use std::path::Path;
use std::sync::Arc;

use local_accounts::{PasswdFile, Verifier, VerifierConfig};
use pop3_proto::backend::Login;
use pop3_proto::secret::Secret;

/// bcrypt at its cheapest, of "password".
pub(crate) const CHEAP: &str = "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu";

pub(crate) const FILE: &str = "\
# people
Tim:{PLAIN}tanstaaf

tom:{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu:1000:1000::/home/tom::userdb_mail=maildir:~/Mail
tim-phone:{PLAIN}another::::::user=Tim
gone:!
";

pub(crate) fn parse(text: &str) -> PasswdFile {
    PasswdFile::parse(Path::new("users"), text.as_bytes())
}

pub(crate) fn faults(text: &[u8]) -> Vec<String> {
    let file = PasswdFile::parse(Path::new("users"), text);
    let faults = file.faults().into_iter();
    faults.map(|(_, fault)| fault.to_string()).collect()
}

pub(crate) fn verifier() -> Arc<Verifier> {
    Arc::new(Verifier::new(VerifierConfig::default()).unwrap())
}

pub(crate) fn login(user: &str, password: &str) -> Login {
    Login::Password {
        user: user.into(),
        password: Secret::from(password.as_bytes()),
    }
}
