//! Random operations have the same outcomes in memory, in SQLite and in PostgreSQL, on both runtimes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};

use common::{BINDING, NOW, secret};
use gateway_state::{
    Access, Account, AccountChange, Binding, GrantId, Keys, Replaced, SignIn, Slip, State,
    StateError, StateUrl, Tokens, Version,
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
    Slip {
        kind: &'static str,
        key: u8,
        now: u64,
        what: OfSlip,
    },
}

/// What is done with a slip.
#[derive(Clone, Copy, Debug)]
enum OfSlip {
    Put(u64),
    Read,
    Take,
    Prolong(u64),
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
    let of_slip = prop_oneof![
        (1..900u64).prop_map(OfSlip::Put),
        Just(OfSlip::Read),
        Just(OfSlip::Take),
        (1..900u64).prop_map(OfSlip::Prolong),
    ];
    let kind = prop_oneof![Just("session"), Just("word")];
    let slips = (kind, 0..4u8, time(), of_slip);
    let slips = slips.prop_map(|(kind, key, now, what)| Op::Slip {
        kind,
        key,
        now,
        what,
    });
    prop_oneof![grants, accounts, sign_ins, slips]
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
                    network: Some(owner.to_string()),
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
            Op::Slip {
                kind,
                key,
                now,
                what,
            } => {
                let (name, key) = (format!("{kind} {key}"), self.key(*key));
                // what is written down ends at a time that a database knows
                let written = (*now).min(NOW + 900);
                let read =
                    |slip: Slip| (slip.payload.expose().to_vec(), slip.created, slip.expires);
                match what {
                    OfSlip::Put(life) => {
                        let slip = Slip {
                            payload: secret(&name),
                            created: written,
                            expires: written + life,
                        };
                        state.put_slip(kind, &key, &slip).await?;
                        String::new()
                    }
                    OfSlip::Read => {
                        format!("{:?}", state.slip(kind, &key, *now).await?.map(read))
                    }
                    OfSlip::Take => {
                        format!("{:?}", state.take_slip(kind, &key, *now).await?.map(read))
                    }
                    OfSlip::Prolong(life) => {
                        state.prolong_slip(kind, &key, written + life).await?;
                        String::new()
                    }
                }
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
