//! A provider at work: one method for each thing that is asked of it.
//!
//! Owns which request asks for what, and what an issuer told of itself, for as long as that may be believed. Keeps
//! no token and decides nothing about grants.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenType};
use oauth2::http::{Method, header};
use oauth2::url::{Url, form_urlencoded};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenIntrospectionResponse, TokenUrl,
};
use pop3_proto::secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use wiping_alloc::wiped;

use super::answer::{DeviceAnswer, ErrorAnswer, Metadata, Obtained, TokenAnswer};
use super::assertion::Algorithm;
use super::http::{Http, HttpError};
use super::proof::{self, LIFE, Proof, Shown};
use super::provider::{Endpoints, Flow, Provider};
use super::refusal::{Meaning, Refusal, clean};
use super::service_account::{ServiceAccount, unusable};
use super::sign_in::{CallBack, DeviceCode, Polled, SignIn};

/// How long an issuer's metadata are believed.
const METADATA_LIFE: Duration = Duration::from_secs(24 * 3600);
/// After a failure an issuer is not asked again before this: logins do not queue up for its silence.
const METADATA_AGAIN: Duration = Duration::from_secs(10);

/// More than a form ever has, in octets: a token and an assertion of 15 KiB each, escaped.
const MAX_FORM: usize = 96 * 1024;

/// The grant type of RFC 7523 section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// That of RFC 8628 section 3.4.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The kind of client assertion of RFC 7523 section 2.2.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

type App = Client<
    ErrorAnswer,
    TokenAnswer,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointMaybeSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A provider that can be asked.
#[derive(Debug)]
pub struct Authority {
    provider: Provider,
    http: Http,
    metadata: Mutex<Told>,
}

/// What an issuer told of itself.
#[derive(Debug, Default)]
struct Told {
    metadata: Option<(Instant, Metadata)>,
    /// It is not asked again before this, and why.
    rest: Option<(Instant, Refusal)>,
}

impl Authority {
    /// Reads the authorities that are believed; asks nobody.
    pub fn new(provider: Provider) -> Result<Self, Refusal> {
        let http = Http::new(provider.ca_file.as_deref())?;
        Ok(Self {
            provider,
            http,
            metadata: Mutex::default(),
        })
    }

    /// What was configured.
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Whether everything is here that proves the app: its files can be read, and sign.
    pub fn is_equipped(&self) -> Result<(), Refusal> {
        if let Proof::ServiceAccount(file) = &self.provider.proof {
            return ServiceAccount::read(file).map(|_| ());
        }
        let audience = self.provider.issuer();
        let shown = self
            .provider
            .proof
            .show(&self.provider.client_id, &audience, unix());
        shown.map(|_| ())
    }

    /// The time at the provider as its token endpoint tells it, if it does; an error if nothing answers there.
    pub fn time(&self) -> Result<Option<OffsetDateTime>, Refusal> {
        let told = self.http.reach(&self.token_endpoint()?)?;
        Ok(told.and_then(|date| OffsetDateTime::parse(&date, &Rfc2822).ok()))
    }

    /// A new access token for a refresh token.
    pub fn refresh(&self, flow: Flow, refresh: &Secret) -> Result<Obtained, Refusal> {
        // RFC 6749 section 6: what was granted, without naming it; Microsoft wants the resource named
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", text(refresh)),
        ];
        self.token(&fields, flow)
    }

    /// An access token for the app itself.
    pub fn app_token(&self) -> Result<Obtained, Refusal> {
        let fields = [("grant_type", "client_credentials")];
        self.token(&fields, Flow::App).map_err(no_grant)
    }

    /// What is asked for all day: by a form of our own, which is wiped afterwards, as is the answer.
    fn token(&self, fields: &[(&str, &str)], flow: Flow) -> Result<Obtained, Refusal> {
        let scopes = self.provider.scopes(flow).join(" ");
        let scope = (!scopes.is_empty()).then_some(("scope", scopes.as_str()));
        let fields: Vec<_> = fields.iter().copied().chain(scope).collect();
        wiped(|| {
            let answer: TokenAnswer = self.ask(&self.token_endpoint()?, &fields)?;
            answer.read()
        })
    }

    /// An access token of a service account that acts for this mailbox.
    pub fn service_account_token(&self, mailbox: &str) -> Result<Obtained, Refusal> {
        wiped(|| self.token_for(mailbox))
    }

    fn token_for(&self, mailbox: &str) -> Result<Obtained, Refusal> {
        let Proof::ServiceAccount(file) = &self.provider.proof else {
            let what = "there is no service account";
            return Err(Refusal::here(
                what,
                "set service_account_file in [[provider]]",
            ));
        };
        let account = ServiceAccount::read(file)?;
        let endpoint = self.endpoints()?.token.or(account.endpoint);
        let endpoint = endpoint.ok_or_else(|| unusable(file, "token_uri is missing"))?;
        let now = unix();
        let claims = json!({
            "iss": account.email,
            "sub": mailbox,
            "scope": self.provider.scopes(Flow::ServiceAccount).join(" "),
            "aud": endpoint,
            "iat": now,
            "exp": now + LIFE,
            "jti": proof::one_shot()?,
        });
        let signed = account
            .signer
            .sign(Algorithm::Rs256, &claims)
            .map_err(|error| Refusal::here(error.to_string(), error.remedy()))?;
        let fields = [("grant_type", JWT_BEARER), ("assertion", text(&signed))];
        let answer: TokenAnswer = self.ask(&endpoint, &fields).map_err(no_grant)?;
        answer.read()
    }

    /// Begins a sign-in with a browser: the address to go to, and what to keep until the person is back.
    pub fn begin(&self, redirect: &str, hint: Option<&str>) -> Result<(String, SignIn), Refusal> {
        self.begin_with(redirect, hint, &[])
    }

    /// The same, and the provider is asked to tell who signed in, where it does.
    pub fn begin_proving(
        &self,
        redirect: &str,
        hint: Option<&str>,
    ) -> Result<(String, SignIn), Refusal> {
        self.begin_with(redirect, hint, self.provider.identity_scopes())
    }

    fn begin_with(
        &self,
        redirect: &str,
        hint: Option<&str>,
        more: &[&str],
    ) -> Result<(String, SignIn), Refusal> {
        let (app, _) = self.app(Some(redirect))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = proof::one_shot()?;
        let begun = app
            .authorize_url(|| CsrfToken::new(state.clone()))
            .map_err(|_| no_endpoint("authorization_endpoint"))?;
        let mut scopes = self.provider.scopes(Flow::Code);
        scopes.extend(more.iter().map(|&scope| scope.to_owned()));
        let mut begun = begun
            .set_pkce_challenge(challenge)
            .add_scopes(scopes.into_iter().map(Scope::new));
        for (key, value) in self.provider.authorization_extras() {
            begun = begun.add_extra_param(*key, *value);
        }
        if let Some(hint) = hint {
            begun = begun.add_extra_param("login_hint", hint);
        }
        let (address, _) = begun.url();
        let address = for_people(address.as_str()).ok_or_else(|| {
            let what = "the provider's authorization_endpoint is not https";
            Refusal::here(what, "check issuer and the endpoints in [[provider]]")
        })?;
        let sign_in = SignIn {
            state,
            verifier: Secret::new(verifier.into_secret().into_bytes()),
            redirect: redirect.into(),
        };
        Ok((address, sign_in))
    }

    /// Ends a sign-in with what the browser brought back.
    pub fn finish(&self, sign_in: &SignIn, back: &CallBack) -> Result<Obtained, Refusal> {
        let again = "begin the sign-in again";
        if back.state.as_deref() != Some(sign_in.state.as_str()) {
            let what = "the answer is not of this sign-in";
            return Err(declined(what, again));
        }
        self.is_from(back.issuer.as_deref())?;
        if let Some(refused) = &back.refused {
            return Err(refused.clone());
        }
        let Some(code) = &back.code else {
            return Err(declined("the answer has no code", again));
        };
        wiped(|| self.exchange(sign_in, code))
    }

    /// The tokens for a code.
    fn exchange(&self, sign_in: &SignIn, code: &Secret) -> Result<Obtained, Refusal> {
        let (app, assertion) = self.app(Some(&sign_in.redirect))?;
        let mut request = app
            .exchange_code(AuthorizationCode::new(text(code).into()))
            .set_pkce_verifier(PkceCodeVerifier::new(text(&sign_in.verifier).into()));
        if let Some(assertion) = &assertion {
            request = request
                .add_extra_param("client_assertion_type", ASSERTION)
                .add_extra_param("client_assertion", text(assertion).to_owned());
        }
        let got = obtained(request.request(&|request| self.http.send(request)));
        got.map_err(no_grant).and_then(lasting)
    }

    /// RFC 9207: an issuer that names itself must be the right one, and one that says it would must do it.
    fn is_from(&self, issuer: Option<&str>) -> Result<(), Refusal> {
        let metadata = self.metadata()?;
        let expected = metadata.as_ref().map(|metadata| metadata.issuer.as_str());
        let promised = metadata
            .as_ref()
            .is_some_and(|metadata| metadata.authorization_response_iss_parameter_supported);
        match (expected, issuer) {
            (Some(expected), Some(issuer)) if expected == issuer => Ok(()),
            (None, _) => Ok(()),
            (Some(_), None) if !promised => Ok(()),
            (Some(_), _) => Err(declined(
                "the answer is not from the provider that was asked",
                "begin the sign-in again; if that does not help, check issuer in [[provider]]",
            )),
        }
    }

    /// Asks for a code that a person enters elsewhere.
    pub fn device_code(&self) -> Result<DeviceCode, Refusal> {
        let endpoint = self.endpoints()?.device;
        let endpoint = endpoint.ok_or_else(|| no_endpoint("device_authorization_endpoint"))?;
        let scopes = self.provider.scopes(Flow::Device).join(" ");
        let answer: DeviceAnswer = self
            .ask(&endpoint, &[("scope", &scopes)])
            .map_err(no_grant)?;
        let address = answer.address().and_then(for_people);
        let address = address
            .ok_or_else(|| Refusal::later("the provider gave no address for the code", None))?;
        Ok(DeviceCode {
            complete: answer.complete_address().and_then(for_people),
            device: Secret::new(answer.device_code.into_bytes()),
            user: clean(&answer.user_code, 40),
            address,
            life: Duration::from_secs(answer.expires_in.unwrap_or(900).min(3600)),
            // RFC 8628 section 3.2
            interval: Duration::from_secs(answer.interval.unwrap_or(5).clamp(1, 60)),
        })
    }

    /// Asks whether the person entered the code.
    pub fn poll(&self, code: &DeviceCode) -> Result<Polled, Refusal> {
        let endpoint = self.token_endpoint()?;
        let fields = [
            ("grant_type", DEVICE_CODE),
            ("device_code", text(&code.device)),
        ];
        let asked: Result<_, Refusal> = wiped(|| {
            let answer = self.ask::<TokenAnswer>(&endpoint, &fields)?;
            Ok(answer.read().and_then(lasting))
        });
        match asked {
            Ok(obtained) => Ok(Polled::Done(Box::new(obtained?))),
            Err(refusal) => match refusal.meaning {
                Meaning::Pending => Ok(Polled::Pending),
                Meaning::SlowDown => Ok(Polled::SlowDown),
                // an outage is no answer
                Meaning::Later { .. } => Ok(Polled::SlowDown),
                Meaning::Ended | Meaning::Settings | Meaning::Declined => Err(no_grant(refusal)),
            },
        }
    }

    /// Tells the provider that a refresh token is not needed any more (RFC 7009), where it wants to know.
    pub fn revoke(&self, refresh: &Secret) -> Result<(), Refusal> {
        let Some(endpoint) = self.endpoints()?.revocation else {
            return Ok(());
        };
        let fields = [
            ("token", text(refresh)),
            ("token_type_hint", "refresh_token"),
        ];
        wiped(|| {
            let request = self.form(&endpoint, &fields)?;
            self.http
                .tell(request)
                .map_err(|HttpError(refusal)| refusal)
        })
    }

    /// A request that the crate for the protocol has no name for.
    fn ask<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        fields: &[(&str, &str)],
    ) -> Result<T, Refusal> {
        let request = self.form(endpoint, fields)?;
        let answer = self
            .http
            .send(request)
            .map_err(|HttpError(refusal)| refusal)?;
        read(answer)
    }

    /// A form with the proof of which app this is.
    fn form(&self, endpoint: &str, fields: &[(&str, &str)]) -> Result<HttpRequest, Refusal> {
        // all of it fits: what grows leaves copies that nobody wipes
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(MAX_FORM));
        form.extend_pairs(fields);
        if !self.provider.client_id.is_empty() {
            form.append_pair("client_id", &self.provider.client_id);
        }
        match self
            .provider
            .proof
            .show(&self.provider.client_id, endpoint, unix())?
        {
            Shown::Nothing => {}
            Shown::Secret(secret) => {
                form.append_pair("client_secret", text(&secret));
            }
            Shown::Assertion(assertion) => {
                form.append_pair("client_assertion_type", ASSERTION);
                form.append_pair("client_assertion", text(&assertion));
            }
        }
        oauth2::http::Request::builder()
            .method(Method::POST)
            .uri(endpoint)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish().into_bytes())
            .map_err(|_| {
                Refusal::here(
                    format!("{:?} is no address", clean(endpoint, 200)),
                    "check [[provider]]",
                )
            })
    }

    /// The app at its provider, and the signed proof of it where that is how it is proven.
    fn app(&self, redirect: Option<&str>) -> Result<(App, Option<Secret>), Refusal> {
        let endpoints = self.endpoints()?;
        let token = endpoints
            .token
            .ok_or_else(|| no_endpoint("token_endpoint"))?;
        let shown = self
            .provider
            .proof
            .show(&self.provider.client_id, &token, unix())?;
        let address =
            |key: &str| Refusal::here(format!("{key} is no address"), "check [[provider]]");
        let authorization = endpoints.authorization.map(AuthUrl::new).transpose();
        let app = Client::new(ClientId::new(self.provider.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri_option(authorization.map_err(|_| address("authorization_endpoint"))?)
            .set_token_uri(TokenUrl::new(token).map_err(|_| address("token_endpoint"))?);
        let app = match redirect {
            Some(redirect) => {
                let redirect = RedirectUrl::new(redirect.into());
                app.set_redirect_uri(redirect.map_err(|_| address("the redirect address"))?)
            }
            None => app,
        };
        Ok(match shown {
            Shown::Nothing => (app, None),
            Shown::Secret(secret) => (
                app.set_client_secret(ClientSecret::new(text(&secret).into())),
                None,
            ),
            Shown::Assertion(assertion) => (app, Some(assertion)),
        })
    }

    fn token_endpoint(&self) -> Result<String, Refusal> {
        self.endpoints()?
            .token
            .ok_or_else(|| no_endpoint("token_endpoint"))
    }

    /// Where it is asked: what the operator named, what the profile knows, what the issuer tells.
    pub fn endpoints(&self) -> Result<Endpoints, Refusal> {
        let known = self.provider.known_endpoints();
        Ok(match self.metadata()? {
            Some(told) => known.or(Endpoints {
                authorization: told.authorization_endpoint,
                token: told.token_endpoint,
                device: told.device_authorization_endpoint,
                revocation: told.revocation_endpoint,
            }),
            None => known,
        })
    }

    /// What the issuer tells of itself, if one is configured.
    fn metadata(&self) -> Result<Option<Metadata>, Refusal> {
        let Some(issuer) = &self.provider.issuer else {
            return Ok(None);
        };
        let mut kept = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, metadata)) = &kept.metadata
            && at.elapsed() < METADATA_LIFE
        {
            return Ok(Some(metadata.clone()));
        }
        let refusal = match &kept.rest {
            Some((until, refusal)) if Instant::now() < *until => refusal.clone(),
            Some(_) | None => match self.discover(issuer) {
                Ok(metadata) => {
                    kept.metadata = Some((Instant::now(), metadata.clone()));
                    return Ok(Some(metadata));
                }
                Err(refusal) => {
                    kept.rest = Some((Instant::now() + METADATA_AGAIN, refusal.clone()));
                    refusal
                }
            },
        };
        // what it told before is better than nothing
        let old = kept.metadata.as_ref();
        old.map(|(_, old)| Some(old.clone())).ok_or(refusal)
    }

    fn discover(&self, issuer: &str) -> Result<Metadata, Refusal> {
        let wrong = || {
            Refusal::here(
                format!("issuer {:?} is no address", clean(issuer, 200)),
                "check issuer in [[provider]]",
            )
        };
        let url = Url::parse(issuer).map_err(|_| wrong())?;
        let host = &url[..oauth2::url::Position::BeforePath];
        let path = url.path().trim_end_matches('/');
        // OpenID Connect Discovery section 4, then RFC 8414 section 3
        let places = [
            format!("{host}{path}/.well-known/openid-configuration"),
            format!("{host}/.well-known/oauth-authorization-server{path}"),
        ];
        let mut last = None;
        for place in places {
            let request = oauth2::http::Request::builder()
                .method(Method::GET)
                .uri(place)
                .header(header::ACCEPT, "application/json")
                .body(Vec::new())
                .map_err(|_| wrong())?;
            let told = self
                .http
                .send(request)
                .map_err(|HttpError(refusal)| refusal);
            match told.and_then(read::<Metadata>) {
                // RFC 8414 section 3.3
                Ok(metadata)
                    if metadata.issuer.trim_end_matches('/') == issuer.trim_end_matches('/') =>
                {
                    return Ok(metadata);
                }
                Ok(metadata) => {
                    let what = format!(
                        "{host} says that it is {:?}, not {issuer:?}",
                        clean(&metadata.issuer, 200)
                    );
                    return Err(Refusal::here(
                        what,
                        "write issuer in [[provider]] as the provider has it, to the letter",
                    ));
                }
                Err(refusal) => last = last.or(Some(refusal)),
            }
        }
        Err(last.unwrap_or_else(wrong))
    }
}

/// A device code or a code that was wrong is no grant that ended.
fn no_grant(mut refusal: Refusal) -> Refusal {
    if refusal.meaning == Meaning::Ended {
        refusal.meaning = Meaning::Settings;
    }
    refusal
}

/// A sign-in is for good, so there is a refresh token.
fn lasting(obtained: Obtained) -> Result<Obtained, Refusal> {
    match obtained.refresh {
        Some(_) => Ok(obtained),
        None => Err(Refusal::here(
            "the provider gave no refresh token, so the sign-in would last an hour",
            "ask for the scope offline_access (Google: access_type=offline), and let the administrator look whether a \
             rule withholds it",
        )),
    }
}

fn declined(what: &str, remedy: &str) -> Refusal {
    Refusal {
        meaning: Meaning::Declined,
        ..Refusal::here(what, remedy)
    }
}

fn no_endpoint(key: &str) -> Refusal {
    Refusal::here(
        format!("the provider has no {key}"),
        format!("choose another flow, or write {key} or issuer in [[provider]]"),
    )
}

fn obtained(
    result: Result<TokenAnswer, RequestTokenError<HttpError, ErrorAnswer>>,
) -> Result<Obtained, Refusal> {
    match result {
        Ok(answer) => answer.read(),
        Err(RequestTokenError::ServerResponse(error)) => Err(error.refusal()),
        Err(RequestTokenError::Request(HttpError(refusal))) => Err(refusal),
        // the answer itself stays unsaid: a token may stand in it
        Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => Err(unreadable()),
    }
}

fn unreadable() -> Refusal {
    Refusal::later("the provider's answer cannot be read", None)
}

/// The answer is wiped afterwards.
fn read<T: DeserializeOwned>(answer: HttpResponse) -> Result<T, Refusal> {
    let is_good = answer.status().is_success();
    let said = Secret::new(answer.into_body());
    if is_good {
        return serde_json::from_slice(said.expose()).map_err(|_| unreadable());
    }
    let error: Result<ErrorAnswer, _> = serde_json::from_slice(said.expose());
    Err(error.map_or_else(|_| unreadable(), |error| error.refusal()))
}

/// All of it is ASCII: it was checked when it came in.
fn text(secret: &Secret) -> &str {
    str::from_utf8(secret.expose()).unwrap_or_default()
}

/// An address that a person may be sent to, as it can be shown: TLS, or this very machine.
fn for_people(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Some(url.into()),
        "http" if is_here => Some(url.into()),
        _ => None,
    }
}

/// Seconds since 1970.
pub fn unix() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
