//! What the fuzzer chooses from: configurations, logins, and lines of servers.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use imap_backend::{AuthPreference, Config, DeletePolicy, PipelineLogin, Security};
use pop3_proto::backend::renewal::{Renewal, Renewed, Renews};
use pop3_proto::backend::{Access, Login, Mechanism, Names, Open};
use pop3_proto::secret::Secret;

/// Entries of a maildrop.
pub(crate) const MESSAGES: u32 = 1000;

/// Lines that a server may say at any time.
pub(crate) const LINES: &[&[u8]] = &[
    b"* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR UIDPLUS MOVE SPECIAL-USE ENABLE UTF8=ACCEPT ID AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER STARTTLS] Dovecot ready\r\n",
    b"* OK IMAP4rev1 ready\r\n",
    b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n",
    b"* 4 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n",
    b"* OK [UIDVALIDITY 8] valid\r\n",
    b"* 1 FETCH (UID 1 RFC822.SIZE 10 FLAGS ())\r\n* 2 FETCH (UID 2 RFC822.SIZE 200 FLAGS (\\Seen))\r\n",
    b"* 3 FETCH (UID 5 RFC822.SIZE 70000 FLAGS (\\Deleted))\r\n* 4 FETCH (UID 4294967295 RFC822.SIZE 3)\r\n",
    b"* 1 FETCH (FLAGS (\\Deleted) UID 1)\r\n* 2 FETCH (UID 2 FLAGS ())\r\n* 3 FETCH (UID 5 FLAGS ())\r\n* 4 FETCH (UID 4294967295 FLAGS ())\r\n",
    b"* 1 FETCH (UID 1 BODY[] {10}\r\nA: b\r\n\r\nc\n)\r\n",
    b"* 2 FETCH (UID 2 BODY[] {200}\r\n",
    b"* 3 FETCH (BODY[]<0> {8292}\r\n",
    b"* 3 FETCH (UID 5 BODY[] {70000}\r\n",
    b"* 3 FETCH (UID 5 BODY[HEADER] {6}\r\nA: b\r\n)\r\n",
    b"* 3 FETCH (BODY[HEADER] \"A: b\")\r\n",
    b"* 3 FETCH (UID 5 BODY[HEADER] {500}\r\n",
    b"* 1 FETCH (UID 1 BODY[] NIL)\r\n",
    b"* 2 FETCH (UID 2 BODY[] \"A: b\")\r\n",
    b"* LIST (\\HasNoChildren \\Trash) \"/\" Bin\r\n",
    b"* 2 EXPUNGE\r\n",
    b"* BYE going down\r\n",
    b"+ \r\n",
    b")\r\n",
    b"{3}\r\n",
];

/// Texts of a tagged response after the tag.
pub(crate) const ANSWERS: &[&str] = &[
    "OK done",
    "OK done",
    "OK done",
    "NO no",
    "BAD bad",
    "OK [READ-WRITE] selected",
    "OK [READ-ONLY] selected",
    "NO [TRYCREATE] no such folder",
    "NO [AUTHENTICATIONFAILED] no",
    "OK [CAPABILITY IMAP4rev1 UIDPLUS] in",
    "OK [CAPABILITY IMAP4rev1] in",
    "NO [MESSAGELIMIT 2 3] too many",
];

/// A configuration.
pub(crate) fn config(flags: u8, pick: u8) -> Config {
    let security = [
        Security::Clear,
        Security::Clear,
        Security::StartTls,
        Security::Implicit,
    ];
    let mut config = Config::new("imap.example", 143, security[usize::from(flags & 3)]);
    config.mark_seen = flags & 4 != 0;
    config.read_ahead = [0, 250, 256 * 1024, 80_000][usize::from(flags >> 3 & 3)];
    config.auth = if flags & 32 == 0 {
        AuthPreference::Auto
    } else {
        AuthPreference::Plain
    };
    config.quirks.send_id = flags & 64 != 0;
    config.quirks.pipeline_login =
        [PipelineLogin::Auto, PipelineLogin::Always][usize::from(flags >> 7)];
    config.max_messages = MESSAGES;
    if flags & 64 != 0 {
        config.rest = Duration::from_secs(60);
    }
    config.delete = match pick % 8 {
        0 => DeletePolicy::Trash {
            fallback: "Old".into(),
        },
        1 => DeletePolicy::Move("Gel\u{f6}scht".into()),
        2 => DeletePolicy::Seen,
        3 => DeletePolicy::Keyword("$Gone".into()),
        4 => DeletePolicy::Keep,
        _ => DeletePolicy::Expunge,
    };
    config
}

/// A login.
pub(crate) fn open(pick: u8) -> Open {
    let password = Secret::from(&b"secret"[..]);
    let login = match pick >> 4 & 3 {
        0 => Login::Relay {
            mechanism: Mechanism::new("X-RELAY").expect("a name"),
            initial: None,
            names: Names::default(),
        },
        1 => Login::Bearer {
            mechanism: Mechanism::new("XOAUTH2").expect("a name"),
            user: "u".into(),
            token: password,
            // a client's own token cannot be replaced
            renewal: (pick & 128 == 0).then(|| Renewal::new(Arc::new(Tokens))),
        },
        _ => Login::Password {
            user: "u".into(),
            password,
        },
    };
    let access = if pick & 64 == 0 {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    };
    let utf8 = pick & 128 != 0;
    Open::new(login).access(access).utf8(utf8)
}

/// The fuzzer says when one comes, and which.
struct Tokens;

impl Renews for Tokens {
    fn renew(&self, _: Option<&Secret>) -> Pin<Box<dyn Future<Output = Renewed> + Send>> {
        Box::pin(pending())
    }
}
