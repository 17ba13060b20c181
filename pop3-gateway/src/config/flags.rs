//! A configuration from the command line: one listener, one upstream, the values as they were typed.

use std::borrow::Cow;
use std::path::PathBuf;

use pop3_proto::server::TlsOffer;
use toml::de::DeValue;

use super::error::{Origin, Problem};
use super::listener::{CertificateFiles, Listener, collision};
use super::routing::Domain;
use super::upstream::Upstream;
use super::value::{Size, Value};
use super::{Config, Limits, Log, Routing, Timers};

/// What the command line said. Every flag is named like the key that it stands for, and takes the
/// same values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--upstream`: the upstream's URL.
    pub upstream: String,
    /// `--listen`; `127.0.0.1:1100` if there is none.
    pub listen: Vec<String>,
    /// `--tls`; `stls` if there is a certificate, else `none`.
    pub tls: Option<String>,
    /// `--tls-cert`
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`
    pub tls_key: Option<PathBuf>,
    /// `--tls-self-signed`
    pub tls_self_signed: Option<PathBuf>,
    /// `--allow-clear-login`
    pub allow_clear_login: bool,
    /// `--ca-file`
    pub ca_file: Option<PathBuf>,
    /// `--certificate-sha256`
    pub certificate_sha256: Vec<String>,
    /// `--server-name`
    pub server_name: Option<String>,
    /// `--allow-clear-upstream`
    pub allow_clear_upstream: bool,
    /// `--default-domain`
    pub default_domain: Option<String>,
    /// `--user-domain`
    pub user_domain: Option<String>,
    /// `--own`
    pub own: bool,
    /// `--login`
    pub login: Option<String>,
    /// `--send-id`
    pub send_id: bool,
    /// `--without`
    pub without: Vec<String>,
    /// `--folder`
    pub folder: Option<String>,
    /// `--delete`
    pub delete: Option<String>,
    /// `--mark-seen`
    pub mark_seen: bool,
    /// `--read-ahead`
    pub read_ahead: Option<String>,
    /// `--runtime`
    pub runtime: Option<String>,
    /// `--log`
    pub log: Option<String>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--transcript`
    pub transcript: Option<PathBuf>,
}

impl Flags {
    pub(super) fn into_config(self) -> Result<Config, Problem> {
        let upstream = self.upstream()?;
        let listener = self.listener()?;
        let mut config = Config {
            runtime: None,
            listeners: vec![listener],
            routing: self.routing(&upstream.name)?,
            upstreams: vec![upstream],
            stores: Vec::new(),
            monitor: None,
            limits: Limits::default(),
            timers: Timers::default(),
            log: Log::default(),
            transcript: None,
        };
        self.override_in(&mut config)?;
        Ok(config)
    }

    /// The settings that also go beside `--config`: runtime, log and transcript.
    pub(super) fn override_in(&self, config: &mut Config) -> Result<(), Problem> {
        config.runtime = read("runtime", self.runtime.as_deref())?.or(config.runtime);
        set("log", self.log.as_deref(), &mut config.log.format)?;
        set(
            "log_level",
            self.log_level.as_deref(),
            &mut config.log.level,
        )?;
        if let Some(dir) = &self.transcript {
            config.transcript = Some(dir.clone());
        }
        Ok(())
    }

    fn routing(&self, upstream: &str) -> Result<Routing, Problem> {
        let mut routing = Routing::everybody(upstream);
        let domain = read("default_domain", self.default_domain.as_deref())?;
        routing.names.default_domain = domain.map(|Domain(domain)| domain);
        Ok(routing)
    }

    fn upstream(&self) -> Result<Upstream, Problem> {
        let mut upstream = Upstream::new("main".into(), parse("url", &self.upstream)?);
        upstream.ca_file = self.ca_file.clone();
        set(
            "server_name",
            self.server_name.as_deref(),
            &mut upstream.server_name,
        )?;
        let named = |text: &String| parse("certificate_sha256", text);
        let named: Result<_, _> = self.certificate_sha256.iter().map(named).collect();
        upstream.certificate_sha256 = named?;
        upstream.allow_clear = self.allow_clear_upstream;
        set(
            "user_domain",
            self.user_domain.as_deref(),
            &mut upstream.rewrite.domain,
        )?;
        upstream.own = self.own;
        set("login", self.login.as_deref(), &mut upstream.login)?;
        upstream.send_id = self.send_id;
        upstream.without = self.without.clone();
        upstream.in_upper_case();
        set("folder", self.folder.as_deref(), &mut upstream.folder)?;
        set("delete", self.delete.as_deref(), &mut upstream.delete)?;
        upstream.mark_seen = self.mark_seen;
        let mut read_ahead = Size(upstream.read_ahead);
        set("read_ahead", self.read_ahead.as_deref(), &mut read_ahead)?;
        upstream.read_ahead = read_ahead.0;
        upstream.check(Origin::Flags)?;
        Ok(upstream)
    }

    fn listener(&self) -> Result<Listener, Problem> {
        let typed = |text: &String| parse("listen", text);
        let addresses = match self.listen.as_slice() {
            [] => vec![parse("listen", "127.0.0.1:1100")?],
            listen => listen.iter().map(typed).collect::<Result<_, _>>()?,
        };
        let mut listener = Listener::new(addresses);
        if let Some(problem) = collision([].iter(), &listener.addresses) {
            return Err(problem);
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                listener.certificates.push(CertificateFiles {
                    cert: cert.clone(),
                    key: key.clone(),
                });
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
            listener.tls = TlsOffer::Stls;
        }
        set("tls", self.tls.as_deref(), &mut listener.tls)?;
        listener.allow_clear_login |= self.allow_clear_login;
        listener.check(Origin::Flags)?;
        Ok(listener)
    }
}

fn set<T: Value>(key: &'static str, typed: Option<&str>, place: &mut T) -> Result<(), Problem> {
    if let Some(value) = read(key, typed)? {
        *place = value;
    }
    Ok(())
}

fn read<T: Value>(key: &'static str, typed: Option<&str>) -> Result<Option<T>, Problem> {
    typed.map(|text| parse(key, text)).transpose()
}

fn parse<T: Value>(key: &'static str, text: &str) -> Result<T, Problem> {
    let value = DeValue::String(Cow::Borrowed(text));
    T::read(&value).map_err(|bad| Problem::new(key, bad.what, bad.remedy))
}
