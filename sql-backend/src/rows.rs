//! The rows of a list, and the messages that rows hold.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use pop3_proto::backend::store::{StoreError, message_size};
use pop3_proto::unique_id;

use crate::database::Row;
use crate::queries::{Custom, Id, PLAINTEXT, number};
use crate::template::Fields;
use crate::value::Cell;

/// The places of the columns in the rows of a list.
pub(crate) struct Columns {
    names: Vec<String>,
    id: Option<usize>,
    size: Option<usize>,
    unique_id: Option<usize>,
    /// Each row holds the whole message.
    whole: bool,
    /// What the list says of a message.
    telling: Vec<usize>,
}

/// A row of a list.
pub(crate) struct Listed {
    /// `None`: it has no id that could be asked for.
    pub(crate) id: Option<Id>,
    /// `None`: it has to be read to find out.
    pub(crate) size: Option<u64>,
    pub(crate) unique_id: String,
    /// A digest of what the row says of its message.
    pub(crate) said: u64,
}

impl Columns {
    pub(crate) fn new(names: Vec<String>, custom: &Custom) -> Self {
        let find = |name: &str| names.iter().position(|known| known == name);
        let used = if custom.template {
            custom.wrapper.columns()
        } else {
            Vec::new()
        };
        let whole = find("body").is_some() && used.iter().all(|name| find(name).is_some());
        let wraps = custom.template || find(PLAINTEXT).is_some();
        let size = find("size");
        let unique_id = find("unique_id");
        let told = [size, unique_id, find("body"), find(PLAINTEXT)];
        let telling = told.into_iter().flatten();
        let telling = telling
            .chain(used.iter().filter_map(|name| find(name)))
            .collect();
        Self {
            id: find("id"),
            unique_id,
            // the size of the text, not of the mail that is made of it
            size: size.filter(|_| !wraps),
            whole,
            telling,
            names,
        }
    }

    /// Whether the rows have columns about their messages.
    pub(crate) fn tell(&self) -> bool {
        !self.telling.is_empty()
    }

    pub(crate) fn read(
        &self,
        row: &Row<'_>,
        custom: &Custom,
        user: &str,
        hasher: DefaultHasher,
    ) -> sqlx::Result<Listed> {
        let id = self.id(row)?;
        let told = self.size.map(|at| row.cell(at)).transpose()?;
        let size = match (told.and_then(number), &id) {
            (None, Some(id)) if self.whole => {
                let names = self.names.iter().cloned().enumerate();
                let cells = names.map(|(at, name)| Ok((name, row.cell(at)?)));
                let cells = cells.collect::<sqlx::Result<Fields>>()?;
                // a message that cannot be made is refused when it is asked for
                let message = message_of(cells, custom, user, id).unwrap_or_default();
                Some(message_size(&message[..]).map_err(sqlx::Error::Io)?)
            }
            (size, _) => size,
        };
        let told = self.unique_id.map(|at| row.cell(at)).transpose()?;
        let told = told.map(Cell::into_text).filter(|text| !text.is_empty());
        let unique_id = match (told, &id) {
            (Some(told), _) => valid_unique_id(told),
            (None, Some(id)) => unique_id::from_name(&id.name()),
            (None, None) => "no-id".into(),
        };
        Ok(Listed {
            id,
            size,
            unique_id,
            said: self.said(row, hasher)?,
        })
    }

    /// The id of a row; `None` if it has none that could be asked for.
    pub(crate) fn id(&self, row: &Row<'_>) -> sqlx::Result<Option<Id>> {
        let no_id = || sqlx::Error::ColumnNotFound("id".into());
        let cell = row.cell(self.id.ok_or_else(no_id)?)?;
        Ok(Id::new(cell))
    }

    /// A digest of what a row says of its message.
    pub(crate) fn said(&self, row: &Row<'_>, mut hasher: DefaultHasher) -> sqlx::Result<u64> {
        for &at in &self.telling {
            row.cell(at)?.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}

/// Makes sure that no two messages have the same name, whatever the table says: some clients delete
/// apparent repetitions. A row that a join returned twice is one message.
pub(crate) fn told_apart(mut rows: Vec<Listed>) -> Vec<Listed> {
    let mut names: Vec<&str> = rows.iter().map(|row| row.unique_id.as_str()).collect();
    names.sort_unstable();
    let twice = names.array_windows().filter(|[a, b]| a == b);
    let twice: HashSet<String> = twice.map(|[name, _]| (*name).to_owned()).collect();
    if twice.is_empty() {
        return rows;
    }
    let mut seen: HashSet<(String, Option<Id>)> = HashSet::new();
    rows.retain(|row| {
        row.id.is_none()
            || !twice.contains(&row.unique_id)
            || seen.insert((row.unique_id.clone(), row.id.clone()))
    });
    let mut left: HashSet<&str> = HashSet::new();
    let again = rows.iter().filter(|row| !left.insert(&row.unique_id));
    let again: HashSet<String> = again.map(|row| row.unique_id.clone()).collect();
    for (place, row) in rows.iter_mut().enumerate() {
        if again.contains(&row.unique_id) {
            let mut name = row.unique_id.clone().into_bytes();
            name.push(0);
            match &row.id {
                Some(id) => name.extend(id.name()),
                None => name.extend(place.to_string().bytes()),
            }
            row.unique_id = unique_id::from_name(&name);
        }
    }
    rows
}

/// The message that a row holds.
pub(crate) fn message_of(
    mut cells: Fields,
    custom: &Custom,
    user: &str,
    id: &Id,
) -> Result<Vec<u8>, StoreError> {
    let told = cells.iter().find(|(name, _)| name == PLAINTEXT);
    let wrapped = told
        .and_then(|(_, cell)| truth(cell))
        .unwrap_or(custom.template);
    let Some(body) = cells.iter_mut().find(|(name, _)| name == "body") else {
        let problem = "queries.body: it returns no column `body`: name one with `as body`";
        return Err(StoreError::Permanent(problem.into()));
    };
    match &body.1 {
        Cell::Unreadable(why) => Err(StoreError::Permanent(format!(
            "the message {:?}: {why}",
            id.text()
        ))),
        Cell::Null if !wrapped => Err(StoreError::Temporary(format!(
            "the message {:?} has no body: it is NULL",
            id.text()
        ))),
        Cell::Null | Cell::Int(_) | Cell::Text(_) | Cell::Bytes(_) | Cell::Moment(_) if wrapped => {
            let names = custom.message_id(id, user);
            Ok(custom.wrapper.render(cells, user, &id.text(), &names))
        }
        Cell::Null | Cell::Int(_) | Cell::Text(_) | Cell::Bytes(_) | Cell::Moment(_) => {
            Ok(std::mem::replace(&mut body.1, Cell::Null).into_bytes())
        }
    }
}

/// A flag, in whatever type a table has it.
fn truth(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Int(number) => Some(*number != 0),
        Cell::Text(text) => Some(is_yes(text)),
        // a BIT that was cast, or a BLOB
        Cell::Bytes(bytes) => Some(match std::str::from_utf8(bytes) {
            Ok(text) if text.bytes().all(|octet| octet.is_ascii_graphic()) => is_yes(text),
            Ok(_) | Err(_) => bytes.iter().any(|octet| *octet != 0),
        }),
        Cell::Null | Cell::Moment(_) | Cell::Unreadable(_) => None,
    }
}

fn is_yes(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    !matches!(text.as_str(), "" | "0" | "f" | "false" | "n" | "no" | "off")
}

/// A unique-id from the administrator's table.
pub(crate) fn valid_unique_id(unique_id: String) -> String {
    if unique_id::is_valid(unique_id.as_bytes()) {
        unique_id
    } else {
        unique_id::from_name(unique_id.as_bytes())
    }
}
