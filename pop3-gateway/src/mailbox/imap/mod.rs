//! `[[upstream]]`: an IMAP server whose mailboxes are shown.
//!
//! Owns how it is configured; `url` reads where it is, and `ready` serves its logins.

mod ready;
mod url;

pub use ready::Ready;
#[cfg(feature = "oauth")]
pub(crate) use ready::place;
pub(crate) use ready::unique;
use url::is_host_name;
pub use url::{UpstreamUrl, UrlError};

use std::path::{Path, PathBuf};
use std::time::Duration;

use imap_backend::{AuthPreference, Config, DeletePolicy, PipelineLogin, Security};
use pop3_server::name::Rewrite;
use pop3_server::tls::{Fingerprint, Trust};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::setting::document::Table;
use crate::setting::error::{Fault, Origin, Problem};
use crate::setting::rows;
use crate::setting::value::{BadValue, Value, Word};

/// The name of the trash on servers that mark no folder as `\Trash`.
const TRASH: &str = "Trash";

/// How long a connection waits for the next login.
const PARK: Duration = Duration::from_secs(10 * 60);

/// How long a session keeps a connection that it does not need.
const REST: Duration = Duration::from_secs(60);

/// One `[[upstream]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name, for routes and logs.
    pub name: String,
    /// Certificates to trust in the place of the system's, as PEM: those of authorities, or the
    /// server's own.
    pub ca_file: Option<PathBuf>,
    /// The fingerprints of the only certificates that the server may show. If there are none, an authority has to vouch
    /// for it.
    pub certificate_sha256: Vec<Fingerprint>,
    /// Whether `imap://` may go to another machine.
    pub allow_clear: bool,
    /// How its users' names are written.
    pub rewrite: Rewrite,
    /// The grant that opens its mailboxes, where they take no password of a client.
    pub grant: Option<String>,
    /// The passwd-file of who may log in then; there may be others in the state.
    pub accounts: Option<PathBuf>,
    /// How many connections an account may have at once, on all nodes together; 0: as many as there are.
    pub max_per_account: u32,
    /// Where it is, and how its mailboxes are treated.
    pub imap: Config,
}

rows! {
    /// `[[upstream]]`
    pub(crate) ROWS: Upstream = Upstream::new("main");

    /// The name, for routes and logs.
    told own "name" r#""main""# => (name),
    /// The IMAP server: "imaps://host[:port]", "imap+starttls://host[:port]", or "imap://host[:port]" without TLS.
    told own "url" r#""imaps://imap.example.org""# => (with set_url, show_url),
    /// The certificates to trust, as PEM. Left out: the system's authorities. A certificate of an authority
    /// vouches for others; the server's own counts by itself, whatever name and date it has (Proton Bridge,
    /// "openssl req -x509").
    told own "ca_file" r#""/etc/ssl/my-ca.pem""# => (ca_file),
    /// In the place of ca_file: exactly these certificates, by their SHA-256 fingerprints, one or several, as
    /// "openssl x509 -noout -fingerprint -sha256 -in FILE" shows them.
    told own "certificate_sha256" r#"["5e:ce:..."]"# => (certificate_sha256),
    /// The name that the server's certificate must prove. Left out: the host of the URL.
    told own "server_name" r#""imap.example.org""# => (imap.server_name),
    /// imap:// goes to this machine alone, unless this is true: then passwords travel in the clear.
    "allow_clear" "false" => (allow_clear),
    /// The folder that is shown.
    told "folder" r#""INBOX""# => (imap.folder),
    /// What becomes of messages that a client deleted, once it said QUIT:
    ///   "expunge"        they are gone
    ///   "trash"          they are moved to the folder that the server marks as \Trash
    ///   "move:FOLDER"    they are moved to this folder
    ///   "seen"           they are marked \Seen and not shown again
    ///   "keyword:WORD"   they are marked with this keyword and not shown again
    ///   "keep"           they stay, and QUIT says so; a client that fetches in batches until fewer come never ends
    told "delete" r#""expunge""# => (imap.delete),
    /// Whether messages that a client retrieved are marked \Seen, once it said QUIT.
    told "mark_seen" "false" => (imap.mark_seen),
    /// How much may be fetched ahead for a client that takes one message after the other; "0 B" for nothing.
    /// It waits in the socket, not in the memory of the gateway.
    told "read_ahead" r#""1 MiB""# => (imap.read_ahead),
    /// How many connections one account may have there at once, those of all gateways of a [cluster] together, as
    /// providers allow: Gmail 15, Dovecot 10 of one address. A further login waits for 5 seconds, and is then answered
    /// "-ERR [SYS/TEMP]". 0: as many as there are.
    told "max_per_account" "0" => (max_per_account),
    /// How this server wants the names of users. user_domain: "keep"; "strip": without the domain; "add:DOMAIN":
    /// names without a domain get this one; "replace:DOMAIN": all names get it. user_separator is what stands
    /// between name and domain there.
    "user_domain" r#""keep""# => (rewrite.domain),
    own "user_separator" r#""@""# => (rewrite.separator),
    /// The grant whose tokens open its mailboxes (see [[grant]]). Clients log in with accounts of the gateway's own then,
    /// each for one mailbox: in this file, "name:credential" for each, "user=MAILBOX" among the extra fields where the
    /// account is called otherwise, or made with "pop3-gateway account add --mailbox MAILBOX".
    told own "grant" r#""office""# => (grant),
    told own "accounts" r#""devices""# => (accounts),
    /// How users are logged in: "auto" takes what the server offers; "login"; "plain".
    "login" r#""auto""# => (imap.auth),
    /// Whether the gateway sends SELECT right after the login, without waiting for its answer: one round trip
    /// less. "auto" does so where the greeting names Dovecot or Cyrus; "always" is for other servers that do not
    /// lose what comes after the login, as Courier and some proxies do; "never". A SELECT that gets lost all the
    /// same, perhaps in a proxy, is sent again within a second, and later ones wait for the answer.
    "pipeline_login" r#""auto""# => (imap.quirks.pipeline_login),
    /// Whether the gateway tells the server who it is (ID). A few servers want that (163.com, 126.com). Where a
    /// server announces ID and the folder does not open, the gateway sends it and tries once more.
    "send_id" "false" => (imap.quirks.send_id),
    /// Capabilities not to use though the server announces them, such as ["LITERAL+"].
    "without" "[]" => (imap.quirks.masked_capabilities),
    /// Whether this server is your own, so that it learns the addresses of clients (ID, XCLIENT) and its own
    /// limits for one address do not hit everybody. Dovecot wants login_trusted_networks to name the gateway.
    told "own" "false" => (imap.own),
    /// How long connecting, the TLS handshake and the greeting may take.
    "connect_timeout" r#""30s""# => (imap.connect_timeout),
    /// How long a client waits for its login if the server falls silent in it. Most clients wait a minute.
    "login_timeout" r#""30s""# => (imap.login_timeout),
    /// How long the server may be silent while an answer is due.
    "reply_timeout" r#""1m""# => (imap.response_timeout),
    /// How often an idle connection is kept alive.
    "keep_alive" r#""9m""# => (imap.keep_alive),
    /// How long the connection of a session that said QUIT waits for the next login to the same mailbox with the same
    /// password, or by the same token of a grant: most devices come every minute and find nothing new, and each login less is
    /// one less that a provider counts. One waits for each mailbox, and as many in all as "parked" in [limits] says. None
    /// waits after a login by a token of the client's own. "off" logs out at QUIT.
    told "park" r#""10m""# => (with set_park, show_park),
    /// How long a session may need nothing of the server before its connection is given up: it waits as with "park", where
    /// one may wait, and is logged out of otherwise. The next message that is asked for brings one back. The mailbox stays
    /// the session's own meanwhile, with the messages that it showed. Sessions that a token of the client's own opened
    /// keep their connection: it may have run out by then. "off" keeps it for all.
    told "rest" r#""1m""# => (with set_rest, show_rest),
    /// How long the server's yes to a password counts for such logins: a password that was changed there may open the
    /// mailbox here for as long, unless a login with the new one comes first. So may a token that was called back there,
    /// as long as it would have lived.
    "trust_login" r#""1h""# => (imap.trust_login),
    /// Whether a server that offers IDLE is believed to say what is new while a connection waits: a login that finds
    /// nothing new then asks it nothing. What the server says late is seen late; Dovecot takes half a second.
    "trust_idle" "false" => (imap.trust_idle),
}

fn set_park(upstream: &mut Upstream, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    upstream.imap.park = or_off(value, base)?;
    Ok(())
}

fn show_park(upstream: &Upstream) -> Json {
    show_or_off(upstream.imap.park)
}

fn set_rest(upstream: &mut Upstream, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    upstream.imap.rest = or_off(value, base)?;
    Ok(())
}

fn show_rest(upstream: &Upstream) -> Json {
    show_or_off(upstream.imap.rest)
}

fn or_off(value: &DeValue<'_>, base: &Path) -> Result<Duration, BadValue> {
    match value.as_str() {
        Some("off") => Ok(Duration::ZERO),
        Some(_) | None => Value::read(value, base),
    }
}

fn show_or_off(span: Duration) -> Json {
    match span {
        Duration::ZERO => json!("off"),
        span => span.show(),
    }
}

/// Makes it an upstream at this place; the rows after this one change it.
fn set_url(upstream: &mut Upstream, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    upstream.imap = UpstreamUrl::read(value, base)?.into();
    Ok(())
}

fn show_url(upstream: &Upstream) -> Json {
    json!(upstream.url().to_string())
}

impl Word for AuthPreference {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("login", Self::Login),
        ("plain", Self::Plain),
    ];
}

impl Word for PipelineLogin {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("always", Self::Always),
        ("never", Self::Never),
    ];
}

impl Value for UpstreamUrl {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        String::read(value, base)?.parse().map_err(|error| {
            // the text itself is not repeated: someone may have put a password into it
            BadValue::new(
                format!("this is not the URL of an IMAP server: {error}"),
                "write for example \"imaps://imap.example.org\"",
            )
        })
    }

    fn show(&self) -> Json {
        json!(self.to_string())
    }
}

impl Value for Fingerprint {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        text.parse().map_err(|_| {
            BadValue::new(
                format!("{text:?} is not the SHA-256 fingerprint of a certificate"),
                "write the 64 hexadecimal digits that `openssl x509 -noout -fingerprint -sha256 -in FILE` shows",
            )
        })
    }

    fn show(&self) -> Json {
        json!(self.to_string())
    }
}

impl Value for DeletePolicy {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        let policy = match text.split_once(':') {
            None => match text.as_str() {
                "expunge" => Some(Self::Expunge),
                "trash" => Some(Self::Trash {
                    fallback: TRASH.into(),
                }),
                "seen" => Some(Self::Seen),
                "keep" => Some(Self::Keep),
                _ => None,
            },
            Some(("move", folder)) if is_folder(folder) => Some(Self::Move(folder.into())),
            Some(("keyword", keyword)) if imap_backend::is_keyword(keyword) => {
                Some(Self::Keyword(keyword.into()))
            }
            Some(_) => None,
        };
        policy.ok_or_else(|| {
            BadValue::new(
                format!("{text:?} is not a delete policy"),
                "write \"expunge\", \"trash\", \"move:FOLDER\", \"seen\", \"keyword:WORD\" or \"keep\"",
            )
        })
    }

    fn show(&self) -> Json {
        json!(written(self))
    }
}

/// What becomes of deleted messages, as a configuration says it.
fn written(policy: &DeletePolicy) -> String {
    match policy {
        DeletePolicy::Expunge => "expunge".into(),
        DeletePolicy::Trash { .. } => "trash".into(),
        DeletePolicy::Move(folder) => format!("move:{folder}"),
        DeletePolicy::Seen => "seen".into(),
        DeletePolicy::Keyword(keyword) => format!("keyword:{keyword}"),
        DeletePolicy::Keep => "keep".into(),
    }
}

/// The names of an upstream's accounts where those of several upstreams are kept: those of one server are the same,
/// whatever its `[[upstream]]` is called.
#[derive(Clone, Debug)]
pub struct Accounts(String);

impl Accounts {
    /// The name of a user's account.
    pub(crate) fn of(&self, user: &str) -> String {
        format!("{}\n{}", self.0, user.to_lowercase())
    }
}

impl Upstream {
    /// An upstream without an address yet.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            ca_file: None,
            certificate_sha256: Vec::new(),
            allow_clear: false,
            rewrite: Rewrite::default(),
            grant: None,
            accounts: None,
            max_per_account: 0,
            imap: UpstreamUrl {
                security: Security::Implicit,
                host: String::new(),
                port: 0,
            }
            .into(),
        }
    }

    /// Where it is.
    pub fn url(&self) -> UpstreamUrl {
        UpstreamUrl {
            security: self.imap.security,
            host: self.imap.endpoint.host.clone(),
            port: self.imap.endpoint.port,
        }
    }

    /// What its accounts are kept under, beside those of other upstreams.
    pub(crate) fn accounts(&self) -> Accounts {
        let endpoint = &self.imap.endpoint;
        Accounts(format!("{}:{}", endpoint.host, endpoint.port))
    }

    /// What `check` says of it.
    pub(crate) fn told(&self) -> String {
        let trust = match (&self.ca_file, self.certificate_sha256.as_slice()) {
            (Some(file), _) => format!(", trusting {}", file.display()),
            (None, []) => String::new(),
            (None, [one]) => format!(", trusting exactly {one}"),
            (None, several) => format!(", trusting exactly {} certificates", several.len()),
        };
        let own = match self.imap.own {
            true => {
                ", own: told where clients connect from, which Dovecot believes if login_trusted_networks names the gateway"
            }
            false => "",
        };
        let (name, url, folder) = (&self.name, self.url(), &self.imap.folder);
        let delete = self.delete();
        let grant = match (&self.grant, &self.accounts) {
            (None, _) => String::new(),
            (Some(grant), None) => format!(", opened by the grant {grant}"),
            (Some(grant), Some(file)) => {
                format!(
                    ", opened by the grant {grant} for accounts in {}",
                    file.display()
                )
            }
        };
        format!("{name} at {url}{trust}: folder {folder}, delete = {delete}{grant}{own}")
    }

    /// What becomes of deleted messages, as it was written.
    pub fn delete(&self) -> String {
        written(&self.imap.delete)
    }

    /// Whether sessions give up connections that they do not need.
    pub fn rests(&self) -> bool {
        !self.imap.rest.is_zero()
    }

    /// Which certificates are believed; none where there is no TLS.
    pub fn trust(&self) -> Option<Trust> {
        match (self.imap.security, &self.ca_file) {
            (Security::Clear, _) => None,
            (Security::Implicit | Security::StartTls, _) if !self.certificate_sha256.is_empty() => {
                Some(Trust::Certificates(self.certificate_sha256.clone()))
            }
            (Security::Implicit | Security::StartTls, Some(file)) => {
                Some(Trust::File(file.clone()))
            }
            (Security::Implicit | Security::StartTls, None) => Some(Trust::System),
        }
    }

    pub(crate) fn read(table: &mut Table<'_>) -> Result<Self, Fault> {
        let mut upstream = Self::new("");
        table.read(ROWS, &mut upstream, |upstream| upstream.check(Origin::File))?;
        Ok(upstream)
    }

    /// What would make this upstream useless or unsafe.
    pub(crate) fn check(&self, origin: Origin) -> Result<(), Problem> {
        if self.imap.endpoint.host.is_empty() {
            let remedy = "write for example url = \"imaps://imap.example.org\"";
            return Err(Problem::new("url", "the URL is missing", remedy));
        }
        #[cfg(not(feature = "cluster"))]
        if self.max_per_account != 0 {
            let what = "this pop3-gateway was built without it";
            let remedy = "build it with --features cluster";
            return Err(Problem::new("max_per_account", what, remedy));
        }
        let clear = self.imap.security == Security::Clear;
        if self.name.is_empty() || self.name.len() > 64 || self.name.chars().any(char::is_control) {
            let remedy = "write name = \"...\", one printable line of at most 64 octets";
            return Err(Problem::new("name", "an upstream needs a name", remedy));
        }
        if clear && !self.url().is_loopback() && !self.allow_clear {
            return Err(Problem::new(
                "url",
                "passwords would travel in the clear to another machine",
                format!(
                    "write imaps:// or imap+starttls://, or, if everybody may read them, {}",
                    origin.setting("allow_clear", "true")
                ),
            ));
        }
        for (key, named) in [
            ("ca_file", self.ca_file.is_some()),
            ("certificate_sha256", !self.certificate_sha256.is_empty()),
        ] {
            if named && clear {
                let remedy = "write imaps:// or imap+starttls://, or leave it out";
                return Err(Problem::new(key, "this upstream has no TLS", remedy));
            }
        }
        if !self.certificate_sha256.is_empty() && self.ca_file.is_some() {
            let what = "only these certificates count, so ca_file would have no effect";
            return Err(Problem::new(
                "certificate_sha256",
                what,
                "write one of the two",
            ));
        }
        let proved = &self.imap.server_name;
        if !is_host_name(proved) && proved.parse::<std::net::IpAddr>().is_err() {
            let remedy = "write the host name that its certificate proves";
            return Err(Problem::new(
                "server_name",
                "this is not a host name",
                remedy,
            ));
        }
        if !is_folder(&self.imap.folder) {
            let remedy = "write a folder's name, such as \"INBOX\"";
            let what = "this cannot be the name of a folder";
            return Err(Problem::new("folder", what, remedy));
        }
        for (key, timeout) in [
            ("connect_timeout", self.imap.connect_timeout),
            ("login_timeout", self.imap.login_timeout),
            ("reply_timeout", self.imap.response_timeout),
            ("keep_alive", self.imap.keep_alive),
        ] {
            if timeout < Duration::from_secs(1) {
                let remedy = "write at least \"1s\"";
                return Err(Problem::new(key, "this is too short", remedy));
            }
        }
        if let DeletePolicy::Move(folder) = &self.imap.delete
            && folder.eq_ignore_ascii_case(&self.imap.folder)
        {
            let what = "deleted messages would be moved to the folder that they are in";
            return Err(Problem::new("delete", what, "name another folder"));
        }
        Ok(())
    }
}

fn is_folder(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control)
}
