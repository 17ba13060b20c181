//! The gateway, with its defaults except for the limits that would stop a benchmark. Only users of two domains have
//! connections that wait, and sessions rest only where that is measured: everything else measures logins.

use std::fs;

use super::{Ours, Ports};
use crate::Outcome;
use crate::place::Place;
use crate::process::Served;

/// The domain of users whose connections wait, and whose upstream is asked at each login what is new.
pub(crate) const ASKED: &str = "asked";

/// The same where the upstream says by itself what is new.
pub(crate) const IDLING: &str = "idling";

pub(crate) fn start(
    place: &Place,
    ours: Ours<'_>,
    runtime: &str,
    name: &str,
    ports: Ports,
    upstream: u16,
) -> Outcome<Served> {
    let folder = place.path(name);
    fs::create_dir_all(&folder)?;
    let config = folder.join("pop3-gateway.toml");
    let read_ahead = ours
        .read_ahead
        .map(|size| format!("read_ahead = \"{size}\"\n"));
    let read_ahead = read_ahead.unwrap_or_default();
    let text = format!(
        "runtime = \"{runtime}\"

[[listener]]
name = \"plain\"
listen = \"127.0.0.1:{plain}\"

[[listener]]
name = \"tls\"
listen = \"127.0.0.1:{tls}\"
tls = \"implicit\"
[[listener.certificate]]
cert = \"{certificate}\"
key = \"{key}\"

[[upstream]]
name = \"dovecot\"
url = \"imap://127.0.0.1:{upstream}\"
park = \"off\"
rest = \"{rest}\"
{read_ahead}
[[upstream]]
name = \"asked\"
url = \"imap://127.0.0.1:{upstream}\"
user_domain = \"strip\"

[[upstream]]
name = \"idling\"
url = \"imap://127.0.0.1:{upstream}\"
user_domain = \"strip\"
trust_idle = true

[routing]
default = \"dovecot\"
[routing.domain]
\"{ASKED}\" = \"asked\"
\"{IDLING}\" = \"idling\"

[limits]
connections = 20000
connections_per_address = 20000
connections_per_user = 1000
",
        plain = ports.plain,
        tls = ports.tls,
        certificate = place.certificate.display(),
        key = place.key.display(),
        rest = ours.rest.unwrap_or("off"),
    );
    fs::write(&config, text)?;
    let argv = [
        ours.binary.as_os_str(),
        "serve".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
    ];
    Served::start(
        name,
        argv.map(ToOwned::to_owned).into(),
        folder.join("output.log"),
        vec![ports.plain, ports.tls],
    )
}
