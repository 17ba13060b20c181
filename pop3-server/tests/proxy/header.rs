//! The header by itself: what is read, and that another parser reads the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pop3_server::proxy::header::{Header, LONGEST, read};
use ppp::{HeaderResult, v1, v2};
use proptest::prelude::*;

use super::{SIGNATURE, binary, passed_on};

/// What is read of a whole header with a command after it.
fn whole(header: &[u8]) -> Option<Header> {
    let with_more = [header, b"CAPA\r\n"].concat();
    for length in 0..header.len() {
        assert_ne!(
            read(&with_more[..length]).map(|read| read.is_some()),
            Ok(true),
            "{length} octets of {header:?} are enough"
        );
    }
    let (said, length) = read(&with_more).ok()??;
    assert_eq!(length, header.len(), "{header:?}");
    Some(said)
}

#[test]
fn lines_name_the_client() {
    for (line, said) in [
        (
            "PROXY TCP4 192.0.2.1 198.51.100.2 4711 110",
            passed_on("192.0.2.1:4711", "198.51.100.2:110"),
        ),
        (
            "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0",
            passed_on("255.255.255.255:65535", "0.0.0.0:0"),
        ),
        (
            "PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 4711 995",
            passed_on("[2001:db8::1]:4711", "[2001:db8::2]:995"),
        ),
        (
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 995",
            passed_on("192.0.2.1:4711", "[::1]:995"),
        ),
        ("PROXY UNKNOWN", Header::Itself),
        ("PROXY UNKNOWN what may be ignored \u{e9}", Header::Itself),
    ] {
        let line = format!("{line}\r\n");
        assert_eq!(whole(line.as_bytes()), Some(said), "{line}");
    }
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
    assert_eq!(longest.len(), 107);
    assert_eq!(whole(longest.as_bytes()), Some(Header::Itself));
}

#[test]
fn other_lines_are_no_headers() {
    for line in [
        "USER joe\r\n",
        "proxy TCP4 192.0.2.1 198.51.100.2 4711 110\r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.2 4711 110\r\n",
        "PROXY\tTCP4 192.0.2.1 198.51.100.2 4711 110\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711 110\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711 110 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711 110 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 04711 110\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +4711 110\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 65536 110\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 -1 110\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2  110\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 4711 110\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.2 4711 110\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 4711 110\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 4711 110\r\n",
        "PROXY TCP6 2001:db8::g 2001:db8::2 4711 110\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 4711 110\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN a\nb\r\n",
        "PROXY \r\n",
        "PROXY\r\n",
    ] {
        assert!(read(line.as_bytes()).is_err(), "{line:?}");
    }
    let endless = format!("PROXY UNKNOWN {}", "f".repeat(92));
    assert_eq!(read(&endless.as_bytes()[..106]), Ok(None));
    for length in [107, 108, 1000] {
        let text = endless.repeat(10);
        assert!(read(&text.as_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn octets_name_the_client() {
    let four = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x67, 0, 110];
    let six = [
        &"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets()[..],
        &"2001:db8::2".parse::<Ipv6Addr>().unwrap().octets(),
        &[0x12, 0x67, 0, 110],
    ]
    .concat();
    let mapped = [
        &Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets()[..],
        &six[16..],
    ]
    .concat();
    let vectors = [3, 0, 4, 1, 2, 3, 4, 0x20, 0, 0, 0xee, 1, 0];
    let large = [&vectors[..], &[7; 256]].concat();
    let client = passed_on("192.0.2.1:4711", "198.51.100.2:110");
    for (command, family, rest, said) in [
        (0x21, 0x11, four.to_vec(), client),
        (0x21, 0x11, [&four[..], &vectors[..10]].concat(), client),
        (0x21, 0x11, [&four[..], &large].concat(), client),
        (
            0x21,
            0x21,
            six,
            passed_on("[2001:db8::1]:4711", "[2001:db8::2]:110"),
        ),
        (
            0x21,
            0x21,
            mapped,
            passed_on("192.0.2.1:4711", "[2001:db8::2]:110"),
        ),
        // a socket in the file system, and nothing known
        (0x21, 0x31, vec![b'/'; 216], Header::Itself),
        (0x21, 0x00, vec![], Header::Itself),
        (0x21, 0x00, four.to_vec(), Header::Itself),
        // the proxy's own check: the rest does not count
        (0x20, 0x00, vec![], Header::Itself),
        (0x20, 0x11, four.to_vec(), Header::Itself),
        (0x20, 0x11, vec![1, 2, 3], Header::Itself),
        (0x20, 0xff, vec![0; LONGEST - 16], Header::Itself),
    ] {
        let header = binary(command, family, &rest);
        assert_eq!(
            whole(&header),
            Some(said),
            "{command:x} {family:x} {rest:?}"
        );
    }
}

#[test]
fn other_octets_are_no_headers() {
    let four = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x67, 0, 110];
    for (command, family, rest) in [
        // version 1 in octets, 3, and commands that do not exist
        (0x11, 0x11, &four[..]),
        (0x31, 0x11, &four),
        (0x22, 0x11, &four),
        // families and transports that do not exist, and datagrams
        (0x21, 0x01, &four),
        (0x21, 0x10, &four),
        (0x21, 0x13, &four),
        (0x21, 0x41, &four),
        (0x21, 0x12, &four),
        // too short for its addresses
        (0x21, 0x11, &four[..11]),
        (0x21, 0x21, &[0; 35]),
        (0x21, 0x31, &[0; 215]),
        (0x21, 0x11, &[]),
        // what follows is cut off
        (0x21, 0x11, &[&four[..], &[4]].concat()),
        (0x21, 0x11, &[&four[..], &[4, 0]].concat()),
        (0x21, 0x11, &[&four[..], &[4, 0, 2, 1]].concat()),
        (0x21, 0x11, &[&four[..], &[4, 0, 0, 4, 0xff, 0xff]].concat()),
    ] {
        let header = binary(command, family, rest);
        assert!(read(&header).is_err(), "{command:x} {family:x} {rest:?}");
    }
    // its length is refused before the octets are waited for
    for length in [LONGEST - 15, 0xffff] {
        let mut header = binary(0x20, 0, &[]);
        header[14..].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        assert!(read(&header).is_err());
    }
    let mut spoilt = SIGNATURE.to_vec();
    for place in 0..spoilt.len() {
        spoilt[place] ^= 0x20;
        assert!(read(&spoilt[..=place]).is_err(), "{place}");
        spoilt[place] ^= 0x20;
    }
    // TLS, and nothing at all
    assert!(read(&[22, 3, 1, 2, 0]).is_err());
    assert_eq!(read(b""), Ok(None));
}

/// What the other parser says, as far as it is the same question.
fn oracle(octets: &[u8]) -> Option<(Header, usize)> {
    let both = |source: IpAddr, destination: IpAddr, ports: (u16, u16)| Header::Client {
        source: SocketAddr::new(source.to_canonical(), ports.0),
        destination: SocketAddr::new(destination.to_canonical(), ports.1),
    };
    match HeaderResult::parse(octets) {
        HeaderResult::V1(Ok(header)) => {
            let said = match header.addresses {
                v1::Addresses::Unknown => Header::Itself,
                v1::Addresses::Tcp4(it) => both(
                    it.source_address.into(),
                    it.destination_address.into(),
                    (it.source_port, it.destination_port),
                ),
                v1::Addresses::Tcp6(it) => both(
                    it.source_address.into(),
                    it.destination_address.into(),
                    (it.source_port, it.destination_port),
                ),
            };
            Some((said, header.header.len()))
        }
        HeaderResult::V2(Ok(header)) => {
            let said = match (header.command, header.addresses) {
                (v2::Command::Local, _)
                | (_, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => Header::Itself,
                (_, v2::Addresses::IPv4(it)) => both(
                    it.source_address.into(),
                    it.destination_address.into(),
                    (it.source_port, it.destination_port),
                ),
                (_, v2::Addresses::IPv6(it)) => both(
                    it.source_address.into(),
                    it.destination_address.into(),
                    (it.source_port, it.destination_port),
                ),
            };
            let stream = header.protocol == v2::Protocol::Stream
                || header.command == v2::Command::Local
                || header.protocol == v2::Protocol::Unspecified
                    && header.addresses == v2::Addresses::Unspecified;
            let known = header.addresses == v2::Addresses::Unspecified
                && header.protocol == v2::Protocol::Unspecified
                || header.addresses != v2::Addresses::Unspecified
                    && header.protocol == v2::Protocol::Stream
                    && header.tlvs().all(|vector| vector.is_ok());
            let fits = header.as_bytes().len() <= LONGEST;
            let taken = fits && (header.command == v2::Command::Local || stream && known);
            taken.then(|| (said, header.as_bytes().len()))
        }
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => None,
    }
}

/// Octets that are nearly a header of version 2.
fn nearly_binary() -> impl Strategy<Value = Vec<u8>> {
    let command = prop_oneof![8 => Just(0x21_u8), 2 => Just(0x20), 1 => any::<u8>()];
    let family = prop_oneof![
        4 => Just(0x11_u8), 4 => Just(0x21), 1 => Just(0x31), 1 => Just(0), 1 => any::<u8>()
    ];
    let vectors = prop::collection::vec(
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..9)),
        0..4,
    );
    let cut = prop_oneof![6 => Just(0_usize), 1 => 1..20_usize];
    let addresses = prop::collection::vec(any::<u8>(), 216);
    (command, family, addresses, vectors, cut).prop_map(
        |(command, family, addresses, vectors, cut)| {
            let count = [0, 12, 36, 216].get(usize::from(family >> 4)).copied();
            let mut rest = addresses[..count.unwrap_or(4)].to_vec();
            for (kind, value) in vectors {
                rest.push(kind);
                rest.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
                rest.extend(value);
            }
            rest.truncate(rest.len().saturating_sub(cut));
            binary(command, family, &rest)
        },
    )
}

/// Text that is nearly a header of version 1.
fn nearly_line() -> impl Strategy<Value = Vec<u8>> {
    let address = prop_oneof![
        any::<Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<Ipv6Addr>().prop_map(|address| address.to_string()),
        "[0-9a-f.:]{0,12}",
    ];
    let port =
        prop_oneof![4 => any::<u16>().prop_map(|port| port.to_string()), 1 => "[+]?0?[0-9]{0,6}"];
    let protocol =
        prop_oneof![3 => Just("TCP4"), 3 => Just("TCP6"), 1 => Just("UNKNOWN"), 1 => Just("TCP")];
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just(" \r\n"), 1 => Just("\n")];
    (
        protocol,
        [address.clone(), address],
        [port.clone(), port],
        end,
    )
        .prop_map(|(protocol, [from, to], [source, destination], end)| {
            format!("PROXY {protocol} {from} {to} {source} {destination}{end}").into_bytes()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Both take the same headers, and read the same in them.
    #[test]
    fn another_parser_reads_the_same(
        header in prop_oneof![nearly_binary(), nearly_line()],
        more in prop::collection::vec(any::<u8>(), 0..20),
        spoilt in prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut octets = [header, more].concat();
        if let Some((place, octet)) = spoilt {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        let ours = read(&octets).ok().flatten();
        // it takes a sign before a port, wants UTF-8 in what may be ignored, and reads addresses that do not count
        let line = octets.starts_with(b"PROXY ");
        let differs = match ours {
            None => line && octets.contains(&b'+'),
            Some((said, _)) => said == Header::Itself && (line || octets[12] == 0x20),
        };
        prop_assert!(differs || ours == oracle(&octets), "{:?}: {:?}", octets, ours);
    }

    /// In whatever pieces it comes, the verdict is the same, and once given it stays.
    #[test]
    fn pieces_change_nothing(
        header in prop_oneof![nearly_binary(), nearly_line(), prop::collection::vec(any::<u8>(), 0..40)],
        more in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let octets = [header, more].concat();
        let last = read(&octets);
        for length in 0..octets.len() {
            match read(&octets[..length]) {
                Ok(None) => {}
                settled => prop_assert_eq!(settled, last),
            }
        }
    }
}
