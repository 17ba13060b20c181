//! The URL of an upstream: `imaps://host[:port]`, `imap+starttls://host[:port]`, `imap://host[:port]`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use imap_backend::{Config, Security};

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    /// How the connection is protected.
    pub security: Security,
    /// A host name or an IP address without brackets, in lower case.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Why a text is not the URL of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No scheme, or a foreign one.
    #[error("it does not start with imaps://, imap+starttls:// or imap://")]
    Scheme,
    /// A user name stands in it.
    #[error("it names a user; every client logs in with its own name and password")]
    User,
    /// Something stands after the host and port.
    #[error("nothing may follow the host and the port; the folder is a setting of its own")]
    Path,
    /// No host, or one that cannot be.
    #[error("it has no valid host name or IP address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
}

/// Each way to protect a connection, with its scheme and its usual port.
const SCHEMES: [(Security, &str, u16); 3] = [
    (Security::Implicit, "imaps", 993),
    (Security::StartTls, "imap+starttls", 143),
    (Security::Clear, "imap", 143),
];

impl From<UpstreamUrl> for Config {
    fn from(url: UpstreamUrl) -> Self {
        let mut config = Self::new(&url.host, url.port, url.security);
        config.park = super::PARK;
        config.rest = super::REST;
        config
    }
}

impl UpstreamUrl {
    /// Whether the host is this machine by its very name.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for UpstreamUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let (security, _, usual_port) = SCHEMES
            .into_iter()
            .find(|(_, name, _)| name.eq_ignore_ascii_case(scheme))
            .ok_or(UrlError::Scheme)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(UrlError::User);
        }
        if authority.contains(['/', '?', '#', ';']) {
            return Err(UrlError::Path);
        }
        let (host, port) = split(authority)?;
        let port = match port {
            None => usual_port,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or(UrlError::Port)?,
            Some(_) => return Err(UrlError::Port),
        };
        Ok(Self {
            security,
            host,
            port,
        })
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = SCHEMES.iter().find(|(own, _, _)| *own == self.security);
        let scheme = own.map_or("", |(_, scheme, _)| scheme);
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// Host and port, the brackets of an IPv6 address taken off.
fn split(authority: &str) -> Result<(String, Option<&str>), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or(UrlError::Host)?;
        let address: Ipv6Addr = host.parse().map_err(|_| UrlError::Host)?;
        let port = match behind {
            "" => None,
            _ => Some(behind.strip_prefix(':').ok_or(UrlError::Host)?),
        };
        return Ok((address.to_string(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if is_host_name(host) {
        Ok((host.to_ascii_lowercase(), port))
    } else {
        Err(UrlError::Host)
    }
}

/// Letters, digits and hyphens between dots; also takes IPv4 addresses.
pub(super) fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn urls_are_read_and_shown() {
        for (text, shown) in [
            ("imaps://imap.example.org", "imaps://imap.example.org:993"),
            (
                "IMAPS://IMAP.Example.org:1993/",
                "imaps://imap.example.org:1993",
            ),
            ("imap+starttls://mail", "imap+starttls://mail:143"),
            ("imap://[::1]:1143", "imap://[::1]:1143"),
            ("imap://127.0.0.1", "imap://127.0.0.1:143"),
        ] {
            assert_eq!(text.parse::<UpstreamUrl>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_not_a_url_is_refused_with_its_reason() {
        for (text, reason) in [
            ("imap.example.org", UrlError::Scheme),
            ("pop3://mail", UrlError::Scheme),
            ("imaps://bob:secret@mail", UrlError::User),
            ("imaps://mail/INBOX", UrlError::Path),
            ("imaps://mail?x", UrlError::Path),
            ("imaps://", UrlError::Host),
            ("imaps://[::1", UrlError::Host),
            ("imaps://[::1]x", UrlError::Host),
            ("imaps://::1", UrlError::Host),
            ("imaps://a b", UrlError::Host),
            ("imaps://a..b", UrlError::Host),
            ("imaps://mail:0", UrlError::Port),
            ("imaps://mail:+1", UrlError::Port),
            ("imaps://mail:", UrlError::Port),
            ("imaps://mail:65536", UrlError::Port),
        ] {
            assert_eq!(text.parse::<UpstreamUrl>(), Err(reason), "{text}");
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.2", true),
            ("[::1]", true),
            ("10.0.0.1", false),
            ("localhost.example.org", false),
        ] {
            let url: UpstreamUrl = format!("imap://{host}").parse().unwrap();
            assert_eq!(url.is_loopback(), expected, "{host}");
        }
    }
}
