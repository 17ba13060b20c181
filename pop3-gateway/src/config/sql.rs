//! `[[store]]` with `kind = "sql"`: tables of a database.
//!
//! Its address may hold a password, so that it never appears in an error or in the log.

use std::path::PathBuf;
use std::time::Duration;

use pop3_proto::secret::Secret;

use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem};

/// A store in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlStore {
    /// Where the database is; may hold the password.
    pub url: Secret,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// How many connections at once.
    pub connections: Option<u32>,
    /// How long a session waits for a connection.
    pub acquire_timeout: Option<Duration>,
    /// How long the database may take for one answer.
    pub statement_timeout: Option<Duration>,
    /// The most octets of a message that is read in one piece.
    pub max_message: Option<u64>,
    /// The administrator's own tables; without it, the tool's.
    pub queries: Option<SqlQueries>,
}

/// What to ask of the administrator's own tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlQueries {
    /// The messages of `:user`: `id`, and `size` and `unique_id` where the table has them.
    pub list: String,
    /// The message `:id`: `body`, what the template names, and `is_plaintext` where the table has it.
    pub body: String,
    /// A part of it.
    pub body_piece: Option<String>,
    /// Deletes it.
    pub delete: Vec<String>,
    /// The credential of `:user`.
    pub account: Option<String>,
    /// Whether `account` gives every account's secret as it is, so that APOP and CRAM-MD5 work for all.
    pub stored_secrets: bool,
    /// Makes a message of a plain text.
    pub template: Option<SqlTemplate>,
}

/// A message around a plain text. What is not said is up to the store; values may name columns in braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlTemplate {
    /// From.
    pub from: Option<String>,
    /// To.
    pub to: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// The column with the date.
    pub date: Option<String>,
    /// What stands after the `@` of the Message-ID.
    pub message_id_domain: Option<String>,
    /// The media type of the text.
    pub content_type: Option<String>,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
}

impl SqlStore {
    pub(super) fn read(table: &mut Table<'_>, has_accounts: bool) -> Result<Self, Fault> {
        let url: Option<String> = table.get("url")?;
        let mut store = Self {
            url: Secret::default(),
            password_file: table.get("password_file")?,
            connections: table.get("connections")?,
            acquire_timeout: table.get("acquire_timeout")?,
            statement_timeout: table.get("statement_timeout")?,
            max_message: table.get("max_message")?,
            queries: table.table("queries")?.map(SqlQueries::read).transpose()?,
        };
        let template = table
            .table("template")?
            .map(SqlTemplate::read)
            .transpose()?;
        table.finish()?;
        let Some(url) = url else {
            let remedy = "write for example url = \"sqlite:///var/lib/mail/mail.db\"";
            return Err(table.fault(Problem::new("url", "the database is missing", remedy)));
        };
        store.url = Secret::from(url.as_bytes());
        if store.connections == Some(0) {
            let problem = Problem::new(
                "connections",
                "no session could be served",
                "write at least 1",
            );
            return Err(table.fault(problem));
        }
        match (&mut store.queries, template) {
            (Some(queries), template) => queries.template = template,
            (None, None) => {}
            (None, Some(_)) => {
                let what = "the tool's own tables hold messages, not texts";
                let problem =
                    Problem::new("template", what, "add [store.queries], or leave it out");
                return Err(table.fault(problem));
            }
        }
        let asks = |queries: &SqlQueries| queries.account.is_some();
        match (&store.queries, has_accounts) {
            (Some(queries), true) if asks(queries) => {
                let what = "there are accounts in a file and in the database";
                let problem = Problem::new("accounts", what, "keep accounts or queries.account");
                Err(table.fault(problem))
            }
            (Some(queries), false) if !asks(queries) => {
                let remedy = "write accounts = \"FILE\", or queries.account = \"select ...\"";
                let problem = Problem::new("queries", "no login is possible", remedy);
                Err(table.fault(problem))
            }
            _ => Ok(store),
        }
    }
}

impl SqlQueries {
    fn read(mut table: Table<'_>) -> Result<Self, Fault> {
        let (list, body): (Option<String>, Option<String>) =
            (table.get("list")?, table.get("body")?);
        let queries = Self {
            list: list.unwrap_or_default(),
            body: body.unwrap_or_default(),
            body_piece: table.get("body_piece")?,
            delete: table.get("delete")?.unwrap_or_default(),
            account: table.get("account")?,
            stored_secrets: table.get("stored_secrets")?.unwrap_or_default(),
            template: None,
        };
        table.finish()?;
        if queries.stored_secrets && queries.account.is_none() {
            let what =
                "it is about the secrets that queries.account gives, and there is no such query";
            let remedy = "leave it out; of a file of accounts this is known";
            return Err(table.fault(Problem::new("stored_secrets", what, remedy)));
        }
        for (key, query, example) in [
            (
                "list",
                &queries.list,
                "select id, octet_length(mail) as size from mails where login = :user order by id",
            ),
            (
                "body",
                &queries.body,
                "select mail as body from mails where login = :user and id = :id",
            ),
        ] {
            if query.trim().is_empty() {
                let remedy = format!("write for example {key} = {example:?}");
                return Err(table.fault(Problem::new(key, "the query is missing", remedy)));
            }
        }
        Ok(queries)
    }
}

impl SqlTemplate {
    fn read(mut table: Table<'_>) -> Result<Self, Fault> {
        let mut template = Self {
            from: table.get("from")?,
            to: table.get("to")?,
            subject: table.get("subject")?,
            date: table.get("date")?,
            message_id_domain: table.get("message_id_domain")?,
            content_type: table.get("content_type")?,
            headers: Vec::new(),
        };
        for entry in table.entries("headers")? {
            template.headers.push((entry.name.into(), entry.get()?));
        }
        table.finish()?;
        Ok(template)
    }
}
