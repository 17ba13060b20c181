//! Text that came from the upstream, made fit for a log: printable, bounded, without secrets.

use alloc::string::String;
use alloc::vec::Vec;

use pop3_proto::backend::Login;
use pop3_proto::controls::escaped;
use pop3_proto::secret::Secret;
use zeroize::Zeroizing;

/// The most characters of an upstream's text that are passed on.
const BOUND: usize = 200;

/// A secret that is shorter is masked as a whole word only: it may be part of any other.
const SHORT: usize = 6;

/// Words that servers use themselves until a folder is open. A mask in the place of one would show a reader who
/// knows the server what the password is, while the word itself does not look like a password. Such a password is
/// masked only after the name that it was sent with. In small letters, with a space before and after each.
const SERVERS_WORDS: &str = " a able access account again all allowed an and another answered appendlimit are as at auth authenticate \
    authenticated authentication authenticationfailed authorization authorizationfailed bad be begin binary busy \
    but by bye can cannot capability carriage catenate children citadel clear closed closing command completed \
    compress condstore connection contactadmin courier courier-imap cram-md5 created credentials cyrus debian \
    deflate deleted denied disabled done dovecot draft drafts enable enabled english error esearch esort exceeded \
    exchange exists expired fail failed failure fetch first flagged flags for forwarded found from gimap gmail \
    goodbye google greetings have hello hi highest highestmodseq host id idle imap imap4 imap4rev1 important in \
    inbox incorrect internal internet invalid is it junk later limit limited list list-extended list-status \
    literal literal+ literal- locked log logged logging login login-referrals logindisabled logout mail mailbox \
    many mdn message metadata microsoft microsoft.exchange.imap4 mode modseq move multiappend must name namespace \
    negotiation next nil no no-op nomodseq noop not notify now oauthbearer object objectid of ok on or original \
    out password permanent permanentflags permission permitted plain please post-login preauth predicted preview \
    privacyrequired private proceed protocol qresync quota read-only read-write ready recent rejected requests \
    required ripe sasl-ir savedate search searchres see seen select selected send sent server server4 service \
    session sort spam special-use starttls status store submitted subscribed success successful sync system \
    temporarily temporary terminating that the this thread time tls to token tokens too trash try ubuntu uid \
    uidnext uidplus uids uidvalidity unable unavailable unknown unseen unselect unsupported use user username utf8 \
    valid vanished verified version web welcome with within wrong xclient xlist xoauth2 you your zimbra ";

/// Secrets that may appear in what the upstream says, and what replaces them.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// The longest first.
    secrets: Vec<(Secret, &'static str)>,
}

impl Mask {
    /// The secret of this login, if it has one that the server could repeat.
    pub(crate) fn add_login(&mut self, login: &Login) {
        if let Login::Password {
            user,
            password: secret,
        }
        | Login::ActingFor {
            by: user,
            password: secret,
            ..
        }
        | Login::Bearer {
            user,
            token: secret,
            ..
        } = login
        {
            self.add_of(user, secret);
        }
    }

    /// The secret that was sent with this name.
    pub(crate) fn add_of(&mut self, user: &str, secret: &Secret) {
        // what stands after the name may be a password that was typed in the wrong place
        if let Some((_, rest)) = user.split_once(' ') {
            self.add(rest.as_bytes().into(), "<password>");
        }
        if is_servers_word(secret.expose()) {
            for between in [&b" "[..], b"\" \""] {
                let both = Zeroizing::new([user.as_bytes(), between, secret.expose()].concat());
                self.add(both.as_slice().into(), "<credentials>");
            }
        } else {
            self.add(secret.clone(), "<password>");
        }
    }

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

    /// The beginning of a text as a log may hold it. Each place is masked once, and nothing within a mask: a
    /// mask that looked different would show a part of the secret.
    pub(crate) fn clean(&self, text: &[u8]) -> String {
        if self.secrets.is_empty() {
            return printable(text);
        }
        let firsts = self.firsts();
        let may_begin = |octet: &u8| firsts[usize::from(octet >> 6)] >> (octet & 63) & 1 == 1;
        let mut masked = Vec::with_capacity(text.len());
        let mut at = 0;
        loop {
            let rest = &text[at..];
            let same = rest.iter().position(may_begin).unwrap_or(rest.len());
            let (same, rest) = rest.split_at(same);
            masked.extend_from_slice(same);
            at += same.len();
            let Some(first) = rest.first() else { break };
            let before = masked.last().copied();
            let mask = MASKS.iter().find(|mask| rest.starts_with(mask.as_bytes()));
            let found = || {
                let is_here = |(secret, _): &&(Secret, &str)| {
                    let secret = secret.expose();
                    let after = rest.get(secret.len()).copied();
                    // a server may repeat in capitals what it was sent
                    rest.get(..secret.len())
                        .is_some_and(|said| said.eq_ignore_ascii_case(secret))
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

    /// The octets that a mask or a secret may begin with, a bit for each.
    fn firsts(&self) -> [u64; 4] {
        let mut firsts = [0; 4];
        let mut may_begin = |octet: u8| firsts[usize::from(octet >> 6)] |= 1 << (octet & 63);
        may_begin(b'<');
        for (secret, _) in &self.secrets {
            if let Some(first) = secret.expose().first() {
                may_begin(first.to_ascii_lowercase());
                may_begin(first.to_ascii_uppercase());
            }
        }
        firsts
    }
}

/// What replaces secrets.
pub(crate) const MASKS: [&str; 2] = ["<password>", "<credentials>"];

fn joins(neighbour: Option<u8>) -> bool {
    neighbour.is_some_and(|b| b.is_ascii_alphanumeric() || !b.is_ascii())
}

/// How long the longest of the server's words is. Tokens are longer, and a search would cost each login more than all
/// the rest of its masks.
const LONGEST_WORD: usize = 24;

fn is_servers_word(secret: &[u8]) -> bool {
    if secret.len() > LONGEST_WORD || secret.contains(&b' ') {
        return false;
    }
    let mut word = Zeroizing::new([b" ", secret, b" "].concat());
    word.make_ascii_lowercase();
    memchr::memmem::find(SERVERS_WORDS.as_bytes(), &word).is_some()
}

/// The beginning of a text, with what does not print escaped.
pub(crate) fn printable(text: &[u8]) -> String {
    let shown = text[..text.len().min(4 * BOUND)].trim_ascii();
    let prints = |octet: &u8| matches!(octet, b' '..=b'~');
    if shown.len() < BOUND
        && shown.iter().all(prints)
        && let Ok(text) = core::str::from_utf8(shown)
    {
        return text.into();
    }
    let text = String::from_utf8_lossy(shown);
    let mut printable: String = escaped(text.chars().take(BOUND)).collect();
    if printable.chars().count() >= BOUND {
        printable.push('…');
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w028_servers_words_are_found_whole_and_in_any_letters() {
        let lengths = SERVERS_WORDS.split_ascii_whitespace().map(str::len);
        assert_eq!(lengths.max(), Some(LONGEST_WORD));
        for word in SERVERS_WORDS.split_ascii_whitespace() {
            assert!(is_servers_word(word.as_bytes()), "{word}");
            assert!(
                is_servers_word(word.to_ascii_uppercase().as_bytes()),
                "{word}"
            );
        }
        for other in [
            "",
            "zimbr",
            "imbra",
            "able access",
            " able",
            "able ",
            "able\n",
        ] {
            assert!(!is_servers_word(other.as_bytes()), "{other}");
        }
    }

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

    /// The server's own words stay, what it repeats does not.
    #[test]
    fn w028_a_password_that_is_a_servers_word_is_masked_beside_its_name() {
        for password in ["login", "Dovecot", "Flagged", "password"] {
            let mut mask = Mask::default();
            mask.add_of("tim", &Secret::from(password.as_bytes()));
            let own = format!("* OK {password} ready");
            assert_eq!(mask.clean(own.as_bytes()), own);
            let quoted = format!("A1 BAD unknown: LOGIN \"tim\" \"{password}\"");
            let shown = mask.clean(quoted.as_bytes());
            assert_eq!(shown, "A1 BAD unknown: LOGIN \"<credentials>\"");
            let atoms = format!("A1 BAD unknown: LOGIN TIM {}", password.to_uppercase());
            let shown = mask.clean(atoms.as_bytes());
            assert_eq!(shown, "A1 BAD unknown: LOGIN <credentials>");
        }
        let mut mask = Mask::default();
        mask.add_of("tim", &Secret::from(&b"Tr0ub4dor"[..]));
        assert_eq!(mask.clean(b"NO bad TR0UB4DOR"), "NO bad <password>");
    }

    #[test]
    fn as_many_characters_are_shown_however_long_they_are() {
        for c in ["x", "\u{e9}", "\u{20ac}", "\u{1f600}"] {
            let shown = printable(c.repeat(500).as_bytes());
            assert_eq!(shown, c.repeat(BOUND) + "…");
        }
    }
}
