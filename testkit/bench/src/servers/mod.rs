//! Every server of the benchmark, and where it is reached.
//!
//! ```text
//! native   client → Dovecot's POP3 on the Maildirs
//! relay    client → haproxy → native
//! imapc    client → Dovecot's POP3 over its IMAP client ┐
//! tokio    client → the gateway                         ├→ upstream: Dovecot's IMAP on the same Maildirs
//! smol     client → the gateway                         │
//! bare     IMAP client                                  ┘
//!          IMAP client → haproxy → upstream, to see what any hop would leave of bare
//! ```
//!
//! Each hop behind a proxy also exists through a relay that takes 20 ms for a round trip; for `native` and
//! `bare` that is the client's own way.

mod dovecot;
pub(crate) mod gateway;
mod haproxy;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;

use crate::Outcome;
use crate::delay;
use crate::place::Place;
use crate::pop::Door;
use crate::process::{Served, Tree};
use crate::wire::trusting;

/// The columns of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Imapc,
    Native,
    Relay,
    Bare,
    Tokio,
    Smol,
}

impl Who {
    pub(crate) const ALL: [Self; 6] = [
        Self::Imapc,
        Self::Native,
        Self::Relay,
        Self::Bare,
        Self::Tokio,
        Self::Smol,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Imapc => "imapc",
            Self::Native => "native",
            Self::Relay => "relay",
            Self::Bare => "bare",
            Self::Tokio => "tokio",
            Self::Smol => "smol",
        }
    }

    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Tokio | Self::Smol)
    }
}

/// A POP3 server and its ways in.
pub(crate) struct Peer {
    pub(crate) who: Who,
    served: Served,
    pub(crate) plain: Door,
    pub(crate) tls: Door,
    /// With 20 ms of round trip behind it.
    pub(crate) far: Door,
    /// The processes behind `far`, where they are others.
    _far: Option<Served>,
    /// Where it keeps what it knows of a mailbox.
    index: Option<PathBuf>,
}

impl Peer {
    pub(crate) fn tree(&self) -> Tree {
        Tree(self.served.pid())
    }

    /// Starts it anew, so that it holds no more than it needs.
    pub(crate) fn restart(&mut self) -> Outcome {
        self.served.restart()
    }

    /// Forgets what is known of a user's mailbox. Says whether there is anything that it could keep.
    pub(crate) fn forget(&self, user: &str) -> bool {
        // not there the first time
        let folder = self.index.as_ref().map(|index| index.join(user));
        folder.map(fs::remove_dir_all).is_some()
    }
}

/// All that listens.
pub(crate) struct Servers {
    pub(crate) peers: Vec<Peer>,
    /// Where the upstream is reached by IMAP.
    pub(crate) imap: u16,
    /// The same with 20 ms of round trip.
    pub(crate) imap_far: u16,
    /// The same through haproxy.
    pub(crate) imap_relayed: u16,
    _upstream: Served,
}

/// The gateway to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ours<'a> {
    pub(crate) binary: &'a Path,
    /// What it may fetch ahead, unless that is its default.
    pub(crate) read_ahead: Option<&'a str>,
    /// After how long its sessions rest, if they do.
    pub(crate) rest: Option<&'a str>,
}

/// Two ports of a server for its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) plain: u16,
    tls: u16,
}

impl Ports {
    pub(crate) fn new(place: &Place) -> Outcome<Self> {
        Ok(Self {
            plain: place.port()?,
            tls: place.port()?,
        })
    }

    fn doors(self, config: &Arc<ClientConfig>) -> (Door, Door) {
        (
            Door::Plain(self.plain),
            Door::Tls(self.tls, Arc::clone(config)),
        )
    }
}

impl Servers {
    pub(crate) fn start(place: &Place, mail: &Path, ours: Ours<'_>) -> Outcome<Self> {
        let config = trusting(&place.der)?;
        let imap = place.port()?;
        let upstream = dovecot::imap(place, mail, imap)?;
        let imap_far = far(place, imap)?;

        let ports = Ports::new(place)?;
        let served = dovecot::native(place, mail, ports)?;
        let native_far = far(place, ports.plain)?;
        let (plain, tls) = ports.doors(&config);
        let native = Peer {
            who: Who::Native,
            served,
            plain,
            tls,
            far: Door::Plain(native_far),
            _far: None,
            index: None,
        };

        let relayed = haproxy::Relayed {
            native: ports.plain,
            far: haproxy::Way {
                at: place.port()?,
                to: native_far,
            },
            imap: haproxy::Way {
                at: place.port()?,
                to: imap,
            },
        };
        let ports = Ports::new(place)?;
        let served = haproxy::start(place, ports, relayed)?;
        let (plain, tls) = ports.doors(&config);
        let relay = Peer {
            who: Who::Relay,
            served,
            plain,
            tls,
            far: Door::Plain(relayed.far.at),
            _far: None,
            index: None,
        };

        let ports = [Ports::new(place)?, Ports::new(place)?];
        let index = place.path("imapc");
        place.own(&index)?;
        let (plain, tls) = ports[0].doors(&config);
        let imapc = Peer {
            who: Who::Imapc,
            served: dovecot::imapc(place, "imapc", &index, ports[0], imap)?,
            plain,
            tls,
            far: Door::Plain(ports[1].plain),
            _far: Some(dovecot::imapc(
                place,
                "imapc-far",
                &index,
                ports[1],
                imap_far,
            )?),
            index: Some(index),
        };

        let mut peers = vec![imapc, native, relay];
        for who in [Who::Tokio, Who::Smol] {
            let ports = [Ports::new(place)?, Ports::new(place)?];
            let start = |what: &str, ports, upstream| {
                let name = format!("{}{what}", who.name());
                gateway::start(place, ours, who.name(), &name, ports, upstream)
            };
            let (plain, tls) = ports[0].doors(&config);
            peers.push(Peer {
                who,
                served: start("", ports[0], imap)?,
                plain,
                tls,
                far: Door::Plain(ports[1].plain),
                _far: Some(start("-far", ports[1], imap_far)?),
                index: None,
            });
        }
        Ok(Self {
            peers,
            imap,
            imap_far,
            imap_relayed: relayed.imap.at,
            _upstream: upstream,
        })
    }

    pub(crate) fn peer(&mut self, who: Who) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.who == who)
    }
}

/// A port behind which `target` is 20 ms away.
fn far(place: &Place, target: u16) -> Outcome<u16> {
    let port = place.port()?;
    delay::relay(port, target)?;
    Ok(port)
}
