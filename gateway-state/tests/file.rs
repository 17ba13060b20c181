//! The file of a state: its rights, and everything that is no state or not all of one. Whatever is refused stays as
//! it is, octet by octet.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{BINDING, NOW, id, make, names, open, tokens};
use gateway_state::{
    Access, Account, AccountChange, Keys, MAX_SIGN_INS, MAX_SLIPS, Replaced, SignIn, Slip, State,
    StateError,
};
use smol::block_on;
use sqlx::{ConnectOptions as _, Connection as _};

/// What is said when it is opened.
fn refusal(path: &Path, keys: &Keys) -> StateError {
    match block_on(open(path, keys)) {
        Ok(state) => panic!("{state:?} was opened"),
        Err(error) => error,
    }
}

/// Runs SQL without the state's knowledge.
fn sql(path: &Path, statement: &'static str) {
    block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

/// The one number that a statement gives.
fn number(path: &Path, statement: &'static str) -> i64 {
    block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        let number = sqlx::query_scalar(statement);
        let number = number.fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    })
}

#[test]
fn the_file_is_its_owners_alone_and_nothing_else_stays() {
    let (folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    block_on(async {
        let state = open(&path, &keys).await.unwrap();
        state
            .put_grant(&id(), BINDING, &tokens("1"), NOW)
            .await
            .unwrap();
        for name in names(folder.path()) {
            let mode = fs::metadata(folder.path().join(&name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        state.close().await;
    });
    assert_eq!(names(folder.path()), ["state.db"]);
    // neither tokens nor their owner's words are in it; the owner's name is: a positive control
    let content = fs::read(&path).unwrap();
    let has = |text: &str| {
        content
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(has("tim@example.org"));
    assert!(!has("refresh-1") && !has("access-1"));
}

#[test]
fn what_is_no_state_is_refused_and_stays_as_it_is() {
    let folder = common::folder();
    let keys = Keys::generate().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [
        ("empty", Vec::new()),
        ("text", b"[[upstream]]\n".to_vec()),
        ("long", b"0123456789abcdef".repeat(1000)),
        ("header", b"SQLite format 3\0".repeat(1000)),
    ] {
        fs::write(path(name), &content).unwrap();
        let error = refusal(&path(name), &keys);
        assert!(
            matches!(error, StateError::Unreadable { .. }),
            "{name}: {error}"
        );
        assert!(error.to_string().contains("Nothing was changed"), "{error}");
        assert_eq!(fs::read(path(name)).unwrap(), content, "{name}");
    }
    sql(
        &path("other"),
        "CREATE TABLE mails (id INTEGER); INSERT INTO mails VALUES (1)",
    );
    let content = fs::read(path("other")).unwrap();
    let error = refusal(&path("other"), &keys).to_string();
    assert!(error.contains("another program"), "{error}");
    assert_eq!(fs::read(path("other")).unwrap(), content);

    fs::create_dir(path("folder")).unwrap();
    let error = refusal(&path("folder"), &keys).to_string();
    assert!(error.contains("is no file"), "{error}");
    let error = refusal(&path("missing/state.db"), &keys).to_string();
    assert!(error.contains("there is no folder"), "{error}");
    fs::write(path("lost-wal"), "x").unwrap();
    let error = refusal(&path("lost"), &keys).to_string();
    assert!(error.contains("journal"), "{error}");
    assert!(!path("lost").exists());
}

#[test]
fn a_file_cut_anywhere_is_refused_and_stays_as_it_is() {
    let (folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    let whole = fs::read(&path).unwrap();
    let page = 4096;
    // each octet of what is special: the header and both sides of each page; in between some
    let special = |cut: &usize| {
        let (at, of) = (cut % page, cut / page);
        *cut < 120 || at < 2 || at > page - 2 || cut % 509 == of
    };
    let cut_at = folder.path().join("cut.db");
    for cut in (0..whole.len()).filter(special) {
        fs::write(&cut_at, &whole[..cut]).unwrap();
        let error = refusal(&cut_at, &keys);
        assert!(
            matches!(error, StateError::Unreadable { .. }),
            "{cut}: {error}"
        );
        assert!(fs::read(&cut_at).unwrap() == whole[..cut], "{cut}");
        // SQLite may leave empty files beside what it does not believe
        for name in ["cut.db-wal", "cut.db-shm", "cut.db-journal"] {
            let beside = folder.path().join(name);
            let length = fs::metadata(&beside).map_or(0, |metadata| metadata.len());
            assert!(name.ends_with("shm") || length == 0, "{cut}: {name}");
            let _ = fs::remove_file(beside);
        }
        assert_eq!(names(folder.path()), ["cut.db", "state.db"], "{cut}");
    }
    // the control
    fs::write(&cut_at, &whole).unwrap();
    block_on(open(&cut_at, &keys)).unwrap();
}

#[test]
fn damage_costs_what_is_damaged() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    sql(&path, "UPDATE gateway_grants SET sealed = zeroblob(100)");
    block_on(async {
        let state = open(&path, &keys).await.unwrap();
        let error = state.grant(&id(), BINDING).await.unwrap_err().to_string();
        assert!(
            error.contains("tim@example.org") && error.contains("Sign in again"),
            "{error}"
        );
        let counts = state.reseal().await.unwrap();
        assert_eq!(counts.failed.len(), 1);
        state
            .put_grant(&id(), BINDING, &tokens("2"), NOW)
            .await
            .unwrap();
        assert!(state.grant(&id(), BINDING).await.unwrap().is_some());
        state.close().await;
    });
}

#[test]
fn a_record_copied_from_elsewhere_is_not_unsealed() {
    let folder = common::folder();
    let keys = Keys::generate().unwrap();
    let [here, there] = ["here.db", "there.db"].map(|name| folder.path().join(name));
    make(&here, &keys);
    make(&there, &keys);
    // to another owner, and to another state under the same key
    sql(
        &here,
        "INSERT INTO gateway_grants SELECT name, 'eve', issuer, client, version, access_expires, ended, ended_at, \
         obtained, refreshed, used, sealed FROM gateway_grants",
    );
    let attach = format!(
        "ATTACH '{}' AS other; DELETE FROM gateway_grants; INSERT INTO gateway_grants SELECT * FROM other.gateway_grants",
        here.display()
    );
    sql(&there, attach.leak());
    block_on(async {
        let state = open(&here, &keys).await.unwrap();
        assert!(state.grant(&id(), BINDING).await.unwrap().is_some());
        let eve = gateway_state::GrantId::new("example", "eve");
        let error = state.grant(&eve, BINDING).await.unwrap_err();
        assert!(matches!(error, StateError::Damaged(_)));
        state.close().await;
        let state = open(&there, &keys).await.unwrap();
        let error = state.grant(&id(), BINDING).await.unwrap_err();
        assert!(matches!(error, StateError::Damaged(_)));
        state.close().await;
    });
}

#[test]
fn a_newer_version_or_another_key_is_refused_and_stays_as_it_is() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    let content = fs::read(&path).unwrap();
    let other = Keys::generate().unwrap();
    let error = refusal(&path, &other).to_string();
    let (theirs, ours) = (keys.id().to_string(), other.id().to_string());
    assert!(
        error.contains(&theirs) && error.contains(&ours) && error.contains("put the key"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), content);

    sql(&path, "UPDATE gateway_state SET version = 999");
    let content = fs::read(&path).unwrap();
    let error = refusal(&path, &keys);
    assert!(
        matches!(error, StateError::Newer { found: 999, .. }),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), content);
}

/// As after a power cut: of what was being written any part may be on the disk.
#[test]
fn a_journal_cut_anywhere_leaves_the_old_tokens_or_the_new() {
    let (folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    let journal_of =
        |path: &Path| path.with_file_name(format!("{}-wal", path.file_name().unwrap().display()));
    // while it is open: closed in good order, the journal would be gone
    let (main, journal) = block_on(async {
        let state = open(&path, &keys).await.unwrap();
        let grant = state.grant(&id(), BINDING).await.unwrap().unwrap();
        let done = state
            .replace_grant(&id(), BINDING, grant.version, &tokens("2"), NOW)
            .await;
        assert!(matches!(done, Ok(Replaced::Done(_))));
        let copy = (
            fs::read(&path).unwrap(),
            fs::read(journal_of(&path)).unwrap(),
        );
        state.close().await;
        copy
    });
    let cut_at = folder.path().join("cut.db");
    let mut found = [0, 0];
    let cuts = (0..journal.len())
        .step_by(211)
        .chain(journal.len() - 40..=journal.len());
    for cut in cuts {
        fs::write(&cut_at, &main).unwrap();
        fs::write(journal_of(&cut_at), &journal[..cut]).unwrap();
        block_on(async {
            let state = open(&cut_at, &keys).await.unwrap();
            let grant = state.grant(&id(), BINDING).await.unwrap().unwrap();
            let newer = grant.tokens == tokens("2");
            assert!(newer || grant.tokens == tokens("1"), "{cut}");
            found[usize::from(newer)] += 1;
            state.close().await;
        });
    }
    assert!(found[0] > 0 && found[1] > 0, "{found:?}");
}

#[test]
fn as_many_sign_ins_as_may_be_are_under_way() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    let most = MAX_SIGN_INS;
    let many = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {most}) \
         INSERT INTO gateway_sign_ins (digest, name, owner, sealed, created, expires) \
         SELECT CAST(n AS BLOB), 'example', n, x'00', {NOW}, {NOW} + n FROM n"
    );
    sql(&path, many.leak());
    let sign_in = |created| SignIn {
        id: id(),
        network: None,
        payload: common::secret("verifier"),
        created,
        expires: created + 600,
    };
    block_on(async {
        let state = open(&path, &keys).await.unwrap();
        let begin = state
            .begin_sign_in(&common::secret("key"), &sign_in(NOW))
            .await;
        assert!(matches!(begin, Err(StateError::TooManySignIns(_))));
        assert!(begin.unwrap_err().is_temporary());
        // one second later one of them is too late
        state
            .begin_sign_in(&common::secret("key"), &sign_in(NOW + 1))
            .await
            .unwrap();
        state.close().await;
    });
}

#[test]
fn who_is_alone_in_a_network_is_not_kept_out_by_a_flood() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    sql(&path, common::flood().replace("{octets}", "BLOB").leak());
    block_on(async {
        let state = open(&path, &keys).await.unwrap();
        common::rooms_are_shared_out(&state).await;
        state.close().await;
    });
    sql(&path, common::ROOM_WAS_MADE);
}

/// With one more of a kind, the one goes that would be late first; other kinds are left alone.
#[test]
fn as_many_slips_of_a_kind_as_may_be_are_kept() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    let most = MAX_SLIPS;
    let many = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {most}) \
         INSERT INTO gateway_slips SELECT CAST(n AS BLOB), 'word', x'00', {NOW}, {NOW} + 900 + n FROM n"
    );
    sql(&path, many.leak());
    let (first, second) = (common::secret("first"), common::secret("second"));
    let slip = |life| Slip {
        payload: common::secret("payload"),
        created: NOW,
        expires: NOW + life,
    };
    block_on(async {
        let state = open(&path, &keys).await.unwrap();
        state.put_slip("session", &first, &slip(900)).await.unwrap();
        state.put_slip("word", &first, &slip(900)).await.unwrap();
        assert!(state.slip("word", &first, NOW).await.unwrap().is_some());
        state.put_slip("word", &second, &slip(900)).await.unwrap();
        assert_eq!(state.slip("word", &first, NOW).await.unwrap(), None);
        assert!(state.slip("session", &first, NOW).await.unwrap().is_some());
        state.close().await;
    });
    let count = "SELECT COUNT(*) FROM gateway_slips WHERE kind = 'word'";
    assert_eq!(number(&path, count), most as i64);
}

/// A state of the first version gets what came after.
#[test]
fn a_state_of_the_first_version_goes_on() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    for back in [
        "DROP INDEX gateway_sign_ins_network",
        "DROP INDEX gateway_sign_ins_early",
        "ALTER TABLE gateway_sign_ins DROP COLUMN network",
        "DROP TABLE gateway_slips",
        "UPDATE gateway_state SET version = 1",
    ] {
        sql(&path, back);
    }
    block_on(async {
        // with its key lost, too
        let url = common::url_of(&path);
        let other = Keys::generate().unwrap();
        assert!(open(&path, &other).await.is_err());
        let (state, _) = State::open_without_key(&url, other).await.unwrap();
        let slip = Slip {
            payload: common::secret("payload"),
            created: NOW,
            expires: NOW + 900,
        };
        let key = common::secret("key");
        state.put_slip("session", &key, &slip).await.unwrap();
        assert_eq!(state.slip("session", &key, NOW).await.unwrap(), Some(slip));
        state.close().await;
    });
}

/// All of them find the same state, no matter which of them made it.
#[test]
fn several_make_one_state() {
    let (folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    let threads = (0..8).map(|n: u32| {
        let (path, keys) = (path.clone(), keys.clone());
        std::thread::spawn(move || {
            block_on(async {
                let state = open(&path, &keys).await.unwrap();
                let id = gateway_state::GrantId::new("many", n.to_string());
                state
                    .put_grant(&id, BINDING, &tokens("1"), NOW)
                    .await
                    .unwrap();
                state
            })
        })
    });
    let threads: Vec<_> = threads.collect();
    let states: Vec<State> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    block_on(async {
        for state in &states {
            assert_eq!(state.grants().await.unwrap().len(), 8);
        }
        for state in states {
            state.close().await;
        }
    });
    assert_eq!(names(folder.path()), ["state.db"]);
}

/// A device that polls is looked up once, until somebody changes an account.
#[test]
fn an_account_is_remembered_until_one_is_changed() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    block_on(async {
        let state = open(&path, &keys).await.unwrap();
        let other = open(&path, &keys).await.unwrap();
        for name in ["phone", "scanner"] {
            let account = Account::new(name, "tim@example.org", "office", "hash", NOW);
            state.add_account(&account).await.unwrap();
        }
        let access = async |name| {
            let found = state.account(name).await.unwrap();
            found.map(|account| account.access)
        };
        assert_eq!(state.account_at_hand("phone"), None);
        assert_eq!(access("phone").await, Some(Access::ReadWrite));
        assert!(state.account_at_hand("PHONE").is_some());
        // nothing else shows that it is not looked up again
        let by_hand = "UPDATE gateway_accounts SET access = 'no-delete' WHERE folded = 'phone'";
        blocking::unblock({
            let path = path.clone();
            move || sql(&path, by_hand)
        })
        .await;
        assert_eq!(access("Phone").await, Some(Access::ReadWrite));
        // the use of one is no change of it
        assert!(state.account("phone").await.unwrap().unwrap().is_news(NOW));
        state.account_used("phone", NOW).await.unwrap();
        assert!(!state.account("phone").await.unwrap().unwrap().is_news(NOW));
        assert_eq!(access("phone").await, Some(Access::ReadWrite));
        // whatever is changed, and by whom: all are looked up again
        let change = AccountChange {
            enabled: Some(false),
            ..AccountChange::default()
        };
        other.set_account("scanner", &change).await.unwrap();
        assert_eq!(access("phone").await, Some(Access::NoDelete));
        for remover in [&other, &state] {
            assert!(remover.remove_account("phone").await.unwrap());
            assert_eq!(state.account_at_hand("phone"), None);
            assert_eq!(access("phone").await, None);
            let again = Account::new("phone", "tim@example.org", "office", "hash", NOW);
            remover.add_account(&again).await.unwrap();
            assert_eq!(access("phone").await, Some(Access::ReadWrite));
        }
        other.close().await;
        state.close().await;
    });
}
