//! When tokens are asked for, how often, and what is kept of them first.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use futures_lite::future::{block_on, poll_once};
use gateway_state::GrantId;
use pop3_gateway::oauth::{Flow, Meaning, Refusal, Source};

use crate::script::{
    Filed, LIFE, NOW, Scene, Script, a_while, ask, at, clock, down, id, keeper, kept, kept_refresh,
    records, replace, says, secret, sign_in, token, until,
};

const YEAR: u64 = 365 * 24 * 3600;

fn cached(keeper: &pop3_gateway::oauth::Keeper) -> Option<String> {
    keeper.cached(&id()).as_ref().map(crate::script::shown)
}

#[test]
fn a_hundred_logins_at_once_are_one_request() {
    clock!(CLOCK, clock);
    let Scene { source, keeper, .. } = Scene::new(NOW, clock);
    source.hold(true);
    let logins: Vec<_> = (0..100)
        .map(|_| {
            let keeper = Arc::clone(&keeper);
            std::thread::spawn(move || ask(&keeper, &id(), None))
        })
        .collect();
    until("a request", || !source.asked().is_empty());
    source.hold(false);
    for login in logins {
        assert_eq!(login.join().unwrap(), Ok("access-1".into()));
    }
    assert_eq!(source.asked(), ["refresh refresh-0"]);
}

#[test]
fn a_request_ends_though_those_who_wait_for_it_leave() {
    clock!(CLOCK, clock);
    let Scene {
        records,
        source,
        keeper,
    } = Scene::new(NOW, clock);
    source.hold(true);
    {
        let grant = id();
        let login = keeper.token(&grant, None);
        assert!(block_on(poll_once(Box::pin(login))).is_none());
    }
    source.hold(false);
    until("the new tokens are kept", || {
        kept_refresh(&records) == "refresh-1"
    });
    until("the token is there", || cached(&keeper).is_some());
    assert_eq!(source.asked().len(), 1);
}

#[test]
fn a_replaced_refresh_token_is_kept_before_its_access_token_is_used() {
    clock!(CLOCK, clock);
    let (filed, source) = (Filed::new(), Script::new(Flow::Code));
    sign_in(&filed.records, &id(), NOW, NOW);
    let keeper = keeper(Some(filed.records.clone()), &source, clock);
    filed.fail(true);
    let (_, text) = ask(&keeper, &id(), None).unwrap_err();
    assert!(text.contains("the disk is full"), "{text}");
    assert_eq!(cached(&keeper), None);
    assert_eq!(kept_refresh(&filed.records), "refresh-0");
    // the provider is not asked for more that cannot be kept, and the first are made up for
    filed.fail(false);
    until("it is made up for", || {
        ask(&keeper, &id(), None) == Ok("access-1".into())
    });
    assert_eq!(kept_refresh(&filed.records), "refresh-1");
    assert_eq!(source.asked(), ["refresh refresh-0"]);
}

#[test]
fn a_refresh_token_that_stays_does_without_the_records() {
    clock!(CLOCK, clock);
    let (filed, source) = (Filed::new(), Script::new(Flow::Code));
    sign_in(&filed.records, &id(), NOW, NOW);
    let keeper = keeper(Some(filed.records.clone()), &source, clock);
    filed.fail(true);
    source.answer(token("new", None));
    for _ in 0..5 {
        assert_eq!(ask(&keeper, &id(), None), Ok("new".into()));
    }
    assert_eq!(source.asked().len(), 1);
}

#[test]
fn an_outage_ends_no_grant_and_no_token() {
    clock!(CLOCK, clock);
    for refusal in [
        down(),
        Err(Refusal::later(
            "asked too often",
            Some(Duration::from_secs(3600)),
        )),
        says("temporarily_unavailable"),
        says("server_error"),
        says("invalid_client"),
        says("unauthorized_client"),
        Err(Refusal::said("invalid_grant", None, None, &[50196])),
        // from a network that Conditional Access does not allow
        Err(Refusal::said("invalid_grant", None, None, &[53003])),
        // a mailbox that is unknown for a while, whatever the word beside the number
        Err(barred("bad_token", &[50034])),
        Err(barred("consent_required", &[])),
    ] {
        at(&CLOCK, NOW);
        let Scene {
            records,
            source,
            keeper,
        } = Scene::new(NOW + LIFE, clock);
        assert_eq!(ask(&keeper, &id(), None), Ok("access-0".into()));
        // due, and still alive
        at(&CLOCK, NOW + LIFE - 100);
        source.answer(refusal.clone());
        assert_eq!(cached(&keeper), Some("access-0".into()));
        until("it is asked", || source.asked().len() == 1);
        a_while();
        assert_eq!(cached(&keeper), Some("access-0".into()), "{refusal:?}");
        assert_eq!(ask(&keeper, &id(), None), Ok("access-0".into()));
        a_while();
        assert_eq!(source.asked().len(), 1, "not again so soon");
        assert_eq!(kept(&records).ended, None, "{refusal:?}");
        // nothing lives any more
        at(&CLOCK, NOW + LIFE);
        let (passes, _) = ask(&keeper, &id(), None).unwrap_err();
        let meaning = refusal.unwrap_err().meaning;
        let later = matches!(meaning, Meaning::Later { .. });
        assert_eq!(passes, later);
    }
}

fn barred(suberror: &str, numbers: &[u64]) -> Refusal {
    Refusal::said("invalid_grant", None, Some(suberror), numbers)
}

#[test]
fn a_word_beside_invalid_grant_can_only_keep_a_grant_from_its_end() {
    let of = |word: &str, numbers: &[u64]| barred(word, numbers).meaning;
    for word in [
        "basic_action",
        "additional_action",
        "message_only",
        "consent_required",
        "user_password_expired",
        "protection_policy_required",
        "client_mismatch",
        "device_authentication_failed",
    ] {
        assert_eq!(of(word, &[]), Meaning::Settings, "{word}");
        assert_eq!(of(word, &[50196]), Meaning::Later { after: None }, "{word}");
    }
    for word in ["bad_token", "token_expired", "", "a word of next year"] {
        assert_eq!(of(word, &[]), Meaning::Ended, "{word}");
        assert_eq!(of(word, &[53003]), Meaning::Settings, "{word}");
    }
    // without that code no word ends anything
    for code in [
        "interaction_required",
        "unauthorized_client",
        "server_error",
    ] {
        let refusal = Refusal::said(code, None, Some("bad_token"), &[]);
        assert_ne!(refusal.meaning, Meaning::Ended, "{code}");
    }
}

#[test]
fn invalid_grant_ends_it_until_somebody_signs_in() {
    clock!(CLOCK, clock);
    let Scene {
        records,
        source,
        keeper,
    } = Scene::new(NOW, clock);
    source.answer(says("invalid_grant"));
    for _ in 0..3 {
        let (passes, text) = ask(&keeper, &id(), None).unwrap_err();
        assert!(!passes && text.contains("ended"), "{text}");
    }
    assert_eq!(source.asked().len(), 1);
    assert!(kept(&records).ended.is_some());
    sign_in(&records, &id(), NOW, NOW);
    assert_eq!(ask(&keeper, &id(), None), Ok("access-2".into()));
}

#[test]
fn what_another_gateway_did_counts() {
    clock!(CLOCK, clock);
    let Scene {
        records,
        source,
        keeper,
    } = Scene::new(NOW, clock);
    // it was quicker, so the old refresh token is of no use any more
    let other = records.clone();
    source.answer_by(move || {
        replace(&other, "of-the-other", "refresh-of-the-other", NOW);
        says("invalid_grant")
    });
    assert_eq!(ask(&keeper, &id(), None), Ok("of-the-other".into()));
    assert_eq!(kept(&records).ended, None);
    // both got tokens: those that were kept first stay
    let other = records.clone();
    source.answer_by(move || {
        replace(&other, "again", "refresh-again", NOW);
        token("late", Some("refresh-late"))
    });
    assert_eq!(
        ask(&keeper, &id(), Some("of-the-other")),
        Ok("again".into())
    );
    assert_eq!(kept_refresh(&records), "refresh-again");
}

/// A mailbox that was disconnected at one gateway, or connected anew, is not opened with what another one remembers.
#[test]
fn what_another_gateway_removed_is_forgotten() {
    clock!(CLOCK, clock);
    let (filed, source) = (Filed::new(), Script::new(Flow::Code));
    sign_in(&filed.records, &id(), NOW + LIFE, NOW);
    let other = keeper(Some(filed.records.clone()), &source, clock);
    let knows = |token: &str| assert_eq!(cached(&other).as_deref(), Some(token));
    assert_eq!(ask(&other, &id(), None), Ok("access-0".into()));
    other.forget_removed();
    knows("access-0");
    // a refresh is no reason to forget: the token of before lives on
    replace(&filed.records, "access-1", "refresh-1", NOW);
    other.forget_removed();
    knows("access-0");
    // nor is a state that cannot be read
    filed.hide(true);
    other.forget_removed();
    knows("access-0");
    filed.hide(false);
    // somebody signs in anew
    at(&CLOCK, NOW + 1);
    sign_in(&filed.records, &id(), NOW + 2 * LIFE, NOW + 1);
    other.forget_removed();
    assert_eq!(cached(&other), None);
    assert_eq!(ask(&other, &id(), None), Ok("access-0".into()));
    // and disconnects
    let removed = filed.records.with(|state| {
        let state = state.clone();
        async move { state.remove_grant(&id()).await }
    });
    assert!(removed.unwrap());
    knows("access-0");
    other.forget_removed();
    assert_eq!(cached(&other), None);
    let (passes, text) = ask(&other, &id(), None).unwrap_err();
    assert!(!passes && text.contains("nobody signed in"), "{text}");
    assert!(source.asked().is_empty());
}

/// A token of an app is in no state, and nobody can have removed it there.
#[test]
fn what_stands_in_no_state_is_not_forgotten() {
    clock!(CLOCK, clock);
    let source = Script::new(Flow::App);
    let keeper = keeper(Some(records()), &source, clock);
    assert_eq!(ask(&keeper, &id(), None), Ok("access-1".into()));
    keeper.forget_removed();
    assert_eq!(cached(&keeper), Some("access-1".into()));
}

#[test]
fn a_refused_token_is_asked_for_anew_once() {
    clock!(CLOCK, clock);
    let Scene { source, keeper, .. } = Scene::new(NOW + LIFE, clock);
    assert_eq!(ask(&keeper, &id(), None), Ok("access-0".into()));
    assert_eq!(ask(&keeper, &id(), Some("access-0")), Ok("access-1".into()));
    // a login that was slower
    assert_eq!(ask(&keeper, &id(), Some("access-0")), Ok("access-1".into()));
    for _ in 0..5 {
        let (passes, text) = ask(&keeper, &id(), Some("access-1")).unwrap_err();
        assert!(!passes && text.contains("too"), "{text}");
    }
    assert_eq!(source.asked().len(), 1);
}

#[test]
fn a_sign_in_soon_after_a_refusal_counts() {
    clock!(CLOCK, clock);
    let Scene {
        records,
        source,
        keeper,
    } = Scene::new(NOW + LIFE, clock);
    assert_eq!(ask(&keeper, &id(), Some("access-0")), Ok("access-1".into()));
    ask(&keeper, &id(), Some("access-1")).unwrap_err();
    replace(&records, "of-another", "refresh-of-another", NOW);
    assert_eq!(
        ask(&keeper, &id(), Some("access-1")),
        Ok("of-another".into())
    );
    assert_eq!(source.asked().len(), 1);
}

#[test]
fn a_refused_token_is_no_fault_of_it_while_the_provider_is_down() {
    clock!(CLOCK, clock);
    let Scene { source, keeper, .. } = Scene::new(NOW + LIFE, clock);
    source.answer(Err(Refusal::later("out of order", Some(Duration::ZERO))));
    source.answer(down());
    for _ in 0..4 {
        let (passes, text) = ask(&keeper, &id(), Some("access-0")).unwrap_err();
        assert!(passes && text.contains("out of order"), "{text}");
    }
    assert_eq!(source.asked().len(), 2);
}

/// What is under way when the refusal comes may bring the same token: it was begun before.
#[test]
fn a_request_that_brings_the_refused_token_is_followed_by_another() {
    clock!(CLOCK, clock);
    let source = Script::new(Flow::App);
    let keeper = keeper(None, &source, clock);
    source.hold(true);
    source.answer(token("same", None));
    let first = keeper.clone();
    let first = std::thread::spawn(move || ask(&first, &id(), None));
    until("it is under way", || source.asked().len() == 1);
    let second = keeper;
    let second = std::thread::spawn(move || ask(&second, &id(), Some("same")));
    a_while();
    source.hold(false);
    assert_eq!(first.join().unwrap(), Ok("same".into()));
    assert_eq!(second.join().unwrap(), Ok("access-2".into()));
}

/// Minute by minute, for grants whose tokens end one after the other in the two hours from its beginning.
#[test]
fn a_provider_that_is_away_for_an_hour_costs_nobody_whose_token_lives() {
    clock!(CLOCK, clock);
    let (records, source) = (records(), Script::new(Flow::Code));
    let grants: Vec<_> = (0..100)
        .map(|number| {
            let id = GrantId::new("office", format!("box{number}@example.org"));
            (id, NOW + 60 + number * 72)
        })
        .collect();
    for (id, end) in &grants {
        sign_in(&records, id, *end, NOW);
    }
    source.is_away(true);
    let own = keeper(Some(records.clone()), &source, clock);
    for minute in 0..=60 {
        let now = NOW + 60 * minute;
        at(&CLOCK, now);
        own.refresh_due();
        for (id, end) in &grants {
            match ask(&own, id, None) {
                Ok(token) => assert_eq!(token, "access-0"),
                // it may be good soon, and nobody has to sign in
                Err((passes, text)) => {
                    assert!(passes && *end <= now + 60, "{id:?} at {minute}: {text}");
                }
            }
        }
    }
    // the hour was short, so nobody was asked again after a pause
    assert!(source.asked().len() <= 3 * grants.len());
    let all = records.with(|state| state.grants()).unwrap();
    assert!(all.iter().all(|grant| grant.ended.is_none()));
    source.is_away(false);
    // as after a restart: the pauses are real time
    let own = keeper(Some(records), &source, clock);
    for (id, _) in &grants {
        ask(&own, id, None).unwrap();
    }
    let refreshed = source.asked().into_iter();
    assert!(
        refreshed
            .into_iter()
            .all(|asked| asked == "refresh refresh-0")
    );
}

#[test]
fn tokens_are_replaced_at_four_fifths_of_their_life() {
    clock!(CLOCK, clock);
    let Scene {
        records,
        source,
        keeper,
    } = Scene::new(NOW + LIFE, clock);
    at(&CLOCK, NOW + LIFE * 7 / 10 - 1);
    keeper.refresh_due();
    assert!(source.asked().is_empty());
    at(&CLOCK, NOW + LIFE * 8 / 10);
    keeper.refresh_due();
    assert_eq!(cached(&keeper), Some("access-1".into()));
    keeper.refresh_due();
    assert_eq!(source.asked().len(), 1);
    assert_eq!(kept_refresh(&records), "refresh-1");
}

/// The one who logs in does not wait for a provider that is slow.
#[test]
fn a_login_uses_what_lives_while_new_tokens_are_asked_for() {
    clock!(CLOCK, clock);
    let (records, source) = (records(), Script::new(Flow::Code));
    sign_in(&records, &id(), NOW + LIFE, NOW);
    at(&CLOCK, NOW + LIFE - 100);
    source.hold(true);
    let keeper = keeper(Some(records), &source, clock);
    // after a restart nothing is in memory
    assert_eq!(ask(&keeper, &id(), None), Ok("access-0".into()));
    assert_eq!(cached(&keeper), Some("access-0".into()));
    until("it is due", || source.asked().len() == 1);
    assert_eq!(cached(&keeper), Some("access-0".into()));
    assert_eq!(ask(&keeper, &id(), None), Ok("access-0".into()));
    source.hold(false);
    until("the new one", || cached(&keeper) == Some("access-1".into()));
}

/// Only logins are uses: a refresh ahead of time must not keep itself going.
#[test]
fn an_unused_grant_is_left_alone_after_a_day() {
    clock!(CLOCK, clock);
    let Scene {
        records,
        source,
        keeper,
    } = Scene::new(NOW + LIFE, clock);
    for hour in 1..=30 {
        at(&CLOCK, NOW + hour * 3600);
        keeper.refresh_due();
    }
    assert_eq!(kept(&records).used, NOW);
    assert_eq!(source.asked().len(), 24);
    // a login is a use
    ask(&keeper, &id(), None).unwrap();
    assert_eq!(kept(&records).used, NOW + 30 * 3600);
}

#[test]
fn the_token_of_an_app_is_asked_for_once_an_hour() {
    clock!(CLOCK, clock);
    for flow in [Flow::App, Flow::ServiceAccount] {
        at(&CLOCK, NOW);
        let source = Script::new(flow);
        let keeper = keeper(None, &source, clock);
        ask(&keeper, &id(), None).unwrap();
        for minutes in 0..45 {
            at(&CLOCK, NOW + minutes * 60);
            assert_eq!(cached(&keeper), Some("access-1".into()));
            a_while_shorter();
        }
        assert_eq!(source.asked(), ["mailbox tim@example.org"]);
        at(&CLOCK, NOW + LIFE - 70);
        assert_eq!(cached(&keeper), Some("access-1".into()));
        until("the next one", || {
            cached(&keeper) == Some("access-2".into())
        });
        assert_eq!(source.asked().len(), 2);
    }
}

fn a_while_shorter() {
    std::thread::sleep(Duration::from_millis(3));
}

/// A clock that went wrong by a year and comes back keeps no dead token in use.
#[test]
fn a_clock_that_jumps_does_no_harm() {
    clock!(CLOCK, clock);
    for (wrong, right) in [(NOW, NOW - YEAR), (NOW, NOW + YEAR)] {
        at(&CLOCK, wrong);
        let (records, source) = (records(), Script::new(Flow::Code));
        sign_in(&records, &id(), wrong + LIFE, wrong);
        let first = keeper(Some(records.clone()), &source, clock);
        assert_eq!(ask(&first, &id(), None), Ok("access-0".into()));
        at(&CLOCK, right);
        // what was in memory is bounded by another clock; what was kept is not believed
        let second = keeper(Some(records.clone()), &source, clock);
        assert_eq!(ask(&second, &id(), None), Ok("access-1".into()));
        assert_eq!(kept(&records).tokens.access_expires, right + LIFE);
        ask(&first, &id(), None).unwrap();
        first.refresh_due();
        second.refresh_due();
        assert_eq!(source.asked().len(), 1);
    }
}

/// No value that stands in the records ends the look ahead.
#[test]
fn a_token_that_ends_never_is_no_trouble() {
    clock!(CLOCK, clock);
    let Scene { keeper, .. } = Scene::new(u64::MAX, clock);
    keeper.refresh_due();
    assert_eq!(ask(&keeper, &id(), None), Ok("access-0".into()));
    at(&CLOCK, u64::MAX);
    keeper.refresh_due();
    let _ = ask(&keeper, &id(), None);
}

#[test]
fn a_source_that_panics_ends_nobody() {
    clock!(CLOCK, clock);
    let Scene { source, keeper, .. } = Scene::new(NOW, clock);
    source.answer_by(|| panic!("a test"));
    let (passes, text) = ask(&keeper, &id(), None).unwrap_err();
    assert!(passes && text.contains("broke off"), "{text}");
    assert_eq!(ask(&keeper, &id(), None), Ok("access-2".into()));
}

/// Names are compared without case, as the state does.
#[test]
fn names_have_no_case() {
    clock!(CLOCK, clock);
    let (records, source) = (records(), Script::new(Flow::Code));
    let named = GrantId::new("Office", "Tim@Example.org");
    sign_in(&records, &named, NOW + LIFE, NOW);
    let erased: Arc<dyn Source> = Arc::<Script>::clone(&source);
    let sources = [("Office".to_owned(), erased)].into();
    let keeper = pop3_gateway::oauth::Keeper::with_clock(Some(records), sources, clock);
    assert_eq!(ask(&keeper, &named, None), Ok("access-0".into()));
    at(&CLOCK, NOW + LIFE - 100);
    keeper.refresh_due();
    assert_eq!(source.asked().len(), 1);
    assert_eq!(keeper.cached(&named), Some(secret("access-1")));
    assert_eq!(keeper.cached(&id()), Some(secret("access-1")));
}

/// Logins need the threads, too.
#[test]
fn few_grants_are_refreshed_ahead_at_once() {
    clock!(CLOCK, clock);
    let (records, source) = (records(), Script::new(Flow::Code));
    for number in 0..100 {
        let id = GrantId::new("office", format!("box{number}@example.org"));
        sign_in(&records, &id, NOW, NOW);
    }
    let keeper = keeper(Some(records), &source, clock);
    source.hold(true);
    let (done, wait) = channel();
    let ahead = Arc::clone(&keeper);
    std::thread::spawn(move || {
        ahead.refresh_due();
        done.send(()).unwrap();
    });
    until("some are asked for", || source.asked().len() == 8);
    a_while();
    assert_eq!(source.asked().len(), 8);
    source.hold(false);
    wait.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(source.asked().len(), 100);
}

#[test]
fn a_new_configuration_keeps_what_is_in_memory_for_grants_that_stayed() {
    clock!(CLOCK, clock);
    let source = Script::new(Flow::App);
    let first = keeper(None, &source, clock);
    assert_eq!(ask(&first, &id(), None), Ok("access-1".into()));
    let erased: Arc<dyn Source> = Arc::<Script>::clone(&source);
    let second = first.reconfigured(None, [("office".to_owned(), erased)].into());
    assert_eq!(cached(&second), Some("access-1".into()));
    let other: Arc<dyn Source> = Script::new(Flow::ServiceAccount);
    let third = first.reconfigured(None, [("office".to_owned(), other)].into());
    assert_eq!(cached(&third), None);
    let none = first.reconfigured(None, std::collections::HashMap::new());
    assert_eq!(cached(&none), None);
    let (passes, text) = ask(&none, &id(), None).unwrap_err();
    assert!(!passes && text.contains("no grant"), "{text}");
}

#[test]
fn nobody_signed_in() {
    clock!(CLOCK, clock);
    let source = Script::new(Flow::Code);
    let with = keeper(Some(records()), &source, clock);
    let (passes, text) = ask(&with, &id(), None).unwrap_err();
    assert!(
        !passes && text.contains("sign-in tim@example.org"),
        "{text}"
    );
    let without = keeper(None, &source, clock);
    let (passes, text) = ask(&without, &id(), None).unwrap_err();
    assert!(!passes && text.contains("[state]"), "{text}");
    assert!(source.asked().is_empty());
}

/// What a busy gateway has in memory: 10,000 mailboxes with tokens of 2 KiB, and none of it once they have ended.
#[test]
fn ten_thousand_tokens_fit() {
    clock!(CLOCK, clock);
    let source = Script::new(Flow::App);
    let keeper = keeper(None, &source, clock);
    let before = resident();
    for number in 0..10_000 {
        let id = GrantId::new("office", format!("box{number}@example.org"));
        source.answer_by(move || token(&format!("{number:02048}"), None));
        ask(&keeper, &id, None).unwrap();
    }
    let grown = resident().saturating_sub(before);
    println!("10,000 tokens: {} KiB", grown / 1024);
    // other tests run beside it
    assert!(grown < 256 * 1024 * 1024, "{grown}");
    assert_eq!(source.asked().len(), 10_000);
    at(&CLOCK, NOW + LIFE);
    keeper.refresh_due();
    assert_eq!(source.asked().len(), 10_000);
}

/// A day of 10,000 grants, of which a tenth is used: a login asks nobody while its token lives, one request an hour for
/// each that is used, none for the others.
#[test]
fn ten_thousand_grants_ask_only_for_those_in_use() {
    clock!(CLOCK, clock);
    let (records, source) = (records(), Script::new(Flow::Code));
    let ids: Vec<_> = (0..10_000)
        .map(|number| GrantId::new("office", format!("box{number}@example.org")))
        .collect();
    for id in &ids {
        sign_in(&records, id, NOW + LIFE, NOW);
    }
    let keeper = keeper(Some(records), &source, clock);
    let used = &ids[..1000];
    for _ in 0..2 {
        for id in used {
            assert_eq!(ask(&keeper, id, None), Ok("access-0".into()));
        }
        keeper.refresh_due();
    }
    assert_eq!(source.asked().len(), 0, "all tokens live");

    // all were signed in for within the day: each is refreshed once an hour, ahead of its end
    at(&CLOCK, NOW + LIFE * 4 / 5);
    keeper.refresh_due();
    assert_eq!(source.asked().len(), 10_000);
    keeper.refresh_due();
    assert_eq!(source.asked().len(), 10_000, "none is due again");

    // a day later those are left alone that nobody used
    for hour in 2..=25 {
        at(&CLOCK, NOW + hour * LIFE);
        for id in used {
            ask(&keeper, id, None).unwrap();
        }
    }
    until("uses are noted", || {
        let before = source.asked().len();
        a_while();
        source.asked().len() == before
    });
    let before = source.asked().len();
    at(&CLOCK, NOW + 25 * LIFE + LIFE * 4 / 5);
    keeper.refresh_due();
    assert_eq!(source.asked().len() - before, used.len());
}

/// The octets of this process in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

/// A provider that wants to be asked later by one node is asked later by all.
#[cfg(feature = "cluster")]
#[test]
fn a_provider_that_is_asked_too_often_is_left_alone_by_all_nodes() {
    clock!(CLOCK, clock);
    let (records, source) = (records(), Script::new(Flow::Code));
    sign_in(&records, &id(), NOW, NOW);
    let nodes = nodes();
    let keepers = keepers(&nodes, &records, &source, clock);
    let minute = Some(Duration::from_secs(60));
    source.answer(Err(Refusal::later("asked too often (429)", minute)));
    assert!(ask(&keepers[0], &id(), None).is_err());
    assert_eq!(source.asked(), ["refresh refresh-0"]);
    let turns = nodes[1].turns();
    until("the other node has heard", || !turns.rests(&id()).is_zero());
    let refused = ask(&keepers[1], &id(), None).unwrap_err();
    assert!(
        refused.0 && refused.1.contains("another gateway"),
        "{refused:?}"
    );
    assert_eq!(source.asked(), ["refresh refresh-0"]);
}

/// Two nodes whose tokens ended at the same moment: one asks, and the other takes what it left.
#[cfg(feature = "cluster")]
#[test]
fn nodes_refresh_a_grant_one_after_the_other() {
    clock!(CLOCK, clock);
    let (records, source) = (records(), Script::new(Flow::Code));
    sign_in(&records, &id(), NOW, NOW);
    let nodes = nodes();
    let keepers = keepers(&nodes, &records, &source, clock);
    source.hold(true);
    let logins = keepers.map(|keeper| std::thread::spawn(move || ask(&keeper, &id(), None)));
    until("a request", || !source.asked().is_empty());
    a_while();
    source.hold(false);
    for login in logins {
        assert_eq!(login.join().unwrap(), Ok("access-1".into()));
    }
    assert_eq!(source.asked(), ["refresh refresh-0"]);
}

/// A keeper at each node, all of one state.
#[cfg(feature = "cluster")]
fn keepers(
    nodes: &[pop3_gateway::cluster::Node; 2],
    records: &pop3_gateway::oauth::Records,
    source: &Arc<Script>,
    clock: fn() -> u64,
) -> [Arc<pop3_gateway::oauth::Keeper>; 2] {
    nodes.each_ref().map(|node| {
        let keeper = keeper(Some(records.clone()), source, clock);
        keeper.takes_turns(node.turns());
        keeper
    })
}

#[cfg(feature = "cluster")]
fn nodes() -> [pop3_gateway::cluster::Node; 2] {
    use gateway_cluster::{Cluster, ClusterKey, ClusterUrl, Memory, Options};
    use pop3_gateway::cluster::Node;

    let memory = Memory::new();
    let key = ClusterKey::new(&secret("what all nodes share")).unwrap();
    let nodes = ["one", "two"].map(|name| {
        let url = ClusterUrl::memory(&memory);
        Node::of(Cluster::start(&url, &key, Options::new(name)).unwrap())
    });
    until("both nodes have joined", || {
        nodes.iter().all(|node| node.handle().figures().joined)
    });
    nodes
}
