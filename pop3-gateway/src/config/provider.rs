//! `[[provider]]` and `[[grant]]`: who gives tokens, and how.

use std::path::{Path, PathBuf};

use pop3_proto::secret::Secret;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::oauth::{Cloud, Endpoints, Flow, Profile, Proof, Provider};
use crate::setting::error::Problem;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value, Word};

/// One `[[provider]]`, as it is written.
#[derive(Clone, Debug, Default)]
pub struct ProviderSettings {
    /// What is read into it.
    pub provider: Provider,
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    assertion_file: Option<PathBuf>,
    service_account_file: Option<PathBuf>,
}

/// One `[[grant]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What upstreams call it.
    pub name: String,
    /// Which provider gives it.
    pub provider: String,
    /// How it comes about; the provider's best way, if it is not said.
    pub flow: Option<Flow>,
}

rows! {
    /// `[[provider]]`
    pub(super) PROVIDER: ProviderSettings = ProviderSettings::default();

    /// The name, for grants and logs.
    told own "name" r#""office""# => (provider.name),
    /// What is known of it: "microsoft", "google", "fastmail", "yandex", "mailru", "yahoo", or "oidc" for any issuer that
    /// tells its endpoints.
    told own "profile" r#""microsoft""# => (provider.profile),
    /// Microsoft: the directory, by a domain or its id; "common", "organizations" or "consumers" where persons sign in.
    told own "tenant" r#""example.org""# => (provider.tenant),
    /// Microsoft: "global", "us-government" or "china".
    told "cloud" r#""global""# => (provider.cloud),
    /// The address of an issuer, as it says it itself.
    told own "issuer" r#""https://login.example.org""# => (provider.issuer),
    /// The app's id, as the provider gave it at the registration.
    told own "client_id" r#""8a9b...""# => (provider.client_id),
    /// How the app is proven; left out for public apps. A secret in a file, or right here: client_secret = "...". In its
    /// place a certificate that was uploaded to the app, and its key, as PEM: certificate = "office.pem", private_key = "office.key".
    /// Or somebody else's word, in a file that is kept fresh (workload identity): assertion_file = "/var/run/secrets/token".
    /// Google, the key of a service account as the console gives it out: service_account_file = "account.json".
    own "client_secret_file" r#""office.secret""# => (secret_file),
    own "client_secret" r#""...""# => (with set_secret, hide),
    own "certificate" r#""office.pem""# => (certificate),
    own "private_key" r#""office.key""# => (key),
    own "assertion_file" r#""/var/run/secrets/token""# => (assertion_file),
    own "service_account_file" r#""account.json""# => (service_account_file),
    /// What is asked for, where the profile's scopes do not suit.
    own "scopes" r#"["https://mail.google.com/"]"# => (provider.scopes),
    /// Endpoints that differ from the profile's.
    own "authorization_endpoint" r#""https://login.example.org/auth""# => (provider.endpoints.authorization),
    own "token_endpoint" r#""https://login.example.org/token""# => (provider.endpoints.token),
    own "device_endpoint" r#""https://login.example.org/device""# => (provider.endpoints.device),
    own "revocation_endpoint" r#""https://login.example.org/revoke""# => (provider.endpoints.revocation),
    /// The certificates to trust for its endpoints, as PEM. Left out: the system's authorities.
    own "ca_file" r#""/etc/ssl/my-ca.pem""# => (provider.ca_file),
}

rows! {
    /// `[[grant]]`
    pub(super) GRANT: Grant = Grant::default();

    /// The name, for upstreams.
    told own "name" r#""office""# => (name),
    /// The provider that gives it.
    told own "provider" r#""office""# => (provider),
    /// How it comes about: "code" (a person signs in with a browser), "device" (a person enters a code elsewhere), "app"
    /// (the app itself has the right to mailboxes), "service-account" (Google). Left out: the provider's best one.
    told own "flow" r#""code""# => (flow),
}

impl Word for Profile {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("microsoft", Self::Microsoft),
        ("google", Self::Google),
        ("fastmail", Self::Fastmail),
        ("yandex", Self::Yandex),
        ("mailru", Self::Mailru),
        ("yahoo", Self::Yahoo),
        ("oidc", Self::Oidc),
    ];
}

impl Word for Cloud {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("global", Self::Global),
        ("us-government", Self::UsGovernment),
        ("china", Self::China),
    ];
}

impl Word for Flow {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("code", Self::Code),
        ("device", Self::Device),
        ("app", Self::App),
        ("service-account", Self::ServiceAccount),
    ];
}

fn set_secret(
    settings: &mut ProviderSettings,
    value: &DeValue<'_>,
    base: &Path,
) -> Result<(), BadValue> {
    let secret = String::read(value, base)?;
    if secret.is_empty() || !secret.bytes().all(|octet| (b' '..=b'~').contains(&octet)) {
        let remedy = "write the secret as the provider shows it";
        return Err(BadValue::new("this is no secret of a provider", remedy));
    }
    settings.secret = Some(Secret::from(secret.as_bytes()));
    Ok(())
}

/// A secret is never shown.
fn hide(_: &ProviderSettings) -> Json {
    json!(null)
}

/// Where a person's browser or this program goes: TLS, or this very machine.
fn is_endpoint(address: &str) -> bool {
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let https = address.strip_prefix("https://").unwrap_or_default();
    let plain = !address.chars().any(|c| c.is_control() || c == ' ');
    plain && (!https.is_empty() || here.iter().any(|start| address.starts_with(start)))
}

impl ProviderSettings {
    /// What `check` says of it.
    pub(super) fn told(&self) -> String {
        let own = &self.provider;
        let (name, profile, client) = (&own.name, own.profile.word(), &own.client_id);
        let tenant = own
            .tenant
            .as_ref()
            .map_or_else(String::new, |tenant| format!(" of {tenant}"));
        let proof = match &own.proof {
            Proof::None => "as a public app",
            Proof::SecretFile(_) | Proof::Secret(_) => "proven by a secret",
            Proof::Certificate { .. } => "proven by a certificate",
            Proof::AssertionFile(_) => "proven by another's word",
            Proof::ServiceAccount(_) => "by a service account",
        };
        format!("{name}: {profile}{tenant}, app {client:?} {proof}")
    }

    /// Puts the proof together, and looks at all of it.
    pub(super) fn check(&mut self) -> Result<(), Problem> {
        let own = &mut self.provider;
        let named = |name: &str| {
            !name.is_empty() && name.len() <= 64 && !name.chars().any(char::is_control)
        };
        if !named(&own.name) {
            let remedy = "write name = \"...\", one printable line of at most 64 octets";
            return Err(Problem::new("name", "a provider needs a name", remedy));
        }
        let proofs = [
            self.secret.take().map(Proof::Secret),
            self.secret_file.take().map(Proof::SecretFile),
            match (self.certificate.take(), self.key.take()) {
                (Some(certificate), Some(key)) => Some(Proof::Certificate { certificate, key }),
                (None, None) => None,
                (Some(_), None) | (None, Some(_)) => {
                    let what = "a certificate and its key go together";
                    return Err(Problem::new(
                        "certificate",
                        what,
                        "write both certificate and private_key",
                    ));
                }
            },
            self.assertion_file.take().map(Proof::AssertionFile),
            self.service_account_file.take().map(Proof::ServiceAccount),
        ];
        let mut proofs = proofs.into_iter().flatten();
        own.proof = proofs.next().unwrap_or_default();
        if proofs.next().is_some() {
            let what = "the app is proven in several ways";
            let remedy = "keep one: a secret, a certificate, an assertion or a service account";
            return Err(Problem::new("client_secret_file", what, remedy));
        }
        let is_account = matches!(own.proof, Proof::ServiceAccount(_));
        if own.client_id.is_empty() && !is_account {
            let remedy = "write client_id = \"...\", as the provider gave it at the registration";
            return Err(Problem::new(
                "client_id",
                "which app this is, is missing",
                remedy,
            ));
        }
        let Endpoints {
            authorization,
            token,
            device,
            revocation,
        } = &own.endpoints;
        let addresses = [
            ("issuer", &own.issuer),
            ("authorization_endpoint", authorization),
            ("token_endpoint", token),
            ("device_endpoint", device),
            ("revocation_endpoint", revocation),
        ];
        for (key, address) in addresses {
            if address
                .as_ref()
                .is_some_and(|address| !is_endpoint(address))
            {
                let what = "this is no https:// address";
                return Err(Problem::new(
                    key,
                    what,
                    "write it as the provider has it, with https://",
                ));
            }
        }
        if own.profile != Profile::Microsoft && own.tenant.is_some() {
            let what = "only Microsoft has tenants";
            return Err(Problem::new(
                "tenant",
                what,
                "leave it out, or write profile = \"microsoft\"",
            ));
        }
        let tenant = own.tenant.as_deref().unwrap_or("common");
        if !tenant
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"-.".contains(&octet))
        {
            let remedy = "write a domain of the directory, or its id";
            return Err(Problem::new("tenant", "this is no tenant", remedy));
        }
        if own.profile == Profile::Oidc
            && own.issuer.is_none()
            && own.endpoints.token.is_none()
            && !is_account
        {
            let remedy = "write issuer = \"https://...\", or the endpoints one by one";
            return Err(Problem::new(
                "issuer",
                "where it is asked, is missing",
                remedy,
            ));
        }
        Ok(())
    }
}

impl Grant {
    /// How it comes about.
    pub fn flow(&self, provider: &Provider) -> Flow {
        let best = || provider.flows().first().copied().unwrap_or(Flow::Code);
        self.flow.unwrap_or_else(best)
    }

    /// What `check` says of it.
    pub(super) fn told(&self, providers: &[ProviderSettings]) -> String {
        let (name, provider) = (&self.name, &self.provider);
        let found = providers.iter().find(|own| own.provider.name == *provider);
        let flow = found.map_or("", |own| self.flow(&own.provider).word());
        format!("{name}: from {provider}, flow {flow}")
    }

    pub(super) fn check(&mut self) -> Result<(), Problem> {
        if self.name.is_empty() || self.name.len() > 64 || self.name.chars().any(char::is_control) {
            let remedy = "write name = \"...\", one printable line of at most 64 octets";
            return Err(Problem::new("name", "a grant needs a name", remedy));
        }
        Ok(())
    }

    /// What it and its provider say together.
    pub(super) fn suits(&self, providers: &[ProviderSettings]) -> Result<(), Problem> {
        let found = providers
            .iter()
            .find(|own| own.provider.name == self.provider);
        let Some(ProviderSettings { provider, .. }) = found else {
            let what = format!("there is no provider {:?}", self.provider);
            return Err(Problem::new(
                "provider",
                what,
                "add [[provider]] with this name",
            ));
        };
        let flow = self.flow(provider);
        if !provider.flows().contains(&flow) {
            let words = provider
                .flows()
                .iter()
                .map(|flow| format!("{:?}", flow.word()));
            let words: Vec<_> = words.collect();
            let what = "this provider gives no tokens for mail in this way";
            return Err(Problem::new(
                "flow",
                what,
                format!("write {}", words.join(" or ")),
            ));
        }
        let tenant = provider.tenant.as_deref().unwrap_or("common");
        let anyone = ["common", "organizations", "consumers"].contains(&tenant);
        if provider.profile == Profile::Microsoft && flow == Flow::App && anyone {
            let what = "an app has rights in one directory";
            return Err(Problem::new(
                "flow",
                what,
                "write the directory's domain or id as tenant in [[provider]]",
            ));
        }
        if flow == Flow::App && matches!(provider.proof, Proof::None) {
            let what = "an app that has rights of its own has to prove itself";
            let remedy = "write client_secret_file, certificate or assertion_file in [[provider]]";
            return Err(Problem::new("flow", what, remedy));
        }
        if (flow == Flow::ServiceAccount) != matches!(provider.proof, Proof::ServiceAccount(_)) {
            let what =
                "a service account goes with the flow \"service-account\", and with no other";
            return Err(Problem::new(
                "flow",
                what,
                "write service_account_file in [[provider]], or another flow",
            ));
        }
        Ok(())
    }
}
