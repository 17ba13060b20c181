//! The commands on flags and places of messages: STORE, EXPUNGE, COPY, MOVE.

use super::set;
use super::state::State;
use super::word::Word;

impl State {
    pub(super) fn store(&mut self, uid: bool, arguments: &[Word]) -> String {
        let (Some(selected), [set, item, flags @ ..]) = (&self.selected, arguments) else {
            return "BAD set, item and flags wanted".to_owned();
        };
        let (Some(chosen), Some(item)) = (selected.resolve(uid, Some(set)), item.keyword()) else {
            return "BAD set or item".to_owned();
        };
        if selected.read_only {
            return "NO [READ-ONLY] not here".to_owned();
        }
        let (item, silent) = item
            .strip_suffix(".SILENT")
            .map_or((item.as_str(), false), |item| (item, true));
        let flags: Vec<String> = flags
            .iter()
            .flat_map(Word::items)
            .filter_map(Word::text)
            .collect();
        let (replace, on) = match item {
            "FLAGS" => (true, true),
            "+FLAGS" => (false, true),
            "-FLAGS" => (false, false),
            _ => return "BAD unknown item".to_owned(),
        };
        let mut told = Vec::new();
        self.own_change(|folder| {
            for &(seq, uid) in &chosen {
                if replace {
                    folder.clear_flags(uid);
                }
                for flag in &flags {
                    folder.set_flag(uid, flag, on);
                }
                told.extend(
                    folder
                        .message(uid)
                        .map(|message| (seq, uid, message.flags.join(" "))),
                );
            }
        });
        for (seq, own, flags) in told {
            match (silent, uid) {
                (true, _) => {}
                (false, true) => self.untagged(&format!("{seq} FETCH (UID {own} FLAGS ({flags}))")),
                (false, false) => self.untagged(&format!("{seq} FETCH (FLAGS ({flags}))")),
            }
        }
        self.sync(uid);
        "OK stored".to_owned()
    }

    pub(super) fn expunge(&mut self, set: Option<&Word>) -> String {
        let Some(selected) = &self.selected else {
            return "BAD not now".to_owned();
        };
        if selected.read_only {
            return "NO [READ-ONLY] not here".to_owned();
        }
        let chosen = match set {
            Some(_) => match selected.set(true, set) {
                Some(set) => Some(set),
                None => return "BAD set".to_owned(),
            },
            None => None,
        };
        self.with_folder(|folder| {
            folder.expunge_where(|message| {
                message.has_flag("\\Deleted")
                    && chosen.as_ref().is_none_or(|set| set.contains(message.uid))
            });
        });
        self.sync(true);
        "OK expunged".to_owned()
    }

    /// COPY, and MOVE (RFC 6851).
    pub(super) fn copy(&mut self, uid: bool, arguments: &[Word], away: bool) -> String {
        let (Some(selected), [set, target], Some(user)) =
            (&self.selected, arguments, self.user.clone())
        else {
            return "BAD set and folder wanted".to_owned();
        };
        let (Some(chosen), Some(target)) = (selected.resolve(uid, Some(set)), target.text()) else {
            return "BAD set or folder".to_owned();
        };
        if away && selected.read_only {
            return "NO [READ-ONLY] not here".to_owned();
        }
        let server = self.server.clone();
        let Some(validity) = server
            .store()
            .edit(&user, &target, |folder| folder.uid_validity)
        else {
            return "NO [TRYCREATE] no such folder".to_owned();
        };
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (_, own) in chosen {
            let message = self.with_folder(|folder| match away {
                true => folder.take(own),
                false => folder.message(own).cloned(),
            });
            let Some(Some(message)) = message else {
                continue;
            };
            let flags: Vec<&str> = message.flags.iter().map(String::as_str).collect();
            let copied = server.store().edit(&user, &target, |folder| {
                folder.append_flagged(message.content, &flags)
            });
            old.push(own);
            new.extend(copied);
        }
        let code = match self.offers("UIDPLUS") && !old.is_empty() {
            true => format!(
                "[COPYUID {validity} {} {}] ",
                set::write(&old),
                set::write(&new)
            ),
            false => String::new(),
        };
        if away {
            self.untagged_status(&format!("OK {code}moved"));
            self.sync(true);
            "OK moved".to_owned()
        } else {
            self.sync(uid);
            format!("OK {code}copied")
        }
    }
}
