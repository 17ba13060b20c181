//! States for the tests.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use gateway_state::{Binding, GrantId, Keys, SignIn, State, StateError, StateUrl, Tokens};
use pop3_proto::secret::Secret;

pub const BINDING: Binding<'static> = Binding {
    issuer: "https://login.example",
    client: "client-1",
};

/// A point in time.
pub const NOW: u64 = 1_800_000_000;

/// A folder for a file, in memory where possible: each commit waits for the disk otherwise.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    folder.unwrap()
}

/// A folder, and the file of a state in it.
pub fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = folder();
    let path = folder.path().join("state.db");
    (folder, path)
}

pub fn url_of(path: &Path) -> StateUrl {
    StateUrl::file(path)
}

pub async fn open(path: &Path, keys: &Keys) -> Result<State, StateError> {
    State::open(&url_of(path), keys.clone()).await
}

pub fn id() -> GrantId {
    GrantId::new("example", "tim@example.org")
}

pub fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes())
}

/// Rows for `gateway_sign_ins`: as many sign-ins as may be, of which one came from `quiet`, one from nowhere, and the
/// others from `loud`. All databases understand it.
pub fn flood() -> String {
    let most = gateway_state::MAX_SIGN_INS;
    format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {most}) \
         INSERT INTO gateway_sign_ins (digest, name, owner, network, sealed, created, expires) \
         SELECT CAST(CAST(n AS TEXT) AS {{octets}}), 'example', CAST(n AS TEXT), \
            CASE n WHEN 1 THEN 'quiet' WHEN 2 THEN NULL ELSE 'loud' END, \
            CAST('x' AS {{octets}}), {NOW} + n, {NOW} + 900000 FROM n"
    )
}

/// Fails where others than the three oldest from `loud` made room.
pub const ROOM_WAS_MADE: &str = "CREATE TABLE wrong (n BIGINT CHECK (n = 0)); \
    INSERT INTO wrong SELECT COUNT(*) - 9997 FROM gateway_sign_ins; \
    INSERT INTO wrong SELECT COUNT(*) FROM gateway_sign_ins WHERE owner IN ('3', '4', '5'); \
    INSERT INTO wrong SELECT COUNT(*) - 2 FROM gateway_sign_ins WHERE owner IN ('1', '2'); \
    DROP TABLE wrong";

/// After [`flood`]: who comes from elsewhere takes the place of the oldest from where most are, and nobody else's.
pub async fn rooms_are_shared_out(state: &State) {
    let begin = async |key: &str, network: Option<&str>| {
        let sign_in = SignIn {
            id: GrantId::new("example", key),
            network: network.map(str::to_owned),
            payload: secret(key),
            created: NOW + 20_000,
            expires: NOW + 900_000,
        };
        state.begin_sign_in(&secret(key), &sign_in).await
    };
    begin("first", Some("elsewhere")).await.unwrap();
    begin("second", Some("elsewhere")).await.unwrap();
    begin("operator's", None).await.unwrap();
    let refused = begin("louder", Some("loud")).await.unwrap_err();
    assert!(
        matches!(refused, StateError::TooManySignIns(_)),
        "{refused}"
    );
    for key in ["first", "second", "operator's"] {
        let taken = state
            .take_sign_in(&secret(key), NOW + 20_000)
            .await
            .unwrap();
        assert!(taken.is_some(), "{key}");
    }
}

/// Tokens that can be told from others.
pub fn tokens(text: &str) -> Tokens {
    Tokens {
        refresh: Some(secret(&format!("refresh-{text}"))),
        access: Some(secret(&format!("access-{text}"))),
        access_expires: NOW + 3600,
        scope: Some("mail".into()),
    }
}

/// A state with a grant in it, closed.
pub fn make(path: &Path, keys: &Keys) {
    smol::block_on(async {
        let state = open(path, keys).await.unwrap();
        state
            .put_grant(&id(), BINDING, &tokens("1"), NOW)
            .await
            .unwrap();
        state.close().await;
    });
}

/// What is in a folder, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
