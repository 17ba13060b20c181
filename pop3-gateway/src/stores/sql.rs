//! Tables of a database: from the configuration to the store.

use std::fs;
use std::future::Future;
use std::sync::Arc;

use crate::config::{self, SqlQueries, SqlTemplate};
use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::store::Accounts;
use pop3_proto::secret::Secret;
use sql_backend::{
    Config, DatabaseUrl, Logins, Maildrops, Queries, SqlError, SqlStore, StoredSecrets, Template,
};

use super::{MakeBackend, Nobody, Problem, Secrets, Served};

/// Connects to nothing, unless `digests` are wanted: the tool's own tables are asked then, in a thread of its own,
/// whether all accounts can do them. One that does not answer is asked again at a login.
pub(crate) fn backend(
    own: &config::Store,
    sql: &config::SqlStore,
    accounts: Option<Arc<dyn Accounts>>,
    digests: bool,
) -> Result<(MakeBackend, Secrets), Problem> {
    let stored = match &sql.queries {
        Some(queries) if queries.stored_secrets => StoredSecrets::All,
        None if digests && accounts.is_none() => {
            let asked = std::thread::scope(|scope| {
                let question = async |store: &SqlStore| store.ask_stored_secrets().await;
                scope.spawn(move || ask(own, sql, question)).join()
            });
            match asked {
                Ok(answer) => answer?.unwrap_or(StoredSecrets::Unknown),
                Err(_) => StoredSecrets::Unknown,
            }
        }
        Some(_) | None => StoredSecrets::NotAll,
    };
    let store = store(&own.name, sql, accounts, stored)?;
    let secrets = match &sql.queries {
        Some(_) => Secrets::Queried(store.clone()),
        None => Secrets::Own(store.clone()),
    };
    let store = Arc::new(store);
    let backend = move || Served::new(Awaiting::new(Arc::clone(&store)));
    Ok((Box::new(backend), secrets))
}

/// Asks the database. Gives back what the operator should know.
pub(crate) fn verify(own: &config::Store, sql: &config::SqlStore) -> Result<Vec<String>, Problem> {
    ask(own, sql, async |store: &SqlStore| store.check().await)?
        .map_err(|error| format!("{error}{}", remedy(sql, &error)).into())
}

/// Asks the database something, where no server runs. `Err` is the configuration's, and `Ok(Err)` the
/// database's.
pub(crate) fn ask<T>(
    own: &config::Store,
    sql: &config::SqlStore,
    question: impl AsyncFnOnce(&SqlStore) -> Result<T, SqlError>,
) -> Result<Result<T, SqlError>, Problem> {
    let elsewhere = own.accounts.as_ref();
    let accounts = elsewhere.map(|_| Arc::new(Nobody) as Arc<dyn Accounts>);
    let store = store(&own.name, sql, accounts, StoredSecrets::NotAll)?;
    block_on(async {
        let answer = question(&store).await;
        store.close().await;
        Ok(answer)
    })
}

/// What to do about tables that are not there.
fn remedy(sql: &config::SqlStore, error: &SqlError) -> &'static str {
    match (error, &sql.queries) {
        (SqlError::Schema(_), None) => {
            "; \"pop3-gateway store migrate --config FILE\" makes the tables"
        }
        _ => "",
    }
}

fn store(
    name: &str,
    sql: &config::SqlStore,
    accounts: Option<Arc<dyn Accounts>>,
    stored_secrets: StoredSecrets,
) -> Result<SqlStore, Problem> {
    // made of a text
    let url = str::from_utf8(sql.url.expose()).unwrap_or_default();
    let mut database = DatabaseUrl::new(url);
    if let Some(file) = &sql.password_file {
        let text =
            fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let line = text.lines().next().unwrap_or_default();
        database = database.with_password(Secret::from(line.as_bytes()));
    }
    let mut config = Config::new(database);
    config.name = name.to_owned();
    config.stored_secrets = stored_secrets;
    if let Some(connections) = sql.connections {
        config.pool.max_connections = connections;
    }
    if let Some(timeout) = sql.acquire_timeout {
        config.pool.acquire_timeout = timeout;
    }
    if let Some(timeout) = sql.statement_timeout {
        config.pool.statement_timeout = timeout;
    }
    if let Some(octets) = sql.max_message {
        config.max_message = octets;
    }
    if let Some(own) = &sql.queries {
        config.maildrops = Maildrops::Queries(Box::new(queries(own)));
        if let Some(query) = &own.account {
            config.logins = Logins::Query(query.clone());
        }
    }
    if let Some(accounts) = accounts {
        config.logins = Logins::Accounts(accounts);
    }
    Ok(SqlStore::connect(config)?)
}

fn queries(own: &SqlQueries) -> Queries {
    Queries {
        list: own.list.clone(),
        body: own.body.clone(),
        body_piece: own.body_piece.clone(),
        delete: own.delete.clone(),
        template: own.template.as_ref().map(template),
    }
}

fn template(own: &SqlTemplate) -> Template {
    let mut template = Template {
        to: own.to.clone(),
        date: own.date.clone(),
        headers: own.headers.clone(),
        ..Template::default()
    };
    for (said, place) in [
        (&own.from, &mut template.from),
        (&own.subject, &mut template.subject),
        (&own.message_id_domain, &mut template.message_id_domain),
        (&own.content_type, &mut template.content_type),
    ] {
        if let Some(text) = said {
            place.clone_from(text);
        }
    }
    template
}

#[cfg(feature = "tokio")]
fn block_on<T>(future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(future)
}

#[cfg(not(feature = "tokio"))]
fn block_on<T>(future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    futures_lite::future::block_on(future)
}
