//! The setting that would probably help against what a server says: the end of a line in the log.
//!
//! Guesses from words and from what was sent. Changes nothing by itself.

use crate::capability::{Capabilities, Capability};
use crate::grammar::Kind;
use crate::wire::Notice;

/// Against a login that was refused; `sasl`: by AUTHENTICATE.
pub(crate) fn of_login(
    notice: &Notice,
    sasl: bool,
    capabilities: Option<&Capabilities>,
) -> &'static str {
    if wants_id(notice) {
        return SEND_ID;
    }
    let can = |capability| capabilities.is_some_and(|known| known.has(capability));
    match (notice.kind, sasl) {
        (Kind::Bad, true) if can(Capability::SaslIr) => {
            "; without = [\"SASL-IR\"] may help, or login = \"login\""
        }
        (Kind::Bad, true) => "; login = \"login\" may help",
        (Kind::Bad, false) if can(Capability::LiteralPlus) || can(Capability::LiteralMinus) => {
            "; without = [\"LITERAL+\", \"LITERAL-\"] may help, or login = \"plain\""
        }
        (Kind::Bad, false) => "; login = \"plain\" may help",
        (Kind::Ok | Kind::No | Kind::Bye | Kind::Preauth, _) => "",
    }
}

/// Against a folder that does not open.
pub(crate) fn of_folder(notice: &Notice) -> &'static str {
    if wants_id(notice) {
        SEND_ID
    } else if notice.kind == Kind::No {
        "; is the name of folder right?"
    } else {
        ""
    }
}

const SEND_ID: &str = "; send_id = true may help";

fn wants_id(notice: &Notice) -> bool {
    let text = notice.text.to_ascii_lowercase();
    [
        "unsafe login",
        "id command",
        "client id",
        "send id",
        "imap id",
    ]
    .iter()
    .any(|words| text.contains(words))
}
