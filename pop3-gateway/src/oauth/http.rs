//! Requests to providers.
//!
//! Owns the length of an answer, 1 MiB; the other bounds stand in `outbound.rs`. Knows nothing of
//! tokens; shows nothing of a request or an answer in an error.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use oauth2::http::{HeaderMap, Request, StatusCode, Uri, header};
use oauth2::url::form_urlencoded;
use oauth2::{HttpRequest, HttpResponse};
use pop3_proto::secret::Secret;
use ureq::{Agent, Error};

use super::refusal::{Refusal, clean};
use crate::outbound;

/// The fields of a request that are secret: some providers repeat them in what they say.
const SECRET: &[&str] = &[
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
    "token",
];
/// A shorter secret is none, and may be a part of any word.
const SHORTEST: usize = 8;
/// An answer with tokens is not longer, in octets.
const USUAL_ANSWER: usize = 64 * 1024;
/// The longest answer that is read, in octets.
const MAX_ANSWER: u64 = 1024 * 1024;

/// Sends requests to one provider.
#[derive(Clone, Debug)]
pub struct Http {
    agent: Agent,
}

/// Why there is no answer. It shows no octet of one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HttpError(pub(super) Refusal);

impl Http {
    /// Believes the authorities of the file, or the system's.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, Refusal> {
        let agent = outbound::agent(ca_file)
            .map_err(|error| Refusal::here(error.to_string(), "check ca_file in [[provider]]"))?;
        Ok(Self { agent })
    }

    /// Whether anything answers there, and the time it has, in its own words (RFC 9110 section 6.6.1).
    pub fn reach(&self, place: &str) -> Result<Option<String>, Refusal> {
        let wrong = |_| {
            Refusal::here(
                format!("{:?} is no address", clean(place, 255)),
                "check [[provider]]",
            )
        };
        let uri: Uri = place.parse().map_err(wrong)?;
        let host = allowed(&uri).map_err(|HttpError(refusal)| refusal)?;
        let answer = self.agent.get(&uri).call();
        let answer = answer.map_err(|error| unanswered(&host, &error))?;
        let date = answer.headers().get(header::DATE);
        Ok(date.and_then(|date| Some(date.to_str().ok()?.to_owned())))
    }

    /// What stands there, whatever it is.
    pub fn page(&self, place: &str) -> Result<Vec<u8>, Refusal> {
        let wrong = |_| Refusal::here(format!("{:?} is no address", clean(place, 255)), "check it");
        let uri: Uri = place.parse().map_err(wrong)?;
        let host = allowed(&uri).map_err(|HttpError(refusal)| refusal)?;
        let failed = |error: Error| unanswered(&host, &error);
        let mut answer = self.agent.get(&uri).call().map_err(failed)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(Refusal::later(
                format!("{host} answers {}", status.as_u16()),
                None,
            ));
        }
        let limited = answer.body_mut().with_config().limit(MAX_ANSWER);
        limited.read_to_vec().map_err(failed)
    }

    /// Sends a request and reads the answer. Whatever an answer's status, one that is no JSON fails here, as do
    /// those that say that the provider is out of order.
    pub fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (response, host, headers) = self.exchange(request)?;
        let status = response.status();
        let later = |what: String| HttpError(Refusal::later(what, retry_after(&headers)));
        if !looks_like_json(response.body()) {
            let status = status.as_u16();
            return Err(later(format!(
                "{host} answers {status} with something that is no JSON"
            )));
        }
        if status.is_server_error() {
            return Err(later(format!(
                "{host} is out of order ({})",
                status.as_u16()
            )));
        }
        Ok(response)
    }

    /// Sends a request whose answer says nothing but whether it was done.
    pub fn tell(&self, request: HttpRequest) -> Result<(), HttpError> {
        let (response, host, headers) = self.exchange(request)?;
        match response.status() {
            StatusCode::OK => Ok(()),
            status => {
                let what = format!("{host} answers {}", status.as_u16());
                Err(HttpError(Refusal::later(what, retry_after(&headers))))
            }
        }
    }

    /// The answer, from whom it is, and its header fields.
    fn exchange(
        &self,
        request: HttpRequest,
    ) -> Result<(HttpResponse, String, HeaderMap), HttpError> {
        let host = allowed(request.uri())?;
        let (head, body) = request.into_parts();
        // wiped when this is over
        let said = Secret::new(body);
        let answered = self.agent.run(Request::from_parts(head, said.expose()));
        let mut answer = answered.map_err(|error| HttpError(unanswered(&host, &error)))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_redirection() {
            let what = format!("{host} answers with a redirect, which is not followed");
            let remedy = "check the endpoints in [[provider]]";
            return Err(HttpError(Refusal::here(what, remedy)));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let what = format!("{host} is asked too often (429)");
            return Err(HttpError(Refusal::later(what, retry_after(&headers))));
        }
        let limited = answer.body_mut().with_config().limit(MAX_ANSWER);
        // what grows leaves copies that nobody wipes
        let mut body = Vec::with_capacity(USUAL_ANSWER);
        let read = limited.reader().read_to_end(&mut body);
        read.map_err(|error| HttpError(unanswered(&host, &error.into())))?;
        let mut response = HttpResponse::new(match status.is_success() {
            true => body,
            false => without_secrets(body, said.expose()),
        });
        // any success is one; what a failure's number is the answer itself says
        *response.status_mut() = match status.is_success() {
            true => StatusCode::OK,
            false => status,
        };
        Ok((response, host, headers))
    }
}

/// What was said, without the secrets of the form that it answers.
fn without_secrets(body: Vec<u8>, form: &[u8]) -> Vec<u8> {
    let secrets = form_urlencoded::parse(form)
        .filter(|(name, value)| SECRET.contains(&name.as_ref()) && value.len() >= SHORTEST);
    let secrets: Vec<_> = secrets.map(|(_, value)| value.into_owned()).collect();
    if secrets.is_empty() {
        return body;
    }
    let mut text = String::from_utf8_lossy(&body).into_owned();
    for secret in secrets {
        for written in [secret.replace('/', "\\/"), secret] {
            if text.contains(&written) {
                text = text.replace(&written, "...");
            }
        }
    }
    text.into_bytes()
}

/// TLS, or this very machine.
fn allowed(uri: &Uri) -> Result<String, HttpError> {
    outbound::allowed(uri)
        .map(|host| clean(host, 255))
        .map_err(|host| {
            HttpError(Refusal::here(
                format!("the endpoint at {:?} is not https", clean(host, 255)),
                "write https:// endpoints in [[provider]]; http is for this very machine alone",
            ))
        })
}

fn unanswered(host: &str, error: &Error) -> Refusal {
    // a list of kinds that never grows into what an answer says
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "ureq::Error is non-exhaustive"
    )]
    let cause = match error {
        Error::Timeout(_) => "it took too long".to_owned(),
        Error::HostNotFound => "the name is not known".to_owned(),
        Error::ConnectionFailed => "no connection".to_owned(),
        Error::BodyExceedsLimit(_) => "the answer is longer than 1 MiB".to_owned(),
        Error::Io(error) => clean(&error.to_string(), 120),
        Error::Rustls(error) => clean(&error.to_string(), 200),
        Error::Tls(what) => clean(what, 120),
        _ => "it answers with something that is no HTTP".to_owned(),
    };
    let refusal = Refusal::later(format!("{host} cannot be asked: {cause}"), None);
    let is_tls = matches!(error, Error::Rustls(_) | Error::Tls(_))
        || matches!(error, Error::Io(error) if error.get_ref().is_some_and(|own| own.is::<rustls::Error>()));
    match is_tls {
        true => Refusal {
            remedy: "check ca_file in [[provider]], the clock here, and whether something on the way shows a certificate \
                     of its own"
                .into(),
            ..refusal
        },
        false => refusal,
    }
}

/// `Retry-After` in seconds, an hour at most (RFC 9110 section 10.2.3); a date counts as not said.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

fn looks_like_json(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}
