//! A provider that answers as a test says, records that a test can look into, and a clock that it sets.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use gateway_state::{Binding, Grant, GrantId, Keys, Tokens};
use pop3_gateway::oauth::{Ask, Flow, Keeper, Obtained, Records, Refusal, Source};
use pop3_proto::secret::Secret;

/// A point in time.
pub(crate) const NOW: u64 = 1_800_000_000;
/// What a token of the script lives, in seconds.
pub(crate) const LIFE: u64 = 3600;

pub(crate) fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes())
}

pub(crate) fn shown(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

pub(crate) type Answer = Result<Obtained, Refusal>;

/// A token, with a refresh token in the place of the old one or without.
pub(crate) fn token(access: &str, refresh: Option<&str>) -> Answer {
    Ok(Obtained {
        access: secret(access),
        life: Duration::from_secs(LIFE),
        refresh: refresh.map(secret),
        scope: None,
        id_token: None,
    })
}

/// The provider says this code.
pub(crate) fn says(code: &str) -> Answer {
    Err(Refusal::said(code, None, None, &[]))
}

/// The provider is out of order.
pub(crate) fn down() -> Answer {
    Err(Refusal::later("out of order", None))
}

/// What it is asked, and what it answers; without an answer of the script the tokens are numbered.
pub(crate) struct Script {
    flow: Flow,
    client: &'static str,
    asked: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<Box<dyn FnOnce() -> Answer + Send>>>,
    /// Whether it answers at all.
    open: Mutex<bool>,
    opened: Condvar,
    /// What has no answer of its own is answered as if it were out of order.
    away: AtomicBool,
}

impl Script {
    pub(crate) fn new(flow: Flow) -> Arc<Self> {
        Arc::new(Self {
            flow,
            client: "client",
            asked: Mutex::default(),
            answers: Mutex::default(),
            open: Mutex::new(true),
            opened: Condvar::new(),
            away: AtomicBool::new(false),
        })
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.answer_by(move || answer);
    }

    pub(crate) fn answer_by(&self, answer: impl FnOnce() -> Answer + Send + 'static) {
        self.answers.lock().unwrap().push_back(Box::new(answer));
    }

    /// From now on it keeps everybody waiting, or goes on.
    pub(crate) fn hold(&self, hold: bool) {
        *self.open.lock().unwrap() = !hold;
        self.opened.notify_all();
    }

    /// From now on it is out of order, or back.
    pub(crate) fn is_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Source for Script {
    fn flow(&self) -> Flow {
        self.flow
    }

    fn binding(&self) -> (String, String) {
        ("https://login.example".into(), self.client.into())
    }

    fn obtain(&self, ask: Ask<'_>) -> Answer {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(match ask {
                Ask::Refresh(refresh) => format!("refresh {}", shown(refresh)),
                Ask::App => "app".into(),
                Ask::Mailbox(mailbox) => format!("mailbox {mailbox}"),
            });
            asked.len()
        };
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
        let answer = self.answers.lock().unwrap().pop_front();
        match answer {
            Some(answer) => answer(),
            None if self.away.load(Ordering::SeqCst) => down(),
            None => token(
                &format!("access-{number}"),
                Some(&format!("refresh-{number}")),
            ),
        }
    }
}

/// A clock of one test: its name, and what reads it.
macro_rules! clock {
    ($clock:ident, $read:ident) => {
        static $clock: std::sync::atomic::AtomicU64 =
            std::sync::atomic::AtomicU64::new(crate::script::NOW);
        fn $read() -> u64 {
            $clock.load(std::sync::atomic::Ordering::SeqCst)
        }
    };
}
pub(crate) use clock;

/// Sets a clock.
pub(crate) fn at(clock: &AtomicU64, seconds: u64) {
    clock.store(seconds, Ordering::SeqCst);
}

const BINDING: Binding<'static> = Binding {
    issuer: "https://login.example",
    client: "client",
};

pub(crate) fn id() -> GrantId {
    GrantId::new("office", "tim@example.org")
}

pub(crate) fn records() -> Records {
    Records::open(&"memory:".parse().unwrap(), Keys::generate().unwrap()).unwrap()
}

/// Somebody signs in: the access token has ended, or ends then.
pub(crate) fn sign_in(records: &Records, id: &GrantId, access_expires: u64, now: u64) {
    let tokens = Tokens {
        refresh: Some(secret("refresh-0")),
        access: Some(secret("access-0")),
        access_expires,
        scope: None,
    };
    records
        .with(|state| state.put_grant(id, BINDING, &tokens, now))
        .unwrap();
}

/// What is kept.
pub(crate) fn kept(records: &Records) -> Grant {
    let grant = records.with(|state| {
        let state = state.clone();
        async move { state.grant(&id(), BINDING).await }
    });
    grant.unwrap().unwrap()
}

/// The refresh token that is kept.
pub(crate) fn kept_refresh(records: &Records) -> String {
    kept(records).tokens.refresh.as_ref().map(shown).unwrap()
}

/// Another gateway replaces the tokens.
pub(crate) fn replace(records: &Records, access: &str, refresh: &str, now: u64) {
    let version = kept(records).version;
    let tokens = Tokens {
        refresh: Some(secret(refresh)),
        access: Some(secret(access)),
        access_expires: now + LIFE,
        scope: None,
    };
    let replaced = records.with(|state| {
        let state = state.clone();
        async move {
            state
                .replace_grant(&id(), BINDING, version, &tokens, now)
                .await
        }
    });
    assert!(matches!(
        replaced.unwrap(),
        gateway_state::Replaced::Done(_)
    ));
}

/// A keeper of the grant `office`.
pub(crate) fn keeper(
    records: Option<Records>,
    source: &Arc<Script>,
    clock: fn() -> u64,
) -> Arc<Keeper> {
    let source: Arc<dyn Source> = Arc::<Script>::clone(source);
    Keeper::with_clock(records, HashMap::from([("office".into(), source)]), clock)
}

/// Somebody signed in to a grant by a code, and a keeper serves it.
pub(crate) struct Scene {
    pub(crate) records: Records,
    pub(crate) source: Arc<Script>,
    pub(crate) keeper: Arc<Keeper>,
}

impl Scene {
    /// The first access token lives until then.
    pub(crate) fn new(access_expires: u64, clock: fn() -> u64) -> Self {
        let (records, source) = (records(), Script::new(Flow::Code));
        sign_in(&records, &id(), access_expires, NOW);
        let keeper = keeper(Some(records.clone()), &source, clock);
        Self {
            records,
            source,
            keeper,
        }
    }
}

/// The text of a token, or of what came in its place with whether it passes.
pub(crate) fn ask(
    keeper: &Keeper,
    id: &GrantId,
    refused: Option<&str>,
) -> Result<String, (bool, String)> {
    let refused = refused.map(secret);
    let asked = futures_lite::future::block_on(keeper.token(id, refused.as_ref()));
    let asked = asked.map(|token| shown(&token));
    asked.map_err(|error| (error.passes, error.text))
}

/// Waits until something holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Long enough for what must not happen to happen.
pub(crate) fn a_while() {
    std::thread::sleep(Duration::from_millis(60));
}

/// Records in a file, which can be made to fail when they are written.
pub(crate) struct Filed {
    pub(crate) records: Records,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Filed {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.unwrap();
        let file = folder.path().join("state.db");
        let url = format!("sqlite://{}", file.display()).parse().unwrap();
        let records = Records::open(&url, Keys::generate().unwrap()).unwrap();
        Self {
            records,
            file,
            _folder: folder,
        }
    }

    /// New tokens cannot be written, or again.
    pub(crate) fn fail(&self, fail: bool) {
        self.sql(match fail {
            true => {
                "CREATE TRIGGER full BEFORE UPDATE OF sealed ON gateway_grants BEGIN \
                 SELECT RAISE(ABORT, 'the disk is full'); END"
            }
            false => "DROP TRIGGER full",
        });
    }

    /// Grants cannot be read, or again.
    pub(crate) fn hide(&self, hide: bool) {
        self.sql(match hide {
            true => "ALTER TABLE gateway_grants RENAME TO hidden",
            false => "ALTER TABLE hidden RENAME TO gateway_grants",
        });
    }

    fn sql(&self, change: &'static str) {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}", self.file.display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let done = runtime.unwrap().block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await?;
            sqlx::query(change).execute(&mut connection).await?;
            connection.close().await
        });
        done.unwrap();
    }
}
