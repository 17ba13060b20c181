//! Who gives tokens.
//!
//! Owns the profiles: what is known of each provider, and what an operator may say otherwise. Asks nothing of
//! anybody; what an issuer tells of itself is for `authority`.

use std::path::PathBuf;

use super::proof::Proof;

/// How a grant comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    /// A person signs in with a browser (RFC 6749 section 4.1, with PKCE, RFC 7636).
    Code,
    /// A person enters a code on another device (RFC 8628).
    Device,
    /// The app itself has the right to mailboxes (RFC 6749 section 4.4).
    App,
    /// A service account acts for the mailbox's user (RFC 7523).
    ServiceAccount,
}

impl Flow {
    /// Whether a person signs in, so that there is a refresh token for each mailbox.
    pub const fn signs_in(self) -> bool {
        match self {
            Self::Code | Self::Device => true,
            Self::App | Self::ServiceAccount => false,
        }
    }
}

/// What is known of a provider beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Microsoft 365 and outlook.com.
    Microsoft,
    /// Gmail and Google Workspace.
    Google,
    /// Fastmail.
    Fastmail,
    /// Yandex.
    Yandex,
    /// Mail.ru.
    Mailru,
    /// Yahoo and AOL.
    Yahoo,
    /// Any issuer that tells its endpoints (RFC 8414, OpenID Connect Discovery).
    #[default]
    Oidc,
}

/// One of Microsoft's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The one for everybody.
    #[default]
    Global,
    /// The government of the United States.
    UsGovernment,
    /// China, run by 21Vianet.
    China,
}

impl Cloud {
    const fn login(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }

    /// The resource that delegated scopes name.
    const fn resource(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office.com",
            Self::UsGovernment => "https://outlook.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }

    /// The resource whose `.default` scope an app asks for.
    const fn app_resource(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office365.com",
            Self::UsGovernment => "https://outlook.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }
}

/// Where a provider is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Where a person's browser goes.
    pub authorization: Option<String>,
    /// Where tokens are.
    pub token: Option<String>,
    /// Where device codes are.
    pub device: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation: Option<String>,
}

impl Endpoints {
    /// These, and where there is none the others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            authorization: self.authorization.or(others.authorization),
            token: self.token.or(others.token),
            device: self.device.or(others.device),
            revocation: self.revocation.or(others.revocation),
        }
    }
}

/// A provider, as it was configured.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    /// What grants and logs call it.
    pub name: String,
    /// What is known of it.
    pub profile: Profile,
    /// Microsoft: whose directory; a domain, an id, `common`, `organizations` or `consumers`.
    pub tenant: Option<String>,
    /// Microsoft: which cloud.
    pub cloud: Cloud,
    /// The issuer's address, whose metadata name the endpoints.
    pub issuer: Option<String>,
    /// Endpoints that the operator named; they go before all others.
    pub endpoints: Endpoints,
    /// Which app this program is there.
    pub client_id: String,
    /// How it proves that.
    pub proof: Proof,
    /// What is asked for, where the profile's scopes do not suit.
    pub scopes: Vec<String>,
    /// Authorities that the provider's certificate may be from, beside nothing else; the system's without it.
    pub ca_file: Option<PathBuf>,
}

impl Provider {
    /// Where it is asked, as far as that is known without asking its issuer.
    pub fn known_endpoints(&self) -> Endpoints {
        self.endpoints.clone().or(self.profile_endpoints())
    }

    fn profile_endpoints(&self) -> Endpoints {
        let some = |url: &str| Some(url.to_owned());
        match self.profile {
            Profile::Microsoft => {
                let tenant = self.tenant.as_deref().unwrap_or("common");
                let at = |last: &str| {
                    Some(format!(
                        "{}/{tenant}/oauth2/v2.0/{last}",
                        self.cloud.login()
                    ))
                };
                Endpoints {
                    authorization: at("authorize"),
                    token: at("token"),
                    device: at("devicecode"),
                    revocation: None,
                }
            }
            Profile::Google => Endpoints {
                authorization: some("https://accounts.google.com/o/oauth2/v2/auth"),
                token: some("https://oauth2.googleapis.com/token"),
                // its device flow has no scope for mail
                device: None,
                revocation: some("https://oauth2.googleapis.com/revoke"),
            },
            Profile::Fastmail => Endpoints {
                authorization: some("https://api.fastmail.com/oauth/authorize"),
                token: some("https://api.fastmail.com/oauth/refresh"),
                ..Endpoints::default()
            },
            Profile::Yandex => Endpoints {
                authorization: some("https://oauth.yandex.com/authorize"),
                token: some("https://oauth.yandex.com/token"),
                device: some("https://oauth.yandex.com/device/code"),
                revocation: some("https://oauth.yandex.com/revoke_token"),
            },
            Profile::Mailru => Endpoints {
                authorization: some("https://oauth.mail.ru/login"),
                token: some("https://oauth.mail.ru/token"),
                ..Endpoints::default()
            },
            Profile::Yahoo => Endpoints {
                authorization: some("https://api.login.yahoo.com/oauth2/request_auth"),
                token: some("https://api.login.yahoo.com/oauth2/get_token"),
                ..Endpoints::default()
            },
            Profile::Oidc => Endpoints::default(),
        }
    }

    /// What is asked for.
    pub fn scopes(&self, flow: Flow) -> Vec<String> {
        if !self.scopes.is_empty() {
            return self.scopes.clone();
        }
        let list = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
        match (self.profile, flow) {
            (Profile::Microsoft, Flow::App) => {
                vec![format!("{}/.default", self.cloud.app_resource())]
            }
            (Profile::Microsoft, Flow::Code | Flow::Device | Flow::ServiceAccount) => vec![
                format!("{}/IMAP.AccessAsUser.All", self.cloud.resource()),
                "offline_access".into(),
            ],
            (Profile::Google, _) => list(&["https://mail.google.com/"]),
            (Profile::Fastmail, _) => list(&[
                "https://www.fastmail.com/dev/protocol-imap",
                "offline_access",
            ]),
            (Profile::Yandex, _) => list(&["mail:imap_full"]),
            (Profile::Mailru, _) => list(&["mail.imap"]),
            (Profile::Yahoo, _) => list(&["mail-w"]),
            (Profile::Oidc, Flow::Code | Flow::Device) => {
                list(&["openid", "email", "offline_access"])
            }
            (Profile::Oidc, Flow::App | Flow::ServiceAccount) => Vec::new(),
        }
    }

    /// What is asked for beside the scopes for mail, so that the provider tells who signed in (OpenID Connect).
    pub(super) fn identity_scopes(&self) -> &'static [&'static str] {
        match self.profile {
            Profile::Microsoft | Profile::Google if self.scopes.is_empty() => {
                &["openid", "email", "profile"]
            }
            // in the others' own scopes, or not to be had beside them
            Profile::Microsoft
            | Profile::Google
            | Profile::Fastmail
            | Profile::Yandex
            | Profile::Mailru
            | Profile::Yahoo
            | Profile::Oidc => &[],
        }
    }

    /// What the profile adds to the address that a person's browser goes to.
    pub(super) fn authorization_extras(&self) -> &'static [(&'static str, &'static str)] {
        match self.profile {
            // without both there is a refresh token at the first consent only
            Profile::Google => &[("access_type", "offline"), ("prompt", "consent")],
            Profile::Microsoft => &[("prompt", "select_account")],
            // OpenID Connect Core section 11: offline access needs consent
            Profile::Oidc => &[("prompt", "consent")],
            Profile::Fastmail | Profile::Yandex | Profile::Mailru | Profile::Yahoo => &[],
        }
    }

    /// The mechanism that its IMAP servers take.
    pub const fn mechanism(&self) -> &'static str {
        match self.profile {
            Profile::Microsoft
            | Profile::Google
            | Profile::Yandex
            | Profile::Mailru
            | Profile::Yahoo => "XOAUTH2",
            Profile::Fastmail | Profile::Oidc => "OAUTHBEARER",
        }
    }

    /// Which flows can work there, the best one first.
    pub const fn flows(&self) -> &'static [Flow] {
        match self.profile {
            Profile::Microsoft => &[Flow::Code, Flow::Device, Flow::App],
            Profile::Google => &[Flow::Code, Flow::ServiceAccount],
            Profile::Yandex => &[Flow::Code, Flow::Device],
            Profile::Fastmail | Profile::Mailru | Profile::Yahoo => &[Flow::Code],
            Profile::Oidc => &[Flow::Code, Flow::Device, Flow::App, Flow::ServiceAccount],
        }
    }

    /// Who gives the tokens, as far as sealed records are bound to it.
    pub fn issuer(&self) -> String {
        self.issuer.clone().unwrap_or_else(|| {
            let token = self.known_endpoints().token;
            token.unwrap_or_else(|| self.name.clone())
        })
    }
}
