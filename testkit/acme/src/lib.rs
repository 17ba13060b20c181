//! A made-up ACME CA (RFC 8555), for tests.
//!
//! | file | what it owns |
//! |---|---|
//! | `jws` | the envelope of requests |
//! | `look` | looking whether a name is served |
//! | `issue` | the authority that signs |
//!
//! It checks nonces, signatures, addresses and requests, and looks at names for real. What it does not know is said
//! in the words of the RFC. [`Habits`] change while it runs.

mod issue;
mod jws;
mod look;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use testkit_provider::{Answer, Asked, Provider};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use issue::Authority;
use jws::{Opened, thumbprint};

/// How long it is waited for a test to say where names are served.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Where it looks in the place of port 80.
    pub http: Option<u16>,
    /// Where it looks in the place of port 443.
    pub tls: Option<u16>,
    /// Which ways to look it offers.
    pub offers: Vec<&'static str>,
    /// How many requests have a nonce that it does not like.
    pub bad_nonces: usize,
    /// How often it says that a certificate is not ready.
    pub slow: usize,
    /// Too many orders; how many seconds it wants to be left in peace.
    pub rate_limited: Option<u64>,
    /// The accounts are closed.
    pub closed: bool,
    /// What a customer has to know: a name and a key.
    pub binding: Option<(String, Vec<u8>)>,
    /// From when to when it wants certificates renewed, in seconds from now; nothing is said of it without.
    pub suggests: Option<(i64, i64)>,
    /// How long ago certificates began.
    pub ago: Duration,
    /// How long certificates live.
    pub life: Duration,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            http: None,
            tls: None,
            offers: vec!["http-01", "tls-alpn-01", "dns-01"],
            bad_nonces: 0,
            slow: 0,
            rate_limited: None,
            closed: false,
            binding: None,
            suggests: None,
            ago: Duration::from_secs(60),
            life: Duration::from_secs(90 * 24 * 3600),
        }
    }
}

/// The CA. It ends when it is dropped.
pub struct Ca {
    provider: Provider,
    shared: Arc<Shared>,
}

struct Shared {
    authority: Authority,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    habits: Habits,
    nonces: HashSet<String>,
    next: usize,
    /// Keys by the address of the account.
    accounts: HashMap<String, Json>,
    orders: Vec<Order>,
    names: Vec<Name>,
    /// How often it said when a certificate is to be renewed.
    suggested: usize,
}

struct Order {
    names: Vec<usize>,
    status: &'static str,
    chain: Option<String>,
    slow: usize,
    /// Which certificate it replaces, if it says so.
    replaces: Option<String>,
}

struct Name {
    name: String,
    token: String,
    status: &'static str,
    error: Json,
}

/// What is refused: a status and a problem.
type Refusal = (u16, &'static str, String);

impl Ca {
    /// One that runs.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            authority: Authority::new(),
            state: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let provider = Provider::by(move |base, asked| own.answer(base, asked));
        Self { provider, shared }
    }

    /// The address of its directory.
    pub fn directory(&self) -> String {
        self.provider.url("/directory")
    }

    /// Writes its own certificate.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write_root(&self, file: &Path) -> std::io::Result<()> {
        std::fs::write(file, &self.shared.authority.pem)
    }

    /// Changes how it behaves.
    pub fn behaves(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.shared.state().habits);
    }

    /// Forgets all accounts.
    pub fn forgets(&self) {
        self.shared.state().accounts.clear();
    }

    /// How many orders and accounts there were.
    pub fn count(&self) -> (usize, usize) {
        let state = self.shared.state();
        (state.orders.len(), state.accounts.len())
    }

    /// How many orders named the certificate that they replace, and how often it said when that is to be done.
    pub fn renewals(&self) -> (usize, usize) {
        let state = self.shared.state();
        let named = state.orders.iter().filter(|own| own.replaces.is_some());
        (named.count(), state.suggested)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, base: &str, asked: &Asked) -> Answer {
        let answer = match (asked.method.as_str(), asked.target.as_str()) {
            (_, "/directory") => Ok(self.directory(base)),
            (_, "/nonce") => Ok(Answer::other(200, "text/plain", "")),
            ("GET", target) if target.starts_with("/renewal-info/") => {
                self.suggestion(target.trim_start_matches("/renewal-info/"))
            }
            ("POST", _) => self.told(base, asked),
            _ => Err((404, "malformed", "there is nothing here".into())),
        };
        let answer = answer.unwrap_or_else(|(status, kind, detail)| {
            let kind = format!("urn:ietf:params:acme:error:{kind}");
            let text = json!({ "type": kind, "detail": detail, "status": status }).to_string();
            let answer = Answer::json(status, text);
            match self.state().habits.rate_limited {
                Some(seconds) if status == 429 => answer.with("Retry-After", &seconds.to_string()),
                _ => answer,
            }
        });
        let mut state = self.state();
        state.next += 1;
        let nonce = format!("nonce{}", state.next);
        state.nonces.insert(nonce.clone());
        answer.with("Replay-Nonce", &nonce)
    }

    fn directory(&self, base: &str) -> Answer {
        let mut text = json!({
            "newNonce": format!("{base}/nonce"),
            "newAccount": format!("{base}/new-account"),
            "newOrder": format!("{base}/new-order"),
            "revokeCert": format!("{base}/revoke"),
            "keyChange": format!("{base}/key-change"),
            "meta": {
                "termsOfService": format!("{base}/terms"),
                "externalAccountRequired": self.state().habits.binding.is_some(),
            },
        });
        if self.state().habits.suggests.is_some() {
            text["renewalInfo"] = format!("{base}/renewal-info").into();
        }
        Answer::json(200, text.to_string())
    }

    /// When a certificate is to be renewed (RFC 9773 section 4.2).
    fn suggestion(&self, own: &str) -> Result<Answer, Refusal> {
        let mut state = self.state();
        state.issued(own)?;
        let Some((start, end)) = state.habits.suggests else {
            return Err((404, "malformed", "nothing is suggested".into()));
        };
        state.suggested += 1;
        let at = |seconds| {
            let at = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
            at.format(&Rfc3339).expect("a date")
        };
        let window = json!({ "start": at(start), "end": at(end) });
        let text = json!({ "suggestedWindow": window }).to_string();
        Ok(Answer::json(200, text).with("Retry-After", "21600"))
    }

    fn told(&self, base: &str, asked: &Asked) -> Result<Answer, Refusal> {
        let malformed = |what: &str| (400, "malformed", what.to_owned());
        if asked.header("content-type") != Some("application/jose+json") {
            return Err((415, "malformed", "this is no jose+json".into()));
        }
        let opened = Opened::read(&asked.body).ok_or_else(|| malformed("no envelope"))?;
        if opened.head["url"] != format!("{base}{}", asked.target) {
            return Err((401, "unauthorized", "this was for another address".into()));
        }
        let mut state = self.state();
        let nonce = opened.head["nonce"].as_str().unwrap_or_default();
        let is_liked = state.nonces.remove(nonce);
        if !is_liked || state.habits.bad_nonces > 0 {
            state.habits.bad_nonces = state.habits.bad_nonces.saturating_sub(1);
            return Err((400, "badNonce", "another one, please".into()));
        }
        if asked.target == "/new-account" {
            return state.open_account(base, &opened);
        }
        let account = opened.head["kid"].as_str().unwrap_or_default();
        let Some(key) = state.accounts.get(account).cloned() else {
            return Err((400, "accountDoesNotExist", "who is that?".into()));
        };
        if !opened.is_by(&key) {
            return Err(malformed("the signature is wrong"));
        }
        if state.habits.closed {
            return Err((401, "unauthorized", "the account is closed".into()));
        }
        let mut steps = asked.target.split('/').skip(1);
        let (what, number, way) = (steps.next(), steps.next(), steps.next());
        let number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        match what {
            Some("new-order") => state.order(base, &opened.said),
            Some("order") => state.show_order(base, number),
            Some("name") => state.show_name(base, number),
            Some("look") => {
                drop(state);
                self.look(base, number, way.unwrap_or_default(), &key)
            }
            Some("finalize") => {
                state.finalize(&self.authority, number, &opened.said)?;
                state.show_order(base, number)
            }
            Some("chain") => {
                let order = state.orders.get(number);
                let chain = order.and_then(|order| order.chain.clone());
                let chain = chain.ok_or_else(|| malformed("there is none"))?;
                Ok(Answer::other(
                    200,
                    "application/pem-certificate-chain",
                    chain,
                ))
            }
            _ => Err((404, "malformed", "there is nothing here".into())),
        }
    }

    /// Looks at a name, and says what it found.
    fn look(&self, base: &str, number: usize, way: &str, key: &Json) -> Result<Answer, Refusal> {
        let end = Instant::now() + PATIENCE;
        let (port, name, token) = loop {
            let state = self.state();
            let port = match way {
                "http-01" => state.habits.http,
                _ => state.habits.tls,
            };
            let own = state.names.get(number);
            let own = own.ok_or_else(|| (404, "malformed", "no such name".to_owned()))?;
            match port {
                Some(port) => break (port, own.name.clone(), own.token.clone()),
                None if Instant::now() > end => {
                    return Err((500, "serverInternal", "where to look was never said".into()));
                }
                None => {}
            }
            drop(state);
            thread::sleep(Duration::from_millis(10));
        };
        let proof = format!("{token}.{}", thumbprint(key));
        let found = match way {
            "http-01" => look::http(port, &name, &token, &proof),
            _ => look::tls(port, &name, &proof),
        };
        let mut state = self.state();
        if let Some(own) = state.names.get_mut(number) {
            match found {
                Ok(()) => own.status = "valid",
                Err(error) => {
                    own.status = "invalid";
                    own.error = json!({
                        "type": "urn:ietf:params:acme:error:connection",
                        "detail": error,
                        "status": 400,
                    });
                }
            }
        }
        // as if it looked later
        let mut challenge = state.challenge(base, number, way);
        challenge["status"] = "processing".into();
        challenge["error"] = Json::Null;
        Ok(Answer::json(200, challenge.to_string()))
    }
}

impl State {
    /// Whether a certificate of this CA is named so (RFC 9773 section 4.1).
    fn issued(&self, own: &str) -> Result<(), Refusal> {
        let mut chains = self.orders.iter().filter_map(|order| order.chain.as_ref());
        match chains.any(|chain| issue::identifier(chain) == own) {
            true => Ok(()),
            false => Err((404, "malformed", "no such certificate".into())),
        }
    }

    fn open_account(&mut self, base: &str, opened: &Opened) -> Result<Answer, Refusal> {
        let key = &opened.head["jwk"];
        if !opened.is_by(key) {
            return Err((400, "malformed", "the signature is wrong".into()));
        }
        if opened.said["termsOfServiceAgreed"] != true {
            return Err((403, "userActionRequired", "accept the terms".into()));
        }
        if let Some((name, secret)) = &self.habits.binding {
            let bound = &opened.said["externalAccountBinding"];
            let is_known = Opened::read(bound.to_string().as_bytes()).is_some_and(|bound| {
                bound.head["kid"] == name.as_str()
                    && bound.said == *key
                    && bound.is_by_customer(secret)
            });
            if !is_known {
                return Err((403, "externalAccountRequired", "customers alone".into()));
            }
        }
        self.next += 1;
        let place = format!("{base}/account/{}", self.next);
        self.accounts.insert(place.clone(), key.clone());
        let text = json!({ "status": "valid" }).to_string();
        Ok(Answer::json(201, text).with("Location", &place))
    }

    fn order(&mut self, base: &str, said: &Json) -> Result<Answer, Refusal> {
        if self.habits.rate_limited.is_some() {
            return Err((429, "rateLimited", "too many certificates lately".into()));
        }
        let replaces = said["replaces"].as_str().map(str::to_owned);
        if let Some(own) = &replaces {
            self.issued(own)?;
            if self
                .orders
                .iter()
                .any(|order| order.replaces.as_ref() == Some(own))
            {
                return Err((409, "alreadyReplaced", "that is done already".into()));
            }
        }
        let mut names = Vec::new();
        for identifier in said["identifiers"].as_array().into_iter().flatten() {
            let name = identifier["value"].as_str().unwrap_or_default();
            if identifier["type"] != "dns" || name.contains('*') {
                return Err((400, "rejectedIdentifier", "this is no name".into()));
            }
            names.push(self.names.len());
            self.next += 1;
            self.names.push(Name {
                name: name.into(),
                token: format!("token_{}", self.next),
                status: "pending",
                error: Json::Null,
            });
        }
        self.orders.push(Order {
            names,
            status: "pending",
            chain: None,
            slow: 0,
            replaces,
        });
        let number = self.orders.len() - 1;
        let answer = self.show_order(base, number)?;
        let place = format!("{base}/order/{number}");
        Ok(Answer {
            status: 201,
            ..answer.with("Location", &place)
        })
    }

    fn show_order(&mut self, base: &str, number: usize) -> Result<Answer, Refusal> {
        let nothing = (404, "malformed", "no such order".to_owned());
        let order = self.orders.get_mut(number).ok_or(nothing)?;
        let statuses: Vec<_> = order
            .names
            .iter()
            .filter_map(|name| Some(self.names.get(*name)?.status))
            .collect();
        match order.status {
            "pending" if statuses.contains(&"invalid") => order.status = "invalid",
            "pending" if statuses.iter().all(|status| *status == "valid") => order.status = "ready",
            "processing" if order.slow == 0 => order.status = "valid",
            "processing" => order.slow -= 1,
            _ => {}
        }
        let names: Vec<_> = order
            .names
            .iter()
            .map(|name| format!("{base}/name/{name}"))
            .collect();
        let mut told = json!({
            "status": order.status,
            "authorizations": names,
            "finalize": format!("{base}/finalize/{number}"),
        });
        if let Some(replaced) = &order.replaces {
            told["replaces"] = replaced.as_str().into();
        }
        if order.status == "valid" {
            told["certificate"] = format!("{base}/chain/{number}").into();
        }
        Ok(Answer::json(200, told.to_string()))
    }

    fn show_name(&self, base: &str, number: usize) -> Result<Answer, Refusal> {
        let nothing = (404, "malformed", "no such name".to_owned());
        let own = self.names.get(number).ok_or(nothing)?;
        let ways = self.habits.offers.iter();
        let ways: Vec<_> = ways.map(|way| self.challenge(base, number, way)).collect();
        let told = json!({
            "identifier": { "type": "dns", "value": own.name },
            "status": own.status,
            "challenges": ways,
        });
        Ok(Answer::json(200, told.to_string()))
    }

    fn challenge(&self, base: &str, number: usize, way: &str) -> Json {
        let Some(own) = self.names.get(number) else {
            return Json::Null;
        };
        let mut told = json!({
            "type": way,
            "url": format!("{base}/look/{number}/{way}"),
            "token": own.token,
            "status": own.status,
        });
        if !own.error.is_null() {
            told["error"] = own.error.clone();
        }
        told
    }

    fn finalize(
        &mut self,
        authority: &Authority,
        number: usize,
        said: &Json,
    ) -> Result<(), Refusal> {
        let refused = |what: String| (403, "badCSR", what);
        let Habits {
            ago, life, slow, ..
        } = self.habits;
        let order = self
            .orders
            .get_mut(number)
            .filter(|own| own.status == "ready");
        let order = order.ok_or_else(|| (403, "orderNotReady", "not yet".to_owned()))?;
        let request = said["csr"].as_str().unwrap_or_default();
        let request = URL_SAFE_NO_PAD.decode(request);
        let request = request.map_err(|error| refused(error.to_string()))?;
        let names: Vec<_> = order
            .names
            .iter()
            .filter_map(|name| Some(self.names.get(*name)?.name.clone()))
            .collect();
        let chain = authority.issue(&request, &names, ago, life);
        order.chain = Some(chain.map_err(refused)?);
        order.status = "processing";
        order.slow = slow;
        Ok(())
    }
}
