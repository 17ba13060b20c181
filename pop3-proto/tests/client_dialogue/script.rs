//! A client for scripts, and what scripts are made of.

use pop3_proto::client::{Client, Config, Credentials, Method, Tag};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

pub(crate) const NOW: Time = Time::ZERO;

/// A client for scripts: events as text, in the order they come.
pub(crate) struct Script(pub(crate) Client);

impl Script {
    pub(crate) fn new(greeting: &str) -> Self {
        Self::with(Config::default().clear_login(true), greeting)
    }

    pub(crate) fn with(config: Config, greeting: &str) -> Self {
        let mut script = Self(Client::new(config, NOW));
        script.hear(greeting.as_bytes());
        script
    }

    /// Ready, with PIPELINING and AUTH-RESP-CODE announced.
    pub(crate) fn pipelined() -> Self {
        let mut script = Self::new("+OK\r\n");
        script.send(&Command::Capa);
        script.hear(b"+OK\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n.\r\n");
        script
    }

    pub(crate) fn send(&mut self, command: &Command) -> (Tag, String) {
        let tag = self.0.send(NOW, command).unwrap();
        (tag, self.said())
    }

    pub(crate) fn log_in(&mut self, method: Method) -> String {
        self.0.log_in(NOW, &credentials(method)).unwrap();
        self.said()
    }

    pub(crate) fn said(&mut self) -> String {
        let said = String::from_utf8(self.0.transmit().to_vec()).unwrap();
        self.0.transmitted(NOW, said.len());
        said
    }

    pub(crate) fn events(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.0.poll_event() {
            events.push(format!("{event:?}"));
        }
        events
    }

    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<String> {
        assert_eq!(self.0.handle_input(NOW, bytes), bytes.len());
        self.events()
    }

    /// What the client says to this.
    pub(crate) fn reply(&mut self, bytes: &[u8]) -> String {
        let events = self.hear(bytes);
        assert!(events.is_empty(), "{events:?}");
        self.said()
    }
}

pub(crate) fn credentials(method: Method) -> Credentials {
    let secret = Secret::from(&b"tanstaaf"[..]);
    Credentials::new("mrose", secret, method)
}

pub(crate) fn number(n: u32) -> MessageNumber {
    MessageNumber(n)
}

pub(crate) fn fault(events: &[String]) -> &str {
    events
        .last()
        .and_then(|event| event.strip_prefix("Closed(Server("))
        .unwrap_or_default()
}
