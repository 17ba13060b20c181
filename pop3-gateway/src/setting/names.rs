//! How the names of users are written: `user_domain` and `user_separator`, and the values of `[routing]`.

use std::path::Path;

use pop3_server::name::{DomainRule, is_domain};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::value::{BadValue, Value};

/// A domain, in a value.
pub(crate) struct Domain(pub(crate) String);

impl Value for Domain {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        if is_domain(&text) {
            return Ok(Self(text));
        }
        let remedy = "write one without \"@\" and without patterns, such as \"example.org\"";
        Err(BadValue::new(format!("{text:?} is not a domain"), remedy))
    }

    fn show(&self) -> Json {
        json!(self.0)
    }
}

/// The characters of `separators`.
#[derive(Default)]
pub(crate) struct Separators(pub(crate) String);

impl Value for Separators {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        if text.chars().all(is_separator) {
            return Ok(Self(text));
        }
        let remedy = "write characters such as \"%\" or \"%/\"; letters, digits and \".\" stand in names themselves";
        Err(BadValue::new(
            format!("{text:?} cannot separate a name from its domain"),
            remedy,
        ))
    }

    fn show(&self) -> Json {
        json!(self.0)
    }
}

impl Value for DomainRule {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        Self::parse(&text).ok_or_else(|| {
            let remedy = "write \"keep\", \"strip\", \"add:DOMAIN\" or \"replace:DOMAIN\"";
            BadValue::new(format!("{text:?} is not a rule for domains"), remedy)
        })
    }

    fn show(&self) -> Json {
        json!(self.to_string())
    }
}

impl Value for char {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(only), None) if only == '@' || is_separator(only) => Ok(only),
            _ => Err(BadValue::new(
                format!("{text:?} cannot separate a name from its domain"),
                "write one character such as \"%\" or \"/\"",
            )),
        }
    }

    fn show(&self) -> Json {
        json!(self)
    }
}

fn is_separator(c: char) -> bool {
    c.is_ascii_punctuation() && !"@.\"*".contains(c)
}
