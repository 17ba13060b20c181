//! A configuration from the command line: one listener, one upstream, the values as they were typed.
//!
//! A flag that sets a key is read, explained and has the default as the key's row says.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args, ValueHint};
use pop3_proto::server::{Policy, TlsOffer};
use pop3_server::tls::Identity;
use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::listener::{self, CERTIFICATE, Listener, collision};
use super::log::{self, LogFormat, LogLevel};
use super::{Bounds, Config, ROOT, Routing, RuntimeKind, routing};
use crate::mailbox::imap::{self, Upstream};
use crate::setting::error::{Origin, Problem, flag};
use crate::setting::row::{Mark, Row};
use crate::setting::value::Word;
use imap_backend::AuthPreference;

/// Where clients connect if nothing else is said.
const LISTEN: &str = "127.0.0.1:1100";

/// What the command line said. Every flag is named like the key that it stands for, and takes the
/// same values.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--upstream`: the upstream's URL.
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// `--runtime`
    #[arg(long, value_parser = words::<RuntimeKind>())]
    pub runtime: Option<String>,
    /// `--listen`; `127.0.0.1:1100` if there is none.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<String>,
    /// `--tls`; `stls` if there is a certificate, else `none`.
    #[arg(long, value_parser = words::<TlsOffer>())]
    pub tls: Option<String>,
    /// `--tls-cert`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// `--tls-self-signed`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub tls_self_signed: Option<PathBuf>,
    /// `--tls-name`
    #[arg(long, value_name = "NAME")]
    pub tls_name: Vec<String>,
    /// `--allow-clear-login`
    #[arg(long)]
    pub allow_clear_login: bool,
    /// `--ca-file`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// `--certificate-sha256`
    #[arg(long, value_name = "FINGERPRINT")]
    pub certificate_sha256: Vec<String>,
    /// `--server-name`
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// `--default-domain`
    #[arg(long, value_name = "DOMAIN")]
    pub default_domain: Option<String>,
    /// `--user-domain`
    #[arg(long, value_name = "RULE")]
    pub user_domain: Option<String>,
    /// `--allow-clear-upstream`
    #[arg(long)]
    pub allow_clear_upstream: bool,
    /// `--own`
    #[arg(long)]
    pub own: bool,
    /// `--login`
    #[arg(long, value_parser = words::<AuthPreference>())]
    pub login: Option<String>,
    /// `--send-id`
    #[arg(long)]
    pub send_id: bool,
    /// `--without`
    #[arg(long, value_name = "CAPABILITY")]
    pub without: Vec<String>,
    /// `--folder`
    #[arg(long, value_name = "NAME")]
    pub folder: Option<String>,
    /// `--delete`
    #[arg(long, value_name = "POLICY")]
    pub delete: Option<String>,
    /// `--mark-seen`
    #[arg(long)]
    pub mark_seen: bool,
    /// `--read-ahead`
    #[arg(long, value_name = "SIZE")]
    pub read_ahead: Option<String>,
    /// `--log`
    #[arg(long, value_parser = words::<LogFormat>())]
    pub log: Option<String>,
    /// `--log-level`
    #[arg(long, value_parser = words::<LogLevel>())]
    pub log_level: Option<String>,
    /// `--transcript`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub transcript: Option<PathBuf>,
}

fn words<T: Word>() -> clap::builder::PossibleValuesParser {
    let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
    words.into()
}

/// Lets the row of a flag's key say what the flag means, and where help shows it.
pub(crate) fn explain(arg: Arg) -> Arg {
    let clients = help(listener::ROWS, &arg).or_else(|| help(CERTIFICATE, &arg));
    let server = || help(imap::ROWS, &arg).or_else(|| help(routing::ROWS, &arg));
    let logs = || help(log::ROWS, &arg).or_else(|| help(log::TRANSCRIPT, &arg));
    let (heading, (brief, whole)) = if let Some(help) = clients {
        ("Clients", help)
    } else if let Some(help) = server() {
        ("IMAP server", help)
    } else if let Some(help) = logs() {
        ("Logs", help)
    } else if let Some((brief, whole)) = help(ROOT, &arg) {
        return arg.help(brief).long_help(whole);
    } else {
        return arg;
    };
    let arg = arg.help(brief).long_help(whole);
    match (arg.get_id().as_str(), heading) {
        ("upstream", _) => arg,
        (_, "Logs") => arg.help_heading(heading),
        (_, _) => {
            let arg = arg.help_heading(heading);
            arg.conflicts_with("config").requires("upstream")
        }
    }
}

/// The first sentence on the key of this flag, and all of them; with its default.
fn help<S>(rows: &[Row<S>], arg: &Arg) -> Option<(String, String)> {
    let name = format!("--{}", arg.get_long()?);
    let row = rows.iter().find(|row| flag(row.key) == name)?;
    let mut whole = String::new();
    for line in row.doc {
        // a list keeps its lines
        let end = if line.starts_with("  ") { "\n" } else { " " };
        whole = match whole.as_str() {
            "" => line.trim().to_owned(),
            before => format!("{before}{end}{}", line.trim_end().trim_start_matches(' ')),
        };
    }
    let first = whole.lines().next().unwrap_or_default();
    let first = first.split_once(". ").map_or(first, |(first, _)| first);
    let mut more = String::new();
    if matches!(arg.get_action(), ArgAction::Append) {
        more.push_str("; may be repeated");
    }
    let default = match (arg.get_id().as_str(), row.example) {
        ("listen", _) => LISTEN,
        ("tls", _) => "stls if there is a certificate, else none",
        (_, "false" | "true" | "[]") => "",
        _ if row.marks.contains(&Mark::NoDefault) => "",
        (_, text) if text.contains(' ') => text,
        (_, text) => text.trim_matches('"'),
    };
    if !default.is_empty() {
        more.push_str(&format!(" [default: {default}]"));
    }
    let brief = first.trim_end_matches(['.', ':']);
    Some((format!("{brief}{more}"), format!("{whole}{more}")))
}

/// Values as they were typed, by their keys.
#[derive(Default)]
struct Typed<'t>(Vec<(&'static str, DeValue<'t>)>);

impl<'t> Typed<'t> {
    fn text(mut self, key: &'static str, text: Option<&'t String>) -> Self {
        let text = text.map(|text| DeValue::String(Cow::Borrowed(text)));
        self.0.extend(text.map(|text| (key, text)));
        self
    }

    fn list(mut self, key: &'static str, texts: &'t [String]) -> Self {
        let mut list = DeArray::new();
        for text in texts {
            list.push(Spanned::new(0..0, DeValue::String(Cow::Borrowed(text))));
        }
        self.0
            .extend((!texts.is_empty()).then_some((key, DeValue::Array(list))));
        self
    }

    fn switch(mut self, key: &'static str, on: bool) -> Self {
        self.0.extend(on.then_some((key, DeValue::Boolean(true))));
        self
    }

    /// Sets what was typed; everything else stays.
    fn set<S>(self, rows: &[Row<S>], section: &mut S) -> Result<(), Problem> {
        for row in rows {
            if let Some((key, value)) = self.0.iter().find(|(key, _)| *key == row.key) {
                (row.set)(section, value, Path::new(""))
                    .map_err(|bad| Problem::new(key, bad.what, bad.remedy))?;
            }
        }
        Ok(())
    }
}

impl Flags {
    pub(super) fn into_config(self) -> Result<Config, Problem> {
        let bounds = Bounds::default();
        let upstream = self.upstream()?;
        let listener = self.listener(&bounds.policy)?;
        let mut config = Config {
            listeners: vec![listener],
            routing: Routing::everybody(&upstream.name),
            upstreams: vec![upstream],
            bounds,
            ..Config::default()
        };
        let domain = Typed::default().text("default_domain", self.default_domain.as_ref());
        domain.set(routing::ROWS, &mut config.routing)?;
        self.override_in(&mut config)?;
        Ok(config)
    }

    /// The settings that also go beside `--config`: runtime, log and transcript.
    pub(super) fn override_in(&self, config: &mut Config) -> Result<(), Problem> {
        let runtime = Typed::default().text("runtime", self.runtime.as_ref());
        runtime.set(ROOT, config)?;
        let log = Typed::default()
            .text("format", self.log.as_ref())
            .text("level", self.log_level.as_ref());
        log.set(log::ROWS, &mut config.log)?;
        if let Some(dir) = &self.transcript {
            config.transcript = Some(dir.clone());
        }
        Ok(())
    }

    fn upstream(&self) -> Result<Upstream, Problem> {
        let mut upstream = Upstream::new("main");
        let typed = Typed::default()
            .text("url", self.upstream.as_ref())
            .list("certificate_sha256", &self.certificate_sha256)
            .text("server_name", self.server_name.as_ref())
            .switch("allow_clear", self.allow_clear_upstream)
            .text("folder", self.folder.as_ref())
            .text("delete", self.delete.as_ref())
            .switch("mark_seen", self.mark_seen)
            .text("read_ahead", self.read_ahead.as_ref())
            .text("user_domain", self.user_domain.as_ref())
            .text("login", self.login.as_ref())
            .switch("send_id", self.send_id)
            .list("without", &self.without)
            .switch("own", self.own);
        typed.set(imap::ROWS, &mut upstream)?;
        upstream.ca_file.clone_from(&self.ca_file);
        upstream.check(Origin::Flags)?;
        Ok(upstream)
    }

    fn listener(&self, policy: &Policy) -> Result<Listener, Problem> {
        let mut listener = Listener::new(Vec::new(), policy);
        let usual = [LISTEN.to_owned()];
        let addresses = match self.listen.as_slice() {
            [] => &usual,
            listen => listen,
        };
        let addresses = Typed::default().list("listen", addresses);
        addresses.set(listener::ROWS, &mut listener)?;
        if let Some(problem) = collision([].iter(), &listener.addresses) {
            return Err(problem);
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                listener
                    .certificates
                    .push(Identity::new(cert.clone(), key.clone()));
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                let what = "a certificate is two files";
                return Err(Problem::new(
                    "tls_cert",
                    what,
                    "give both --tls-cert and --tls-key",
                ));
            }
        }
        listener.self_signed = self.tls_self_signed.clone();
        if !listener.certificates.is_empty() || listener.self_signed.is_some() {
            listener.policy.tls = TlsOffer::Stls;
        }
        let typed = Typed::default()
            .list("self_signed_names", &self.tls_name)
            .text("tls", self.tls.as_ref())
            .switch("allow_clear_login", self.allow_clear_login);
        typed.set(listener::ROWS, &mut listener)?;
        listener.check(Origin::Flags)?;
        Ok(listener)
    }
}
