//! SIGHUP: the configuration is read again, and everything but the runtime and the cluster follows it.
//!
//! Owns the order: whatever may fail comes first, so that a configuration with a mistake changes nothing. Sessions
//! keep what they began with.

use std::fmt;
use std::sync::{Arc, Mutex};

use pop3_server::handler::Handler;
use pop3_server::live::{Change, Live};
use pop3_server::runtime::Runtime;
use pop3_server::settings::Reloadable;
#[cfg(feature = "http")]
use pop3_server::shutdown::Shutdown;

use crate::config::{Config, RuntimeKind};
#[cfg(feature = "http")]
use crate::http::{Current, Web};
use crate::running::{self, Listening, Written, lock};
use crate::service::Gateway;
use crate::sockets::{Own, Sockets};
use crate::systemd::reloading;
use crate::transcript;
use crate::wiring::{self, Absent, Surroundings};
use crate::{Failure, advice, cli};

/// What reads the configuration again.
pub struct Reloader {
    pub(crate) arguments: cli::Serve,
    pub(crate) written: Arc<Mutex<Written>>,
    pub(crate) descriptors: Option<u64>,
    pub(crate) latest: Mutex<Latest>,
}

/// What was read last, and what came of it.
pub(crate) struct Latest {
    pub(crate) config: Config,
    pub(crate) surroundings: Surroundings,
    /// What drives the sockets, which stays.
    pub(crate) runtime: RuntimeKind,
    pub(crate) listening: Vec<Listening<Reloadable<Gateway>>>,
    #[cfg(feature = "http")]
    pub(crate) http: Vec<Listening<Current>>,
    #[cfg(feature = "http")]
    pub(crate) shutdown: Shutdown,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

impl Reloader {
    /// Reads everything again. Whatever is wrong with it, the old configuration stays.
    pub(crate) fn reload<R: Runtime>(&self, live: &Live<R>) {
        reloading(|| {
            let latest = &mut *lock(&self.latest);
            let followed = self.follow(latest, live);
            #[cfg(feature = "http")]
            {
                let setting = &latest.surroundings.metrics.setting;
                setting.reloaded(followed.is_ok());
            }
            match followed {
                Ok(()) => "serving; the configuration was reloaded",
                Err(failure) => {
                    tracing::error!(
                        error = failure.message,
                        "not reloaded; the old configuration stays"
                    );
                    "serving; the configuration was not reloaded, see the log"
                }
            }
        });
    }

    fn follow<R: Runtime>(&self, latest: &mut Latest, live: &Live<R>) -> Result<(), Failure> {
        let mut surroundings = latest.surroundings.clone();
        let mut config = running::configuration(&self.arguments)?;
        running::fit(&mut config, self.descriptors);
        let sockets = Sockets::open(&config, latest.there())?;
        let other = config.transcript != latest.config.transcript;
        let recorder = other.then(|| config.transcript.clone().map(running::record).transpose());
        let recorder = recorder.transpose()?;
        if let Some(recorder) = &recorder {
            let shown = lock(&self.written).shown.clone();
            surroundings.transcript = transcript::sink(recorder.clone(), shown);
        }
        let wired = wiring::wire(&config, &surroundings, Absent::Make)?;

        let mut change = Change::new();
        let listening = Next::of(
            &latest.listening,
            sockets.listeners,
            &wired.listeners,
            Reloadable::new,
            |current| current,
            &mut change,
        );
        #[cfg(feature = "http")]
        let http = Next::of(
            &latest.http,
            sockets.http,
            &wired.sites,
            Current::new,
            |current| Web::new(current, latest.shutdown.clone()),
            &mut change,
        );
        let gone = sockets.gone.iter().copied();
        live.change(gone.fold(change, Change::close))
            .map_err(Failure::running)?;

        // from here on nothing is refused
        let mut written = lock(&self.written);
        if config.log != latest.config.log {
            written.log.change(config.log)?;
        }
        if let Some(recorder) = recorder {
            written.transcribe(recorder, &surroundings);
        }
        drop(written);
        live.grace(config.bounds.shutdown_grace);
        live.drain(config.drain_delay());
        let runtime = latest.runtime;
        latest.listening = listening.in_force(Reloadable::replace, |own| own.announce(runtime));
        #[cfg(feature = "http")]
        {
            latest.http = http.in_force(Current::replace, Listening::<Current>::announce);
        }
        for address in sockets.gone {
            tracing::info!(%address, "no longer listening; its sessions go on");
        }
        advice::give(&config, self.arguments.file());
        tracing::info!("configuration and certificates reloaded");
        running::in_force(&config, &surroundings);
        for (what, changed) in [
            ("runtime", latest.config.runtime != config.runtime),
            #[cfg(feature = "cluster")]
            ("cluster", latest.config.cluster != config.cluster),
        ] {
            if changed {
                tracing::warn!(what, "changed; this needs a restart");
            }
        }
        (latest.config, latest.surroundings) = (config, surroundings);
        Ok(())
    }
}

impl Latest {
    /// The sockets that the server has.
    fn there(&self) -> Vec<Own> {
        let all = self.listening.iter().map(|own| own.own.kept());
        #[cfg(feature = "http")]
        let all = all.chain(self.http.iter().map(|own| own.own.kept()));
        all.collect()
    }
}

/// The sockets of one sort in the next configuration.
struct Next<'w, C, S>(Vec<Step<'w, C, S>>);

struct Step<'w, C, S> {
    own: Listening<C>,
    settings: &'w Arc<S>,
    is_new: bool,
}

impl<'w, C: Clone, S> Next<'w, C, S> {
    /// A socket that stays what it was stays as it is until the change is in force; `change` hears of the others.
    fn of<R: Runtime, H: Handler<R>>(
        before: &[Listening<C>],
        tables: Vec<Vec<Own>>,
        settings: &'w [Arc<S>],
        start: impl Fn(Arc<S>) -> C,
        speak: impl Fn(C) -> H,
        change: &mut Change<R>,
    ) -> Self {
        let mut next = Vec::new();
        for (table, settings) in tables.into_iter().zip(settings) {
            for mut own in table {
                let socket = own.socket.take();
                let mut before = before.iter();
                let old = before.find(|old| socket.is_none() && old.own.address == own.address);
                let current = match old {
                    Some(old) => old.current.clone(),
                    None => start(Arc::clone(settings)),
                };
                let is_new = old.is_none();
                if is_new {
                    let handler = speak(current.clone());
                    let so_far = std::mem::take(change);
                    *change = match socket {
                        Some(socket) => so_far.listen(socket, handler),
                        None => so_far.speak(own.address, handler),
                    };
                }
                next.push(Step {
                    own: Listening { own, current },
                    settings,
                    is_new,
                });
            }
        }
        Self(next)
    }

    /// What they are from now on.
    fn in_force(
        self,
        put: impl Fn(&C, Arc<S>),
        announce: impl Fn(&Listening<C>),
    ) -> Vec<Listening<C>> {
        let step = |step: Step<'_, C, S>| {
            if step.is_new {
                announce(&step.own);
            } else {
                put(&step.own.current, Arc::clone(step.settings));
            }
            step.own
        };
        self.0.into_iter().map(step).collect()
    }
}
