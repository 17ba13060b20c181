//! Names and texts that people and configurations give: what may be one, and when two are the same.

use crate::error::StateError;

/// The most octets of a name.
const MAX_NAME: usize = 255;
/// The most octets of another text.
const MAX_TEXT: usize = 2000;

/// A name as it is compared.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Fails unless this can be a name.
pub(crate) fn want_name(what: &'static str, name: &str) -> Result<(), StateError> {
    let fits = (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control);
    let error = || StateError::BadText {
        what,
        text: name.chars().take(80).collect(),
        most: MAX_NAME,
    };
    fits.then_some(()).ok_or_else(error)
}

/// Fails unless this is a text of one line.
pub(crate) fn want_text(what: &'static str, text: &str) -> Result<(), StateError> {
    let fits = text.len() <= MAX_TEXT && !text.contains(char::is_control);
    let error = || StateError::BadText {
        what,
        text: text.chars().take(80).collect(),
        most: MAX_TEXT,
    };
    fits.then_some(()).ok_or_else(error)
}

/// A text of any origin as one line that is not too long.
pub(crate) fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).take(MAX_TEXT / 4).collect()
}
