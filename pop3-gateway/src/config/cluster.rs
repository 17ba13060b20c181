//! `[cluster]`: where nodes share what they hold.

use std::fs;
use std::path::{Path, PathBuf};

use gateway_cluster::{ClusterUrl, OnFailure};
use pop3_proto::secret::Secret;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::setting::error::Problem;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value, Word};

/// `[cluster]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Which engine, and where.
    pub url: Option<ClusterUrl>,
    /// The engine's password, in a file.
    pub password_file: Option<PathBuf>,
    /// Whose certificates the engine is believed with, if not the system's.
    pub ca_file: Option<PathBuf>,
    /// What all nodes make digests with, in a file.
    pub secret_file: PathBuf,
    /// The name of this node, if it is not the machine's.
    pub node: Option<String>,
    /// The name of the cluster, if it is not the usual one.
    pub name: Option<String>,
    /// What a login without the engine comes to.
    pub on_failure: OnFailure,
}

rows! {
    /// `[cluster]`
    pub(super) ROWS: Cluster = Cluster::default();

    /// What they share is in Redis or Valkey ("redis://HOST:PORT/DB", with TLS "rediss://…"), or in PostgreSQL
    /// ("postgres://USER@HOST/DATABASE").
    told own "url" r#""rediss://gateway@redis.example.org""# => (with set_url, show_url),
    /// The engine's password, in a file; it goes before one in the url.
    told own "password_file" r#""redis.password""# => (password_file),
    /// The certificates to trust for the engine, as PEM. Left out: the system's authorities.
    told own "ca_file" r#""/etc/ssl/my-ca.pem""# => (ca_file),
    /// A secret that all nodes have: no name of a user stands in the engine, but a digest that is made with it. Make it
    /// once, with "openssl rand -base64 32", and give every node the same file.
    told own "secret_file" r#""cluster.secret""# => (secret_file),
    /// The name of this node, different from all others. Left out: the name of the machine.
    told own "node" r#""pop-1""# => (node),
    /// The name of the cluster, where several share one engine. Left out: "gateway".
    told own "name" r#""gateway""# => (name),
    /// A login while the engine does not answer: "open", this node decides alone whether the maildrop is free, and says
    /// so in its log; or "closed", it is answered "-ERR [SYS/TEMP]".
    told "on_failure" r#""open""# => (on_failure),
}

impl Word for OnFailure {
    const WORDS: &'static [(&'static str, Self)] =
        &[("open", Self::Open), ("closed", Self::Closed)];
}

fn set_url(cluster: &mut Cluster, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    let text = String::read(value, base)?;
    // the text is not repeated: a password may stand in it
    let url = text.parse().map_err(|error: gateway_cluster::ClusterError| {
        BadValue::new(
            error.to_string(),
            "write for example \"redis://redis.example.org\" or \"postgres://gateway@db.example.org/gateway\"",
        )
    })?;
    cluster.url = Some(url);
    Ok(())
}

fn show_url(cluster: &Cluster) -> Json {
    json!(cluster.url.as_ref().map(ToString::to_string))
}

impl Cluster {
    /// The name of this node.
    pub fn node(&self) -> String {
        self.node.clone().unwrap_or_else(machine)
    }

    /// The address, with what its files say.
    pub fn place(&self) -> Result<ClusterUrl, String> {
        let mut url = self.url.clone().ok_or("the cluster has no url")?;
        let wrong = |error: gateway_cluster::ClusterError| error.to_string();
        if let Some(file) = &self.password_file {
            url = url.with_password(&secret(file)?).map_err(wrong)?;
        }
        if let Some(file) = &self.ca_file {
            let pem = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            url = url.with_ca(&pem).map_err(wrong)?;
        }
        Ok(url)
    }

    /// What digests are made with.
    pub fn secret(&self) -> Result<Secret, String> {
        secret(&self.secret_file)
    }

    /// What `check` says of it.
    pub(super) fn told(&self) -> String {
        let place = self
            .url
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        let without = self.on_failure.word();
        format!("{place}, node {:?}, {without} without it", self.node())
    }

    pub(super) fn check(&mut self) -> Result<(), Problem> {
        if self.url.is_none() {
            let remedy = "write url = \"redis://HOST\" or url = \"postgres://USER@HOST/DATABASE\"";
            return Err(Problem::new(
                "url",
                "where the nodes meet is missing",
                remedy,
            ));
        }
        if self.secret_file.as_os_str().is_empty() {
            let remedy = "write secret_file = \"cluster.secret\", the same file on all nodes; make it with \
                          \"openssl rand -base64 32\"";
            return Err(Problem::new(
                "secret_file",
                "the secret of the nodes is missing",
                remedy,
            ));
        }
        if self.node().is_empty() {
            let remedy = "write node = \"NAME\", another name on each node";
            return Err(Problem::new("node", "this machine has no name", remedy));
        }
        Ok(())
    }
}

/// The first line of a file, trimmed.
fn secret(file: &Path) -> Result<Secret, String> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let line = text.split(|octet| *octet == b'\n').next();
    Ok(Secret::from(line.unwrap_or_default().trim_ascii()))
}

fn machine() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| String::new(), |name| name.trim().to_owned())
}
