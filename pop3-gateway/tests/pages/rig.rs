//! A gateway with pages, a provider, an IMAP server, and browsers without a window.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_state::{GrantId, MAX_SIGN_INS, SignIn};
use local_accounts::private_file;
use pop3_gateway::config::Config;
use pop3_gateway::oauth::now;
use pop3_gateway::serve::Bound;
use pop3_gateway::wiring::{Surroundings, tokens};
use pop3_proto::secret::Secret;
use pop3_server::server::Server;
use serde_json::json;
use tempfile::TempDir;
use testkit::imap_server::{Options, Server as Imap, Store};
use testkit::tcp::TcpHost;
use testkit_provider::{Answer, Provider, form};

pub(crate) const RUNTIMES: &[&str] = &[
    #[cfg(feature = "tokio")]
    "tokio",
    #[cfg(feature = "smol")]
    "smol",
];

pub(crate) const ANN: &str = "ann@example.org";
pub(crate) const BOB: &str = "bob@example.org";
/// What browsers ask for: the gateway's port is its own affair.
pub(crate) const HOST: &str = "127.0.0.1";
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that runs until this is dropped, and what it works with.
pub(crate) struct Rig {
    pub(crate) provider: Provider,
    pub(crate) imap: Option<TcpHost>,
    mails: Imap,
    running: Running,
    folder: TempDir,
    file: PathBuf,
}

/// A process's part of it.
pub(crate) struct Running {
    server: Server,
    pop3: SocketAddr,
    http: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn new(config: &Config) -> Self {
        let server = Server::new();
        let surroundings = Surroundings {
            parking: server.parking().clone(),
            ..Surroundings::default()
        };
        let bound = Bound::new(config, &surroundings).unwrap();
        let (pop3, http) = (bound.addresses()[0], bound.http_addresses()[0]);
        let running = server.clone();
        let thread = thread::spawn(move || bound.serve(running, None).unwrap());
        Self {
            server,
            pop3,
            http,
            thread: Some(thread),
        }
    }
}

/// Where the state of a test is, beside its configuration.
const STATE: &str = "sqlite:state.db";

impl Rig {
    pub(crate) fn new(runtime: &str) -> Self {
        Self::with(runtime, "", "")
    }

    /// With more lines in `[pages]`, and more tables.
    pub(crate) fn with(runtime: &str, pages: &str, more: &str) -> Self {
        Self::at(&format!("http://{HOST}"), runtime, pages, more)
    }

    /// The same, where browsers come to this address.
    pub(crate) fn at(url: &str, runtime: &str, pages: &str, more: &str) -> Self {
        Self::made(url, STATE, runtime, pages, more)
    }

    /// The same, with the state in a database.
    pub(crate) fn with_state(state: &str, runtime: &str, more: &str) -> Self {
        Self::made(&format!("http://{HOST}"), state, runtime, "", more)
    }

    fn made(url: &str, state: &str, runtime: &str, pages: &str, more: &str) -> Self {
        let store = Store::new();
        for user in [ANN, BOB] {
            store.add_user(user, "nobody knows it");
            store.deliver(user, b"Subject: a\r\n\r\nb\r\n".to_vec());
            store.add_token(user, &access(user));
        }
        let mails = Imap::new(store, Options::default());
        let imap = TcpHost::start("127.0.0.1:0", mails.clone()).unwrap();
        let (provider, folder) = (Provider::start(), TempDir::new().unwrap());
        let (auth, token) = (provider.url("/auth"), provider.url("/token"));
        let text = format!(
            "runtime = \"{runtime}\"\n[[listener]]\nlisten = \"127.0.0.1:0\"\n\
             [[http]]\nlisten = \"127.0.0.1:0\"\nserve = \"pages\"\n\
             [pages]\nurl = \"{url}\"\ndomains = [\"Example.org\"]\n{pages}\n\
             [state]\nurl = \"{state}\"\nkey_file = \"state.key\"\n\
             [[provider]]\nname = \"p\"\nprofile = \"oidc\"\nclient_id = \"c\"\nauthorization_endpoint = \"{auth}\"\n\
             token_endpoint = \"{token}\"\nrevocation_endpoint = \"{}\"\n\
             [[grant]]\nname = \"g\"\nprovider = \"p\"\nflow = \"code\"\n\
             [[upstream]]\nname = \"main\"\nurl = \"imap://{}\"\ngrant = \"g\"\nconnect_timeout = \"20s\"\n{more}",
            provider.url("/revoke"),
            imap.address()
        );
        let file = folder.path().join("gateway.toml");
        fs::write(&file, text).unwrap();
        if state != STATE {
            let key = gateway_state::Keys::generate().unwrap().to_text();
            let key_file = folder.path().join("state.key");
            private_file::create(&key_file, key.expose()).unwrap();
        }
        let rig = Self {
            provider,
            imap: Some(imap),
            mails,
            running: Running::new(&Config::load(&file).unwrap()),
            folder,
            file,
        };
        rig.gives(ANN);
        rig
    }

    /// Another gateway on the same state, with the same settings.
    pub(crate) fn another(&self) -> Running {
        Running::new(&Config::load(&self.file).unwrap())
    }

    /// The same, which has to ask the provider where people sign in, and does not reach it.
    pub(crate) fn cut_off(&self) -> Running {
        let text = fs::read_to_string(&self.file).unwrap();
        let (before, after) = text.split_once("authorization_endpoint").unwrap();
        let after = after.split_once('\n').unwrap().1;
        let file = self.file.with_file_name("cut-off.toml");
        fs::write(
            &file,
            format!("{before}issuer = \"http://127.0.0.1:1\"\n{after}"),
        )
        .unwrap();
        Running::new(&Config::load(&file).unwrap())
    }

    /// The provider gives tokens of this person from now on.
    pub(crate) fn gives(&self, person: &str) {
        self.gives_as(person, &json!({ "email": person, "aud": "c" }));
    }

    /// The same with other claims.
    pub(crate) fn gives_as(&self, person: &str, claims: &serde_json::Value) {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let id = format!("{}.{}.c2ln", part(&json!({})), part(claims));
        let body = json!({
            "token_type": "Bearer", "access_token": access(person), "expires_in": 3600,
            "refresh_token": format!("refresh-of-{person}"), "id_token": id,
        });
        self.says(Answer::json(200, body.to_string()));
    }

    /// What the provider says to whom brings a code.
    pub(crate) fn says(&self, answer: Answer) {
        self.provider.forget("/token").answer("/token", answer);
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser {
            http: self.running.http,
            cookie: None,
            rig: PhantomData,
        }
    }

    /// As many people as there may be are on their way.
    pub(crate) fn fills_up(&self) {
        self.sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MAX_SIGN_INS}) \
             INSERT INTO gateway_sign_ins (digest, name, owner, sealed, created, expires) \
             SELECT randomblob(32), 'g', i, x'00', {0}, {0} + 900 FROM n",
            now()
        ));
    }

    /// How many sign-ins are under way.
    pub(crate) fn under_way(&self) -> usize {
        let count = self.sql("SELECT COUNT(*) FROM gateway_sign_ins");
        usize::try_from(count.unwrap()).unwrap()
    }

    /// A device that has its greeting.
    pub(crate) fn dial(&self) -> Device {
        self.running.dial()
    }

    /// Waits until a connection was put aside, or so many have been logged out of.
    pub(crate) fn waits_for_rest(&self, logouts: usize) {
        let begin = std::time::Instant::now();
        while self.running.server.parking().waiting() == 0 && self.logouts() < logouts {
            assert!(begin.elapsed() < PATIENCE, "the session does not rest");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How often the mail server was logged out of.
    pub(crate) fn logouts(&self) -> usize {
        let commands = self.mails.commands();
        commands.iter().filter(|line| *line == "LOGOUT").count()
    }

    /// How often the mail server was logged in to.
    pub(crate) fn upstream_logins(&self) -> usize {
        let commands = self.mails.commands();
        let logins = commands
            .iter()
            .filter(|line| line.starts_with("AUTHENTICATE"));
        logins.count()
    }

    /// The octets of the state's files.
    pub(crate) fn on_disk(&self) -> u64 {
        let files = fs::read_dir(self.folder.path()).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    }

    /// Does something with the tables of the state; the number that comes of it.
    fn sql(&self, statement: &str) -> Option<i64> {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}", self.folder.path().join("state.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let done = sqlx::query_scalar(sqlx::AssertSqlSafe(statement.to_owned()));
            done.fetch_optional(&mut connection).await.unwrap()
        })
    }

    /// A connection of a program that speaks for itself.
    pub(crate) fn connected(&self) -> TcpStream {
        let socket = TcpStream::connect(self.running.http).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// A sign-in of this browser whose time is over.
    pub(crate) fn begun_long_ago(&self, browser: &Browser<'_>, state: &str) {
        let records = tokens::records(&Config::load(&self.file).unwrap().state.unwrap()).unwrap();
        let cookie = browser.cookie.as_ref().unwrap();
        let key = format!("{state}\n{}", cookie.split_once('=').unwrap().1);
        let payload = json!({
            "verifier": "v", "redirect": format!("http://{HOST}/signed-in"), "address": ANN,
            "late": now() - 1, "invited": false,
        });
        let kept = SignIn {
            id: GrantId::new("g", "a browser"),
            network: None,
            payload: Secret::from(payload.to_string().as_bytes()),
            created: now() - 901,
            expires: now() + 900,
        };
        let key = Secret::from(key.as_bytes());
        let begun = records.with(|state| state.begin_sign_in(&key, &kept));
        begun.unwrap();
    }

    /// What `pop3-gateway` prints for these words.
    pub(crate) fn tool(&self, words: &[&str]) -> String {
        let [command, rest @ ..] = words else {
            return String::new();
        };
        let mut tool = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"));
        let told = tool.arg(command).arg("--config").arg(&self.file).args(rest);
        let told = told.current_dir(self.folder.path()).output().unwrap();
        assert!(
            told.status.success(),
            "{}",
            String::from_utf8_lossy(&told.stderr)
        );
        String::from_utf8(told.stdout).unwrap()
    }

    /// The answer to a login.
    pub(crate) fn log_in(&self, name: &str, password: &str) -> String {
        self.running.log_in(name, password)
    }
}

impl Running {
    /// A session that says QUIT; what the login was answered.
    pub(crate) fn log_in(&self, name: &str, password: &str) -> String {
        let mut device = self.dial();
        let answer = device.log_in(name, password);
        device.ask("QUIT");
        answer
    }

    fn dial(&self) -> Device {
        let socket = TcpStream::connect(self.pop3).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut device = Device(BufReader::new(socket));
        device.line();
        device
    }
}

/// What speaks POP3 to a gateway.
pub(crate) struct Device(BufReader<TcpStream>);

impl Device {
    pub(crate) fn log_in(&mut self, name: &str, password: &str) -> String {
        self.ask(&format!("USER {name}"));
        self.ask(&format!("PASS {password}"))
    }

    /// The first line of the answer; none from a gateway that has hung up.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        // it may have done so before
        let _ = self
            .0
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes());
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.0.read_line(&mut line);
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.shutdown().advance();
        self.server.shutdown().advance();
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}

/// An access token of this person.
fn access(person: &str) -> String {
    format!("access-token-of-{person}")
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The value of the first field of this name.
    pub(crate) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let found = self.body.split_once(&start);
        let found = found.unwrap_or_else(|| panic!("no field {name} in {}", self.body));
        found.1.split('"').next().unwrap().to_owned()
    }

    /// Whether this is the problem with these words in its title.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, title: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(
            self.body.contains(&format!("<h1>{title}</h1>")),
            "{}",
            self.body
        );
    }
}

/// A browser of one person.
pub(crate) struct Browser<'r> {
    /// Where it is led to.
    http: SocketAddr,
    rig: PhantomData<&'r Rig>,
    pub(crate) cookie: Option<String>,
}

impl Browser<'_> {
    /// From now on a balancer leads it there.
    pub(crate) fn is_led_to(&mut self, running: &Running) {
        self.http = running.http;
    }

    /// Sends a request as it is, and keeps the cookie that comes back.
    pub(crate) fn ask(&mut self, head: &str, body: &str) -> Told {
        let mut socket = TcpStream::connect(self.http).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let cookie = self.cookie.as_ref();
        let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
        let length = match body.is_empty() {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let request = format!("{head}\r\n{cookie}{length}Connection: close\r\n\r\n{body}");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let told = Told {
            status: status.parse().unwrap(),
            headers,
            body: body.to_owned(),
        };
        if let Some(cookie) = told.header("set-cookie") {
            let pair = cookie.split(';').next().unwrap();
            self.cookie = (!cookie.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        told
    }

    pub(crate) fn get(&mut self, path: &str) -> Told {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {HOST}"), "")
    }

    /// Goes where it is sent.
    pub(crate) fn follow(&mut self, path: &str) -> Told {
        let told = self.get(path);
        self.followed(told)
    }

    fn followed(&mut self, mut told: Told) -> Told {
        while told.status == 303 {
            let to = told.header("location").unwrap().to_owned();
            told = self.get(&to);
        }
        told
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Told {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Type: application/x-www-form-urlencoded"
        );
        self.ask(&head, &encoded(fields))
    }

    /// The same, going where it is sent.
    pub(crate) fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Told {
        let told = self.post(path, fields);
        self.followed(told)
    }

    /// Enters an address on the first page; the `state` that the provider is given.
    pub(crate) fn begin(&mut self, address: &str) -> String {
        let token = self.get("/").field("token");
        let told = self.post("/connect", &[("token", &token), ("address", address)]);
        state(&told)
    }

    /// Signs in for a mailbox; where that ends.
    pub(crate) fn connect(&mut self, address: &str) -> Told {
        let state = self.begin(address);
        self.follow(&format!("/signed-in?code=the-code&state={state}"))
    }

    /// Makes a password: name and password.
    pub(crate) fn device(&mut self, label: &str, access: &str) -> (String, String) {
        let token = self.get("/mailbox").field("token");
        let fields = [("token", &*token), ("label", label), ("access", access)];
        let told = self.submit("/devices", &fields);
        let after = |word: &str| {
            let (_, rest) = told
                .body
                .split_once(word)
                .unwrap_or_else(|| panic!("{told:?}"));
            rest.split('<').next().unwrap().to_owned()
        };
        (
            after("<dt>Name</dt><dd><code>"),
            after("<code class=\"password\">"),
        )
    }
}

/// The `state` that a browser takes along to the provider.
pub(crate) fn state(told: &Told) -> String {
    assert_eq!(told.status, 200, "{}", told.body);
    let (_, link) = told.body.split_once("href=\"http").unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let fields = form(link.split_once('?').unwrap().1);
    let one = |key: &str| {
        let mut found = fields.iter().filter(|(name, _)| name == key);
        found.next().unwrap().1.clone()
    };
    assert_eq!(one("redirect_uri"), format!("http://{HOST}/signed-in"));
    assert_eq!(one("code_challenge_method"), "S256");
    one("state")
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let plain = |octet: &u8| octet.is_ascii_alphanumeric();
    let encode = |text: &str| -> String {
        let octets = text.bytes();
        octets
            .map(|octet| match plain(&octet) {
                true => char::from(octet).to_string(),
                false => format!("%{octet:02X}"),
            })
            .collect()
    };
    let pairs = fields
        .iter()
        .map(|(key, value)| format!("{key}={}", encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
