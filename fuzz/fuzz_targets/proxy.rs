//! Any octets as the beginning of a connection from a balancer: in whatever pieces they come, they are the same header
//! or none, and a header is no longer than it may be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop3_server::proxy::header::{LONGEST, read};

fuzz_target!(|octets: &[u8]| {
    let verdict = read(octets);
    match verdict {
        Ok(Some((_, length))) => {
            assert!(length <= octets.len().min(LONGEST));
            assert_eq!(read(&octets[..length]), verdict);
        }
        // more is waited for only as long as there can be more
        Ok(None) => assert!(octets.len() < LONGEST),
        Err(_) => {}
    }
    for length in 0..octets.len().min(LONGEST) {
        let before = read(&octets[..length]);
        assert!(before == Ok(None) || before == verdict);
    }
});
