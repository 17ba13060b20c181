//! What is asked of the administrator's own tables: his queries, translated and checked.

use crate::config::Queries;
use crate::database::{Cell, Column, Dialect, Kind, Lease, Value};
use crate::error::SqlError;
use crate::statement::Statement;
use crate::template::Renderer;

/// The administrator's queries, ready for use.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) list: Statement,
    /// None: the message is read in pieces alone.
    pub(crate) body: Option<Statement>,
    pub(crate) piece: Option<Statement>,
    pub(crate) delete: Vec<Statement>,
    pub(crate) renderer: Option<Renderer>,
}

/// What a message is called in the administrator's tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    Int(i64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

impl Id {
    pub(crate) fn new(cell: Cell) -> Result<Self, String> {
        match cell {
            Cell::Int(number) => Ok(Self::Int(number)),
            Cell::Text(text) => Ok(Self::Text(text.into())),
            Cell::Bytes(bytes) => Ok(Self::Bytes(bytes.into())),
            Cell::Null => Err("queries.list: an `id` is NULL".into()),
            Cell::Moment(_) => Err("queries.list: an `id` is a date".into()),
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }

    /// Its name, of which a unique-id is made.
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
    pub(crate) fn new(dialect: Dialect, queries: &Queries) -> Result<Self, SqlError> {
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
        let renderer = queries.template.as_ref().map(Renderer::new).transpose()?;
        match (&body, &piece, &renderer) {
            (None, None, _) => Err(SqlError::config("queries.body", "there is none")),
            (_, Some(_), Some(_)) => Err(SqlError::config(
                "queries.body_piece",
                "a message made by a template is made as a whole: leave body_piece out",
            )),
            _ => Ok(Self {
                list,
                body,
                piece,
                delete,
                renderer,
            }),
        }
    }

    /// Shows every query to the database, and looks at what it would return.
    pub(crate) async fn check(&self, lease: &mut Lease) -> Result<(), SqlError> {
        let user = ("user", Value::Text(""));
        let list = described(lease, "queries.list", &self.list, &[user]).await?;
        let id = wanted("queries.list", &list, "id")?;
        if id.kind == Kind::Moment {
            return Err(unreadable("queries.list", id));
        }
        let id = match id.kind {
            Kind::Int => Value::Int(0),
            Kind::Bytes => Value::Bytes(&[]),
            Kind::Text | Kind::Any | Kind::Moment | Kind::Other => Value::Text(""),
        };
        for name in ["size", "unique_id", "body"] {
            if list.iter().any(|column| column.name == name) {
                wanted("queries.list", &list, name)?;
            }
        }
        let values = [
            user,
            ("id", id),
            ("from", Value::Small(1)),
            ("for", Value::Small(1)),
        ];
        if let Some(body) = &self.body {
            let columns = described(lease, "queries.body", body, &values).await?;
            wanted("queries.body", &columns, "body")?;
            for name in self.renderer.iter().flat_map(Renderer::columns) {
                wanted("queries.body", &columns, name)?;
            }
        }
        if let Some(piece) = &self.piece {
            let columns = described(lease, "queries.body_piece", piece, &values).await?;
            wanted("queries.body_piece", &columns, "body")?;
        }
        for delete in &self.delete {
            described(lease, "queries.delete", delete, &values).await?;
        }
        Ok(())
    }
}

/// The administrator's query for passwords.
pub(crate) fn password_query(dialect: Dialect, text: &str) -> Result<Statement, SqlError> {
    query(dialect, LOGINS, text, &["user"], &[])
}

pub(crate) async fn check_password_query(
    lease: &mut Lease,
    statement: &Statement,
) -> Result<(), SqlError> {
    let columns = described(lease, LOGINS, statement, &[("user", Value::Text(""))]).await?;
    wanted(LOGINS, &columns, "password").map(drop)
}

const LOGINS: &str = "queries.account";

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
        let problem = format!("it does not use :{missing}, and so does not say which one");
        return Err(SqlError::config(key, problem));
    }
    let known = |name: &str| needed.contains(&name) || allowed.contains(&name);
    if let Some(name) = statement.names().find(|name| !known(name)) {
        let names = [needed, allowed].concat();
        let problem = format!(
            "there is no parameter :{name} here, only :{}; a colon that is none has a space behind it",
            names.join(", :")
        );
        return Err(SqlError::config(key, problem));
    }
    Ok(statement)
}

/// What the database thinks of a query. That it cannot answer now is not the query's fault.
async fn described(
    lease: &mut Lease,
    key: &str,
    statement: &Statement,
    values: &[(&str, Value<'_>)],
) -> Result<Vec<Column>, SqlError> {
    let columns = lease.columns(statement, values).await;
    columns.map_err(|error| {
        if matches!(error, SqlError::Unavailable(_)) {
            return error;
        }
        SqlError::config(key, error.to_string())
    })
}

fn wanted<'a>(key: &str, columns: &'a [Column], name: &str) -> Result<&'a Column, SqlError> {
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let problem = format!(
            "it returns no column `{name}`, only `{}`: name one with `as {name}`",
            names.join("`, `")
        );
        return Err(SqlError::config(key, problem));
    };
    if column.kind == Kind::Other {
        return Err(unreadable(key, column));
    }
    Ok(column)
}

fn unreadable(key: &str, column: &Column) -> SqlError {
    let (name, type_name) = (&column.name, &column.type_name);
    let problem = format!(
        "the column `{name}` has the type {type_name}, which cannot be used: cast it to text or bigint"
    );
    SqlError::config(key, problem)
}

/// Where a number is wanted.
pub(crate) fn number(cell: Cell) -> Option<u64> {
    match cell {
        Cell::Int(number) => u64::try_from(number).ok(),
        Cell::Text(text) => text.trim().parse().ok(),
        Cell::Null | Cell::Bytes(_) | Cell::Moment(_) => None,
    }
}
