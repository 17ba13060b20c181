//! From the configuration to what pages work with.

use std::sync::Arc;

use super::{Opened, Surroundings, WiringError};
use crate::config::Config;
use crate::oauth::Flow;
use crate::pages::browser::Browsers;
use crate::pages::card::Card;
use crate::pages::{Desk, Place};
use crate::runtime;

impl Opened {
    /// What pages work with, if there are pages; nothing while the state is left to the first start.
    pub(super) fn desk(
        &self,
        config: &Config,
        surroundings: &Surroundings,
    ) -> Result<Option<Arc<Desk>>, WiringError> {
        let failed = |cause: String| WiringError::new("pages".into(), cause);
        let (records, keeper) = (self.tokens.records(), self.tokens.keeper());
        let (Some(settings), Some(records), Some(keeper)) = (&config.pages, records, keeper) else {
            return Ok(None);
        };
        let place = |(own, ready): (&crate::mailbox::imap::Upstream, &_)| {
            let grant = own.grant.clone()?;
            let (authority, flow) = self.tokens.authority(&grant)?;
            let place = Place {
                ready: Arc::clone(ready),
                authority: Arc::clone(authority),
                grant,
            };
            (flow == Flow::Code).then(|| (own.name.clone(), place))
        };
        let server = settings
            .server
            .as_deref()
            .unwrap_or_else(|| settings.host());
        Ok(Some(Arc::new(Desk {
            card: Card::new(server, &config.listeners),
            places: config
                .upstreams
                .iter()
                .zip(&self.upstreams)
                .filter_map(place)
                .collect(),
            gateway: Arc::clone(&self.gateway),
            records: records.clone(),
            keeper: Arc::clone(keeper),
            runtime: runtime::chosen(config.runtime).map_err(|failure| failed(failure.message))?,
            browsers: Browsers::new(records.clone()),
            kept: surroundings.pages.clone(),
            settings: settings.clone(),
        })))
    }
}
