//! The rows of a list, and the messages that rows hold.

use std::io;

use pop3_proto::backend::store::message_size;
use pop3_proto::unique_id;

use crate::database::Row;
use crate::queries::{Custom, Id, number};
use crate::template::Fields;

/// Where in a list's rows is what.
pub(crate) struct Columns {
    names: Vec<String>,
    id: Option<usize>,
    size: Option<usize>,
    unique_id: Option<usize>,
    /// Each row holds the whole message.
    whole: bool,
}

/// A row of a list.
pub(crate) struct Read {
    pub(crate) id: Id,
    /// None: it has to be read for that.
    pub(crate) size: Option<u64>,
    pub(crate) unique_id: String,
}

impl Columns {
    pub(crate) fn new(names: Vec<String>, custom: &Custom) -> Self {
        let find = |name: &str| names.iter().position(|known| known == name);
        let body = find("body").is_some();
        let (size, whole) = match &custom.renderer {
            None => (find("size"), body),
            Some(renderer) => {
                let columns = renderer.columns();
                (
                    None,
                    body && columns.iter().all(|name| find(name).is_some()),
                )
            }
        };
        Self {
            id: find("id"),
            unique_id: find("unique_id"),
            size,
            whole,
            names,
        }
    }

    pub(crate) fn read(&self, row: &Row<'_>, custom: &Custom, user: &str) -> sqlx::Result<Read> {
        let no_id = || strange("queries.list: it returns no column `id`".into());
        let id = Id::new(row.cell(self.id.ok_or_else(no_id)?)?).map_err(strange)?;
        let told = self.size.map(|at| row.cell(at)).transpose()?;
        let size = match told.and_then(number) {
            None if self.whole => {
                let names = self.names.iter().cloned().enumerate();
                let cells = names.map(|(at, name)| Ok((name, row.cell(at)?)));
                let cells = cells.collect::<sqlx::Result<Fields>>()?;
                let message = message_of(cells, custom, user, &id);
                Some(message_size(&message[..]).map_err(sqlx::Error::Io)?)
            }
            size => size,
        };
        let unique_id = self.unique_id.map(|at| row.cell(at)).transpose()?;
        let unique_id = match unique_id.filter(|cell| !cell.is_null()) {
            Some(unique_id) => valid_unique_id(unique_id.into_text()),
            None => unique_id::from_name(&id.name()),
        };
        Ok(Read {
            id,
            size,
            unique_id,
        })
    }
}

/// The message that a row holds.
pub(crate) fn message_of(cells: Fields, custom: &Custom, user: &str, id: &Id) -> Vec<u8> {
    match &custom.renderer {
        Some(renderer) => {
            let unique_id = unique_id::from_name(&id.name());
            renderer.render(cells, user, &id.text(), &unique_id)
        }
        None => {
            let body = cells.into_iter().find(|(name, _)| name == "body");
            body.map(|(_, cell)| cell.into_bytes()).unwrap_or_default()
        }
    }
}

/// A unique-id that somebody else's table told.
pub(crate) fn valid_unique_id(unique_id: String) -> String {
    if unique_id::is_valid(unique_id.as_bytes()) {
        unique_id
    } else {
        unique_id::from_name(unique_id.as_bytes())
    }
}

/// A row that cannot be used.
pub(crate) fn strange(problem: String) -> sqlx::Error {
    sqlx::Error::Decode(io::Error::new(io::ErrorKind::InvalidData, problem).into())
}
