//! The tool's own tables: how they are made, and what is done with them at a command line.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Barrier;
use std::thread;

use common::admin::Admin;
use common::{Runtime, listed, own_store, password, read};
use local_accounts::{Algorithm, hash};
use pop3_proto::backend::awaiting::AsyncStore;
use pop3_proto::backend::store::StoreError;
use pop3_proto::secret::Secret;
use sql_backend::{Config, Messages, SqlError, SqlStore};

/// RFC 4616: a name that another keyboard composes otherwise is the same name, at a login and in the tools.
async fn w055_names_are_prepared(store: &SqlStore) {
    const COMPOSED: &str = "ren\u{e9}";
    const DECOMPOSED: &str = "rene\u{301}";
    let log_in = async |user: &str| store.open(&password(user, "a")).await.err();
    for (made, others) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        store.add_account(made, "{PLAIN}a").await.unwrap();
        for name in [made, others, "ren\u{ad}\u{e9}"] {
            assert_eq!(log_in(name).await, None, "{name:?}");
            let again = store.add_account(name, "{PLAIN}x").await.unwrap_err();
            assert!(matches!(again, SqlError::AccountExists(_)), "{again:?}");
        }
        assert_eq!(log_in("rene").await, Some(StoreError::Credentials));
        store.set_password(others, "{PLAIN}b").await.unwrap();
        assert_eq!(log_in(made).await, Some(StoreError::Credentials));
        let mail = io::Cursor::new(b"Subject: a\n\na\n".to_vec());
        store.add_message(others, mail).await.unwrap();
        store
            .remove_account(others, Messages::Delete)
            .await
            .unwrap();
        assert_eq!(log_in(made).await, Some(StoreError::Credentials));
    }
}

fn tools(admin: &Admin) {
    let runtime = Runtime::tokio();
    let url = admin.url();

    // before, and from several places at once
    let store = SqlStore::connect(Config::new(url.clone())).unwrap();
    let error = runtime.run(store.check()).unwrap_err();
    assert!(
        matches!(&error, SqlError::Schema(text) if text.contains("migrate")),
        "{error:?}"
    );
    let stores: Vec<SqlStore> = (0..4)
        .map(|_| SqlStore::connect(Config::new(url.clone())).unwrap())
        .collect();
    runtime.run(async {
        let all = stores.iter().map(|store| store.migrate());
        for result in join_all(all.map(Box::pin).collect()).await {
            result.unwrap();
        }
        for store in &stores {
            store.check().await.unwrap();
            store.migrate().await.unwrap();
            store.close().await;
        }
    });

    runtime.run(async {
        // accounts
        let secret = Secret::from(&b"correct horse"[..]);
        let argon = hash(&secret, Algorithm::Argon2id).unwrap();
        store.add_account("tim", &argon).await.unwrap();
        store.add_account("Tim", "{PLAIN}other").await.unwrap();
        store
            .add_account("größe@例え.jp", "{PLAIN}x")
            .await
            .unwrap();
        let again = store.add_account("tim", "{PLAIN}x").await.unwrap_err();
        assert!(matches!(again, SqlError::AccountExists(_)));
        for name in ["", " tim", "tim ", "a\nb", "a\0", &"x".repeat(256)] {
            let error = store.add_account(name, "{PLAIN}x").await.unwrap_err();
            assert!(matches!(error, SqlError::BadName(_)), "{name:?}");
        }
        let error = store.add_account("x", "hunter2").await.unwrap_err();
        assert!(matches!(&error, SqlError::Credential(_)));
        assert!(!error.to_string().contains("hunter2"));
        let names = store.list_accounts().await.unwrap();
        let names: Vec<_> = names.into_iter().map(|account| account.name).collect();
        assert_eq!(
            names,
            ["Tim", "größe@例え.jp", "tim"]
                .map(String::from)
                .into_iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );

        let log_in =
            async |user: &str, secret: &str| store.open(&password(user, secret)).await.err();
        assert_eq!(log_in("tim", "correct horse").await, None);
        for (user, secret) in [
            ("tim", "other"),
            ("Tim", "correct horse"),
            ("TIM", "correct horse"),
            ("tim ", "correct horse"),
            ("tim\0", "correct horse"),
            ("", ""),
            ("tim", ""),
            ("tim", &argon),
        ] {
            assert_eq!(
                log_in(user, secret).await,
                Some(StoreError::Credentials),
                "{user:?}"
            );
        }
        store.set_password("tim", "{PLAIN}new").await.unwrap();
        assert_eq!(log_in("tim", "new").await, None);
        w055_names_are_prepared(&store).await;
        assert_eq!(
            log_in("tim", "correct horse").await,
            Some(StoreError::Credentials)
        );
        let error = store.set_password("tom", "{PLAIN}new").await.unwrap_err();
        assert!(matches!(error, SqlError::NoAccount(_)));

        // messages
        let error = store.add_message("tom", &b"x"[..]).await.unwrap_err();
        assert!(matches!(error, SqlError::NoAccount(_)));
        let mail = &b"Subject: x\n\nlines\nand no end"[..];
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            let stored = store.add_message("tim", mail).await.unwrap();
            assert_eq!(stored.size, mail.len() as u64 + 3 + 2);
            assert!(seen.insert(stored.unique_id.clone()));
            let listed = store.list_messages("tim").await.unwrap();
            assert_eq!(listed, std::slice::from_ref(&stored));
            assert!(
                !store
                    .remove_message("Tim", &stored.unique_id)
                    .await
                    .unwrap()
            );
            assert!(
                store
                    .remove_message("tim", &stored.unique_id)
                    .await
                    .unwrap()
            );
            assert!(
                !store
                    .remove_message("tim", &stored.unique_id)
                    .await
                    .unwrap()
            );
        }
        assert_eq!(store.add_message("tim", io::empty()).await.unwrap().size, 0);
        let broken = Broken(200_000).chain(io::empty());
        let error = store.add_message("tim", broken).await.unwrap_err();
        assert!(matches!(error, SqlError::Input(_)), "{error:?}");
        let broken = Broken(3_000_000).chain(io::empty());
        let error = store.add_message("tim", broken).await.unwrap_err();
        assert!(matches!(error, SqlError::Input(_)), "{error:?}");
        assert_eq!(store.list_messages("tim").await.unwrap().len(), 1);
        assert_eq!(
            store
                .list_accounts()
                .await
                .unwrap()
                .iter()
                .map(|a| a.messages)
                .sum::<u64>(),
            1
        );

        // and away: the messages stay, or go
        store.add_message("tim", mail).await.unwrap();
        store.remove_account("tim", Messages::Keep).await.unwrap();
        assert_eq!(log_in("tim", "new").await, Some(StoreError::Credentials));
        store.add_account("tim", "{PLAIN}new").await.unwrap();
        let mut mailbox = store.open(&password("tim", "new")).await.unwrap();
        let entries = pop3_proto::backend::awaiting::AsyncMailbox::list(&mut mailbox)
            .await
            .unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(read(&mut mailbox, 0).await.unwrap(), b"");
        assert_eq!(read(&mut mailbox, 1).await.unwrap(), mail);
        store.remove_account("tim", Messages::Delete).await.unwrap();
        let error = store
            .remove_account("tim", Messages::Delete)
            .await
            .unwrap_err();
        assert!(matches!(error, SqlError::NoAccount(_)));
    });
    assert_eq!(admin.number("select count(*) from pop3_messages"), 0);
    assert_eq!(admin.number("select count(*) from pop3_pieces"), 0);

    // made by somebody newer
    admin.sql("INSERT INTO pop3_schema (version) VALUES (1000)");
    for error in [
        runtime.run(store.check()).map(drop),
        runtime.run(store.migrate()),
    ] {
        let error = error.unwrap_err();
        assert!(
            matches!(&error, SqlError::Schema(text) if text.contains("newer")),
            "{error:?}"
        );
    }
    runtime.run(store.close());
}

/// So many octets, and then an error.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("broken"));
        }
        let n = self.0.min(buffer.len());
        self.0 -= n;
        buffer[..n].fill(b'x');
        Ok(n)
    }
}

async fn join_all<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        let mut at = 0;
        while at < futures.len() {
            match std::pin::Pin::new(&mut futures[at]).poll(context) {
                std::task::Poll::Ready(output) => {
                    done.push(output);
                    drop(futures.remove(at));
                }
                std::task::Poll::Pending => at += 1,
            }
        }
        if futures.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

each_database!(tables, tools, sqlite_tools, mariadb_tools, postgres_tools);

/// SQLite says at once that it is busy where two change the journal's mode.
#[test]
fn sqlite_is_made_by_many_at_once() {
    for _ in 0..100 {
        let (_folder, url) = common::sqlite();
        let begin = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = SqlStore::connect(Config::new(url.clone())).unwrap();
                    begin.wait();
                    smol::block_on(store.migrate()).unwrap();
                    smol::block_on(store.close());
                });
            }
        });
    }
}

/// Hashes and mails are for the owner alone to read; without migrate no file comes to be.
#[cfg(unix)]
#[test]
fn sqlite_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, url) = common::sqlite();
    let runtime = Runtime::Smol;
    let store = SqlStore::connect(Config::new(url.clone())).unwrap();
    let error = runtime.run(store.check()).unwrap_err();
    assert!(
        matches!(&error, SqlError::Schema(text) if text.contains("mail.db")),
        "{error:?}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let store = runtime.run(own_store(&url));
    runtime.run(common::add_accounts(&store));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    runtime.run(async { drop(listed(&store).await) });
}
