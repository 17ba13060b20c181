//! What becomes of a body that comes: it is lent, thrown away, or waits.

use core::mem;

use super::Reading;
use super::plan::{HEADER, Plan, Stream, Then, Verdict, Wanted, What, window};
use crate::grammar::Section;
use crate::read_ahead::Extent;
use crate::table::Table;
use crate::wire::Head;

impl Reading {
    /// What becomes of a body: it is lent if it is what the session waits for.
    pub(in crate::backend) fn verdict(&mut self, table: &Table, head: Head) -> Verdict {
        let Self {
            wanted,
            fetches,
            windows,
            ..
        } = self;
        *windows |= head.origin.is_some();
        let mut wanted = wanted.front_mut();
        // the beginning of a message must never pass for the whole of it
        let beginnings = fetches.iter().any(|fetch| fetch.what.is_beginning());
        for (place, fetch) in fetches.iter_mut().enumerate() {
            // where the server leaves the UID out, only one message may be meant
            let is_next = place == 0;
            match &mut fetch.what {
                What::Run {
                    of,
                    next,
                    end,
                    alone,
                    spent,
                } if brings(*of, head, beginnings) => {
                    let index = match head.uid {
                        Some(uid) => table.find_near(uid, *next),
                        None => (*alone && is_next).then_some(*next),
                    };
                    let Some(index) = index.filter(|index| (*next..*end).contains(index)) else {
                        continue;
                    };
                    if wanted.is_none() && !*spent {
                        return Verdict::Park;
                    }
                    let from = mem::replace(next, index + 1);
                    let Some(wanted) = &mut wanted else {
                        return Verdict::Discard;
                    };
                    // the whole of a message is as good as its beginning
                    let extent = wanted.plan.extent();
                    let serves =
                        !*spent && extent == Some(*of) || *of == Extent::Whole && extent.is_some();
                    if serves && wanted.index == index {
                        let uid = table.uid(index).unwrap_or_default();
                        return lend(wanted, *of, uid, head);
                    }
                    if *spent || extent != Some(*of) {
                        *spent = true;
                        return Verdict::Discard;
                    }
                    if (from..index).contains(&wanted.index) {
                        // out of order or left out: a message that is asked for alone is sure to be noticed
                        wanted.alone = true;
                    }
                    // the client skipped it, or the guess was wrong altogether
                    *spent = !(index..*end).contains(&wanted.index);
                    return Verdict::Discard;
                }
                What::Window {
                    index,
                    offset,
                    length,
                } if head.section == Section::Whole => {
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
                What::Run { .. } | What::Window { .. } | What::Spent => {}
            }
        }
        Verdict::Discard
    }
}

/// Whether this can be what was asked for.
fn brings(of: Extent, head: Head, beginnings: bool) -> bool {
    match of {
        Extent::Whole if beginnings => head.section == Section::Whole && head.origin.is_none(),
        Extent::Whole | Extent::Octets(_) => {
            head.section == Section::Whole && head.origin.unwrap_or(0) == 0
        }
        Extent::Header => head.section == Section::Header,
    }
}

/// The session gets it, and there may be more of the message.
fn lend(wanted: &mut Wanted, of: Extent, uid: u64, head: Head) -> Verdict {
    let (skip, then) = match (of, wanted.plan) {
        (Extent::Whole, Plan::Whole { skip }) => (skip, Then::End),
        (Extent::Whole, _) => (0, Then::End),
        (Extent::Header, _) if head.size == 0 => {
            // NIL, or an empty header: nothing is known yet
            wanted.plan = Plan::FIRST;
            return Verdict::Discard;
        }
        (Extent::Header, _) => {
            let plan = Plan::Window {
                offset: head.size,
                length: HEADER,
            };
            (0, Then::Plan(plan))
        }
        (Extent::Octets(length), _) => window(head, 0, length),
    };
    Verdict::Lend(Stream {
        uid,
        size: head.size,
        skip,
        then,
    })
}
