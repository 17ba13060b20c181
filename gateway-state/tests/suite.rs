//! What every state must do, wherever it is: random operations have the same outcomes in memory, in SQLite and in
//! PostgreSQL, on both runtimes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};

use common::{BINDING, NOW, secret, tokens};
use gateway_state::{
    Access, Account, AccountChange, Binding, GrantId, Keys, MAX_SIGN_INS_OF_OWNER, Replaced,
    SignIn, State, StateError, StateUrl, Tokens, Version,
};
use pop3_proto::secret::Secret;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testkit_databases::{Kind, Runtime, Server};

/// Names that are the same for some.
const OWNERS: [&str; 4] = [
    "tim@example.org",
    "TIM@Example.ORG",
    "ÄÖ@example.org",
    "äö@example.org",
];

#[derive(Clone, Debug)]
enum Op {
    Put {
        owner: usize,
        tokens: Tokens,
        client: bool,
        now: u64,
    },
    Replace {
        owner: usize,
        seen: usize,
        tokens: Tokens,
        now: u64,
    },
    End {
        owner: usize,
        seen: usize,
        why: String,
        now: u64,
    },
    Grant {
        owner: usize,
        client: bool,
    },
    GrantUsed {
        owner: usize,
        now: u64,
    },
    RemoveGrant {
        owner: usize,
    },
    Grants,
    Reseal,
    Add {
        owner: usize,
        account: Account,
    },
    Account {
        owner: usize,
    },
    Accounts {
        owner: Option<usize>,
    },
    Set {
        owner: usize,
        change: AccountChange,
    },
    AccountUsed {
        owner: usize,
        now: u64,
    },
    RemoveAccount {
        owner: usize,
    },
    Begin {
        owner: usize,
        key: u8,
        created: u64,
        life: u64,
    },
    Take {
        key: u8,
        now: u64,
    },
}

fn owner() -> impl Strategy<Value = usize> {
    0..OWNERS.len()
}

/// Around a point in time; a year before it too, where a clock may have been set to. Databases know no time after
/// half of what fits.
fn time() -> impl Strategy<Value = u64> {
    let year = 365 * 86_400;
    prop_oneof![
        NOW..NOW + 900,
        Just(NOW - year),
        Just(0),
        Just(u64::MAX / 2)
    ]
}

fn any_tokens() -> impl Strategy<Value = Tokens> {
    let secret = || proptest::option::of(vec(any::<u8>(), 0..40).prop_map(Into::into));
    let secret = move || secret().prop_map(|octets: Option<Vec<u8>>| octets.map(Secret::new));
    (secret(), secret(), 0..u64::MAX / 4, any::<Option<String>>()).prop_map(
        |(refresh, access, access_expires, scope)| Tokens {
            refresh,
            access,
            access_expires,
            scope,
        },
    )
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![
        Just(Access::ReadWrite),
        Just(Access::ReadOnly),
        Just(Access::NoDelete)
    ]
}

fn networks() -> impl Strategy<Value = Vec<String>> {
    vec("[0-9a-f.:/]{1,20}", 0..3)
}

fn account() -> impl Strategy<Value = Account> {
    let who = (
        owner(),
        proptest::option::of(owner()),
        "[ -~]{0,30}",
        "[ -~]{0,12}",
    );
    let what = (
        access(),
        networks(),
        proptest::option::of(0..u64::MAX / 4),
        any::<bool>(),
    );
    (who, what).prop_map(
        |((mailbox, owner, credential, label), (access, networks, expires, enabled))| {
            let mut account = Account::new("", OWNERS[mailbox], "office", credential, NOW);
            account.owner = owner.map(|owner| OWNERS[owner].to_owned());
            account.label = label;
            (account.access, account.networks) = (access, networks);
            (account.expires, account.enabled) = (expires, enabled);
            account
        },
    )
}

fn change() -> impl Strategy<Value = AccountChange> {
    use proptest::option::of;
    let expires = of(of(0..u64::MAX / 4));
    let parts = (
        of("[ -~]{0,30}"),
        of(access()),
        of(networks()),
        expires,
        of(any::<bool>()),
        of("[ -~]{0,9}"),
    );
    parts.prop_map(
        |(credential, access, networks, expires, enabled, label)| AccountChange {
            credential,
            access,
            networks,
            expires,
            enabled,
            label,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let grants = prop_oneof![
        (owner(), any_tokens(), any::<bool>(), time()).prop_map(|(owner, tokens, client, now)| {
            Op::Put {
                owner,
                tokens,
                client,
                now,
            }
        }),
        (owner(), 0..4usize, any_tokens(), time()).prop_map(|(owner, seen, tokens, now)| {
            Op::Replace {
                owner,
                seen,
                tokens,
                now,
            }
        }),
        (owner(), 0..4usize, any::<String>(), time()).prop_map(|(owner, seen, why, now)| Op::End {
            owner,
            seen,
            why,
            now
        }),
        (owner(), any::<bool>()).prop_map(|(owner, client)| Op::Grant { owner, client }),
        (owner(), time()).prop_map(|(owner, now)| Op::GrantUsed { owner, now }),
        owner().prop_map(|owner| Op::RemoveGrant { owner }),
        Just(Op::Grants),
        Just(Op::Reseal),
    ];
    let accounts = prop_oneof![
        (owner(), account()).prop_map(|(owner, account)| Op::Add { owner, account }),
        owner().prop_map(|owner| Op::Account { owner }),
        proptest::option::of(owner()).prop_map(|owner| Op::Accounts { owner }),
        (owner(), change()).prop_map(|(owner, change)| Op::Set { owner, change }),
        (owner(), time()).prop_map(|(owner, now)| Op::AccountUsed { owner, now }),
        owner().prop_map(|owner| Op::RemoveAccount { owner }),
    ];
    let sign_ins = prop_oneof![
        (owner(), 0..12u8, NOW..NOW + 900, 1..900u64).prop_map(|(owner, key, created, life)| {
            Op::Begin {
                owner,
                key,
                created,
                life,
            }
        }),
        (0..12u8, time()).prop_map(|(key, now)| Op::Take { key, now }),
    ];
    prop_oneof![grants, accounts, sign_ins]
}

/// A state, and which versions it has handed out.
struct Subject {
    state: State,
    versions: Vec<Version>,
    /// Sign-ins cannot be listed, and so not be removed: each case has its own.
    case: u32,
}

impl Subject {
    /// What came of an operation, as a text that is the same for every state. Versions are random: which one it is
    /// in the order of handing out is not.
    async fn carry_out(&mut self, op: &Op) -> String {
        match self.outcome(op).await {
            Ok(outcome) => outcome,
            // what cannot be reached differs, what is refused does not
            Err(error) => format!("error: {error}"),
        }
    }

    async fn outcome(&mut self, op: &Op) -> Result<String, StateError> {
        let grant = format!("Example {}", self.case);
        let id = |owner: &usize| GrantId::new(grant.as_str(), OWNERS[*owner]);
        let state = self.state.clone();
        Ok(match op {
            Op::Put {
                owner,
                tokens,
                client,
                now,
            } => {
                let version = state
                    .put_grant(&id(owner), binding(*client), tokens, *now)
                    .await?;
                self.versions.push(version);
                self.place(version)
            }
            Op::Replace {
                owner,
                seen,
                tokens,
                now,
            } => {
                let Some(expected) = self.seen(*seen) else {
                    return Ok(String::new());
                };
                let done = state
                    .replace_grant(&id(owner), BINDING, expected, tokens, *now)
                    .await?;
                match done {
                    Replaced::Done(version) => {
                        self.versions.push(version);
                        self.place(version)
                    }
                    Replaced::Changed => "changed".into(),
                }
            }
            Op::End {
                owner,
                seen,
                why,
                now,
            } => {
                let Some(expected) = self.seen(*seen) else {
                    return Ok(String::new());
                };
                format!(
                    "{}",
                    state.end_grant(&id(owner), expected, why, *now).await?
                )
            }
            Op::Grant { owner, client } => {
                let Some(grant) = state.grant(&id(owner), binding(*client)).await? else {
                    return Ok("none".into());
                };
                let secrets = [&grant.tokens.refresh, &grant.tokens.access];
                let secrets =
                    secrets.map(|secret| secret.as_ref().map(|secret| secret.expose().to_vec()));
                let times = (grant.obtained, grant.refreshed, grant.used);
                let rest = (
                    grant.tokens.access_expires,
                    grant.tokens.scope,
                    grant.ended,
                    times,
                );
                format!("{secrets:?} {rest:?} {}", self.place(grant.version))
            }
            Op::GrantUsed { owner, now } => {
                format!("{:?}", state.grant_used(&id(owner), *now).await?)
            }
            Op::RemoveGrant { owner } => format!("{}", state.remove_grant(&id(owner)).await?),
            Op::Grants => {
                let grants = state.grants().await?.into_iter();
                let grants = grants.map(|grant| {
                    let place = self.place(grant.version);
                    let times = (
                        grant.access_expires,
                        grant.obtained,
                        grant.refreshed,
                        grant.used,
                    );
                    format!(
                        "{:?} {} {} {:?} {times:?} {place}",
                        grant.id, grant.issuer, grant.client, grant.ended
                    )
                });
                grants.collect::<Vec<_>>().join("\n")
            }
            Op::Reseal => format!("{:?}", state.reseal().await?),
            Op::Add { owner, account } => {
                let mut account = account.clone();
                account.name = OWNERS[*owner].to_owned();
                format!("{:?}", state.add_account(&account).await?)
            }
            Op::Account { owner } => match state.account(OWNERS[*owner]).await? {
                Some(account) => format!("{account:?} {}", account.credential),
                None => "none".into(),
            },
            Op::Accounts { owner } => {
                let accounts = state.accounts(owner.map(|owner| OWNERS[owner])).await?;
                format!("{accounts:?}")
            }
            Op::Set { owner, change } => {
                format!("{}", state.set_account(OWNERS[*owner], change).await?)
            }
            Op::AccountUsed { owner, now } => {
                format!("{:?}", state.account_used(OWNERS[*owner], *now).await?)
            }
            Op::RemoveAccount { owner } => {
                format!("{}", state.remove_account(OWNERS[*owner]).await?)
            }
            Op::Begin {
                owner,
                key,
                created,
                life,
            } => {
                let sign_in = SignIn {
                    id: id(owner),
                    payload: secret(&format!("payload {key}")),
                    created: *created,
                    expires: created + life,
                };
                let key = self.key(*key);
                format!("{:?}", state.begin_sign_in(&key, &sign_in).await?)
            }
            Op::Take { key, now } => {
                let taken = state.take_sign_in(&self.key(*key), *now).await?;
                let taken =
                    taken.map(|taken| (taken.id, taken.payload.expose().to_vec(), taken.created));
                format!("{taken:?}")
            }
        })
    }

    fn key(&self, key: u8) -> Secret {
        secret(&format!("{} {key}", self.case))
    }

    /// One of the last versions.
    fn seen(&self, back: usize) -> Option<Version> {
        self.versions.iter().rev().nth(back).copied()
    }

    fn place(&self, version: Version) -> String {
        let place = self.versions.iter().position(|known| *known == version);
        format!("version {}", place.unwrap())
    }
}

fn binding(ours: bool) -> Binding<'static> {
    let client = if ours { BINDING.client } else { "another" };
    Binding { client, ..BINDING }
}

/// Empties a state as a user could.
async fn empty(state: &State) {
    for grant in state.grants().await.unwrap() {
        assert!(state.remove_grant(&grant.id).await.unwrap());
    }
    for account in state.accounts(None).await.unwrap() {
        assert!(state.remove_account(&account.name).await.unwrap());
    }
}

/// Plays random operations on the state there, and on one in memory.
fn agrees_with_memory(url: &StateUrl, cases: u32) {
    let keys = Keys::generate().unwrap();
    let case = AtomicU32::new(0);
    Runtime::each(|runtime| {
        let there = runtime.run(State::open(url, keys.clone())).unwrap();
        let mut runner = TestRunner::new(Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        });
        let played = runner.run(&vec(op(), 1..60), |ops| {
            let memory: StateUrl = "memory:".parse().unwrap();
            runtime.run(async {
                let memory = State::open(&memory, keys.clone()).await.unwrap();
                empty(&there).await;
                let case = case.fetch_add(1, Ordering::Relaxed);
                let subject = |state| Subject {
                    state,
                    versions: Vec::new(),
                    case,
                };
                let (mut one, mut other) = (subject(memory), subject(there.clone()));
                for op in &ops {
                    let (wanted, found) = (one.carry_out(op).await, other.carry_out(op).await);
                    prop_assert_eq!(found, wanted, "{:?}", op);
                }
                Ok(())
            })
        });
        played.unwrap();
        runtime.run(there.close());
    });
}

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
    let error = state.grant(&id, binding(false)).await.unwrap_err();
    assert!(matches!(error, StateError::Bound { .. }));
    assert!(error.to_string().contains(BINDING.client));
}

async fn a_sign_in_is_taken_once(state: &State) {
    let (key, late) = (secret("a key"), secret("a late key"));
    let sign_in = SignIn {
        id: GrantId::new("Example", "Tim"),
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
    // for whoever opens it next
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

/// Both have the state's tables.
const CLEAN: &str =
    "DROP TABLE IF EXISTS gateway_state, gateway_grants, gateway_accounts, gateway_sign_ins";

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

#[test]
fn sqlite_agrees_with_memory() {
    let (_folder, path) = common::file();
    agrees_with_memory(&common::url_of(&path), 40);
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_agrees_with_memory() {
    let server = Server::start(Kind::Postgres);
    agrees_with_memory(&server.url().parse().unwrap(), 30);
}
