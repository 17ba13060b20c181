//! Any octets from an IMAP server, in any pieces, with any fate for their literals: the same lines and
//! literals come out however they are cut, within bounds, and each line means something or nothing.
#![no_main]

use imap_backend::fuzzing::frames;
use libfuzzer_sys::fuzz_target;
use testkit::generate::Source;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let fates = source.take(4);
    let pieces = source.take(6);
    let bulk = source.below(2) == 1;
    let text = source.rest();
    let whole = frames(text, &[], fates, true);
    assert_eq!(frames(text, pieces, fates, bulk), whole);
    if text.len() < 4096 {
        assert_eq!(frames(text, &[0], fates, bulk), whole);
    }
});
