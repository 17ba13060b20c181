//! From the greeting to the open folder: STARTTLS, capabilities, login, SELECT and the scan.
//!
//! Owns the order of these, in as few flights as the server allows, at the first login and when a
//! lost connection is replaced. Never sends credentials before the connection is what the
//! configuration wants.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::{Access, Failure, Login, Open, Refusal, RefusalKind};
use pop3_proto::secret::Secret;

use super::link::Link;
use super::{Answer, ImapBackend};
use crate::auth::{self, Exchange, Method, Next};
use crate::capability::Capability;
use crate::client::{Event, Notice, Purpose};
use crate::command::{self, Command};
use crate::config::{DeletePolicy, Security};
use crate::error::{self, Denial};
use crate::grammar::{Code, Kind};
use crate::mailbox_name;
use crate::table::Scan;
use crate::text::printable;

/// How far the opening is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Greeting,
    StartTls,
    /// Capabilities before login.
    Capability,
    Login,
    /// Capabilities after login, where they decide about UTF-8.
    CapabilityAgain,
    /// UTF-8 has to be on before the folder's name can be said.
    Enable,
    Folder,
}

/// An opening under way.
#[derive(Debug)]
pub(super) struct Opening {
    /// At the client's login, rather than quietly later.
    pub(super) first: bool,
    step: Step,
    secure: bool,
    exchange: Option<Exchange>,
    /// A challenge waits for the client's answer.
    asks: bool,
    /// Whether the server is one to which SELECT may be said behind LOGIN.
    suits_pipelining: bool,
    /// Whether SELECT went out behind LOGIN.
    pipelined: bool,
    capabilities_before: u32,
    exists: u32,
    validity: Option<u32>,
    read_only: bool,
    selected: bool,
    scan: Scan,
    scan_to: Option<u32>,
    scanned_again: bool,
}

impl Opening {
    pub(super) fn first() -> Self {
        Self {
            first: true,
            ..Self::again()
        }
    }

    pub(super) fn again() -> Self {
        Self {
            first: false,
            step: Step::Greeting,
            secure: false,
            exchange: None,
            asks: false,
            suits_pipelining: false,
            pipelined: false,
            capabilities_before: 0,
            exists: 0,
            validity: None,
            read_only: false,
            selected: false,
            scan: Scan::default(),
            scan_to: None,
            scanned_again: false,
        }
    }

    /// Whether it is the client's turn.
    pub(super) fn awaits_client(&self) -> bool {
        self.asks
    }

    /// Whether a LOGOUT would be understood.
    pub(super) fn can_speak(&self) -> bool {
        !matches!(self.step, Step::Greeting | Step::StartTls) && self.exchange.is_none()
    }

    /// Whether a listing of the folder is coming.
    pub(super) fn scans(&self) -> bool {
        self.first && self.step == Step::Folder
    }
}

impl ImapBackend {
    pub(super) fn open(&mut self, open: Open) {
        if self.link != Link::Down || self.open.is_some() {
            self.answers
                .push_back(Answer::Failed(Failure::permanent("opened twice")));
            return;
        }
        let acceptable = auth::acceptable(&open.login, self.user.as_deref());
        self.open = Some(open);
        self.opening = Some(Opening::first());
        if let Err(refusal) = acceptable {
            return self.deny(Denial::Refused(refusal));
        }
        if let DeletePolicy::Keyword(name) = &self.config.delete
            && !command::is_keyword(name)
        {
            let detail = format!("{} cannot be a keyword", printable(name.as_bytes()));
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        }
        self.connect();
    }

    /// The client's answer to a challenge.
    pub(super) fn answered(&mut self, answer: &Secret) {
        if let Some(opening) = &mut self.opening
            && mem::take(&mut opening.asks)
        {
            self.client.answer(answer);
        }
    }

    /// The connection is under TLS now.
    pub(super) fn secured(&mut self) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        opening.secure = true;
        if opening.step == Step::StartTls {
            self.client.forget_capabilities();
            self.ask_capabilities(Step::Capability);
        }
    }

    pub(super) fn opening_event(&mut self, event: Event) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        match event {
            Event::Status(notice) if opening.step == Step::Greeting => self.greeted(&notice),
            Event::Status(notice) => {
                opening.learn(notice.code);
                self.noticed(&notice);
            }
            Event::Done {
                purpose, notice, ..
            } => self.opening_done(purpose, &notice),
            Event::Continue(challenge) => self.challenged(&challenge),
            Event::Exists(count) => {
                opening.exists = count;
                if opening.first {
                    opening.scan.expect(count.min(self.config.max_messages));
                }
            }
            Event::Message(message) => {
                if let (true, Some(uid @ 1..)) = (opening.first, message.uid) {
                    let hidden = message.watched == Some(true);
                    opening.scan.push(uid, message.size.unwrap_or(0), hidden);
                    if opening.scan.len() > self.config.max_messages as usize {
                        let limit = self.config.max_messages;
                        let detail = format!("more than {limit} messages");
                        self.drop_link(Failure::permanent(detail));
                    }
                }
            }
            Event::Ahead => self.client.discard(),
            Event::Expunge => opening.exists = opening.exists.saturating_sub(1),
            Event::Inline(..) | Event::Tail(_) | Event::Folder { .. } | Event::Other => {}
        }
    }

    fn greeted(&mut self, notice: &Notice) {
        if let Some(opening) = &mut self.opening {
            let quirks = &self.config.quirks;
            opening.suits_pipelining = quirks.pipeline_login.suits(&notice.text);
        }
        match notice.kind {
            Kind::Ok if self.config.security == Security::StartTls => {
                self.proceed(Step::StartTls, Command::StartTls, Purpose::StartTls);
            }
            Kind::Ok if self.client.capabilities().is_some() => self.log_in(),
            Kind::Ok => self.ask_capabilities(Step::Capability),
            Kind::Preauth => {
                let detail = "upstream says PREAUTH: nobody's credentials would be checked";
                self.deny(Denial::Failed(Failure::permanent(detail)));
            }
            Kind::No | Kind::Bad | Kind::Bye => {
                let failure = error::command("greeting", notice);
                self.deny(Denial::Failed(failure));
            }
        }
    }

    fn opening_done(&mut self, purpose: Purpose, notice: &Notice) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        let ok = notice.kind == Kind::Ok;
        match purpose {
            Purpose::StartTls if ok => self.start_tls(),
            Purpose::StartTls => {
                let mut failure = error::command("STARTTLS", notice);
                failure.kind = pop3_proto::backend::FailureKind::Permanent;
                self.deny(Denial::Failed(failure));
            }
            Purpose::Capability if opening.step == Step::CapabilityAgain => {
                self.capabilities_settled = true;
                self.open_folder();
            }
            Purpose::Capability => self.log_in(),
            Purpose::Login | Purpose::Authenticate if ok => self.authenticated(),
            Purpose::Login | Purpose::Authenticate => self.not_authenticated(notice),
            Purpose::Enable => {
                self.client.utf8 = ok;
                if opening.step == Step::Enable {
                    self.select();
                }
            }
            Purpose::Select if opening.step != Step::Folder => {}
            Purpose::Select if ok => {
                opening.learn(notice.code);
                opening.selected = true;
                if !opening.first {
                    self.opened_again();
                }
            }
            Purpose::Select => {
                let failure = error::select(notice);
                self.deny(Denial::Failed(failure));
            }
            Purpose::Scan if opening.step == Step::Folder && opening.selected => {
                self.scanned(notice);
            }
            Purpose::Scan
            | Purpose::Fetch
            | Purpose::Id
            | Purpose::Keep
            | Purpose::Logout
            | Purpose::Update(_) => {}
        }
    }

    fn start_tls(&mut self) {
        if self.client.pending() > 0 {
            // whoever put them there wanted them read as if they came under TLS
            let detail = "bytes in the clear behind the answer to STARTTLS";
            self.drop_link(Failure::permanent(detail));
        } else {
            self.shake_hands();
        }
    }

    fn ask_capabilities(&mut self, step: Step) {
        self.proceed(step, Command::Capability, Purpose::Capability);
    }

    fn log_in(&mut self) {
        let (Some(opening), Some(open)) = (&mut self.opening, &self.open) else {
            return;
        };
        if self.config.security != Security::Clear && !opening.secure {
            let detail = "the connection is not under TLS";
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        }
        let none = crate::capability::Capabilities::default();
        let capabilities = self.client.capabilities().unwrap_or(&none);
        let chosen = auth::choose(
            &self.config,
            capabilities,
            &open.login,
            self.user.as_deref(),
        );
        let utf8_is_settled =
            !open.utf8 || capabilities.has(Capability::Utf8Accept) && self.config.folder.is_ascii();
        let initial_response = capabilities.has(Capability::SaslIr);
        opening.step = Step::Login;
        opening.capabilities_before = self.client.capabilities_heard();
        match chosen {
            Err(refusal) => self.deny(Denial::Refused(refusal)),
            Ok(Method::Login { user, password }) => {
                // a server that repeats a command repeats it as it was written
                let written = command::escaped(password.expose());
                self.client
                    .mask
                    .add(written.as_slice().into(), "<password>");
                self.client.mask.add(password.clone(), "<password>");
                let login = Command::Login {
                    user: &user,
                    password: &password,
                };
                let suits_pipelining = opening.suits_pipelining;
                self.put(login, Purpose::Login);
                if suits_pipelining
                    && utf8_is_settled
                    && self.client.between_commands()
                    && self.link == Link::Opening
                {
                    self.open_folder();
                    if let Some(opening) = &mut self.opening {
                        opening.pipelined = true;
                        opening.step = Step::Login;
                    }
                }
            }
            Ok(Method::Sasl(mut exchange)) => {
                if let Some(message) = &exchange.message {
                    let encoded = command::base64(message);
                    self.client.mask.add(message.clone(), "<credentials>");
                    self.client
                        .mask
                        .add(encoded.as_bytes().into(), "<credentials>");
                }
                if let Login::Password {
                    password: secret, ..
                }
                | Login::Bearer { token: secret, .. } = &open.login
                {
                    self.client.mask.add(secret.clone(), "<password>");
                }
                let initial = if initial_response {
                    exchange.message.take()
                } else {
                    None
                };
                let mechanism = exchange.mechanism.clone();
                opening.exchange = Some(exchange);
                let initial = initial.as_ref();
                let command = Command::Authenticate {
                    mechanism: &mechanism,
                    initial,
                };
                self.put(command, Purpose::Authenticate);
            }
        }
    }

    fn challenged(&mut self, challenge: &[u8]) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        let Some(exchange) = &mut opening.exchange else {
            return;
        };
        if opening.asks {
            return;
        }
        match exchange.challenged(challenge) {
            Next::Answer(message) => self.client.answer(&message),
            Next::Ask(challenge) => {
                opening.asks = true;
                self.answers.push_back(Answer::Challenge(challenge));
            }
            Next::Cancel => {
                self.drop_link(Failure::temporary(
                    "upstream sends a challenge out of place",
                ));
            }
        }
    }

    fn authenticated(&mut self) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        if opening.step != Step::Login {
            return;
        }
        opening.exchange = None;
        opening.asks = false;
        let pipelined = opening.pipelined;
        self.capabilities_settled = self.client.capabilities_heard() != opening.capabilities_before;
        if opening.first {
            self.answers.push_back(Answer::Authenticated);
        }
        if pipelined {
            opening.step = Step::Folder;
        } else if self.wants_utf8()
            && !self.capabilities_settled
            && !self.client.can(Capability::Utf8Accept)
        {
            self.ask_capabilities(Step::CapabilityAgain);
        } else {
            self.open_folder();
        }
    }

    fn not_authenticated(&mut self, notice: &Notice) {
        let explained = self
            .opening
            .as_mut()
            .and_then(|opening| opening.exchange.take());
        let explained = explained
            .map(|exchange| exchange.explained)
            .unwrap_or_default();
        let mut denial = error::login(notice);
        if !explained.is_empty() {
            let (Denial::Refused(Refusal { detail, .. }) | Denial::Failed(Failure { detail, .. })) =
                &mut denial;
            detail.push_str(" after ");
            detail.push_str(&self.client.mask.clean(&explained));
        }
        self.deny(denial);
    }

    fn wants_utf8(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.utf8)
    }

    /// Sends what opens the folder, in one flight if possible.
    fn open_folder(&mut self) {
        if self.config.quirks.send_id && self.client.can(Capability::Id) {
            self.put(Command::Id, Purpose::Id);
        }
        let enable = self.wants_utf8()
            && self.client.can(Capability::Enable)
            && self.client.can(Capability::Utf8Accept);
        if enable {
            self.put(Command::EnableUtf8, Purpose::Enable);
        }
        if enable && !self.config.folder.is_ascii() {
            // how the name is written depends on the answer
            if let Some(opening) = &mut self.opening {
                opening.step = Step::Enable;
            }
        } else {
            self.select();
        }
    }

    fn select(&mut self) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        opening.step = Step::Folder;
        let first = opening.first;
        let read_only = self
            .open
            .as_ref()
            .is_some_and(|open| open.access == Access::ReadOnly);
        self.client.watch = match &self.config.delete {
            DeletePolicy::Seen => Some("\\Seen".into()),
            DeletePolicy::Keyword(name) => Some(name.clone()),
            DeletePolicy::Expunge
            | DeletePolicy::Trash { .. }
            | DeletePolicy::Move(_)
            | DeletePolicy::Keep => None,
        };
        let flags = self.client.watch.is_some();
        let folder = self.folder_name(&self.config.folder);
        self.put(
            Command::Select {
                folder: &folder,
                read_only,
            },
            Purpose::Select,
        );
        if first {
            self.put(Command::Scan { to: None, flags }, Purpose::Scan);
        }
    }

    /// A configured folder's name as this connection writes names.
    pub(super) fn folder_name(&self, name: &str) -> Vec<u8> {
        if self.client.utf8 {
            name.into()
        } else {
            mailbox_name::encode(name).into_bytes()
        }
    }

    fn scanned(&mut self, notice: &Notice) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        if let Code::MessageLimit(Some(lowest @ 2..)) = notice.code
            && opening.scan_to.is_none_or(|last| lowest <= last)
        {
            // the server did the messages from this one up; the others are asked for again
            opening.scan_to = Some(lowest - 1);
            let flags = self.client.watch.is_some();
            return self.put(
                Command::Scan {
                    to: Some(lowest - 1),
                    flags,
                },
                Purpose::Scan,
            );
        }
        let short = (opening.scan.settle() as u64) < u64::from(opening.exists);
        // an empty folder has nothing that `1:*` could mean, and some servers say so
        if notice.kind != Kind::Ok && short {
            let failure = error::command("listing", notice);
            return self.deny(Denial::Failed(failure));
        }
        if short && !mem::replace(&mut opening.scanned_again, true) {
            // messages may have gone meanwhile: a NOOP makes the server say so
            self.put(Command::Noop, Purpose::Keep);
            let flags = self.client.watch.is_some();
            return self.put(Command::Scan { to: None, flags }, Purpose::Scan);
        }
        // a few that cannot be listed must not hide the others
        if short && opening.scan.len() == 0 {
            let detail = format!("upstream lists none of {} messages", opening.exists);
            return self.deny(Denial::Failed(Failure::temporary(detail)));
        }
        let Some(validity) = opening.validity else {
            let detail = "upstream gives no UIDVALIDITY: messages could not be told apart";
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        };
        let scan = mem::take(&mut opening.scan);
        self.read_only = opening.read_only || self.asked_read_only();
        self.table = scan.finish();
        self.uid_validity = validity;
        self.listing = Some(0);
        self.ready();
    }

    fn opened_again(&mut self) {
        let Some(opening) = &self.opening else { return };
        if opening.validity == Some(self.uid_validity) {
            self.read_only |= opening.read_only;
            self.ready();
        } else {
            let detail = format!(
                "UIDVALIDITY changed from {} to {:?} during the session",
                self.uid_validity, opening.validity
            );
            self.broken = Some(Failure::temporary(detail.clone()));
            self.deny(Denial::Failed(Failure::temporary(detail)));
        }
    }

    fn ready(&mut self) {
        self.exists = self.opening.take().map_or(0, |opening| opening.exists);
        self.link = Link::Ready;
        self.client.watch = None;
        self.client.mask.clear();
    }

    fn asked_read_only(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.access == Access::ReadOnly)
    }

    fn proceed(&mut self, step: Step, command: Command<'_>, purpose: Purpose) {
        if let Some(opening) = &mut self.opening {
            opening.step = step;
        }
        self.put(command, purpose);
    }

    /// Sends a command of the opening.
    fn put(&mut self, command: Command<'_>, purpose: Purpose) {
        if self.client.send(command, purpose).is_err() {
            let detail: String = "an argument cannot be sent".into();
            self.deny(Denial::Refused(Refusal::new(RefusalKind::Policy, detail)));
        }
    }
}

impl Opening {
    /// What a response code says about the folder.
    fn learn(&mut self, code: Code) {
        if let Code::UidValidity(validity) = code {
            self.validity = Some(validity);
        } else if matches!(code, Code::ReadOnly | Code::ReadWrite) {
            self.read_only = code == Code::ReadOnly;
        }
    }
}
