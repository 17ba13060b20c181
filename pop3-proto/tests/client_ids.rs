//! Unique-ids and APOP.
#![allow(clippy::unwrap_used, reason = "tests")]

use pop3_proto::secret::Secret;
use pop3_proto::{apop, unique_id};
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn p048_unique_id_octets_and_length() {
    assert!(unique_id::is_valid(b"!~1.2"));
    assert!(unique_id::is_valid(&[b'x'; 70]));
    for bad in [
        &b""[..],
        &[b'x'; 71],
        b"a b",
        b"a\x7f",
        b"\xc3\xa9",
        b"a\n",
        b"\0",
    ] {
        assert!(!unique_id::is_valid(bad), "{:?}", bad.escape_ascii());
    }
}

#[test]
fn clean_names_are_their_own_ids() {
    assert_eq!(
        unique_id::from_name(b"1700000000.M1P2.host,S=12:2,S"),
        "1700000000.M1P2.host,S=12:2,S"
    );
    assert_eq!(unique_id::from_name(b"a/b c%"), "a%2Fb%20c%25", "qA7");
    assert_eq!(
        unique_id::from_name(b""),
        "%md5.D41D8CD98F00B204E9800998ECF8427E"
    );
    assert_eq!(unique_id::from_name(&[b'x'; 70]).as_bytes(), [b'x'; 70]);
    assert!(unique_id::from_name(&[b'x'; 71]).starts_with("%md5."));
    assert!(unique_id::from_name(b"%md5.D41D8CD98F00B204E9800998ECF8427E").starts_with("%25md5."));
}

proptest! {
    #[test]
    fn p049_ids_are_valid_and_differ_where_names_do(
        name in vec(prop_oneof![any::<u8>(), proptest::sample::select(b"%/25F".to_vec())], 0..90),
        other in vec(proptest::sample::select(b"%/25F\xff".to_vec()), 0..4),
    ) {
        let id = unique_id::from_name(&name);
        prop_assert!(unique_id::is_valid(id.as_bytes()) && !id.contains('/'));
        prop_assert_eq!(name == other, id == unique_id::from_name(&other));
        prop_assert_eq!(name == id.as_bytes(), unique_id::from_name(id.as_bytes()) == id);
    }
}

const STAMP: &str = "<1896.697170952@dbc.mtview.ca.us>";

#[test]
fn p059_digest_of_the_rfc() {
    let digest = apop::digest(STAMP, &Secret::from(&b"tanstaaf"[..]));
    assert_eq!(apop::to_hex(&digest), "c4c9334bac560ecc979e58001b3e22fb");
    assert_eq!(
        apop::from_hex(b"c4c9334bac560ecc979e58001b3e22fb"),
        Some(digest)
    );
    assert_eq!(
        apop::from_hex(b"C4C9334BAC560ECC979E58001B3E22FB"),
        Some(digest)
    );
    for bad in [
        &b""[..],
        b"c4c9334bac560ecc979e58001b3e22f",
        b"c4c9334bac560ecc979e58001b3e22fbb",
        b"g4c9334bac560ecc979e58001b3e22fb",
    ] {
        assert_eq!(apop::from_hex(bad), None);
    }
}

#[test]
fn p060_wrong_digest_does_not_verify() {
    let secret = Secret::from(&b"tanstaaf"[..]);
    let digest = apop::digest(STAMP, &secret);
    assert!(apop::verify(STAMP, &secret, &digest));
    assert!(!apop::verify("<1@b>", &secret, &digest));
    assert!(!apop::verify(
        STAMP,
        &Secret::from(&b"tanstaafl"[..]),
        &digest
    ));
}

#[test]
fn p058_w055_v31_timestamps() {
    assert_eq!(
        apop::find_timestamp(b"POP3 server ready <1896.697170952@dbc.mtview.ca.us>"),
        Some(STAMP)
    );
    assert_eq!(
        apop::find_timestamp(b"a < b <<x> <1@\xff> <1@b> <2@c>"),
        Some("<1@b>")
    );
    // V31: a message-id has neither 8-bit octets nor controls nor spaces in it
    for none in [
        &b""[..],
        b"ready",
        b"<>",
        b"<@>",
        b"<a@>",
        b"<@b>",
        b"<ab>",
        b"<a@b@c>",
        b"<a b@c>",
        b"<a@b",
        b"<a\0@b>",
    ] {
        assert_eq!(
            apop::find_timestamp(none),
            None,
            "{:?}",
            none.escape_ascii()
        );
    }
    assert_eq!(
        apop::timestamp(255, "pop.example.org").unwrap(),
        "<0.255@pop.example.org>"
    );
    assert_eq!(apop::timestamp(1, "a b"), None);
}

proptest! {
    #[test]
    fn timestamps_are_found_or_not_without_panic(greeting in vec(proptest::sample::select(b"<>@ab \xff".to_vec()), 0..40)) {
        if let Some(stamp) = apop::find_timestamp(&greeting) {
            prop_assert!(apop::is_timestamp(stamp));
        }
    }
}
