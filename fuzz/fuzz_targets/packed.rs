//! Any octets as a packed message: it is unpacked or refused, within bounds of size and memory, and reading
//! in other pieces gives the same.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use maildir_backend::fuzzing;
use pop3_fuzz::within;

const LIMIT: u64 = 1 << 20;
/// The largest window of zstd, twice while it grows; the blocks of bzip2 take less.
const MEMORY: usize = 20 << 20;

fuzz_target!(|octets: &[u8]| {
    let Some((&piece, file)) = octets.split_first() else {
        return;
    };
    let whole = within(MEMORY, || message(file, 64 * 1024));
    let again = message(file, usize::from(piece) * 16 + 1);
    match (whole, again) {
        (Ok(whole), Ok(again)) => {
            assert!(whole.len() as u64 <= LIMIT);
            assert_eq!(whole, again);
        }
        (Err(whole), Err(again)) => {
            // what is in memory can always be read
            assert_eq!(whole.kind(), io::ErrorKind::InvalidData, "{whole}");
            assert_eq!(again.kind(), io::ErrorKind::InvalidData, "{again}");
        }
        (whole, again) => panic!("{whole:?}, {again:?}"),
    }
});

/// What comes out before an error is as good as the error.
fn message(file: &[u8], piece: usize) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let Some(mut unpacked) = fuzzing::unpack(file, LIMIT)? else {
        return Ok(message);
    };
    let mut buf = vec![0; piece];
    loop {
        match unpacked.read(&mut buf)? {
            0 => return Ok(message),
            n => message.extend_from_slice(&buf[..n]),
        }
    }
}
