//! The names that users log in with: their domains, and the rules that change them.
//!
//! Owns how a client's name becomes the name that routes compare ([`Names`]) and the name that an upstream or
//! a store knows ([`Rewrite`]). The domains in the rules are the operator's. Nothing in a client's name is ever
//! a variable or a pattern (V14): a name is cut at its last `@`, and its domain stays, goes or is replaced.
//!
//! # Examples
//!
//! ```
//! use pop3_server::name::{DomainRule, Names, Rewrite};
//!
//! let names = Names {
//!     default_domain: Some("example.org".into()),
//!     separators: "%".into(),
//! };
//! assert_eq!(names.read("tim"), "tim@example.org");
//! assert_eq!(names.read("ann%example.net"), "ann@example.net");
//!
//! let strip = Rewrite { domain: DomainRule::Strip, ..Rewrite::default() };
//! assert_eq!(strip.apply("tim@example.org"), "tim");
//! ```

use std::borrow::Cow;
use std::fmt;

/// How the names that clients send are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The domain of names without one.
    pub default_domain: Option<String>,
    /// Characters that stand for `@` in names without an `@`; the last one in a name counts.
    pub separators: String,
}

impl Names {
    /// The name with its domain, as routes compare it. An empty name, and one whose local part would be
    /// empty, stays as it is.
    pub fn read<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if name.is_empty() || name.contains('@') {
            return name.into();
        }
        if let Some((local, domain)) = name.rsplit_once(|c| self.separators.contains(c))
            && !local.is_empty()
            && !domain.is_empty()
        {
            return format!("{local}@{domain}").into();
        }
        match &self.default_domain {
            Some(domain) => format!("{name}@{domain}").into(),
            None => name.into(),
        }
    }
}

/// What becomes of the domain of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DomainRule {
    /// It stays.
    #[default]
    Keep,
    /// The name goes on without it.
    Strip,
    /// A name without a domain gets this one.
    Add(String),
    /// Every name gets this one.
    Replace(String),
}

impl DomainRule {
    /// Reads the words of a configuration: `keep`, `strip`, `add:DOMAIN`, `replace:DOMAIN`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => match text {
                "keep" => Some(Self::Keep),
                "strip" => Some(Self::Strip),
                _ => None,
            },
            Some(("add", domain)) if is_domain(domain) => Some(Self::Add(domain.into())),
            Some(("replace", domain)) if is_domain(domain) => Some(Self::Replace(domain.into())),
            Some(_) => None,
        }
    }

    /// The domain that this one becomes.
    pub fn apply<'d>(&'d self, domain: Option<&'d str>) -> Option<&'d str> {
        match self {
            Self::Keep => domain,
            Self::Strip => None,
            Self::Add(own) => Some(domain.unwrap_or(own)),
            Self::Replace(own) => Some(own),
        }
    }
}

impl fmt::Display for DomainRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Strip => f.write_str("strip"),
            Self::Add(domain) => write!(f, "add:{domain}"),
            Self::Replace(domain) => write!(f, "replace:{domain}"),
        }
    }
}

/// How the name of a user is written at an upstream or in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// What becomes of the domain.
    pub domain: DomainRule,
    /// What stands between local part and domain there; `@` if nothing else is said.
    pub separator: Option<char>,
}

impl Rewrite {
    /// The name there. One without a local part stays as it is.
    pub fn apply<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if *self == Self::default() {
            return name.into();
        }
        let (local, domain) = match name.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (name, None),
        };
        if local.is_empty() {
            return name.into();
        }
        match self.domain.apply(domain) {
            None => local.to_owned().into(),
            Some(domain) => format!("{local}{}{domain}", self.separator.unwrap_or('@')).into(),
        }
    }
}

/// Whether this can be a mail domain: labels of letters, digits, hyphens and underscores with single dots
/// between them, of at most 255 octets. Letters beyond ASCII may stand in it. A pattern is not a domain.
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.chars().all(word)
    };
    text.len() <= 255 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn w053_names_get_their_domain() {
        let names = Names {
            default_domain: Some("example.org".into()),
            separators: "%/".into(),
        };
        for (given, read) in [
            ("tim", "tim@example.org"),
            ("tim@example.net", "tim@example.net"),
            ("tim%example.net", "tim@example.net"),
            ("a/tim%example.net", "a/tim@example.net"),
            ("tim%a@example.net", "tim%a@example.net"),
            ("tim%", "tim%@example.org"),
            ("%example.net", "%example.net@example.org"),
            ("@", "@"),
            ("tim@", "tim@"),
            ("", ""),
        ] {
            assert_eq!(names.read(given), read, "{given:?}");
        }
        assert_eq!(Names::default().read("tim%x"), "tim%x");
    }

    #[test]
    fn w053_domains_stay_go_or_are_replaced() {
        let rule = |text| Rewrite {
            domain: DomainRule::parse(text).unwrap_or_default(),
            separator: None,
        };
        for (text, given, there) in [
            ("keep", "tim@a.example", "tim@a.example"),
            ("strip", "tim@a.example", "tim"),
            ("strip", "t@im@a.example", "t@im"),
            ("strip", "tim", "tim"),
            ("strip", "@a.example", "@a.example"),
            ("add:b.example", "tim", "tim@b.example"),
            ("add:b.example", "tim@a.example", "tim@a.example"),
            ("replace:b.example", "tim@a.example", "tim@b.example"),
            ("replace:b.example", "tim", "tim@b.example"),
        ] {
            assert_eq!(rule(text).apply(given), there, "{text} {given}");
        }
        let percent = Rewrite {
            domain: DomainRule::Keep,
            separator: Some('%'),
        };
        assert_eq!(percent.apply("tim@a.example"), "tim%a.example");
        assert_eq!(percent.apply("tim"), "tim");
    }

    #[test]
    fn w053_unknown_forms_are_no_rules() {
        for text in [
            "",
            "Strip",
            "strip:",
            "add",
            "add:",
            "add:*",
            "replace:@a",
            "replace:a b",
            "replace:%d",
            "add:{domain}",
            "add:.a",
            "add:a.",
            "add:a..b",
            "add:$DOMAIN",
            "lower",
        ] {
            assert_eq!(DomainRule::parse(text), None, "{text:?}");
        }
        for text in [
            "keep",
            "strip",
            "add:a.example",
            "replace:bücher.example",
            "add:a-b_c.example",
        ] {
            let rule = DomainRule::parse(text).map(|rule| rule.to_string());
            assert_eq!(rule.as_deref(), Some(text));
        }
    }

    proptest! {
        /// Whatever a client sends, nothing of it but its own local part and domain comes out (V14).
        #[test]
        fn v14_w053_nothing_is_expanded(local in "[^@]{1,20}", domain in "[^@]{0,20}") {
            let name = format!("{local}@{domain}");
            let replace = Rewrite { domain: DomainRule::Replace("a.example".into()), separator: None };
            prop_assert_eq!(replace.apply(&name), format!("{local}@a.example"));
            prop_assert_eq!(Rewrite::default().apply(&name), name.as_str());
            let strip = Rewrite { domain: DomainRule::Strip, separator: None };
            prop_assert_eq!(strip.apply(&name), local);
        }
    }
}
