//! The administrator's queries on their own tables, translated.

use pop3_proto::unique_id;

use crate::config::Queries;
use crate::dialect::Dialect;
use crate::error::SqlError;
use crate::statement::Statement;
use crate::template::{Renderer, Template};
use crate::value::{Cell, Value};

/// The administrator's queries, ready for use.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) list: Statement,
    /// `None`: the message is only read in pieces.
    pub(crate) body: Option<Statement>,
    pub(crate) piece: Option<Statement>,
    pub(crate) delete: Vec<Statement>,
    /// Makes a message of a plain text: the template, or a default if there is none.
    pub(crate) wrapper: Renderer,
    /// Whether rows are plain texts, unless a row itself says otherwise.
    pub(crate) template: bool,
    /// The store's name.
    store: String,
}

/// The column that says whether a row is a plain text or a whole message, as in POP3SF's tables.
pub(crate) const PLAINTEXT: &str = "is_plaintext";

/// The id of a message in the administrator's tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    Int(i64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

impl Id {
    /// `None`: no row can be asked for by this value.
    pub(crate) fn new(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Int(number) => Some(Self::Int(number)),
            Cell::Text(text) => Some(Self::Text(text.into())),
            Cell::Bytes(bytes) => Some(Self::Bytes(bytes.into())),
            Cell::Null | Cell::Moment(_) | Cell::Unreadable(_) => None,
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }

    /// Its name, from which a unique-id is made.
    pub(crate) fn name(&self) -> Vec<u8> {
        match self {
            Self::Int(number) => number.to_string().into_bytes(),
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes(bytes) => bytes.to_vec(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.name()).into_owned()
    }
}

impl Custom {
    pub(crate) fn new(dialect: Dialect, queries: &Queries, store: &str) -> Result<Self, SqlError> {
        let list = query(dialect, "queries.list", &queries.list, &[], &["user"])?;
        let body = (!queries.body.trim().is_empty())
            .then(|| query(dialect, "queries.body", &queries.body, &["id"], &["user"]))
            .transpose()?;
        let piece = queries.body_piece.as_ref().map(|text| {
            let needs = ["id", "from", "for"];
            query(dialect, "queries.body_piece", text, &needs, &["user"])
        });
        let piece = piece.transpose()?;
        let delete = queries.delete.iter();
        let delete = delete.map(|text| query(dialect, "queries.delete", text, &["id"], &["user"]));
        let delete = delete.collect::<Result<_, _>>()?;
        let template = queries.template.is_some();
        let wrapper = match &queries.template {
            Some(template) => Renderer::new(template)?,
            None => Renderer::new(&Template::default())?,
        };
        match (&body, &piece) {
            (None, None) => Err(SqlError::config("queries.body", "there is none")),
            (_, Some(_)) if template => Err(SqlError::config(
                "queries.body_piece",
                "a template makes a message as a whole: leave body_piece out",
            )),
            _ => Ok(Self {
                list,
                body,
                piece,
                delete,
                wrapper,
                template,
                store: store.to_owned(),
            }),
        }
    }

    /// The globally unique name of a message: two stores, or two users with numbers of their own, never
    /// give two messages the same name.
    pub(crate) fn message_id(&self, id: &Id, user: &str) -> Vec<String> {
        let mut parts = vec![unique_id::from_name(&id.name())];
        if self.list.uses("user") {
            parts.push(unique_id::from_name(user.as_bytes()));
        }
        if !self.store.is_empty() {
            parts.push(unique_id::from_name(self.store.as_bytes()));
        }
        parts
    }
}

/// The administrator's query for passwords.
pub(crate) fn password_query(dialect: Dialect, text: &str) -> Result<Statement, SqlError> {
    query(dialect, LOGINS, text, &["user"], &[])
}

/// Columns by which Dovecot's query for passwords limits an account, and which no login here looks at.
pub(crate) const LIMITS: [&str; 3] = ["allow_nets", "allow_real_nets", "fail"];

/// The setting of that query.
pub(crate) const LOGINS: &str = "queries.account";

fn query(
    dialect: Dialect,
    key: &str,
    text: &str,
    needed: &[&str],
    allowed: &[&str],
) -> Result<Statement, SqlError> {
    let statement =
        Statement::new(dialect, text).map_err(|problem| SqlError::config(key, problem))?;
    if let Some(missing) = needed.iter().find(|name| !statement.uses(name)) {
        let problem = format!("it does not use :{missing}, so it does not say which one");
        return Err(SqlError::config(key, problem));
    }
    let known = |name: &str| needed.contains(&name) || allowed.contains(&name);
    if let Some(name) = statement.names().find(|name| !known(name)) {
        let names = [needed, allowed].concat();
        let problem = format!(
            "there is no parameter :{name} here, only :{}; put a space after any other colon",
            names.join(", :")
        );
        return Err(SqlError::config(key, problem));
    }
    Ok(statement)
}

/// For a place that takes a number.
pub(crate) fn number(cell: Cell) -> Option<u64> {
    match cell {
        Cell::Int(number) => u64::try_from(number).ok(),
        Cell::Text(text) => text.trim().parse().ok(),
        Cell::Null | Cell::Bytes(_) | Cell::Moment(_) | Cell::Unreadable(_) => None,
    }
}
