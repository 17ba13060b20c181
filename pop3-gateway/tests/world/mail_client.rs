//! What a mail client keeps of a session: the project's own client machine, fed with what was heard.

use std::collections::HashMap;

use pop3_proto::client::{Client, Config, Event, Tag};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::time::Time;

/// The messages that came whole, by number, and whether QUIT was answered.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) messages: Vec<(u32, Vec<u8>)>,
    pub(crate) lost: usize,
    pub(crate) closed: bool,
}

/// Hears this output octet by octet, and sends each command when it may.
pub(crate) fn kept<C: AsRef<[u8]>>(output: &[u8], commands: &[C]) -> Kept {
    let now = Time::ZERO;
    let config = Config::default().clear_login(true);
    let mut client = Client::new(config, now);
    let mut retrieving = HashMap::new();
    for command in commands {
        let command = Command::parse(command.as_ref()).unwrap();
        let tag = client.send(now, &command).unwrap();
        if let Command::Retr(number) = command {
            retrieving.insert(tag, (number, Vec::new()));
        }
    }
    let mut kept = Kept::default();
    for octet in output {
        client.transmitted(now, client.transmit().len());
        assert_eq!(client.handle_input(now, &[*octet]), 1);
        kept.hear(&mut client, &mut retrieving);
    }
    client.handle_eof(now);
    kept.hear(&mut client, &mut retrieving);
    kept
}

impl Kept {
    fn hear(&mut self, client: &mut Client, bodies: &mut HashMap<Tag, (MessageNumber, Vec<u8>)>) {
        while let Some(event) = client.poll_event() {
            match event {
                Event::Body { tag, bytes } => {
                    if let Some((_, body)) = bodies.get_mut(&tag) {
                        body.extend_from_slice(bytes);
                    }
                }
                Event::Done { tag, .. } => {
                    if let Some((number, body)) = bodies.remove(&tag) {
                        self.messages.push((number.0, body));
                    }
                }
                Event::Lost { .. } => self.lost += 1,
                Event::Closed(_) => self.closed = true,
                _ => {}
            }
        }
    }
}
