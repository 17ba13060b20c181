//! States for the tests.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use gateway_state::{Binding, GrantId, Keys, State, StateError, StateUrl, Tokens};
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
