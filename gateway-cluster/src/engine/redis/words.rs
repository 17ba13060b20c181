//! Questions as the words of the script, and its answers.

use std::time::Duration;

use pop3_proto::failed_login::{Delay, Fault};
use redis::{Cmd, Value};

use super::super::Common;
use crate::ask::{Answer, Ask, Node, Post, Posted, Seen, Turn};
use crate::ledger::{millis, read_node};
use crate::subject::Subject;

/// Adds what is the same for all questions, and these.
pub(super) fn write(command: &mut Cmd, common: &Common, server: &str, asks: &[Ask]) {
    let timing = common.timing;
    command
        .arg(millis(timing.lease))
        .arg(millis(timing.grace))
        .arg(common.check.to_string())
        .arg(server);
    for ask in asks {
        let (letter, words) = words(ask);
        command.arg(letter).arg(words.len()).arg(words);
    }
}

fn words(ask: &Ask) -> (&'static str, Vec<String>) {
    match ask {
        Ask::Open { lease, node } => ("O", with_node(lease, node)),
        Ask::Renew { lease, node } => ("R", with_node(lease, node)),
        Ask::Close { lease } => ("C", vec![lease.to_string()]),
        Ask::Acquire {
            lease,
            maildrop,
            session,
        } => (
            "A",
            vec![lease.to_string(), maildrop.to_string(), session.to_string()],
        ),
        Ask::Keep {
            lease,
            maildrop,
            session,
            fence,
            sure,
        } => (
            "K",
            vec![
                lease.to_string(),
                maildrop.to_string(),
                session.to_string(),
                fence.to_string(),
                u8::from(*sure).to_string(),
            ],
        ),
        Ask::Release { maildrop, proof } => (
            "L",
            vec![
                maildrop.to_string(),
                proof.lease.to_string(),
                proof.session.to_string(),
                proof.fence.to_string(),
            ],
        ),
        Ask::Enter {
            lease,
            account,
            cap,
        } => (
            "E",
            vec![lease.to_string(), account.to_string(), cap.to_string()],
        ),
        Ask::Count {
            lease,
            account,
            count,
        } => (
            "P",
            vec![lease.to_string(), account.to_string(), count.to_string()],
        ),
        Ask::Post {
            post,
            account,
            span,
        } => (
            "B",
            vec![
                post.letter().to_owned(),
                account.to_string(),
                millis(*span).to_string(),
            ],
        ),
        Ask::Refresh {
            lease,
            grant,
            turn,
            span,
        } => (
            "T",
            vec![
                lease.to_string(),
                grant.to_string(),
                turn.to_string(),
                millis(*span).to_string(),
            ],
        ),
        Ask::Refreshed { lease, grant, turn } => (
            "U",
            vec![lease.to_string(), grant.to_string(), turn.to_string()],
        ),
        Ask::Look {
            subjects,
            turn,
            rules,
        } => {
            let mut words = vec![turn_word(*turn)];
            words.extend(rule_words(rules));
            words.extend(subject_words(subjects));
            ("F", words)
        }
        Ask::Note {
            subjects,
            source,
            fault,
            rules,
        } => {
            let fault = match fault {
                Fault::Wrong => "W",
                Fault::Doubtful => "D",
                Fault::Left => "L",
                Fault::Unseen => "U",
            };
            let mut words = vec![source.to_string()[..16].to_owned(), fault.to_owned()];
            words.extend(rule_words(rules));
            words.extend(subject_words(subjects));
            ("I", words)
        }
        Ask::Spare { subjects, turn } => {
            let mut words = vec![turn_word(*turn)];
            words.extend(subject_words(subjects));
            ("S", words)
        }
        Ask::Survey => ("V", Vec::new()),
    }
}

fn with_node(lease: &crate::lease::Lease, node: &Node) -> Vec<String> {
    vec![
        lease.to_string(),
        node.holds.to_string(),
        millis(node.degraded).to_string(),
        node.name.clone(),
    ]
}

fn turn_word(turn: Turn) -> String {
    format!("{:016x}.{}", turn.boot, turn.number)
}

fn rule_words(rules: &Delay) -> [String; 4] {
    [rules.first, rules.most, rules.memory, rules.doubt].map(|span| millis(span).to_string())
}

fn subject_words(subjects: &[Subject]) -> impl Iterator<Item = String> + '_ {
    subjects.iter().flat_map(|subject| {
        [
            subject.digest.to_string(),
            subject.scope.sources.to_string(),
            subject.scope.most.to_string(),
        ]
    })
}

/// The answers to so many questions; `None` if these are none.
pub(super) fn read(value: Value, count: usize) -> Option<Vec<Answer>> {
    let answers = list(value)?;
    if answers.len() != count {
        return None;
    }
    answers.into_iter().map(read_one).collect()
}

fn read_one(value: Value) -> Option<Answer> {
    let mut words = list(value)?.into_iter();
    let letter = text(words.next()?)?;
    let span = |value: Option<Value>| Some(Duration::from_millis(number(value?)?));
    Some(match letter.as_str() {
        "D" => Answer::Done,
        "S" => Answer::Standing {
            grace: span(words.next())?,
            namesake: span(words.next()),
            posted: read_posted(words)?,
        },
        "H" => Answer::Granted {
            fence: number(words.next()?)?,
        },
        "U" => Answer::InUse,
        "G" => Answer::Grace(span(words.next())?),
        "N" => Answer::NoLease,
        "W" => Answer::Wait(span(words.next())?),
        "X" => Answer::OtherSecret,
        "F" => Answer::Foreign,
        "V" => {
            let fence = number(words.next()?)?;
            let mut nodes = Vec::new();
            while let Some(lease) = words.next() {
                let lease = text(lease)?.parse().ok()?;
                let left = span(words.next())?;
                let Ok(node) = read_node(&text(words.next()?)?) else {
                    return Some(Answer::Foreign);
                };
                nodes.push(Seen { lease, left, node });
            }
            Answer::Nodes { nodes, fence }
        }
        _ => return None,
    })
}

fn read_posted(mut words: impl Iterator<Item = Value>) -> Option<Vec<Posted>> {
    let mut posted = Vec::new();
    while let Some(letter) = words.next() {
        posted.push(Posted {
            post: Post::of_letter(&text(letter)?)?,
            account: text(words.next()?)?.parse().ok()?,
            left: Duration::from_millis(number(words.next()?)?),
        });
    }
    Some(posted)
}

fn list(value: Value) -> Option<Vec<Value>> {
    if let Value::Array(values) = value {
        return Some(values);
    }
    None
}

fn text(value: Value) -> Option<String> {
    redis::from_redis_value(value).ok()
}

fn number(value: Value) -> Option<u64> {
    text(value)?.parse().ok()
}
