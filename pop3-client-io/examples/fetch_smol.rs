//! Fetches a mailbox into a folder: `fetch_smol HOST USER FOLDER`, the password on the standard input.

use std::error::Error;
use std::path::Path;

use pop3_client_io::{Endpoint, Identity};
use smol::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [host, user, folder] = words.as_slice() else {
        return Err("HOST, USER and FOLDER are needed".into());
    };
    let password = std::io::read_to_string(std::io::stdin())?;
    let identity = Identity::password(user, password.trim_end());
    smol::block_on(fetch(&Endpoint::new(host), &identity, folder.as_ref()))
}

pub(crate) async fn fetch(
    endpoint: &Endpoint,
    identity: &Identity,
    folder: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut session = pop3_client_io::futures::connect(endpoint).await?;
    session.log_in(identity).await?;
    for (number, id) in session.unique_ids().await? {
        let mut file = File::create(folder.join(format!("{number}.eml"))).await?;
        let octets = session.retrieve(number)?.copy_to(&mut file).await?;
        println!("{id}: {octets} octets");
    }
    session.quit().await?;
    Ok(())
}
