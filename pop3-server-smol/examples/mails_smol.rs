//! A POP3 server over a `Vec` of mails, for the user `tim` with the password `tanstaaf`:
//! `cargo run -p pop3-server-smol --example mails_smol -- 127.0.0.1:1100`
use std::{env, error::Error, sync::Arc};

use arc_swap::ArcSwap;
use pop3_proto::{backend::list::ListStore, secret::Secret, server::Policy};
use pop3_server::server::{Options, Server};
use pop3_server::{listen::listen, settings::Settings, stored::Stored};

fn main() -> Result<(), Box<dyn Error>> {
    let first = "Subject: one\r\n\r\nThe first mail.\r\n";
    let mails = vec![first, "Subject: two\r\n\r\n.\r\n..\r\nThe second.\r\n"];
    let mut store = ListStore::default();
    store.add_account("tim", Secret::from(&b"tanstaaf"[..]));
    for mail in mails {
        store.deliver("tim", mail);
    }
    let mut settings = Settings::new(Arc::new(Stored::new(store)));
    settings.policy = Arc::new(Policy {
        clear_login: true,
        ..Policy::default()
    });
    let address = env::args().nth(1).ok_or("an address, please")?;
    let socket = listen(address.parse()?)?;
    println!("{}", socket.local_addr()?);
    let sockets = vec![(socket, Arc::new(ArcSwap::from_pointee(settings)))];
    pop3_server_smol::run(Server::new(), sockets, Arc::new(|| {}), &Options::default())?;
    Ok(())
}
