//! What comes back from a provider, or from somebody who is none.

use serde_json::json;
use testkit_provider::Answer;

use crate::rig::{ANN, BOB, RUNTIMES, Rig};

fn back(state: &str) -> String {
    format!("/signed-in?code=the-code&state={state}")
}

/// Forged, used, doubled, in another browser: nothing is opened, and the right one's sign-in goes on.
#[test]
fn a_call_back_works_once_and_in_its_own_browser() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let (mut ann, mut eve) = (rig.browser(), rig.browser());
        let state = ann.begin(ANN);
        // no cookie at all
        eve.get(&back(&state))
            .is(400, "This sign-in did not begin here");
        // one of her own
        eve.get("/");
        eve.follow(&back(&state))
            .is(400, "This sign-in did not begin here");
        for forged in [
            "/signed-in",
            "/signed-in?code=x&state=forged",
            "/signed-in?code=x",
            "/signed-in?error=access_denied",
            &format!("{}&state={state}", back(&state)),
        ] {
            ann.follow(forged)
                .is(400, "This sign-in did not begin here");
        }
        // nobody was asked anything so far
        assert!(rig.provider.take().is_empty());
        let old = ann.cookie.clone();
        let told = ann.get(&back(&state));
        assert_eq!(
            (told.status, told.header("location")),
            (303, Some("/mailbox"))
        );
        assert_ne!(ann.cookie, old, "the session has the cookie of before");
        // loaded again
        let told = ann.get(&back(&state));
        assert_eq!(
            (told.status, told.header("location")),
            (303, Some("/mailbox"))
        );
        // with the cookie of before, which was perhaps known to somebody
        eve.cookie = old;
        eve.follow(&back(&state)).is(400, "This sign-in is over");
        assert!(eve.follow("/mailbox").body.contains("Connect your mailbox"));
        assert_eq!(rig.provider.take().len(), 1);
        // what went wrong is said once
        assert_eq!(eve.get("/problem").header("location"), Some("/"));
    }
}

/// A person may take a quarter of an hour. What is kept of this sign-in is as if that were over.
#[test]
fn a_call_back_that_is_late_is_told_so() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        ann.get("/");
        rig.begun_long_ago(&ann, "the-state");
        ann.follow(&back("the-state")).is(400, "That took too long");
        ann.follow(&back("the-state"))
            .is(400, "This sign-in is over");
        assert!(rig.provider.take().is_empty());
    }
}

#[test]
fn two_sign_ins_at_once_end_each_by_itself() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        let (first, second) = (ann.begin(ANN), ann.begin(ANN));
        assert!(
            ann.follow(&back(&second))
                .body
                .contains("Connected mailbox")
        );
        // the other one began in a browser that was not signed in
        ann.follow(&back(&first))
            .is(400, "This sign-in did not begin here");
        assert!(ann.get("/mailbox").body.contains("Connected mailbox"));
    }
}

/// Of two call-backs at the same moment, one is the first.
#[test]
fn doubled_call_backs_are_one() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        let state = ann.begin(ANN);
        let cookie = ann.cookie.clone();
        let told: Vec<_> = std::thread::scope(|scope| {
            let each = || {
                let mut own = rig.browser();
                own.cookie.clone_from(&cookie);
                let told = own.get(&back(&state));
                told.header("location").map(str::to_owned)
            };
            let both = [scope.spawn(each), scope.spawn(each)];
            both.map(|one| one.join().unwrap()).into()
        });
        let good = told.iter().filter(|to| to.as_deref() == Some("/mailbox"));
        assert_eq!(good.count(), 1, "{told:?}");
        let codes = rig.provider.take().len();
        assert_eq!(codes, 1);
    }
}

#[test]
fn what_the_provider_says_is_told_to_the_person() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        let state = ann.begin(ANN);
        let told = ann.follow(&format!("/signed-in?error=access_denied&state={state}"));
        told.is(403, "You did not allow it");
        let state = ann.begin(ANN);
        let told = ann.follow(&format!("/signed-in?state={state}"));
        told.is(400, "The answer is not from your mail provider");
        for (answer, status, title) in [
            (
                Answer::other(503, "text/html", "<h1>Out of order</h1>"),
                502,
                "Your mail provider does not answer",
            ),
            (
                Answer::json(200, "{\"access_token\":"),
                502,
                "Your mail provider does not answer",
            ),
            (
                Answer::json(
                    400,
                    "{\"error\":\"invalid_client\",\"error_description\":\"<b>who?</b>\"}",
                ),
                502,
                "Your mail provider refuses",
            ),
            (
                Answer::json(200, "{\"access_token\":\"a\",\"token_type\":\"bearer\"}"),
                502,
                "Your mail provider refuses",
            ),
        ] {
            rig.says(answer);
            let told = ann.connect(ANN);
            told.is(status, title);
            assert!(!told.body.contains("<b>"), "{told:?}");
        }
        assert!(rig.tool(&["status"]).contains("Nobody signed in"));
    }
}

/// Whose mailbox it is, both say: the provider, and the mailbox.
#[test]
fn a_mailbox_is_its_owners() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut bob = rig.browser();
        // the token would open Ann's mailbox, and the provider says that it is Bob
        rig.gives_as(ANN, &json!({ "email": BOB }));
        let told = bob.connect(ANN);
        told.is(403, "Somebody else signed in");
        assert!(told.body.contains(BOB), "{told:?}");
        // an address that the provider never looked at is no word of it
        rig.gives_as(
            ANN,
            &json!({ "email": ANN, "email_verified": false, "upn": BOB }),
        );
        bob.connect(ANN).is(403, "Somebody else signed in");
        // the provider says that it is Ann, and the mailbox does not open
        rig.gives_as(BOB, &json!({ "email": ANN }));
        let told = bob.connect(ANN);
        told.is(403, "The mailbox does not open");
        // what was not kept was given back
        let revoked = rig.provider.take().into_iter();
        let revoked = revoked.filter(|asked| asked.target == "/revoke");
        assert_eq!(revoked.count(), 3);
        assert!(rig.tool(&["status"]).contains("Nobody signed in"));
        // where the provider says nothing, the mailbox decides
        rig.gives_as(BOB, &json!({}));
        bob.connect(ANN).is(403, "The mailbox does not open");
        rig.gives_as(ANN, &json!({ "preferred_username": "ANN@Example.org" }));
        assert!(bob.connect(ANN).body.contains("Connected mailbox"));
    }
}

#[test]
fn a_mail_server_that_is_away_is_no_refusal() {
    let mut rig = Rig::new(RUNTIMES[0]);
    drop(rig.imap.take());
    let mut ann = rig.browser();
    ann.connect(ANN).is(502, "The mail server does not answer");
    assert!(rig.tool(&["status"]).contains("Nobody signed in"));
}
