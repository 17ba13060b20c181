//! Warnings about the operator's own tables, as far as the database knows: whether ids may be reused,
//! whether deletions can be rolled back, and texts that the database would convert.
//!
//! Asks the catalogue, and only while a configuration is checked. It is no mistake if the catalogue has
//! no answer.

use crate::database::Database;
use crate::dialect::Dialect;
use crate::error::SqlError;
use crate::statement::Statement;
use crate::value::{Cell, Column, Value};

/// Where a column's values come from.
enum Numbering {
    /// No value is given twice: a UUID, or SQLite's AUTOINCREMENT.
    Once,
    /// The database counts; this makes it count from an old number again.
    Counted(String),
    /// The program that fills the table chooses them. Whether the database keeps them unique.
    Chosen { unique: bool },
    /// It is an expression, or a column of a view.
    Unknown,
}

const CONSEQUENCE: &str = "clients that leave mail on the server take a new message with an old id for one \
    that they have, and never fetch it";
const REMEDY: &str = "have queries.list return a column `unique_id` whose values never come again, such as a \
    UUID, or the id together with the time at which the row was made";

/// The warning about the ids of a list.
pub(crate) async fn on_ids(database: &Database, list: &[Column]) -> Result<Vec<String>, SqlError> {
    let named = |name: &str| list.iter().find(|column| column.name == name);
    let mut advice = Vec::new();
    let Some(id) = named("id") else {
        return Ok(advice);
    };
    let (column, own) = match named("unique_id") {
        Some(unique_id) => (unique_id, true),
        None => (id, false),
    };
    let name = &column.name;
    let numbering = match &column.origin {
        Some((table, column)) => numbering(database, table, column).await?,
        None => Numbering::Unknown,
    };
    match numbering {
        Numbering::Once => {}
        Numbering::Counted(when) => advice.push(format!(
            "queries.list: the database counts `{name}`, and {when}. {CONSEQUENCE}. {REMEDY}"
        )),
        Numbering::Chosen { unique: false } => advice.push(format!(
            "queries.list: nothing in the database keeps `{name}` from being the same in two rows, or from \
             coming again. {CONSEQUENCE}. {REMEDY}"
        )),
        // the column was named for that purpose
        Numbering::Chosen { unique: true } | Numbering::Unknown if own => {}
        Numbering::Chosen { unique: true } => advice.push(format!(
            "queries.list: `{name}` is chosen by the program that fills the table; if it ever gives one \
             again, {CONSEQUENCE}. {REMEDY}"
        )),
        Numbering::Unknown => advice.push(format!(
            "queries.list: where `{name}` comes from cannot be seen; if a value ever comes again, \
             {CONSEQUENCE}. {REMEDY}"
        )),
    }
    if let (Dialect::MySql, Some((table, _))) = (database.dialect(), &id.origin) {
        advice.extend(on_engine(database, table).await?);
    }
    Ok(advice)
}

async fn numbering(database: &Database, table: &str, column: &str) -> Result<Numbering, SqlError> {
    match database.dialect() {
        Dialect::Sqlite => sqlite(database, table, column).await,
        Dialect::MySql => mysql(database, table, column).await,
        Dialect::Postgres => postgres(database, table, column).await,
    }
}

async fn sqlite(database: &Database, table: &str, column: &str) -> Result<Numbering, SqlError> {
    // the rowid is not in pragma_table_info, except under the name of its alias
    let row = ask(
        database,
        "SELECT m.sql, i.type, i.pk,
            (SELECT count(*) FROM pragma_table_info(m.name) WHERE pk > 0),
            EXISTS (SELECT 1 FROM pragma_index_list(m.name) l WHERE l.\"unique\" = 1
                AND (SELECT group_concat(n.name) FROM pragma_index_info(l.name) n) = i.name)
         FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) i ON i.name = :column COLLATE NOCASE
         WHERE m.type = 'table' AND m.name = :table COLLATE NOCASE",
        &[("table", Value::Text(table)), ("column", Value::Text(column))],
    )
    .await?;
    let Some([sql, kind, key, keys, unique]) = row else {
        return Ok(Numbering::Unknown);
    };
    let sql = sql.into_text().to_ascii_uppercase();
    let alone = keys == Cell::Int(1) && key == Cell::Int(1);
    let counted = kind.is_null() || alone && kind.into_text().eq_ignore_ascii_case("integer");
    if counted && !sql.contains("WITHOUT ROWID") {
        if sql.contains("AUTOINCREMENT") {
            return Ok(Numbering::Once);
        }
        return Ok(Numbering::Counted(
            "gives the number of the newest row again once that row is deleted, unless the column is \
             declared `integer primary key autoincrement`"
                .into(),
        ));
    }
    let unique = alone || unique == Cell::Int(1);
    Ok(Numbering::Chosen { unique })
}

/// From these versions on InnoDB writes its counters down (MariaDB, MySQL).
const PERSISTENT: [(u32, u32, u32); 2] = [(10, 2, 4), (8, 0, 0)];

async fn mysql(database: &Database, table: &str, column: &str) -> Result<Numbering, SqlError> {
    let row = ask(
        database,
        "SELECT c.extra, c.column_key, t.engine, version(), t.table_type
         FROM information_schema.columns c JOIN information_schema.tables t
            ON t.table_schema = c.table_schema AND t.table_name = c.table_name
         WHERE concat(c.table_schema, '.', c.table_name) = :table AND c.column_name = :column",
        &[
            ("table", Value::Text(table)),
            ("column", Value::Text(column)),
        ],
    )
    .await?;
    let Some([extra, key, engine, version, kind]) = row.map(|row| row.map(Cell::into_text)) else {
        return Ok(Numbering::Unknown);
    };
    if kind.contains("VIEW") {
        return Ok(Numbering::Unknown);
    }
    if !extra.to_ascii_lowercase().contains("auto_increment") {
        let unique = key == "PRI" || key == "UNI";
        return Ok(Numbering::Chosen { unique });
    }
    let [maria, other] = PERSISTENT;
    let persistent = parsed(&version)
        >= if version.contains("MariaDB") {
            maria
        } else {
            other
        };
    let restart = match engine.to_ascii_lowercase().as_str() {
        "innodb" if !persistent => {
            "after a restart of this version of the server the numbers of the newest rows come again; so \
             they do "
        }
        "memory" => {
            "after a restart of the server, which empties the table, it begins again; so it does "
        }
        _ => "begins again ",
    };
    Ok(Numbering::Counted(format!(
        "{restart}after TRUNCATE TABLE, and where the table is made anew"
    )))
}

/// The first three numbers.
fn parsed(version: &str) -> (u32, u32, u32) {
    // a MariaDB that pretends to be an old MySQL, for replication
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    (next(), next(), next())
}

/// Deletions are all or nothing only if the table's engine can roll them back.
async fn on_engine(database: &Database, table: &str) -> Result<Option<String>, SqlError> {
    let row = ask(
        database,
        "SELECT e.engine, e.transactions FROM information_schema.engines e
         JOIN information_schema.tables t ON t.engine = e.engine
         WHERE concat(t.table_schema, '.', t.table_name) = :table",
        &[("table", Value::Text(table))],
    )
    .await?;
    let Some([engine, transactions]) = row.map(|row| row.map(Cell::into_text)) else {
        return Ok(None);
    };
    Ok((!transactions.eq_ignore_ascii_case("yes")).then(|| {
        format!(
            "queries.delete: the table {table} has the engine {engine}, which cannot take a deletion back: \
             a QUIT that fails may have deleted some of the messages, and a row that changes in that moment \
             is deleted. Give it another: alter table ... engine = InnoDB"
        )
    }))
}

async fn postgres(database: &Database, table: &str, column: &str) -> Result<Numbering, SqlError> {
    let row = ask(
        database,
        "SELECT c.relkind::text, format_type(a.atttypid, NULL)::text,
            a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%',
            EXISTS (SELECT 1 FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid
                WHERE p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND s.seqcycle),
            EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique
                AND i.indnatts = 1 AND i.indkey[0] = a.attnum AND i.indpred IS NULL)
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = CAST(CAST(:table AS text) AS regclass) AND a.attname::text = :column",
        &[
            ("table", Value::Text(table)),
            ("column", Value::Text(column)),
        ],
    )
    .await?;
    let Some([relation, kind, counted, cycles, unique]) = row else {
        return Ok(Numbering::Unknown);
    };
    if !matches!(relation.into_text().as_str(), "r" | "p") {
        return Ok(Numbering::Unknown);
    }
    if kind.into_text() == "uuid" {
        return Ok(Numbering::Once);
    }
    if counted != Cell::Int(1) {
        let unique = unique == Cell::Int(1);
        return Ok(Numbering::Chosen { unique });
    }
    let when = "begins again after TRUNCATE ... RESTART IDENTITY, after setval(), and where the table is \
                made anew";
    Ok(Numbering::Counted(if cycles == Cell::Int(1) {
        format!(
            "its sequence has CYCLE, so that old numbers come again by themselves; it also {when}"
        )
    } else {
        when.into()
    }))
}

/// Whether the database converts texts on their way, so that the octets of a mail would not be the stored
/// ones. `Some` names the encoding.
pub(crate) async fn converted(
    database: &Database,
    query: &Statement,
    values: &[(&str, Value<'_>)],
) -> Result<Option<String>, SqlError> {
    let encoding = match database.dialect() {
        // it is UTF-8, and other columns come unchanged
        Dialect::Sqlite => return Ok(None),
        Dialect::MySql => {
            let outer = query.within(
                "SELECT charset(pop3_q.body) FROM (SELECT 1) pop3_o LEFT JOIN (",
                ") pop3_q ON 1 = 0",
            );

            let mut lease = database.lease().await?;
            lenient(lease.cell(&outer, values).await)?
        }
        Dialect::Postgres => ask(database, "SHOW server_encoding", &[])
            .await?
            .map(|[encoding]| encoding),
    };
    let encoding = encoding.map(Cell::into_text).unwrap_or_default();
    let kept = [
        "utf8",
        "utf8mb3",
        "utf8mb4",
        "ascii",
        "binary",
        "sql_ascii",
        "",
    ];
    let kept = kept.contains(&encoding.to_ascii_lowercase().as_str());
    Ok((!kept).then_some(encoding))
}

/// A question to the catalogue, and its first row. `None` if the catalogue has no answer.
async fn ask<const N: usize>(
    database: &Database,
    text: &str,
    values: &[(&str, Value<'_>)],
) -> Result<Option<[Cell; N]>, SqlError> {
    let statement = Statement::new(database.dialect(), text).map_err(SqlError::Schema)?;
    // a question that is refused closes its connection
    let mut lease = database.lease().await?;
    let row = lenient(lease.first(&statement, values).await)?;
    let cells = row.into_iter().flatten().map(|(_, cell)| cell);
    Ok(cells.collect::<Vec<_>>().try_into().ok())
}

/// If a database hides its catalogue, or has another one, the configuration is not wrong.
fn lenient<T>(answer: Result<Option<T>, SqlError>) -> Result<Option<T>, SqlError> {
    match answer {
        Err(error @ SqlError::Unavailable(_)) => Err(error),
        Err(_) => Ok(None),
        Ok(answer) => Ok(answer),
    }
}
