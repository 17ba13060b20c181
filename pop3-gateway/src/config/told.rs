//! What `check` says of the configuration, for people and for programs.

use serde_json::{Value as Json, json};

#[cfg(feature = "http")]
use super::Http;
#[cfg(feature = "acme")]
use super::acme;
#[cfg(feature = "cluster")]
use super::cluster;
#[cfg(all(feature = "http", feature = "oauth"))]
use super::pages;
use super::{Config, Listener, bounds, log};
#[cfg(feature = "oauth")]
use super::{provider, state};
use crate::mailbox::Store;
use crate::mailbox::imap;
use crate::setting::row;

impl Config {
    /// What `check` says of it, but for the runtime: a word for each line, and the line.
    pub(crate) fn told(&self) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        told.extend(self.listeners.iter().map(|own| ("listener", own.told())));
        #[cfg(feature = "http")]
        told.extend(self.http.iter().map(|own| ("http", own.told())));
        #[cfg(feature = "acme")]
        told.extend(self.acme.iter().map(|own| ("acme", own.told())));
        told.extend(self.upstreams.iter().map(|own| ("upstream", own.told())));
        told.extend(self.stores.iter().flat_map(Store::told));
        #[cfg(feature = "oauth")]
        {
            told.extend(self.providers.iter().map(|own| ("provider", own.told())));
            told.extend(
                self.grants
                    .iter()
                    .map(|own| ("grant", own.told(&self.providers))),
            );
            told.extend(self.state.iter().map(|own| ("state", own.told())));
            #[cfg(feature = "http")]
            told.extend(self.pages.iter().map(|own| ("pages", own.told())));
        }
        #[cfg(feature = "cluster")]
        told.extend(self.cluster.iter().map(|own| ("cluster", own.told())));
        told.extend(self.monitor.iter().map(|own| ("monitor", own.told())));
        let routes = self.routing.told().into_iter();
        told.extend(routes.map(|(who, to)| ("route", format!("{who} -> {to}"))));
        told.extend(self.bounds.told());
        told.push(("log", self.log.told()));
        let transcript = self.transcript.iter();
        told.extend(transcript.map(|dir| ("transcript", dir.display().to_string())));
        told
    }

    /// The same for programs.
    pub(crate) fn told_json(&self) -> Json {
        let all = |told: Vec<Json>| Json::from(told);
        let upstream = |own| row::told(imap::ROWS, own).into();
        let route = |(who, to)| json!({ "who": who, "to": to });
        #[cfg_attr(
            not(any(feature = "http", feature = "oauth", feature = "cluster")),
            expect(unused_mut, reason = "nothing is added")
        )]
        let mut told = json!({
            "listeners": all(self.listeners.iter().map(Listener::told_json).collect()),
            "upstreams": all(self.upstreams.iter().map(upstream).collect()),
            "stores": all(self.stores.iter().map(Store::told_json).collect()),
            "monitor": self.monitor.as_ref().map(|monitor| &monitor.user),
            "routes": all(self.routing.told().into_iter().map(route).collect()),
            "limits": row::told(bounds::LIMITS, &self.bounds),
            "timers": row::told(bounds::TIMERS, &self.bounds),
            "log": row::told(log::ROWS, &self.log),
            "transcript": self.transcript,
        });
        #[cfg(feature = "http")]
        {
            told["http"] = all(self.http.iter().map(Http::told_json).collect());
        }
        #[cfg(feature = "acme")]
        {
            let acme = |own| row::told(acme::ROWS, own).into();
            told["acme"] = self.acme.as_ref().map_or(Json::Null, acme);
        }
        #[cfg(feature = "cluster")]
        {
            let cluster = |own| row::told(cluster::ROWS, own).into();
            told["cluster"] = self.cluster.as_ref().map_or(Json::Null, cluster);
        }
        #[cfg(feature = "oauth")]
        {
            let provider = |own| row::told(provider::PROVIDER, own).into();
            let grant = |own| row::told(provider::GRANT, own).into();
            told["providers"] = all(self.providers.iter().map(provider).collect());
            told["grants"] = all(self.grants.iter().map(grant).collect());
            told["state"] = self
                .state
                .as_ref()
                .map_or(Json::Null, |own| row::told(state::ROWS, own).into());
            #[cfg(feature = "http")]
            {
                let pages = |own| row::told(pages::ROWS, own).into();
                told["pages"] = self.pages.as_ref().map_or(Json::Null, pages);
            }
        }
        told
    }
}
