//! What becomes of a body that comes: it is lent, thrown away, or waits.

use super::Reading;
use super::plan::{HEADER, Plan, Stream, Then, Verdict, What, window};
use crate::grammar::Section;
use crate::table::Table;
use crate::wire::Head;

impl Reading {
    /// What becomes of a body: it is lent if it is what the session waits for.
    pub(in crate::backend) fn verdict(&mut self, table: &Table, head: Head) -> Verdict {
        let Self {
            wanted, fetches, ..
        } = self;
        let mut wanted = wanted.front_mut();
        for (place, fetch) in fetches.iter_mut().enumerate() {
            // where the server leaves the UID out, only one message may be meant
            let is_next = place == 0;
            match (&mut fetch.what, head.section) {
                (What::Whole { next, end, alone }, Section::Whole)
                    if head.origin.unwrap_or(0) == 0 =>
                {
                    let index = match head.uid {
                        Some(uid) => table.find_near(uid, *next),
                        None => (*alone && is_next).then_some(*next),
                    };
                    let Some(index) = index.filter(|index| (*next..*end).contains(index)) else {
                        continue;
                    };
                    let Some(wanted) = &mut wanted else {
                        return Verdict::Park;
                    };
                    let Plan::Whole { skip } = wanted.plan else {
                        *next = *end;
                        return Verdict::Discard;
                    };
                    if wanted.index == index {
                        *next = index + 1;
                        let uid = table.uid(index).unwrap_or_default();
                        return Verdict::Lend(Stream {
                            uid,
                            size: head.size,
                            skip,
                            then: Then::End,
                        });
                    }
                    if (*next..index).contains(&wanted.index) {
                        // out of order or left out: a message that is asked for alone is sure to be noticed
                        wanted.alone = true;
                    }
                    // the client skipped it, or the guess was wrong altogether
                    let passed_over = (index..*end).contains(&wanted.index);
                    *next = if passed_over { index + 1 } else { *end };
                    return Verdict::Discard;
                }
                (What::Header { index }, Section::Header) => {
                    let uid = table.uid(*index).unwrap_or_default();
                    let mine = head.uid.map_or(is_next, |named| named == uid);
                    let Some(wanted) = wanted
                        .as_deref_mut()
                        .filter(|w| mine && w.index == *index && w.plan == Plan::Header)
                    else {
                        continue;
                    };
                    fetch.what = What::Spent;
                    if head.size == 0 {
                        // NIL, or an empty header: nothing is known yet
                        wanted.plan = Plan::FIRST;
                        return Verdict::Discard;
                    }
                    let then = Then::Plan(Plan::Window {
                        offset: head.size,
                        length: HEADER,
                    });
                    return Verdict::Lend(Stream {
                        uid,
                        size: head.size,
                        skip: 0,
                        then,
                    });
                }
                (
                    What::Window {
                        index,
                        offset,
                        length,
                    },
                    Section::Whole,
                ) => {
                    let uid = table.uid(*index).unwrap_or_default();
                    let (index, offset, length) = (*index, *offset, *length);
                    let mine = head.uid.map_or(is_next, |named| named == uid)
                        && head.origin.is_none_or(|origin| origin == offset);
                    let plan = Plan::Window { offset, length };
                    if !mine
                        || !wanted
                            .as_ref()
                            .is_some_and(|w| w.index == index && w.plan == plan)
                    {
                        continue;
                    }
                    let (skip, then) = window(head, offset, length);
                    fetch.what = What::Spent;
                    return Verdict::Lend(Stream {
                        uid,
                        size: head.size,
                        skip,
                        then,
                    });
                }
                (
                    What::Whole { .. } | What::Header { .. } | What::Window { .. } | What::Spent,
                    Section::Whole | Section::Header,
                ) => {}
            }
        }
        Verdict::Discard
    }
}
