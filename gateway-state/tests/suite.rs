//! What every state must do, wherever it is, on both runtimes: a function for each sentence.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{BINDING, NOW, secret, tokens};
use gateway_state::{
    Account, AccountChange, Binding, GrantId, Keys, MAX_SIGN_INS_OF_OWNER, Replaced, SignIn, Slip,
    State, StateError, StateUrl, Tokens,
};
use testkit_databases::{Kind, Runtime, Server};

/// What one sentence each says, in memory and in databases.
fn keeps_its_word(url: &StateUrl) {
    let keys = Keys::generate().unwrap();
    Runtime::each(|runtime| {
        let state = runtime.run(State::open(url, keys.clone())).unwrap();
        runtime.run(async {
            an_older_refresh_changes_nothing(&state).await;
            one_of_many_refreshes_is_kept(&state).await;
            a_grant_is_of_no_use_for_another_client(&state).await;
            a_sign_in_is_taken_once(&state).await;
            sign_ins_of_one_owner_are_few(&state).await;
            a_slip_is_read_until_it_is_taken_or_late(&state).await;
        });
        let another = runtime.run(State::open(url, Keys::generate().unwrap()));
        if url.to_string() != "memory:" {
            assert!(matches!(another.unwrap_err(), StateError::OtherKey { .. }));
            // it changed nothing
            runtime.run(State::open(url, keys.clone())).unwrap();
        }
        runtime.run(keys_are_changed(&state, url, &keys));
        runtime.run(state.close());
        let closed = runtime.run(state.grants());
        assert_eq!(closed.is_err(), url.to_string() != "memory:");
    });
}

async fn an_older_refresh_changes_nothing(state: &State) {
    let id = GrantId::new("example", "late");
    let first = state
        .put_grant(&id, BINDING, &tokens("1"), NOW)
        .await
        .unwrap();
    // removed, and signed in anew: the version of before does not come again
    assert!(state.remove_grant(&id).await.unwrap());
    let second = state
        .put_grant(&id, BINDING, &tokens("2"), NOW)
        .await
        .unwrap();
    let late = state
        .replace_grant(&id, BINDING, first, &tokens("x"), NOW)
        .await
        .unwrap();
    assert_eq!(late, Replaced::Changed);
    assert!(!state.end_grant(&id, first, "revoked", NOW).await.unwrap());
    // one that ended, and whose tokens were replaced by a refresh that was faster
    assert!(
        state
            .end_grant(&id, second, "revoked\r\n", NOW + 1)
            .await
            .unwrap()
    );
    let ended = state
        .grant(&id, BINDING)
        .await
        .unwrap()
        .unwrap()
        .ended
        .unwrap();
    assert_eq!((ended.why.as_str(), ended.at), ("revoked  ", NOW + 1));
    let done = state
        .replace_grant(&id, BINDING, second, &tokens("3"), NOW)
        .await
        .unwrap();
    let grant = state.grant(&id, BINDING).await.unwrap().unwrap();
    assert_eq!((done, grant.ended), (Replaced::Done(grant.version), None));
    assert_eq!(grant.tokens, tokens("3"));
}

/// All of them have the same tokens and get new ones.
async fn one_of_many_refreshes_is_kept(state: &State) {
    let id = GrantId::new("example", "many");
    let version = state
        .put_grant(&id, BINDING, &tokens("0"), NOW)
        .await
        .unwrap();
    let refresh = async |n: usize| {
        let mine = tokens(&n.to_string());
        let done = state
            .replace_grant(&id, BINDING, version, &mine, NOW)
            .await
            .unwrap();
        matches!(done, Replaced::Done(_)).then_some(n)
    };
    let all = (0..20).map(|n| Box::pin(refresh(n)));
    let kept: Vec<usize> = join(all.collect()).await.into_iter().flatten().collect();
    assert_eq!(kept.len(), 1);
    let grant = state.grant(&id, BINDING).await.unwrap().unwrap();
    assert_eq!(grant.tokens, tokens(&kept[0].to_string()));
}

async fn a_grant_is_of_no_use_for_another_client(state: &State) {
    let id = GrantId::new("example", "bound");
    state
        .put_grant(&id, BINDING, &tokens("1"), NOW)
        .await
        .unwrap();
    let another = Binding {
        client: "another",
        ..BINDING
    };
    let error = state.grant(&id, another).await.unwrap_err();
    assert!(matches!(error, StateError::Bound { .. }));
    assert!(error.to_string().contains(BINDING.client));
}

async fn a_sign_in_is_taken_once(state: &State) {
    let (key, late) = (secret("a key"), secret("a late key"));
    let sign_in = SignIn {
        id: GrantId::new("Example", "Tim"),
        network: Some("192.0.2.1".into()),
        payload: secret("verifier"),
        created: NOW,
        expires: NOW + 600,
    };
    for key in [&key, &late] {
        state.begin_sign_in(key, &sign_in).await.unwrap();
    }
    let takers = (0..20).map(|_| Box::pin(state.take_sign_in(&key, NOW + 599)));
    let taken = join(takers.collect()).await.into_iter();
    let taken: Vec<SignIn> = taken.filter_map(Result::unwrap).collect();
    let id = GrantId::new("example", "tim");
    assert_eq!(taken, [SignIn { id, ..sign_in }]);
    assert_eq!(state.take_sign_in(&late, NOW + 600).await.unwrap(), None);
    assert_eq!(state.take_sign_in(&late, NOW).await.unwrap(), None);
    assert_eq!(
        state.take_sign_in(&secret("none"), NOW).await.unwrap(),
        None
    );
}

async fn sign_ins_of_one_owner_are_few(state: &State) {
    let sign_in = |n: u64| SignIn {
        id: GrantId::new("example", "eager"),
        network: None,
        payload: secret("verifier"),
        created: NOW + n,
        expires: NOW + n + 600,
    };
    let key = |n: u64| secret(&format!("eager {n}"));
    let most = MAX_SIGN_INS_OF_OWNER as u64;
    for n in 0..most + 3 {
        state.begin_sign_in(&key(n), &sign_in(n)).await.unwrap();
    }
    for n in 0..most + 3 {
        let taken = state.take_sign_in(&key(n), NOW + 10).await.unwrap();
        assert_eq!(taken.is_some(), n >= 3, "{n}");
    }
}

async fn a_slip_is_read_until_it_is_taken_or_late(state: &State) {
    let key = secret("a browser");
    let slip = |payload: &str| Slip {
        payload: secret(payload),
        created: NOW,
        expires: NOW + 900,
    };
    state.put_slip("session", &key, &slip("1")).await.unwrap();
    state.put_slip("session", &key, &slip("2")).await.unwrap();
    let read = |kind, now| state.slip(kind, &key, now);
    assert_eq!(read("session", NOW).await.unwrap(), Some(slip("2")));
    // another kind, or another key, is another slip
    assert_eq!(read("word", NOW).await.unwrap(), None);
    assert_eq!(read("session", NOW + 900).await.unwrap(), None);
    // a clock that was set back by a year
    assert_eq!(read("session", NOW - 365 * 86_400).await.unwrap(), None);
    let prolonged = state.prolong_slip("session", &key, NOW + 1800);
    prolonged.await.unwrap();
    assert!(read("session", NOW + 900).await.unwrap().is_some());
    let takers = (0..20).map(|_| Box::pin(state.take_slip("session", &key, NOW)));
    let taken = join(takers.collect()).await.into_iter();
    let taken: Vec<Slip> = taken.filter_map(Result::unwrap).collect();
    assert_eq!(taken.len(), 1);
    // what is gone is not brought back
    let prolonged = state.prolong_slip("session", &key, NOW + 1800);
    prolonged.await.unwrap();
    assert_eq!(read("session", NOW).await.unwrap(), None);
}

async fn keys_are_changed(state: &State, url: &StateUrl, keys: &Keys) {
    if url.to_string() == "memory:" {
        return;
    }
    for n in 0..5 {
        let id = GrantId::new("resealed", n.to_string());
        state
            .put_grant(&id, BINDING, &tokens("1"), NOW)
            .await
            .unwrap();
    }
    let newer = Keys::generate().unwrap();
    let both = State::open(url, newer.with_retired(keys)).await.unwrap();
    let before = both.grants().await.unwrap();
    let counts = both.reseal().await.unwrap();
    assert_eq!(
        (
            counts.current,
            counts.resealed as usize,
            counts.failed.len()
        ),
        (0, before.len(), 0)
    );
    let again = both.reseal().await.unwrap();
    assert_eq!((again.current as usize, again.resealed), (before.len(), 0));
    assert_eq!(both.grants().await.unwrap(), before);
    both.close().await;
    // the older key is of no use any more
    let state = State::open(url, newer.clone()).await.unwrap();
    let id = GrantId::new("resealed", "3");
    let grant = state.grant(&id, BINDING).await.unwrap().unwrap();
    assert_eq!(grant.tokens, tokens("1"));
    let older = State::open(url, keys.clone())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        older.contains(&newer.id().to_string()) && older.contains(&keys.id().to_string()),
        "{older}"
    );
    // for the next that opens it
    let back = State::open(url, keys.with_retired(&newer)).await.unwrap();
    back.reseal().await.unwrap();
    for state in [back, state] {
        state.close().await;
    }
}

/// Of a state that is not in memory.
fn accounts_outlive_a_lost_key(url: &StateUrl) {
    smol::block_on(async {
        let keys = Keys::generate().unwrap();
        let (state, removed) = State::open_without_key(url, keys.clone()).await.unwrap();
        assert_eq!(removed, 0);
        let account = Account::new("Scanner", "tim@example.org", "office", "*", NOW);
        state.add_account(&account).await.unwrap();
        for owner in ["tim", "tom"] {
            let id = GrantId::new("example", owner);
            state
                .put_grant(&id, BINDING, &tokens("1"), NOW)
                .await
                .unwrap();
        }
        state.close().await;
        // not lost
        let newer = Keys::generate().unwrap();
        let both = newer.with_retired(&keys);
        let (state, removed) = State::open_without_key(url, both).await.unwrap();
        assert_eq!((removed, state.grants().await.unwrap().len()), (0, 2));
        state.close().await;
        // lost
        let (state, removed) = State::open_without_key(url, newer.clone()).await.unwrap();
        assert_eq!((removed, state.grants().await.unwrap().len()), (2, 0));
        assert_eq!(state.account("scanner").await.unwrap(), Some(account));
        state
            .put_grant(&GrantId::new("example", "tim"), BINDING, &tokens("2"), NOW)
            .await
            .unwrap();
        state.close().await;
        State::open(url, keys).await.unwrap_err();
        State::open(url, newer).await.unwrap().close().await;
    });
}

#[test]
fn sqlite_accounts_outlive_a_lost_key() {
    let (_folder, path) = common::file();
    accounts_outlive_a_lost_key(&common::url_of(&path));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_accounts_outlive_a_lost_key() {
    let server = Server::start(Kind::Postgres);
    accounts_outlive_a_lost_key(&server.url().parse().unwrap());
}

/// All at once.
async fn join<T>(mut futures: Vec<std::pin::Pin<Box<impl Future<Output = T>>>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        match results.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[test]
fn nothing_prints_a_secret() {
    smol::block_on(async {
        let keys = Keys::generate().unwrap();
        let state = State::open(&"memory:".parse().unwrap(), keys.clone())
            .await
            .unwrap();
        let id = GrantId::new("example", "tim");
        state
            .put_grant(&id, BINDING, &tokens("hunter2"), NOW)
            .await
            .unwrap();
        let grant = state.grant(&id, BINDING).await.unwrap().unwrap();
        let mut account =
            Account::new("tim", "tim@example.org", "office", "$argon2id$hunter2", NOW);
        account.label = "a control".into();
        let change = AccountChange {
            credential: Some("{PLAIN}hunter2".into()),
            ..AccountChange::default()
        };
        let payload = secret("hunter2");
        let sign_in = SignIn {
            id,
            network: Some("2001:db8::/48".into()),
            payload,
            created: NOW,
            expires: NOW,
        };
        let shown = format!("{grant:?} {account:?} {change:?} {sign_in:?} {state:?} {keys:?}");
        assert!(
            shown.contains("a control") && !shown.contains("hunter2"),
            "{shown}"
        );
        let text = String::from_utf8(keys.to_text().expose().to_vec()).unwrap();
        assert!(!shown.contains(text.trim()));
        account.credential = "hunter2\n".into();
        let error = state.add_account(&account).await.unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    });
}

/// So that it can be done in a task.
#[test]
fn what_is_asked_of_a_state_may_change_threads() {
    fn may<T: Send>(_: T) {}
    let state = smol::block_on(State::open(
        &"memory:".parse().unwrap(),
        Keys::generate().unwrap(),
    ));
    let (state, id, account) = (
        state.unwrap(),
        GrantId::new("", ""),
        Account::new("", "", "", "", 0),
    );
    let url: StateUrl = "memory:".parse().unwrap();
    may(State::open(&url, Keys::generate().unwrap()));
    may(state.grant(&id, BINDING));
    may(state.put_grant(&id, BINDING, &Tokens::default(), NOW));
    may(state.grants());
    may(state.add_account(&account));
    may(state.accounts(None));
    may(state.take_sign_in(&secret(""), NOW));
    may(state.reseal());
}

#[test]
fn memory_keeps_its_word() {
    keeps_its_word(&"memory:".parse().unwrap());
}

#[test]
fn sqlite_keeps_its_word() {
    let (_folder, path) = common::file();
    keeps_its_word(&common::url_of(&path));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_keeps_its_word() {
    let server = Server::start(Kind::Postgres);
    keeps_its_word(&server.url().parse().unwrap());
}

#[test]
#[ignore = "needs postgresql and pgbouncer: run .ci/run sql"]
fn postgres_keeps_its_word_behind_pgbouncer() {
    let server = Server::start(Kind::Postgres);
    for mode in ["pool_mode = transaction", "pool_mode = session"] {
        server.sql("test", CLEAN).unwrap();
        let pooler = server.pooled(mode);
        keeps_its_word(&pooler.url().parse().unwrap());
    }
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_shares_out_the_room_for_sign_ins() {
    let server = Server::start(Kind::Postgres);
    let (url, keys): (StateUrl, _) = (server.url().parse().unwrap(), Keys::generate().unwrap());
    let flood = common::flood().replace("{octets}", "BYTEA");
    Runtime::each(|runtime| {
        let state = runtime.run(State::open(&url, keys.clone())).unwrap();
        server.sql("test", &flood).unwrap();
        runtime.run(common::rooms_are_shared_out(&state));
        server.sql("test", common::ROOM_WAS_MADE).unwrap();
        runtime.run(state.close());
        server.sql("test", CLEAN).unwrap();
    });
}

/// Both have the state's tables.
const CLEAN: &str = "DROP TABLE IF EXISTS gateway_state, gateway_grants, gateway_accounts, gateway_sign_ins, gateway_slips";

/// What was heard to be kept is there when the server is back, and what is asked meanwhile may be asked again.
#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_that_is_killed_is_waited_for() {
    let mut server = Server::start(Kind::Postgres);
    let url: StateUrl = server.url().parse().unwrap();
    let keys = Keys::generate().unwrap();
    Runtime::each(|runtime| {
        let state = runtime.run(State::open(&url, keys.clone())).unwrap();
        let id = GrantId::new("example", "tim");
        let version = runtime.run(state.put_grant(&id, BINDING, &tokens("1"), NOW));
        let version = version.unwrap();
        server.kill();
        for _ in 0..2 {
            let newer = tokens("2");
            let error = runtime.run(state.replace_grant(&id, BINDING, version, &newer, NOW));
            let error = error.unwrap_err();
            assert!(error.is_temporary(), "{error}");
            let error = runtime.run(State::open(&url, keys.clone())).unwrap_err();
            assert!(error.is_temporary(), "{error}");
        }
        server.restart();
        let grant = runtime.run(state.grant(&id, BINDING)).unwrap().unwrap();
        assert_eq!((grant.tokens, grant.version), (tokens("1"), version));
        let newer = tokens("2");
        let done = runtime.run(state.replace_grant(&id, BINDING, version, &newer, NOW));
        assert!(matches!(done, Ok(Replaced::Done(_))));
        runtime.run(state.close());
    });
}
