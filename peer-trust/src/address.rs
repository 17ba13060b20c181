//! The order in which the addresses of a name are tried. Does not decide when.

use std::net::SocketAddr;

/// The order of the attempts: first the one that worked `last` (if it is still among them), then the
/// families in turn, each in the order that the system prefers (RFC 8305 section 4). No address occurs
/// twice.
pub fn in_turn(addresses: Vec<SocketAddr>, last: Option<SocketAddr>) -> Vec<SocketAddr> {
    let mut known = Vec::with_capacity(addresses.len());
    if let Some(last) = last.filter(|last| addresses.contains(last)) {
        known.push(last);
    }
    for address in addresses {
        if !known.contains(&address) {
            known.push(address);
        }
    }
    let first_is_v6 = known.first().is_some_and(SocketAddr::is_ipv6);
    let (ours, theirs): (Vec<_>, Vec<_>) = known
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut ours, mut theirs) = (ours.into_iter(), theirs.into_iter());
    let mut order = Vec::with_capacity(ours.len() + theirs.len());
    while ours.len() + theirs.len() > 0 {
        order.extend(ours.next());
        order.extend(theirs.next());
    }
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split(' ').map(|one| one.parse().unwrap()).collect()
    }

    #[test]
    fn w042_families_take_turns_in_the_system_s_order() {
        let given = addresses("[::1]:1 [::2]:1 [::3]:1 1.1.1.1:1 [::1]:1 2.2.2.2:1");
        let wanted = addresses("[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 [::3]:1");
        assert_eq!(in_turn(given, None), wanted);
        assert_eq!(
            in_turn(addresses("1.1.1.1:1 [::1]:1"), None)[0],
            addresses("1.1.1.1:1")[0]
        );
        assert!(in_turn(Vec::new(), None).is_empty());
    }

    #[test]
    fn what_worked_last_comes_first() {
        let given = addresses("[::1]:1 [::2]:1 1.1.1.1:1");
        let last = given[2];
        let wanted = addresses("1.1.1.1:1 [::1]:1 [::2]:1");
        assert_eq!(in_turn(given.clone(), Some(last)), wanted);
        let gone = addresses("9.9.9.9:1")[0];
        assert_eq!(in_turn(given.clone(), Some(gone)), in_turn(given, None));
    }
}
