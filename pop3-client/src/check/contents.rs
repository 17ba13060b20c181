//! What a mailbox holds according to LIST and UIDL. Reads listings; judges nothing.

use std::collections::BTreeMap;

/// A mailbox according to LIST and UIDL.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) sizes: BTreeMap<u32, u64>,
    pub(super) ids: BTreeMap<u32, Vec<u8>>,
}

/// Lines of a number, one space and something; and the first line that is different.
pub(super) fn entries<T>(
    lines: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
) -> (BTreeMap<u32, T>, Option<String>) {
    let mut found = BTreeMap::new();
    let mut odd = None;
    for line in lines.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let entry = line
            .iter()
            .position(|octet| *octet == b' ')
            .and_then(|space| {
                let number = str::from_utf8(&line[..space]).ok()?.parse().ok()?;
                Some((number, read(&line[space + 1..])?))
            });
        match entry {
            Some((number, value)) => {
                found.insert(number, value);
            }
            None if odd.is_none() => odd = Some(String::from_utf8_lossy(line).into_owned()),
            None => {}
        }
    }
    (found, odd)
}
