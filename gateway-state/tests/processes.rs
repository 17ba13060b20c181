//! Several processes on one file, and processes that are killed at any moment: the tokens that a caller heard of
//! are there, or newer ones.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{BINDING, NOW, id, open, tokens};
use gateway_state::{GrantId, Keys, Replaced, StateUrl};
use smol::block_on;
use testkit_databases::{Kind, Server};

const URL: &str = "STATE_TEST_URL";
const KEYS: &str = "STATE_TEST_KEYS";
const TIMES: &str = "STATE_TEST_TIMES";

/// In another process: refreshes a grant a number of times, and says each that is kept.
#[test]
#[ignore = "is started by other tests"]
fn child() {
    let variables = [URL, KEYS, TIMES].map(|name| std::env::var(name).unwrap_or_default());
    let [url, keys, times] = &variables;
    if url.is_empty() {
        return;
    }
    let keys = Keys::parse(keys.as_bytes()).unwrap();
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    block_on(async {
        let url: StateUrl = url.parse().unwrap();
        say("\nbegin\n".into());
        let state = gateway_state::State::open(&url, keys).await.unwrap();
        let mut done: u32 = 0;
        let mut conflicts = 0;
        while done < times.parse().unwrap() {
            let Some(grant) = state.grant(&id(), BINDING).await.unwrap() else {
                state
                    .put_grant(&id(), BINDING, &tokens("0"), NOW)
                    .await
                    .unwrap();
                continue;
            };
            let newer = number(&grant.tokens) + 1;
            let newer_tokens = tokens(&newer.to_string());
            match state
                .replace_grant(&id(), BINDING, grant.version, &newer_tokens, NOW)
                .await
                .unwrap()
            {
                Replaced::Done(_) => {
                    say(format!("kept {newer}\n"));
                    done += 1;
                }
                Replaced::Changed => conflicts += 1,
            }
        }
        say(format!("end {conflicts}\n"));
        state.close().await;
    });
}

fn number(tokens: &gateway_state::Tokens) -> u64 {
    let refresh = tokens.refresh.as_ref().unwrap().expose();
    let text = std::str::from_utf8(refresh).unwrap();
    text.strip_prefix("refresh-").unwrap().parse().unwrap()
}

fn start(url: &str, keys: &Keys, times: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(
            KEYS,
            String::from_utf8(keys.to_text().expose().to_vec()).unwrap(),
        )
        .env(TIMES, times.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child says.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map(Result::unwrap)
}

/// The number in a line that says that tokens are kept.
fn kept(line: &str) -> Option<u64> {
    line.strip_prefix("kept ")
        .map(|number| number.parse().unwrap())
}

/// Each refresh is kept once, and none is lost.
fn several_processes(url: &str) {
    let keys = Keys::generate().unwrap();
    let made: StateUrl = url.parse().unwrap();
    let state = block_on(gateway_state::State::open(&made, keys.clone())).unwrap();
    block_on(state.put_grant(&id(), BINDING, &tokens("0"), NOW)).unwrap();
    let children = [(); 4].map(|()| start(url, &keys, 50));
    let threads = children.map(|mut child| {
        std::thread::spawn(move || {
            let kept: Vec<u64> = lines(&mut child).filter_map(|line| kept(&line)).collect();
            assert!(child.wait().unwrap().success());
            kept
        })
    });
    let mut all: Vec<u64> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (1..=200).collect::<Vec<_>>());
    let grant = block_on(state.grant(&id(), BINDING)).unwrap().unwrap();
    assert_eq!(number(&grant.tokens), 200);
    block_on(state.close());
}

#[test]
fn sqlite_is_shared_by_processes() {
    let (_folder, path) = common::file();
    several_processes(&format!("sqlite://{}", path.display()));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_is_shared_by_processes() {
    let server = Server::start(Kind::Postgres);
    several_processes(&server.url());
}

/// Kills a child this time after it said this, and says which tokens are there.
fn killed(path: &Path, keys: &Keys, word: &str, delay: Duration) -> u64 {
    let url = format!("sqlite://{}", path.display());
    let mut child = start(&url, keys, u32::MAX);
    let mut lines = lines(&mut child);
    let heard = lines.by_ref().find(|line| line.starts_with(word)).unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    let said = lines
        .filter_map(|line| kept(&line))
        .last()
        .or_else(|| kept(&heard));
    child.wait().unwrap();
    block_on(async {
        let state = open(path, keys).await.unwrap();
        let grant = state.grant(&id(), BINDING).await.unwrap();
        let there = grant.map_or(0, |grant| number(&grant.tokens));
        let said = said.unwrap_or_default();
        assert!(
            there == said || there == said + 1,
            "{said} was said, {there} is there"
        );
        // nothing is in the way of the next one
        let other = GrantId::new("example", "other");
        state
            .put_grant(&other, BINDING, &tokens("1"), NOW)
            .await
            .unwrap();
        state.close().await;
        there
    })
}

#[test]
fn killed_at_any_moment_the_old_tokens_are_there_or_the_new() {
    let keys = Keys::generate().unwrap();
    // while it is made, which may leave a file of another name and nothing else
    for round in 0..25u64 {
        let (_folder, path) = common::file();
        killed(
            &path,
            &keys,
            "begin",
            Duration::from_micros(round * round * 120),
        );
    }
    // and while it is written
    let (_folder, path) = common::file();
    let mut there = 0;
    for round in 0..25u64 {
        let now = killed(&path, &keys, "kept", Duration::from_micros(round * 137));
        assert!(now > there, "{there} tokens were there, and now {now}");
        there = now;
    }
}
