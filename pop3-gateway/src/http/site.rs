//! Which pages a listener has, and who may see them.
//!
//! Owns the way from a request to its page. Reads no body and asks nothing of a page but its answer.

use std::net::IpAddr;

use hyper::{Method, StatusCode};
use ipnet::IpNet;
use pop3_server::tls::ServerTls;

use super::page::{Answer, Page, text};

/// What one listener serves. Immutable: a reload makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Its name in logs.
    pub name: String,
    /// Its certificates, where it speaks TLS.
    pub tls: Option<ServerTls>,
    /// From where it is asked; from anywhere if there are none.
    pub networks: Vec<IpNet>,
    /// How many connections there may be at once.
    pub connections: usize,
    /// What is here.
    pub pages: Vec<Page>,
}

impl Site {
    /// Whether a client may connect from there. An IPv4 address that came in by a socket for both is one.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut networks = self.networks.iter();
        self.networks.is_empty() || networks.any(|network| network.contains(&address))
    }

    /// The page for this request, or why there is none.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<&Page, Box<Answer>> {
        let mut here = self.pages.iter().filter(|page| page.is_at(path));
        if let Some(page) = here.clone().find(|page| page.takes(method)) {
            return Ok(page);
        }
        let Some(first) = here.next() else {
            let nothing = text(StatusCode::NOT_FOUND, "There is nothing here.\n");
            return Err(Box::new(nothing));
        };
        let mut allowed = first.method.to_string();
        for page in here {
            allowed.push_str(", ");
            allowed.push_str(page.method.as_str());
        }
        let mut refusal = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page is not for that.\n",
        );
        if let Ok(allowed) = allowed.parse() {
            refusal.headers_mut().insert(hyper::header::ALLOW, allowed);
        }
        Err(Box::new(refusal))
    }
}
