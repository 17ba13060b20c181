//! Tokens are wiped: after they were kept, read, replaced and sealed anew, the process has them nowhere.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{BINDING, NOW, id, open};
use gateway_state::{Keys, Tokens};
use pop3_proto::secret::Secret;
use smol::block_on;

const CHILD: &str = "STATE_TEST_WIPED";
/// Each octet of the token as the environment has it, which is a part of the memory too.
const MASKED: &str = "STATE_TEST_MASKED";
const MASK: u8 = 0x2a;

/// In the process that is looked through.
#[test]
#[ignore = "is started by the other test"]
fn child() {
    let (Ok(path), Ok(masked)) = (std::env::var(CHILD), std::env::var(MASKED)) else {
        return;
    };
    let token = || Secret::new(masked.bytes().map(|octet| octet ^ MASK).collect());
    let tokens = |expires| Tokens {
        refresh: Some(token()),
        access: Some(token()),
        access_expires: expires,
        scope: None,
    };
    let wait_after = |word: &str| {
        println!("\n{word}");
        std::io::stdin().read_exact(&mut [0]).unwrap();
    };
    block_on(async {
        let keys = Keys::generate().unwrap();
        let state = open(Path::new(&path), &keys).await.unwrap();
        let version = state
            .put_grant(&id(), BINDING, &tokens(1), NOW)
            .await
            .unwrap();
        let held = state.grant(&id(), BINDING).await.unwrap().unwrap();
        wait_after("held");
        drop(held);
        let done = state
            .replace_grant(&id(), BINDING, version, &tokens(2), NOW)
            .await;
        assert!(matches!(done.unwrap(), gateway_state::Replaced::Done(_)));
        let sign_in = gateway_state::SignIn {
            id: id(),
            network: None,
            payload: token(),
            created: NOW,
            expires: NOW + 1,
        };
        let key = common::secret("key");
        state.begin_sign_in(&key, &sign_in).await.unwrap();
        drop(sign_in);
        state.take_sign_in(&key, NOW).await.unwrap().unwrap();
        state.close().await;
        let newer = Keys::generate().unwrap().with_retired(&keys);
        let state = open(Path::new(&path), &newer).await.unwrap();
        assert_eq!(state.reseal().await.unwrap().resealed, 1);
        assert!(state.grant(&id(), BINDING).await.unwrap().is_some());
        wait_after("dropped");
    });
}

/// How often these octets stand in memory that a process can write to.
fn remembered(process: u32, octets: &[u8]) -> usize {
    let process = format!("/proc/{process}");
    let memory = File::open(format!("{process}/mem")).unwrap();
    let maps = fs::read_to_string(format!("{process}/maps")).unwrap();
    let areas = maps.lines().filter(|map| map.contains(" rw"));
    let found = areas.map(|map| {
        let (from, to) = map.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut area = vec![0; usize::try_from(to - from).unwrap()];
        // page by page: what was never touched cannot always be read
        for (page, at) in area.chunks_mut(4096).zip((from..).step_by(4096)) {
            let _ = memory.read_exact_at(page, at);
        }
        let first = octets[0];
        let mut places = area
            .windows(octets.len())
            .filter(|window| window[0] == first);
        places.by_ref().filter(|window| *window == octets).count()
    });
    found.sum()
}

#[test]
fn tokens_stay_nowhere_in_memory() {
    let (_folder, path) = common::file();
    let token = Keys::generate().unwrap().to_text();
    let token = token.expose().trim_ascii_end();
    let masked: Vec<u8> = token.iter().map(|octet| octet ^ MASK).collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CHILD, &path)
        .env(MASKED, String::from_utf8(masked).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut stdin = child.stdin.take().unwrap();
    for (word, most) in [("held", usize::MAX), ("dropped", 0)] {
        assert!(lines.by_ref().any(|line| line.unwrap() == word), "{word}");
        let found = remembered(child.id(), token);
        assert!(found <= most, "{word}: {found}");
        // the control
        assert!(word != "held" || found >= 2, "{found}");
        stdin.write_all(b"\n").unwrap();
    }
    assert!(child.wait().unwrap().success());
}
