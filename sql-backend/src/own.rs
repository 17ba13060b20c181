//! The statements on the tool's own tables. One text for all three databases.

use crate::dialect::Dialect;
use crate::error::SqlError;
use crate::statement::Statement;

/// Messages that one statement deletes.
pub(crate) const BATCH: usize = 100;

/// The statements on the tool's own tables.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) list: Statement,
    pub(crate) first_piece: Statement,
    pub(crate) piece: Statement,
    /// The unique-ids of a batch of messages.
    pub(crate) named: Statement,
    pub(crate) delete: Statement,
    pub(crate) password: Statement,
    /// An account that can log in with its password, but not by APOP or CRAM-MD5.
    pub(crate) hashed: Statement,
    pub(crate) accounts: Statement,
    pub(crate) add_account: Statement,
    pub(crate) set_password: Statement,
    pub(crate) remove_account: Statement,
    pub(crate) remove_messages: Statement,
    pub(crate) messages: Statement,
    pub(crate) remove_message: Statement,
    pub(crate) add_message: Statement,
    pub(crate) message_id: Statement,
    pub(crate) add_piece: Statement,
    pub(crate) finish_message: Statement,
}

impl Own {
    pub(crate) fn new(dialect: Dialect) -> Result<Self, SqlError> {
        let statement = |text: &str| Statement::new(dialect, text).map_err(SqlError::Schema);
        let int = match dialect {
            Dialect::MySql => "SIGNED",
            Dialect::Sqlite | Dialect::Postgres => "BIGINT",
        };
        let ids: Vec<String> = (0..BATCH).map(|at| format!(":id{at}")).collect();
        let these = format!(
            "FROM pop3_messages WHERE account = :user AND id IN ({})",
            ids.join(", ")
        );
        let (named, delete) = (
            format!("SELECT id, unique_id {these}"),
            format!("DELETE {these}"),
        );
        let accounts = format!(
            "SELECT a.name, COUNT(m.id), CAST(COALESCE(SUM(m.size), 0) AS {int})
             FROM pop3_accounts a LEFT JOIN pop3_messages m ON m.account = a.name
             GROUP BY a.name ORDER BY a.name"
        );
        Ok(Self {
            list: statement(
                "SELECT id, size, unique_id FROM pop3_messages WHERE account = :user ORDER BY id",
            )?,
            first_piece: statement(
                "SELECT m.pieces, p.data, m.unique_id FROM pop3_messages m
                 LEFT JOIN pop3_pieces p ON p.message = m.id AND p.seq = 0
                 WHERE m.account = :user AND m.id = :id",
            )?,
            piece: statement("SELECT data FROM pop3_pieces WHERE message = :id AND seq = :seq")?,
            named: statement(&named)?,
            delete: statement(&delete)?,
            password: statement("SELECT name, password FROM pop3_accounts WHERE name = :user")?,
            // only {PLAIN}, {CLEAR} and {CLEARTEXT} are stored secrets; ! and * lock
            hashed: statement(
                "SELECT name FROM pop3_accounts
                 WHERE (UPPER(password) NOT LIKE '{PLAIN%' AND UPPER(password) NOT LIKE '{CLEAR%'
                     AND password NOT LIKE '!%' AND password <> '*')
                 OR UPPER(password) LIKE '{PLAIN-%' LIMIT 1",
            )?,
            accounts: statement(&accounts)?,
            add_account: statement(
                "INSERT INTO pop3_accounts (name, password) VALUES (:user, :password)",
            )?,
            set_password: statement(
                "UPDATE pop3_accounts SET password = :password WHERE name = :user",
            )?,
            remove_account: statement("DELETE FROM pop3_accounts WHERE name = :user")?,
            remove_messages: statement("DELETE FROM pop3_messages WHERE account = :user")?,
            messages: statement(
                "SELECT unique_id, size, received FROM pop3_messages
                 WHERE account = :user ORDER BY id",
            )?,
            remove_message: statement(
                "DELETE FROM pop3_messages WHERE account = :user AND unique_id = :unique_id",
            )?,
            add_message: statement(
                "INSERT INTO pop3_messages (account, unique_id, size, pieces, received)
                 VALUES (:user, :unique_id, 0, 0, :received)",
            )?,
            message_id: statement("SELECT id FROM pop3_messages WHERE unique_id = :unique_id")?,
            add_piece: statement(
                "INSERT INTO pop3_pieces (message, seq, data) VALUES (:id, :seq, :data)",
            )?,
            finish_message: statement(
                "UPDATE pop3_messages SET size = :size, pieces = :pieces WHERE id = :id",
            )?,
        })
    }
}
