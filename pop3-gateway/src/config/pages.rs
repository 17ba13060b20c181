//! `[pages]`: where people connect their mailboxes and make passwords for their devices.

use crate::setting::error::Problem;
use crate::setting::names::Domain;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value};

use std::path::Path;

use pop3_server::name::is_domain;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

/// `[pages]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// How browsers reach them: scheme, host and port, no more.
    pub url: String,
    /// Whose mailboxes may be connected by themselves, in lower case.
    pub domains: Vec<String>,
    /// The POP3 server's name, as devices reach it; the host of `url`, if it is not said.
    pub server: Option<String>,
    /// Whom people may ask.
    pub contact: Option<String>,
    /// Whether the address of a client is what a proxy on this machine says.
    pub behind_proxy: bool,
}

rows! {
    /// `[pages]`
    pub(super) ROWS: Pages = Pages::default();

    /// How browsers reach them. Register URL/signed-in as the redirect address at the provider.
    told own "url" r#""https://mail.example.org""# => (url),
    /// Whose mailboxes people may connect by themselves. Others need a link from "pop3-gateway sign-in --link".
    told own "domains" r#"["example.org"]"# => (with set_domains, show_domains),
    /// The name of the POP3 server that people enter into their devices. Left out: the host of url.
    told own "server" r#""pop.example.org""# => (server),
    /// Whom people may ask when something goes wrong; one line.
    told own "contact" r#""the help desk, extension 100""# => (contact),
    /// Whether a web server on this machine stands before them that names the client in X-Forwarded-For. Clients are
    /// counted by that address then.
    told "behind_proxy" "false" => (behind_proxy),
}

fn set_domains(pages: &mut Pages, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    let domains = Vec::<Domain>::read(value, base)?.into_iter();
    pages.domains = domains.map(|domain| domain.0.to_lowercase()).collect();
    Ok(())
}

fn show_domains(pages: &Pages) -> Json {
    json!(pages.domains)
}

impl Pages {
    /// The host and port, as browsers send them.
    pub fn authority(&self) -> &str {
        let after = self.url.split_once("://").map(|(_, after)| after);
        after.unwrap_or_default()
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority
            .strip_prefix('[')
            .and_then(|v6| v6.split_once(']'))
        {
            Some((v6, _)) => v6,
            None => authority.split(':').next().unwrap_or_default(),
        }
    }

    /// Whether browsers come by TLS.
    pub fn is_secure(&self) -> bool {
        self.url.starts_with("https://")
    }

    /// What `check` says of them.
    pub(super) fn told(&self) -> String {
        let (url, domains) = (&self.url, self.domains.join(" "));
        match domains.is_empty() {
            true => format!("{url}, by invitation alone"),
            false => format!("{url}, for {domains}"),
        }
    }

    pub(super) fn check(&mut self) -> Result<(), Problem> {
        let remedy = "write it as url = \"https://mail.example.org\"";
        if self.url.is_empty() {
            return Err(Problem::new("url", "where they are, is missing", remedy));
        }
        let url = self.url.trim_end_matches('/').to_lowercase();
        // browsers leave these out
        let port = if url.starts_with("https://") {
            ":443"
        } else {
            ":80"
        };
        self.url = url.strip_suffix(port).unwrap_or(&url).to_owned();
        let (authority, host) = (self.authority(), self.host());
        let port = authority
            .rsplit_once(':')
            .filter(|(_, port)| !port.ends_with(']'));
        let is_v6 = authority.starts_with('[');
        let is_host = match is_v6 {
            true => host.parse::<std::net::Ipv6Addr>().is_ok(),
            false => is_domain(host) && host.is_ascii(),
        };
        let has_port = authority.len() > host.len() + 2 * usize::from(is_v6);
        let is_port = !has_port || port.is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !is_host || !is_port {
            let what = "this is no address with scheme, host and port alone";
            return Err(Problem::new("url", what, remedy));
        }
        let is_here = ["127.0.0.1", "localhost", "::1"].contains(&host);
        if !(self.is_secure() || is_here && self.url.starts_with("http://")) {
            let what = "passwords are shown there, and everybody on the way could read them";
            return Err(Problem::new("url", what, "write it with https://"));
        }
        let lines = [("server", &self.server), ("contact", &self.contact)];
        for (key, text) in lines {
            let wrong = |text: &String| {
                text.is_empty() || text.len() > 200 || text.contains(char::is_control)
            };
            if text.as_ref().is_some_and(wrong) {
                let what = "this is no line of at most 200 octets";
                return Err(Problem::new(key, what, "write one, or leave it out"));
            }
        }
        Ok(())
    }
}
