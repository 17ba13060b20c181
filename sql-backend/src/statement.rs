//! SQL with named parameters, and its translation to what a database takes.
//!
//! A statement is written with `:name` wherever a value goes, for all three databases alike. It comes from
//! this crate or from the operator's configuration, never from a client or a table. That is why
//! [`Statement::sql`] may vouch for it, and only that place does. Values are always bound.
//!
//! The scanner knows just enough of SQL to tell a parameter from a colon in a string, a quoted identifier, a
//! comment or a cast. If it were wrong, the database would complain about the text; a value would still
//! never become part of it.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::dialect::Dialect;

/// A statement in a database's own dialect.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    sql: Arc<str>,
    /// The parameters in the order in which they are bound.
    names: Vec<String>,
}

impl Statement {
    /// Translates `text`; `Err` says what is wrong with it.
    pub(crate) fn new(dialect: Dialect, text: &str) -> Result<Self, String> {
        let mut scanner = Scanner {
            dialect,
            text: text.as_bytes(),
            at: 0,
            sql: Vec::with_capacity(text.len() + 16),
            names: Vec::new(),
        };
        scanner.run()?;
        if scanner.sql.iter().all(u8::is_ascii_whitespace) {
            return Err("there is no statement in it".into());
        }
        // whole characters were copied, and ASCII put between them
        let sql = String::from_utf8(scanner.sql).map_err(|error| error.to_string())?;
        Ok(Self {
            sql: sql.into(),
            names: scanner.names,
        })
    }

    /// The text, for the driver. Only here is text that is not a constant declared safe: the module's
    /// documentation says where it comes from.
    pub(crate) fn sql(&self) -> SqlStr {
        AssertSqlSafe(Arc::clone(&self.sql)).into_sql_str()
    }

    /// This statement as a part of another one with the same parameters.
    pub(crate) fn within(&self, before: &str, after: &str) -> Self {
        // a comment may end it
        Self {
            sql: format!("{before}{}\n{after}", self.sql).into(),
            names: self.names.clone(),
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub(crate) fn uses(&self, name: &str) -> bool {
        self.names().any(|used| used == name)
    }
}

struct Scanner<'a> {
    dialect: Dialect,
    text: &'a [u8],
    at: usize,
    sql: Vec<u8>,
    names: Vec<String>,
}

impl Scanner<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(octet) = self.peek(0) {
            match octet {
                b'\'' | b'"' => self.quoted(octet)?,
                b'`' if self.dialect != Dialect::Postgres => self.quoted(octet)?,
                b'[' if self.dialect == Dialect::Sqlite => self.quoted(b']')?,
                b'-' if self.is_dash_comment() => self.line_comment(),
                b'#' if self.dialect == Dialect::MySql => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment()?,
                b'$' if self.dialect == Dialect::Postgres && !self.follows_word() => {
                    self.dollar()?
                }
                b':' => self.colon(),
                b';' => return self.last_semicolon(),
                b'?' if self.dialect != Dialect::Postgres => return Err(foreign("?")),
                b'@' | b'$' if self.dialect == Dialect::Sqlite && !self.follows_word() => {
                    return Err(foreign(char::from(octet).encode_utf8(&mut [0; 4])));
                }
                _ => self.copy(1),
            }
        }
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn copy(&mut self, octets: usize) {
        let end = (self.at + octets).min(self.text.len());
        self.sql.extend_from_slice(&self.text[self.at..end]);
        self.at = end;
    }

    /// Whether an identifier or a number goes on here.
    fn follows_word(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.text.get(at));
        before.is_some_and(|&octet| is_word(octet) || octet == b'$')
    }

    /// A string or a quoted identifier, up to `close`; a doubled one does not end it.
    fn quoted(&mut self, close: u8) -> Result<(), String> {
        let backslash = match self.dialect {
            Dialect::MySql => close != b'`',
            Dialect::Postgres => close == b'\'' && self.is_escape_string(),
            Dialect::Sqlite => false,
        };
        self.copy(1);
        loop {
            match self.peek(0) {
                None => return Err(format!("a quote {} is not closed", char::from(close))),
                Some(b'\\') if backslash => self.copy(2),
                Some(octet) if octet == close => {
                    let doubled = close != b']' && self.peek(1) == Some(close);
                    self.copy(if doubled { 2 } else { 1 });
                    if !doubled {
                        return Ok(());
                    }
                }
                Some(_) => self.copy(1),
            }
        }
    }

    /// PostgreSQL's `E'...'`.
    fn is_escape_string(&self) -> bool {
        let Some(before) = self.at.checked_sub(1) else {
            return false;
        };
        let starts_word = before
            .checked_sub(1)
            .is_none_or(|at| !is_word(self.text[at]));
        matches!(self.text[before], b'e' | b'E') && starts_word
    }

    fn is_dash_comment(&self) -> bool {
        // to MySQL, 5--1 is a sum
        let free = self.dialect != Dialect::MySql
            || self
                .peek(2)
                .is_none_or(|octet| octet.is_ascii_whitespace() || octet.is_ascii_control());
        self.peek(1) == Some(b'-') && free
    }

    fn line_comment(&mut self) {
        let rest = &self.text[self.at..];
        let line = rest.iter().position(|&octet| octet == b'\n');
        self.copy(line.unwrap_or(rest.len()));
    }

    fn block_comment(&mut self) -> Result<(), String> {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) if depth == 0 || self.dialect == Dialect::Postgres => {
                    depth += 1;
                    self.copy(2);
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.copy(2);
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (Some(_), _) => self.copy(1),
                (None, _) => return Err("a comment /* is not closed".into()),
            }
        }
    }

    /// PostgreSQL's `$tag$ ... $tag$`, or a foreign placeholder.
    fn dollar(&mut self) -> Result<(), String> {
        let rest = &self.text[self.at + 1..];
        let tag = rest.iter().take_while(|&&octet| is_word(octet)).count();
        if rest.first().is_some_and(u8::is_ascii_digit) {
            return Err(foreign("$1"));
        }
        if rest.get(tag) != Some(&b'$') {
            self.copy(1);
            return Ok(());
        }
        let quote = &self.text[self.at..self.at + tag + 2];
        let body = &self.text[self.at + quote.len()..];
        let Some(end) = body.windows(quote.len()).position(|part| part == quote) else {
            return Err("a dollar quote is not closed".into());
        };
        self.copy(end + 2 * quote.len());
        Ok(())
    }

    /// A parameter, a cast `::`, an assignment `:=`, or just a colon.
    fn colon(&mut self) {
        if self.peek(1) == Some(b':') {
            return self.copy(2);
        }
        let rest = &self.text[self.at + 1..];
        let length = rest.iter().take_while(|&&octet| is_word(octet)).count();
        let starts = |octet: &u8| octet.is_ascii_alphabetic() || *octet == b'_';
        let Some(name) = rest
            .get(..length)
            .filter(|name| name.first().is_some_and(starts))
        else {
            return self.copy(1);
        };
        let name = String::from_utf8_lossy(name).into_owned();
        self.at += 1 + length;
        let placeholder = self.placeholder(name);
        self.sql.extend_from_slice(placeholder.as_bytes());
    }

    fn placeholder(&mut self, name: String) -> String {
        let sign = match self.dialect {
            Dialect::MySql => {
                self.names.push(name);
                return "?".into();
            }
            Dialect::Postgres => '$',
            Dialect::Sqlite => '?',
        };
        let known = self.names.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        format!("{sign}{}", at + 1)
    }

    /// Only comments may follow it.
    fn last_semicolon(&mut self) -> Result<(), String> {
        self.at += 1;
        while let Some(octet) = self.peek(0) {
            match octet {
                b'-' if self.is_dash_comment() => self.line_comment(),
                b'#' if self.dialect == Dialect::MySql => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment()?,
                octet if octet.is_ascii_whitespace() => self.copy(1),
                _ => return Err("there must be one statement only; `delete` takes a list".into()),
            }
        }
        Ok(())
    }
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_' || octet >= 0x80
}

fn foreign(sign: &str) -> String {
    format!("{sign} is not a parameter here: parameters have names, like :user")
}

#[cfg(test)]
mod tests;
