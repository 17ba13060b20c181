//! Which entry belongs to which user: by name, by domain, or the one for all.
//!
//! Owns a table that was configured. Never builds a name out of what a client sent: that is only ever
//! compared (V14).
//!
//! # Examples
//!
//! ```
//! use pop3_server::route::Routes;
//!
//! let mut routes = Routes::everybody("mail.example.org");
//! routes.set_domain("example.net", "imap.example.net");
//! routes.set_user("scanner", "localhost");
//! assert_eq!(routes.find(Some("Scanner")), Some(&"localhost"));
//! assert_eq!(routes.find(Some("tim@EXAMPLE.net")), Some(&"imap.example.net"));
//! assert_eq!(routes.find(None), Some(&"mail.example.org"));
//! ```

use std::collections::HashMap;

/// A routing table. The most exact entry wins: the user's own, the domain's, the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes<T> {
    users: HashMap<String, T>,
    domains: HashMap<String, T>,
    default: Option<T>,
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self {
            users: HashMap::new(),
            domains: HashMap::new(),
            default: None,
        }
    }
}

impl<T> Routes<T> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// A table that sends everybody to the same entry.
    pub fn everybody(entry: T) -> Self {
        Self {
            default: Some(entry),
            ..Self::default()
        }
    }

    /// The entry of one user, compared without case. Returns the entry that it replaces.
    pub fn set_user(&mut self, user: &str, entry: T) -> Option<T> {
        self.users.insert(user.to_lowercase(), entry)
    }

    /// The entry of all users `<anything>@domain`, compared without case. Returns the entry that it
    /// replaces.
    pub fn set_domain(&mut self, domain: &str, entry: T) -> Option<T> {
        self.domains.insert(domain.to_lowercase(), entry)
    }

    /// The entry of everybody else. Returns the entry that it replaces.
    pub fn set_default(&mut self, entry: T) -> Option<T> {
        self.default.replace(entry)
    }

    /// The entry for a user; for one whose name the login hides, the default.
    pub fn find(&self, user: Option<&str>) -> Option<&T> {
        let by_domain = |user: &str| self.domains.get(user.rsplit_once('@')?.1);
        user.map(str::to_lowercase)
            .and_then(|user| self.users.get(&user).or_else(|| by_domain(&user)))
            .or(self.default.as_ref())
    }

    /// All entries, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &T> {
        self.users
            .values()
            .chain(self.domains.values())
            .chain(&self.default)
    }
}
