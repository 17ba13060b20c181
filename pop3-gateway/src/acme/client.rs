//! The way to a CA: how it is asked, and how long it wants to be left in peace.
//!
//! Knows addresses and answers, and nothing of what they mean. Every call blocks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::header::RETRY_AFTER;
use hyper::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use serde_json::Value as Json;
use ureq::Agent;

use super::trouble::{Trouble, clean};
use crate::config::Acme;
use crate::outbound;

/// The longest answer that is read, in octets.
const MAX_ANSWER: u64 = 1024 * 1024;
/// What a CA wants to be left in peace for, at most, in seconds.
const MAX_RETRY_AFTER: u64 = 7 * 24 * 3600;

/// The way to the CA. Clones are the same.
#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
    /// What the last answer said of it, in seconds; zero is nothing.
    retry_after: Arc<AtomicU64>,
}

type Anything = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    pub(super) fn new(settings: &Acme) -> Result<Self, Trouble> {
        let agent = outbound::agent(settings.ca_file.as_deref()).map_err(|error| Trouble {
            what: error.to_string(),
            remedy: "check ca_file in [acme]".into(),
            retry_after: None,
        })?;
        Ok(Self {
            agent,
            retry_after: Arc::default(),
        })
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self.retry_after.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER))),
        }
    }

    /// Waits for so many seconds, or as long as the CA has said, at most a minute.
    pub(super) fn pause(&self, seconds: u64) {
        let said = self.retry_after().map_or(0, |said| said.as_secs());
        thread::sleep(Duration::from_secs(seconds.max(said.min(60))));
    }

    pub(super) fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Bytes>, Anything> {
        let host = outbound::allowed(request.uri())
            .map_err(|host| format!("{host:?} is not asked without https"))?
            .to_owned();
        let failed = |error: &ureq::Error| format!("{host} cannot be asked: {error}");
        let mut answer = self.agent.run(request).map_err(|error| failed(&error))?;
        let said = answer.headers().get(RETRY_AFTER);
        let said = said.and_then(|said| said.to_str().ok()?.trim().parse().ok());
        self.retry_after.store(said.unwrap_or(0), Ordering::Relaxed);
        let limited = answer.body_mut().with_config().limit(MAX_ANSWER);
        let body = limited.read_to_vec().map_err(|error| failed(&error))?;
        Ok(answer.map(|_| body.into()))
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|never| Error::Other(never.into()))?;
            let request = Request::from_parts(head, body.to_bytes().to_vec());
            let (parts, body) = client.exchange(request).map_err(Error::Other)?.into_parts();
            Ok(BytesResponse {
                parts,
                body: Box::new(body),
            })
        })
    }
}

/// Asks a CA what it wants accepted; for `check`.
pub(crate) fn terms(settings: &Acme) -> Result<String, String> {
    let client = Client::new(settings).map_err(|trouble| trouble.what)?;
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| clean(&error.to_string());
    let request = Request::get(&settings.directory).body(Vec::new());
    let request = request.map_err(|error| clean(&error.to_string()))?;
    let answer = client.exchange(request).map_err(failed)?;
    let told: Json = serde_json::from_slice(answer.body())
        .map_err(|_| "it answers with something that is no ACME".to_owned())?;
    if told["newOrder"].is_string() {
        let terms = told["meta"]["termsOfService"].as_str();
        Ok(clean(terms.unwrap_or("none")))
    } else {
        Err("this is no directory of an ACME CA".into())
    }
}
