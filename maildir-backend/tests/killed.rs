//! A process that is killed within QUIT: what it said was deleted is gone, what it was not told to delete
//! is there, and the next process goes on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Disk, login, make_maildir, store};
use maildir_backend::{Deletion, Layout};
use pop3_proto::backend::Index;
use pop3_proto::backend::blocking::{Mailbox, Store};

const MESSAGES: u32 = 400;
const FOLDER: &str = "MAILDIR_TEST_KILLED";
const KIND: &str = "MAILDIR_TEST_KIND";

fn change(kind: &str) -> impl Fn(&mut maildir_backend::Config) {
    move |config| {
        if kind == "plain" {
            config.layout = Layout::Directory;
            config.settle = Duration::ZERO;
        }
        if kind == "trash" {
            config.deletion = Deletion::Move(".Trash".into());
        }
        config.mark_seen = true;
    }
}

/// In the process that is killed: sessions that each delete some messages and say so.
#[test]
#[ignore = "is started by the other test"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let kind = std::env::var(KIND).unwrap();
    let store = store(Path::new(&folder), change(&kind));
    println!("begin");
    loop {
        let mut mailbox = store.open(&login("u")).unwrap();
        let entries = mailbox.list().unwrap();
        let marked: Vec<Index> = entries
            .iter()
            .zip(0..)
            .filter(|(entry, _)| !entry.unique_id.contains("keep"))
            .map(|(_, at)| Index(at))
            .take(40)
            .collect();
        if marked.is_empty() {
            break;
        }
        let retrieved: Vec<Index> = (0..entries.len() as u32).step_by(3).map(Index).collect();
        mailbox.update(&marked, &retrieved).unwrap();
        let mut told = String::new();
        for index in &marked {
            told.push_str(&format!("gone {}\n", entries[index.0 as usize].unique_id));
        }
        let mut out = std::io::stdout().lock();
        out.write_all(told.as_bytes()).unwrap();
        out.flush().unwrap();
    }
    println!("end");
}

fn name(n: u32) -> String {
    let keep = if n.is_multiple_of(4) { "keep" } else { "x" };
    format!("{}.M{n}P1.{keep}", 1_700_000_000 + n)
}

/// Base names below a folder, each of them once.
fn bases(folders: &[&Path]) -> BTreeSet<String> {
    let names = folders
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|path| common::files(path));
    let names = names.filter(|name| name.contains(".M"));
    let mut all = BTreeSet::new();
    for name in names {
        let base = name.split(':').next().unwrap().to_owned();
        assert!(all.insert(base), "{name} is there twice");
    }
    all
}

/// Kills a child after so long. Says whether it was done before that.
fn killed_after(kind: &str, delay: Duration) -> bool {
    let disk = Disk::with(change(kind));
    let path = disk.path();
    let (new, cur) = match kind {
        "plain" => (path.to_owned(), path.join("none")),
        _ => (path.join("new"), path.join("cur")),
    };
    make_maildir(path);
    for n in 0..MESSAGES {
        let folder = if n.is_multiple_of(2) || kind == "plain" {
            &new
        } else {
            &cur
        };
        fs::write(folder.join(name(n)), "x\n").unwrap();
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(FOLDER, path)
        .env(KIND, kind)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = told
        .by_ref()
        .map(Result::unwrap)
        .any(|line| line.ends_with("begin"));
    assert!(begun, "the child did not begin");
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    let told: Vec<String> = told.map(Result::unwrap).collect();
    let gone: BTreeSet<&str> = told
        .iter()
        .filter_map(|line| line.strip_prefix("gone "))
        .collect();

    let here = bases(&[&new, &cur]);
    let trash = path.join(".Trash/cur");
    let both = bases(&[&new, &cur, &trash]);
    for n in 0..MESSAGES {
        let name = name(n);
        if name.contains("keep") {
            assert!(here.contains(&name), "{name} was not deleted");
        }
        if gone.contains(&*name) {
            assert!(!here.contains(&name), "{name} was reported gone");
        }
        assert!(kind != "trash" || both.contains(&name), "{name} is lost");
    }
    // the next one goes on, and no lock is left
    let entries = disk.list();
    assert_eq!(entries.len(), here.len());
    assert!(disk.store.deliver("u", &b"x"[..]).is_ok());
    told.iter().any(|line| line.ends_with("end"))
}

#[test]
fn a_process_that_is_killed_within_quit_loses_nothing() {
    for kind in ["maildir", "trash", "plain"] {
        let mut done = 0;
        for round in 0..16u64 {
            let delay = Duration::from_micros(round * round * 1500);
            done += u32::from(killed_after(kind, delay));
        }
        println!("{kind}: {done} of 16 had finished");
    }
}
