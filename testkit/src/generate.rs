//! Test cases from raw octets: mails, commands, faults.
//!
//! Owns the way from octets, which a fuzzer or proptest makes up, to cases that are likely to be
//! difficult. The same octets always give the same case; when they run out, the case ends soon.

mod source;

use crate::imap_server::{BodyForm, Fault, Trouble};

pub use source::Source;

/// What mails are made of: everything that line ends, dots and headers can be confused by.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n.\r\n",
    b".",
    b"..",
    b".\r\n",
    b"\n.\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"a",
    b"Subject: x\r\n",
    b"From me\r\n",
    b": ",
    b"+OK\r\n",
    b"-ERR\r\n",
    b"\r\r\n",
    b"=2E",
    "Zoë".as_bytes(),
];

/// A mail.
pub fn mail(source: &mut Source<'_>) -> Vec<u8> {
    let mut mail = Vec::new();
    if source.chance(2) {
        mail.extend_from_slice(b"From: a@example.org\r\nSubject: b\r\n\r\n");
    }
    for _ in 0..source.below(40) {
        match source.below(10) {
            0 => mail.extend_from_slice(source.take(16)),
            1 => mail.extend(vec![source.octet(); usize::from(source.octet()) * 4]),
            _ => mail.extend_from_slice(source.pick(PIECES)),
        }
    }
    mail
}

/// Up to six mails.
pub fn maildrop(source: &mut Source<'_>) -> Vec<Vec<u8>> {
    (0..source.below(7)).map(|_| mail(source)).collect()
}

/// A command of the TRANSACTION state without its line end; now and then something that is none.
pub fn command(source: &mut Source<'_>, messages: usize) -> Vec<u8> {
    const VERBS: &[&str] = &[
        "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET", "RETR", "TOP", "DELE",
        "retr", "Uidl", "CAPA", "USER", "PASS", "STLS", "XYZZY", "", "QUIT",
    ];
    if source.below(20) == 19 {
        let line = source.take(24).to_vec();
        return line
            .into_iter()
            .filter(|&byte| byte != b'\n' && byte != b'\r')
            .collect();
    }
    let verb = source.pick(VERBS);
    let mut line = verb.to_owned();
    let usual = match verb.to_ascii_uppercase().as_str() {
        "RETR" | "DELE" => 1,
        "TOP" => 2,
        "LIST" | "UIDL" => source.below(2),
        _ => 0,
    };
    let arguments = if source.below(16) == 15 {
        source.below(4)
    } else {
        usual
    };
    for _ in 0..arguments {
        line.push_str(source.pick(&[" ", " ", " ", "  ", "\t"]));
        line.push_str(&number(source, messages));
    }
    if source.below(16) == 15 {
        line.push(' ');
    }
    line.into_bytes()
}

/// Up to thirty commands; what comes after a QUIT is not meant to be carried out.
pub fn commands(source: &mut Source<'_>, messages: usize) -> Vec<Vec<u8>> {
    (0..source.below(31))
        .map(|_| command(source, messages))
        .collect()
}

/// A misbehaviour of the IMAP server.
pub fn fault(source: &mut Source<'_>) -> Fault {
    const COMMANDS: &[&str] = &[
        "FETCH",
        "FETCH",
        "LOGIN",
        "AUTHENTICATE",
        "SELECT",
        "EXAMINE",
        "STORE",
        "EXPUNGE",
        "CAPABILITY",
        "GREETING",
        "LITERAL",
        "NOOP",
        "LOGOUT",
        "SEARCH",
        "MOVE",
        "COPY",
        "ID",
    ];
    let trouble = trouble(source);
    let command = source.pick(COMMANDS);
    match source.below(8) {
        0 => Fault::always(trouble),
        1 => Fault::on_connection(1 + source.below(2) as u32, trouble),
        2 | 3 => Fault::on_each(command, trouble),
        _ => Fault::on_nth(command, 1 + source.below(3) as u32, trouble),
    }
}

fn trouble(source: &mut Source<'_>) -> Trouble {
    const ANSWERS: &[&str] = &[
        "NO",
        "NO no",
        "NO [UNAVAILABLE] later",
        "NO [AUTHENTICATIONFAILED] no",
        "NO [INUSE] busy",
        "BAD what",
        "OK fine",
        "OK [READ-ONLY] look",
        "NO [NOPERM] never",
        "OK",
        "BYE",
        "NO [SERVERBUG] {5}",
    ];
    const JUNK: &[&[u8]] = &[
        b"* 1 EXPUNGE\r\n",
        b"* 99 EXISTS\r\n",
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        b"* OK [ALERT] careful {5}\r\n",
        b"* 2 FETCH (UID 2 BODY[] {3}\r\nabc)\r\n",
        b"* VANISHED 1:2\r\n",
        b"* 1 FETCH (((((((((((\r\n",
        b"*\r\n",
        b"* LIST () \"/\" {3}\r\nabc\r\n",
        b"\r\n",
        b"+ \r\n",
        b"* 1 FETCH (UID 4294967296 X (NIL \"\\\"\"))\r\n",
        b"* OK\r\n",
        b"* ESEARCH (TAG \"x\") UID\r\n",
        b"* 1 FETCH (UID 1 RFC822.SIZE 99999999999999999999)\r\n",
    ];
    const FORMS: &[BodyForm] = &[
        BodyForm::Literal8,
        BodyForm::Quoted,
        BodyForm::Nil,
        BodyForm::Empty,
        BodyForm::Missing,
    ];
    match source.below(20) {
        0 => Trouble::Raw(source.take(32).to_vec()),
        1 => Trouble::Hang,
        2 => Trouble::Drop,
        3 => Trouble::Bye("going down".to_owned()),
        4 => Trouble::After(source.pick(JUNK).to_vec()),
        5 => Trouble::ExtraSpaces,
        6 => Trouble::NoText,
        7 => Trouble::EightBitText,
        8 => Trouble::SizeOff(i64::from(source.octet()) - 128),
        9 => Trouble::BodyAs(source.pick(FORMS)),
        10 => Trouble::NoUid,
        11 => Trouble::NoData,
        12 => Trouble::ForeignBody(mail(source)),
        13 => Trouble::CutBody(u64::from(source.octet())),
        14 => Trouble::ByeInBody(u64::from(source.octet())),
        15 => Trouble::CutOutput(u64::from(source.octet()) * 8),
        16 => Trouble::Before(source.pick(JUNK).to_vec()),
        17 => header_trouble(source),
        _ => Trouble::Answer(source.pick(ANSWERS).to_owned()),
    }
}

fn header_trouble(source: &mut Source<'_>) -> Trouble {
    match source.below(4) {
        0 => Trouble::NoHeader(source.pick(&["BAD what", "NO no", "OK"]).to_owned()),
        1 => Trouble::ForeignHeader(mail(source)),
        _ => Trouble::HeaderLength(u64::from(source.octet())),
    }
}

fn number(source: &mut Source<'_>, messages: usize) -> String {
    const ODD: &[&str] = &[
        "0",
        "00",
        "01",
        "-1",
        "+1",
        "1x",
        "x",
        "4294967295",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
        "1.0",
        "0x1",
        "",
    ];
    match source.below(10) {
        9 => source.pick(ODD).to_owned(),
        _ => source.below(messages + 2).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_octets_give_the_same_case() {
        let octets: Vec<u8> = (0..2000u32).map(|n| ((n * 7919) >> 3) as u8).collect();
        let case = |octets: &[u8]| {
            let mut source = Source::new(octets);
            let mails = maildrop(&mut source);
            let commands = commands(&mut source, mails.len());
            (mails, commands, format!("{:?}", fault(&mut source)))
        };
        assert_eq!(case(&octets), case(&octets));
        assert!(!case(&octets).1.is_empty());
        for end in 0..octets.len() {
            case(&octets[end..]);
        }
        assert_eq!(case(&[]).0, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn commands_are_lines() {
        for seed in 0..=255u8 {
            let octets: Vec<u8> = (0..600u32)
                .map(|n| (n.wrapping_mul(2654435761) >> 13) as u8 ^ seed)
                .collect();
            for line in commands(&mut Source::new(&octets), 3) {
                assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            }
        }
    }
}
