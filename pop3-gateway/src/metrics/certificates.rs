//! When the certificates end that clients are shown.
//!
//! Owns what there is of them since the last start or reload. Reads no file.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::out::{Family, Out};
use crate::certificates::Certificate;

/// The certificates that are shown now.
#[derive(Debug, Default)]
pub struct Certificates(Mutex<Arc<[Certificate]>>);

impl Certificates {
    /// These are shown from now on.
    pub fn shown(&self, shown: &[Certificate]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shown.into();
    }

    fn now(&self) -> Arc<[Certificate]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Collector for Certificates {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.now();
        let row = |own: &Certificate| {
            let file = own.file.display().to_string();
            let labels = [("listener", own.listener.clone()), ("file", file)];
            (labels, own.facts.not_after)
        };
        let family = Family::new(
            "certificate_not_after_timestamp",
            "When a certificate ends that clients are shown, in seconds since 1970",
        );
        Out(encoder).gauges(family.seconds(), now.iter().map(row))
    }
}
