//! What the tables say together.
//!
//! Owns the checks that no table can make by itself; each table's own are in its file.

use super::Config;
#[cfg(feature = "acme")]
use super::acme;
use super::routing::{Routing, Targets};
use crate::mailbox::imap::Upstream;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem};

impl Config {
    /// Whether what an upstream says of grants and accounts suits the rest.
    #[cfg(feature = "oauth")]
    fn reaches(&self, upstream: &Upstream) -> Result<(), Problem> {
        let name = &upstream.name;
        let Some(grant) = &upstream.grant else {
            return match upstream.accounts {
                None => Ok(()),
                Some(_) => {
                    let what = format!(
                        "{name:?} has accounts and no grant, so that they would open nothing"
                    );
                    Err(Problem::new(
                        "upstream",
                        what,
                        "write grant = \"NAME\", or leave accounts out",
                    ))
                }
            };
        };
        let Some(grant) = self.grants.iter().find(|own| own.name == *grant) else {
            let what = format!("{name:?} names the grant {grant:?}, which is not there");
            return Err(Problem::new(
                "upstream",
                what,
                "add [[grant]] with this name",
            ));
        };
        if upstream.accounts.is_none() && self.state.is_none() {
            let what = format!(
                "nobody could log in to {name:?}: a mailbox that a grant reaches needs accounts of its own"
            );
            let remedy = "write accounts = \"FILE\" there, or add [state] and \"pop3-gateway account add --mailbox MAILBOX\"";
            return Err(Problem::new("upstream", what, remedy));
        }
        let provider = self
            .providers
            .iter()
            .find(|own| own.provider.name == grant.provider);
        let signs_in = provider.is_some_and(|own| grant.flow(&own.provider).signs_in());
        if signs_in && self.state.is_none() {
            let what = format!(
                "the grant {:?} of persons who sign in has to be kept",
                grant.name
            );
            return Err(Problem::new(
                "state",
                what,
                "add [state] with url and key_file",
            ));
        }
        Ok(())
    }

    /// Whether pages are served, if there are some, and the other way round.
    #[cfg(all(feature = "http", feature = "oauth"))]
    fn has_pages(&self) -> Result<(), Problem> {
        let is_served = self
            .http
            .iter()
            .any(|own| own.serve.contains(&crate::http::Serves::Pages));
        match (&self.pages, is_served) {
            (None, false) => Ok(()),
            (None, true) => {
                let what = "pages are served, and nothing is said of them";
                Err(Problem::new(
                    "pages",
                    what,
                    "add [pages] with url and domains",
                ))
            }
            (Some(_), false) => {
                let what = "they are served nowhere";
                let remedy = "write serve = [\"pages\"] into an [[http]]";
                Err(Problem::new("pages", what, remedy))
            }
            (Some(_), true) => Ok(()),
        }
    }

    /// This build knows no grants.
    #[cfg(not(feature = "oauth"))]
    #[expect(clippy::unused_self, reason = "as with them")]
    fn reaches(&self, upstream: &Upstream) -> Result<(), Problem> {
        match (&upstream.grant, &upstream.accounts) {
            (None, None) => Ok(()),
            (Some(_), _) | (_, Some(_)) => {
                let what = "this pop3-gateway was built without grants";
                Err(Problem::new(
                    "upstream",
                    what,
                    "build it with --features oauth",
                ))
            }
        }
    }

    /// This build gets no certificates.
    #[cfg(not(feature = "acme"))]
    fn without_acme(&self) -> Result<(), Problem> {
        let all = self.listeners.iter().map(|own| &own.acme);
        #[cfg(feature = "http")]
        let all = all.chain(self.http.iter().map(|own| &own.acme));
        if all.flatten().next().is_some() {
            let what = "this pop3-gateway was built without ACME";
            let remedy = "build it with --features acme";
            return Err(Problem::new("acme", what, remedy));
        }
        Ok(())
    }

    /// Reads the routes, and looks at what the tables say together.
    pub(super) fn look_around(
        &mut self,
        root: &Table<'_>,
        routing: Option<Table<'_>>,
    ) -> Result<(), Fault> {
        let mut fault = Fault::default();
        if self.listeners.is_empty() {
            let remedy = "add [[listener]] with listen = \"127.0.0.1:1110\"";
            let problem = Problem::new("listener", "there is no listener", remedy);
            fault.note::<()>(Err(root.fault(problem)));
        }
        let upstreams = self
            .upstreams
            .iter()
            .map(|own| (own.name.as_str(), &own.rewrite));
        let stores = self
            .stores
            .iter()
            .map(|own| (own.name.as_str(), &own.rewrite));
        let targets: Vec<_> = upstreams.chain(stores).collect();
        if targets.is_empty() {
            let what = "there is no upstream";
            let remedy = "add [[upstream]] with a name and url = \"imaps://imap.example.org\"";
            fault.note::<()>(Err(root.fault(Problem::new("upstream", what, remedy))));
        }
        for upstream in &self.upstreams {
            let suits = self.reaches(upstream);
            fault.note::<()>(suits.map_err(|problem| root.fault(problem)));
        }
        #[cfg(feature = "acme")]
        fault.note::<()>(acme::suits(self).map_err(|problem| root.fault(problem)));
        #[cfg(not(feature = "acme"))]
        fault.note::<()>(self.without_acme().map_err(|problem| root.fault(problem)));
        #[cfg(all(feature = "http", feature = "oauth"))]
        fault.note::<()>(self.has_pages().map_err(|problem| root.fault(problem)));
        fault.found()?;
        let known = Targets {
            places: &targets,
            stores: !self.stores.is_empty(),
        };
        let routing = match (routing, targets.as_slice()) {
            (Some(table), _) => Routing::read(table, known)?,
            (None, [(only, _)]) => Routing::everybody(only),
            (None, _) => {
                let what = match known.stores {
                    true => {
                        "there are several upstreams or stores, and no route says who goes where"
                    }
                    false => "there are several upstreams, and no route says who goes where",
                };
                let remedy =
                    "add [routing] with default = \"NAME\", or routes for domains or users";
                return Err(root.fault(Problem::new("routing", what, remedy)));
            }
        };
        if let Some(monitor) = &self.monitor
            && routing
                .users
                .contains_key(&routing.names.read(&monitor.user).to_lowercase())
        {
            let what = format!("{:?} has a route of its own", monitor.user);
            let remedy = "give the monitoring account a name that no user has";
            return Err(root.fault(Problem::new("monitor", what, remedy)));
        }
        routing
            .check_relays(&self.listeners, &self.stores)
            .map_err(|problem| root.fault(problem))?;
        self.routing = routing;
        Ok(())
    }
}
