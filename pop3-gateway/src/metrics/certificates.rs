//! When the certificates end that clients are shown.
//!
//! Owns what there is of them since the last start or reload. Reads no file.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::out::{Family, Out};

/// The end of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The listener that shows it.
    pub listener: String,
    /// The file that it lies in.
    pub file: String,
    /// The last moment at which it is valid, in seconds since 1970.
    pub not_after: i64,
}

/// The certificates that are shown now.
#[derive(Debug, Default)]
pub struct Certificates(Mutex<Arc<[End]>>);

impl Certificates {
    /// These are shown from now on.
    pub fn shown(&self, ends: impl Into<Arc<[End]>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ends.into();
    }

    fn now(&self) -> Arc<[End]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Collector for Certificates {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.now();
        let row = |end: &'_ End| {
            let labels = [
                ("listener", end.listener.clone()),
                ("file", end.file.clone()),
            ];
            (labels, end.not_after)
        };
        let family = Family::new(
            "certificate_not_after_timestamp",
            "When a certificate ends that clients are shown, in seconds since 1970",
        );
        Out(encoder).gauges(family.seconds(), now.iter().map(row))
    }
}
