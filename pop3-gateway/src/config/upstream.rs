//! `[[upstream]]`: an IMAP server whose mailboxes are shown.

use std::path::PathBuf;
use std::time::Duration;

use super::document::Table;
use super::error::{Fault, Origin, Problem};
use super::routing::read_rewrite;
use super::url::{Security, UpstreamUrl, is_host_name};
use super::value::{BadValue, Size, Value, Word};
use pop3_server::name::Rewrite;
use pop3_server::tls::Fingerprint;

/// One `[[upstream]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name, for routes and logs.
    pub name: String,
    /// Where it is.
    pub url: UpstreamUrl,
    /// Certificates to trust in the place of the system's, as PEM: those of authorities, or the
    /// server's own.
    pub ca_file: Option<PathBuf>,
    /// The only certificates that are the server's, by their fingerprints; none: it has to be vouched for.
    pub certificate_sha256: Vec<Fingerprint>,
    /// The name that its certificate must prove; the URL's host if none was given.
    pub server_name: String,
    /// Whether `imap://` may go to another machine.
    pub allow_clear: bool,
    /// The folder that is shown.
    pub folder: String,
    /// What becomes of deleted messages.
    pub delete: DeletePolicy,
    /// Whether messages that were read are marked `\Seen` at QUIT.
    pub mark_seen: bool,
    /// How many octets may be fetched ahead for one session; 0 for none.
    pub read_ahead: usize,
    /// How its users' names are written.
    pub rewrite: Rewrite,
    /// How users are logged in.
    pub login: LoginCommand,
    /// Whether the gateway says what to select along with the login, without waiting for its answer.
    pub pipeline_login: PipelineLogin,
    /// Whether the gateway tells the server who it is (RFC 2971); some want that.
    pub send_id: bool,
    /// Capabilities not to use though the server announces them, in upper case.
    pub without: Vec<String>,
    /// Whether the server is the operator's own, so that it may know where clients connect from.
    pub own: bool,
    /// How long connecting, the TLS handshake and the greeting may take.
    pub connect_timeout: Duration,
    /// How long a client waits for its login if the server falls silent in it.
    pub login_timeout: Duration,
    /// How long the server may be silent while an answer is due.
    pub reply_timeout: Duration,
    /// How often an idle connection is kept alive.
    pub keep_alive: Duration,
}

/// How users are logged in with their name and password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginCommand {
    /// With what the server offers.
    #[default]
    Auto,
    /// With LOGIN alone.
    Login,
    /// With AUTHENTICATE PLAIN alone.
    Plain,
}

impl Word for LoginCommand {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("login", Self::Login),
        ("plain", Self::Plain),
    ];
}

/// Whether the gateway says what to select along with LOGIN, in one flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PipelineLogin {
    /// With servers that are known to bear it.
    #[default]
    Auto,
    /// With every server.
    Always,
    /// With none.
    Never,
}

impl Word for PipelineLogin {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("always", Self::Always),
        ("never", Self::Never),
    ];
}

/// What becomes of the messages that a client deleted, at QUIT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeletePolicy {
    /// They are expunged.
    #[default]
    Expunge,
    /// They are moved to the folder that the server marks as `\Trash`.
    Trash,
    /// They are moved to this folder.
    Move(String),
    /// They are marked `\Seen` and not shown again.
    Seen,
    /// They are marked with this keyword and not shown again.
    Keyword(String),
    /// They stay as they are.
    Keep,
}

impl Value for UpstreamUrl {
    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, BadValue> {
        String::read(value)?.parse().map_err(|error| {
            // the text itself is not repeated: someone may have put a password into it
            BadValue::new(
                format!("this is not the URL of an IMAP server: {error}"),
                "write for example \"imaps://imap.example.org\"",
            )
        })
    }
}

impl Value for Fingerprint {
    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, BadValue> {
        let text = String::read(value)?;
        text.parse().map_err(|_| {
            BadValue::new(
                format!("{text:?} is not the SHA-256 fingerprint of a certificate"),
                "write the 64 hexadecimal digits that `openssl x509 -noout -fingerprint -sha256 -in FILE` shows",
            )
        })
    }
}

impl DeletePolicy {
    /// Reads the words of a configuration.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => match text {
                "expunge" => Some(Self::Expunge),
                "trash" => Some(Self::Trash),
                "seen" => Some(Self::Seen),
                "keep" => Some(Self::Keep),
                _ => None,
            },
            Some(("move", folder)) if is_folder(folder) => Some(Self::Move(folder.into())),
            Some(("keyword", keyword)) if is_keyword(keyword) => {
                Some(Self::Keyword(keyword.into()))
            }
            Some(_) => None,
        }
    }
}

impl std::fmt::Display for DeletePolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Expunge => f.write_str("expunge"),
            Self::Trash => f.write_str("trash"),
            Self::Move(folder) => write!(f, "move:{folder}"),
            Self::Seen => f.write_str("seen"),
            Self::Keyword(keyword) => write!(f, "keyword:{keyword}"),
            Self::Keep => f.write_str("keep"),
        }
    }
}

impl Value for DeletePolicy {
    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, BadValue> {
        let text = String::read(value)?;
        Self::parse(&text).ok_or_else(|| {
            BadValue::new(
                format!("{text:?} is not a delete policy"),
                "write \"expunge\", \"trash\", \"move:FOLDER\", \"seen\", \"keyword:WORD\" or \"keep\"",
            )
        })
    }
}

impl Upstream {
    /// An upstream at this place, everything else as by default.
    pub(super) fn new(name: String, url: UpstreamUrl) -> Self {
        Self {
            name,
            server_name: url.host.clone(),
            url,
            ca_file: None,
            certificate_sha256: Vec::new(),
            allow_clear: false,
            folder: "INBOX".into(),
            delete: DeletePolicy::Expunge,
            mark_seen: false,
            read_ahead: 1 << 20,
            rewrite: Rewrite::default(),
            login: LoginCommand::Auto,
            pipeline_login: PipelineLogin::Auto,
            send_id: false,
            without: Vec::new(),
            own: false,
            connect_timeout: Duration::from_secs(30),
            login_timeout: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(9 * 60),
        }
    }

    pub(super) fn read(table: &mut Table<'_>) -> Result<Self, Fault> {
        let name: Option<String> = table.get("name")?;
        let url: Option<UpstreamUrl> = table.get("url")?;
        // a missing URL is reported below, after unknown keys: one of them may be the URL's
        let missing = UpstreamUrl {
            security: Security::Tls,
            host: String::new(),
            port: 0,
        };
        let has_url = url.is_some();
        let mut upstream = Self::new(name.unwrap_or_default(), url.unwrap_or(missing));
        upstream.ca_file = table.get_path("ca_file")?;
        table.set("certificate_sha256", &mut upstream.certificate_sha256)?;
        table.set("server_name", &mut upstream.server_name)?;
        table.set("allow_clear", &mut upstream.allow_clear)?;
        table.set("folder", &mut upstream.folder)?;
        table.set("delete", &mut upstream.delete)?;
        table.set("mark_seen", &mut upstream.mark_seen)?;
        let mut read_ahead = Size(upstream.read_ahead);
        table.set("read_ahead", &mut read_ahead)?;
        upstream.read_ahead = read_ahead.0;
        upstream.rewrite = read_rewrite(table)?.unwrap_or_default();
        table.set("login", &mut upstream.login)?;
        table.set("pipeline_login", &mut upstream.pipeline_login)?;
        table.set("send_id", &mut upstream.send_id)?;
        table.set("without", &mut upstream.without)?;
        table.set("own", &mut upstream.own)?;
        table.set("connect_timeout", &mut upstream.connect_timeout)?;
        table.set("login_timeout", &mut upstream.login_timeout)?;
        table.set("reply_timeout", &mut upstream.reply_timeout)?;
        table.set("keep_alive", &mut upstream.keep_alive)?;
        table.finish()?;
        upstream.in_upper_case();
        if !has_url {
            let remedy = "write for example url = \"imaps://imap.example.org\"";
            return Err(table.fault(Problem::new("url", "the URL is missing", remedy)));
        }
        upstream
            .check(Origin::File)
            .map_err(|problem| table.fault(problem))?;
        Ok(upstream)
    }

    pub(super) fn in_upper_case(&mut self) {
        for capability in &mut self.without {
            capability.make_ascii_uppercase();
        }
    }

    /// What would make this upstream useless or unsafe.
    pub(super) fn check(&self, origin: Origin) -> Result<(), Problem> {
        if self.name.is_empty() || self.name.len() > 64 || self.name.chars().any(char::is_control) {
            let remedy = "write name = \"...\", one printable line of at most 64 octets";
            return Err(Problem::new("name", "an upstream needs a name", remedy));
        }
        if self.url.security == Security::Clear && !self.url.is_loopback() && !self.allow_clear {
            return Err(Problem::new(
                "url",
                "passwords would travel in the clear to another machine",
                format!(
                    "write imaps:// or imap+starttls://, or, if everybody may read them, {}",
                    origin.setting("allow_clear", "true")
                ),
            ));
        }
        if self.ca_file.is_some() && self.url.security == Security::Clear {
            let remedy = "write imaps:// or imap+starttls://, or leave it out";
            return Err(Problem::new(
                "ca_file",
                "this upstream is without TLS",
                remedy,
            ));
        }
        if !self.certificate_sha256.is_empty() {
            let key = "certificate_sha256";
            if self.url.security == Security::Clear {
                let remedy = "write imaps:// or imap+starttls://, or leave it out";
                return Err(Problem::new(key, "this upstream is without TLS", remedy));
            }
            if self.ca_file.is_some() {
                let what = "only these certificates count, so that ca_file would say nothing";
                return Err(Problem::new(key, what, "write one of the two"));
            }
        }
        if !is_host_name(&self.server_name) && self.server_name.parse::<std::net::IpAddr>().is_err()
        {
            let remedy = "write the host name that its certificate proves";
            return Err(Problem::new(
                "server_name",
                "this is not a host name",
                remedy,
            ));
        }
        if !is_folder(&self.folder) {
            let remedy = "write a folder's name, such as \"INBOX\"";
            return Err(Problem::new(
                "folder",
                "this cannot be the name of a folder",
                remedy,
            ));
        }
        for (key, timeout) in [
            ("connect_timeout", self.connect_timeout),
            ("login_timeout", self.login_timeout),
            ("reply_timeout", self.reply_timeout),
            ("keep_alive", self.keep_alive),
        ] {
            if timeout < Duration::from_secs(1) {
                return Err(Problem::new(
                    key,
                    "this is too short",
                    "write at least \"1s\"",
                ));
            }
        }
        if let DeletePolicy::Move(folder) = &self.delete
            && folder.eq_ignore_ascii_case(&self.folder)
        {
            let what = "deleted messages would be moved to where they are";
            return Err(Problem::new("delete", what, "name another folder"));
        }
        Ok(())
    }
}

fn is_folder(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control)
}

/// An IMAP atom that is not a system flag.
fn is_keyword(text: &str) -> bool {
    let special = |b: u8| b"(){%*\"\\]".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !special(b))
}
