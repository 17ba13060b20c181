//! What the failures of a login are counted for, and when they matter.

use pop3_proto::failed_login::Scope;

use crate::limit::{Origin, Site};

use super::devices::Digest;

/// From how many addresses a name fails before it waits.
pub const NAME_SOURCES: u32 = 4;

/// How many failures of a name count at most: 2 s, 4 s, 8 s with the usual rules. Its owner may come from a
/// new address, and no attack may keep him out.
pub const NAME_FAILURES: u32 = 3;

/// How many /64 of a /56 fail before it waits, and how many of a /48.
const SITE_SOURCES: (u32, u32) = (4, 16);

pub(super) const NAME: Scope = Scope {
    sources: NAME_SOURCES,
    most: NAME_FAILURES,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Origin(Origin),
    Site(Site),
}

impl Place {
    pub(super) fn scope(self) -> Scope {
        let sources = match self {
            Self::Origin(_) => 1,
            Self::Site(site) if site.length() >= 56 => SITE_SOURCES.0,
            Self::Site(_) => SITE_SOURCES.1,
        };
        Scope {
            sources,
            most: u32::MAX,
        }
    }
}

/// What the failures of a login are counted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subjects {
    pub(super) origin: Origin,
    pub(super) name: Option<Digest>,
}

impl Subjects {
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let origin = std::iter::once(Place::Origin(self.origin));
        origin.chain(self.origin.sites().map(Place::Site))
    }
}
