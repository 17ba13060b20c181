//! Nodes that are processes of their own, and are killed or stopped for longer than their lease.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Instant;

use common::{Engine, Node, postgres, timing, until};
use futures_lite::future::block_on;
use gateway_cluster::{Ending, OnFailure, Outcome};
use testkit_databases::Redis;

const URL: &str = "CLUSTER_TEST_URL";
const NAME: &str = "CLUSTER_TEST_NAME";

/// In another process: a session that takes a maildrop, and at each line says what it may do.
#[test]
#[ignore = "is started by other tests"]
fn child() {
    let [url, name] = [URL, NAME].map(|name| std::env::var(name).unwrap_or_default());
    if url.is_empty() {
        return;
    }
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let node = Node::start(&url, &name, OnFailure::Closed);
    node.is_ready();
    let mut hold = node.cluster.take("tim");
    say(format!("{:?}", block_on(hold.next_outcome())));
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "now" => say(format!("{:?}", hold.outcome())),
            "again" => {
                hold.take_again();
                say(format!("{:?}", block_on(hold.next_outcome())));
            }
            "ended" => {
                let ended = block_on(node.cluster.ended());
                say(format!("{ended:?}"));
            }
            _ => break,
        }
    }
}

struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(url: &str, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(URL, url)
            .env(NAME, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
        }
    }

    /// The next line that is an outcome.
    fn hear(&mut self) -> String {
        let known = ["Held", "Busy", "Lost", "Some(", "None", "Namesake"];
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "it has ended");
            if known.iter().any(|word| line.starts_with(word)) {
                return line.trim().to_owned();
            }
        }
    }

    fn ask(&mut self, word: &str) -> String {
        self.stdin
            .write_all(format!("{word}\n").as_bytes())
            .unwrap();
        self.hear()
    }

    /// Takes it again; the first connection after a pause may be a dead one.
    fn again(&mut self) -> String {
        let mut outcome = String::new();
        until("the engine answers", || {
            outcome = self.ask("again");
            outcome != "Lost"
        });
        outcome
    }

    fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        kill.args([signal, &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn a_node_is_killed(engine: &mut dyn Engine) {
    let mut process = Process::start(&engine.url(), "one");
    assert_eq!(process.hear(), "Held");
    let node = Node::start(&engine.url(), "two", OnFailure::Closed);
    node.is_ready();
    assert_eq!(node.take("tim"), Outcome::Busy);
    process.signal("-KILL");
    let killed = Instant::now();
    until("it is free", || node.take("tim") == Outcome::Held);
    // not before its lease has ended; a busy machine may make it later
    assert!(killed.elapsed() + timing().renew + timing().answer >= timing().lease);
    // the same name is no hindrance
    let mut process = Process::start(&engine.url(), "one");
    assert_eq!(process.hear(), "Held");
}

fn a_node_stands_still(engine: &mut dyn Engine) {
    let mut process = Process::start(&engine.url(), "one");
    assert_eq!(process.hear(), "Held");
    let node = Node::start(&engine.url(), "two", OnFailure::Closed);
    node.is_ready();
    // for longer than its lease, and nobody takes what it had
    process.signal("-STOP");
    thread::sleep(timing().lease * 2);
    process.signal("-CONT");
    assert_ne!(process.ask("now"), "Some(Busy)");
    assert_eq!(process.again(), "Held");
    assert_eq!(node.take("tim"), Outcome::Busy);
    // and somebody does
    process.signal("-STOP");
    let mut hold = node.cluster.take("tim");
    let mut outcome = block_on(hold.next_outcome());
    until("it is free", || {
        if outcome == Outcome::Busy {
            hold = node.cluster.take("tim");
            outcome = block_on(hold.next_outcome());
        }
        outcome == Outcome::Held
    });
    process.signal("-CONT");
    // at no moment does it believe that it still has it
    assert_ne!(process.ask("now"), "Some(Held)");
    assert_eq!(process.again(), "Busy");
    assert_eq!(hold.outcome(), Some(Outcome::Held));
}

fn two_nodes_have_one_name(engine: &mut dyn Engine) {
    let elder = Node::start(&engine.url(), "one", OnFailure::Closed);
    elder.is_ready();
    let mut younger = Process::start(&engine.url(), "one");
    assert_eq!(younger.hear(), "Held");
    assert_eq!(younger.ask("ended"), format!("{:?}", Ending::Namesake));
    drop(younger);
    until("the elder goes on", || elder.take("tim") == Outcome::Held);
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_frees_what_a_killed_node_had() {
    a_node_is_killed(&mut Redis::start());
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_frees_what_a_killed_node_had() {
    a_node_is_killed(&mut postgres());
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_knows_a_node_that_stood_still() {
    a_node_stands_still(&mut Redis::start());
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_knows_a_node_that_stood_still() {
    a_node_stands_still(&mut postgres());
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_has_two_nodes_with_one_name() {
    two_nodes_have_one_name(&mut Redis::start());
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_has_two_nodes_with_one_name() {
    two_nodes_have_one_name(&mut postgres());
}
