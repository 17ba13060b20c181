//! What was found, for people and for programs.

use crate::text;
use pop3_client_io::Endpoint;
use pop3_client_io::TlsFacts;
use pop3_client_io::blocking::Session;

/// The result of a check.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its greeting.
    pub greeting: String,
    /// What was agreed on in TLS; `None` if everything goes in clear.
    pub tls: Option<TlsFacts>,
    /// What it announces.
    pub capabilities: Announced,
    /// What the probes found.
    pub findings: Vec<Finding>,
}

/// What a server announces.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Announced {
    /// Before the login.
    pub before_login: Vec<String>,
    /// After it.
    pub after_login: Vec<String>,
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The requirements that it is about.
    pub ids: Vec<&'static str>,
    /// What was tried.
    pub title: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
}

/// How a probe went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should.
    Good,
    /// Against a requirement.
    Fault,
    /// Allowed, and worth knowing.
    Remark,
    /// The probe was not tried.
    Untried,
}

pub(super) struct Book {
    pub(super) report: Report,
}

impl Report {
    /// How many faults there are.
    pub fn faults(&self) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Fault)
            .count()
    }

    /// The report as people read it.
    pub fn show(&self) -> String {
        let tls = match &self.tls {
            Some(facts) => format!(
                "{}, {}\n             certificate {}",
                facts.protocol, facts.cipher, facts.certificate
            ),
            None => "none: everything goes in clear".into(),
        };
        let mut shown = format!(
            "Server       {} port {}\nGreeting     {}\nTLS          {tls}\nCapabilities {}\n",
            text::one_line(&self.host),
            self.port,
            self.greeting,
            listed(&self.capabilities.before_login),
        );
        if !self.capabilities.after_login.is_empty() {
            let after = listed(&self.capabilities.after_login);
            shown.push_str(&format!("  after login {after}\n"));
        }
        shown.push('\n');
        for finding in &self.findings {
            let word = match finding.verdict {
                Verdict::Good => "good",
                Verdict::Fault => "FAULT",
                Verdict::Remark => "note",
                Verdict::Untried => "-",
            };
            let behind = if finding.detail.is_empty() { "" } else { ": " };
            shown.push_str(&format!(
                "{word:6} {}{behind}{} ({})\n",
                finding.title,
                finding.detail,
                finding.ids.join(", ")
            ));
        }
        let faults = text::count(self.faults() as u64, "fault");
        shown.push_str(&format!(
            "\n{faults} in {}\n",
            text::count(self.findings.len() as u64, "probe")
        ));
        shown
    }
}

impl Book {
    pub(super) fn new(session: &Session, endpoint: &Endpoint) -> Self {
        Self {
            report: Report {
                host: endpoint.host.clone(),
                port: endpoint.port,
                greeting: session.greeting().into(),
                tls: session.tls().cloned(),
                capabilities: Announced {
                    before_login: super::words(session.capabilities()),
                    after_login: Vec::new(),
                },
                findings: Vec::new(),
            },
        }
    }

    /// A requirement is kept, or it is not and this is what happened.
    pub(super) fn judge(
        &mut self,
        ids: &[&'static str],
        title: &str,
        kept: bool,
        detail: impl FnOnce() -> String,
    ) {
        if kept {
            self.note(ids, title, Verdict::Good, String::new());
        } else {
            self.note(ids, title, Verdict::Fault, detail());
        }
    }

    pub(super) fn fault(&mut self, ids: &[&'static str], title: &str, detail: String) {
        self.note(ids, title, Verdict::Fault, detail);
    }

    pub(super) fn remark(&mut self, ids: &[&'static str], title: &str, detail: String) {
        self.note(ids, title, Verdict::Remark, detail);
    }

    pub(super) fn untried(&mut self, ids: &[&'static str], title: &str, why: &str) {
        self.note(ids, title, Verdict::Untried, why.into());
    }

    fn note(&mut self, ids: &[&'static str], title: &str, verdict: Verdict, detail: String) {
        self.report.findings.push(Finding {
            ids: ids.to_vec(),
            title: title.into(),
            verdict,
            detail: text::cut(&text::one_line(&detail), 200),
        });
    }
}

fn listed(capabilities: &[String]) -> String {
    if capabilities.is_empty() {
        "none announced".into()
    } else {
        capabilities.join(", ")
    }
}
