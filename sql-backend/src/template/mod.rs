//! Makes a proper message from a row of a table: a plain text gets a header.
//!
//! The same row always gives the same octets, so that sizes, unique-ids and what clients cached stay true. A
//! library such as mail-builder would fold and encode in its own way, which may change with each release.
//! Nothing from a row can begin another header field: values in the header lose line ends and control
//! characters and are encoded (RFC 2047), addresses lose characters that no address has, and a value is
//! never searched for further placeholders.

mod body;
mod date;
mod header;
mod pattern;

use crate::error::SqlError;
use crate::value::Cell;
use pattern::Pattern;

/// How a message is made from a row: constants, and `{column}` for the row's values. `{user}` is the
/// account that logged in, unless a column has that name; `{{` and `}}` are braces.
///
/// The text itself is the query's column `body`. It is sent as it is where that is safe, otherwise as
/// quoted-printable or base64; it is labelled UTF-8, or ISO 8859-1 if it is not valid UTF-8.
///
/// ```
/// use sql_backend::Template;
///
/// let template = Template::default()
///     .from("{host} <root@{host}.example.org>")
///     .subject("[{level}] {program}")
///     .date("logged");
/// # assert!(template.check().is_ok());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Template {
    /// An address, `Name <address>` or `address`. `nobody@localhost`
    pub from: String,
    /// An address, if there is to be a To field.
    pub to: Option<String>,
    /// The subject. `{id}` is the message's id. `Message {id}`
    pub subject: String,
    /// The column with the date: the database's own type for it, seconds since 1970, or text like
    /// `2026-11-20 08:30:00` (UTC if it does not say otherwise). Without one, or if the column is NULL, it is
    /// 1 January 1970: it has to be the same each time.
    pub date: Option<String>,
    /// The part after the `@` in the Message-ID, whose first part is the unique-id. `localhost`
    pub message_id_domain: String,
    /// The media type of the text, without its charset. `text/plain`
    pub content_type: String,
    /// Further fields, by name.
    pub headers: Vec<(String, String)>,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            from: "nobody@localhost".into(),
            to: None,
            subject: "Message {id}".into(),
            date: None,
            message_id_domain: "localhost".into(),
            content_type: "text/plain".into(),
            headers: Vec::new(),
        }
    }
}

impl Template {
    /// Sets [`from`](Self#structfield.from).
    #[must_use]
    pub fn from(mut self, from: impl Into<String>) -> Self {
        self.from = from.into();
        self
    }

    /// Sets [`to`](Self#structfield.to).
    #[must_use]
    pub fn to(mut self, to: impl Into<String>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// Sets [`subject`](Self#structfield.subject).
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets [`date`](Self#structfield.date).
    #[must_use]
    pub fn date(mut self, date: impl Into<String>) -> Self {
        self.date = Some(date.into());
        self
    }

    /// Sets [`message_id_domain`](Self#structfield.message_id_domain).
    #[must_use]
    pub fn message_id_domain(mut self, message_id_domain: impl Into<String>) -> Self {
        self.message_id_domain = message_id_domain.into();
        self
    }

    /// Sets [`content_type`](Self#structfield.content_type).
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// Adds a field to [`headers`](Self#structfield.headers).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Whether it can be used, without a database.
    ///
    /// # Errors
    ///
    /// [`SqlError::Config`] names the field and what is wrong with it.
    pub fn check(&self) -> Result<(), SqlError> {
        Renderer::new(self).map(drop)
    }
}

/// A row's columns by their lower-case names.
pub(crate) type Fields = Vec<(String, Cell)>;

/// A template that is ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Renderer {
    from: header::Address,
    to: Option<header::Address>,
    subject: Pattern,
    date: Option<String>,
    domain: String,
    content_type: String,
    headers: Vec<(String, Pattern)>,
}

impl Renderer {
    pub(crate) fn new(template: &Template) -> Result<Self, SqlError> {
        let key = |field: &str| format!("template.{field}");
        let pattern = |field: &str, text: &str| {
            Pattern::new(text).map_err(|problem| SqlError::config(key(field), problem))
        };
        let address = |field: &str, text: &str| {
            header::Address::new(text).map_err(|problem| SqlError::config(key(field), problem))
        };
        for (field, value) in [
            ("message_id_domain", &template.message_id_domain),
            ("content_type", &template.content_type),
        ] {
            let clean = |octet: u8| octet.is_ascii_alphanumeric() || b"-./+_".contains(&octet);
            if value.is_empty() || !value.bytes().all(clean) {
                let problem = "letters, digits and - . / + _ only";
                return Err(SqlError::config(key(field), problem));
            }
        }
        let header = |(name, value): &(String, String)| {
            if !header::is_extra_name(name) {
                let problem = "not a header field's name, or one that the template makes itself";
                return Err(SqlError::config(key(&format!("headers.{name}")), problem));
            }
            Ok((name.clone(), pattern(&format!("headers.{name}"), value)?))
        };
        Ok(Self {
            from: address("from", &template.from)?,
            to: template
                .to
                .as_deref()
                .map(|to| address("to", to))
                .transpose()?,
            subject: pattern("subject", &template.subject)?,
            date: template.date.as_ref().map(|column| column.to_lowercase()),
            domain: template.message_id_domain.clone(),
            content_type: template.content_type.clone(),
            headers: template
                .headers
                .iter()
                .map(header)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The columns that it needs, apart from `body`, `id` and `user`.
    pub(crate) fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = self.fields().map(|(_, column)| column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Its fields, and the columns that each needs.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let of = |field: &'static str| move |column| (field, column);
        let date = self.date.iter().map(String::as_str).map(of("date"));
        let subject = self.subject.columns().map(of("subject"));
        let from = self.from.columns().map(of("from"));
        let to = self.to.iter().flat_map(header::Address::columns);
        let headers = self.headers.iter();
        let headers = headers
            .flat_map(|(name, value)| value.columns().map(move |column| (name.as_str(), column)));
        let all = date.chain(subject).chain(from).chain(to.map(of("to")));
        all.chain(headers)
            .filter(|(_, column)| !matches!(*column, "id" | "user" | "body"))
    }

    /// The message. No other message has the same `names` together.
    pub(crate) fn render(&self, fields: Fields, user: &str, id: &str, names: &[String]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut moment = None;
        let mut values: Vec<(String, String)> = Vec::with_capacity(fields.len() + 2);
        for (name, cell) in fields {
            if name == "body" {
                text = cell.into_bytes();
                continue;
            }
            if Some(&name) == self.date.as_ref() {
                moment = date::moment(&cell);
            }
            values.push((name, cell.into_text()));
        }
        values.push(("id".into(), id.into()));
        values.push(("user".into(), user.into()));
        let body = body::encode(&text);

        let mut message = Vec::with_capacity(body.text.len() + 512);
        let mut field = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                message.extend_from_slice(part.as_bytes());
            }
        };
        field("From", &self.from.render(&values, &self.domain));
        if let Some(to) = &self.to {
            field("To", &to.render(&values, &self.domain));
        }
        let subject = self.subject.expand(&values);
        field("Subject", &header::unstructured("Subject", &subject));
        field(
            "Date",
            &pop3_proto::date::rfc5322(moment.unwrap_or_default()),
        );
        field("Message-ID", &header::message_id(names, &self.domain));
        for (name, pattern) in &self.headers {
            field(name, &header::unstructured(name, &pattern.expand(&values)));
        }
        field("MIME-Version", "1.0");
        field(
            "Content-Type",
            &format!("{}; charset={}", self.content_type, body.charset),
        );
        field("Content-Transfer-Encoding", body.encoding);
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&body.text);
        message
    }
}

#[cfg(test)]
mod tests;
