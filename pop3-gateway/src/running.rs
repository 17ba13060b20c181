//! What starting and reloading share: where the configuration comes from, what runs by it, and who hears of it.
//!
//! Owns no order: [`serve`](crate::serve) and [`reload`](crate::reload) say what comes after what.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pop3_server::settings::Reloadable;

#[cfg(feature = "acme")]
use crate::acme::Plan;
use crate::config::{Config, RuntimeKind};
#[cfg(feature = "acme")]
use crate::config::{Http, acme};
#[cfg(feature = "http")]
use crate::http::Current;
use crate::logging::Logging;
use crate::service::Gateway;
use crate::sockets::Own;
use crate::transcript::{Bound, Folder, Recorder};
use crate::wiring::Surroundings;
use crate::{Failure, certificates, cli, descriptors};

/// A socket, and what its connections start with.
#[derive(Debug)]
pub(crate) struct Listening<C> {
    pub(crate) own: Own,
    pub(crate) current: C,
}

impl<C: Clone> Listening<C> {
    /// What listens on the sockets of these tables.
    pub(crate) fn on<S>(
        tables: Vec<Vec<Own>>,
        settings: &[Arc<S>],
        start: impl Fn(Arc<S>) -> C,
    ) -> Vec<Self> {
        let tables = tables.into_iter().zip(settings);
        let all = tables.flat_map(|(table, settings)| {
            let current = || start(Arc::clone(settings));
            let listening = |own| Self {
                own,
                current: current(),
            };
            table.into_iter().map(listening).collect::<Vec<_>>()
        });
        all.collect()
    }

    /// What a reload needs of these.
    pub(crate) fn kept(all: &[Self]) -> Vec<Self> {
        let kept = |own: &Self| Self {
            own: own.own.kept(),
            current: own.current.clone(),
        };
        all.iter().map(kept).collect()
    }
}

impl Listening<Reloadable<Gateway>> {
    /// Tells the operator of it.
    pub(crate) fn announce(&self, runtime: RuntimeKind) {
        let (address, settings) = (self.own.address, self.current.current());
        let (listener, tls) = (&settings.name, settings.policy.tls);
        tracing::info!(%address, listener, ?tls, ?runtime, "listening");
    }
}

#[cfg(feature = "http")]
impl Listening<Current> {
    /// Tells the operator of it.
    pub(crate) fn announce(&self) {
        let (address, tls) = (self.own.address, self.current.site().tls.is_some());
        tracing::info!(%address, tls, "listening for HTTP");
    }
}

/// What is written down: the log and transcripts.
pub(crate) struct Written {
    pub(crate) log: Logging,
    recorder: Option<Arc<Recorder>>,
    /// What standard output is shown, if anything.
    pub(crate) shown: Option<Arc<Recorder>>,
}

impl Written {
    /// Nothing is transcribed yet.
    pub(crate) const fn new(log: Logging, shown: Option<Arc<Recorder>>) -> Self {
        Self {
            log,
            recorder: None,
            shown,
        }
    }

    /// Transcripts go there from now on. Sessions that have one already end it as they began it.
    #[cfg_attr(
        not(feature = "http"),
        expect(unused_variables, reason = "nothing is counted")
    )]
    pub(crate) fn transcribe(
        &mut self,
        recorder: Option<Arc<Recorder>>,
        surroundings: &Surroundings,
    ) {
        #[cfg(feature = "http")]
        if let Some(recorder) = &recorder {
            let setting = &surroundings.metrics.setting;
            setting.writes("transcript", recorder.lost());
        }
        if let Some(before) = std::mem::replace(&mut self.recorder, recorder) {
            before.flush();
        }
    }

    pub(crate) fn flush(&self) {
        let recorders = self.recorder.iter().chain(&self.shown);
        recorders.for_each(|recorder| recorder.flush());
    }
}

/// What is in there is consistent after every statement, so a panic elsewhere cannot have spoilt it.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The configuration file, or the configuration that flags of the command line make.
pub(crate) fn configuration(arguments: &cli::Serve) -> Result<Config, Failure> {
    let flags = &arguments.flags;
    let Some(file) = arguments.file() else {
        return Ok(Config::from_flags(flags.clone())?);
    };
    if arguments.config.is_none() && matches!(file.try_exists(), Ok(false)) {
        let file = file.display();
        return Err(Failure::configuration(format!(
            "say what to serve: --config <FILE>|--upstream <URL>; {file} is not there"
        )));
    }
    let mut config = Config::load(file)?;
    config.override_with(flags)?;
    Ok(config)
}

/// Allows no more connections than there are descriptors for.
pub(crate) fn fit(config: &mut Config, descriptors: Option<u64>) {
    if let Some(warning) = descriptors::fit(config, descriptors) {
        tracing::warn!("{warning}");
    }
}

pub(crate) fn record(dir: PathBuf) -> Result<Arc<Recorder>, Failure> {
    let failed = |error| {
        Failure::configuration(format!(
            "transcripts cannot be written to {}: {error}",
            dir.display()
        ))
    };
    let folder = Folder::open(&dir, Bound::default()).map_err(failed)?;
    Recorder::start(folder).map(Arc::new).map_err(failed)
}

/// Tells what watches the gateway which configuration is in force.
pub(crate) fn in_force(config: &Config, surroundings: &Surroundings) {
    let shown = certificates::shown(config);
    #[cfg(feature = "http")]
    surroundings.metrics.configured(config, &shown);
    surroundings.certificates.shows(shown);
    surroundings.parking.allow(config.bounds.parked);
    surroundings.lots.keep(&config.upstreams);
    #[cfg(feature = "acme")]
    if let Err(error) = surroundings.acme.follow(plan(config, surroundings)) {
        tracing::error!(%error, "no certificate can be asked for");
    }
}

/// Which certificates a CA is to be asked for.
#[cfg(feature = "acme")]
fn plan(config: &Config, surroundings: &Surroundings) -> Option<Plan> {
    let settings = config.acme.clone()?;
    let mut places: Vec<_> = acme::looked_at(config).map(Http::has_tls).collect();
    places.sort_unstable_by_key(|has_tls| !has_tls);
    places.dedup();
    let (metrics, watchman) = (
        surroundings.metrics.clone(),
        surroundings.certificates.clone(),
    );
    let with = config.clone();
    Some(Plan {
        settings,
        certificates: acme::certificates(config),
        with_tls: places,
        renewed: Arc::new(move || {
            let shown = certificates::shown(&with);
            metrics.configured(&with, &shown);
            watchman.shows(shown);
        }),
    })
}
