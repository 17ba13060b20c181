//! Extra fields that limit an account: from where, how long, and what it may do.

use std::fs;

use local_accounts::FileAccounts;
use pop3_proto::backend::store::{Accounts as _, StoreError};
use pop3_proto::backend::{Access, Caller};

use crate::{faults, login, parse, verifier};

#[test]
fn w061_fields_that_limit_an_account_are_honoured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let text = "\
near:{PLAIN}a:1000:1000::/home/near::allow_nets=192.0.2.0/24,2001:db8::/32,[::1],127.0.0.1 userdb_quota=1
both:{PLAIN}a::::::allow_nets=192.0.2.0/24 allow_real_nets=192.0.2.128/25
turned:{PLAIN}a::::::allow_nets=192.0.2.128/25 allow_real_nets=192.0.2.0/24
apart:{PLAIN}a::::::allow_nets=192.0.2.0/25 allow_real_nets=192.0.2.128/25
closed:{PLAIN}a::::::nologin
closed2:{PLAIN}a::::::nologin= nodelay
closed3:{PLAIN}a::::::nologin=no
closed4:{PLAIN}a::::::nologin=never
any:::::::nopassword
anynear:::::::nopassword allow_nets=127.0.0.0/8
anyplain:{plain}::::::nopassword=y
notany:{PLAIN}a::::::nopassword=no access=read-write
local:{PLAIN}a::::::allow_nets=local
localnear:{PLAIN}a::::::allow_nets=local,192.0.2.7
mapped:{PLAIN}a::::::allow_nets=::ffff:192.0.2.7,::ffff:198.51.100.0/120
all:{PLAIN}a::::::allow_nets=0.0.0.0/0,::/0
";
    fs::write(&path, text).unwrap();
    assert_eq!(faults(text.as_bytes()), [""; 0]);
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
    let check = |user: &str, password: &str, from: &str| {
        let (caller, _presence) = match from {
            "" => (Caller::default(), None),
            from => {
                let (caller, presence) = Caller::new(from.parse().unwrap(), 0);
                (caller, Some(presence))
            }
        };
        match accounts.check(&login(user, password), &caller) {
            Ok(name) => {
                assert_eq!(name, user);
                true
            }
            Err(error) => {
                assert_eq!(error, StoreError::Credentials);
                false
            }
        }
    };
    for (user, password, from, right) in [
        ("near", "a", "192.0.2.7", true),
        ("near", "a", "::ffff:192.0.2.7", true),
        ("near", "a", "2001:db8:ffff::1", true),
        ("near", "a", "::1", true),
        ("near", "a", "127.0.0.1", true),
        ("near", "b", "127.0.0.1", false),
        ("near", "a", "127.0.0.2", false),
        ("near", "a", "", false),
        ("both", "a", "192.0.2.200", true),
        ("both", "a", "192.0.2.7", false),
        ("turned", "a", "192.0.2.200", true),
        ("turned", "a", "192.0.2.7", false),
        ("apart", "a", "192.0.2.200", false),
        ("apart", "a", "192.0.2.7", false),
        ("closed", "a", "127.0.0.1", false),
        ("closed2", "a", "127.0.0.1", false),
        // to Dovecot a field that is there is set, whatever its value
        ("closed3", "a", "127.0.0.1", false),
        ("closed4", "a", "127.0.0.1", false),
        ("any", "whatever", "203.0.113.1", true),
        ("any", "", "203.0.113.1", false),
        ("anynear", "whatever", "203.0.113.1", false),
        ("anynear", "whatever", "127.0.0.1", true),
        ("anyplain", "whatever", "203.0.113.1", true),
        ("notany", "whatever", "203.0.113.1", false),
        ("notany", "a", "203.0.113.1", true),
        ("local", "a", "127.0.0.1", false),
        ("local", "a", "", false),
        ("localnear", "a", "192.0.2.7", true),
        ("localnear", "a", "192.0.2.8", false),
        ("mapped", "a", "192.0.2.7", true),
        ("mapped", "a", "::ffff:198.51.100.9", true),
        ("mapped", "a", "192.0.2.8", false),
        ("all", "a", "192.0.2.8", true),
        ("all", "a", "2001:db8::1", true),
    ] {
        assert_eq!(
            check(user, password, from),
            right,
            "{user} {password} {from}"
        );
    }
    let homes: Vec<_> = parse(text)
        .entries()
        .map(|e| e.home().map(str::to_owned))
        .collect();
    assert_eq!(homes[0].as_deref(), Some("/home/near"));
    assert_eq!(homes[1], None);
    assert_eq!(accounts.weaknesses(), [("nopassword", 3)]);
}

/// What an account may do and how long it is there.
#[test]
fn an_account_ends_with_the_day_before_the_one_that_is_named() {
    let text = "\
old:{PLAIN}a::::::expires=1970-01-02
new:{PLAIN}a::::::expires=2999-12-31
read:{PLAIN}a::::::access=read-only
scan:{PLAIN}a::::::access=no-delete
";
    let file = parse(text);
    let entry = |name| file.find(name).unwrap();
    assert!(!entry("old").has_expired(86_399) && entry("old").has_expired(86_400));
    assert!(!entry("read").has_expired(u64::MAX));
    assert_eq!(entry("read").access(), Access::ReadOnly);
    assert_eq!(entry("old").access(), Access::ReadWrite);
    assert_eq!(entry("scan").access(), Access::ReadWrite);
    let keeps = ["old", "new", "read", "scan"].map(|name| entry(name).keeps());
    assert_eq!(keeps, [false, false, false, true]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, text).unwrap();
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
    let check = |user| accounts.check(&login(user, "a"), &Caller::default());
    assert_eq!(check("old"), Err(StoreError::Credentials));
    assert_eq!(check("new"), Ok("new".into()));
    for limited in ["read", "scan"] {
        assert!(matches!(check(limited), Err(StoreError::Permanent(_))));
    }
}
