//! What is stuffed and unstuffed, in any pieces, is the message with CRLF line ends; and no piece of it
//! can be taken for the end of the response.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use pop3_fuzz::Decisions;
use pop3_proto::stuffing::Stuffer;

fuzz_target!(|bytes: &[u8]| {
    let mut decisions = Decisions::new(bytes);
    let (mut pieces, mut whole) = (BytesMut::new(), BytesMut::new());
    let mut stuffer = Stuffer::whole();
    let mut message = Vec::new();
    while !decisions.is_empty() {
        let piece = decisions.piece();
        message.extend_from_slice(piece);
        stuffer.stuff(piece, &mut pieces);
    }
    stuffer.finish(&mut pieces);
    let mut at_once = Stuffer::whole();
    at_once.stuff(&message, &mut whole);
    at_once.finish(&mut whole);
    assert_eq!(pieces, whole);
    assert_eq!(stuffer.octets(), at_once.octets());
    let end = whole.windows(5).position(|five| five == b"\r\n.\r\n");
    let expected = if whole.len() == 3 {
        None
    } else {
        Some(whole.len() - 5)
    };
    assert_eq!(end, expected);
});
