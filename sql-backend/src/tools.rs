//! What an operator does with the tool's own tables: accounts and messages, in and out.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use local_accounts::{Credential, prepared};

use crate::database::Row;
use crate::error::SqlError;
use crate::measure::Measure;
use crate::queries::number;
use crate::schema::PIECE;
use crate::store::{SqlStore, forms};
use crate::value::{Cell, Value};

/// An account in the tool's own tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// How many messages it has.
    pub messages: u64,
    /// Their size in octets.
    pub octets: u64,
}

/// A message in the tool's own tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its unique-id, which is its name here too.
    pub unique_id: String,
    /// Octets with CRLF line ends.
    pub size: u64,
    /// When it was added, in seconds since 1970.
    pub received: u64,
}

/// What becomes of an account's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// They stay, and a later account of that name has them again.
    Keep,
    /// They are deleted with it.
    Delete,
}

/// How many pieces are read before a transaction begins: a slow input must not keep it open.
const READ_AHEAD: usize = 16;

/// Names are compared by their octets. None begins or ends with a space, which MySQL would not see.
const MAX_NAME: usize = 255;

impl SqlStore {
    /// Adds an account, its name prepared (RFC 4013). `credential` is a hash, or `{PLAIN}` and a secret, as
    /// [`hash`](local_accounts::hash) and [`stored_secret`](local_accounts::stored_secret) make it.
    ///
    /// # Errors
    ///
    /// [`SqlError::AccountExists`], [`SqlError::BadName`], [`SqlError::Credential`], or what the database
    /// says.
    pub async fn add_account(&self, name: &str, credential: &str) -> Result<(), SqlError> {
        self.own_tables()?;
        let prepared = prepared(name);
        let name = &*prepared;
        if !is_name(name) {
            return Err(SqlError::BadName(name.into()));
        }
        proper(credential)?;
        if self.is_account(name).await? {
            return Err(SqlError::AccountExists(name.into()));
        }
        let values = [
            ("user", Value::Text(name)),
            ("password", Value::Text(credential)),
        ];
        let own = &self.shared.own;
        let mut lease = self.shared.database.lease().await?;
        lease.execute(&own.add_account, &values).await.map(drop)
    }

    /// Gives an account another credential.
    ///
    /// # Errors
    ///
    /// [`SqlError::NoAccount`], [`SqlError::Credential`], or what the database says.
    pub async fn set_password(&self, name: &str, credential: &str) -> Result<(), SqlError> {
        self.own_tables()?;
        proper(credential)?;
        let name = self.want_account(name).await?;
        let values = [
            ("user", Value::Text(&name)),
            ("password", Value::Text(credential)),
        ];
        let own = &self.shared.own;
        let mut lease = self.shared.database.lease().await?;
        lease.execute(&own.set_password, &values).await.map(drop)
    }

    /// Removes an account, and its messages if they are to go.
    ///
    /// # Errors
    ///
    /// [`SqlError::NoAccount`], or what the database says.
    pub async fn remove_account(&self, name: &str, messages: Messages) -> Result<(), SqlError> {
        self.own_tables()?;
        let name = self.want_account(name).await?;
        let values = [("user", Value::Text(&name))];
        let own = &self.shared.own;
        let mut lease = self.shared.database.lease().await?;
        lease.begin().await?;
        lease.execute(&own.remove_account, &values).await?;
        if messages == Messages::Delete {
            lease.execute(&own.remove_messages, &values).await?;
        }
        lease.commit().await
    }

    /// The accounts, by name.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, SqlError> {
        self.own_tables()?;
        let mut accounts = Vec::new();
        let mut look = |row: Row<'_>| {
            accounts.push(Account {
                name: row.cell(0)?.into_text(),
                messages: number(row.cell(1)?).unwrap_or_default(),
                octets: number(row.cell(2)?).unwrap_or_default(),
            });
            Ok(())
        };
        let mut lease = self.shared.database.lease().await?;
        lease
            .each(&self.shared.own.accounts, &[], &mut look)
            .await?;
        accounts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(accounts)
    }

    /// Adds a message after the others; returns its unique-id. A message is there only when all of it
    /// was read and stored.
    ///
    /// # Errors
    ///
    /// [`SqlError::NoAccount`] where the accounts are in these tables, [`SqlError::Input`], or what the
    /// database says.
    pub async fn add_message(
        &self,
        user: &str,
        message: impl Read + Send + 'static,
    ) -> Result<Stored, SqlError> {
        self.own_messages()?;
        let user = match self.has_own_accounts() {
            true => self.want_account(user).await?,
            false if is_name(user) => Cow::Borrowed(user),
            false => return Err(SqlError::BadName(user.into())),
        };
        let unique_id = new_unique_id()?;
        let received = SystemTime::now().duration_since(UNIX_EPOCH);
        let received = received.map_or(0, |since| since.as_secs());
        let mut input = Input::new(message);
        input.read_ahead().await?;

        let own = &self.shared.own;
        let mut lease = self.shared.database.lease().await?;
        lease.begin().await?;
        let unique_id_value = ("unique_id", Value::Text(&unique_id));
        let values = [
            ("user", Value::Text(&user)),
            unique_id_value,
            ("received", Value::Int(received.cast_signed())),
        ];
        lease.execute(&own.add_message, &values).await?;
        let Some(Cell::Int(id)) = lease.cell(&own.message_id, &[unique_id_value]).await? else {
            return Err(SqlError::Unavailable(
                "the message was stored and is gone again".into(),
            ));
        };
        let id = ("id", Value::Int(id));
        let mut measure = Measure::default();
        let mut pieces = 0_i64;
        while let Some(piece) = input.next().await? {
            measure.add(&piece);
            let values = [
                id,
                ("seq", Value::Int(pieces)),
                ("data", Value::Bytes(&piece)),
            ];
            lease.execute(&own.add_piece, &values).await?;
            pieces += 1;
        }
        let size = measure.size();
        let values = [
            id,
            ("size", Value::Int(size.cast_signed())),
            ("pieces", Value::Int(pieces)),
        ];
        lease.execute(&own.finish_message, &values).await?;
        lease.commit().await?;
        Ok(Stored {
            unique_id,
            size,
            received,
        })
    }

    /// Removes the message of that unique-id. False if there is none.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn remove_message(&self, user: &str, unique_id: &str) -> Result<bool, SqlError> {
        self.own_messages()?;
        let values = [
            ("user", Value::Text(user)),
            ("unique_id", Value::Text(unique_id)),
        ];
        let own = &self.shared.own;
        let mut lease = self.shared.database.lease().await?;
        let removed = lease.execute(&own.remove_message, &values).await?;
        Ok(removed > 0)
    }

    /// The messages of a user, oldest first.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn list_messages(&self, user: &str) -> Result<Vec<Stored>, SqlError> {
        self.own_messages()?;
        let mut messages = Vec::new();
        let mut look = |row: Row<'_>| {
            messages.push(Stored {
                unique_id: row.cell(0)?.into_text(),
                size: number(row.cell(1)?).unwrap_or_default(),
                received: number(row.cell(2)?).unwrap_or_default(),
            });
            Ok(())
        };
        let values = [("user", Value::Text(user))];
        let mut lease = self.shared.database.lease().await?;
        lease
            .each(&self.shared.own.messages, &values, &mut look)
            .await?;
        Ok(messages)
    }

    fn own_tables(&self) -> Result<(), SqlError> {
        let own = self.has_own_accounts();
        own.then_some(()).ok_or(SqlError::NotOwnTables)
    }

    fn own_messages(&self) -> Result<(), SqlError> {
        let own = self.shared.custom.is_none();
        own.then_some(()).ok_or(SqlError::NotOwnTables)
    }

    async fn is_account(&self, name: &str) -> Result<bool, SqlError> {
        if !is_name(name) {
            return Ok(false);
        }
        let values = [("user", Value::Text(name))];
        let mut lease = self.shared.database.lease().await?;
        let found = lease.cell(&self.shared.own.password, &values).await?;
        Ok(found.is_some_and(|found| found.into_text() == name))
    }

    /// The account's name as the tables have it.
    async fn want_account<'n>(&self, name: &'n str) -> Result<Cow<'n, str>, SqlError> {
        for form in forms(name) {
            if self.is_account(&form).await? {
                return Ok(form);
            }
        }
        Err(SqlError::NoAccount(name.into()))
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control) && name.trim() == name
}

fn proper(credential: &str) -> Result<(), SqlError> {
    let parsed = Credential::parse(credential);
    parsed
        .map(drop)
        .map_err(|error| SqlError::Credential(error.to_string()))
}

/// 96 random bits: no id comes twice, even if messages are deleted, restored from a backup or moved between databases.
fn new_unique_id() -> Result<String, SqlError> {
    let mut random = [0; 12];
    let none = |error: getrandom::Error| SqlError::Input(io::Error::other(error));
    getrandom::fill(&mut random).map_err(none)?;
    Ok(base16ct::lower::encode_string(&random))
}

/// A message that is read by a thread that may block.
struct Input<R> {
    reader: Option<R>,
    ahead: std::collections::VecDeque<Vec<u8>>,
}

impl<R: Read + Send + 'static> Input<R> {
    fn new(reader: R) -> Self {
        Self {
            reader: Some(reader),
            ahead: std::collections::VecDeque::new(),
        }
    }

    async fn read_ahead(&mut self) -> io::Result<()> {
        while self.ahead.len() < READ_AHEAD {
            match self.read().await? {
                Some(piece) => self.ahead.push_back(piece),
                None => break,
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.ahead.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => self.read().await,
        }
    }

    /// The next [`PIECE`] octets; fewer only at the end.
    async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(mut reader) = self.reader.take() else {
            return Ok(None);
        };
        let (reader, piece) = blocking::unblock(move || {
            let mut piece = Vec::new();
            let read = (&mut reader).take(PIECE as u64).read_to_end(&mut piece);
            (reader, read.map(|_| piece))
        })
        .await;
        let piece = piece?;
        if piece.len() == PIECE {
            self.reader = Some(reader);
        }
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}
