//! The errors of the certificate verifier, in words.

use alloc::string::String;

/// Only some of the verifier's names for its errors can be read by an operator.
pub(super) fn in_words(reason: &str) -> String {
    let known = [
        (
            "CaUsedAsEndEntity",
            "it is that of an authority, not of a server",
        ),
        (
            "UnsupportedCertVersion",
            "it has an old form (X.509 version 1) that proves no name",
        ),
        (
            "UnsupportedSignatureAlgorithm",
            "it is signed in a way that is not safe any more (SHA-1, perhaps)",
        ),
        ("RequiredEkuNotFound", "it is not meant for servers"),
        (
            "UnsupportedCriticalExtension",
            "it has a critical extension that this program does not know",
        ),
    ];
    known
        .iter()
        .find(|(name, _)| reason.contains(name))
        .map_or_else(|| spaced(reason), |(_, words)| (*words).into())
}

/// Makes words of a name: `InvalidSerialNumber` is `invalid serial number`.
fn spaced(name: &str) -> String {
    if name.contains(|c: char| !c.is_ascii_alphabetic()) {
        return name.into();
    }
    let mut words = String::with_capacity(name.len() + 8);
    for (position, c) in name.char_indices() {
        if position > 0 && c.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn w078_names_of_errors_become_words() {
        let table = [
            (
                "CaUsedAsEndEntity",
                "it is that of an authority, not of a server",
            ),
            (
                "UnsupportedCriticalExtension",
                "it has a critical extension that this program does not know",
            ),
            ("InvalidSerialNumber", "invalid serial number"),
            ("bad DER", "bad DER"),
        ];
        for (name, expected) in table {
            assert_eq!(in_words(name), expected);
        }
    }
}
