//! What becomes of the messages that the client deleted: every policy, on servers that can much and
//! little, beside other programs' flags, and with the connection cut at every octet.

use std::collections::BTreeMap;

use imap_backend::DeletePolicy;
use testkit::imap_server::{Folder, Options};
use testkit::world::{Ending, Route};

use crate::rig::{LONG, Pace, Rig, Setup, USER, cut, judged, login, pieces, session};
use testkit::judge::{Tolerance, judge};

const MAILS: [&str; 5] = ["A: 1\r\n", "A: 2\r\n", "A: 3\r\n", "A: 4\r\n", "A: 5\r\n"];
/// What the client marks.
const MARKED: [u32; 3] = [2, 3, 5];
/// What the client reads whole.
const READ: [u32; 2] = [1, 3];
const COMMANDS: [&str; 7] = [
    "RETR 1", "DELE 5", "DELE 2", "RETR 3", "TOP 4 0", "DELE 3", "STAT",
];
/// A folder with a name that has to be encoded.
const SAVED: &str = "Gelöscht & mehr";
const TRASH: &str = "Papierkorb";

/// Servers that can less and less.
fn servers() -> Vec<Options> {
    let full = Options::default;
    vec![
        full(),
        full().without("LITERAL+"),
        full().without("MOVE"),
        full().without("UIDPLUS"),
        full().without("UIDPLUS").without("MOVE"),
        full().without("SPECIAL-USE"),
        Options::plain(),
    ]
}

fn policies() -> Vec<DeletePolicy> {
    vec![
        DeletePolicy::Expunge,
        DeletePolicy::Trash {
            fallback: SAVED.into(),
        },
        DeletePolicy::Move(SAVED.into()),
        DeletePolicy::Seen,
        DeletePolicy::Keyword("$Pop3Gone".into()),
        DeletePolicy::Keep,
    ]
}

fn start(options: &Options, policy: &DeletePolicy, mark_seen: bool, route: &[Route]) -> Rig {
    let mut setup = Setup::new(MAILS);
    setup.options = options.clone();
    setup.imap.delete = policy.clone();
    setup.imap.mark_seen = mark_seen;
    setup.upstream = route.to_vec();
    let rig = setup.start();
    let store = rig.imap.store();
    store.add_folder(USER, TRASH, Some("\\Trash"));
    inbox(&rig, |folder| {
        folder.set_flag(4, "\\Flagged", true);
        folder.set_flag(2, "$Label1", true);
    });
    rig
}

fn inbox<R>(rig: &Rig, edit: impl FnOnce(&mut Folder) -> R) -> R {
    rig.imap.store().edit(USER, "INBOX", edit).unwrap()
}

/// The mails of a folder whose name may be written in either way.
fn mails_in(rig: &Rig, folder: &str) -> Vec<String> {
    let encoded = match folder {
        SAVED => "Gel&APY-scht &- mehr",
        _ => folder,
    };
    let mut mails = Vec::new();
    for name in [folder, encoded] {
        let found = rig.imap.store().edit(USER, name, |folder| {
            let mail = |message: &testkit::imap_server::Message| {
                String::from_utf8(message.content.to_vec()).unwrap()
            };
            folder.messages().iter().map(mail).collect::<Vec<_>>()
        });
        mails.extend(found.unwrap_or_default());
        if encoded == folder {
            break;
        }
    }
    mails
}

/// Where messages go under a policy on a server.
fn target<'a>(options: &Options, policy: &'a DeletePolicy) -> Option<&'a str> {
    let special = options.capabilities.iter().any(|own| own == "SPECIAL-USE");
    match policy {
        DeletePolicy::Trash { .. } if special => Some(TRASH),
        DeletePolicy::Trash { fallback: folder } | DeletePolicy::Move(folder) => Some(folder),
        DeletePolicy::Expunge
        | DeletePolicy::Seen
        | DeletePolicy::Keyword(_)
        | DeletePolicy::Keep => None,
    }
}

fn removes(policy: &DeletePolicy) -> bool {
    match policy {
        DeletePolicy::Expunge | DeletePolicy::Trash { .. } | DeletePolicy::Move(_) => true,
        DeletePolicy::Seen | DeletePolicy::Keyword(_) | DeletePolicy::Keep => false,
    }
}

/// What is true after any end: nothing unmarked changed, nothing is lost on its way.
fn nothing_else_happened(rig: &Rig, options: &Options, policy: &DeletePolicy, context: &str) {
    let uids = rig.uids();
    for (mail, uid) in MAILS.iter().zip(1u32..) {
        let flags = rig.imap.store().flags(USER, "INBOX", uid);
        let deleted = flags.iter().any(|flag| flag == "\\Deleted");
        let here = uids.contains(&uid);
        if !MARKED.contains(&uid) {
            assert!(here, "{context}: {uid} is gone");
            assert!(!deleted, "{context}: {uid} is flagged");
        } else if !here {
            assert!(removes(policy), "{context}: {uid} is gone");
            if let Some(target) = target(options, policy) {
                let there = mails_in(rig, target);
                assert!(
                    there.iter().any(|own| own == mail),
                    "{context}: {uid} is lost"
                );
            }
        }
    }
    for folder in [TRASH, SAVED] {
        let there = mails_in(rig, folder);
        let wanted = target(options, policy) == Some(folder);
        let marked = |mail: &String| MARKED.iter().any(|&uid| MAILS[uid as usize - 1] == mail);
        assert!(
            there.iter().all(|mail| wanted && marked(mail)),
            "{context}: {there:?}"
        );
    }
}

/// What is true after a QUIT that was answered with +OK.
fn all_is_done(rig: &Rig, options: &Options, policy: &DeletePolicy, context: &str) {
    let left = |uids: &[u32]| uids.iter().all(|uid| !MARKED.contains(uid));
    assert_eq!(
        left(&rig.uids()),
        removes(policy),
        "{context}: {:?}",
        rig.uids()
    );
    if let Some(target) = target(options, policy) {
        let there = mails_in(rig, target);
        for uid in MARKED {
            assert!(
                there.contains(&MAILS[uid as usize - 1].to_owned()),
                "{context}: {there:?}"
            );
        }
    }
    let hiding = match policy {
        DeletePolicy::Seen => Some("\\Seen"),
        DeletePolicy::Keyword(name) => Some(name.as_str()),
        _ => None,
    };
    if let Some(flag) = hiding {
        for uid in MARKED {
            let flags = rig.imap.store().flags(USER, "INBOX", uid);
            assert!(
                flags.iter().any(|own| own == flag),
                "{context}: {uid} {flags:?}"
            );
        }
    }
}

/// qA8, qA9, qB1, qB5: every policy does what it says, on every server.
#[test]
fn p036_qa8_qa9_qb1_qb5_every_policy_on_every_server() {
    for options in servers() {
        for policy in policies() {
            for mark_seen in [false, true] {
                let context = format!("{policy:?}, {mark_seen}, {:?}", options.capabilities);
                let mut rig = start(&options, &policy, mark_seen, &[]);
                let client = rig.client();
                let commands = session(&COMMANDS);
                let heard = judged(
                    &mut rig,
                    &client,
                    &commands,
                    Pace::AtOnce,
                    Tolerance::Nothing,
                );
                assert_eq!(heard.quit, Some(true), "{context}");
                nothing_else_happened(&rig, &options, &policy, &context);
                all_is_done(&rig, &options, &policy, &context);
                for uid in 1..=5 {
                    let flags = rig.imap.store().flags(USER, "INBOX", uid);
                    let seen = flags.iter().any(|flag| flag == "\\Seen");
                    let hidden = policy == DeletePolicy::Seen && MARKED.contains(&uid);
                    let read = mark_seen && READ.contains(&uid) && rig.uids().contains(&uid);
                    assert_eq!(seen, hidden || read, "{context}: {uid} {flags:?}");
                }
                // what is hidden stays hidden
                let second = rig.client();
                rig.log_in(&second);
                let stat = rig.ask(&second, "STAT");
                let count = match policy {
                    DeletePolicy::Keep => 5,
                    DeletePolicy::Seen if mark_seen => 1,
                    _ => 2,
                };
                assert!(
                    stat.starts_with(&format!("+OK {count} ")),
                    "{context}: {stat}"
                );
            }
        }
    }
}

/// P039, I013, I014: a message that another program flagged is not removed by us; where a server
/// cannot expunge by UID, we refuse and leave no flag set.
#[test]
fn p039_i013_i014_flags_of_other_programs() {
    for options in servers() {
        for policy in policies() {
            for own in [false, true] {
                let context = format!("{policy:?}, {own}, {:?}", options.capabilities);
                let can = |what: &str| options.capabilities.iter().any(|known| known == what);
                let bare = match policy {
                    DeletePolicy::Expunge => !can("UIDPLUS"),
                    DeletePolicy::Trash { .. } | DeletePolicy::Move(_) => {
                        !can("MOVE") && !can("UIDPLUS")
                    }
                    _ => false,
                };
                let mut rig = start(&options, &policy, false, &[]);
                let model = rig.model();
                let client = rig.logged_in();
                // flagged by somebody else during the session
                let flagged = if own { 3 } else { 4 };
                inbox(&rig, |folder| folder.set_flag(flagged, "\\Deleted", true));
                let commands = session(&COMMANDS);
                rig.say_all(&client, &commands[2..], Pace::AtOnce);
                let output = [b"+OK\r\n+OK\r\n+OK\r\n", client.heard().as_slice()].concat();
                let heard = judge(
                    &output,
                    client.has_ended(),
                    &commands,
                    model,
                    Tolerance::Upstream,
                );
                let heard = heard.unwrap_or_else(|fault| panic!("{context}: {fault}"));
                assert_eq!(heard.quit, Some(own || !bare), "{context}");
                for uid in [1, 4] {
                    assert!(rig.uids().contains(&uid), "{context}: {uid} is gone");
                }
                if heard.quit == Some(true) {
                    all_is_done(&rig, &options, &policy, &context);
                } else {
                    assert_eq!(rig.uids(), [1, 2, 3, 4, 5], "{context}");
                    for uid in [1, 2, 3, 5] {
                        let flags = rig.imap.store().flags(USER, "INBOX", uid);
                        assert!(!flags.contains(&"\\Deleted".into()), "{context}: {uid}");
                    }
                }
            }
        }
    }
}

/// P038, G08: the connection ends at every octet of what the server says during QUIT. Whatever the
/// policy: no unmarked message is touched, none is lost between two folders, and +OK means done.
#[test]
fn g08_p038_cut_at_every_octet_of_an_update() {
    let mut sessions: BTreeMap<&str, u64> = BTreeMap::new();
    for options in servers() {
        for policy in policies() {
            if !takes_another_way(&options, &policy) {
                continue;
            }
            let (from, to) = update_octets(&options, &policy);
            for lasting in [false, true] {
                for after in from..=to {
                    let context = format!(
                        "{policy:?}, behind {after}, {lasting}, {:?}",
                        options.capabilities
                    );
                    let first = Route {
                        back: cut(after, Ending::End),
                        ..Route::default()
                    };
                    // a second connection gets as far into the update as there are octets left
                    let second = Route {
                        back: cut(200 + after.saturating_sub(from), Ending::Reset),
                        ..Route::default()
                    };
                    let routes = if lasting {
                        vec![first, second]
                    } else {
                        vec![first]
                    };
                    let mut rig = start(&options, &policy, false, &routes);
                    let commands = session(&["DELE 5", "DELE 2", "DELE 3"]);
                    let model = rig.model();
                    let client = rig.client();
                    rig.say_all(&client, &commands, Pace::AtOnce);
                    rig.world.advance(LONG);
                    let heard = client
                        .judged(&commands, model, Tolerance::Upstream)
                        .unwrap_or_else(|fault| panic!("{context}: {fault}"));
                    nothing_else_happened(&rig, &options, &policy, &context);
                    assert_eq!(rig.locks(), 0);
                    let outcome = match heard.quit {
                        Some(true) => "done",
                        Some(false) => "not done, and said so",
                        None => panic!("{context}: QUIT was not answered"),
                    };
                    if heard.quit == Some(true) {
                        all_is_done(&rig, &options, &policy, &context);
                    }
                    *sessions.entry(outcome).or_default() += 1;
                }
            }
        }
    }
    println!("{sessions:?}");
}

/// P037, P066: the task that runs the connection is dropped before every operation, whatever the policy:
/// the lock is free, no unmarked message is touched, none is lost between two folders.
#[test]
fn p037_p066_dropped_at_every_operation_of_an_update() {
    let mut sessions = 0;
    for options in servers() {
        for policy in policies() {
            if !takes_another_way(&options, &policy) {
                continue;
            }
            let run = |at: Option<u64>| {
                let mut rig = start(&options, &policy, true, &[pieces(&[60])]);
                if let Some(at) = at {
                    let meter = rig.meter.clone();
                    rig.meter.interrupt(at, move || meter.freeze());
                }
                let client = rig.client();
                rig.say_all(&client, &session(&COMMANDS), Pace::AtOnce);
                let said_quit = rig.was_changed();
                rig.tasks.cancel();
                rig.world.settle();
                let context = format!("{policy:?}, before {at:?}, {:?}", options.capabilities);
                assert_eq!(rig.locks(), 0, "{context}");
                nothing_else_happened(&rig, &options, &policy, &context);
                assert!(said_quit || rig.uids().len() == MAILS.len(), "{context}");
                rig.meter.operations()
            };
            for at in 0..run(None) {
                run(Some(at));
                sessions += 1;
            }
        }
    }
    println!("{sessions} sessions");
}

/// Whether the policy is carried out on this server as on no server before it in the list.
fn takes_another_way(options: &Options, policy: &DeletePolicy) -> bool {
    let lacks = |what: &str| !options.capabilities.iter().any(|own| own == what);
    let full = options.capabilities.len() == Options::default().capabilities.len();
    full || match policy {
        DeletePolicy::Expunge => lacks("UIDPLUS") && !lacks("MOVE") || lacks("ID"),
        DeletePolicy::Move(_) => lacks("MOVE"),
        DeletePolicy::Trash { .. } => lacks("MOVE") || lacks("SPECIAL-USE"),
        DeletePolicy::Seen | DeletePolicy::Keyword(_) | DeletePolicy::Keep => false,
    }
}

/// Between which octets of the server's output the update lies.
fn update_octets(options: &Options, policy: &DeletePolicy) -> (u64, u64) {
    let mut rig = start(options, policy, false, &[]);
    let client = rig.client();
    let commands = session(&["DELE 5", "DELE 2", "DELE 3"]);
    let (quit, before) = commands.split_last().unwrap();
    rig.say_all(&client, before, Pace::AtOnce);
    let from = rig.host.octets();
    rig.say_all(&client, &[quit], Pace::AtOnce);
    (from, rig.host.octets())
}

/// P019: marks of a session that ended without QUIT are forgotten.
#[test]
fn p019_marks_do_not_outlive_their_session() {
    for policy in policies() {
        let mut rig = start(&Options::default(), &policy, true, &[]);
        let client = rig.client();
        let mut commands = login();
        commands.extend(COMMANDS.map(str::to_owned));
        rig.say_all(&client, &commands, Pace::AtOnce);
        client.reset();
        rig.world.settle();
        let again = rig.logged_in();
        assert!(rig.ask(&again, "STAT").starts_with("+OK 5 "));
        assert!(rig.ask(&again, "QUIT").starts_with("+OK"));
        assert!(!rig.was_changed(), "{policy:?}");
    }
}
