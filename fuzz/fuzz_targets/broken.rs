//! Messages that fail, are sent, and are asked for, in any order: the memory agrees with a list of all events,
//! as long as it is large enough. When it is not, it may forget, but it never refuses a message that did not
//! fail.
#![no_main]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use imap_backend::{BrokenMessages, Standing};
use libfuzzer_sys::fuzz_target;
use pop3_proto::time::Time;
use testkit::generate::Source;

/// A full memory is searched at every failure.
const ACTS: usize = 100;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: Duration = Duration::from_secs(24 * HOUR);

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let mut memory = BrokenMessages::default();
    let mut model = Model::default();
    let mailboxes: [Arc<str>; 3] = ["a".into(), "a\0".into(), "b".into()];
    let mut now = Time::ZERO;
    let mut acts = 0;
    while !source.is_empty() && acts < ACTS {
        acts += 1;
        let act = source.below(8);
        let mailbox = source.pick(&[0, 1, 2]);
        let uid = source.below(4) as u64;
        match act {
            0 | 1 => {
                memory.failed(now, &mailboxes[mailbox], uid);
                model.failed(now, (mailbox, uid));
            }
            2 => {
                memory.sent(&mailboxes[mailbox], uid);
                model.failures.remove(&(mailbox, uid));
            }
            3 => {
                let spans = [1, 10 * MINUTE, HOUR, 6 * HOUR, 23 * HOUR];
                now = now + Duration::from_secs(source.pick(&spans));
            }
            4 => now = now + Duration::from_secs(source.below(60_000) as u64),
            5 => {
                for uid in (100..).take(source.pick(&[10, 500, 1024, 1100])) {
                    memory.failed(now, &mailboxes[mailbox], uid);
                    model.failed(now, (mailbox, uid));
                }
            }
            _ => {}
        }
        assert!(memory.len() <= BrokenMessages::CAPACITY);
        for (number, mailbox) in mailboxes.iter().enumerate() {
            for uid in (0..5).chain([100, 1000]) {
                let standing = memory.standing(now, mailbox, uid);
                let expected = model.standing(now, (number, uid));
                match standing {
                    _ if !model.was_full => assert_eq!(standing, expected),
                    Standing::Good => {}
                    Standing::Doubtful => assert!(expected != Standing::Good),
                    Standing::RefusedUntil(until) => {
                        assert!(matches!(expected, Standing::RefusedUntil(most) if until <= most));
                    }
                }
            }
        }
    }
});

type Message = (usize, u64);

/// Every failure that is not forgotten: how often, and when last.
#[derive(Default)]
struct Model {
    failures: HashMap<Message, (u32, Time)>,
    was_full: bool,
}

impl Model {
    fn failed(&mut self, now: Time, message: Message) {
        self.failures.retain(|_, (_, last)| now.since(*last) < DAY);
        let (count, last) = self.failures.entry(message).or_insert((0, now));
        *count += 1;
        *last = now;
        self.was_full |= self.failures.len() > BrokenMessages::CAPACITY;
    }

    fn standing(&self, now: Time, message: Message) -> Standing {
        let Some(&(count, last)) = self.failures.get(&message) else {
            return Standing::Good;
        };
        let refused = match count {
            0 | 1 => 0,
            2 => 10 * MINUTE,
            3 => HOUR,
            _ => 6 * HOUR,
        };
        let until = last + Duration::from_secs(refused);
        match () {
            () if now.since(last) >= DAY => Standing::Good,
            () if now < until => Standing::RefusedUntil(until),
            () => Standing::Doubtful,
        }
    }
}
