//! A dialogue with what it takes place in.
//!
//! ```text
//! == P023 P024: the title, with the ids of what it shows
//! policy: stls
//! mail: Subject: a\r\n\r\ntext\r\n
//! start: logged in
//! C: STAT
//! S: +OK 1 20
//! ```
//!
//! | in front of the steps | |
//! |---|---|
//! | `policy: tls none`, `tls implicit`, `stls` | how TLS stands; without it the dialogue holds for all |
//! | `policy: no clear logins`, `no passwords`, `no utf8`, `apop` | as [`Policy`] has them |
//! | `policy: mechanisms PLAIN LOGIN`, `read-only on request`, `read-only always` | |
//! | `policy: expire 0`, `greeting text`, `implementation hidden` | |
//! | `mail: text` | a message, with the escapes of the steps, `mail 12: text` twelve of them |
//! | `size: 5000000000` | what the store says of the next message's size |
//! | `store: refuses credentials`, `in use`, `login delay`, `policy` | every login |
//! | `store: challenges one two` | what it says in a relayed login |
//! | `store: cannot update`, `is silent` | |
//! | `store: message 2 is gone`, `fails`, `is broken`, `breaks after 10` | |
//! | `pieces: as they stand` | what is sent together must stay together |
//! | `start: greeting` | the greeting is heard; without it it is passed over |
//! | `start: logged in` | the user `u` with the password `p w` |
#![allow(missing_docs, clippy::unwrap_used, reason = "only tests use it")]

use std::path::PathBuf;

use crate::talk::{Store, Trouble, clear};
use crate::transcript::Transcript;
use pop3_proto::backend::{FailureKind, Index, Mechanism, RefusalKind};
use pop3_proto::server::{Expire, Policy, ReadOnly, TlsOffer};

/// Where a dialogue begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Greeting,
    Connected,
    LoggedIn,
}

/// How TLS gets into a dialogue.
#[derive(Clone, Copy, Debug)]
pub enum Protection {
    /// Not at all: as the scene says.
    AsItStands,
    /// From the first octet.
    Implicit,
    /// With STLS in front of what the client says.
    Stls,
}

impl Protection {
    /// The ways in which a scene can be played.
    pub fn of(scene: &Scene) -> &'static [Self] {
        match (scene.names_tls, scene.start) {
            (true, _) => &[Self::AsItStands],
            (false, Start::Greeting) => &[Self::AsItStands, Self::Implicit],
            (false, Start::Connected | Start::LoggedIn) => {
                &[Self::AsItStands, Self::Implicit, Self::Stls]
            }
        }
    }

    /// The policy of a scene that is played in this way.
    pub fn policy(self, scene: &Scene) -> Policy {
        scene.policy.clone().tls(match self {
            Self::AsItStands => scene.policy.tls,
            Self::Implicit => TlsOffer::Implicit,
            Self::Stls => TlsOffer::Stls,
        })
    }
}

/// A dialogue with what it takes place in.
pub struct Scene {
    pub title: String,
    pub policy: Policy,
    /// TLS is what the dialogue is about.
    pub names_tls: bool,
    /// Cutting what is sent would change the meaning.
    pub uncut: bool,
    pub mails: Vec<Vec<u8>>,
    pub sizes: Vec<u64>,
    pub refuse: Option<RefusalKind>,
    pub challenges: Vec<Vec<u8>>,
    pub fail_update: bool,
    pub silent: bool,
    pub troubles: Vec<(Index, Trouble)>,
    pub start: Start,
    pub steps: Transcript,
}

impl Scene {
    /// All dialogues.
    pub fn all() -> Vec<Self> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../pop3-proto/tests/dialogues");
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |file: &PathBuf| {
            let name = file.file_name().unwrap().to_str().unwrap();
            Self::read_all(name, &std::fs::read_to_string(file).unwrap()).unwrap()
        };
        files.iter().flat_map(read).collect()
    }

    /// The dialogues of a file.
    fn read_all(file: &str, text: &str) -> Result<Vec<Self>, String> {
        let mut scenes: Vec<Self> = Vec::new();
        let titles = text.lines().enumerate();
        let titles = titles.filter(|(_, line)| line.starts_with("== "));
        let begins: Vec<usize> = titles.map(|(at, _)| at).collect();
        for (n, &begin) in begins.iter().enumerate() {
            let end = begins.get(n + 1).copied().unwrap_or(usize::MAX);
            scenes.push(Self::read(file, text, begin, end)?);
        }
        Ok(scenes)
    }

    fn read(file: &str, text: &str, begin: usize, end: usize) -> Result<Self, String> {
        let mut scene = Self {
            title: String::new(),
            policy: clear(),
            names_tls: false,
            uncut: false,
            mails: Vec::new(),
            sizes: Vec::new(),
            refuse: None,
            challenges: Vec::new(),
            fail_update: false,
            silent: false,
            troubles: Vec::new(),
            start: Start::Connected,
            steps: Transcript::parse(file, "").map_err(|fault| fault.to_string())?,
        };
        // the other lines stay empty, so that line numbers are those of the file
        let mut steps = String::new();
        for (at, line) in text.lines().enumerate() {
            if (begin..end).contains(&at)
                && !scene
                    .setting(line)
                    .map_err(|what| format!("{file}:{}: {what}", at + 1))?
            {
                steps.push_str(line);
            }
            steps.push('\n');
        }
        scene.steps = Transcript::parse(file, &steps).map_err(|fault| fault.to_string())?;
        Ok(scene)
    }

    /// Whether the line is no step.
    fn setting(&mut self, line: &str) -> Result<bool, String> {
        if let Some(title) = line.strip_prefix("== ") {
            self.title = title.to_owned();
        } else if let Some(policy) = line.strip_prefix("policy: ") {
            self.policy(policy)?;
        } else if let Some(store) = line.strip_prefix("store: ") {
            self.store(store)?;
        } else if line == "pieces: as they stand" {
            self.uncut = true;
        } else if let Some(size) = line.strip_prefix("size: ") {
            self.sizes.push(size.parse().map_err(|_| "not a size")?);
        } else if let Some(start) = line.strip_prefix("start: ") {
            self.start = match start {
                "greeting" => Start::Greeting,
                "logged in" => Start::LoggedIn,
                _ => return Err("no such start".into()),
            };
        } else if let Some(mail) = line.strip_prefix("mail") {
            let (times, text) = mail.split_once(':').ok_or("not a mail")?;
            let text = text.strip_prefix(' ').unwrap_or(text);
            let times = times.trim().parse().unwrap_or(1);
            let octets = crate::transcript::octets(text).map_err(str::to_owned)?;
            self.mails.extend(std::iter::repeat_n(octets, times));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn policy(&mut self, text: &str) -> Result<(), String> {
        let tls = match text {
            "tls none" => Some(TlsOffer::None),
            "tls implicit" => Some(TlsOffer::Implicit),
            "stls" => Some(TlsOffer::Stls),
            _ => None,
        };
        let policy = &mut self.policy;
        match (text.split_once(' ').unwrap_or((text, "")), tls) {
            (_, Some(tls)) => {
                policy.tls = tls;
                self.names_tls = true;
            }
            (("no", "clear logins"), _) => policy.clear_login = false,
            (("no", "passwords"), _) => policy.user_pass = false,
            (("no", "utf8"), _) => policy.utf8 = false,
            (("apop", ""), _) => policy.apop = true,
            (("mechanisms", names), _) => {
                let names = names.split_whitespace();
                policy.mechanisms = names.filter_map(Mechanism::new).collect();
            }
            (("read-only", "on request"), _) => policy.read_only = ReadOnly::OnRequest,
            (("read-only", "always"), _) => policy.read_only = ReadOnly::Always,
            (("expire", days), _) => {
                policy.expire = Expire::Days(days.parse().map_err(|_| "not days")?);
            }
            (("greeting", greeting), _) => policy.greeting = greeting.into(),
            (("implementation", "hidden"), _) => policy.implementation = None,
            _ => return Err(format!("no such policy: {text}")),
        }
        Ok(())
    }

    fn store(&mut self, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["refuses", "credentials"] => self.refuse = Some(RefusalKind::Credentials),
            ["refuses", "in", "use"] => self.refuse = Some(RefusalKind::InUse),
            ["refuses", "login", "delay"] => self.refuse = Some(RefusalKind::LoginDelay),
            ["refuses", "policy"] => self.refuse = Some(RefusalKind::Policy),
            ["challenges", words @ ..] => {
                self.challenges = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            }
            ["cannot", "update"] => self.fail_update = true,
            ["is", "silent"] => self.silent = true,
            ["message", number, what @ ..] => {
                let number: u32 = number.parse().map_err(|_| "not a message")?;
                let index = Index(number.checked_sub(1).ok_or("not a message")?);
                self.troubles.push((index, trouble(what)?));
            }
            _ => return Err(format!("no such store: {text}")),
        }
        Ok(())
    }

    /// The store of this scene.
    pub fn furnish(&self, store: &mut Store) {
        store.sizes.clone_from(&self.sizes);
        store.refuse = self.refuse;
        store.challenges = self.challenges.iter().cloned().collect();
        store.fail_update = self.fail_update;
        store.troubles.clone_from(&self.troubles);
    }
}

fn trouble(words: &[&str]) -> Result<Trouble, String> {
    Ok(match words {
        ["is", "gone"] => Trouble::Fails(FailureKind::Missing),
        ["fails"] => Trouble::Fails(FailureKind::Temporary),
        ["is", "broken"] => Trouble::Fails(FailureKind::Permanent),
        ["breaks", "after", octets] => {
            Trouble::Breaks(octets.parse().map_err(|_| "not a number of octets")?)
        }
        _ => return Err("no such trouble".into()),
    })
}
