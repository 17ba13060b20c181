//! Any octets from a server, in any pieces, with commands in between: no panic, bounded output, every
//! command ends once and in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop3_fuzz::Decisions;
use pop3_proto::client::{Client, Config, Credentials, Event, Method};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

fuzz_target!(|bytes: &[u8]| {
    let mut decisions = Decisions::new(bytes);
    let now = Time::ZERO;
    let config = Config::default().clear_login(decisions.octet() & 1 == 0);
    let mut client = Client::new(config, now);
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    let number = MessageNumber(1);
    while !decisions.is_empty() {
        let tag = match decisions.octet() % 16 {
            0 => client.send(now, &Command::Capa),
            1 => client.send(now, &Command::Stat),
            2 => client.send(now, &Command::List(None)),
            3 => client.send(now, &Command::Uidl(Some(number))),
            4 => client.send(now, &Command::Retr(number)),
            5 => client.send(now, &Command::Top(number, 3)),
            6 => client.send(now, &Command::Stls),
            7 => {
                let methods = [
                    Method::UserPass,
                    Method::Apop,
                    Method::Plain,
                    Method::CramMd5,
                    Method::XOauth2,
                ];
                let method = methods[usize::from(decisions.octet()) % methods.len()];
                let secret = Secret::from(&b"p"[..]);
                let initial_response = decisions.octet() & 1 == 0;
                let login =
                    Credentials::new("u", secret, method).initial_response(initial_response);
                client.log_in(now, &login)
            }
            8 => client.send(now, &Command::Quit),
            9 => client.send(now, &Command::AuthList),
            _ => {
                let mut piece = decisions.piece();
                while !piece.is_empty() {
                    let taken = client.handle_input(now, piece);
                    piece = &piece[taken..];
                    if !drain(&mut client, &mut ended) && taken == 0 {
                        break;
                    }
                }
                continue;
            }
        };
        begun.extend(tag);
        drain(&mut client, &mut ended);
        let sent = client.transmit().len();
        assert!(sent < 64 * 1024);
        client.transmitted(now, sent);
    }
    client.handle_eof(now);
    drain(&mut client, &mut ended);
    assert_eq!(begun, ended);
});

/// Takes events; whether there were any.
fn drain(client: &mut Client, ended: &mut Vec<pop3_proto::client::Tag>) -> bool {
    let mut any = false;
    let mut tls = false;
    while let Some(event) = client.poll_event() {
        any = true;
        match event {
            Event::Done { tag, .. } | Event::Refused { tag, .. } | Event::Lost { tag } => {
                ended.push(tag)
            }
            Event::StartTls { .. } => tls = true,
            _ => {}
        }
    }
    if tls {
        client.handle_tls(Time::ZERO);
        drain(client, ended);
    }
    any
}
