//! What all pages work with, and which mailbox an address leads to.
//!
//! Owns the question whose mailboxes may be connected here. Made anew at each reload; what outlives that is [`Kept`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use gateway_state::GrantId;
use pop3_server::name::is_domain;

use super::browser::{Browsers, Session};
use super::card::Card;
use super::problem::Problem;
use super::rate::{Rates, Sort};
use crate::config::{Pages, RuntimeKind};
use crate::mailbox::imap::Ready;
use crate::oauth::{Authority, Keeper, Records};
use crate::service::Gateway;

/// What outlives a reload: how often addresses asked. Each process counts for itself.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Rates>);

impl Kept {
    pub(super) fn allow(&self, address: IpAddr, sort: Sort) -> bool {
        self.0.allow(address, sort)
    }
}

/// An upstream whose mailboxes people may connect.
#[derive(Clone, Debug)]
pub struct Place {
    /// The upstream.
    pub ready: Arc<Ready>,
    /// Who gives its tokens.
    pub authority: Arc<Authority>,
    /// The grant's name.
    pub grant: String,
}

/// What pages work with.
#[derive(Debug)]
pub struct Desk {
    /// What the operator said of the pages.
    pub settings: Pages,
    /// What is entered into devices.
    pub card: Card,
    /// Where mailboxes are, by the upstream's name.
    pub places: HashMap<String, Place>,
    /// Who goes where.
    pub gateway: Arc<Gateway>,
    /// Grants, accounts, sign-ins under way.
    pub records: Records,
    /// The tokens in memory.
    pub keeper: Arc<Keeper>,
    /// What drives the sockets.
    pub runtime: RuntimeKind,
    /// Who is there.
    pub browsers: Browsers,
    /// How often they asked.
    pub kept: Kept,
}

/// Where an address leads.
#[derive(Clone, Debug)]
pub(super) struct Lead<'d> {
    /// The address as clients log in with it.
    pub(super) address: String,
    /// The mailbox at the upstream.
    pub(super) mailbox: String,
    pub(super) place: &'d Place,
}

impl Desk {
    /// Where the provider sends browsers back to.
    pub(super) fn redirect(&self) -> String {
        format!("{}/signed-in", self.settings.url)
    }

    /// Where this address leads, if its mailbox may be connected by anybody who opens it.
    pub(super) fn listed(&self, address: &str) -> Result<Lead<'_>, Problem> {
        let lead = self.lead(address)?;
        let domain = domain_of(&lead.address).to_lowercase();
        if self.settings.domains.contains(&domain) {
            return Ok(lead);
        }
        Err(Problem::NotHere(domain))
    }

    /// Where this address leads.
    pub(super) fn lead(&self, address: &str) -> Result<Lead<'_>, Problem> {
        let address = address.trim();
        let fits = address.len() <= 254 && !address.contains(|c: char| c.is_control() || c == ' ');
        let name = self.gateway.names.read(address).into_owned();
        let domain = domain_of(&name);
        if !fits || !is_domain(domain) || name.len() <= domain.len() + 1 {
            return Err(Problem::NoAddress);
        }
        let not_here = || Problem::NotHere(domain.to_lowercase());
        let target = self.gateway.routes.find(Some(&name)).ok_or_else(not_here)?;
        let place = self.places.get(target.mailboxes.name());
        Ok(Lead {
            mailbox: target.user(&name),
            place: place.ok_or_else(not_here)?,
            address: name,
        })
    }

    /// The place of a session, if the configuration still has it.
    pub(super) fn place(&self, session: &Session) -> Result<&Place, Problem> {
        let place = self.places.get(&session.place);
        place.ok_or_else(|| Problem::NotHere(domain_of(&session.address).to_lowercase()))
    }
}

impl Place {
    /// The grant of a mailbox here.
    pub(super) fn grant_of(&self, mailbox: &str) -> GrantId {
        GrantId::new(self.grant.as_str(), mailbox.to_lowercase())
    }
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}
