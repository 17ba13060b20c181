//! Every table of the file and its rows, in the order in which people read of them.

use super::{ROOT, bounds, listener, log, monitor, routing};
use crate::mailbox::{self, imap};
use crate::setting::reference::{Section, manual, markdown};

/// What holds for all keys.
const INTRO: &str = "\
The file is TOML. Times have a unit: \"90s\", \"10m\", \"1h 30m\". Sizes have a unit: \"64 KiB\", \"1 MiB\". Relative paths
start at the folder of the file; \"credential:NAME\" is a file that systemd gives (LoadCredential=). Unknown keys are
refused, with the nearest one that is known. A table in double brackets may come several times.

pop3-gateway check says what a file would run, or everything that is wrong with it. SIGHUP lets a running gateway read it
again and changes everything but the runtime and the place of the state, addresses too: no session is cut. After a
mistake, or where a port is taken, the log says so, and the old configuration stays.";

/// Before the first table in the book.
const OF_BOOK: &str = "\
# Every key of the configuration

[`pop3-gateway.example.toml`](https://github.com/pop3-gateway/pop3-gateway/blob/main/pop3-gateway.example.toml) has the
same keys as a file. This page and the manual page `pop3-gateway.toml(5)` are made from the program's own table of
settings: `pop3-gateway man --reference` prints this page.

";

/// As a page of the book.
pub(crate) fn page() -> String {
    markdown(&format!("{OF_BOOK}{INTRO}\n"), &sections())
}

/// As a manual page of section 5.
pub(crate) fn manual_page() -> String {
    manual(
        "pop3-gateway.toml",
        "the configuration of pop3-gateway",
        INTRO,
        &sections(),
    )
}

fn sections() -> Vec<Section> {
    let mut all = vec![
        Section::new("Before all tables", "Keys of the file itself.").with(ROOT),
        Section::new("[[listener]]", "Where clients connect, and what they may do there.").with(listener::ROWS),
        Section::new(
            "[[listener.certificate]]",
            "A certificate from files, for the listener before it; an [[http.certificate]] has the same keys. With \
             several, the name that the client asks for (SNI) decides, and the first is the default.",
        )
        .with(listener::CERTIFICATE),
        Section::new("[[upstream]]", "An IMAP server whose mailboxes are shown.").with(imap::ROWS),
    ];
    all.extend(mailbox::sections());
    #[cfg(feature = "oauth")]
    all.extend([
        Section::new(
            "[[provider]]",
            "Who gives tokens of OAuth 2, and how the app is registered there.",
        )
        .with(super::provider::PROVIDER),
        Section::new(
            "[[grant]]",
            "How a provider's tokens come about. An upstream names it.",
        )
        .with(super::provider::GRANT),
        Section::new(
            "[state]",
            "Where grants of persons and accounts of devices are kept.",
        )
        .with(super::state::ROWS),
    ]);
    #[cfg(feature = "cluster")]
    all.push(
        Section::new(
            "[cluster]",
            "Several gateways in front of the same mailboxes (docs/fleet.md). Left out: this one is alone.",
        )
        .with(super::cluster::ROWS),
    );
    #[cfg(feature = "http")]
    all.push(Section::new("[[http]]", "Where HTTP is served, and what.").with(super::http::ROWS));
    #[cfg(feature = "acme")]
    all.push(
        Section::new(
            "[acme]",
            "Who issues certificates for the names that a listener or an [[http]] has in acme.",
        )
        .with(super::acme::ROWS),
    );
    #[cfg(all(feature = "http", feature = "oauth"))]
    all.push(
        Section::new(
            "[pages]",
            "Pages where people connect their mailboxes and make passwords for devices.",
        )
        .with(super::pages::ROWS),
    );
    all.extend([
        Section::new("[monitor]", "An account for those who watch the gateway.").with(monitor::ROWS),
        Section::new(
            "[routing]",
            "Who goes where. It can be left out where there is a single upstream or store.",
        )
        .with(routing::ROWS),
        Section::new(
            "[routing.domain]",
            "Each key is a domain: \"example.org\" = \"NAME\", or a table in braces with these keys. user_domain and \
             user_separator go before those of the upstream or store; same_users = true says that the users of two \
             domains are the same people.",
        )
        .with(routing::DOMAIN),
        Section::new(
            "[routing.user]",
            "Each key is a user: \"alice\" = \"NAME\", or a table in braces with these keys; user is the name there.",
        )
        .with(routing::USER),
        Section::new("[limits]", "What connections and clients may take together.").with(bounds::LIMITS),
        Section::new("[timers]", "How long things may take.").with(bounds::TIMERS),
        Section::new("[log]", "What is said on standard error.").with(log::ROWS),
        Section::new("[transcript]", "Both dialogues of every session. Left out: none.").with(log::TRANSCRIPT),
    ]);
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[cfg(all(
    feature = "acme",
    feature = "oauth",
    feature = "maildir",
    feature = "sql"
))]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../pop3-gateway.example.toml");

    #[test]
    fn the_book_has_what_the_rows_say() {
        let is = include_str!("../../../docs/book/reference.md");
        let hint =
            "write it anew: cargo run -p pop3-gateway -- man --reference >docs/book/reference.md";
        assert!(is == page(), "{hint}");
    }

    #[test]
    fn every_key_of_the_example_is_in_the_reference() {
        let all: Vec<_> = sections().iter().flat_map(Section::names).collect();
        for line in EXAMPLE.lines() {
            let line = line.strip_prefix("# ").unwrap_or(line);
            let Some((key, _)) = line.split_once(" = ") else {
                continue;
            };
            let is_key = key
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '_');
            assert!(!is_key || all.contains(&key), "{key}");
        }
    }

    #[test]
    fn a_key_says_what_it_takes() {
        let page = page();
        for line in [
            "Default: `\"none\"`. Takes \"none\", \"stls\" or \"implicit\".",
            "Default: `50`. Takes a whole number, without quotes.",
            "Default: `\"2s\"`. Takes a time with its unit in quotes, such as \"10m\".",
        ] {
            assert!(page.contains(line), "{line}");
        }
    }

    #[test]
    fn the_manual_page_has_every_table() {
        let page = manual_page();
        for section in sections() {
            for name in section.names() {
                let name = name.replace('-', "\\-");
                assert!(page.contains(&format!("\\fB{name}\\fR")), "{name}");
            }
        }
    }
}
