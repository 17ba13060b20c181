//! A download, what it left, and what it should have.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pop3_client::download::{
    Destination, DownloadError, Order, Removal, Report, Unwatched, download,
};
use pop3_client_io::TlsMode;
use pop3_client_io::blocking::Session;

use super::{Server, identity};

/// One that removes nothing and is not tried again.
pub(crate) fn order(to: Destination) -> Order {
    Order {
        to,
        state: None,
        account: "alice@localhost".into(),
        removal: Removal::Never,
        retries: 0,
        pause: Duration::ZERO,
    }
}

pub(crate) fn run(server: &Server, order: &Order) -> Result<Report, DownloadError> {
    let endpoint = server.endpoint(TlsMode::None);
    let mut open = || {
        let mut session = Session::connect(&endpoint)?;
        session.log_in(&identity())?;
        Ok(session)
    };
    download(&mut open, order, &mut Unwatched)
}

/// What is stored, each text with how often.
pub(crate) fn stored(to: &Destination) -> BTreeMap<Vec<u8>, usize> {
    let mut found = BTreeMap::new();
    let mut add = |octets: Vec<u8>| *found.entry(octets).or_insert(0) += 1;
    match to {
        Destination::Maildir(path) => {
            assert_eq!(std::fs::read_dir(path.join("tmp")).unwrap().count(), 0);
            files(&path.join("new")).into_iter().for_each(&mut add);
        }
        Destination::Files(path) => files(path).into_iter().for_each(&mut add),
        Destination::Mbox(path) => split(&std::fs::read(path).unwrap_or_default())
            .into_iter()
            .for_each(&mut add),
    }
    found
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Reads an mboxrd: an independent reading of the format.
fn split(mbox: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(mbox.to_vec()).unwrap();
    let mut mails: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("From ") {
            mails.push(String::new());
            continue;
        }
        let quoted = line.trim_start_matches('>').starts_with("From ");
        let line = if quoted {
            line.strip_prefix('>').unwrap_or(line)
        } else {
            line
        };
        mails.last_mut().unwrap().push_str(line);
    }
    mails
        .into_iter()
        .map(|mail| mail.strip_suffix('\n').unwrap().as_bytes().to_vec())
        .collect()
}

pub(crate) fn wanted(mailbox: &[super::Message], to: &Destination) -> BTreeMap<Vec<u8>, usize> {
    let mut wanted = BTreeMap::new();
    for (_, octets) in mailbox {
        let octets = match to {
            Destination::Files(_) => octets.clone(),
            Destination::Maildir(_) | Destination::Mbox(_) => String::from_utf8(octets.clone())
                .unwrap()
                .replace("\r\n", "\n")
                .into_bytes(),
        };
        *wanted.entry(octets).or_insert(0) += 1;
    }
    wanted
}

pub(crate) fn destinations(folder: &Path) -> [Destination; 3] {
    [
        Destination::Maildir(folder.join("maildir")),
        Destination::Mbox(folder.join("mbox")),
        Destination::Files(folder.join("files")),
    ]
}
