//! What a domain tells of its IMAP server: the file that mail programs ask for.
//!
//! Owns where it is asked for and what is read of it. Nothing of it is believed but the name of a server, which then
//! has to prove itself by its certificate; only servers with TLS count.

use roxmltree::{Document, Node};

use crate::oauth::http::Http;

/// The URL of the IMAP server; why there is none.
pub(super) fn ask(domain: &str, address: &str) -> Result<String, String> {
    let http = Http::new(None).map_err(|refusal| refusal.what)?;
    let places = [
        format!("https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={address}"),
        format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml"),
    ];
    let mut why = String::new();
    for place in places {
        match http.page(&place).map_err(|refusal| refusal.what) {
            Ok(page) => match read(&page) {
                Some(url) => return Ok(url),
                None => why = format!("{place} names no IMAP server with TLS"),
            },
            Err(what) => why = what,
        }
    }
    Err(why)
}

/// The first IMAP server with TLS.
fn read(page: &[u8]) -> Option<String> {
    let document = Document::parse(std::str::from_utf8(page).ok()?).ok()?;
    let mut servers = document.descendants().filter(|node| {
        node.has_tag_name("incomingServer") && node.attribute("type") == Some("imap")
    });
    servers.find_map(url)
}

fn url(server: Node<'_, '_>) -> Option<String> {
    let field = |name: &str| {
        let found = server.children().find(|node| node.has_tag_name(name))?;
        Some(found.text()?.trim().to_owned())
    };
    let scheme = match field("socketType")?.as_str() {
        "SSL" => "imaps",
        "STARTTLS" => "imap+starttls",
        _ => return None,
    };
    let (host, port) = (field("hostname")?, field("port")?);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if host.is_empty() || !host.chars().all(plain) {
        return None;
    }
    let port: u16 = port.parse().ok()?;
    Some(format!("{scheme}://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(servers: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"e\">{servers}</emailProvider></clientConfig>"
        )
    }

    #[test]
    fn the_first_imap_server_with_tls_is_taken() {
        let server = |kind: &str, socket: &str, port: &str| {
            format!(
                "<incomingServer type=\"{kind}\"><hostname>m.example.org</hostname><port>{port}</port>\
                 <socketType>{socket}</socketType></incomingServer>"
            )
        };
        let (pop, clear) = (server("pop3", "SSL", "995"), server("imap", "plain", "143"));
        let (tls, start) = (
            server("imap", "SSL", "993"),
            server("imap", "STARTTLS", "143"),
        );
        let found = |text: &str| read(page(text).as_bytes());
        let all = [&pop, &clear, &tls].map(String::as_str).concat();
        assert_eq!(found(&all).as_deref(), Some("imaps://m.example.org:993"));
        assert_eq!(
            found(&start).as_deref(),
            Some("imap+starttls://m.example.org:143")
        );
        assert_eq!(found(&clear), None);
        assert_eq!(found(&server("imap", "SSL", "x")), None);
    }

    #[test]
    fn what_is_no_such_file_names_nothing() {
        let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><a>&b;</a>";
        let deep = "<a>".repeat(10_000);
        for text in ["", "<html><body>", "{}", bomb, deep.as_str()] {
            assert_eq!(read(text.as_bytes()), None);
        }
        assert_eq!(read(b"\xff\xfe"), None);
    }
}
