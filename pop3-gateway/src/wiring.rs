//! From the configuration to what runs.
//!
//! Reads certificates, keys and authorities; opens no socket.

#[cfg(all(feature = "http", feature = "oauth"))]
mod pages;
#[cfg(feature = "oauth")]
pub mod tokens;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "http")]
use crate::config::Http;
use crate::config::{Config, Listener, MonitorSecret};
#[cfg(feature = "http")]
#[cfg(feature = "acme")]
use crate::http::Serves;
#[cfg(feature = "http")]
use crate::http::{Site, health};
use imap_backend::{Learned, Memory, SharedBackoffs, SharedMessages};
use peer_trust::{Fingerprint, pem};
use pop3_proto::backend::Endpoint;
use pop3_proto::secret::Secret;
use pop3_server::name::Rewrite;
use pop3_server::parking::{Lot, Parking};
use pop3_server::proxy::ProxyProtocol;
use pop3_server::route::Routes;
use pop3_server::settings::Settings;
use pop3_server::tls::{Identity, ServerTls};
use pop3_server::transcript::TranscriptSink;

#[cfg(feature = "acme")]
use crate::acme;
use crate::backoffs::Backoffs;
use crate::certificates::Watchman;
use crate::layer::Budget;
#[cfg(feature = "cluster")]
use crate::layer::Cap;
use crate::mailbox::imap::{Ready, Upstream};
use crate::mailbox::kind::{Mailboxes, Passwords, Problem, Shared, Store};
#[cfg(feature = "http")]
use crate::metrics::{Metrics, page::page};
use crate::monitor::{self, Monitor};
use crate::self_signed;
use crate::service::{Gateway, Target};

/// Something that the configuration names cannot be used.
#[derive(Debug)]
pub struct WiringError {
    /// Whose it is: `listener "public"`, `upstream "main"`, `store "local"`.
    pub what: String,
    /// What is wrong with it.
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

impl WiringError {
    fn new(what: String, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            what,
            cause: cause.into(),
        }
    }
}

impl fmt::Display for WiringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

impl std::error::Error for WiringError {}

/// What outlives a reload of the configuration.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Where dialogues are recorded, if anywhere.
    pub transcript: Option<Arc<dyn TranscriptSink>>,
    /// What is fetched ahead for all sessions.
    pub budget: Budget,
    /// What was learned of upstreams.
    pub learned: Lessons,
    /// The accounts that want to be left alone.
    pub backoffs: Backoffs,
    /// The connections to upstreams that wait for the next login.
    pub parking: Parking,
    /// Where they wait.
    pub lots: Lots,
    /// The messages that upstreams could not send.
    pub broken: Arc<SharedMessages>,
    /// What checks the passwords of stores.
    pub passwords: Passwords,
    /// The tokens of grants.
    #[cfg(feature = "oauth")]
    pub tokens: tokens::Kept,
    /// This process as one of several, if it is.
    #[cfg(feature = "cluster")]
    pub node: Option<crate::cluster::Node>,
    /// What counts connections where it is alone.
    #[cfg(feature = "cluster")]
    pub alone: Arc<std::sync::OnceLock<gateway_cluster::Cluster>>,
    /// What warns before a certificate ends.
    pub certificates: Watchman,
    /// What gets certificates from a CA.
    #[cfg(feature = "acme")]
    pub acme: acme::Kept,
    /// What is counted.
    #[cfg(feature = "http")]
    pub metrics: Metrics,
    /// The browsers of people at the pages.
    #[cfg(all(feature = "http", feature = "oauth"))]
    pub pages: crate::pages::Kept,
}

#[cfg(feature = "cluster")]
impl Surroundings {
    /// Where the connections of an upstream's accounts are counted, if they are limited: with those of other nodes, or
    /// in this process alone.
    /// One that waits in `lot` counts until a login wants its place.
    fn cap(&self, own: &Upstream, lot: Option<Lot>) -> Result<Option<Cap>, Problem> {
        if own.max_per_account == 0 {
            return Ok(None);
        }
        let cluster = match (&self.node, self.alone.get()) {
            (Some(node), _) => node.handle().clone(),
            (None, Some(alone)) => alone.clone(),
            (None, None) => {
                let alone = crate::cluster::alone()?;
                self.alone.get_or_init(|| alone).clone()
            }
        };
        Ok(Some(Cap {
            cluster,
            most: own.max_per_account,
            accounts: own.accounts(),
            lot,
        }))
    }
}

impl Surroundings {
    /// The accounts of an upstream that want to be left alone: by all nodes, if there are others.
    fn backoffs(&self, own: &Upstream) -> SharedBackoffs {
        #[cfg(feature = "cluster")]
        if let Some(node) = &self.node {
            return crate::backoffs::of_all_nodes(own, node.handle().clone());
        }
        self.backoffs.of(own)
    }
}

/// What was learned of each upstream that is configured, by its place and name.
#[derive(Clone, Debug, Default)]
pub struct Lessons(Arc<Mutex<HashMap<(String, Endpoint), Learned>>>);

impl Lessons {
    /// Those of one upstream, the same ones at each call.
    fn of(&self, upstream: &Upstream) -> Learned {
        let place = (upstream.name.clone(), upstream.imap.endpoint.clone());
        let mut lessons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lessons.entry(place).or_default().clone()
    }

    /// Forgets upstreams that are not configured any more.
    fn keep(&self, upstreams: &[Upstream]) {
        let named = |(name, place): &(String, Endpoint)| {
            upstreams
                .iter()
                .any(|own| own.name == *name && own.imap.endpoint == *place)
        };
        let mut lessons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lessons.retain(|place, _| named(place));
    }
}

/// Where the connections of each upstream wait that is configured. One that is configured in another way has another
/// lot: what waits for the old one is of no use.
#[derive(Clone, Debug, Default)]
pub struct Lots(Arc<Mutex<Vec<(Upstream, Lot)>>>);

impl Lots {
    /// That of one upstream, the same one at each call; none where nothing is to wait.
    fn of(&self, upstream: &Upstream, parking: &Parking) -> Option<Lot> {
        if upstream.imap.park.is_zero() {
            return None;
        }
        let mut lots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lot)) = lots.iter().find(|(own, _)| own == upstream) {
            return Some(lot.clone());
        }
        let lot = parking.lot();
        lots.push((upstream.clone(), lot.clone()));
        Some(lot)
    }

    /// Closes those of upstreams that are not in force any more.
    pub(crate) fn keep(&self, upstreams: &[Upstream]) {
        let mut lots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = lots.extract_if(.., |(own, _)| !upstreams.contains(own));
        let closed: Vec<_> = closed.collect();
        drop(lots);
        closed.iter().for_each(|(_, lot)| lot.close());
    }
}

/// What to do about missing certificates and secrets, which the program may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// They are made.
    Make,
    /// They are left to the first start.
    Leave,
}

/// What serves logins, and every upstream in the order of the configuration, to try them out.
pub fn ready(config: &Config) -> Result<(Vec<Arc<Ready>>, Arc<Gateway>), WiringError> {
    let opened = Opened::new(config, &Surroundings::default(), Absent::Leave)?;
    Ok((opened.upstreams, opened.gateway))
}

/// What the configuration names, ready for use.
struct Opened {
    upstreams: Vec<Arc<Ready>>,
    gateway: Arc<Gateway>,
    #[cfg(all(feature = "http", feature = "oauth"))]
    tokens: tokens::Tokens,
}

impl Opened {
    fn new(
        config: &Config,
        surroundings: &Surroundings,
        absent: Absent,
    ) -> Result<Self, WiringError> {
        #[cfg(feature = "oauth")]
        let tokens = tokens::Tokens::new(config, surroundings, absent)?;
        let open = |own: &Upstream| {
            open(
                own,
                surroundings,
                #[cfg(feature = "oauth")]
                &tokens,
            )
        };
        surroundings.learned.keep(&config.upstreams);
        let upstreams: Result<Vec<_>, WiringError> = config.upstreams.iter().map(open).collect();
        let upstreams = upstreams?;
        let mut mailboxes = stores(config, surroundings)?;
        mailboxes.extend(
            upstreams
                .iter()
                .map(|own| Arc::clone(own) as Arc<dyn Mailboxes>),
        );
        let read_ahead_total = config.bounds.read_ahead_total;
        let gateway = Gateway {
            names: config.routing.names.clone(),
            routes: routes(config, &mailboxes),
            monitor: monitor(config, absent)?,
            shared: Shared {
                budget: surroundings.budget.clone(),
                broken: Arc::clone(&surroundings.broken) as Arc<dyn Memory>,
                read_ahead_total: usize::try_from(read_ahead_total).unwrap_or(usize::MAX),
            },
        };
        Ok(Self {
            upstreams,
            gateway: Arc::new(gateway),
            #[cfg(all(feature = "http", feature = "oauth"))]
            tokens,
        })
    }
}

/// What listeners start their connections with.
#[derive(Debug)]
pub struct Wired {
    /// For each `[[listener]]`, in the order of the configuration.
    pub listeners: Vec<Arc<Settings<Gateway>>>,
    /// For each `[[http]]`, in the order of the configuration.
    #[cfg(feature = "http")]
    pub sites: Vec<Arc<Site>>,
}

/// Reads and makes what the configuration names.
pub fn wire(
    config: &Config,
    surroundings: &Surroundings,
    absent: Absent,
) -> Result<Wired, WiringError> {
    let opened = Opened::new(config, surroundings, absent)?;
    let gateway = &opened.gateway;
    let listener = |listener: &Listener| {
        let shown = Shown {
            listener: &listener.name,
            certificates: &listener.certificates,
            self_signed: listener.self_signed.as_deref(),
            names: &listener.self_signed_names,
            addresses: &listener.addresses,
            #[cfg(feature = "acme")]
            by_acme: by_acme(config, surroundings, &listener.acme),
        };
        let tls = shown
            .tls(absent)
            .map_err(|cause| WiringError::new(format!("listener {:?}", listener.name), cause))?;
        warn_of_digests(listener, gateway);
        let mut settings = Settings::new(Arc::clone(gateway))
            .name(&*listener.name)
            .policy(listener.policy.clone())
            .limits(config.bounds.limits)
            .delay(config.bounds.delay);
        settings.tls = tls;
        if !listener.proxies.is_empty() {
            let proxies = listener.proxies.clone();
            let is_one = move |peer| proxies.iter().any(|network| network.contains(&peer));
            settings = settings.preamble(ProxyProtocol::from_peers(is_one));
        }
        settings.transcript.clone_from(&surroundings.transcript);
        Ok(Arc::new(settings))
    };
    let listeners: Result<_, WiringError> = config.listeners.iter().map(listener).collect();
    Ok(Wired {
        listeners: listeners?,
        #[cfg(feature = "http")]
        sites: sites(config, surroundings, &opened, absent)?,
    })
}

/// Clients take APOP and CRAM-MD5 where they are offered, and have no other way then.
fn warn_of_digests(listener: &Listener, gateway: &Gateway) {
    if !listener.policy.offers_digests() {
        return;
    }
    let Some(mailboxes) = gateway.without_secrets() else {
        return;
    };
    let done = match listener.policy.without_digests() {
        Some(_) => "APOP and CRAM-MD5 are not offered",
        None => {
            "APOP and CRAM-MD5 are offered, for lack of another way to log in, and some accounts cannot log in here"
        }
    };
    mailboxes.warn_of_digests(&listener.name, done);
}

/// What a listener, whatever it speaks, is to show for certificates.
struct Shown<'c> {
    listener: &'c str,
    certificates: &'c [Identity],
    self_signed: Option<&'c Path>,
    /// What it is for, before this machine.
    names: &'c [String],
    addresses: &'c [SocketAddr],
    /// What gets its certificate, where, and for which names.
    #[cfg(feature = "acme")]
    by_acme: Option<(&'c acme::Kept, &'c Path, &'c [String])>,
}

/// A certificate for these names, if there are some.
#[cfg(feature = "acme")]
fn by_acme<'c>(
    config: &'c Config,
    surroundings: &'c Surroundings,
    names: &'c [String],
) -> Option<(&'c acme::Kept, &'c Path, &'c [String])> {
    let settings = config.acme.as_ref().filter(|_| !names.is_empty())?;
    Some((&surroundings.acme, settings.folder(), names))
}

impl Shown<'_> {
    fn tls(&self, absent: Absent) -> Result<Option<ServerTls>, Problem> {
        #[cfg(feature = "acme")]
        if let Some((kept, folder, names)) = self.by_acme {
            let is_there = acme::place::Place::new(folder, names).is_there();
            return match absent == Absent::Leave && !is_there {
                true => Ok(None),
                false => {
                    let shown = kept.shown(folder, names)?;
                    Ok(Some(ServerTls::showing(Arc::new(shown))?))
                }
            };
        }
        let mut identities = self.certificates.to_vec();
        if let Some(folder) = self.self_signed {
            if absent == Absent::Leave && !self_signed::is_there(folder) {
                return Ok(None);
            }
            let (identity, made) = self_signed::ensure(folder, &names(self.names, self.addresses))?;
            if made {
                let (listener, certificate) = (self.listener, identity.chain.display());
                let print = pem::certificates(&identity.chain)?;
                let print = print.first().map(Fingerprint::of);
                let fingerprint = print.map(|print| print.to_string());
                tracing::info!(listener, %certificate, fingerprint, "self-signed certificate made");
            }
            identities.push(identity);
        }
        if identities.is_empty() {
            Ok(None)
        } else {
            Ok(Some(ServerTls::load(&identities)?))
        }
    }
}

/// What each `[[http]]` of the configuration serves, in its order.
#[cfg(feature = "http")]
#[cfg_attr(
    not(feature = "oauth"),
    expect(unused_variables, reason = "there are no pages for people then")
)]
fn sites(
    config: &Config,
    surroundings: &Surroundings,
    opened: &Opened,
    absent: Absent,
) -> Result<Vec<Arc<Site>>, WiringError> {
    // every page that this program has
    let metrics = surroundings.metrics.exposition().map(page);
    let all: Vec<_> = health::pages().into_iter().chain(metrics).collect();
    #[cfg(feature = "acme")]
    let all = {
        let answers = acme::page(surroundings.acme.answers());
        all.into_iter().chain([answers]).collect::<Vec<_>>()
    };
    #[cfg(feature = "oauth")]
    let all = {
        let desk = opened.desk(config, surroundings)?;
        let pages = desk.iter().flat_map(crate::pages::pages);
        all.into_iter().chain(pages).collect::<Vec<_>>()
    };
    let site = |own: &Http| {
        let name = own.name();
        let shown = Shown {
            listener: &name,
            certificates: &own.certificates,
            self_signed: own.self_signed.as_deref(),
            names: &[],
            addresses: &own.addresses,
            #[cfg(feature = "acme")]
            by_acme: by_acme(config, surroundings, &own.acme),
        };
        let tls = shown
            .tls(absent)
            .map_err(|cause| WiringError::new(format!("http {name:?}"), cause))?;
        let pages = all.iter().cloned();
        let pages = pages.filter(|page| own.serve.contains(&page.serves()));
        let tls = tls.map(|tls| tls.protocols(["http/1.1"]));
        #[cfg(feature = "acme")]
        let tls = match own.serve.contains(&Serves::Acme) {
            true => {
                let answers = surroundings.acme.answers().clone();
                tls.map(|tls| tls.aside(acme::PROTOCOL, Arc::new(answers)))
            }
            false => tls,
        };
        let site = Site {
            tls,
            networks: own.networks.clone(),
            connections: own.connections,
            pages: pages.collect(),
            name,
        };
        Ok(Arc::new(site))
    };
    config.http.iter().map(site).collect()
}

/// The names in a self-signed certificate: those that are given, and this machine's, by which its clients may know it.
fn names(given: &[String], addresses: &[SocketAddr]) -> Vec<String> {
    let mut own: Vec<_> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        own.push(host.trim().to_owned());
    }
    let bound = addresses
        .iter()
        .map(SocketAddr::ip)
        .filter(|ip| !ip.is_unspecified());
    own.extend(bound.map(|ip| ip.to_string()));
    own.retain(|name| !name.is_empty() && !given.contains(name));
    own.sort_unstable();
    own.dedup();
    [given, &own].concat()
}

/// An upstream, ready for use.
fn open(
    own: &Upstream,
    surroundings: &Surroundings,
    #[cfg(feature = "oauth")] tokens: &tokens::Tokens,
) -> Result<Arc<Ready>, WiringError> {
    let failed = |cause: Problem| WiringError::new(format!("upstream {:?}", own.name), cause);
    let ready = own
        .open(surroundings.learned.of(own), surroundings.backoffs(own))
        .map_err(|error| failed(error.into()))?;
    let ready = Ready {
        lot: surroundings.lots.of(own, &surroundings.parking),
        ..ready
    };
    #[cfg(feature = "oauth")]
    let ready = Ready {
        desk: tokens.desk(own, &surroundings.passwords).map_err(failed)?,
        ..ready
    };
    #[cfg(feature = "cluster")]
    let ready = Ready {
        cap: surroundings.cap(own, ready.lot.clone()).map_err(failed)?,
        ..ready
    };
    Ok(Arc::new(ready))
}

fn stores(
    config: &Config,
    surroundings: &Surroundings,
) -> Result<Vec<Arc<dyn Mailboxes>>, WiringError> {
    let mut listeners = config.listeners.iter();
    let digests = listeners.any(|listener| listener.policy.offers_digests());
    let open = |own: &Store| {
        own.kind
            .open(own, &surroundings.passwords, digests)
            .map_err(|cause| WiringError::new(format!("store {:?}", own.name), cause))
    };
    config.stores.iter().map(open).collect()
}

fn monitor(config: &Config, absent: Absent) -> Result<Option<Arc<Monitor>>, WiringError> {
    let Some(monitor) = &config.monitor else {
        return Ok(None);
    };
    let secret = match &monitor.secret {
        MonitorSecret::Here(secret) => secret.clone(),
        // no login proves an empty secret
        MonitorSecret::File(path) if absent == Absent::Leave && !path.exists() => Secret::default(),
        MonitorSecret::File(path) => monitor::secret_file(path).map_err(|error| {
            let cause = format!("{}: {error}", path.display());
            WiringError::new("the secret of the monitoring account".into(), cause)
        })?,
    };
    Ok(Some(Arc::new(Monitor::new(monitor.user.clone(), secret))))
}

/// The configuration names only upstreams and stores that exist; a route to another would lead nowhere.
fn routes(config: &Config, mailboxes: &[Arc<dyn Mailboxes>]) -> Routes<Target> {
    let routing = &config.routing;
    let target = |name: &String, rewrite: Option<&Rewrite>, user: Option<&String>| {
        Some(Target {
            mailboxes: Arc::clone(mailboxes.iter().find(|own| own.name() == name)?),
            user: user.cloned(),
            rewrite: rewrite
                .or_else(|| config.rewrite_of(name))
                .cloned()
                .unwrap_or_default(),
        })
    };
    let mut routes = Routes::new();
    let default = routing.default.as_ref();
    if let Some(target) = default.and_then(|name| target(name, None, None)) {
        routes.set_default(target);
    }
    for (domain, route) in &routing.domains {
        if let Some(target) = target(&route.to, route.rewrite.as_ref(), None) {
            routes.set_domain(domain, target);
        }
    }
    for (user, route) in &routing.users {
        if let Some(target) = target(&route.to, None, route.user.as_ref()) {
            routes.set_user(user, target);
        }
    }
    routes
}
