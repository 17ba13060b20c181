//! Where each account's folder is: a path with fields for the account's name.
//!
//! Owns the fields, and the check that a template gives every account a folder of its own.
//! [`user`](crate::user) decides what an account's name may contain. Never looks at a disk.

use std::ffi::OsStr;
use std::fmt;

use pop3_proto::backend::store::StoreError;

use crate::user;

/// A path below the root with fields in braces: `{domain}/{local}/Maildir`.
///
/// | field | what it becomes |
/// |---|---|
/// | `{user}` | the account's name |
/// | `{local}` | the part before its last `@` |
/// | `{domain}` | the part after its last `@` |
///
/// # Examples
///
/// ```
/// use maildir_backend::{Template, TemplateError};
///
/// assert!(Template::parse("{domain}/{local}/Maildir").is_ok());
/// assert_eq!(Template::parse("{usr}"), Err(TemplateError::Field("usr".into())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    folders: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A part of an account's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    User,
    Local,
    Domain,
}

const FIELDS: [(&str, Field); 3] = [
    ("user", Field::User),
    ("local", Field::Local),
    ("domain", Field::Domain),
];

/// A template that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// There is no such field.
    #[error("there is no field {{{0}}}; write {{user}}, {{local}} or {{domain}}")]
    Field(String),
    /// A brace without its counterpart, or within another one.
    #[error("a brace is not closed or not opened; fields are {{user}}, {{local}} and {{domain}}")]
    Brace,
    /// A part of the path leads elsewhere.
    #[error("{0:?} cannot be the name of a folder")]
    Folder(String),
    /// Accounts with different names would share a folder.
    #[error(
        "different accounts would have the same folder; write {{user}}, or {{domain}} and {{local}} as folders of \
         their own or with an @ between them"
    )]
    Shared,
}

/// A folder on the way to the messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: Box<OsStr>,
    /// It holds an account's name, which is the same in capitals and small letters.
    pub(crate) any_case: bool,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// If it names an unknown field, leads out of the root, or gives two accounts one folder.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let folders = text.split('/').filter(|folder| !folder.is_empty());
        let folders: Result<Vec<_>, _> = folders.map(pieces).collect();
        let template = Self {
            text: text.to_owned(),
            folders: folders?,
        };
        let knows = |field| {
            let mut folders = template.folders.iter();
            folders.any(|folder| tells_apart(folder) && folder.contains(&Piece::Field(field)))
        };
        match knows(Field::User) || (knows(Field::Local) && knows(Field::Domain)) {
            true => Ok(template),
            false => Err(TemplateError::Shared),
        }
    }

    /// The folders for an account.
    ///
    /// # Errors
    ///
    /// If its name cannot be part of a path, or lacks a domain that the template needs.
    pub(crate) fn fill(&self, account: &str) -> Result<Vec<Part>, StoreError> {
        user::check(account)?;
        let folders = self.folders.iter();
        folders.map(|folder| filled(folder, account)).collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Text and fields of one folder's name.
fn pieces(folder: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = folder;
    while let Some((text, more)) = rest.split_once('{') {
        let (field, behind) = more.split_once('}').ok_or(TemplateError::Brace)?;
        if field.contains('{') {
            return Err(TemplateError::Brace);
        }
        let known = FIELDS.iter().find(|(name, _)| *name == field);
        let (_, field) = known.ok_or_else(|| TemplateError::Field(field.to_owned()))?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(Piece::Field(*field));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    let texts = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Field(_) => None,
    });
    for text in texts {
        if text.contains('}') {
            return Err(TemplateError::Brace);
        }
        if text.contains(char::is_control) {
            return Err(TemplateError::Folder(folder.to_owned()));
        }
    }
    match folder {
        "." | ".." => Err(TemplateError::Folder(folder.to_owned())),
        _ => Ok(pieces),
    }
}

/// Whether two accounts whose fields differ have different names here: with several fields in one name only
/// where an `@` is between them, which no domain holds.
fn tells_apart(folder: &[Piece]) -> bool {
    let is_field = |piece: &Piece| matches!(piece, Piece::Field(_));
    let mut fields = folder.iter().filter(|piece| is_field(piece));
    let Some(first) = fields.next() else {
        return false;
    };
    let others: Vec<_> = fields.collect();
    match others[..] {
        [] => true,
        [second] => {
            let between = folder.iter().skip_while(|piece| !is_field(piece)).nth(1);
            let parted = matches!(between, Some(Piece::Text(text)) if text == "@");
            let different = first != second;
            let whole = [first, second].contains(&&Piece::Field(Field::User));
            parted && different && !whole
        }
        _ => false,
    }
}

fn filled(folder: &[Piece], account: &str) -> Result<Part, StoreError> {
    let mut name = String::new();
    let mut any_case = false;
    for piece in folder {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Field(field) => {
                any_case = true;
                name.push_str(value(*field, account)?);
            }
        }
    }
    // the parts are safe, and so are they together with the administrator's text, except for the length
    if any_case {
        user::check_length(&name)?;
    }
    Ok(Part {
        name: Box::from(OsStr::new(&name)),
        any_case,
    })
}

fn value(field: Field, account: &str) -> Result<&str, StoreError> {
    let parts = account.rsplit_once('@');
    let value = match (field, parts) {
        (Field::User, _) => account,
        (Field::Local, Some((local, _))) => local,
        (Field::Domain, Some((_, domain))) => domain,
        (Field::Local | Field::Domain, None) => {
            return Err(StoreError::Permanent(format!(
                "the account {account:?} has no domain, and the folders of this store are named after one"
            )));
        }
    };
    user::check(value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn path(template: &str, account: &str) -> Result<String, StoreError> {
        let parts = Template::parse(template).unwrap().fill(account)?;
        let names: Vec<_> = parts
            .iter()
            .map(|part| part.name.to_string_lossy())
            .collect();
        Ok(names.join("/"))
    }

    #[test]
    fn w062_templates_name_user_local_part_and_domain() {
        for (template, account, expected) in [
            ("{user}", "tim", "tim"),
            (
                "{user}/Maildir",
                "tim@example.org",
                "tim@example.org/Maildir",
            ),
            (
                "{domain}/{local}/Maildir/",
                "tim@example.org",
                "example.org/tim/Maildir",
            ),
            ("{domain}.d/.mail-{local}", "a@b@c", "c.d/.mail-a@b"),
            ("{local}@{domain}", "tim@example.org", "tim@example.org"),
            ("x/{domain}@{local}", "tim@example.org", "x/example.org@tim"),
            ("{domain}/{local}-{domain}/{local}", "t@e", "e/t-e/t"),
        ] {
            assert_eq!(
                path(template, account).as_deref(),
                Ok(expected),
                "{template}"
            );
        }
    }

    #[test]
    fn w062_templates_that_make_no_sense_are_refused() {
        let refused = |text: &str| Template::parse(text).unwrap_err();
        for text in [
            "{usr}",
            "{}",
            "{user }",
            "{User}",
            "{0}",
            "{domain}/{lokal}",
            "{%u}",
        ] {
            let error = refused(text).to_string();
            let known = "write {user}, {local} or {domain}";
            assert!(
                error.contains("there is no field {") && error.contains(known),
                "{error}"
            );
        }
        for text in [
            "{user",
            "user}",
            "{{user}}",
            "{us{user}",
            "{user}}",
            "{user}/{",
        ] {
            assert_eq!(refused(text), TemplateError::Brace, "{text}");
        }
        for text in ["../{user}", "{user}/..", "./{user}", "{user}/a\0"] {
            assert!(matches!(refused(text), TemplateError::Folder(_)), "{text}");
        }
        for text in [
            "",
            "Maildir",
            "{local}",
            "{domain}/Maildir",
            "{local}{domain}",
            "{local}-{domain}",
            "{user}{local}",
            "{local}@{local}",
            "{domain}/{domain}@{domain}",
        ] {
            assert_eq!(refused(text), TemplateError::Shared, "{text}");
        }
    }

    #[test]
    fn w062_no_part_of_a_name_leads_elsewhere() {
        for account in [
            "",
            "tim",
            "@",
            "tim@",
            "@example.org",
            "..@example.org",
            "tim@..",
            ".tim@a",
            "tim@.a",
            "a/b@c",
            "a@b/c",
            "a\0@b",
            "a@b\n",
            "../x@y",
        ] {
            let found = path("{domain}/{local}", account);
            assert!(
                matches!(found, Err(StoreError::Permanent(_))),
                "{account:?}: {found:?}"
            );
        }
    }

    proptest! {
        /// Whatever the template says, each account has a folder of its own, below the root.
        #[test]
        fn w062_any_template_that_is_taken_tells_accounts_apart(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "{user}", "{local}", "{domain}", "@", "-", "/", "a", "b", ".", "..", "{", "}", "{x}",
                ]),
                0..8,
            ),
            accounts in proptest::collection::vec("[ab@.-]{1,6}", 2..8),
        ) {
            let Ok(template) = Template::parse(&parts.concat()) else {
                return Ok(());
            };
            let mut folders = HashMap::new();
            for account in accounts {
                let Ok(filled) = template.fill(&account) else {
                    continue;
                };
                let names: Vec<_> = filled.iter().map(|part| part.name.clone()).collect();
                for name in &names {
                    let name = name.to_string_lossy();
                    prop_assert!(!name.contains(['/', '\0']) && !matches!(&*name, "" | "." | ".."));
                }
                let other = folders.insert(names, account.clone());
                prop_assert!(other.is_none_or(|other| other == account));
            }
        }
    }
}
