//! The small IMAP server never panics, never hangs its caller and never piles up memory.

use proptest::prelude::*;
use testkit::generate::{self, Source};
use testkit::imap_server::{Options, Server, Store};

const LINES: &[&str] = &[
    "a LOGIN u p\r\n",
    "a LOGIN {1}\r\nu {1+}\r\np\r\n",
    "a AUTHENTICATE PLAIN AHUAcA==\r\n",
    "a AUTHENTICATE LOGIN\r\n",
    "dQ==\r\n",
    "*\r\n",
    "b SELECT INBOX\r\n",
    "b EXAMINE INBOX\r\n",
    "c UID FETCH 1:* (UID RFC822.SIZE)\r\n",
    "c UID FETCH 1 (BODY.PEEK[])\r\n",
    "c FETCH 2 (BODY[TEXT]<3.4> BODY[HEADER] FLAGS)\r\n",
    "c FETCH *:0 FAST\r\n",
    "d UID STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\n",
    "d STORE 1 FLAGS ()\r\n",
    "e UID EXPUNGE 1\r\n",
    "e EXPUNGE\r\n",
    "f UID MOVE 1 Trash\r\n",
    "f COPY 1:* Trash\r\n",
    "g UID SEARCH OR (DELETED) NOT SEEN\r\n",
    "h NOOP\r\n",
    "i LIST \"\" \"**%**\"\r\n",
    "i STATUS Trash (MESSAGES SIZE)\r\n",
    "j STARTTLS\r\n",
    "k LOGOUT\r\n",
    "l ID NIL\r\n",
    "\r\n",
    "m ((((((((((((((\r\n",
    "n {99999999999}\r\n",
    "o CLOSE\r\n",
    "(\0\"\\\r\n",
    "p FETCH 4294967295:1 UID\r\n",
];

proptest! {
    #[test]
    fn any_input_and_any_faults_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut source = Source::new(&octets);
        let store = Store::new();
        store.add_user("u", "p");
        store.add_folder("u", "Trash", Some("\\Trash"));
        for mail in generate::maildrop(&mut source) {
            store.deliver("u", mail);
        }
        let mut options = Options::default();
        for _ in 0..source.below(3) {
            options = options.with_fault(generate::fault(&mut source));
        }
        if source.chance(3) {
            options = Options { faults: options.faults, ..Options::plain().with("STARTTLS") };
        }
        let mut session = Server::new(store, options).connect();
        while !source.is_empty() {
            match source.below(LINES.len() + 4) {
                choice if choice < LINES.len() => session.handle_input(LINES[choice].as_bytes()),
                choice if choice == LINES.len() => session.handle_input(source.take(40)),
                choice if choice == LINES.len() + 1 && session.wants_tls() => session.handle_tls_ready(),
                _ => {
                    for _ in 0..source.octet() {
                        let n = session.transmit().len().min(source.below(300) + 1);
                        session.transmitted(n);
                    }
                }
            }
            prop_assert!(session.buffered() < 256 * 1024);
        }
        session.handle_eof();
        let mut rounds = 0;
        while !session.transmit().is_empty() {
            session.transmitted(session.transmit().len());
            rounds += 1;
            prop_assert!(rounds < 100_000);
        }
        prop_assert!(session.is_closed());
    }
}
