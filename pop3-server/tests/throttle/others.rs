//! Failures that other processes saw, and that they are told of.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pop3_server::delay::{Delay, Fault};
use pop3_server::runtime::Boxed;
use pop3_server::throttle::{Look, Looked, Others, Subject, Throttle};

use crate::{OFFICE, at, ip, password};

/// Other processes, as the test plays them.
#[derive(Clone, Debug, Default)]
struct Elsewhere(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is answered next; nothing yet, if there is none.
    answer: Option<Duration>,
    asked: Vec<Vec<Subject>>,
    failed: Vec<(Vec<Subject>, Fault)>,
    given_back: usize,
}

impl Elsewhere {
    fn answers(&self, seconds: u64) {
        self.0.lock().unwrap().answer = Some(Duration::from_secs(seconds));
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }
}

/// What a login has of it.
struct Turn(Arc<Mutex<State>>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().unwrap().given_back += 1;
    }
}

impl Others for Elsewhere {
    fn look(&self, _: &Delay, subjects: &[Subject]) -> Boxed<Looked> {
        self.0.lock().unwrap().asked.push(subjects.to_vec());
        let state = Arc::clone(&self.0);
        Box::pin(poll_fn(move |_| {
            match state.lock().unwrap().answer.take() {
                Some(Duration::ZERO) => {
                    Poll::Ready(Looked::now(Some(Box::new(Turn(Arc::clone(&state))))))
                }
                Some(wait) => Poll::Ready(Looked::later(wait)),
                None => Poll::Pending,
            }
        }))
    }

    fn failed(&self, _: &Delay, subjects: &[Subject], _: &[u8], fault: Fault) {
        self.0
            .lock()
            .unwrap()
            .failed
            .push((subjects.to_vec(), fault));
    }
}

fn called(look: &mut Look) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    look.poll_called(&mut cx).is_ready()
}

fn throttle() -> (Throttle, Elsewhere) {
    let elsewhere = Elsewhere::default();
    (Throttle::with(Arc::new(elsewhere.clone())), elsewhere)
}

#[test]
fn a_login_that_failed_elsewhere_waits_as_long_as_others_say() {
    let (throttle, elsewhere) = throttle();
    let rules = Delay::default();
    let mut look = throttle.ask(&rules, &password("tim", "x"), ip(OFFICE), at(0));
    assert!(look.poll(at(0)).is_some() && !called(&mut look));
    elsewhere.answers(4);
    assert!(called(&mut look) && look.is_called());
    assert_eq!(look.poll(at(10)), Some(at(4010)));
    assert!(!called(&mut look));
    // then it is asked again: another login may have failed meanwhile
    assert!(look.poll(at(4010)).is_some());
    elsewhere.answers(0);
    assert!(called(&mut look));
    assert_eq!(look.poll(at(4011)), None);
    assert_eq!(elsewhere.asked(), 2);
    assert_eq!(elsewhere.0.lock().unwrap().given_back, 0);
    look.wrong(Fault::Wrong, at(4011));
    assert_eq!(elsewhere.0.lock().unwrap().given_back, 1);
    let failed = elsewhere.0.lock().unwrap().failed.clone();
    assert_eq!(failed.len(), 1);
    let (subjects, fault) = &failed[0];
    let kinds: Vec<_> = subjects.iter().map(|subject| subject.kind).collect();
    assert_eq!(
        (kinds.as_slice(), *fault),
        (&["address", "name"][..], Fault::Wrong)
    );
}

#[test]
fn without_an_answer_this_process_decides_alone() {
    let (throttle, elsewhere) = throttle();
    let rules = Delay::default();
    let mut look = throttle.ask(&rules, &password("tim", "x"), ip(OFFICE), at(0));
    let until = look.poll(at(0)).unwrap();
    assert!(until <= at(2000));
    assert_eq!(look.poll(until), None);
    look.wrong(Fault::Wrong, until);
    // the own wait comes first, and nobody is asked meanwhile
    let now = until + Duration::from_millis(1);
    let mut next = throttle.ask(&rules, &password("tim", "y"), ip(OFFICE), now);
    assert_eq!(next.poll(now), Some(until + rules.first));
    assert_eq!(elsewhere.asked(), 1);
    assert!(next.poll(until + rules.first).is_some());
    assert_eq!(elsewhere.asked(), 2);
}

#[test]
fn a_known_device_asks_nobody_and_names_have_one_form() {
    let (throttle, elsewhere) = throttle();
    let rules = Delay::default();
    let mut look = throttle.ask(&rules, &password("Tim", "x"), ip(OFFICE), at(0));
    elsewhere.answers(0);
    assert!(look.poll(at(0)).is_some() && called(&mut look));
    assert_eq!(look.poll(at(1)), None);
    look.right(at(1));
    let mut look = throttle.ask(&rules, &password("Tim", "x"), ip(OFFICE), at(2));
    assert_eq!(look.poll(at(2)), None);
    assert_eq!(elsewhere.asked(), 1);
    let _other = throttle.ask(&rules, &password("tim", "y"), ip("2001:db8::1"), at(3));
    let asked = elsewhere.0.lock().unwrap().asked.clone();
    assert_eq!(asked[0].last(), asked[1].last());
    // the /64, the /56 and the /48 around it
    assert_eq!(asked[1].len(), 4);
}
