//! `[acme]`: who issues certificates, and where they are kept.

use std::path::{Path, PathBuf};

use pop3_server::name::is_domain;

use super::{Config, Http};
use crate::http::Serves;
use crate::setting::error::Problem;
use crate::setting::rows;

/// `[acme]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The address of the CA's directory.
    pub directory: String,
    /// Whether the operator accepts what the CA wants accepted.
    pub terms_accepted: bool,
    /// Whom the CA may write to.
    pub contact: Vec<String>,
    /// The folder of the account and the certificates.
    pub dir: Option<PathBuf>,
    /// The authorities that the CA's own server is believed by; the system's if there are none.
    pub ca_file: Option<PathBuf>,
    /// What the CA calls its customer.
    pub eab_kid: Option<String>,
    /// The file with the customer's key.
    pub eab_key_file: Option<PathBuf>,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            terms_accepted: false,
            contact: Vec::new(),
            dir: None,
            ca_file: None,
            eab_kid: None,
            eab_key_file: None,
        }
    }
}

rows! {
    /// `[acme]`
    pub(super) ROWS: Acme = Acme::default();

    /// The directory of the CA, as its documentation names it.
    told "directory" r#""https://acme-v02.api.letsencrypt.org/directory""# => (directory),
    /// That you have read the CA's terms of service and accept them; "check --connect" says where they are.
    told own "terms_accepted" "true" => (terms_accepted),
    /// Whom the CA may write to.
    told own "contact" r#"["mailto:hostmaster@example.org"]"# => (contact),
    /// The folder of the account's key and of the certificates, which the gateway makes and writes to.
    told own "dir" r#""/var/lib/pop3-gateway/acme""# => (dir),
    /// For a CA of your own: the certificates that its server is believed by, as PEM.
    told own "ca_file" r#""/etc/ssl/my-acme.pem""# => (ca_file),
    /// For CAs that want to know their customers: what they call you, and the file with the key that they gave you.
    told own "eab_kid" r#""kid-1""# => (eab_kid),
    told own "eab_key_file" r#""eab.key""# => (eab_key_file),
}

impl Acme {
    /// The folder of the account and the certificates.
    pub fn folder(&self) -> &Path {
        self.dir.as_deref().unwrap_or_else(|| Path::new("acme"))
    }

    /// What `check` says of it.
    pub(super) fn told(&self) -> String {
        let (directory, folder) = (&self.directory, self.folder().display());
        format!("{directory}, kept in {folder}")
    }

    pub(super) fn check(&mut self) -> Result<(), Problem> {
        let is_url = [
            "https://",
            "http://127.0.0.1",
            "http://localhost",
            "http://[::1]",
        ]
        .iter()
        .any(|begin| self.directory.starts_with(begin));
        if !is_url {
            let remedy = "write it with https://";
            return Err(Problem::new(
                "directory",
                "this is no address by TLS",
                remedy,
            ));
        }
        if !self.terms_accepted {
            let what = "the CA issues nothing as long as its terms of service are not accepted";
            let remedy = "read them and write terms_accepted = true";
            return Err(Problem::new("terms_accepted", what, remedy));
        }
        if self.dir.is_none() {
            let what = "where the account and the certificates are kept, is missing";
            let remedy = "write dir = \"/var/lib/pop3-gateway/acme\"";
            return Err(Problem::new("dir", what, remedy));
        }
        if let Some(odd) = self.contact.iter().find(|own| !own.contains(':')) {
            let what = format!("{odd:?} is no address with its scheme");
            let remedy = "write for example \"mailto:hostmaster@example.org\"";
            return Err(Problem::new("contact", what, remedy));
        }
        if self.eab_kid.is_some() != self.eab_key_file.is_some() {
            let remedy = "write both, or leave both out";
            return Err(Problem::new(
                "eab_kid",
                "eab_kid and eab_key_file go together",
                remedy,
            ));
        }
        Ok(())
    }
}

/// The names of each certificate that listeners want, each once.
pub(crate) fn certificates(config: &Config) -> Vec<Vec<String>> {
    let listeners = config.listeners.iter().map(|own| &own.acme);
    let all = listeners.chain(config.http.iter().map(|own| &own.acme));
    let mut wanted: Vec<_> = all.filter(|names| !names.is_empty()).cloned().collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Where a CA may look.
pub(crate) fn looked_at(config: &Config) -> impl Iterator<Item = &Http> {
    config
        .http
        .iter()
        .filter(|own| own.serve.contains(&Serves::Acme))
}

/// Whether what is said of certificates here and there goes together.
pub(super) fn suits(config: &Config) -> Result<(), Problem> {
    let wanted = certificates(config);
    let first = looked_at(config).next();
    let wrong = |what: String, remedy: &str| Err(Problem::new("acme", what, remedy));
    if config.acme.is_none() {
        return match (wanted.is_empty(), first) {
            (true, None) => Ok(()),
            (false, _) | (true, Some(_)) => {
                let remedy = "add [acme] with dir and terms_accepted";
                wrong("there is no [acme] to get certificates by".into(), remedy)
            }
        };
    }
    if wanted.is_empty() {
        let remedy = "write acme = [\"pop.example.org\"] into a [[listener]]";
        return wrong("no listener wants a certificate".into(), remedy);
    }
    if first.is_none() {
        let remedy = "add an [[http]] with serve = [\"acme\"], at port 80, or with TLS at port 443";
        return wrong("there is nothing at which the CA could look".into(), remedy);
    }
    if let Some(shut) = looked_at(config).find(|own| !own.networks.is_empty()) {
        let what = format!(
            "the CA looks from anywhere, and http {:?} has networks",
            shut.name()
        );
        return wrong(what, "leave networks out where acme is served");
    }
    for names in &wanted {
        let odd = |name: &&String| {
            !is_domain(name)
                || !name.is_ascii()
                || name.contains('_')
                || name.to_lowercase() != **name
        };
        if let Some(odd) = names.iter().find(odd) {
            let remedy = "write names in lower case, such as \"pop.example.org\", without \"*\"";
            return wrong(
                format!("{odd:?} is no name that a certificate is issued for"),
                remedy,
            );
        }
        let others = wanted.iter().filter(|other| *other != names);
        if others.clone().any(|other| other.first() == names.first()) {
            let what = format!(
                "two certificates begin with {:?}",
                names.first().cloned().unwrap_or_default()
            );
            return wrong(
                what,
                "write the same names in the same order, or begin with another one",
            );
        }
    }
    Ok(())
}
