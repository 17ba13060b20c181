//! A provider, an IMAP server, a configuration and a state, with all that can be wrong with them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_state::{Account, Binding, Grant, GrantId, Tokens};
use pop3_gateway::config::Config;
use pop3_gateway::doctor::{Step, examine};
use pop3_gateway::oauth::{Records, now};
use pop3_gateway::wiring::tokens;
use pop3_proto::secret::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::imap_server::{Options, Server, Store};
use testkit::tcp::TcpHost;
use time::OffsetDateTime;

pub(crate) const ANN: &str = "ann@example.org";
pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const APP: &str = "aaaaaaaa-0000-0000-0000-00000000000a";
pub(crate) const OBJECT: &str = "bbbbbbbb-0000-0000-0000-00000000000b";

/// What is set up; a fault changes it.
pub(crate) struct Rig {
    pub(crate) profile: &'static str,
    pub(crate) flow: &'static str,
    /// Lines of `[[provider]]`.
    pub(crate) provider: String,
    /// Lines of `[[upstream]]`.
    pub(crate) upstream: String,
    /// In the place of the URL of the IMAP server.
    pub(crate) upstream_url: Option<String>,
    /// In the place of the token endpoint.
    pub(crate) endpoint: Option<String>,
    pub(crate) claims: Value,
    /// What the token endpoint says in the place of a token.
    pub(crate) answer: Option<(u16, String)>,
    /// What the issuer tells of itself.
    pub(crate) metadata: Option<String>,
    pub(crate) date: Option<&'static str>,
    pub(crate) imap: Options,
    pub(crate) opens: bool,
    pub(crate) opens_whatever_it_says: bool,
    pub(crate) is_signed_in: bool,
    pub(crate) has_refresh_token: bool,
    pub(crate) client: &'static str,
    pub(crate) has_account: bool,
    pub(crate) change_account: fn(&mut Account),
    pub(crate) grant_ended: bool,
    /// The last thing that happens to the folder.
    pub(crate) at_last: fn(&PathBuf),
    pub(crate) state_is_whole: bool,
}

impl Default for Rig {
    fn default() -> Self {
        Self {
            profile: "microsoft",
            flow: "code",
            provider: format!("tenant = \"{TENANT}\"\n"),
            upstream: String::new(),
            upstream_url: None,
            endpoint: None,
            claims: json!({
                "aud": "https://outlook.office.com",
                "tid": TENANT,
                "appid": APP,
                "scp": "IMAP.AccessAsUser.All",
                "upn": ANN,
                "exp": now() + 3600,
            }),
            answer: None,
            metadata: None,
            date: None,
            imap: Options::default(),
            opens: true,
            opens_whatever_it_says: false,
            is_signed_in: true,
            has_refresh_token: true,
            client: APP,
            has_account: true,
            change_account: |_| {},
            grant_ended: false,
            at_last: |_| {},
            state_is_whole: true,
        }
    }
}

impl Rig {
    pub(crate) fn app() -> Self {
        let mut rig = Self {
            flow: "app",
            is_signed_in: false,
            ..Self::default()
        };
        rig.provider
            .push_str("client_secret = \"the-app-secret\"\n");
        rig.claims = json!({
            "aud": "https://outlook.office365.com",
            "tid": TENANT,
            "appid": APP,
            "oid": OBJECT,
            "roles": ["IMAP.AccessAsApp"],
            "exp": now() + 3600,
        });
        rig
    }

    pub(crate) fn google() -> Self {
        Self {
            profile: "google",
            provider: String::new(),
            ..Self::default()
        }
    }

    pub(crate) fn service_account() -> Self {
        Self {
            flow: "service-account",
            provider: "service_account_file = \"account.json\"\n".into(),
            is_signed_in: false,
            ..Self::google()
        }
    }

    pub(crate) fn oidc() -> Self {
        Self {
            profile: "oidc",
            provider: String::new(),
            ..Self::default()
        }
    }

    /// Of no provider that is known: its issuer tells what it is.
    pub(crate) fn upstream_is_own(&mut self) {
        self.metadata = Some(r#"{"issuer":"OWN","token_endpoint":"OWN/token"}"#.into());
    }

    pub(crate) fn said(&mut self, error: &str, numbers: &[u64]) {
        let body = json!({ "error": error, "error_codes": numbers, "error_description": "no" });
        self.answer = Some((400, body.to_string()));
    }

    /// `invalid_grant`, and Microsoft's word for why.
    pub(crate) fn said_with(&mut self, suberror: &str) {
        let body =
            json!({ "error": "invalid_grant", "suberror": suberror, "error_description": "no" });
        self.answer = Some((400, body.to_string()));
    }

    pub(crate) fn build(self) -> Built {
        let folder = tempfile::tempdir().unwrap();
        // Google's is no JWT
        let token = match self.profile {
            "google" => "ya29.opaque-token".to_owned(),
            _ => {
                let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
                format!(
                    "{}.{}.c2ln",
                    part(&json!({ "alg": "none" })),
                    part(&self.claims)
                )
            }
        };
        let store = Store::new();
        store.add_user(ANN, "nobody knows it");
        store.deliver(ANN, b"Subject: a\r\n\r\nb\r\n".to_vec());
        let honest = Self::default().claims["upn"] == self.claims["upn"] || self.flow == "app";
        if self.opens && (honest || self.opens_whatever_it_says) {
            store.add_token(ANN, &token);
        }
        let imap = TcpHost::start("127.0.0.1:0", Server::new(store, self.imap.clone())).unwrap();
        let answer = self.answer.clone().unwrap_or_else(|| {
            let body = json!({ "token_type": "Bearer", "access_token": token, "expires_in": 3600,
                               "refresh_token": "refresh-2" });
            (200, body.to_string())
        });
        let http = Script {
            answer,
            metadata: self.metadata.clone(),
            date: self.date.map_or_else(http_date, str::to_owned),
        };
        let http = http.serve();
        let endpoint = self
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("http://{http}/token"));
        let endpoint = match self.metadata {
            Some(_) => format!("issuer = \"http://{http}\""),
            None => format!("token_endpoint = \"{endpoint}\""),
        };
        let url = self
            .upstream_url
            .clone()
            .unwrap_or_else(|| format!("imap://{}", imap.address()));
        let client = match self.flow {
            "service-account" => String::new(),
            _ => format!("client_id = \"{APP}\"\n"),
        };
        let text = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\n[state]\nurl = \"sqlite:state.db\"\nkey_file = \"state.key\"\n\
             [[provider]]\nname = \"p\"\nprofile = \"{}\"\n{client}{endpoint}\n{}\
             [[grant]]\nname = \"g\"\nprovider = \"p\"\nflow = \"{}\"\n\
             [[upstream]]\nname = \"main\"\nurl = \"{url}\"\ngrant = \"g\"\nconnect_timeout = \"2s\"\n{}",
            self.profile, self.provider, self.flow, self.upstream
        );
        fs::write(folder.path().join("account.json"), service_account()).unwrap();
        let file = folder.path().join("g.toml");
        fs::write(&file, &text).unwrap();
        let state = format!(
            "[state]\nurl = \"sqlite:{0}/state.db\"\nkey_file = \"{0}/state.key\"\n\
             [[listener]]\nlisten = \"127.0.0.1:0\"\n[[upstream]]\nname = \"x\"\nurl = \"imaps://x\"\n",
            folder.path().display()
        );
        let state = Config::parse(&state, &file).unwrap().state.unwrap();
        let issuer = match self.metadata {
            Some(_) => format!("http://{http}"),
            None => endpoint.split('"').nth(1).unwrap().to_owned(),
        };
        let built = Built {
            folder,
            _imap: imap,
            file,
            token,
            records: tokens::records(&state).unwrap(),
            issuer,
            state_is_whole: self.state_is_whole,
        };
        built.fill(&self);
        (self.at_last)(&built.folder.path().to_owned());
        built
    }
}

/// Does to the file of a state what no tool does.
pub(crate) fn change_state(file: &Path, statement: &'static str) {
    use sqlx::Connection as _;
    let url = format!("sqlite://{}", file.display());
    futures_lite::future::block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

/// All of it, at work.
pub(crate) struct Built {
    pub(crate) folder: TempDir,
    _imap: TcpHost,
    file: PathBuf,
    /// The access token that the provider gives.
    pub(crate) token: String,
    records: Records,
    issuer: String,
    pub(crate) state_is_whole: bool,
}

impl Built {
    fn fill(&self, rig: &Rig) {
        let id = GrantId::new("g", ANN);
        if rig.is_signed_in {
            let tokens = Tokens {
                refresh: rig
                    .has_refresh_token
                    .then(|| Secret::from(&b"refresh-1"[..])),
                access: Some(Secret::from(&b"access-1"[..])),
                access_expires: now() + 3000,
                scope: None,
            };
            let binding = Binding {
                issuer: &self.issuer,
                client: rig.client,
            };
            self.records
                .with(|state| state.put_grant(&id, binding, &tokens, now()))
                .unwrap();
        }
        if rig.grant_ended {
            let version = self.grant().unwrap().version;
            self.records
                .with(|state| state.end_grant(&id, version, "it was revoked", now()))
                .unwrap();
        }
        if rig.has_account {
            let mut account = Account::new("ann-scanner", ANN, "main", "{PLAIN}x", now());
            (rig.change_account)(&mut account);
            self.records
                .with(|state| state.add_account(&account))
                .unwrap();
        }
    }

    pub(crate) fn examine(&self) -> Vec<Step> {
        examine(&self.file, None, Some(ANN))
    }

    pub(crate) fn command(&self, more: &[&str]) -> Output {
        self.tool(&["doctor"], more)
    }

    /// What `pop3-gateway` does with this configuration.
    pub(crate) fn tool(&self, words: &[&str], more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"));
        command
            .args(words)
            .arg("--config")
            .arg(&self.file)
            .args(more)
            .output()
            .unwrap()
    }

    pub(crate) fn accounts(&self) -> usize {
        self.records
            .with(|state| state.accounts(None))
            .map_or(0, |all| all.len())
    }

    /// The grant as it is kept for this configuration's client, or another one.
    pub(crate) fn grant(&self) -> Option<Grant> {
        let id = GrantId::new("g", ANN);
        let find = |client| {
            let binding = Binding {
                issuer: &self.issuer,
                client,
            };
            let grant = self.records.with(|state| state.grant(&id, binding));
            grant.ok().flatten()
        };
        find(APP).or_else(|| find("another-app"))
    }
}

/// A server that says the same to everybody.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) answer: (u16, String),
    pub(crate) metadata: Option<String>,
    pub(crate) date: String,
}

impl Script {
    pub(crate) fn serve(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = self.clone();
                thread::spawn(move || script.answer(stream, address));
            }
        });
        address
    }

    fn answer(&self, stream: TcpStream, own: SocketAddr) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim().to_lowercase();
            if let Some(octets) = line.strip_prefix("content-length:") {
                length = octets.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let (status, body) = match &self.metadata {
            Some(metadata) if first.contains("/.well-known/") => {
                (200, metadata.replace("OWN", &format!("http://{own}")))
            }
            Some(_) | None if first.starts_with("POST") => self.answer.clone(),
            Some(_) | None => (405, "<html>POST only</html>".into()),
        };
        let head = format!(
            "HTTP/1.1 {status} Said\r\nDate: {}\r\nLocation: /elsewhere\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.date,
            body.len()
        );
        let mut stream = stream;
        stream.write_all((head + &body).as_bytes()).ok()
    }
}

fn http_date() -> String {
    let now = OffsetDateTime::now_utc();
    let (day, month) = (now.weekday().to_string(), now.month().to_string());
    format!(
        "{:.3}, {:02} {:.3} {} {:02}:{:02}:{:02} GMT",
        day,
        now.day(),
        month,
        now.year(),
        now.hour(),
        now.minute(),
        now.second()
    )
}

/// A place where an unknown certificate is shown.
pub(crate) fn unknown_certificate() -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .unwrap();
    let key = made.signing_key.serialize_der();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.try_into().unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            // the client leaves
            while session
                .complete_io(&mut stream)
                .is_ok_and(|(read, _)| read > 0)
            {}
        }
    });
    address
}

/// A place where no server listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn service_account() -> String {
    json!({
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key": include_str!("key.pem"),
        "private_key_id": "1",
    })
    .to_string()
}
