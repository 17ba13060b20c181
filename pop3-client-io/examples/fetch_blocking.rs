//! Fetches a mailbox into a folder: `fetch_blocking HOST USER FOLDER`, the password on the standard input.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use pop3_client_io::blocking::Session;
use pop3_client_io::{Endpoint, Identity};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [host, user, folder] = words.as_slice() else {
        return Err("HOST, USER and FOLDER are needed".into());
    };
    let password = std::io::read_to_string(std::io::stdin())?;
    let identity = Identity::password(user, password.trim_end());
    fetch(&Endpoint::new(host), &identity, folder.as_ref())
}

pub(crate) fn fetch(
    endpoint: &Endpoint,
    identity: &Identity,
    folder: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut session = Session::connect(endpoint)?;
    session.log_in(identity)?;
    for (number, id) in session.unique_ids()? {
        let mut file = File::create(folder.join(format!("{number}.eml")))?;
        let octets = session.retrieve_to(number, &mut file)?;
        println!("{id}: {octets} octets");
    }
    session.quit()?;
    Ok(())
}
