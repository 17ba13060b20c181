//! A session with a server: the client machine of `pop3-proto` over a channel.
//!
//! Owns both and moves octets and events between them; that loop, [`Session::until_some`], is the only one.
//! It knows the order of things up to the login (greeting, CAPA, STLS). What the octets mean, the machine
//! knows; what they are for, the caller. A session that failed in the middle of something is over.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pop3_proto::capability::Capability;
use pop3_proto::client::{Client, Close, Config, Event, Method, Tag};
use pop3_proto::command::Command;
use pop3_proto::response::ResponseCode;
use pop3_proto::time::Time;
use pop3_proto::trouble::Trouble;

use crate::channel::Channel;
use crate::endpoint::{Endpoint, TlsMode};
use crate::error::{Error, Refusal};
use crate::login::{Identity, Line, Offer, choose, name};
use crate::tls::TlsFacts;
use crate::transport::Transport;

/// How much is read at a time.
const READ: usize = 16 * 1024;

/// How often the clock is looked at while the machine has no deadline.
const TICK: Duration = Duration::from_secs(1);

/// A session with a server, over some transport.
///
/// Dropping it ends the connection without QUIT, so that the server removes nothing. A future of one of its
/// methods can be dropped at any time: what was sent is sent, and the answer to it is skipped.
pub struct Session<T> {
    client: Client,
    channel: Channel<T>,
    endpoint: Endpoint,
    clock: Instant,
    greeting: String,
    timestamp: Option<String>,
    input: Box<[u8]>,
    /// The piece of a message that was handed out last.
    pub(crate) piece: Vec<u8>,
    over: bool,
}

impl<T: Transport> Session<T> {
    /// Begins a session on an existing connection: starts TLS as wanted and asks for the capabilities.
    ///
    /// # Errors
    ///
    /// The server does not greet, or TLS is wanted and fails.
    pub async fn over(transport: T, endpoint: &Endpoint) -> Result<Self, Error> {
        let (channel, tls) = opened(transport, endpoint).await?;
        let mut session = Self::start(channel, endpoint, tls);
        session.note_tls();
        let greeted = session.await_greeting().await;
        greeted.map_err(|error| session.early(error, None))?;
        let asked = session.ask_capabilities().await;
        asked.map_err(|error| session.early(error, Some("the answer to CAPA")))?;
        let upgraded = session.upgrade().await;
        upgraded.map_err(|error| session.early(error, Some("the answer to STLS")))?;
        Ok(session)
    }

    fn start(channel: Channel<T>, endpoint: &Endpoint, tls: bool) -> Self {
        let config = Config::default()
            .patience(endpoint.patience)
            // `login` decides about logins without TLS
            .clear_login(true)
            .window(endpoint.window);
        let mut client = Client::new(config, Time::ZERO);
        if endpoint.transcript.is_on() {
            client.record();
        }
        if tls {
            client.handle_tls(Time::ZERO);
        }
        Self {
            client,
            channel,
            endpoint: endpoint.clone(),
            clock: Instant::now(),
            greeting: String::new(),
            timestamp: None,
            input: vec![0; READ].into(),
            piece: Vec::new(),
            over: false,
        }
    }

    /// What the server says that it can do.
    pub fn capabilities(&self) -> &[Capability] {
        self.client.capabilities()
    }

    /// Whether the server announced this.
    pub fn can(&self, capability: &Capability) -> bool {
        self.capabilities().contains(capability)
    }

    /// The server's greeting.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Whether nothing can be sent any more.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What was agreed on in TLS, if there is TLS.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.channel.tls()
    }

    /// How many commands go out ahead.
    pub(crate) fn window(&self) -> usize {
        self.endpoint.window.max(1)
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn into_channel(self) -> Channel<T> {
        self.channel
    }

    /// Logs in by the strongest way that both sides know; returns which one it was.
    ///
    /// A way that needs a secret of its own on the server's side (CRAM-MD5, APOP) may be refused although the
    /// password is right, so the next is tried then; with every other way a refusal is final, because each
    /// attempt counts against the user.
    ///
    /// # Errors
    ///
    /// The server refuses, or there is no way that the identity allows.
    pub async fn log_in(&mut self, identity: &Identity) -> Result<Method, Error> {
        let mut refused = None;
        for method in self.methods(identity)? {
            let Some(refusal) = self.try_method(identity, method).await? else {
                // the capabilities may change with the login
                self.ask_capabilities().await?;
                return Ok(method);
            };
            let own_secret = matches!(method, Method::Apop | Method::CramMd5);
            let passing = refusal.code.is_some_and(|code| code != ResponseCode::Auth);
            let not_the_credentials = refusal.code.is_none() && self.can(&Capability::AuthRespCode);
            let last = passing || !(own_secret || not_the_credentials);
            refused = Some((method, refusal));
            if last {
                break;
            }
        }
        match refused {
            Some((method, refusal)) => Err(Error::Login {
                place: self.endpoint.place().to_string(),
                user: identity.user.clone(),
                method: name(method),
                refusal,
            }),
            None => Err(Error::NoLogin("there is no way to log in".into())),
        }
    }

    async fn try_method(
        &mut self,
        identity: &Identity,
        method: Method,
    ) -> Result<Option<Refusal>, Error> {
        let queued = self
            .client
            .log_in(self.now(), &identity.credentials(method));
        let tag = queued.map_err(|cause| Error::Unsendable {
            what: format!("the login by {}", name(method)),
            cause,
        })?;
        let answered = self.until_some(|event| end_of(&event, tag)).await;
        let end = answered.map_err(|error| self.early(error, Some("the answer to the login")))?;
        Ok(end.err())
    }

    /// The ways that the server offers and the account allows, strongest first.
    fn methods(&self, identity: &Identity) -> Result<Vec<Method>, Error> {
        let offer = Offer::of(self.capabilities(), self.timestamp.is_some());
        let peer = self.channel.transport.peer();
        let line = Line {
            secure: self.tls().is_some(),
            loopback: peer.is_some_and(|peer| peer.is_loopback()),
        };
        choose(&offer, identity, line, &self.endpoint.words)
    }

    async fn await_greeting(&mut self) -> Result<(), Error> {
        let greeted = self.until_some(|event| {
            let Event::Greeting { text, timestamp } = event else {
                return None;
            };
            Some((text, timestamp))
        });
        (self.greeting, self.timestamp) = greeted.await?;
        Ok(())
    }

    /// Asks for the capabilities (again); a server without CAPA has none.
    ///
    /// # Errors
    ///
    /// The connection ends.
    pub async fn ask_capabilities(&mut self) -> Result<(), Error> {
        match self.run(&Command::Capa).await {
            Err(Error::Refused { .. }) => Ok(()),
            other => other,
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    async fn upgrade(&mut self) -> Result<(), Error> {
        let offered = self.can(&Capability::Stls);
        match self.endpoint.tls {
            TlsMode::Implicit | TlsMode::None => return Ok(()),
            TlsMode::IfOffered if !offered => return Ok(()),
            // a server may have it and not announce it
            TlsMode::IfOffered | TlsMode::Starttls => {}
        }
        let tag = self.send(&Command::Stls)?;
        let agreed = self.until_some(|event| match event {
            Event::StartTls { .. } => Some(None),
            Event::Refused { text, .. } => Some(Some(text)),
            _ => None,
        });
        if let Some(text) = agreed.await? {
            self.over = true;
            return Err(self.no_stls(if offered { &text } else { "" }));
        }
        let Endpoint {
            trust,
            words,
            patience,
            ..
        } = &self.endpoint;
        let place = self.endpoint.place();
        let begun = self.channel.start_tls(place, trust, words, *patience);
        let begun = begun.await;
        self.over |= begun.is_err();
        begun?;
        self.client.handle_tls(self.now());
        self.note_tls();
        self.until_some(|event| end_of(&event, tag)).await?.ok();
        self.ask_capabilities().await
    }

    fn no_stls(&self, line: &str) -> Error {
        let words = &self.endpoint.words;
        let trouble = Trouble::UpgradeRefused { line };
        let text = trouble.text(self.endpoint.place(), &words.remedies);
        Error::NoStls(format!("{text}; {} does without TLS", words.no_tls))
    }

    fn note_tls(&self) {
        let Some(facts) = self.tls() else { return };
        let transcript = &self.endpoint.transcript;
        transcript.note(&format!(
            "{}, {}, certificate {}",
            facts.protocol, facts.cipher, facts.certificate
        ));
        for oddity in facts.oddities(&self.endpoint.words) {
            transcript.note(&oddity);
        }
    }

    fn early(&self, error: Error, due: Option<&str>) -> Error {
        error.early(&self.endpoint, self.tls().is_some(), due)
    }

    /// Queues a command; its answer is read with [`until_some`](Self::until_some).
    pub(crate) fn send(&mut self, command: &Command) -> Result<Tag, Error> {
        self.client
            .send(self.now(), command)
            .map_err(|cause| Error::Unsendable {
                what: command.to_string(),
                cause,
            })
    }

    /// Moves octets and events until `take` has what it waits for. Any error ends the session.
    pub(crate) async fn until_some<V>(
        &mut self,
        mut take: impl FnMut(Event<'_>) -> Option<V>,
    ) -> Result<V, Error> {
        if self.over {
            return Err(Error::Closed(Close::Eof));
        }
        loop {
            while let Some(event) = self.client.poll_event() {
                if let Event::Closed(close) = event {
                    self.log();
                    self.over = true;
                    return Err(Error::Closed(close));
                }
                let taken = take(event);
                self.log();
                if let Some(taken) = taken {
                    return Ok(taken);
                }
            }
            self.log();
            let moved = poll_fn(|cx| self.poll_octets(cx)).await;
            self.over |= moved.is_err();
            moved.map_err(Error::Broken)?;
        }
    }

    /// Sends pending output and reads once; ready when the machine has read something.
    fn poll_octets(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = self.now();
        let deadline = self.client.poll_timeout().map(|(deadline, _)| deadline);
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.client.handle_timeout(now);
            return Poll::Ready(Ok(()));
        }
        let moment = deadline.map_or(TICK, |deadline| deadline.since(now));
        if self
            .channel
            .transport
            .poll_until(cx, Instant::now() + moment)
            .is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        while !self.client.transmit().is_empty() {
            match self.channel.poll_write(cx, self.client.transmit()) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.client.transmitted(self.now(), n),
                Poll::Ready(Err(error)) if is_wait(&error) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        if let Poll::Ready(Err(error)) = self.channel.poll_flush(cx) {
            return Poll::Ready(if is_wait(&error) { Ok(()) } else { Err(error) });
        }
        let room = self.input.len().min(self.client.input_room());
        match self.channel.poll_read(cx, &mut self.input[..room]) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => self.client.handle_eof(self.now()),
            Poll::Ready(Ok(n)) => {
                let now = self.now();
                self.client.handle_input(now, &self.input[..n]);
            }
            Poll::Ready(Err(error)) if is_wait(&error) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing more can be sent.
    pub(crate) const fn give_up(&mut self) {
        self.over = true;
    }

    /// The last response came, and the connection goes.
    pub(crate) async fn close(&mut self) {
        self.over = true;
        let _ = poll_fn(|cx| self.channel.poll_close(cx)).await;
    }

    fn log(&mut self) {
        while let Some(trace) = self.client.poll_trace() {
            self.endpoint.transcript.trace(&trace);
        }
    }

    fn now(&self) -> Time {
        Time::from_start(self.clock.elapsed())
    }
}

/// A channel, under TLS if TLS begins at once.
pub(crate) async fn opened<T: Transport>(
    transport: T,
    endpoint: &Endpoint,
) -> Result<(Channel<T>, bool), Error> {
    let mut channel = Channel::new(transport);
    let implicit = endpoint.tls == TlsMode::Implicit;
    if implicit {
        let (trust, words) = (&endpoint.trust, &endpoint.words);
        let begun = channel.start_tls(endpoint.place(), trust, words, endpoint.patience);
        begun.await?;
    }
    Ok((channel, implicit))
}

/// How a command ended, if this is its end.
pub(crate) fn end_of(event: &Event<'_>, tag: Tag) -> Option<Result<String, Refusal>> {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    match event {
        Event::Done { tag: of, text } if *of == tag => Some(Ok(text.clone())),
        Event::Refused {
            tag: of,
            code,
            text,
        } if *of == tag => Some(Err(Refusal {
            code: *code,
            text: text.clone(),
        })),
        _ => None,
    }
}

/// Nothing went wrong, and nothing happened yet.
pub(crate) fn is_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
