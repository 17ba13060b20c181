//! Providers that are known by their domains or by their IMAP servers.

use crate::oauth::Profile;

struct Known {
    profile: Profile,
    url: &'static str,
    domains: &'static [&'static str],
}

/// The first one of a profile has the server for domains of one's own.
const KNOWN: &[Known] = &[
    Known {
        profile: Profile::Microsoft,
        url: "imaps://outlook.office365.com",
        domains: &[
            "outlook.com",
            "hotmail.com",
            "live.com",
            "msn.com",
            "onmicrosoft.com",
        ],
    },
    Known {
        profile: Profile::Google,
        url: "imaps://imap.gmail.com",
        domains: &["gmail.com", "googlemail.com"],
    },
    Known {
        profile: Profile::Fastmail,
        url: "imaps://imap.fastmail.com",
        domains: &["fastmail.com", "fastmail.fm"],
    },
    Known {
        profile: Profile::Yandex,
        url: "imaps://imap.yandex.com",
        domains: &["yandex.com", "yandex.ru", "ya.ru"],
    },
    Known {
        profile: Profile::Mailru,
        url: "imaps://imap.mail.ru",
        domains: &["mail.ru", "inbox.ru", "list.ru", "bk.ru", "internet.ru"],
    },
    Known {
        profile: Profile::Yahoo,
        url: "imaps://imap.mail.yahoo.com",
        domains: &["yahoo.com", "ymail.com"],
    },
    Known {
        profile: Profile::Yahoo,
        url: "imaps://imap.aol.com",
        domains: &["aol.com"],
    },
];

/// Whose domain it is, or whose domain it is below, and its IMAP server.
pub(super) fn by_domain(domain: &str) -> Option<(Profile, &'static str)> {
    let is_its = |own: &str| {
        domain
            .strip_suffix(own)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let found = KNOWN
        .iter()
        .find(|known| known.domains.iter().any(|own| is_its(own)));
    found.map(|known| (known.profile, known.url))
}

/// The IMAP server of a provider.
pub(super) fn server(profile: Profile) -> Option<&'static str> {
    let found = KNOWN.iter().find(|known| known.profile == profile);
    found.map(|known| known.url)
}

/// Whose IMAP server it is.
pub(super) fn by_server(url: &str) -> Option<Profile> {
    let host = |url: &str| {
        let (_, rest) = url.split_once("://")?;
        rest.split([':', '/']).next().map(str::to_lowercase)
    };
    let found = KNOWN.iter().find(|known| host(known.url) == host(url));
    found.map(|known| known.profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_servers_lead_to_their_providers() {
        let profile = |domain| by_domain(domain).map(|(profile, _)| profile);
        assert_eq!(profile("gmail.com"), Some(Profile::Google));
        assert_eq!(profile("example.onmicrosoft.com"), Some(Profile::Microsoft));
        assert_eq!(profile("notgmail.com"), None);
        assert_eq!(
            by_server("imaps://IMAP.gmail.com:993"),
            Some(Profile::Google)
        );
        assert_eq!(by_server("imaps://imap.example.org"), None);
    }
}
