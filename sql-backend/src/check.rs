//! The administrator's queries, shown to the database: what is wrong with them, and warnings about them.

use crate::advice;
use crate::database::Database;
use crate::dialect::Dialect;
use crate::error::SqlError;
use crate::queries::{Custom, LIMITS, LOGINS, PLAINTEXT};
use crate::statement::Statement;
use crate::value::{Column, Kind, Value};

impl Custom {
    /// Shows every query to the database, and looks at what it would return. Returns warnings for the
    /// operator.
    pub(crate) async fn check(&self, database: &Database) -> Result<Vec<String>, SqlError> {
        let user = ("user", Value::Text(""));
        let list = described(database, "queries.list", &self.list, &[user]).await?;
        let id = wanted("queries.list", &list, "id")?;
        if id.kind == Kind::Moment {
            return Err(unreadable("queries.list", id));
        }
        let id = match id.kind {
            Kind::Int => Value::Int(0),
            Kind::Bytes => Value::Bytes(&[]),
            Kind::Text | Kind::Any | Kind::Moment | Kind::Other => Value::Text(""),
        };
        for name in ["size", "unique_id", "body", PLAINTEXT] {
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
            let columns = described(database, "queries.body", body, &values).await?;
            wanted("queries.body", &columns, "body")?;
            let has = |columns: &[Column], name: &str| columns.iter().any(|c| c.name == name);
            if self.template {
                self.check_template(&columns)?;
            } else if has(&columns, PLAINTEXT) && has(&list, "size") && !has(&list, PLAINTEXT) {
                let problem = "`size` is that of a text where `is_plaintext` says so, not of the message \
                               that is made of it: leave it out, or return `is_plaintext` here too";
                return Err(SqlError::config("queries.list", problem));
            }
        }
        if let Some(piece) = &self.piece {
            let columns = described(database, "queries.body_piece", piece, &values).await?;
            wanted("queries.body_piece", &columns, "body")?;
            let says = |columns: &[Column]| columns.iter().any(|column| column.name == PLAINTEXT);
            if says(&columns) || says(&list) {
                let problem =
                    "a text (`is_plaintext`) is made a message as a whole: leave body_piece out";
                return Err(SqlError::config("queries.body_piece", problem));
            }
        }
        for delete in &self.delete {
            described(database, "queries.delete", delete, &values).await?;
        }
        self.check_texts(database, &values).await?;
        advice::on_ids(database, &list).await
    }

    /// Every column that the template needs.
    fn check_template(&self, columns: &[Column]) -> Result<(), SqlError> {
        let known = |name: &str| columns.iter().any(|column| column.name == name);
        let mut missing: Vec<_> = self.wrapper.fields().map(|(of, name)| (name, of)).collect();
        for (name, _) in &missing {
            if known(name) {
                wanted("queries.body", columns, name)?;
            }
        }
        missing.retain(|(name, _)| !known(name));
        missing.sort_unstable();
        let Some((first, _)) = missing.first() else {
            return Ok(());
        };
        let each: Vec<String> = missing
            .iter()
            .map(|(name, of)| format!("`{name}` (for template.{of})"))
            .collect();
        let problem = format!(
            "it returns no column {}, only {}: name one with `as {first}`, or correct the template",
            each.join(", "),
            names(columns)
        );
        Err(SqlError::config("queries.body", problem))
    }

    /// A mail is octets. A text that the database converts is refused, unless a template labels it.
    async fn check_texts(
        &self,
        database: &Database,
        values: &[(&str, Value<'_>)],
    ) -> Result<(), SqlError> {
        let dialect = database.dialect();
        let queries = [
            (
                "queries.body",
                self.body.as_ref().filter(|_| self.piece.is_none()),
            ),
            ("queries.body_piece", self.piece.as_ref()),
        ];
        for (key, query) in queries {
            let Some(query) = query else { continue };
            let columns = described(database, key, query, values).await?;
            let texts = |column: &&Column| column.name == "body" && column.kind == Kind::Text;
            if self.template || !columns.iter().any(|column| texts(&column)) {
                continue;
            }
            if let Some(encoding) = advice::converted(database, query, values).await? {
                let remedy = match dialect {
                    Dialect::MySql => "cast(... as binary) as body",
                    Dialect::Postgres => {
                        "convert_to(..., getdatabaseencoding()) as body; for parts, substring() of that"
                    }
                    Dialect::Sqlite => "cast(... as blob) as body",
                };
                let problem = format!(
                    "`body` is a text in {encoding}, which the database converts to UTF-8: what is not \
                     ASCII in a mail would arrive changed. Ask for its octets: {remedy}. Plain texts, which \
                     are no mails yet, want [store.template] instead"
                );
                return Err(SqlError::config(key, problem));
            }
        }
        Ok(())
    }
}

pub(crate) async fn password_query(
    database: &Database,
    statement: &Statement,
) -> Result<(), SqlError> {
    let columns = described(database, LOGINS, statement, &[("user", Value::Text(""))]).await?;
    wanted(LOGINS, &columns, "password")?;
    let limits = |column: &&Column| LIMITS.contains(&column.name.as_str());
    if let Some(Column { name, .. }) = columns.iter().find(limits) {
        let problem = format!(
            "the column `{name}` is meant to limit accounts, which is not supported: leave it out, and accounts \
             that nobody may log in to with it, or return `nologin` for them"
        );
        return Err(SqlError::config(LOGINS, problem));
    }
    Ok(())
}

/// The database's verdict on a query. If it cannot answer now, that is not the query's fault.
async fn described(
    database: &Database,
    key: &str,
    statement: &Statement,
    values: &[(&str, Value<'_>)],
) -> Result<Vec<Column>, SqlError> {
    let mut lease = database.lease().await?;
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
        let problem = format!(
            "it returns no column `{name}`, only {}: name one with `as {name}`",
            names(columns)
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

fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    format!("`{}`", names.join("`, `"))
}
