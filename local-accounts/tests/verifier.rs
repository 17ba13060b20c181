//! What checking costs: counted in hashes, never on a clock.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use local_accounts::{Credential, MAX_PASSWORD, Verifier, VerifierConfig};
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Caller, Login};
use pop3_proto::secret::Secret;
use proptest::prelude::*;

/// bcrypt at its cheapest, of "password".
const CHEAP: &str = "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu";

fn check(
    verifier: &Verifier,
    user: &str,
    password: &str,
    credential: Option<&Credential>,
) -> Result<(), StoreError> {
    let login = Login::Password {
        user: user.into(),
        password: secret(password),
    };
    verifier.check(&login, &Caller::default(), user, credential)
}

fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes())
}

fn verifier(change: impl FnOnce(&mut VerifierConfig)) -> Verifier {
    let mut config = VerifierConfig::default();
    config.prevailing = Some(Credential::parse(CHEAP).unwrap());
    change(&mut config);
    Verifier::new(config).unwrap()
}

/// qG5: one password of one account, and no other.
#[test]
fn qg5_a_right_password_is_remembered_and_a_wrong_one_is_not() {
    let verifier = verifier(|_| {});
    let credential = Credential::parse(CHEAP).unwrap();
    let check = |password| check(&verifier, "tim", password, Some(&credential));
    for _ in 0..5 {
        assert_eq!(check("password"), Ok(()));
    }
    assert_eq!(verifier.hashes_computed(), 1);
    for n in 2..5 {
        assert_eq!(check("passwort"), Err(StoreError::Credentials));
        assert_eq!(verifier.hashes_computed(), n);
    }
    assert_eq!(check("password"), Ok(()));
    assert_eq!(verifier.hashes_computed(), 4);
}

#[test]
fn a_changed_credential_is_checked_anew() {
    let verifier = verifier(|_| {});
    let old = Credential::parse(CHEAP).unwrap();
    let new = Credential::parse("{PLAIN}another").unwrap();
    assert_eq!(check(&verifier, "tim", "password", Some(&old)), Ok(()));
    let refused = Err(StoreError::Credentials);
    assert_eq!(check(&verifier, "tim", "password", Some(&new)), refused);
    assert_eq!(check(&verifier, "tim", "password", None), refused);
}

/// What was right for one hash is nothing for another.
#[test]
fn a_changed_hash_is_checked_anew() {
    let verifier = verifier(|_| {});
    let old = Credential::parse(CHEAP).unwrap();
    // of "correct horse"
    let new = "$2y$05$4Na66ONUGy3lCf/Fcy0a3uOnnq1VDzUuVytGtvxvP1O/FT7jA.FUG";
    let new = Credential::parse(new).unwrap();
    assert_eq!(check(&verifier, "tim", "password", Some(&old)), Ok(()));
    assert_eq!(
        check(&verifier, "tim", "password", Some(&new)),
        Err(StoreError::Credentials)
    );
}

#[test]
fn a_right_stored_secret_or_digest_costs_no_turn() {
    let verifier = verifier(|_| {});
    for text in ["{PLAIN}password", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="] {
        let credential = Credential::parse(text).unwrap();
        assert_eq!(
            check(&verifier, "tim", "password", Some(&credential)),
            Ok(()),
            "{text}"
        );
    }
    assert_eq!(verifier.hashes_computed(), 0);
}

/// V16: what was right for one user is nothing for another.
#[test]
fn v16_memory_is_per_user() {
    let verifier = verifier(|_| {});
    let credential = Credential::parse(CHEAP).unwrap();
    for (user, hashes) in [("tim", 1), ("tom", 2), ("tim", 2)] {
        assert_eq!(
            check(&verifier, user, "password", Some(&credential)),
            Ok(())
        );
        assert_eq!(verifier.hashes_computed(), hashes);
    }
}

#[test]
fn memory_can_be_switched_off() {
    let verifier = verifier(|config| config.remembered = Duration::ZERO);
    let credential = Credential::parse(CHEAP).unwrap();
    for hashes in 1..4 {
        assert_eq!(
            check(&verifier, "tim", "password", Some(&credential)),
            Ok(())
        );
        assert_eq!(verifier.hashes_computed(), hashes);
    }
}

#[test]
fn many_at_once_are_let_through_in_turn() {
    let verifier = Arc::new(verifier(|config| {
        config.parallel = 2;
        config.remembered = Duration::ZERO;
    }));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let verifier = Arc::clone(&verifier);
            thread::spawn(move || {
                let credential = Credential::parse(CHEAP).unwrap();
                check(&verifier, "tim", "password", Some(&credential))
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Ok(()));
    }
    assert_eq!(verifier.hashes_computed(), 16);
}

#[test]
fn too_many_at_once_are_asked_to_come_back() {
    let verifier = Arc::new(verifier(|config| {
        config.parallel = 1;
        config.waiting = 0;
        config.remembered = Duration::ZERO;
    }));
    let credential =
        Credential::parse("$2b$12$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu").unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (verifier, credential) = (Arc::clone(&verifier), credential.clone());
            thread::spawn(move || check(&verifier, "tim", "x", Some(&credential)))
        })
        .collect();
    let answers: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    let temporary = |answer: &&Result<_, _>| matches!(answer, Err(StoreError::Temporary(_)));
    assert!(answers.contains(&Err(StoreError::Credentials)));
    assert!(answers.iter().filter(temporary).count() > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// V18: whether the user exists, is locked or has a stored secret, a wrong password costs one hash.
    #[test]
    fn v18_a_wrong_password_costs_the_same_everywhere(
        password in "\\PC{1,30}",
        credential in prop::sample::select(vec![None, Some(CHEAP), Some("*"), Some("{PLAIN}a colon : and more, quite long"), Some("{SSHA}Ri7hleCD3vShVVRv3ayfZFjfr0nIODaO")]),
    ) {
        prop_assume!(password != "password");
        // one that is prepared to something else is tried in both forms
        let nobody = verifier(|_| {});
        prop_assert_eq!(check(&nobody, "tim", &password, None), Err(StoreError::Credentials));
        let verifier = verifier(|_| {});
        let credential = credential.map(|text| Credential::parse(text).unwrap());
        prop_assert_eq!(
            check(&verifier, "tim", &password, credential.as_ref()),
            Err(StoreError::Credentials)
        );
        prop_assert_eq!(verifier.hashes_computed(), nobody.hashes_computed());
        prop_assert!((1..=2).contains(&nobody.hashes_computed()));
    }
}

/// Every place of the queue is taken by one address whenever another one logs in: it gets in all the same.
#[test]
fn w022_one_address_leaves_room_for_the_logins_of_others() {
    let verifier = Arc::new(verifier(|config| {
        config.parallel = 1;
        config.waiting = 4;
        config.patience = Duration::from_secs(600);
        config.remembered = Duration::ZERO;
    }));
    let attempt = |verifier: &Verifier, address: &str, password: &str| {
        let (caller, _presence) = Caller::new(address.parse().unwrap(), 0);
        let login = Login::Password {
            user: "tim".into(),
            password: secret(password),
        };
        let credential = Credential::parse(CHEAP).unwrap();
        verifier.check(&login, &caller, "tim", Some(&credential))
    };
    let (told, full) = channel();
    let stop = Arc::new(AtomicBool::new(false));
    let flood: Vec<_> = (0..20)
        .map(|n| {
            let (verifier, told, stop) = (Arc::clone(&verifier), told.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let answer = attempt(&verifier, &format!("2001:db8::{n}"), "guess");
                    if matches!(answer, Err(StoreError::Temporary(_))) {
                        let _ = told.send(());
                    }
                }
            })
        })
        .collect();
    for _ in 0..10 {
        full.recv().unwrap();
        assert_eq!(attempt(&verifier, "192.0.2.1", "password"), Ok(()));
    }
    stop.store(true, Ordering::Relaxed);
    flood.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn w022_nothing_is_computed_for_a_client_that_has_gone() {
    let verifier = verifier(|_| {});
    let credential = Credential::parse(CHEAP).unwrap();
    let login = Login::Password {
        user: "tim".into(),
        password: secret("password"),
    };
    let (caller, presence) = Caller::new("192.0.2.1".parse().unwrap(), 0);
    drop(presence);
    for credential in [None, Some(&credential)] {
        let answer = verifier.check(&login, &caller, "tim", credential);
        assert!(
            matches!(answer, Err(StoreError::Temporary(_))),
            "{answer:?}"
        );
    }
    assert_eq!(verifier.hashes_computed(), 0);
}

#[test]
fn what_is_too_long_costs_nothing_for_anybody() {
    let verifier = verifier(|_| {});
    let credential = Credential::parse(CHEAP).unwrap();
    let long = "x".repeat(MAX_PASSWORD + 1);
    for credential in [None, Some(&credential)] {
        for password in ["", &long] {
            let answer = check(&verifier, "tim", password, credential);
            assert_eq!(answer, Err(StoreError::Credentials));
        }
    }
    assert_eq!(verifier.hashes_computed(), 0);
}
