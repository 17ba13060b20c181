//! Messages on their way: whole, from the top, and in every form a server gives them.

mod forms;
mod header;
mod leaving;
mod pace;
mod top;

use crate::common::{FULL, World, config};

fn opened(messages: &[(u32, u64)]) -> World {
    World::opened(config(), FULL, messages)
}

/// Retrieves the first message of a world with one; returns the tag.
fn asked(world: &mut World) -> String {
    world.retrieve(1, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])")
}
