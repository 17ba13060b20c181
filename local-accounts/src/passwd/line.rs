//! One line of a passwd-file: an account, or what is wrong with it.
//!
//! `name:credential:uid:gid:gecos:home:shell:extra fields`, as Dovecot reads it. A field that limits an
//! account is honoured or, if it is not understood, a mistake. It is never skipped.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use pop3_proto::backend::Access;
use time::{Date, Month};

use crate::credential::Credential;

/// The longest name, in octets.
pub(super) const MAX_NAME: usize = 255;
/// The longest line, in octets.
const MAX_LINE: usize = 64 * 1024;
/// Which field after the credential is the home, counted from 1: uid, gid, gecos, home.
const HOME: usize = 4;
/// After them and the shell: the extra fields.
const EXTRA: usize = 6;

/// One account of a [`PasswdFile`](super::PasswdFile).
#[derive(Clone)]
pub struct PasswdEntry {
    pub(super) name: String,
    pub(super) credential: Credential,
    /// The credential as it is written.
    pub(super) text: String,
    /// What follows it, with its colon.
    pub(super) rest: String,
    fields: Fields,
}

#[derive(Clone, Default)]
struct Fields {
    maildrop: Option<String>,
    nologin: bool,
    nopassword: bool,
    nets: Option<Vec<IpNet>>,
    access: Access,
    keeps: bool,
    /// In seconds since 1970.
    expires: Option<u64>,
}

/// What is wrong with a line, and at which octet of it.
pub(crate) struct Wrong {
    pub(super) at: usize,
    pub(super) what: String,
}

impl Wrong {
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self {
            at,
            what: what.into(),
        }
    }
}

impl PasswdEntry {
    /// The name for logins.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account whose maildrop is opened: the name, unless `user=` says otherwise.
    pub fn maildrop(&self) -> &str {
        self.fields.maildrop.as_deref().unwrap_or(&self.name)
    }

    /// What passwords are checked against.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The home directory, if the line names one.
    pub fn home(&self) -> Option<&str> {
        let home = self.rest.split(':').nth(HOME);
        home.filter(|home| !home.is_empty())
    }

    /// Whether logins are allowed at all, whatever the credential: not with `nologin`.
    pub fn is_open(&self) -> bool {
        !self.fields.nologin
    }

    /// What the account may do: all of it, unless `access=` says otherwise.
    pub fn access(&self) -> Access {
        self.fields.access
    }

    /// Whether DELE is to be answered and nothing to be removed (`access=no-delete`): for devices that cannot do
    /// without it.
    pub fn keeps(&self) -> bool {
        self.fields.keeps
    }

    /// Whether the account has ended by now, in seconds since 1970: it does at the beginning of the day, in UTC,
    /// that `expires=` names.
    pub fn has_expired(&self, now: u64) -> bool {
        self.fields.expires.is_some_and(|end| end <= now)
    }

    /// Whether logins from there are allowed by `nologin` and `allow_nets`. An unknown address is in no
    /// network.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let nets = self.fields.nets.as_ref();
        self.is_open()
            && nets.is_none_or(|nets| {
                address.is_some_and(|address| nets.iter().any(|net| net.contains(&address)))
            })
    }
}

impl fmt::Debug for PasswdEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PasswdEntry")
            .field(&self.name)
            .finish_non_exhaustive()
    }
}

/// Reads a line without its end; nothing if it is blank or a comment.
pub(super) fn read(line: &[u8]) -> Result<Option<PasswdEntry>, Wrong> {
    if line.len() > MAX_LINE {
        let what = format!("the line is longer than {} KiB", MAX_LINE >> 10);
        return Err(Wrong::new(0, what));
    }
    if is_other(line) {
        return Ok(None);
    }
    let text =
        str::from_utf8(line).map_err(|error| Wrong::new(error.valid_up_to(), "not UTF-8"))?;
    account(text).map(Some)
}

/// Whether the line is blank or a comment.
pub(super) fn is_other(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || line.starts_with(b"#")
}

/// The account that a line is about, right or wrong, if that much can be read.
pub(super) fn name(line: &[u8]) -> Option<&str> {
    // no name is longer, and none has a colon
    let start = &line[..line.len().min(MAX_NAME + 1)];
    let name = start.split(|octet| *octet == b':').next()?;
    let name = str::from_utf8(name).ok()?;
    check_name(name).is_ok().then_some(name)
}

/// An account that is made here.
pub(super) fn made(name: &str, text: &str, credential: Credential) -> PasswdEntry {
    PasswdEntry {
        name: name.into(),
        credential,
        text: text.into(),
        rest: String::new(),
        fields: Fields::default(),
    }
}

fn account(line: &str) -> Result<PasswdEntry, Wrong> {
    let Some((name, after)) = line.split_once(':') else {
        let what = "no credential; an account is written as name:credential";
        return Err(Wrong::new(line.len(), what));
    };
    check_name(name).map_err(|what| Wrong::new(0, format!("not a name for an account: {what}")))?;
    let at = name.len() + 1;
    let text_len = after.find(':').unwrap_or(after.len());
    let (text, rest) = after.split_at(text_len);
    let fields = extra_fields(rest).map_err(|what| Wrong::new(at + text_len, what))?;
    let credential = match (fields.nopassword, text) {
        (true, text) if is_empty(text) => Credential::none_wanted(),
        (true, _) => {
            let what = "nopassword needs an empty credential; remove one of them";
            return Err(Wrong::new(at, what));
        }
        (false, text) => {
            Credential::parse(text).map_err(|error| Wrong::new(at, error.to_string()))?
        }
    };
    Ok(PasswdEntry {
        name: name.into(),
        credential,
        text: text.into(),
        rest: rest.into(),
        fields,
    })
}

/// Whether there is nothing, or nothing after a scheme: Dovecot's documentation writes `{plain}` with nopassword.
fn is_empty(credential: &str) -> bool {
    credential.is_empty()
        || credential.starts_with('{') && credential.find('}') == Some(credential.len() - 1)
}

fn extra_fields(rest: &str) -> Result<Fields, String> {
    let mut fields = Fields::default();
    let Some(extra) = rest.splitn(EXTRA + 1, ':').nth(EXTRA) else {
        return Ok(fields);
    };
    for field in extra.split_ascii_whitespace() {
        let (name, value) = match field.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (field, None),
        };
        match (name, value) {
            ("user", Some(user)) => {
                check_name(user).map_err(|what| format!("user={user}: {what}"))?;
                fields.maildrop = Some(user.into());
            }
            // as in Dovecot, whatever its value: `nologin=no` is no login either
            ("nologin", _) => fields.nologin = true,
            ("nopassword", value) => fields.nopassword = switched("nopassword", value)?,
            ("allow_nets" | "allow_real_nets", Some(value)) => {
                let nets = networks(name, value)?;
                // within both, where both are there
                fields.nets = Some(match fields.nets.take() {
                    None => nets,
                    Some(others) => both(&others, &nets),
                });
            }
            ("access", Some(value)) => {
                (fields.access, fields.keeps) = match value {
                    "read-write" => (Access::ReadWrite, false),
                    "read-only" => (Access::ReadOnly, false),
                    "no-delete" => (Access::ReadWrite, true),
                    _ => return Err("access must be read-write, read-only or no-delete".into()),
                };
            }
            ("expires", Some(value)) => {
                let day = day(value).ok_or("expires must be a day, such as 2027-01-31")?;
                fields.expires = Some(day);
            }
            // for Dovecot's own use; none of them limits logins
            ("nodelay", _) => {}
            (name, _)
                if ["userdb_", "event_", "forward_"]
                    .iter()
                    .any(|p| name.starts_with(p)) => {}
            _ => {
                return Err(format!(
                    "the extra field {name:?} is not supported, and may be meant to limit the account; remove it"
                ));
            }
        }
    }
    Ok(fields)
}

/// The beginning of a day such as `2027-01-31`, in UTC, in seconds since 1970.
pub fn day(text: &str) -> Option<u64> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    u64::try_from(date.midnight().assume_utc().unix_timestamp()).ok()
}

fn switched(name: &str, value: Option<&str>) -> Result<bool, String> {
    match value.unwrap_or("yes").to_ascii_lowercase().as_str() {
        "" | "y" | "yes" | "1" | "true" => Ok(true),
        "n" | "no" | "0" | "false" => Ok(false),
        _ => Err(format!("{name} must be yes or no")),
    }
}

/// Addresses and networks with commas between them. `local` is Dovecot's word for clients without an address, of
/// which there are none here.
fn networks(name: &str, value: &str) -> Result<Vec<IpNet>, String> {
    let network = |text: &str| {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let net = bare.parse::<IpNet>().ok();
        let address = || bare.parse::<IpAddr>().ok().map(IpNet::from);
        net.or_else(address).map(canonical).ok_or_else(|| {
            format!(
                "{name}: {text:?} is not a network; write for example 192.0.2.0/24 or 2001:db8::/32"
            )
        })
    };
    let named = value.split(',').filter(|text| *text != "local");
    named.map(network).collect()
}

/// A network of IPv4 addresses that are written as IPv6 addresses (RFC 4291 section 2.5.5.2) is one of IPv4:
/// clients are compared as such.
fn canonical(net: IpNet) -> IpNet {
    let mapped = net.addr().to_canonical();
    let bits = net
        .prefix_len()
        .checked_sub(96)
        .filter(|_| mapped.is_ipv4());
    let canonical = bits.and_then(|bits| IpNet::new(mapped, bits).ok());
    canonical.filter(|_| net.addr().is_ipv6()).unwrap_or(net)
}

/// Two networks share nothing, or one lies within the other.
fn both(some: &[IpNet], others: &[IpNet]) -> Vec<IpNet> {
    let pairs = some.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
    let shared = pairs.filter_map(|(a, b)| match () {
        () if a.contains(b) => Some(*b),
        () if b.contains(a) => Some(*a),
        () => None,
    });
    shared.collect()
}

/// Whether this can be an account's name: it has to fit into a line of the file, before a colon.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > MAX_NAME {
        return Err("it is longer than 255 octets");
    }
    if name.contains(':') {
        return Err("it has a colon, which ends the name");
    }
    if name.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if name.starts_with('#') || name.trim() != name {
        return Err("it starts with #, or with a space, or ends with one");
    }
    Ok(())
}
