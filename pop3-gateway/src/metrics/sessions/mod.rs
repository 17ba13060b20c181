//! Sessions, logins, messages and upstreams, as an observer of the server counts them.
//!
//! Owns the words for what happens; `shown` is what a scrape reads of it. A session is in exactly one state of the gauge from its first event to its last,
//! whatever ends it. What a session did with messages is added when it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pop3_proto::backend::{FailureKind, RefusalKind};
use pop3_proto::server::Reason;
use pop3_server::limit::Limit;
use pop3_server::observer::{About, Asked, Contact, Event, Observer, Stage};

use super::span::Span;
use super::table::Table;
use super::tally::{Count, Tally};

mod shown;

/// What came of a login.
const LOGINS: [&str; 8] = [
    "ok",
    "credentials",
    "in_use",
    "login_delay",
    "policy",
    "temporary",
    "permanent",
    "given_up",
];

/// Why a session ended. The last one is anything that is new.
const ENDINGS: [&str; 17] = [
    "quit",
    "client_gone",
    "login_timeout",
    "idle_timeout",
    "stalled_reader",
    "failed_logins",
    "bad_commands",
    "wrong_protocol",
    "plaintext_after_stls",
    "body_cut",
    "backend_silent",
    "update_failed",
    "shutdown",
    "turned_out",
    "tls_failed",
    "cut_off",
    "other",
];

/// Versions of TLS.
const VERSIONS: [&str; 3] = ["TLSv1.2", "TLSv1.3", "other"];

/// What became of an attempt to connect to an upstream.
const CONNECTS: [&str; 3] = ["connected", "unreachable", "resumed"];

/// What went wrong with the connection to an upstream.
const ERRORS: [&str; 4] = ["tls", "certificate", "broken", "other"];

/// The classes of failures.
const FAILURES: [&str; 3] = ["temporary", "permanent", "missing"];

/// The limits that can be reached.
const LIMITS: [&str; 7] = [
    "total",
    "strangers",
    "address",
    "network",
    "user",
    "descriptors",
    "other",
];

/// The states of RFC 1939, in the order of [`Stage`].
const STATES: [&str; 3] = ["authorization", "transaction", "update"];

/// Counts what happens in sessions.
#[derive(Debug)]
pub struct Sessions {
    listeners: Table<Listener>,
    upstreams: Table<Upstream>,
    limits: Tally,
}

/// What there is of a listener.
#[derive(Debug)]
struct Listener {
    started: Count,
    open: [AtomicI64; STATES.len()],
    ended: Tally,
    secured: Tally,
    received: Count,
    sent: Count,
    delayed: Count,
    in_the_clear: Count,
    /// By the name of the upstream that served a login.
    served: Table<Served>,
}

/// What a listener did with an upstream or a store.
#[derive(Debug)]
struct Served {
    logins: Tally,
    retrieved: Count,
    tops: Count,
    octets: Count,
    deleted: Count,
    kept: Count,
    not_deleted: Count,
}

/// What there is of an upstream or a store.
#[derive(Debug)]
struct Upstream {
    connects: Tally,
    errors: Tally,
    messages_failed: Tally,
    updates_failed: Tally,
    received: Count,
    sent: Count,
    good_logins: Span,
    bad_logins: Span,
    first_octets: Span,
    updates: Span,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            listeners: Table::default(),
            upstreams: Table::default(),
            limits: Tally::of(&LIMITS),
        }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            started: Count::default(),
            open: Default::default(),
            ended: Tally::of(&ENDINGS),
            secured: Tally::of(&VERSIONS),
            received: Count::default(),
            sent: Count::default(),
            delayed: Count::default(),
            in_the_clear: Count::default(),
            served: Table::default(),
        }
    }
}

impl Default for Served {
    fn default() -> Self {
        Self {
            logins: Tally::of(&LOGINS),
            retrieved: Count::default(),
            tops: Count::default(),
            octets: Count::default(),
            deleted: Count::default(),
            kept: Count::default(),
            not_deleted: Count::default(),
        }
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            connects: Tally::of(&CONNECTS),
            errors: Tally::of(&ERRORS),
            messages_failed: Tally::of(&FAILURES),
            updates_failed: Tally::of(&FAILURES),
            received: Count::default(),
            sent: Count::default(),
            good_logins: Span::default(),
            bad_logins: Span::default(),
            first_octets: Span::default(),
            updates: Span::default(),
        }
    }
}

impl Sessions {
    /// These are configured: their counters are there before the first session.
    pub fn configured<'a>(
        &self,
        listeners: impl IntoIterator<Item = &'a str>,
        upstreams: impl IntoIterator<Item = &'a str>,
    ) {
        for name in listeners {
            self.listeners.at(name, |_| ());
        }
        for name in upstreams {
            self.upstreams.at(name, |_| ());
        }
    }

    /// How many sessions are open.
    pub fn open(&self) -> i64 {
        let open = |(_, own): &(Arc<str>, Arc<Listener>)| {
            let states = own.open.iter();
            states.map(|open| open.load(Ordering::Relaxed)).sum::<i64>()
        };
        self.listeners.all().iter().map(open).sum()
    }

    fn login(&self, about: &About<'_>, result: &str) {
        let upstream = about.upstream.unwrap_or("none");
        self.listeners.at(about.listener, |own| {
            own.served.at(upstream, |served| served.logins.one(result));
        });
    }

    fn upstream(&self, about: &About<'_>, count: impl FnOnce(&Upstream)) {
        if let Some(name) = about.upstream {
            self.upstreams.at(name, count);
        }
    }

    fn listener(&self, about: &About<'_>, count: impl FnOnce(&Listener)) {
        self.listeners.at(about.listener, count);
    }
}

impl Observer for Sessions {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        match event {
            Event::Admitted => self.listener(about, |own| {
                own.started.one();
                own.enters(about.stage);
            }),
            Event::Secured => self.listener(about, |own| {
                let tls = about.summary.tls.as_ref();
                own.secured.one(tls.map_or("other", |tls| tls.protocol));
            }),
            Event::InTheClear { .. } => self.listener(about, |own| own.in_the_clear.one()),
            Event::Waits { .. } => self.listener(about, |own| own.delayed.one()),
            Event::Refused(refusal) => self.login(about, refused(refusal.kind)),
            Event::GivenUp(_) => self.login(about, "given_up"),
            Event::Failed(failure) => match about.stage {
                Stage::Authorization => self.login(about, failed(failure.kind)),
                Stage::Transaction | Stage::Update => {
                    self.upstream(about, |own| own.updates_failed.one(failed(failure.kind)));
                }
            },
            Event::LoggedIn => {
                self.login(about, "ok");
                self.listener(about, |own| {
                    own.leaves(Stage::Authorization);
                    own.enters(about.stage);
                });
            }
            Event::Updates => self.listener(about, |own| {
                own.leaves(Stage::Transaction);
                own.enters(about.stage);
            }),
            Event::Upstream(contact) => self.upstream(about, |own| own.contact(*contact)),
            Event::MessageFailed(failure) => {
                self.upstream(about, |own| own.messages_failed.one(failed(failure.kind)));
            }
            Event::Answered { asked, after } => self.upstream(about, |own| {
                let span = match (asked, about.stage) {
                    (Asked::Login, Stage::Authorization) => &own.bad_logins,
                    (Asked::Login, Stage::Transaction | Stage::Update) => &own.good_logins,
                    (Asked::Message, _) => &own.first_octets,
                    (Asked::Update, _) => &own.updates,
                    // what is new is not measured yet
                    _ => return,
                };
                span.seen(*after);
            }),
            Event::Octets { received, sent } => self.listener(about, |own| {
                own.received.add(u64::from(*received));
                own.sent.add(u64::from(*sent));
            }),
            Event::UpstreamOctets { received, sent } => self.upstream(about, |own| {
                own.received.add(u64::from(*received));
                own.sent.add(u64::from(*sent));
            }),
            Event::Ended {
                reason,
                tls_failure,
            } => self.listener(about, |own| {
                own.leaves(about.stage);
                own.ended.one(ending(*reason, tls_failure.is_some()));
                own.did(about);
            }),
            Event::Noted(_) | _ => {}
        }
    }

    fn limited(&self, limit: Limit) {
        self.limits.one(match limit {
            Limit::Total => "total",
            Limit::Strangers => "strangers",
            Limit::Address => "address",
            Limit::Network => "network",
            Limit::User => "user",
            Limit::Descriptors => "descriptors",
            _ => "other",
        });
    }
}

impl Listener {
    fn enters(&self, stage: Stage) {
        self.moves(stage, 1);
    }

    fn leaves(&self, stage: Stage) {
        self.moves(stage, -1);
    }

    fn moves(&self, stage: Stage, by: i64) {
        let place = match stage {
            Stage::Authorization => 0,
            Stage::Transaction => 1,
            Stage::Update => 2,
        };
        if let Some(open) = self.open.get(place) {
            open.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// What the session did with messages.
    fn did(&self, about: &About<'_>) {
        let (Some(upstream), summary) = (about.upstream, about.summary) else {
            return;
        };
        if !summary.logged_in {
            return;
        }
        self.served.at(upstream, |served| {
            served.retrieved.add(summary.retrieved);
            served.tops.add(summary.tops);
            served.octets.add(summary.octets);
            served.deleted.add(summary.deleted);
            served.kept.add(summary.kept);
            served.not_deleted.add(summary.not_deleted);
        });
    }
}

impl Served {
    /// What happened to messages.
    fn messages(&self) -> [(&'static str, u64); 5] {
        [
            ("retrieved", self.retrieved.get()),
            ("top", self.tops.get()),
            ("deleted", self.deleted.get()),
            ("kept", self.kept.get()),
            ("not_deleted", self.not_deleted.get()),
        ]
    }
}

impl Upstream {
    fn contact(&self, contact: Contact) {
        match contact {
            Contact::Connected => self.connects.one("connected"),
            Contact::Resumed => self.connects.one("resumed"),
            Contact::Unreachable => self.connects.one("unreachable"),
            Contact::TlsFailed => self.errors.one("tls"),
            Contact::Untrusted => self.errors.one("certificate"),
            Contact::Broken => self.errors.one("broken"),
            _ => self.errors.one("other"),
        }
    }
}

const fn refused(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Credentials => "credentials",
        RefusalKind::InUse => "in_use",
        RefusalKind::LoginDelay => "login_delay",
        RefusalKind::Policy => "policy",
    }
}

const fn failed(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Temporary => "temporary",
        FailureKind::Permanent => "permanent",
        FailureKind::Missing => "missing",
    }
}

fn ending(reason: Option<Reason>, tls_failed: bool) -> &'static str {
    match reason {
        _ if tls_failed => "tls_failed",
        None => "cut_off",
        Some(Reason::Quit) => "quit",
        Some(Reason::ClientGone) => "client_gone",
        Some(Reason::LoginTimeout) => "login_timeout",
        Some(Reason::IdleTimeout) => "idle_timeout",
        Some(Reason::StalledReader) => "stalled_reader",
        Some(Reason::FailedLogins) => "failed_logins",
        Some(Reason::BadCommands) => "bad_commands",
        Some(Reason::WrongProtocol) => "wrong_protocol",
        Some(Reason::PlaintextAfterStls) => "plaintext_after_stls",
        Some(Reason::BodyCut) => "body_cut",
        Some(Reason::BackendSilent) => "backend_silent",
        Some(Reason::UpdateFailed) => "update_failed",
        Some(Reason::ShutDown) => "shutdown",
        Some(Reason::TurnedOut) => "turned_out",
        Some(_) => "other",
    }
}
