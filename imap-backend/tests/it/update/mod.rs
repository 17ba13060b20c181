//! QUIT: what is deleted, what is not, and what is said about it.

mod before_quit;
mod by_uid;
mod elsewhere;
mod foreign;
mod losses;
mod without_uidplus;

use crate::common::{World, config};
use imap_backend::{Config, DeletePolicy};

/// Without UIDPLUS and MOVE.
const POOR: &str = "IMAP4rev1 LITERAL+";
const MAIL: [(u32, u64); 6] = [(2, 5), (3, 5), (4, 5), (7, 5), (8, 5), (20, 5)];

fn with(delete: DeletePolicy) -> Config {
    let mut config = config();
    config.delete = delete;
    config
}

fn trash() -> DeletePolicy {
    DeletePolicy::Trash {
        fallback: "Trash".into(),
    }
}

fn opened(delete: DeletePolicy, capabilities: &str) -> World {
    World::opened(with(delete), capabilities, &MAIL)
}

/// Tells the flags of all messages to a look; `deleted` have `\Deleted`.
fn tell_flags(world: &mut World, deleted: &[u32]) {
    let tag = world.expect("UID FETCH 1:* (UID FLAGS)");
    for (place, (uid, _)) in MAIL.iter().enumerate() {
        let flag = if deleted.contains(uid) {
            "\\Deleted \\Seen"
        } else {
            "\\Seen"
        };
        world.serve(&format!(
            "* {} FETCH (UID {uid} FLAGS ({flag}))\r\n",
            place + 1
        ));
    }
    world.serve(&format!("{tag} OK done\r\n"));
}

/// No command of this session changes anything.
fn changes_nothing(world: &World) -> bool {
    let sent = world.everything_sent();
    ![
        "STORE", "EXPUNGE", "COPY", "MOVE", "CLOSE", "CREATE", "APPEND",
    ]
    .iter()
    .any(|verb| sent.contains(verb))
}
