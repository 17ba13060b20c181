//! The commands on folders.
//!
//! Owns what a client hears of a folder that changes, its own changes and those of others.

use super::state::{Selected, State};
use super::store::{self, Folder};
use super::word::Word;

impl State {
    /// Reports to the client what others did to the folder. Messages may go away only where the client
    /// does not count on sequence numbers (RFC 3501 section 7.4.1).
    pub(super) fn sync(&mut self, expunges: bool) {
        let Some(Some(changes)) = self
            .selected
            .as_ref()
            .map(|_| self.with_folder(|folder| folder.changes()))
        else {
            return;
        };
        let known = self.selected.as_ref().map_or(0, |selected| selected.seen);
        if changes == known {
            return;
        }
        let own = self.with_folder(|folder| folder.uids()).unwrap_or_default();
        let flags = self.with_folder(|folder| {
            let changed = folder
                .messages()
                .iter()
                .filter(|message| message.changed > known);
            changed
                .map(|message| (message.uid, message.flags.join(" ")))
                .collect::<Vec<_>>()
        });
        let Some(selected) = &mut self.selected else {
            return;
        };
        let before = selected.view.len();
        let mut gone = Vec::new();
        if expunges {
            gone = (1..)
                .zip(&selected.view)
                .filter(|(_, uid)| own.binary_search(uid).is_err())
                .map(|(seq, _)| seq)
                .collect();
            selected.view.retain(|uid| own.binary_search(uid).is_ok());
            selected.seen = changes;
        }
        let last = selected.view.last().copied().unwrap_or(0);
        selected.view.extend(own.iter().filter(|&&uid| uid > last));
        let exists = selected.view.len();
        let grown = exists > before - gone.len();
        let changed: Vec<(usize, String)> = flags
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(uid, flags)| Some((selected.view.binary_search(&uid).ok()? + 1, flags)))
            .collect();
        for seq in gone.iter().rev() {
            self.untagged(&format!("{seq} EXPUNGE"));
        }
        if grown {
            self.untagged(&format!("{exists} EXISTS"));
        }
        if expunges {
            for (seq, flags) in changed {
                self.untagged(&format!("{seq} FETCH (FLAGS ({flags}))"));
            }
        }
    }

    /// The client knows its own changes.
    pub(super) fn own_change(&mut self, change: impl FnOnce(&mut Folder)) {
        let counts = self.with_folder(|folder| {
            let before = folder.changes();
            change(folder);
            (before, folder.changes())
        });
        if let (Some((before, after)), Some(selected)) = (counts, &mut self.selected)
            && selected.seen == before
        {
            selected.seen = after;
        }
    }

    pub(super) fn select(&mut self, arguments: &[Word], examine: bool) -> String {
        self.selected = None;
        let Some(name) = arguments.first().and_then(Word::text) else {
            return "BAD folder wanted".to_owned();
        };
        let Some(user) = self.user.clone() else {
            return "BAD not now".to_owned();
        };
        let Some(folder) = self.server.store().edit(&user, &name, |folder| {
            let unseen = folder
                .messages()
                .iter()
                .position(|message| !message.has_flag("\\Seen"));
            let selected = Selected {
                folder: store::canonical(&name).into_owned(),
                read_only: examine || folder.read_only,
                view: folder.uids(),
                seen: folder.changes(),
            };
            (
                selected,
                unseen,
                folder.uid_validity,
                folder.uid_next(),
                folder.uid_not_sticky,
            )
        }) else {
            return "NO [NONEXISTENT] no such folder".to_owned();
        };
        let (selected, unseen, uid_validity, uid_next, uid_not_sticky) = folder;
        let read_only = selected.read_only;
        self.untagged("FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)");
        self.untagged(&format!("{} EXISTS", selected.view.len()));
        self.untagged("0 RECENT");
        if let Some(unseen) = unseen {
            self.untagged_status(&format!("OK [UNSEEN {}] first unseen", unseen + 1));
        }
        let permanent = if read_only {
            ""
        } else {
            "\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*"
        };
        self.untagged_status(&format!(
            "OK [PERMANENTFLAGS ({permanent})] flags that stay"
        ));
        self.untagged_status(&format!("OK [UIDVALIDITY {uid_validity}] UIDs valid"));
        self.untagged_status(&format!("OK [UIDNEXT {uid_next}] predicted"));
        if uid_not_sticky {
            self.untagged_status("NO [UIDNOTSTICKY] UIDs do not last");
        }
        self.selected = Some(selected);
        let code = if read_only { "READ-ONLY" } else { "READ-WRITE" };
        format!("OK [{code}] selected")
    }

    pub(super) fn close(&mut self) -> String {
        if self
            .selected
            .as_ref()
            .is_some_and(|selected| !selected.read_only)
        {
            self.with_folder(|folder| {
                folder.expunge_where(|message| message.has_flag("\\Deleted"))
            });
        }
        self.selected = None;
        "OK closed".to_owned()
    }

    pub(super) fn create(&mut self, arguments: &[Word]) -> String {
        let (Some(name), Some(user)) = (arguments.first().and_then(Word::text), self.user.clone())
        else {
            return "BAD folder wanted".to_owned();
        };
        let store = self.server.store();
        if store.edit(&user, &name, |_| ()).is_some() {
            return "NO [ALREADYEXISTS] it is there".to_owned();
        }
        store.add_folder(&user, &name, None);
        "OK created".to_owned()
    }

    pub(super) fn list(&mut self, name: &str, arguments: &[Word]) -> String {
        let special = matches!(arguments.first(), Some(Word::List(_)));
        let arguments = if special {
            arguments.get(1..).unwrap_or_default()
        } else {
            arguments
        };
        let (Some(reference), Some(pattern)) = (
            arguments.first().and_then(Word::text),
            arguments.get(1).and_then(Word::text),
        ) else {
            return "BAD reference and pattern wanted".to_owned();
        };
        if pattern.is_empty() {
            self.untagged(&format!(r#"{name} (\Noselect) "/" """#));
            return "OK done".to_owned();
        }
        let pattern = reference + &pattern;
        let folders = self
            .user
            .as_ref()
            .map(|user| self.server.store().folders(user))
            .unwrap_or_default();
        for (folder, special_use) in folders {
            let shown = special_use.filter(|_| self.offers("SPECIAL-USE"));
            let wanted = !special || shown.is_some();
            if wanted && matches_pattern(pattern.as_bytes(), folder.as_bytes()) {
                let attributes = shown
                    .map(|attribute| format!(" {attribute}"))
                    .unwrap_or_default();
                let folder = folder.replace('\\', "\\\\").replace('"', "\\\"");
                self.untagged(&format!(
                    r#"{name} (\HasNoChildren{attributes}) "/" "{folder}""#
                ));
            }
        }
        "OK done".to_owned()
    }

    pub(super) fn status(&mut self, arguments: &[Word]) -> String {
        let [folder, items] = arguments else {
            return "BAD folder and items wanted".to_owned();
        };
        let (Some(name), Some(user)) = (folder.text(), self.user.clone()) else {
            return "BAD folder wanted".to_owned();
        };
        let items: Vec<String> = items.items().iter().filter_map(Word::keyword).collect();
        let told = self.server.store().edit(&user, &name, |folder| {
            let count = |flag: &str| {
                folder
                    .messages()
                    .iter()
                    .filter(|message| message.has_flag(flag))
                    .count()
            };
            let total = folder.messages().len();
            let mut told = Vec::new();
            for item in &items {
                let number = match item.as_str() {
                    "MESSAGES" => total as u64,
                    "RECENT" => 0,
                    "UNSEEN" => (total - count("\\Seen")) as u64,
                    "DELETED" => count("\\Deleted") as u64,
                    "UIDNEXT" => u64::from(folder.uid_next()),
                    "UIDVALIDITY" => u64::from(folder.uid_validity),
                    "SIZE" => folder
                        .messages()
                        .iter()
                        .map(|message| message.content.len())
                        .sum(),
                    _ => return None,
                };
                told.push(format!("{item} {number}"));
            }
            Some(told.join(" "))
        });
        match told {
            Some(Some(told)) => {
                self.untagged(&format!("STATUS \"{name}\" ({told})"));
                "OK done".to_owned()
            }
            Some(None) => "BAD unknown item".to_owned(),
            None => "NO [NONEXISTENT] no such folder".to_owned(),
        }
    }
}

/// `*` stands for anything, `%` for anything without the separator.
fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => {
            (0..=name.len()).any(|at| matches_pattern(rest, name.get(at..).unwrap_or_default()))
        }
        Some((b'%', rest)) => {
            let end = name
                .iter()
                .position(|&byte| byte == b'/')
                .unwrap_or(name.len());
            (0..=end).any(|at| matches_pattern(rest, name.get(at..).unwrap_or_default()))
        }
        Some((first, rest)) => name.split_first().is_some_and(|(own, name)| {
            own.eq_ignore_ascii_case(first) && matches_pattern(rest, name)
        }),
    }
}
