//! What follows from the answers to a batch, or from none.

use std::time::Duration;

use pop3_proto::time::Time;

use super::batch::{BATCH, Purpose};
use super::{Hold, Link, Machine, Report, Stand};
use crate::ask::Answer;
use crate::digest::Digest;
use crate::engine::Trouble;
use crate::lease::{Lease, Proof};
use crate::notice::Notice;
use crate::timing::FAILURES;

/// By how much a lease may live longer than it should if nobody renewed it: answers come early and late. More than the
/// time of an answer.
const JITTER: Duration = Duration::from_secs(1);

impl Machine {
    /// The batch was answered, or is late, or failed.
    pub(crate) fn answered(&mut self, answers: Result<Vec<Answer>, Trouble>, now: Time) {
        let Some(purposes) = self.flight.take() else {
            return;
        };
        let answers = match answers {
            Ok(answers) if answers.len() == purposes.len() => answers,
            Ok(_) => {
                let text = "the engine gave more or fewer answers than there were questions";
                return self.failed(purposes, Trouble::new(text), now);
            }
            Err(trouble) => return self.failed(purposes, trouble, now),
        };
        self.figures.latency.saw(now.since(self.sent));
        if self.has_questions() && purposes.len() < BATCH {
            self.rest = self.sent + self.timing.pace;
        }
        for (purpose, answer) in purposes.into_iter().zip(answers) {
            self.answer(purpose, answer, now);
        }
        self.tick(now);
    }

    fn answer(&mut self, purpose: Purpose, answer: Answer, now: Time) {
        if answer == Answer::NoLease {
            self.rejoin(now);
        }
        match purpose {
            Purpose::Open(lease) => self.opened(lease, answer, now),
            Purpose::Renew(lease) => self.renewed(lease, answer, now),
            Purpose::Close(lease) => {
                self.records
                    .retain(|record| record.lease != lease || record.held > 0);
                if self.leaving && self.current() == Some(lease) {
                    self.left();
                }
            }
            Purpose::Acquire(id, lease, maildrop) => {
                self.acquired(id, (lease, maildrop), answer, now);
            }
            Purpose::Keep(id, lease, maildrop) => {
                self.kept(id, (lease, maildrop), answer, now);
            }
            Purpose::Release(id) => self.reports.push(Report::Released(id)),
            Purpose::Errand(id) => {
                let answer = Some(answer).filter(|answer| *answer != Answer::Foreign);
                self.reports.extend(id.map(|id| Report::Answer(id, answer)));
            }
            Purpose::Count(account) => self.places.said(account, &answer),
            Purpose::Enter(id, account) => self.entered(id, account, &answer, now),
            Purpose::Turn(id, lease, grant) => self.turned(id, (lease, grant), &answer, now),
        }
    }

    fn opened(&mut self, lease: Lease, answer: Answer, now: Time) {
        let Answer::Standing {
            grace,
            namesake,
            posted,
        } = answer
        else {
            return self.refused(&answer, now);
        };
        let renew = self.sent + self.timing.renew;
        self.link = Link::Joined { lease, renew };
        self.stands(lease, grace, namesake, now);
        self.figures.leases += 1;
        self.heard(posted, now);
        self.post_all(now);
        if let Some(since) = self.degraded.take() {
            self.last_degraded = now.since(since);
            if self.noticed.take().is_some() {
                let after = self.last_degraded;
                self.reports.push(Report::Notice(Notice::Back { after }));
            }
        }
        if !grace.is_zero() {
            self.reports.push(Report::Notice(Notice::Grace { grace }));
        }
    }

    fn renewed(&mut self, lease: Lease, answer: Answer, now: Time) {
        if let Answer::Standing {
            grace,
            namesake,
            posted,
        } = answer
        {
            self.heard(posted, now);
            if self.current() == Some(lease) {
                let renew = self.sent + self.timing.renew;
                self.link = Link::Joined { lease, renew };
            }
            self.stands(lease, grace, namesake, now);
        } else if answer != Answer::NoLease {
            self.refused(&answer, now);
        }
    }

    fn stands(&mut self, lease: Lease, grace: Duration, namesake: Option<Duration>, now: Time) {
        let (sent, timing) = (self.sent, self.timing);
        for record in &mut self.records {
            if record.lease == lease {
                record.until = sent + timing.lease.saturating_sub(timing.margin);
                record.ended = sent + timing.lease + timing.answer;
            }
        }
        self.grace = now + grace;
        if !grace.is_zero() {
            self.wait_for_grace(now);
        }
        // a lease that lives longer than it did at first was renewed
        let first = self.namesake.take();
        self.namesake = namesake.map(|left| first.unwrap_or((left, sent)));
        if let (Some((left, at)), Some(left_now)) = (first, namesake)
            && left_now + sent.since(at) > left + JITTER
        {
            self.reports.push(Report::Namesake);
        }
    }

    fn acquired(&mut self, id: u64, (lease, maildrop): (Lease, Digest), answer: Answer, now: Time) {
        if let Answer::Granted { fence } = answer {
            let session = id;
            let proof = Proof {
                lease,
                session,
                fence,
            };
            self.granted(id, maildrop, proof, now);
        } else if answer == Answer::InUse {
            self.figures.busy += 1;
            let waited = self.stand(id) == Some(Stand::Asked);
            self.change(id, Hold::in_use);
            if waited {
                self.forget(id);
            }
        } else if answer == Answer::NoLease {
            self.wanted.push_back(id);
        } else if let Answer::Grace(grace) = answer {
            self.grace = self.grace.max(now + grace);
            self.wanted.push_back(id);
            self.wait_for_grace(now);
        } else {
            self.odd(&answer);
            self.without_engine(id, now);
        }
    }

    fn kept(&mut self, id: u64, (lease, maildrop): (Lease, Digest), answer: Answer, now: Time) {
        if let Answer::Granted { fence } = answer {
            let proof = Proof {
                lease,
                session: id,
                fence,
            };
            self.granted(id, maildrop, proof, now);
        } else if answer == Answer::InUse {
            self.figures.taken_over += u64::from(self.holds.contains_key(&id));
            self.change(id, Hold::in_use);
        } else if answer != Answer::NoLease {
            self.odd(&answer);
            self.change(id, Hold::in_use);
        }
        // without a lease all is said anew under the next one
    }

    fn granted(&mut self, id: u64, maildrop: Digest, proof: Proof, now: Time) {
        if !self.holds.contains_key(&id) {
            // whoever wanted it did not wait for it
            self.releases.push_back((id, maildrop, proof));
            return;
        }
        let alive = self.believed(proof.lease) > now;
        self.figures.granted += 1;
        self.change(id, |hold| hold.granted(proof, alive, now));
    }

    /// The engine does not know the lease: it lost it, or it has ended.
    fn rejoin(&mut self, now: Time) {
        if self.current().is_some() {
            self.link = Link::Apart {
                failures: 0,
                at: now,
            };
        }
    }

    /// The engine answers, but not what helps.
    fn refused(&mut self, answer: &Answer, now: Time) {
        self.odd(answer);
        self.apart(FAILURES, now + self.timing.probe, now);
    }

    /// Says so, the first time.
    fn odd(&mut self, answer: &Answer) {
        self.figures.foreign += 1;
        if self.figures.foreign > 1 {
            return;
        }
        let notice = match *answer == Answer::OtherSecret {
            true => Notice::OtherSecret,
            false => Notice::Foreign,
        };
        self.reports.push(Report::Notice(notice));
    }

    fn failed(&mut self, purposes: Vec<Purpose>, trouble: Trouble, now: Time) {
        for purpose in purposes {
            match purpose {
                Purpose::Acquire(id, _, _) => self.wanted.push_back(id),
                Purpose::Release(id) => self.reports.push(Report::Released(id)),
                Purpose::Errand(id) => {
                    self.reports.extend(id.map(|id| Report::Answer(id, None)));
                }
                Purpose::Enter(id, _) => self.places.unanswered(id),
                Purpose::Turn(id, _, _) => self.turns.unanswered(id),
                // all is said anew under the next lease
                Purpose::Open(_)
                | Purpose::Renew(_)
                | Purpose::Close(_)
                | Purpose::Keep(..)
                | Purpose::Count(_) => {}
            }
        }
        self.figures.failures += 1;
        let failures = match self.link {
            Link::Apart { failures, .. } => failures.saturating_add(1),
            Link::Joined { .. } => 1,
            Link::Left => return,
        };
        if self.leaving {
            return self.left();
        }
        let at = match failures >= FAILURES {
            true => now + self.timing.probe,
            false => now,
        };
        self.apart(failures, at, now);
        if failures >= FAILURES && self.noticed.is_none() {
            self.noticed = Some(now);
            let cause = trouble.to_string();
            self.reports.push(Report::Notice(Notice::Gone { cause }));
        }
        self.tick(now);
    }

    fn apart(&mut self, failures: u32, at: Time, now: Time) {
        self.link = Link::Apart { failures, at };
        self.degraded.get_or_insert(now);
    }
}
