//! Small scope, all of it, around STLS: what the client says, what it reads, the handshake and ends of
//! every kind, in every order up to a length.
//!
//! ```text
//! cargo test -p pop3-proto --test stls_interleavings -- --nocapture
//! ```
#![allow(clippy::unwrap_used, reason = "tests")]

use pop3_proto::server::{Reason, TlsOffer};
use testkit::talk::{Talk, clear, seconds};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Stls,
    Capa,
    /// The first half of a line.
    Half,
    /// The client reads one octet.
    Octet,
    /// The client reads what there is.
    Read,
    /// The handshake is done, where one was asked for.
    Handshake,
    Leave,
    Break,
    Sleep,
}

use Act::{Break, Capa, Half, Handshake, Leave, Octet, Read, Sleep, Stls};

const ACTS: [Act; 9] = [
    Stls, Capa, Half, Octet, Read, Handshake, Leave, Break, Sleep,
];

const BEGIN: &str = "+OK begin TLS\r\n";

/// Where the client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Clear,
    /// STLS was said; what comes now in the clear is an injection.
    Asked,
    Encrypted,
    Over,
}

/// T003, T004, T005, T006, V01, V03: the handshake is asked for when the client has read the `+OK` and
/// not before; whatever is said in between ends the session without a word; after it STLS is neither
/// offered nor possible.
#[test]
fn t003_to_t006_v01_v03_every_way_through_stls() {
    let length = 5;
    let mut sequences = 0_u64;
    let mut digits = vec![0; length];
    loop {
        let sequence: Vec<Act> = digits.iter().map(|&digit| ACTS[digit]).collect();
        assert_eq!(play(&sequence), Ok(()), "{sequence:?}");
        sequences += 1;
        let Some(place) = digits.iter().rposition(|&digit| digit + 1 < ACTS.len()) else {
            break;
        };
        digits[place] += 1;
        digits[place + 1..].fill(0);
    }
    println!("{sequences} sequences of {length} acts");
}

fn play(acts: &[Act]) -> Result<(), String> {
    let policy = clear().tls(TlsOffer::Stls);
    let mut talk = Talk::new(policy, &[]);
    talk.window = Some(0);
    let mut standing = Standing::Clear;
    let mut half = false;
    let mut expected = String::new();
    for act in acts {
        match act {
            Stls | Capa | Half if standing == Standing::Over => {}
            Stls | Capa | Half => {
                if standing == Standing::Asked {
                    standing = Standing::Over;
                } else if *act == Half {
                    half = true;
                } else {
                    // after half a line nothing is a command
                    let whole = !std::mem::take(&mut half);
                    expected += match (act, standing) {
                        (Stls, Standing::Clear) if whole => {
                            standing = Standing::Asked;
                            BEGIN
                        }
                        (Capa, _) if whole => "capabilities",
                        _ => "-ERR",
                    };
                    expected.push('\n');
                }
                talk.feed(match act {
                    Stls => b"STLS\r\n",
                    Capa => b"CAPA\r\n",
                    Half | Octet | Read | Handshake | Leave | Break | Sleep => b"NO",
                });
            }
            Octet | Read => {
                talk.window = (*act == Octet).then_some(1);
                talk.settle();
                talk.window = Some(0);
            }
            Handshake => {
                if talk.tls_wanted && talk.closed.is_none() {
                    talk.tls();
                    standing = Standing::Encrypted;
                }
            }
            Leave => {
                talk.session.handle_eof(talk.now);
                talk.settle();
                standing = Standing::Over;
            }
            Break => {
                talk.session.handle_reset(talk.now);
                talk.settle();
                standing = Standing::Over;
            }
            Sleep => {
                talk.wait(seconds(601));
                standing = Standing::Over;
            }
        }
        check(&talk, standing, &expected)?;
    }
    Ok(())
}

fn check(talk: &Talk, standing: Standing, expected: &str) -> Result<(), String> {
    let heard = String::from_utf8_lossy(&talk.out);
    if talk.tls_wanted && !heard.ends_with(BEGIN) {
        return Err(format!("TLS is wanted after {heard:?}"));
    }
    if standing == Standing::Encrypted
        && heard
            .rsplit(BEGIN)
            .next()
            .unwrap_or_default()
            .contains("STLS")
    {
        return Err("STLS is offered within TLS".into());
    }
    // what was heard is the beginning of what was to be said
    let mut rest = &*heard;
    for reply in expected.lines().filter(|line| !line.is_empty()) {
        let end = match reply {
            "capabilities" => rest.find("\r\n.\r\n").map(|at| at + 5),
            _ => rest.find("\r\n").map(|at| at + 2),
        };
        let start = reply.replace("capabilities", "+OK the capabilities");
        let known = rest.len().min(start.trim_end().len());
        if !start.starts_with(&rest[..known]) {
            return Err(format!("{rest:?} instead of {start:?}"));
        }
        rest = end.map_or("", |end| &rest[end..]);
    }
    if !rest.is_empty() {
        return Err(format!("too much: {rest:?}"));
    }
    match (talk.closed, standing) {
        (None, Standing::Over) => Err("it goes on".into()),
        (Some(Reason::PlaintextAfterStls), Standing::Over) => {
            // and nothing more is to be heard of it
            let silent = talk.session.transmit().is_empty();
            if silent {
                Ok(())
            } else {
                Err("words after an injection".into())
            }
        }
        (Some(_), Standing::Over) | (None, _) => Ok(()),
        (Some(reason), _) => Err(format!("closed: {reason:?}")),
    }
}
