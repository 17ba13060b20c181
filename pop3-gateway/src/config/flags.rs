//! A configuration from the command line: one listener, one upstream, the values as they were typed.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use pop3_proto::server::{Policy, TlsOffer};
use pop3_server::tls::Identity;
use toml::de::DeValue;

use super::listener::{self, Listener, collision};
use super::{Bounds, Config, Routing};
use crate::mailbox::imap::{self, Upstream};
use crate::setting::error::{Origin, Problem};
use crate::setting::names::Domain;
use crate::setting::row;
use crate::setting::value::Value;

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
        let bounds = Bounds::default();
        let upstream = self.upstream()?;
        let listener = self.listener(&bounds.policy)?;
        let mut config = Config {
            listeners: vec![listener],
            routing: self.routing(&upstream.name)?,
            upstreams: vec![upstream],
            bounds,
            ..Config::default()
        };
        self.override_in(&mut config)?;
        Ok(config)
    }

    /// The settings that also go beside `--config`: runtime, log and transcript.
    pub(super) fn override_in(&self, config: &mut Config) -> Result<(), Problem> {
        config.runtime = read("runtime", self.runtime.as_deref())?.or(config.runtime);
        if let Some(format) = read("log", self.log.as_deref())? {
            config.log.format = format;
        }
        if let Some(level) = read("log_level", self.log_level.as_deref())? {
            config.log.level = level;
        }
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
        let mut upstream = Upstream::new("main");
        let rows = [
            ("url", Some(self.upstream.as_str())),
            ("server_name", self.server_name.as_deref()),
            ("login", self.login.as_deref()),
            ("folder", self.folder.as_deref()),
            ("delete", self.delete.as_deref()),
            ("read_ahead", self.read_ahead.as_deref()),
            ("user_domain", self.user_domain.as_deref()),
        ];
        row::typed(imap::ROWS, &mut upstream, &rows)?;
        let named = |text: &String| parse("certificate_sha256", text);
        let named: Result<_, _> = self.certificate_sha256.iter().map(named).collect();
        upstream.certificate_sha256 = named?;
        upstream.ca_file.clone_from(&self.ca_file);
        upstream.allow_clear = self.allow_clear_upstream;
        let settings = &mut upstream.imap;
        settings.own = self.own;
        settings.mark_seen = self.mark_seen;
        settings.quirks.send_id = self.send_id;
        settings
            .quirks
            .masked_capabilities
            .clone_from(&self.without);
        upstream.check(Origin::Flags)?;
        Ok(upstream)
    }

    fn listener(&self, policy: &Policy) -> Result<Listener, Problem> {
        let typed = |text: &String| parse("listen", text);
        let addresses = match self.listen.as_slice() {
            [] => vec![parse("listen", "127.0.0.1:1100")?],
            listen => listen.iter().map(typed).collect::<Result<_, _>>()?,
        };
        let mut listener = Listener::new(addresses, policy);
        if let Some(problem) = collision([].iter(), &listener.addresses) {
            return Err(problem);
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                listener.certificates.push(Identity {
                    chain: cert.clone(),
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
            listener.policy.tls = TlsOffer::Stls;
        }
        row::typed(
            listener::ROWS,
            &mut listener,
            &[("tls", self.tls.as_deref())],
        )?;
        listener.policy.clear_login |= self.allow_clear_login;
        listener.check(Origin::Flags)?;
        Ok(listener)
    }
}

fn read<T: Value>(key: &'static str, typed: Option<&str>) -> Result<Option<T>, Problem> {
    typed.map(|text| parse(key, text)).transpose()
}

fn parse<T: Value>(key: &'static str, text: &str) -> Result<T, Problem> {
    let value = DeValue::String(Cow::Borrowed(text));
    T::read(&value, Path::new("")).map_err(|bad| Problem::new(key, bad.what, bad.remedy))
}
