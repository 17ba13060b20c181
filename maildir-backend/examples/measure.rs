//! How long a login takes with many messages, and how much memory a large one.
//!
//! ```text
//! cargo run --release -p maildir-backend --example measure -- many <folder> 100000
//! cargo run --release -p maildir-backend --example measure -- large <empty folder> 1024
//! ```
//!
//! `many` makes that many messages of 4 KiB in a Maildir, in one whose names tell sizes, and in a plain
//! directory, unless they are there already, and opens each twice in whole sessions: the second time
//! everything is counted and in the system's cache. `large` makes one message of that many MiB and
//! retrieves it.

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maildir_backend::{Config, Layout, MaildirStore};
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Caller, Login};
use testkit::stores::{Client, Subject};

struct Anybody;

impl Accounts for Anybody {
    fn check(&self, _: &Login, _: &Caller) -> Result<String, StoreError> {
        Ok("u".to_owned())
    }
}

struct Disk(Arc<MaildirStore>);

impl Subject for Disk {
    type Backend = Blocking<MaildirStore>;

    fn backend(&self) -> Self::Backend {
        Blocking::new(Arc::clone(&self.0))
    }

    fn stored(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

fn disk(path: &Path, layout: Layout) -> Result<Disk, Box<dyn Error>> {
    let mut config = Config::new(path);
    config.layout = layout;
    config.settle = Duration::ZERO;
    Ok(Disk(Arc::new(MaildirStore::new(
        config,
        Arc::new(Anybody),
    )?)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["many", folder, count] => many(Path::new(folder), count.parse()?),
        ["large", folder, mebibytes] => large(Path::new(folder), mebibytes.parse()?),
        _ => Err("usage: measure many <folder> <messages> | large <folder> <MiB>".into()),
    }
}

fn many(folder: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let text = format!("Subject: x\n\n{}", "0123456789abcdef\n".repeat(240));
    let (size, octets) = (text.len(), text.len() + text.matches('\n').count());
    for (kind, layout) in [
        ("maildir", Layout::Maildir),
        ("maildir with sizes", Layout::Maildir),
        ("directory", Layout::Directory),
    ] {
        let root = folder.join(kind);
        let made = root.exists();
        for part in ["", "tmp", "new", "cur"] {
            fs::create_dir_all(root.join(part))?;
        }
        for n in (0..count).filter(|_| !made) {
            let name = format!("{}.M{n}P77.mail.example.org", 1_700_000_000 + n);
            let name = match kind {
                "maildir" => format!("cur/{name}:2,S"),
                "directory" => name,
                _ => format!("cur/{name},S={size},W={octets}:2,S"),
            };
            fs::write(root.join(name), &text)?;
        }
        for run in ["first", "again"] {
            let disk = disk(&root, layout)?;
            let before = memory();
            let start = Instant::now();
            let mut client = Client::log_in(&disk);
            let login = start.elapsed();
            client.count("LIST\r\nUIDL\r\n");
            let all = start.elapsed();
            println!(
                "{kind}, {run}: login {login:.2?}, with LIST and UIDL {all:.2?}, memory {} KiB",
                memory().saturating_sub(before)
            );
            client.say("DELE 1\r\n");
            let start = Instant::now();
            client.quit();
            println!(
                "{kind}, {run}: QUIT with one deletion {:.2?}",
                start.elapsed()
            );
        }
    }
    println!("peak {} KiB", field("VmHWM:"));
    Ok(())
}

fn large(folder: &Path, mebibytes: usize) -> Result<(), Box<dyn Error>> {
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let mut file = BufWriter::new(fs::File::create(folder.join("new/1700000000.M1P1.h"))?);
    file.write_all(b"Subject: large\n\n")?;
    let line = "0123456789abcdef".repeat(4)[..63].to_owned() + "\n";
    for _ in 0..mebibytes * 1024 * 1024 / line.len() {
        file.write_all(line.as_bytes())?;
    }
    file.into_inner()?.sync_all()?;
    let disk = disk(folder, Layout::Maildir)?;
    println!("before: {} KiB", memory());
    for run in ["first", "again"] {
        let start = Instant::now();
        let mut client = Client::log_in(&disk);
        println!("{run}: login {:.2?}", start.elapsed());
        let start = Instant::now();
        let octets = client.count("RETR 1\r\n");
        println!("{run}: RETR of {octets} octets {:.2?}", start.elapsed());
        client.quit();
    }
    println!("peak {} KiB", field("VmHWM:"));
    Ok(())
}

/// KiB of this process that are in memory.
fn memory() -> u64 {
    field("VmRSS:")
}

fn field(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
