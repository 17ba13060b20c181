//! Dialogues that people can read, played against the server session: `dialogues/*.txt`.
//!
//! Each is played as it stands, octet by octet, in random pieces, with small pieces of messages and a
//! narrow window to the client; and, if it says nothing about TLS, in the clear, over implicit TLS and
//! behind STLS. The notation of the steps is that of `testkit::transcript`; what stands in front of them
//! is described in `dialogue/scene.rs`.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "the dialogues are files")]

mod common;
mod dialogue;

use std::path::Path;

use dialogue::Scene;
use dialogue::stage::{Cut, Protection, play};

fn scenes() -> Vec<Scene> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        Scene::read_all(name, &std::fs::read_to_string(file).unwrap()).unwrap()
    };
    files.iter().flat_map(read).collect()
}

#[test]
fn every_dialogue_in_every_way() {
    let (mut played, mut wrong) = (0, Vec::new());
    let scenes = scenes();
    for scene in &scenes {
        for protection in Protection::of(scene) {
            let cuts = [Cut::AsItStands, Cut::Octets];
            let cuts = cuts.into_iter().chain((1..=8).map(Cut::Random));
            for cut in cuts.take(if scene.uncut { 1 } else { usize::MAX }) {
                played += 1;
                if let Err(mismatch) = play(scene, protection, cut) {
                    wrong.push(format!(
                        "{mismatch} ({}, {protection:?}, {cut:?})",
                        scene.title
                    ));
                    break;
                }
            }
        }
    }
    println!("{} dialogues, played {played} times", scenes.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
