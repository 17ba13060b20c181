//! The grammar of POP3 commands: one line → [`Command`].
//!
//! It knows the shape of every command (RFC 1939, 2449, 2595, 5034, 6856) and nothing of states. It
//! never echoes a client's octets and never lets a control character through: what comes out of here
//! can be handed to an upstream's command builder.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::command::{Command, CommandError, MessageNumber, Verb};
//!
//! assert_eq!(Command::parse(b"retr 3"), Ok(Command::Retr(MessageNumber(3))));
//! assert_eq!(Command::parse(b"RETR 0"), Err(CommandError::Arguments(Verb::Retr)));
//! let login = Command::parse(b"PASS two words")?;
//! assert_eq!(login.to_string(), "PASS <password>");
//! # Ok::<(), CommandError>(())
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_while_m_n, take_while1};
use nom::character::complete::{digit1, space0, space1};
use nom::combinator::{all_consuming, map_opt, opt, value};
use nom::sequence::{pair, preceded, terminated};
use nom::{IResult, Parser};

use crate::apop;
use crate::backend::Mechanism;
use crate::secret::Secret;
use crate::trace::Claimed;

/// A command as the client gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `USER name`
    User(String),
    /// `PASS password`: everything after the first space belongs to the password.
    Pass(Secret),
    /// `APOP name digest`
    Apop {
        /// The name.
        user: String,
        /// MD5 of timestamp and secret.
        digest: [u8; 16],
    },
    /// `AUTH` alone: list the mechanisms.
    AuthList,
    /// `AUTH mechanism [initial-response]`
    Auth {
        /// The mechanism.
        mechanism: Mechanism,
        /// The initial response in base64 as it came; `=` stands for an empty one.
        initial: Option<Secret>,
    },
    /// `CAPA`
    Capa,
    /// `STLS`
    Stls,
    /// `UTF8`
    Utf8,
    /// `LANG [tag]`
    Lang(Option<String>),
    /// `XPRO`: read-only access is wanted.
    Xpro,
    /// `STAT`
    Stat,
    /// `LIST [message]`
    List(Option<MessageNumber>),
    /// `UIDL [message]`
    Uidl(Option<MessageNumber>),
    /// `RETR message`
    Retr(MessageNumber),
    /// `TOP message lines`
    Top(MessageNumber, u64),
    /// `DELE message`
    Dele(MessageNumber),
    /// `NOOP`
    Noop,
    /// `RSET`
    Rset,
    /// `QUIT`
    Quit,
}

/// A message number, 1 or more. Whether there is such a message, the maildrop knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(pub u32);

/// What is wrong with a line that is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The first word is not a verb that is known here.
    #[error("unknown command")]
    Unknown,
    /// The verb is known, but its arguments are wrong.
    #[error("wrong arguments for {0}")]
    Arguments(Verb),
    /// A control character, or octets that are not UTF-8 (RFC 6856 section 2.2).
    #[error("a character that is not allowed in a command")]
    Characters,
}

macro_rules! verbs {
    ($($variant:ident $word:literal)*) => {
        /// The verbs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum Verb { $($variant),* }

        impl Verb {
            /// The verb in upper case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            fn read(word: &[u8]) -> Option<Self> {
                $(if word.eq_ignore_ascii_case($word.as_bytes()) { return Some(Self::$variant); })*
                None
            }
        }
    };
}

verbs! {
    User "USER" Pass "PASS" Apop "APOP" Auth "AUTH" Capa "CAPA" Stls "STLS" Utf8 "UTF8" Lang "LANG" Xpro "XPRO"
    Stat "STAT" List "LIST" Uidl "UIDL" Retr "RETR" Top "TOP" Dele "DELE" Noop "NOOP" Rset "RSET" Quit "QUIT"
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Command {
    /// Reads a line without its line end.
    ///
    /// Verbs in any case; one or more spaces between arguments; trailing spaces are stepped over
    /// except after a password. Numbers are decimal digits, 10 at most for a message (1 to 2³²−1),
    /// 20 at most for lines (0 to 2⁶⁴−1).
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let word = line
            .iter()
            .position(|b| matches!(b, b' ' | b'\t'))
            .unwrap_or(line.len());
        let (word, rest) = line.split_at(word);
        let verb = Verb::read(word).ok_or(CommandError::Unknown)?;
        if line
            .iter()
            .any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7F)
        {
            return Err(CommandError::Characters);
        }
        if verb == Verb::Pass {
            return password(rest).ok_or(CommandError::Arguments(verb));
        }
        let rest = core::str::from_utf8(rest).map_err(|_| CommandError::Characters)?;
        arguments(verb, rest).ok_or(CommandError::Arguments(verb))
    }

    /// The verb.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::User(_) => Verb::User,
            Self::Pass(_) => Verb::Pass,
            Self::Apop { .. } => Verb::Apop,
            Self::AuthList | Self::Auth { .. } => Verb::Auth,
            Self::Capa => Verb::Capa,
            Self::Stls => Verb::Stls,
            Self::Utf8 => Verb::Utf8,
            Self::Lang(_) => Verb::Lang,
            Self::Xpro => Verb::Xpro,
            Self::Stat => Verb::Stat,
            Self::List(_) => Verb::List,
            Self::Uidl(_) => Verb::Uidl,
            Self::Retr(_) => Verb::Retr,
            Self::Top(..) => Verb::Top,
            Self::Dele(_) => Verb::Dele,
            Self::Noop => Verb::Noop,
            Self::Rset => Verb::Rset,
            Self::Quit => Verb::Quit,
        }
    }
}

/// The command as a transcript shows it: secrets are named, not shown. A name is shown up to its first space,
/// because a password may follow that was typed in the wrong place. A mechanism is shown if it is one.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb();
        match self {
            Self::User(name) => write!(f, "{verb} {}", Claimed(name)),
            Self::Pass(_) => write!(f, "{verb} <password>"),
            Self::Apop { user, .. } => write!(f, "{verb} {} <digest>", Claimed(user)),
            Self::Auth {
                mechanism,
                initial: None,
            } => write!(f, "{verb} {}", Shown(mechanism)),
            Self::Auth {
                mechanism,
                initial: Some(_),
            } => {
                write!(f, "{verb} {} <initial response>", Shown(mechanism))
            }
            Self::Lang(Some(tag)) if tag.len() <= 5 => write!(f, "{verb} {tag}"),
            Self::Lang(Some(tag)) => write!(f, "{verb} <{} octets>", tag.len()),
            Self::List(Some(n)) | Self::Uidl(Some(n)) | Self::Retr(n) | Self::Dele(n) => {
                write!(f, "{verb} {}", n.0)
            }
            Self::Top(n, lines) => write!(f, "{verb} {} {lines}", n.0),
            Self::AuthList
            | Self::Capa
            | Self::Stls
            | Self::Utf8
            | Self::Lang(None)
            | Self::Xpro
            | Self::Stat
            | Self::List(None)
            | Self::Uidl(None)
            | Self::Noop
            | Self::Rset
            | Self::Quit => write!(f, "{verb}"),
        }
    }
}

/// A password may hold spaces anywhere, so only one separator is taken off. It need not be UTF-8:
/// old clients send it in the charset of their system.
fn password(rest: &[u8]) -> Option<Command> {
    let password = rest.strip_prefix(b" ")?;
    (!password.is_empty()).then(|| Command::Pass(Secret::from(password)))
}

/// A mechanism, if it is one that somebody may have meant.
struct Shown<'a>(&'a Mechanism);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_str();
        if MECHANISMS.contains(&name) || ["SCRAM-", "GS2-"].iter().any(|own| name.starts_with(own))
        {
            f.write_str(name)
        } else {
            write!(f, "<{} octets>", name.len())
        }
    }
}

/// Mechanisms of IANA's registry that clients ask for, and two that were never in it.
const MECHANISMS: [&str; 15] = [
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "XOAUTH2",
    "OAUTHBEARER",
    "OAUTH10A",
    "EXTERNAL",
    "ANONYMOUS",
    "GSSAPI",
    "GSS-SPNEGO",
    "KERBEROS_V4",
    "NTLM",
    "OTP",
    "SAML20",
];

/// What follows the verb, with the separator in front.
fn arguments(verb: Verb, rest: &str) -> Option<Command> {
    let bare = |command| all_consuming(value(command, space0)).parse(rest);
    let parsed: IResult<&str, Command> = match verb {
        // read before, because it need not be text
        Verb::Pass => return password(rest.as_bytes()),
        Verb::User => {
            let name = rest.trim_matches(' ');
            return (!name.is_empty() && !name.contains('\t'))
                .then(|| Command::User(name.to_owned()));
        }
        Verb::Apop => {
            let (user, digest) = rest.trim_matches(' ').rsplit_once(' ')?;
            let user = user.trim_end_matches(' ');
            let digest = apop::from_hex(digest.as_bytes())?;
            return (!user.is_empty()).then(|| Command::Apop {
                user: user.to_owned(),
                digest,
            });
        }
        Verb::Auth => auth(rest),
        Verb::Capa => bare(Command::Capa),
        Verb::Stls => bare(Command::Stls),
        Verb::Utf8 => bare(Command::Utf8),
        Verb::Lang => last(opt(preceded(space1, language)).map(Command::Lang)).parse(rest),
        Verb::Xpro => bare(Command::Xpro),
        Verb::Stat => bare(Command::Stat),
        Verb::List => last(opt(preceded(space1, message)).map(Command::List)).parse(rest),
        Verb::Uidl => last(opt(preceded(space1, message)).map(Command::Uidl)).parse(rest),
        Verb::Retr => last(preceded(space1, message).map(Command::Retr)).parse(rest),
        Verb::Top => last(
            pair(preceded(space1, message), preceded(space1, lines))
                .map(|(message, lines)| Command::Top(message, lines)),
        )
        .parse(rest),
        Verb::Dele => last(preceded(space1, message).map(Command::Dele)).parse(rest),
        Verb::Noop => bare(Command::Noop),
        Verb::Rset => bare(Command::Rset),
        Verb::Quit => bare(Command::Quit),
    };
    parsed.ok().map(|(_, command)| command)
}

/// The last argument: nothing but spaces may follow.
fn last<'a>(
    inner: impl Parser<&'a str, Output = Command, Error = nom::error::Error<&'a str>>,
) -> impl Parser<&'a str, Output = Command, Error = nom::error::Error<&'a str>> {
    all_consuming(terminated(inner, space0))
}

fn message(input: &str) -> IResult<&str, MessageNumber> {
    let short = |digits: &str| {
        (digits.len() <= 10)
            .then(|| digits.parse::<u32>().ok())
            .flatten()
    };
    map_opt(digit1, move |digits: &str| {
        short(digits).filter(|n| *n > 0).map(MessageNumber)
    })
    .parse(input)
}

fn lines(input: &str) -> IResult<&str, u64> {
    map_opt(digit1, |digits: &str| {
        (digits.len() <= 20).then(|| digits.parse().ok()).flatten()
    })
    .parse(input)
}

fn language(input: &str) -> IResult<&str, String> {
    let tag = take_while_m_n(1, 35, |c: char| c.is_ascii_alphanumeric() || c == '-');
    alt((tag_no_case("*"), tag))
        .map(ToOwned::to_owned)
        .parse(input)
}

/// Bare AUTH lists the mechanisms, as old clients expect (qD1, qD2).
fn auth(input: &str) -> IResult<&str, Command> {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mechanism = map_opt(take_while_m_n(1, 20, name), Mechanism::new);
    let initial = take_while1(|c: char| c.is_ascii_graphic())
        .map(|initial: &str| Secret::from(initial.as_bytes()));
    let full = pair(preceded(space1, mechanism), opt(preceded(space1, initial)))
        .map(|(mechanism, initial)| Command::Auth { mechanism, initial });
    all_consuming(alt((
        terminated(full, space0),
        value(Command::AuthList, space0),
    )))
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, CommandError> {
        Command::parse(line.as_bytes())
    }

    fn number(n: u32) -> MessageNumber {
        MessageNumber(n)
    }

    #[test]
    fn p001_keywords_in_any_case() {
        for line in ["quit", "QuIt", "QUIT"] {
            assert_eq!(parse(line), Ok(Command::Quit));
        }
    }

    #[test]
    fn p003_several_and_trailing_spaces() {
        assert_eq!(parse("LIST  1 "), Ok(Command::List(Some(number(1)))));
        assert_eq!(parse("STAT "), Ok(Command::Stat));
        assert_eq!(parse("TOP 1   2"), Ok(Command::Top(number(1), 2)));
    }

    #[test]
    fn p004_p009_p067_what_is_no_command() {
        for line in [
            "",
            " ",
            "XY",
            "ABCDE",
            "QUITT",
            " QUIT",
            "\u{7f}",
            "__init__",
            "STAT\u{0}",
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
        assert_eq!(parse("DELE 1\r"), Err(CommandError::Characters));
        assert_eq!(parse("DELE 1\u{0}"), Err(CommandError::Characters));
        assert_eq!(Command::parse(b"USER \xff"), Err(CommandError::Characters));
    }

    #[test]
    fn p025_p068_numbers_are_decimal_digits() {
        let junk = [
            "LIST 0",
            "LIST -1",
            "LIST +1",
            "LIST 4294967296",
            "LIST 1 2",
            "LIST 1x",
            "LIST x",
        ];
        for line in junk
            .into_iter()
            .chain(["LIST 00000000001", "RETR", "DELE", "RETR  ", "LIST ١"])
        {
            assert!(
                matches!(parse(line), Err(CommandError::Arguments(_))),
                "{line}"
            );
        }
        assert_eq!(parse("LIST 01"), Ok(Command::List(Some(number(1)))));
        assert_eq!(
            parse("RETR 4294967295"),
            Ok(Command::Retr(number(u32::MAX)))
        );
    }

    /// W029: what may be a password typed in the wrong place is not shown.
    #[test]
    fn w029_what_was_typed_in_the_wrong_place_is_not_shown() {
        for (line, shown) in [
            ("USER tim", "USER tim"),
            ("USER tim secret", "USER tim <6 octets>"),
            ("USER tim secret words ", "USER tim <12 octets>"),
            ("AUTH secret", "AUTH <6 octets>"),
            ("AUTH tim secret", "AUTH <3 octets> <initial response>"),
            ("AUTH scram-sha-1", "AUTH SCRAM-SHA-1"),
            ("LANG secret", "LANG <6 octets>"),
            ("LANG de-CH", "LANG de-CH"),
            (
                "APOP tim secret c4c9334bac560ecc979e58001b3e22fb",
                "APOP tim <6 octets> <digest>",
            ),
            ("PASS secret", "PASS <password>"),
        ] {
            assert_eq!(
                parse(line).map(|command| command.to_string()),
                Ok(shown.into())
            );
        }
    }

    #[test]
    fn p054_names_and_languages() {
        assert_eq!(parse("USER a b "), Ok(Command::User("a b".into())));
        for line in ["USER", "USER ", "USER   ", "USER a\tb", "USER \t"] {
            assert!(parse(line).is_err(), "{line:?}");
        }
        assert_eq!(parse("LANG"), Ok(Command::Lang(None)));
        for tag in ["*", "en", "de-CH-1996", "i-default"] {
            let line = alloc::format!("LANG {tag}");
            assert_eq!(parse(&line), Ok(Command::Lang(Some(tag.into()))));
        }
        for line in ["LANG e_n", "LANG **", "LANG de ch", "LANG \"de\""] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn p042_top_takes_two_numbers() {
        for line in [
            "TOP 1",
            "TOP 1 -1",
            "TOP 1 18446744073709551616",
            "TOP 1 1 1",
            "TOP",
        ] {
            assert_eq!(
                parse(line),
                Err(CommandError::Arguments(Verb::Top)),
                "{line}"
            );
        }
        assert_eq!(
            parse("TOP 1 18446744073709551615"),
            Ok(Command::Top(number(1), u64::MAX))
        );
        assert_eq!(parse("TOP 1 0"), Ok(Command::Top(number(1), 0)));
    }

    #[test]
    fn p056_f19_spaces_belong_to_the_password() {
        let pass = |password: &[u8]| Ok(Command::Pass(Secret::from(password)));
        assert_eq!(parse("PASS two words"), pass(b"two words"));
        assert_eq!(parse("PASS  x "), pass(b" x "));
        assert_eq!(parse("PASS "), Err(CommandError::Arguments(Verb::Pass)));
    }

    #[test]
    fn w051_a_password_of_any_octets() {
        for password in [&b"gr\xfc\xdfe"[..], b"\xff", "gr\u{fc}\u{df}e".as_bytes()] {
            let line = [b"PASS ", password].concat();
            assert_eq!(
                Command::parse(&line),
                Ok(Command::Pass(Secret::from(password)))
            );
        }
        // control octets are not a password, and no other command takes such octets
        for line in [&b"PASS a\0b"[..], b"PASS \x07", b"USER \xfc", b"STAT \xfc"] {
            assert!(Command::parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn s019_s020_auth_forms() {
        let plain = Mechanism::new("PLAIN").expect("a name");
        assert_eq!(parse("AUTH"), Ok(Command::AuthList));
        assert_eq!(parse("AUTH "), Ok(Command::AuthList));
        let bare = Command::Auth {
            mechanism: plain.clone(),
            initial: None,
        };
        assert_eq!(parse("auth\tplain"), Ok(bare));
        let initial = Some(Secret::from(&b"="[..]));
        assert_eq!(
            parse("AUTH PLAIN ="),
            Ok(Command::Auth {
                mechanism: plain,
                initial
            })
        );
        assert!(parse("AUTH PLAIN a b").is_err());
    }

    #[test]
    fn v33_secrets_are_not_displayed() {
        let shown = [
            ("PASS hunter2", "PASS <password>"),
            ("AUTH PLAIN aHVudGVyMg==", "AUTH PLAIN <initial response>"),
        ];
        for (line, expected) in shown {
            let command = parse(line).expect("a command");
            assert_eq!(command.to_string(), expected);
            assert!(!alloc::format!("{command:?}").contains("hunter2"));
        }
    }

    proptest! {
        #[test]
        fn v12_no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn what_is_displayed_without_a_secret_parses_again(n in 1u32.., lines in any::<u64>()) {
            let commands = [Command::Retr(number(n)), Command::Top(number(n), lines)];
            for command in commands {
                prop_assert_eq!(parse(&command.to_string()), Ok(command));
            }
        }
    }
}
