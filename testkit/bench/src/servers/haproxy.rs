//! haproxy, passing bytes on: the least that a hop costs.

use std::fs;

use super::Ports;
use crate::Outcome;
use crate::place::{Place, program};
use crate::process::Served;

/// What it passes on to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relayed {
    pub(super) native: u16,
    pub(super) far: Way,
    /// To the upstream, for an IMAP client.
    pub(super) imap: Way,
}

/// A port, and the one after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) at: u16,
    pub(super) to: u16,
}

pub(super) fn start(place: &Place, ports: Ports, to: Relayed) -> Outcome<Served> {
    let binary = program("haproxy", "haproxy")?;
    let folder = place.path("relay");
    fs::create_dir_all(&folder)?;
    let config = folder.join("haproxy.cfg");
    let text = format!(
        "global
  maxconn 5000

defaults
  mode tcp
  timeout connect 30s
  timeout client 1h
  timeout server 1h

listen plain
  bind 127.0.0.1:{plain}
  server native 127.0.0.1:{near}

listen tls
  bind 127.0.0.1:{tls} ssl crt {pem}
  server native 127.0.0.1:{near}

listen far
  bind 127.0.0.1:{far}
  server native 127.0.0.1:{behind}
listen imap
  bind 127.0.0.1:{imap}
  server imap 127.0.0.1:{upstream}
",
        plain = ports.plain,
        tls = ports.tls,
        near = to.native,
        far = to.far.at,
        behind = to.far.to,
        imap = to.imap.at,
        upstream = to.imap.to,
        pem = place.pem.display(),
    );
    fs::write(&config, text)?;
    let argv = [
        binary.as_os_str(),
        "-db".as_ref(),
        "-f".as_ref(),
        config.as_os_str(),
    ];
    Served::start(
        "relay",
        argv.map(ToOwned::to_owned).into(),
        folder.join("output.log"),
        vec![ports.plain, ports.tls, to.far.at, to.imap.at],
    )
}
