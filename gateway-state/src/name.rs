//! Names and texts that people and configurations give: what may be one, and when two are the same.

use crate::error::StateError;

/// The most octets of a name.
const MAX_NAME: usize = 255;
/// The most octets of another text.
const MAX_TEXT: usize = 2000;

/// A name as it is compared: without case, and prepared (RFC 4013), so that what looks the same is the same. One that
/// cannot be prepared is compared as it is.
pub(crate) fn folded(name: &str) -> String {
    let prepared = |name: &str| match stringprep::saslprep(name) {
        Ok(prepared) if !prepared.is_empty() => prepared.into_owned(),
        Ok(_) | Err(_) => name.to_owned(),
    };
    // what is put in lower case may have another form
    prepared(&prepared(name).to_lowercase())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_that_was_folded_stays_as_it_is(name: String) {
            let once = folded(&name);
            prop_assert_eq!(folded(&once), once);
        }
    }

    #[test]
    fn what_looks_the_same_is_the_same() {
        for name in [
            "tim@example.org",
            "TIM@Example.ORG",
            "t\u{ad}im@example.org",
            "\u{ff34}im@example.org",
        ] {
            assert_eq!(folded(name), "tim@example.org");
        }
        assert_ne!(folded("t\u{0}im"), folded("tim"));
    }

    #[test]
    fn names_have_a_length_and_no_control_characters() {
        for good in ["t", "\u{e4}", &"x".repeat(MAX_NAME)] {
            want_name("a name", good).unwrap();
        }
        for bad in ["", "a\nb", "a\0", "\u{85}", &"x".repeat(MAX_NAME + 1)] {
            want_name("a name", bad).unwrap_err();
        }
    }
}
