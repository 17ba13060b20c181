//! What the server offers.

use super::fault::Fault;

/// What the server offers. The default is a good, modern server without TLS.
#[derive(Clone, Debug)]
pub struct Options {
    /// What CAPABILITY lists after `IMAP4rev1`, and what works. `STARTTLS` and `LOGINDISABLED` go away
    /// with TLS.
    pub capabilities: Vec<String>,
    /// Whether the greeting carries the capabilities.
    pub greeting_capabilities: bool,
    /// Whether the answer to a login carries the capabilities.
    pub login_capabilities: bool,
    /// The text of the greeting.
    pub greeting: String,
    /// Misbehaviours from the start.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        let capabilities = "SASL-IR LITERAL+ ID ENABLE UIDPLUS MOVE UNSELECT SPECIAL-USE NAMESPACE \
                            AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER";
        Self {
            capabilities: capabilities.split_whitespace().map(str::to_owned).collect(),
            greeting_capabilities: true,
            login_capabilities: true,
            greeting: "testkit ready".to_owned(),
            faults: Vec::new(),
        }
    }
}

impl Options {
    /// Without this capability.
    #[must_use]
    pub fn without(mut self, capability: &str) -> Self {
        self.capabilities
            .retain(|own| !own.eq_ignore_ascii_case(capability));
        self
    }

    /// With this capability too.
    #[must_use]
    pub fn with(mut self, capability: &str) -> Self {
        self.capabilities.push(capability.to_owned());
        self
    }

    /// With this misbehaviour.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// A server of the last century: no capability but `IMAP4rev1`, and none announced without being asked.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            capabilities: Vec::new(),
            greeting_capabilities: false,
            login_capabilities: false,
            ..Self::default()
        }
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities
            .iter()
            .any(|own| own.eq_ignore_ascii_case(capability))
    }

    /// The list after `CAPABILITY`.
    pub(super) fn list(&self, tls: bool) -> String {
        let mut list = String::from("IMAP4rev1");
        for capability in &self.capabilities {
            if !(tls && (capability == "STARTTLS" || capability == "LOGINDISABLED")) {
                list.push(' ');
                list.push_str(capability);
            }
        }
        list
    }
}
