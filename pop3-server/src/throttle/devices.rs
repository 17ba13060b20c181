//! Which devices were right lately.
//!
//! Owns a bounded table of keyed digests of name, credential and address. The key is made when the process
//! starts and never leaves it; nothing can be learned from a digest without it, and no secret is kept.
//!
//! Each name has a few places of its own, and the one that was used longest ago makes room. So the owner of
//! an account can push out only devices of that account.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pop3_proto::backend::Login;
use pop3_proto::time::Time;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::limit::Origin;

/// How long a device stays known after it was right last.
pub const LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Devices of one name.
pub const DEVICES: usize = 16;

/// Names with devices.
pub const NAMES: usize = 20_000;

pub(super) type Digest = [u8; 16];

/// The form of a name that stands for all of them: accounts are looked up by prepared names (RFC 4013), and each name
/// has any number of other forms.
pub(super) fn one_form(name: &str) -> String {
    let prepared = stringprep::saslprep(name);
    prepared.as_deref().unwrap_or(name).to_lowercase()
}

/// Makes the digests.
pub(super) struct Key {
    mac: Hmac<Sha256>,
    /// Half as long as a digest and kept for no comparison of secrets, so a keyed hash will do.
    origins: RandomState,
    /// Without a random key no device is recognised.
    random: bool,
}

impl Key {
    pub(super) fn new() -> Self {
        let mut key = [0; 64];
        let random = getrandom::fill(&mut key).is_ok();
        Self {
            mac: Hmac::<Sha256>::new(&key.into()),
            origins: RandomState::new(),
            random,
        }
    }

    fn digest(&self, what: u8, fields: &[&[u8]]) -> Digest {
        let mut mac = self.mac.clone();
        mac.update(&[what]);
        for field in fields {
            // with its length in front, no field runs into the next
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut digest = Digest::default();
        digest.copy_from_slice(&whole[..16]);
        digest
    }

    /// A name, however it is written.
    pub(super) fn name(&self, name: &str) -> Digest {
        self.digest(b'n', &[one_form(name).as_bytes()])
    }

    pub(super) fn origin(&self, origin: Origin) -> u64 {
        self.origins.hash_one(origin)
    }

    /// The device that this login comes from; `named` is the digest of its name.
    pub(super) fn device(&self, named: Digest, login: &Login, origin: Origin) -> Option<Device> {
        let name = login.identity().filter(|_| self.random)?;
        let (form, credential): (&str, Option<&[u8]>) = match login {
            Login::Password { password, .. } | Login::ActingFor { password, .. } => {
                ("password", Some(password.expose()))
            }
            Login::Bearer { token, .. } => ("token", Some(token.expose())),
            // the answer to a challenge differs each time
            Login::Apop { .. } => ("APOP", None),
            Login::CramMd5 { .. } => ("CRAM-MD5", None),
            Login::Relay { mechanism, .. } => (mechanism.as_str(), None),
            _ => return None,
        };
        let user = login.user().unwrap_or_default();
        let fields = [
            form.as_bytes(),
            name.as_bytes(),
            user.as_bytes(),
            credential.unwrap_or_default(),
            &origin.octets(),
        ];
        Some(Device {
            name: named,
            origin: self.origin(origin),
            proof: self.digest(b'd', &fields),
            tells: credential.is_some(),
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// A login as a device is known by.
#[derive(Clone, Debug)]
pub(super) struct Device {
    name: Digest,
    origin: u64,
    proof: Digest,
    /// Whether the proof covers a credential: if it does, only the right one finds the entry.
    tells: bool,
}

/// A [`Time`] in half the memory: the nanoseconds since the start of the clock, enough for centuries.
#[derive(Clone, Copy, Debug)]
struct Moment(u64);

impl From<Time> for Moment {
    fn from(time: Time) -> Self {
        let nanoseconds = time.since_start().as_nanos();
        Self(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

impl From<Moment> for Time {
    fn from(Moment(nanoseconds): Moment) -> Self {
        Self::from_start(Duration::from_nanos(nanoseconds))
    }
}

#[derive(Clone, Debug)]
struct Known {
    origin: u64,
    proof: Digest,
    last: Moment,
    /// Its pass was used up, or it was wrong after it was right: only the address still counts.
    spent: bool,
}

/// The devices that were right lately.
#[derive(Debug, Default)]
pub(super) struct Devices(HashMap<Digest, Vec<Known>>);

impl Devices {
    /// Whether this device was right lately. A device that answers challenges is known by its name and
    /// address only, so it passes once, and again after it was right.
    pub(super) fn passes(&mut self, device: &Device, now: Time) -> bool {
        let is_good = |known: &Known| is_fresh(known, now) && !known.spent;
        let passes = self.0.get(&device.name).is_some_and(|known| {
            known
                .iter()
                .any(|known| bool::from(known.proof.ct_eq(&device.proof)) & is_good(known))
        });
        if passes && !device.tells {
            self.spend(device);
        }
        passes
    }

    /// Whether somebody with this name was right lately from this address.
    pub(super) fn is_familiar(&self, device: &Device, now: Time) -> bool {
        self.0.get(&device.name).is_some_and(|known| {
            known
                .iter()
                .any(|known| known.origin == device.origin && is_fresh(known, now))
        })
    }

    pub(super) fn remember(&mut self, device: &Device, now: Time) {
        if !self.0.contains_key(&device.name) && self.0.len() >= NAMES {
            self.make_room(now);
        }
        let known = self.0.entry(device.name).or_default();
        known.retain(|known| known.proof != device.proof);
        if known.len() >= DEVICES {
            known.remove(0);
        }
        // nearly all names have one device, and there are many names
        known.reserve_exact(1);
        known.push(Known {
            origin: device.origin,
            proof: device.proof,
            last: Moment::from(now),
            spent: false,
        });
    }

    /// This device does not pass any more until it is right again.
    pub(super) fn spend(&mut self, device: &Device) {
        for known in self.0.get_mut(&device.name).into_iter().flatten() {
            known.spent |= bool::from(known.proof.ct_eq(&device.proof));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Forgets the names that were right longest ago, a tenth of all.
    fn make_room(&mut self, now: Time) {
        let last = |known: &Vec<Known>| known.last().map_or(Time::ZERO, |known| known.last.into());
        self.0.retain(|_, known| now.since(last(known)) < LIFETIME);
        if self.0.len() < NAMES {
            return;
        }
        let mut moments: Vec<Time> = self.0.values().map(last).collect();
        let place = moments.len() / 10;
        let (_, oldest, _) = moments.select_nth_unstable(place);
        let oldest = *oldest;
        self.0.retain(|_, known| last(known) > oldest);
    }
}

fn is_fresh(known: &Known, now: Time) -> bool {
    now.since(known.last.into()) < LIFETIME
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    /// A device of the name with this number.
    fn device(key: &Key, number: usize) -> Device {
        let login = Login::Password {
            user: format!("user{number}"),
            password: b"secret"[..].into(),
        };
        let origin = Origin::from(IpAddr::from([192, 0, 2, 1]));
        of(key, &login, origin)
    }

    fn of(key: &Key, login: &Login, origin: Origin) -> Device {
        let name = login.identity().map(|name| key.name(name));
        let device = name.and_then(|name| key.device(name, login, origin));
        device.expect("a random key")
    }

    fn at(seconds: usize) -> Time {
        Time::from_start(Duration::from_secs(seconds as u64))
    }

    #[test]
    fn a_full_table_forgets_a_tenth_of_the_names() {
        let key = Key::new();
        let mut devices = Devices::default();
        for number in 0..NAMES {
            devices.remember(&device(&key, number), at(number));
        }
        assert_eq!(devices.len(), NAMES);
        // one that is known needs no room
        devices.remember(&device(&key, 0), at(NAMES));
        assert_eq!(devices.len(), NAMES);
        let now = at(NAMES + 1);
        devices.remember(&device(&key, NAMES), now);
        let forgotten = NAMES / 10 + 1;
        assert_eq!(devices.len(), NAMES - forgotten + 1);
        for (number, passes) in [
            (0, true),
            (1, false),
            (forgotten, false),
            (forgotten + 1, true),
            (NAMES, true),
        ] {
            assert_eq!(devices.passes(&device(&key, number), now), passes);
        }
    }

    #[test]
    fn a_full_table_forgets_what_is_too_old_first() {
        let key = Key::new();
        let mut devices = Devices::default();
        for number in 0..NAMES {
            devices.remember(&device(&key, number), at(number));
        }
        devices.remember(&device(&key, NAMES), at(9) + LIFETIME);
        assert_eq!(devices.len(), NAMES - 10 + 1);
    }

    #[test]
    fn who_was_right_lately_from_the_same_address_is_familiar() {
        let key = Key::new();
        let mut devices = Devices::default();
        let (known, stranger) = (device(&key, 1), device(&key, 2));
        devices.remember(&known, at(1));
        let elsewhere = Device {
            origin: 0,
            ..known.clone()
        };
        let end = at(1) + LIFETIME;
        assert!(devices.is_familiar(&known, at(2)));
        for (device, now) in [(&stranger, at(2)), (&elsewhere, at(2)), (&known, end)] {
            assert!(!devices.is_familiar(device, now));
        }
    }

    /// They stay for days, each name with one device as a rule.
    #[test]
    fn a_known_device_takes_little_memory() {
        let key = Key::new();
        let login = Login::Password {
            user: "tim".into(),
            password: b"secret"[..].into(),
        };
        let origin = Origin::from(IpAddr::from([192, 0, 2, 1]));
        let mut devices = Devices::default();
        let device = of(&key, &login, origin);
        for second in 0..3 {
            devices.remember(&device, Time::from_start(Duration::from_secs(second)));
            let capacities: Vec<usize> = devices.0.values().map(Vec::capacity).collect();
            assert_eq!(capacities, [1]);
        }
        assert!(size_of::<Known>() <= 40, "{}", size_of::<Known>());
    }
}
