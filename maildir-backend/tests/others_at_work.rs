//! Delivery agents and mail programs work on the folder, between sessions and during them: the view of a
//! session agrees with a model at every point.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use common::{Disk, MaildirMailbox, read};
use pop3_proto::backend::Index;
use pop3_proto::backend::blocking::Mailbox;
use pop3_proto::backend::store::{StoreError, message_size};
use proptest::prelude::*;

/// What befalls the folder. Numbers choose a message, whatever there is.
#[derive(Clone, Debug)]
enum Event {
    /// A delivery agent brings a message, with so much of its size in the name.
    Arrives(Vec<u8>, Naming),
    /// The store's own delivery.
    IsDelivered(Vec<u8>),
    /// A mail program shows it.
    GoesToCur(usize),
    Flags(usize, &'static str),
    /// Killed in between, a program that moves by linking leaves both names.
    IsTwice(usize),
    IsRemoved(usize),
    /// Files that are none.
    Litter,
    SizesAreSpoilt(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Naming {
    Plain,
    Sizes,
    Long,
    Odd,
}

#[derive(Clone, Debug)]
enum Step {
    Befalls(Event),
    Retrieve(usize),
    Mark(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let mail = || {
        let part = proptest::sample::select(vec!["a", "\r\n", "\n", ".", "\r", "Subject: x\n"]);
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat().into_bytes())
    };
    let naming = proptest::sample::select(vec![
        Naming::Plain,
        Naming::Sizes,
        Naming::Long,
        Naming::Odd,
    ]);
    let flags = proptest::sample::select(vec!["", "S", "FRS", "T", "Sab"]);
    prop_oneof![
        4 => (mail(), naming).prop_map(|(mail, naming)| Event::Arrives(mail, naming)),
        2 => mail().prop_map(Event::IsDelivered),
        3 => any::<usize>().prop_map(Event::GoesToCur),
        3 => (any::<usize>(), flags).prop_map(|(n, flags)| Event::Flags(n, flags)),
        1 => any::<usize>().prop_map(Event::IsTwice),
        2 => any::<usize>().prop_map(Event::IsRemoved),
        1 => Just(Event::Litter),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Event::SizesAreSpoilt),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => event().prop_map(Step::Befalls),
        3 => any::<usize>().prop_map(Step::Retrieve),
        2 => any::<usize>().prop_map(Step::Mark),
    ]
}

/// What lies in the folder.
struct Model {
    disk: Disk,
    /// By base name: the octets, and the files.
    messages: BTreeMap<String, (Vec<u8>, Vec<PathBuf>)>,
    count: usize,
    /// Unique-ids by base name, of all messages that ever were.
    ids: BTreeMap<String, String>,
}

impl Model {
    fn new() -> Self {
        Self {
            disk: Disk::maildir(),
            messages: BTreeMap::new(),
            count: 0,
            ids: BTreeMap::new(),
        }
    }

    fn befall(&mut self, event: Event) {
        match event {
            Event::Arrives(mail, naming) => {
                let (n, size) = (self.count, mail.len());
                self.count += 1;
                let octets = message_size(&mail[..]).unwrap();
                // neither the order of arrival nor that of names
                let seconds = 1_700_000_000 + n * 7919 % 13;
                let base = match naming {
                    Naming::Plain => format!("{seconds}.M{n}P1.host"),
                    Naming::Sizes => format!("{seconds}.M{n}P1.host,S={size},W={octets}"),
                    Naming::Long => format!("{seconds}.M{n}P1.{}", "host.".repeat(30)),
                    Naming::Odd => format!("{n} % ü\n\u{7f}"),
                };
                let tmp = self.disk.path().join("tmp").join(&base);
                fs::write(&tmp, &mail).unwrap();
                let path = self.disk.path().join("new").join(&base);
                fs::rename(tmp, &path).unwrap();
                self.messages.insert(base, (mail, vec![path]));
            }
            Event::IsDelivered(mail) => {
                let before = self.disk.files("new");
                let id = self.disk.store.deliver("u", &mail[..]).unwrap();
                let after = self.disk.files("new");
                let base = after
                    .into_iter()
                    .find(|name| !before.contains(name))
                    .unwrap();
                let path = self.disk.path().join("new").join(&base);
                self.ids.insert(base.clone(), id);
                self.messages.insert(base, (mail, vec![path]));
            }
            Event::GoesToCur(n) => self.rename(n, "", false),
            Event::Flags(n, flags) => self.rename(n, flags, false),
            Event::IsTwice(n) => self.rename(n, "P", true),
            Event::IsRemoved(n) => {
                if let Some(base) = self.choose(n) {
                    let (_, paths) = self.messages.remove(&base).unwrap();
                    paths.iter().for_each(|path| fs::remove_file(path).unwrap());
                }
            }
            Event::Litter => {
                let path = self.disk.path();
                fs::write(path.join("tmp/1700000000.half"), "half").unwrap();
                fs::write(path.join("new/.hidden"), "x").unwrap();
                fs::create_dir_all(path.join("cur/1700000000.folder:2,S")).unwrap();
                let link = path.join("new/1700000000.link");
                let _ = std::os::unix::fs::symlink("/etc/passwd", link);
            }
            Event::SizesAreSpoilt(octets) => {
                let path = self.disk.path().join("pop3-gateway.sizes");
                let mut old = fs::read(&path).unwrap_or_default();
                old.truncate(old.len() / 2);
                fs::write(path, [old, octets].concat()).unwrap();
            }
        }
    }

    fn rename(&mut self, n: usize, flags: &str, keep: bool) {
        let Some(base) = self.choose(n) else { return };
        let (_, paths) = self.messages.get_mut(&base).unwrap();
        let to = self.disk.root.path().join(format!("cur/{base}:2,{flags}"));
        if paths.contains(&to) {
            return;
        }
        fs::hard_link(&paths[0], &to).unwrap();
        if !keep {
            paths
                .drain(..)
                .for_each(|path| fs::remove_file(path).unwrap());
        }
        paths.push(to);
    }

    fn choose(&self, n: usize) -> Option<String> {
        let at = n.checked_rem(self.messages.len())?;
        self.messages.keys().nth(at).cloned()
    }

    /// Opens a session and says which message has which number.
    fn open(&mut self, before: &mut Vec<String>) -> (MaildirMailbox, Vec<String>) {
        let mut mailbox = self.disk.open();
        let entries = mailbox.list().unwrap();
        assert_eq!(entries.len(), self.messages.len());
        // which is which, the octets and the file tell
        let listed = self.disk.store.list("u").unwrap();
        let bases: Vec<String> = listed
            .iter()
            .map(|listed| {
                let name = listed.path.file_name().unwrap().to_str().unwrap();
                name.split(':').next().unwrap().to_owned()
            })
            .collect();
        for ((entry, listed), base) in entries.iter().zip(&listed).zip(&bases) {
            assert_eq!(
                (&entry.unique_id, entry.size),
                (&listed.unique_id, listed.size)
            );
            let (octets, _) = &self.messages[base];
            assert_eq!(entry.size, message_size(&octets[..]).unwrap(), "{base}");
            let id = self
                .ids
                .entry(base.clone())
                .or_insert_with(|| entry.unique_id.clone());
            assert_eq!(*id, entry.unique_id, "the unique-id of {base} changed");
        }
        let all: BTreeSet<_> = self.ids.values().collect();
        assert_eq!(all.len(), self.ids.len(), "a unique-id came again");
        // what was there before is in the same order
        let still = before.iter().filter(|base| bases.contains(base));
        let common = bases.iter().filter(|base| before.contains(base));
        assert!(still.eq(common), "the order changed");
        before.clone_from(&bases);
        (mailbox, bases)
    }

    fn session(&mut self, steps: Vec<Step>, quit: bool, before: &mut Vec<String>) {
        let (mut mailbox, bases) = self.open(before);
        let (mut marked, mut retrieved) = (BTreeSet::new(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Befalls(event) => self.befall(event),
                Step::Retrieve(n) => {
                    let Some(at) = n.checked_rem(bases.len()) else {
                        continue;
                    };
                    match (read(&mut mailbox, at as u32), self.messages.get(&bases[at])) {
                        (Ok(octets), Some((expected, _))) => assert_eq!(octets, *expected),
                        (Err(StoreError::Missing), None) => {}
                        (got, expected) => panic!("{got:?} for {expected:?}"),
                    }
                    retrieved.insert(Index(at as u32));
                }
                Step::Mark(n) => {
                    if let Some(at) = n.checked_rem(bases.len()) {
                        marked.insert(Index(at as u32));
                    }
                }
            }
        }
        if quit {
            let indexes = |set: &BTreeSet<Index>| set.iter().copied().collect::<Vec<_>>();
            mailbox
                .update(&indexes(&marked), &indexes(&retrieved))
                .unwrap();
            for index in marked {
                self.messages.remove(&bases[index.0 as usize]);
            }
        }
        drop(mailbox);
        self.agrees();
    }

    /// The files are those of the model, under the names that others gave them.
    fn agrees(&self) {
        let path = self.disk.path();
        let names = ["new", "cur"].into_iter().flat_map(|place| {
            let names = self.disk.files(place).into_iter();
            names.map(move |name| path.join(place).join(name))
        });
        let litter = ["hidden", "link"];
        let is_mail = |path: &PathBuf| {
            !litter
                .iter()
                .any(|end| path.to_string_lossy().ends_with(end))
        };
        let there: BTreeSet<PathBuf> = names.filter(is_mail).collect();
        let expected = self.messages.values().flat_map(|(_, paths)| paths.clone());
        assert_eq!(there, expected.collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn p049_p050_sessions_agree_with_the_folder(
        sessions in proptest::collection::vec(
            (
                proptest::collection::vec(event(), 0..8),
                proptest::collection::vec(step(), 0..12),
                any::<bool>(),
            ),
            1..5,
        ),
    ) {
        let mut model = Model::new();
        let mut order = Vec::new();
        for (events, steps, quit) in sessions {
            for event in events {
                model.befall(event);
            }
            model.session(steps, quit, &mut order);
        }
    }
}
