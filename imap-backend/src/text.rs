//! Text that came from the upstream, made fit for a log: printable, bounded, without secrets.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use pop3_proto::secret::Secret;

/// The most characters of an upstream's text that are passed on.
const BOUND: usize = 200;

/// A secret that is shorter is masked as a whole word only: it may be part of any other.
const SHORT: usize = 6;

/// Words that servers say by themselves. A mask in the place of one tells a reader who knows the server what the
/// password is, and what stands there tells nobody that it is a password.
const SERVERS_WORDS: &str = "a able access account again all allowed an and another are as at auth authenticate \
    authenticated authentication authenticationfailed authorization authorizationfailed bad be busy but by bye can \
    cannot capability clear closed closing completed command connection contactadmin credentials denied disabled done \
    error exceeded expired fail failed failure fetch for found from goodbye greetings have hello id idle imap imap4 \
    imap4rev1 in inbox incorrect internal internet invalid is it later limit list literal locked log logged login \
    logging logout mail mailbox many message must name namespace no not of ok on or out password permission please \
    preauth privacyrequired ready rejected required see select selected server service session starttls \
    success successful system temporarily temporary terminating that the this time to too try unable unavailable \
    unknown unsupported use user username valid web welcome with wrong you your";

/// Secrets that may turn up in what the upstream says, and what is put in their place.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// The longest first.
    secrets: Vec<(Secret, &'static str)>,
}

impl Mask {
    pub(crate) fn add(&mut self, secret: Secret, name: &'static str) {
        if secret.is_empty() || is_servers_word(secret.expose()) {
            return;
        }
        let length = secret.expose().len();
        let place = self
            .secrets
            .partition_point(|(other, _)| other.expose().len() > length);
        self.secrets.insert(place, (secret, name));
    }

    pub(crate) fn clear(&mut self) {
        self.secrets = Vec::new();
    }

    /// The beginning of a text as a log may hold it. Each place is masked once, and nothing within what is a
    /// mask already, for a mask that looks different would tell a part of the secret.
    pub(crate) fn clean(&self, text: &[u8]) -> String {
        if self.secrets.is_empty() {
            return printable(text);
        }
        let mut masked = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(first) = text.get(at) {
            let rest = &text[at..];
            let before = masked.last().copied();
            let mask = MASKS.iter().find(|mask| rest.starts_with(mask.as_bytes()));
            let found = || {
                let is_here = |(secret, _): &&(Secret, &str)| {
                    let secret = secret.expose();
                    let after = rest.get(secret.len()).copied();
                    rest.starts_with(secret)
                        && (secret.len() >= SHORT || !(joins(before) || joins(after)))
                };
                self.secrets.iter().find(is_here)
            };
            let (length, shown) = match mask {
                Some(mask) => (mask.len(), mask.as_bytes()),
                None => match found() {
                    Some((secret, name)) => (secret.expose().len(), name.as_bytes()),
                    None => (1, core::slice::from_ref(first)),
                },
            };
            masked.extend_from_slice(shown);
            at += length;
        }
        printable(&masked)
    }
}

/// What is put in the place of secrets.
const MASKS: [&str; 2] = ["<password>", "<credentials>"];

fn joins(neighbour: Option<u8>) -> bool {
    neighbour.is_some_and(|b| b.is_ascii_alphanumeric() || !b.is_ascii())
}

fn is_servers_word(secret: &[u8]) -> bool {
    SERVERS_WORDS
        .split_ascii_whitespace()
        .any(|word| word.as_bytes().eq_ignore_ascii_case(secret))
}

/// The beginning of a text, with what does not print escaped.
pub(crate) fn printable(text: &[u8]) -> String {
    let mut clean = String::new();
    let shown = &text[..text.len().min(4 * BOUND)];
    for c in String::from_utf8_lossy(shown.trim_ascii())
        .chars()
        .take(BOUND)
    {
        if c.is_control() {
            // writing to a string does not fail
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    if clean.chars().count() >= BOUND {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v33_secrets_are_masked_until_they_are_forgotten() {
        let mut mask = Mask::default();
        mask.add(Secret::from(&b"tanstaaf"[..]), "<password>");
        assert_eq!(mask.clean(b"no tanstaaf here"), "no <password> here");
        mask.clear();
        assert!(mask.secrets.is_empty());
        assert_eq!(mask.clean(b"no tanstaaf here"), "no tanstaaf here");
    }

    #[test]
    fn w028_a_place_is_masked_once_the_longest_secret_first() {
        for (secrets, said, shown) in [
            (&["pass"][..], "NO pass is wrong", "NO <password> is wrong"),
            (&["pass", "pass word"], "NO pass word", "NO <password>"),
            (&["passw", "passw"], "NO passw", "NO <password>"),
            (
                &["word<p"],
                "NO <password> word<p",
                "NO <password> <password>",
            ),
            (
                &["sword"],
                "NO <password> sword",
                "NO <password> <password>",
            ),
            (
                &["credentials", "dent"],
                "<credentials> dent",
                "<credentials> <password>",
            ),
            // one of the server's words, or a part of one
            (&["Logged"], "A1 OK Logged in", "A1 OK Logged in"),
            (&["ok"], "A1 OK Logged in", "A1 OK Logged in"),
            (
                &["Login"],
                "A1 BAD LOGIN: unknown Login",
                "A1 BAD LOGIN: unknown Login",
            ),
            (&["og"], "A1 OK Logged in", "A1 OK Logged in"),
            (
                &["og"],
                "A1 NO 'og' is wrong",
                "A1 NO '<password>' is wrong",
            ),
            (&["tanstaaf"], "xtanstaafx", "x<password>x"),
        ] {
            let mut mask = Mask::default();
            for secret in secrets {
                mask.add(Secret::from(secret.as_bytes()), "<password>");
            }
            let once = mask.clean(said.as_bytes());
            assert_eq!(once, shown, "{secrets:?}");
            assert_eq!(mask.clean(once.as_bytes()), shown, "again");
        }
    }

    #[test]
    fn as_many_characters_are_shown_however_long_they_are() {
        for c in ["x", "\u{e9}", "\u{20ac}", "\u{1f600}"] {
            let shown = printable(c.repeat(500).as_bytes());
            assert_eq!(shown, c.repeat(BOUND) + "…");
        }
    }
}
