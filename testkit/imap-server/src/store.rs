//! The mailboxes of the server: users, folders, messages.
//!
//! Owns the mail. A [`Store`] is a handle that the sessions and the test share: what one changes, the
//! others see at their next command. Never speaks IMAP.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::content::Content;

/// All users with their mail. A clone is another handle to the same store.
#[derive(Clone, Debug, Default)]
pub struct Store(Arc<Mutex<BTreeMap<String, Account>>>);

/// One user.
#[derive(Default)]
struct Account {
    password: Option<String>,
    token: Option<String>,
    folders: BTreeMap<String, Folder>,
}

/// One folder. UIDs ascend.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Announced at SELECT.
    pub uid_validity: u32,
    /// Whether SELECT opens it read-only.
    pub read_only: bool,
    /// Whether SELECT says `UIDNOTSTICKY`.
    pub uid_not_sticky: bool,
    /// A SPECIAL-USE attribute (RFC 6154) such as `\Trash`.
    pub special_use: Option<String>,
    messages: Vec<Message>,
    uid_next: u32,
    changes: u64,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its UID.
    pub uid: u32,
    /// Its flags and keywords.
    pub flags: Vec<String>,
    /// Its octets, sent as they are.
    pub content: Content,
    /// Its INTERNALDATE, without quotes.
    pub internal_date: Cow<'static, str>,
    /// What the folder's counter of changes was when the flags changed last.
    pub(super) changed: u64,
}

impl Store {
    /// A store without users.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user who has an empty INBOX, or changes the password of one who is there.
    pub fn add_user(&self, user: &str, password: &str) {
        let mut users = self.lock();
        let account = users.entry(user.to_owned()).or_default();
        account.password = Some(password.to_owned());
        account.folders.entry("INBOX".to_owned()).or_default();
    }

    /// Adds a user who has an empty INBOX and logs in with an OAuth 2 access token, or sets the token
    /// of one who is there.
    pub fn add_token(&self, user: &str, token: &str) {
        let mut users = self.lock();
        let account = users.entry(user.to_owned()).or_default();
        account.token = Some(token.to_owned());
        account.folders.entry("INBOX".to_owned()).or_default();
    }

    /// Adds a folder to a user who is there. One that is there stays as it is.
    pub fn add_folder(&self, user: &str, folder: &str, special_use: Option<&str>) {
        if let Some(account) = self.lock().get_mut(user) {
            let added = account.folders.entry(folder.to_owned()).or_default();
            if special_use.is_some() {
                added.special_use = special_use.map(str::to_owned);
            }
        }
    }

    /// Puts a message at the end of a folder and returns its UID; 0 if there is no such folder.
    pub fn append(&self, user: &str, folder: &str, content: impl Into<Content>) -> u32 {
        self.edit(user, folder, |folder| folder.append(content.into()))
            .unwrap_or(0)
    }

    /// Puts a message at the end of a user's INBOX and returns its UID; 0 if there is no such user.
    pub fn deliver(&self, user: &str, content: impl Into<Content>) -> u32 {
        self.append(user, "INBOX", content)
    }

    /// Looks at, or changes, a folder; `None` if it is not there.
    pub fn edit<R>(
        &self,
        user: &str,
        folder: &str,
        edit: impl FnOnce(&mut Folder) -> R,
    ) -> Option<R> {
        self.lock()
            .get_mut(user)?
            .folders
            .get_mut(canonical(folder).as_ref())
            .map(edit)
    }

    /// The UIDs in a folder; none if it is not there.
    pub fn uids(&self, user: &str, folder: &str) -> Vec<u32> {
        self.edit(user, folder, |folder| folder.uids())
            .unwrap_or_default()
    }

    /// The flags of a message; none if it is not there.
    pub fn flags(&self, user: &str, folder: &str, uid: u32) -> Vec<String> {
        self.edit(user, folder, |folder| {
            folder.message(uid).map(|message| message.flags.clone())
        })
        .flatten()
        .unwrap_or_default()
    }

    /// The names of a user's folders with their special use.
    pub fn folders(&self, user: &str) -> Vec<(String, Option<String>)> {
        self.lock().get(user).map_or_else(Vec::new, |account| {
            let pair =
                |(name, folder): (&String, &Folder)| (name.clone(), folder.special_use.clone());
            account.folders.iter().map(pair).collect()
        })
    }

    pub(super) fn password_fits(&self, user: &str, password: &str) -> bool {
        self.lock()
            .get(user)
            .is_some_and(|account| account.password.as_deref() == Some(password))
    }

    /// Whose token this is; `user` may be empty.
    pub(super) fn token_owner(&self, user: &str, token: &str) -> Option<String> {
        let users = self.lock();
        let mut owners = users
            .iter()
            .filter(|(_, account)| account.token.as_deref() == Some(token));
        owners
            .find(|(name, _)| user.is_empty() || *name == user)
            .map(|(name, _)| name.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("folders", &self.folders)
            .finish_non_exhaustive()
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self {
            uid_validity: 1,
            read_only: false,
            uid_not_sticky: false,
            special_use: None,
            messages: Vec::new(),
            uid_next: 1,
            changes: 0,
        }
    }
}

impl Folder {
    /// Puts a message without flags at the end and returns its UID.
    pub fn append(&mut self, content: Content) -> u32 {
        self.append_flagged(content, &[])
    }

    /// Puts a message with flags at the end and returns its UID.
    pub fn append_flagged(&mut self, content: Content, flags: &[&str]) -> u32 {
        let uid = self.uid_next;
        self.changes += 1;
        self.uid_next = self.uid_next.saturating_add(1);
        self.messages.push(Message {
            uid,
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            content,
            internal_date: Cow::Borrowed("17-Jul-2026 02:44:25 +0000"),
            changed: 0,
        });
        uid
    }

    /// The UID that the next message gets.
    pub fn uid_next(&self) -> u32 {
        self.uid_next
    }

    /// Leaves a gap in the UIDs: the next message gets this UID, if it is higher than what it would get.
    pub fn skip_to_uid(&mut self, uid: u32) {
        self.uid_next = self.uid_next.max(uid);
    }

    /// Gives all messages new UIDs from 1 on under a new UIDVALIDITY.
    pub fn renumber(&mut self, uid_validity: u32) {
        self.changes += 1;
        self.uid_validity = uid_validity;
        self.uid_next = 1;
        for message in &mut self.messages {
            message.uid = self.uid_next;
            self.uid_next += 1;
        }
    }

    /// The messages in the order of their UIDs.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The UIDs in order.
    pub fn uids(&self) -> Vec<u32> {
        self.messages.iter().map(|message| message.uid).collect()
    }

    /// The message with this UID.
    pub fn message(&self, uid: u32) -> Option<&Message> {
        self.position(uid).and_then(|at| self.messages.get(at))
    }

    /// Removes a message; returns whether it was there.
    pub fn expunge(&mut self, uid: u32) -> bool {
        self.take(uid).is_some()
    }

    /// Sets or clears a flag; returns whether the message is there.
    pub fn set_flag(&mut self, uid: u32, flag: &str, on: bool) -> bool {
        let Some(message) = self.touch(uid) else {
            return false;
        };
        message.flags.retain(|old| !old.eq_ignore_ascii_case(flag));
        if on {
            message.flags.push(flag.to_owned());
        }
        true
    }

    /// Removes all flags of a message; returns whether the message is there.
    pub fn clear_flags(&mut self, uid: u32) -> bool {
        self.touch(uid)
            .map(|message| message.flags.clear())
            .is_some()
    }

    /// Increases with every event in the folder.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn take(&mut self, uid: u32) -> Option<Message> {
        let at = self.position(uid)?;
        self.changes += 1;
        Some(self.messages.remove(at))
    }

    /// Removes all messages for which this is true.
    pub(super) fn expunge_where(&mut self, mut gone: impl FnMut(&Message) -> bool) {
        self.changes += 1;
        self.messages.retain(|message| !gone(message));
    }

    fn position(&self, uid: u32) -> Option<usize> {
        self.messages
            .binary_search_by_key(&uid, |message| message.uid)
            .ok()
    }

    fn touch(&mut self, uid: u32) -> Option<&mut Message> {
        let at = self.position(uid)?;
        self.changes += 1;
        let message = self.messages.get_mut(at)?;
        message.changed = self.changes;
        Some(message)
    }
}

impl Message {
    /// Whether it has this flag or keyword.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own.eq_ignore_ascii_case(flag))
    }
}

/// `INBOX` in any case is `INBOX`.
pub(super) fn canonical(folder: &str) -> Cow<'_, str> {
    if folder.eq_ignore_ascii_case("INBOX") {
        Cow::Borrowed("INBOX")
    } else {
        Cow::Borrowed(folder)
    }
}
