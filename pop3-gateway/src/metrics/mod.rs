//! What is counted while the gateway runs, and how Prometheus learns of it.
//!
//! | file | what it owns |
//! |---|---|
//! | [`sessions`] | sessions, logins, messages, upstreams: an observer of the server |
//! | [`tokens`] | what providers of tokens answered |
//! | [`certificates`] | when the certificates end that clients are shown |
//! | `cluster` | what a node shares with others; with the feature of that name |
//! | [`setting`] | what is configured now, and how reloads went |
//! | `live` | what the server knows at the moment at which it is asked |
//! | `process` | memory, processor, descriptors: by the names that every exporter has |
//! | [`exposition`] | the two formats, and which one is wanted |
//! | [`page`] | where it is scraped |
//! | `table`, `tally`, `span` | counters by name, by word, and of durations; none of them takes a lock to count |
//! | `out` | how a family of metrics is written |
//!
//! No user's name and no address is ever a label: labels are names of the configuration and words of this program, so
//! their number is bounded by both. A name that a reload took away keeps its counters until the restart.
//!
//! Each metric stands in `docs/metrics.md`, which a test holds against what is written here.

pub mod certificates;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod exposition;
mod live;
mod out;
pub mod page;
mod process;
pub mod sessions;
pub mod setting;
mod span;
mod table;
mod tally;
pub mod tokens;

use std::sync::{Arc, OnceLock};

use pop3_server::log::Log;
use pop3_server::server::{Builder, Server};
use prometheus_client::registry::Registry;

pub use certificates::Certificates;
pub use exposition::{Exposition, Format};
pub use sessions::Sessions;
pub use setting::Setting;
pub use tokens::Tokens;

use crate::certificates::Certificate;
use crate::config::Config;

/// Before the name of each metric of this program.
const PREFIX: &str = "pop3_gateway";

/// All counters of a process. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Of sessions.
    pub sessions: Arc<Sessions>,
    /// Of providers of tokens.
    pub tokens: Arc<Tokens>,
    /// The certificates that are shown.
    pub certificates: Arc<Certificates>,
    /// The configuration.
    pub setting: Arc<Setting>,
    /// The cluster.
    #[cfg(feature = "cluster")]
    pub node: Arc<cluster::Node>,
    scraped: Arc<OnceLock<Arc<Exposition>>>,
}

impl Metrics {
    /// Counters of what is configured: they are there before anything is counted.
    pub fn configured(&self, config: &Config, shown: &[Certificate]) {
        let listeners = config.listeners.iter().map(|own| own.name.as_str());
        let upstreams = config.upstreams.iter().map(|own| own.name.as_str());
        let stores = config.stores.iter().map(|own| own.name.as_str());
        self.sessions.configured(listeners, upstreams.chain(stores));
        #[cfg(feature = "oauth")]
        for own in &config.providers {
            self.tokens.configured(&own.provider.name);
        }
        self.certificates.shown(shown);
        self.setting.in_force(config.bounds.limits);
    }

    /// A server that is watched: its sessions are in the log, and counted here. For one server.
    pub fn server(&self) -> Server {
        self.watch(Server::builder())
    }

    /// The same, whose other parts are chosen.
    pub fn watch(&self, server: Builder) -> Server {
        let observer = (Log::default(), Arc::clone(&self.sessions));
        let server = server.observer(observer).build();
        self.scraped
            .get_or_init(|| Arc::new(self.of(server.clone())));
        server
    }

    /// What a scrape shows, once there is a server.
    pub fn exposition(&self) -> Option<Arc<Exposition>> {
        self.scraped.get().cloned()
    }

    fn of(&self, server: Server) -> Exposition {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::started_now()));
        let own = registry.sub_registry_with_prefix(PREFIX);
        own.register_collector(Box::new(Arc::clone(&self.setting)));
        own.register_collector(Box::new(Arc::clone(&self.sessions)));
        own.register_collector(Box::new(live::Live(server)));
        own.register_collector(Box::new(Arc::clone(&self.tokens)));
        own.register_collector(Box::new(Arc::clone(&self.certificates)));
        #[cfg(feature = "cluster")]
        own.register_collector(Box::new(Arc::clone(&self.node)));
        Exposition::new(registry)
    }
}
