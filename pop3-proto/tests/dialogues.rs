//! Dialogues that people can read, played against the server session: `dialogues/*.txt`.
//!
//! Each is played as it stands, octet by octet, in random pieces, with small pieces of messages and a
//! narrow window to the client; and, if it says nothing about TLS, in the clear, over implicit TLS and
//! after STLS. The notation of the steps is that of `testkit::transcript`; what stands in front of them
//! is described in `testkit::scene`.

mod stage;

use stage::{Cut, play};
use testkit::scene::{Protection, Scene};

#[test]
fn every_dialogue_in_every_way() {
    let (mut played, mut wrong) = (0, Vec::new());
    let scenes = Scene::all();
    for scene in &scenes {
        for protection in Protection::of(scene) {
            let cuts = [Cut::AsItStands, Cut::Octets];
            let cuts = cuts.into_iter().chain((1..=8).map(Cut::Random));
            for cut in cuts.take(if scene.uncut { 1 } else { usize::MAX }) {
                played += 1;
                if let Err(mismatch) = play(scene, *protection, cut) {
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
