//! What the upstream says that it can do, without what the operator does not believe.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::grammar::words;

/// The capabilities of a connection at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    known: u32,
    /// The SASL mechanisms, in upper case, separated by spaces.
    mechanisms: Box<str>,
}

/// A capability that makes a difference here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Capability {
    Enable,
    Id,
    Idle,
    LiteralMinus,
    LiteralPlus,
    ListExtended,
    LoginDisabled,
    Move,
    Rev1,
    Rev2,
    SaslIr,
    SpecialUse,
    UidPlus,
    Utf8Accept,
    Xclient,
}

const NAMES: [(&str, Capability); 16] = [
    ("ENABLE", Capability::Enable),
    ("ID", Capability::Id),
    ("IDLE", Capability::Idle),
    ("IMAP4REV1", Capability::Rev1),
    ("IMAP4REV2", Capability::Rev2),
    ("LIST-EXTENDED", Capability::ListExtended),
    ("LITERAL+", Capability::LiteralPlus),
    ("LITERAL-", Capability::LiteralMinus),
    ("LOGINDISABLED", Capability::LoginDisabled),
    ("MOVE", Capability::Move),
    ("SASL-IR", Capability::SaslIr),
    ("SPECIAL-USE", Capability::SpecialUse),
    ("UIDPLUS", Capability::UidPlus),
    ("UTF8=ACCEPT", Capability::Utf8Accept),
    ("UTF8=ONLY", Capability::Utf8Accept),
    ("XCLIENT", Capability::Xclient),
];

/// What a server that speaks only IMAP4rev2 can do without announcing it (RFC 9051 appendix E).
const REV2: [Capability; 8] = [
    Capability::Enable,
    Capability::Idle,
    Capability::ListExtended,
    Capability::LiteralMinus,
    Capability::Move,
    Capability::SaslIr,
    Capability::SpecialUse,
    Capability::UidPlus,
];

/// The capabilities that matter here.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut any = false;
        for (name, capability) in NAMES {
            if self.has(capability) && name != "UTF8=ONLY" {
                f.write_str(if any { " " } else { "" })?;
                f.write_str(name)?;
                any = true;
            }
        }
        for mechanism in self.mechanisms.split_ascii_whitespace() {
            write!(f, "{}AUTH={mechanism}", if any { " " } else { "" })?;
            any = true;
        }
        if any {
            Ok(())
        } else {
            f.write_str("nothing known")
        }
    }
}

impl Capabilities {
    /// Reads a list of capabilities, leaving out the `masked` ones.
    pub(crate) fn read(list: &[u8], masked: &[String]) -> Self {
        let is_masked = |name: &[u8]| {
            masked
                .iter()
                .any(|m| name.eq_ignore_ascii_case(m.as_bytes()))
        };
        let (mut capabilities, mut mechanisms) = (Self::default(), String::new());
        for name in words(list).filter(|name| !is_masked(name)) {
            if let Some((_, known)) = NAMES
                .iter()
                .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
            {
                capabilities.set(*known);
            } else if let Some((prefix, mechanism)) = name.split_at_checked(5)
                && prefix.eq_ignore_ascii_case(b"AUTH=")
            {
                add_mechanism(&mut mechanisms, mechanism);
            }
        }
        if capabilities.has(Capability::Rev2) && !capabilities.has(Capability::Rev1) {
            for implied in REV2 {
                let named = NAMES.iter().find(|(_, known)| *known == implied);
                if !named.is_some_and(|(name, _)| is_masked(name.as_bytes())) {
                    capabilities.set(implied);
                }
            }
        }
        capabilities.mechanisms = mechanisms.into();
        capabilities
    }

    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.known & 1 << capability as u8 != 0
    }

    /// Whether AUTHENTICATE takes this mechanism; its name is given in upper case.
    pub(crate) fn authenticates(&self, mechanism: &str) -> bool {
        self.mechanisms
            .split(' ')
            .any(|offered| offered == mechanism)
    }

    /// Whether a literal of this size may be sent without waiting.
    pub(crate) fn takes_literal(&self, size: usize) -> bool {
        self.has(Capability::LiteralPlus) || self.has(Capability::LiteralMinus) && size <= 4096
    }

    fn set(&mut self, capability: Capability) {
        self.known |= 1 << capability as u8;
    }
}

fn add_mechanism(mechanisms: &mut String, name: &[u8]) {
    if let Ok(name) = core::str::from_utf8(name)
        && mechanisms.len() + name.len() < 512
    {
        let begin = mechanisms.len();
        mechanisms.push_str(name);
        mechanisms[begin..].make_ascii_uppercase();
        mechanisms.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// The names of mechanisms are kept up to 512 octets in all, spaces included.
    #[test]
    fn mechanisms_are_kept_within_a_bound() {
        let announced = |length: usize| -> String {
            let name = |n| format!("AUTH={n:0>length$} ");
            (0..100).map(name).collect()
        };
        for (length, kept) in [(15, 32), (31, 16), (30, 16), (18, 26), (1, 100)] {
            let capabilities = Capabilities::read(announced(length).as_bytes(), &[]);
            assert!(capabilities.mechanisms.len() <= 512);
            let found =
                (0..100).take_while(|n| capabilities.authenticates(&format!("{n:0>length$}")));
            assert_eq!(found.count(), kept, "{length}");
        }
    }
}
