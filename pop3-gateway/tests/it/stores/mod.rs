//! Mailboxes that are kept here, over real sockets, on both runtimes.

mod accounts;
mod directory;
mod kinds;
mod list;
mod maildir;

use std::fs;
use std::path::Path;

use crate::common::{Gateway, sent_form};
use testkit::mails;

const LISTENER: &str = "[[listener]]\nlisten = \"127.0.0.1:0\"\n";

/// Accounts whose passwords are their names; bcrypt, scrypt and argon2id are tested elsewhere.
const USERS: &str = "tim:{PLAIN}tim\ntom:{PLAIN}tom\nphone:{PLAIN}phone::::::user=tim\n";

/// A configuration in a folder of its own, with these files beside it.
struct Place {
    dir: tempfile::TempDir,
    config: String,
}

impl Place {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("users"), USERS).unwrap();
        let file = dir.path().join("g.toml");
        fs::write(&file, format!("{LISTENER}{config}")).unwrap();
        let config = file.to_str().unwrap().to_owned();
        Self { dir, config }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn serve(&self, runtime: &str) -> Gateway {
        Gateway::start(runtime, 1, &["--config", &self.config])
    }
}

fn maildir(path: &Path) {
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(path.join(part)).unwrap();
    }
}

/// The corpus in the folder, in this order, and what clients are to receive.
fn fill(folder: &Path) -> Vec<Vec<u8>> {
    let mails = mails::corpus().into_iter().filter(|mail| !mail.is_large());
    let mut sent = Vec::new();
    for (number, mail) in mails.enumerate() {
        let content: Vec<u8> = mail.content.to_vec();
        fs::write(
            folder.join(format!("{}.M1P1.host", 1_700_000_000 + number)),
            &content,
        )
        .unwrap();
        sent.push(sent_form(&content));
    }
    sent
}

fn left(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

const MAILDIR: &str = "[[store]]\nname = \"local\"\nkind = \"maildir\"\npath = \"mail\"\nusers = \"each\"\n\
                       subfolder = \"Maildir\"\naccounts = \"users\"\n";

fn check(place: &Place) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
        .args(["check", "--config", &place.config])
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}
