//! Credentials that other programs made, and those made here.
#![allow(clippy::unwrap_used, reason = "tests")]

use local_accounts::{
    Algorithm, Credential, CredentialError, HashError, MAX_PASSWORD, Verifier, VerifierConfig,
    hash, stored_secret,
};
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Caller, Login};
use pop3_proto::secret::Secret;
use pop3_proto::{apop, backend::Mechanism};
use proptest::prelude::*;

const CORRECT_HORSE: &[&str] = &[
    // doveadm pw -s ... -p 'correct horse'
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$E7Bj7jSTd+DiXSyz7vXYKg$FQomzzdzyol9ZWkCNS/YiqhnZkkKobJ5EklLZAu5Xxo",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$Q04H3mFrf3zfLyKw55GGjA$fS0DKA7iTFy2p/0o5BU+MYuJf4fm/dguxOCJ9F8K9I4",
    "{BLF-CRYPT}$2y$05$4Na66ONUGy3lCf/Fcy0a3uOnnq1VDzUuVytGtvxvP1O/FT7jA.FUG",
    "{CRYPT}$2y$05$Fhe3ZR2mhEcXmBziExNXQOyEdhQ8tBtBGqYDmalOVewGaMSpW4BRW",
    "{SHA512-CRYPT}$6$61FD2XAuHLxv1zXs$tNJ7wLr92FhRQfNH2rX6ShWDwnW0FlICbk.vzb0Rib9OZ.VIz5z3CSEH/H38e.i/1jnrbP1O0qJhfxHaZFGyG.",
    "{SHA256-CRYPT}$5$GFq3rwgW0UYooKJC$hd7U3spxSovbqd5RhOwqVIISv6gPhyosOCe/49e.t52",
    "{PLAIN}correct horse",
    "{PLAIN.B64}Y29ycmVjdCBob3JzZQ==",
    "{plain.b64}Y29ycmVjdCBob3JzZQ==",
    "{SSHA}Ri7hleCD3vShVVRv3ayfZFjfr0nIODaO",
    "{SSHA256}GVBtcTN4jfFlBDI3IT87Wp6LETLq1N8lsQTRDHo9DlidQtQz",
    "{SSHA512}/mvU8pCXgV8Wc2L+iqg1VpSIy8GafamoyKqEIDCTWzecv38/12xssd1qe28nrQb36Q4uU/aq5ExyRiGZakHrz99IHFQ=",
    "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{SHA1}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
    "{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
    "{SMD5}Sg1t5JP5mCEQiidtIr61A4k5nYg=",
    "{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde",
    "{LDAP-MD5}PLTnMmMfR+brlh80VUt83g==",
    "{MD5}3cb4e732631f47e6eb961f34554b7cde",
    "{MD5}PLTnMmMfR+brlh80VUt83g==",
    "{MD5}$1$tCBmwKRz$7nYj6FrGfIuDpiHpWrH1H/",
    "{MD5-CRYPT}$1$WKYNoZfC$0oWpwnK8gypnwi9IjmG4D.",
    "{CRYPT}$1$WKYNoZfC$0oWpwnK8gypnwi9IjmG4D.",
    "{PBKDF2}$1$ct0iNr33sh4wQtyG$5000$022bce1821704a2ccbde14ee818d3674ddf67983",
    "{SCRAM-SHA-1}4096,Gi4Hf/eE3RITenSCLuQNQQ==,tW000Qu09akBB6hm4R1kSAD/Yv8=,mebo0wHTNDtTnPsnWxOcOEzbpjM=",
    "{SCRAM-SHA-256}4096,FBD6m+rPZl+a7AWUjww8AA==,jJSeQkdnz+/bo4p7NeXIat7wiDoLk08U4lCHqTqekJY=,PTbXQ2WaU4sisLxi6jAYnUe+wGBQylzWypydwaMSUVo=",
    "{ARGON2}$argon2id$v=19$m=65536,t=3,p=1$MNxyk3s8NUok5amCIAV3hQ$ET0xgrxPTiuHvT3vw/owhhzA/ENu2/s1kAhhgjMGJcM",
    "{SSHA.HEX}0be29a6e765455e6768a1e353deb16037fc284373b0d7fc2",
    "{SHA256.HEX}4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631",
    "{SHA512.B64}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
    "{PLAIN.hex}636f727265637420686f727365",
    "{PLAIN.base64}Y29ycmVjdCBob3JzZQ==",
    "{SHA512-CRYPT.b64}JDYkeWJDQUJDVTIzeC8zUEdNNSRGT3pxNjV2WXpvNi5LYmh2Y1BxYXBxNGxsZnBXVjZPYnVyZDc5MEh3YVVMdnIzN0p6Uk1LeEJOZm9ZTlRWY2lQOXF5YmY2S1NuYXJjMXJwU3lYdTFDMA==",
    "{SHA256-CRYPT.HEX}243524303366734e32526b4c4248466a372f4c2431676b61502e74686c444f59544e4942727471745548557642524f454670496d49664e312f4545764e3142",
    // crypt(3) of Debian's libxcrypt
    "{CRYPT}$y$j9T$abcdefgh1234$5Bjg1PHNwrTniPl01XM2leC2Csli9m0uLTzKa/R03g2",
    "$y$j9T$abcdefgh1234$5Bjg1PHNwrTniPl01XM2leC2Csli9m0uLTzKa/R03g2",
    // openssl passwd -1
    "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80",
    // Python's hashlib.scrypt
    "$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$0LupyHkzAIgDr9UDsriAAf87vMbCbcaUfDvFOAHk0D0",
];

const PASSWORD: &[&str] = &[
    // crypt(3)
    "$6$rounds=5000$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYKCzannhaX9DR72nN1",
    "$5$saltstring$OH4IDuTlsuTYPdED1gsuiRMyTAwNlRWyA6Xr3I4/dQ5",
    "$2a$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
    "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
    "$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
    // openssl passwd -6 -salt abcdef password
    "$6$abcdef$2yYFwtar3.rlLovG0bXbxXMjZe7Z/1EhQ0gEs0nXalsCW04p2iy6unkvbrBFH1SXexabbdNXXOO11F7sdyurk/",
    // the reference implementation's tests: from before hashes named their version
    "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
    // passlib's documentation
    "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
];

fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes())
}

fn verifier() -> Verifier {
    // what wrong passwords cost beside hashes that cost nothing
    let cheap = "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu";
    let mut config = VerifierConfig::default();
    config.prevailing = Some(Credential::parse(cheap).unwrap());
    Verifier::new(config).unwrap()
}

fn password(password: &str) -> Login {
    Login::Password {
        user: "tim".into(),
        password: secret(password),
    }
}

fn is_right(verifier: &Verifier, text: &str, candidate: &str) -> bool {
    let credential = Credential::parse(text).unwrap();
    match verifier.check(
        &password(candidate),
        &Caller::default(),
        "tim",
        Some(&credential),
    ) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error, StoreError::Credentials);
            false
        }
    }
}

#[test]
fn w061_hashes_of_other_programs_are_understood() {
    let verifier = verifier();
    let all = [(CORRECT_HORSE, "correct horse"), (PASSWORD, "password")];
    for (texts, right) in all {
        for text in texts {
            assert!(is_right(&verifier, text, right), "{text}");
            for wrong in [
                "",
                "Password",
                "correct horse ",
                "correct horse battery staple",
            ] {
                assert!(!is_right(&verifier, text, wrong), "{text} with {wrong:?}");
            }
        }
    }
}

#[test]
fn what_is_made_here_is_understood_here() {
    let verifier = verifier();
    for algorithm in Algorithm::ALL {
        let made = hash(&secret("pä ss:word"), algorithm).unwrap();
        assert!(is_right(&verifier, &made, "pä ss:word"), "{algorithm}");
        assert!(!is_right(&verifier, &made, "pä ss:worD"), "{algorithm}");
        assert_ne!(
            made,
            hash(&secret("pä ss:word"), algorithm).unwrap(),
            "salted"
        );
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
        assert!(
            Credential::parse(&made)
                .unwrap()
                .scheme()
                .starts_with(algorithm.name())
        );
        assert!(!made.contains(':'), "fits into a passwd-file");
    }
    assert_eq!("md5".parse::<Algorithm>(), Err(HashError::UnknownAlgorithm));
}

/// An administrator locks an account by a `!` before its hash; a secret may begin with one.
#[test]
fn a_locked_credential_lets_nobody_in() {
    let verifier = verifier();
    for text in ["!", "*", "{BLF-CRYPT}!", "{SHA512-CRYPT}!$6$a$b"] {
        for password in ["!", "*", "$6$a$b"] {
            assert!(!is_right(&verifier, text, password), "{text}");
        }
    }
    assert!(is_right(&verifier, "{PLAIN}!", "!"));
}

#[test]
fn the_longest_password_is_one() {
    let longest = "x".repeat(MAX_PASSWORD);
    let verifier = verifier();
    let stored = format!("{{PLAIN}}{longest}");
    assert!(is_right(&verifier, &stored, &longest));
    assert!(!is_right(
        &verifier,
        &format!("{stored}x"),
        &format!("{longest}x")
    ));
}

#[test]
fn most_rounds_are_the_last_that_are_taken() {
    let text = |rounds: u32| {
        format!("{{PBKDF2}}$1$salt${rounds}$022bce1821704a2ccbde14ee818d3674ddf67983")
    };
    assert!(Credential::parse(&text(5_000_000)).is_ok());
    assert!(Credential::parse(&text(5_000_001)).is_err());
}

/// What preparing would leave nothing of stays as it is, and a form that is the same is not tried twice.
#[test]
fn preparing_changes_what_it_can() {
    assert_eq!(local_accounts::prepared("\u{ad}"), "\u{ad}");
    let verifier = verifier();
    let before = verifier.hashes_computed();
    assert!(!is_right(
        &verifier,
        "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
        "\u{e9}"
    ));
    assert_eq!(verifier.hashes_computed(), before + 1);
}

#[test]
fn what_no_client_could_send_is_not_hashed() {
    let error = |octets: &[u8], algorithm| hash(&Secret::from(octets), algorithm).unwrap_err();
    assert_eq!(error(b"", Algorithm::Argon2id), HashError::Empty);
    for unsendable in [&b"a\nb"[..], b"a\rb", b"a\0b", b"\xff"] {
        assert_eq!(
            error(unsendable, Algorithm::Argon2id),
            HashError::Unsendable
        );
        assert_eq!(
            stored_secret(&unsendable.into()),
            Err(HashError::Unsendable)
        );
    }
    let long = vec![b'x'; MAX_PASSWORD + 1];
    assert_eq!(error(&long, Algorithm::Argon2id), HashError::TooLong);
    assert_eq!(
        error(&long[..73], Algorithm::Bcrypt),
        HashError::TooLongForBcrypt
    );
    assert!(hash(&Secret::from(&long[..72]), Algorithm::Bcrypt).is_ok());
}

#[test]
fn nonsense_is_told_apart_from_hashes() {
    use CredentialError::{Empty, Malformed, TooDear, UnknownKind, UnknownScheme, WrongScheme};
    let error = |text: &str| Credential::parse(text).unwrap_err();
    assert_eq!(error(""), Empty);
    assert_eq!(error("{PLAIN}"), Empty);
    assert_eq!(error("secret"), UnknownKind);
    assert_eq!(error("$1$salt$2yYFwtar3"), Malformed("md5-crypt"));
    assert_eq!(error("{LANMAN}9186d855"), UnknownScheme("LANMAN".into()));
    assert_eq!(
        error("{SSHA.ROT13}9186d855"),
        UnknownScheme("SSHA.ROT13".into())
    );
    assert_eq!(error("{SSHA}"), Empty);
    assert_eq!(error("{MD5-CRYPT}$6$a$b"), Malformed("sha512-crypt"));
    // cut off, with a salt too many, or without one
    assert_eq!(
        error("{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A="),
        Malformed("SSHA")
    );
    assert_eq!(
        error("{SHA}Ri7hleCD3vShVVRv3ayfZFjfr0nIODaO"),
        Malformed("SHA")
    );
    assert_eq!(
        error("{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cd"),
        Malformed("PLAIN-MD5")
    );
    assert_eq!(
        error("{PBKDF2}$1$salt$0$022bce1821704a2ccbde14ee818d3674ddf67983"),
        Malformed("PBKDF2")
    );
    assert!(matches!(
        error("{PBKDF2}$1$salt$4000000000$022bce1821704a2ccbde14ee818d3674ddf67983"),
        TooDear("PBKDF2", _)
    ));
    assert!(matches!(
        error(
            "{SCRAM-SHA-1}99999999,Gi4Hf/eE3RITenSCLuQNQQ==,tW000Qu09akBB6hm4R1kSAD/Yv8=,mebo0wHTNDtTnPsnWxOcOEzbpjM="
        ),
        TooDear("SCRAM-SHA-1", _)
    ));
    assert!(matches!(
        error("$y$jzT$abcdefgh1234$5Bjg1PHNwrTniPl01XM2leC2Csli9m0uLTzKa/R03g2"),
        Malformed(_) | TooDear("yescrypt", _)
    ));
    let scram = |salt: &str, stored: &str, server: &str| {
        error(&format!("{{SCRAM-SHA-1}}4096,{salt},{stored},{server}"))
    };
    let key = "tW000Qu09akBB6hm4R1kSAD/Yv8=";
    for (salt, stored, server) in [
        ("", key, key),
        ("c2FsdA==", "c2FsdA==", key),
        ("c2FsdA==", key, ""),
    ] {
        assert_eq!(scram(salt, stored, server), Malformed("SCRAM-SHA-1"));
    }
    assert!(matches!(
        error("$y$j9T..$abcdefgh1234$5Bjg1PHNwrTniPl01XM2leC2Csli9m0uLTzKa/R03g2"),
        TooDear("yescrypt", _)
    ));
    assert_eq!(error("{my {} secret}x"), UnknownKind);
    assert_eq!(error("{BLF-CRYPT}$6$a$b"), Malformed("sha512-crypt"));
    assert_eq!(
        error(&format!("{{BLF-CRYPT}}{}", PASSWORD[1])),
        WrongScheme("BLF-CRYPT".into())
    );
    assert_eq!(error("{PLAIN.b64}???"), Malformed("PLAIN"));
    for (text, name) in [
        ("$2b$12$abc", "bcrypt"),
        (
            "$2b$03$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
            "bcrypt",
        ),
        ("$argon2id$v=19$m=65536,t=3,p=1$E7Bj7jSTd", "argon2"),
        (
            "$argon2id$v=19$m=65536,t=3,p=1$E7Bj7jSTd+DiXSyz7vXYKg",
            "argon2",
        ),
        (
            "$argon2id$v=99$m=65536,t=3,p=1$E7Bj7jSTd+DiXSyz7vXYKg$FQomzzdzyol9ZWkCNS/YiqhnZkkKobJ5EklLZAu5Xxo",
            "argon2",
        ),
        ("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q", "scrypt"),
        ("$6$abcdef", "sha512-crypt"),
        (
            "$6$$2yYFwtar3.rlLovG0bXbxXMjZe7Z/1EhQ0gEs0nXalsCW04p2iy6unkvbrBFH1SXexabbdNXXOO11F7sdyurk/",
            "sha512-crypt",
        ),
        (
            "$6$rounds=10$salt$2yYFwtar3.rlLovG0bXbxXMjZe7Z/1EhQ0gEs0nXalsCW04p2iy6unkvbrBFH1SXexabbdNXXOO11F7sdyurk/",
            "sha512-crypt",
        ),
        ("$5$saltstring$OH4I", "sha256-crypt"),
    ] {
        assert_eq!(error(text), Malformed(name), "{text}");
    }
    for (text, name) in [
        (
            "$2b$31$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
            "bcrypt",
        ),
        (
            "$argon2id$v=19$m=4194304,t=1,p=1$E7Bj7jSTd+DiXSyz7vXYKg$FQomzzdzyol9ZWkCNS/YiqhnZkkKobJ5EklLZAu5Xxo",
            "argon2",
        ),
        (
            "$argon2id$v=19$m=1048576,t=900,p=1$E7Bj7jSTd+DiXSyz7vXYKg$FQomzzdzyol9ZWkCNS/YiqhnZkkKobJ5EklLZAu5Xxo",
            "argon2",
        ),
        (
            "$scrypt$ln=30,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
            "scrypt",
        ),
        (
            "$6$rounds=999999999$salt$2yYFwtar3.rlLovG0bXbxXMjZe7Z/1EhQ0gEs0nXalsCW04p2iy6unkvbrBFH1SXexabbdNXXOO11F7sdyurk/",
            "sha512-crypt",
        ),
    ] {
        assert!(
            matches!(error(text), TooDear(found, _) if found == name),
            "{text}"
        );
    }
}

/// The bounds are the last that is checked, and the first that is not.
#[test]
fn as_much_work_as_is_allowed_is_allowed() {
    let argon2 = "$E7Bj7jSTd+DiXSyz7vXYKg$FQomzzdzyol9ZWkCNS/YiqhnZkkKobJ5EklLZAu5Xxo";
    let scrypt = "$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E";
    let sha = "$salt$2yYFwtar3.rlLovG0bXbxXMjZe7Z/1EhQ0gEs0nXalsCW04p2iy6unkvbrBFH1SXexabbdNXXOO11F7sdyurk/";
    let yescrypt = "$abcdefgh1234$5Bjg1PHNwrTniPl01XM2leC2Csli9m0uLTzKa/R03g2";
    let bcrypt = "$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu";
    for (start, end, most, more) in [
        (
            "$argon2id$v=19$m=",
            argon2,
            "1048576,t=4,p=1",
            "1048577,t=1,p=1",
        ),
        ("$argon2id$v=19$m=1048576,t=", argon2, "4,p=1", "5,p=1"),
        ("$scrypt$ln=", scrypt, "20,r=8,p=1", "21,r=8,p=1"),
        ("$scrypt$ln=20,r=8,p=", scrypt, "4", "5"),
        ("$6$rounds=", sha, "5000000", "5000001"),
        ("$2b$", bcrypt, "16", "17"),
        ("$y$", yescrypt, "jFT", "jGT"),
    ] {
        let read = |middle: &str| Credential::parse(&format!("{start}{middle}{end}"));
        assert!(read(most).is_ok(), "{start}{most}");
        let refused = read(more).unwrap_err();
        let is_dear = matches!(refused, CredentialError::TooDear(..));
        assert!(is_dear, "{start}{more}: {refused}");
    }
    assert!(Credential::parse(&format!("$6$rounds=1000{sha}")).is_ok());
    assert!(Credential::parse(&format!("$6$rounds=999{sha}")).is_err());
    assert!(Credential::parse("$1$ab-defgh$y6iHhJNbuC0xpbk0w9pm80").is_err());
}

#[test]
fn a_locked_account_is_nobodys() {
    let verifier = verifier();
    for text in [
        "*",
        "!",
        "!$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
    ] {
        assert!(Credential::parse(text).unwrap().is_locked());
        for tried in ["*", "!", "password", text] {
            assert!(!is_right(&verifier, text, tried));
        }
    }
}

#[test]
fn a_secret_is_stored_as_it_is_where_a_file_can_hold_it() {
    for (text, stored) in [
        ("tanstaaf", "{PLAIN}tanstaaf"),
        ("a:b", "{PLAIN.b64}YTpi"),
        ("ab ", "{PLAIN.b64}YWIg"),
    ] {
        assert_eq!(stored_secret(&secret(text)).unwrap(), stored);
    }
    assert!(stored_secret(&secret(&"x".repeat(MAX_PASSWORD))).is_ok());
    let longer = stored_secret(&secret(&"x".repeat(MAX_PASSWORD + 1)));
    assert_eq!(longer, Err(HashError::TooLong));
}

#[test]
fn a_digest_needs_a_stored_secret() {
    for (text, is_locked, suits_digests) in [
        ("{PLAIN}tanstaaf", false, true),
        ("*", true, true),
        ("$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80", false, false),
        ("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=", false, false),
    ] {
        let credential = Credential::parse(text).unwrap();
        assert_eq!(credential.is_locked(), is_locked, "{text}");
        assert_eq!(credential.suits_digests(), suits_digests, "{text}");
    }
}

#[test]
fn digests_are_proven_with_stored_secrets_alone() {
    let verifier = verifier();
    let stored = Credential::parse("{PLAIN}tanstaaf").unwrap();
    let hashed =
        Credential::parse(&hash(&secret("tanstaaf"), Algorithm::Argon2id).unwrap()).unwrap();
    let stamp = "<1896.697170952@dbc.mtview.ca.us>";
    let apop = |text: &str| Login::Apop {
        user: "mrose".into(),
        timestamp: stamp.into(),
        digest: apop::digest(stamp, &secret(text)),
    };
    let refused = Err(StoreError::Credentials);
    assert_eq!(
        verifier.check(
            &apop("tanstaaf"),
            &Caller::default(),
            "mrose",
            Some(&stored)
        ),
        Ok(())
    );
    assert_eq!(
        verifier.check(&apop("wrong"), &Caller::default(), "mrose", Some(&stored)),
        refused
    );
    assert_eq!(
        verifier.check(
            &apop("tanstaaf"),
            &Caller::default(),
            "mrose",
            Some(&hashed)
        ),
        refused
    );
    assert_eq!(
        verifier.check(&apop(""), &Caller::default(), "mrose", None),
        refused
    );
    // RFC 2195's example
    let cram = Login::CramMd5 {
        user: "tim".into(),
        challenge: "<1896.697170952@postoffice.reston.mci.net>".into(),
        digest: apop::from_hex(b"b913a602c7eda7a495b4e6e7334d3890").unwrap(),
    };
    let tim = Credential::parse("{PLAIN}tanstaaftanstaaf").unwrap();
    assert_eq!(
        verifier.check(&cram, &Caller::default(), "tim", Some(&tim)),
        Ok(())
    );
    assert_eq!(
        verifier.check(&cram, &Caller::default(), "tim", Some(&stored)),
        refused
    );
    assert_eq!(
        verifier.check(&cram, &Caller::default(), "tim", None),
        refused
    );
    let token = Login::Bearer {
        mechanism: Mechanism::new("XOAUTH2").unwrap(),
        user: "tim".into(),
        token: secret("tanstaaftanstaaf"),
        renewal: None,
    };
    assert!(matches!(
        verifier.check(&token, &Caller::default(), "tim", Some(&tim)),
        Err(StoreError::Policy(_))
    ));
}

#[test]
fn nothing_is_printed() {
    for text in CORRECT_HORSE.iter().chain(PASSWORD) {
        let shown = format!("{:?}", Credential::parse(text).unwrap());
        assert_eq!(shown, "Credential(..)");
    }
    let error = Credential::parse("{PLAIN secret").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\{[A-Z.0-9-]{0,12}\\})?\\PC{0,100}") {
        let _ = Credential::parse(&text);
    }

    /// Whatever is done to a hash, it is read as another one or refused: nothing panics when it is checked.
    #[test]
    fn damaged_hashes_do_no_harm(
        which in 0..CORRECT_HORSE.len(),
        at in 0..150_usize,
        octet in prop::char::range(' ', '~'),
        cut in any::<bool>(),
    ) {
        let mut text: Vec<char> = CORRECT_HORSE[which].chars().collect();
        let at = at % text.len();
        if cut { text.truncate(at) } else { text[at] = octet }
        let text: String = text.into_iter().collect();
        let _ = Credential::parse(&text);
    }

    #[test]
    fn stored_secrets_survive(text in "\\PC{1,40}") {
        let made = stored_secret(&secret(&text)).unwrap();
        prop_assert!(!made.contains(':') && !made.ends_with(' '));
        prop_assert!(is_right(&verifier(), &made, &text));
    }
}

/// W055, S014: password and credential are compared prepared by SASLprep, whichever of them was, and as they
/// are where that is not possible.
#[test]
fn w055_s014_passwords_are_compared_prepared() {
    let verifier = verifier();
    let (composed, decomposed) = ("pässword", "pa\u{308}ssword");
    let (ligature, letters) = ("o\u{fb03}ce x", "office\u{a0}x");
    for (one, other) in [(composed, decomposed), (ligature, letters)] {
        for (kept, sent) in [(one, other), (other, one), (one, one), (other, other)] {
            let stored = stored_secret(&secret(kept)).unwrap();
            assert!(is_right(&verifier, &stored, sent), "{kept:?} {sent:?}");
            let hashed = hash(&secret(kept), Algorithm::Argon2id).unwrap();
            assert!(is_right(&verifier, &hashed, sent), "{kept:?} {sent:?}");
            assert!(!is_right(&verifier, &hashed, "pässwort"));
        }
    }
    // of "pa\u{308}ssword", by a program that does not prepare
    let raw = "{SHA256}c22eec74021e044c0088e4f056f8406e5c86c55b30791ce94e55207a3f907efa";
    assert!(is_right(&verifier, raw, decomposed));
    assert!(
        !is_right(&verifier, raw, composed),
        "it was made of the other"
    );
    // a private character and a control cannot be prepared
    for odd in ["a\u{e000}b", "a\u{7f}b", "\u{ad}"] {
        let hashed = hash(&secret(odd), Algorithm::Argon2id).unwrap();
        assert!(is_right(&verifier, &hashed, odd), "{odd:?}");
        assert!(!is_right(&verifier, &hashed, "ab"), "{odd:?}");
    }
}
