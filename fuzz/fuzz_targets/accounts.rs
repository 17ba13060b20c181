//! Any octets as a file of accounts, in the form that tools change and in the one that logins use: both agree
//! on it, every mistake has its place, changes touch only their own lines, and every credential that is
//! accepted can be checked in bounded time and memory.
//!
//! With `cfg(fuzzing)` local-accounts accepts no hash that costs more than some milliseconds and a megabyte.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use local_accounts::{Credential, PasswdFile, Verifier, VerifierConfig, fuzzing};
use pop3_fuzz::within;
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Caller, Login};
use pop3_proto::secret::Secret;

/// Memory for the content of a file and for a hash; every argon2 hash reserves the most.
const MEMORY: usize = 36 << 20;
/// Longer than any of these takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(10);

/// Stands in for an account that is not there.
const CHEAP: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGVyZSBiZSAzMiBvY3RldHMgb2YgYW55IGtpbmQu";

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let mut config = VerifierConfig::default();
    config.parallel = 1;
    config.remembered = Duration::ZERO;
    config.prevailing = Credential::parse(CHEAP).ok();
    Verifier::new(config).expect("the system has random octets")
});

fuzz_target!(|octets: &[u8]| {
    LazyLock::force(&VERIFIER);
    let path = Path::new("a/passwd");
    let file = within(MEMORY, || PasswdFile::parse(path, octets));
    let again = PasswdFile::parse(path, &file.octets());
    assert_eq!(again.octets(), file.octets());

    let faults = file.faults();
    for (_, fault) in &faults {
        assert!(fault.to_string().starts_with("a/passwd:"), "{fault}");
    }
    let table = within(MEMORY, || fuzzing::Table::read(path, octets.to_vec()));
    assert_eq!(table.count(), file.entries().count());
    assert_eq!(table.has_faults(), !faults.is_empty());
    for entry in file.entries() {
        assert_eq!(
            table.maildrop(entry.name()).as_deref(),
            Some(entry.maildrop())
        );
    }

    for entry in file.entries().take(4) {
        let begun = Instant::now();
        for password in ["p", "tanstaaf", "\u{e9}\u{2168}"] {
            let login = Login::Password {
                user: entry.name().into(),
                password: Secret::from(password.as_bytes()),
            };
            let credential = Some(entry.credential());
            let checked = within(MEMORY, || {
                VERIFIER.check(&login, &Caller::default(), entry.name(), credential)
            });
            assert!(matches!(checked, Ok(()) | Err(StoreError::Credentials)));
            assert!(checked.is_err() || !entry.credential().is_locked());
        }
        assert!(begun.elapsed() < LONG, "{}", entry.credential().scheme());
    }
    changes(&file);
});

/// A tool adds an account, changes it and removes it: the others stay as they are.
fn changes(file: &PasswdFile) {
    const NAME: &str = "somebody@new";
    let mut changed = file.clone();
    if changed.add(NAME, "{PLAIN}a").is_ok() {
        changed
            .set_credential(NAME, "{PLAIN}b")
            .expect("it is there");
        assert!(changed.find(NAME).is_some());
        assert_eq!(changed.entries().count(), file.entries().count() + 1);
        changed.remove(NAME).expect("it is there");
        assert_eq!(changed.octets(), file.octets());
    }
    if let Some(entry) = file.entries().next() {
        let mut changed = file.clone();
        let others = file.octets().split(|octet| *octet == b'\n').count() - 1;
        changed.remove(entry.name()).expect("it is there");
        assert!(changed.find(entry.name()).is_none());
        assert_eq!(
            changed.octets().split(|octet| *octet == b'\n').count(),
            others
        );
    }
}
