//! The small IMAP server on a loopback port, for trying clients by hand and for interoperability scripts.
//!
//! `cargo run -p testkit --example imap_server -- --port 1143 --user tim:tanstaaf --mails DIR`

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::{env, fs, io, thread};

use testkit::imap_server::{Options, Server, Store};
use testkit::mails::sample;
use testkit::tcp::TcpHost;

const USAGE: &str = "usage: imap_server [--port PORT] [--user NAME:PASSWORD] [--mails DIR]
Without --port any free port is taken; without --mails the sample mails are served.";

fn main() -> io::Result<()> {
    let (mut port, mut user, mut mails) = (0, "demo:demo".to_owned(), None);
    let mut arguments = env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(usage)?;
        match option.as_str() {
            "--port" => port = value.parse().map_err(|_| usage())?,
            "--user" => user = value,
            "--mails" => mails = Some(value),
            _ => return Err(usage()),
        }
    }
    let (name, password) = user.split_once(':').ok_or_else(usage)?;
    let store = Store::new();
    store.add_user(name, password);
    store.add_folder(name, "Trash", Some("\\Trash"));
    match mails {
        Some(folder) => load(&store, name, Path::new(&folder))?,
        None => sample().into_iter().for_each(|mail| {
            store.deliver(name, mail.content);
        }),
    }
    let server = Server::new(store, Options::default());
    let host = TcpHost::start((Ipv4Addr::LOCALHOST, port), server)?;
    println!("listening on {}, user {name}", host.address());
    loop {
        thread::park();
    }
}

fn usage() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, USAGE)
}

/// All files of a folder in the order of their names.
fn load(store: &Store, user: &str, folder: &Path) -> io::Result<()> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths.iter().filter(|path| path.is_file()) {
        store.deliver(user, fs::read(path)?);
    }
    Ok(())
}
