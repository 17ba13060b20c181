//! A gateway in front of an IMAP server, in a world, ready to be talked to.

use std::sync::Arc;
use std::time::Duration;

use imap_backend::{Config, Security};
use pop3_gateway::layer::Budget;
use pop3_gateway::mailbox::imap::Ready;
use pop3_gateway::mailbox::kind::Shared;
use pop3_gateway::metrics::{Format, Metrics};
use pop3_gateway::service::{Gateway, Target};
use pop3_proto::server::{Policy, TlsOffer};
use pop3_server::limit::Limits;
use pop3_server::name::{Names, Rewrite};
use pop3_server::parking::Lot;
use pop3_server::route::Routes;
use pop3_server::runtime::NoSignals;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use testkit::Content;
use testkit::imap_server::{Options, Server as ImapServer, Store, Trouble};
use testkit::model::{Maildrop, Message};
use testkit::world::{Conditions, Cut, Ending, Route, Tasks, World};

use crate::client::Client;
use crate::hosts::ImapHost;
use crate::tls::{NAME, tls};
use testkit::judge::{Heard, Tolerance};
use testkit_server::simulated::{Meter, Simulated, port};

pub(crate) const USER: &str = "tim@example.org";
pub(crate) const PASSWORD: &str = "tanstaaf";
pub(crate) const IMAP: u16 = 143;

/// Longer than anything may take.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// What the gateway and the IMAP server are like. The default is a good server, in the clear.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) mails: Vec<Content>,
    pub(crate) options: Options,
    pub(crate) imap: Config,
    pub(crate) policy: Policy,
    /// What the connections to the IMAP server are like, one after the other.
    pub(crate) upstream: Vec<Route>,
    /// How long connections may take to finish when the server goes down.
    pub(crate) grace: Duration,
    pub(crate) limits: Limits,
}

impl Setup {
    pub(crate) fn new<M: Into<Content>>(mails: impl IntoIterator<Item = M>) -> Self {
        Self {
            mails: mails.into_iter().map(Into::into).collect(),
            options: Options::default(),
            imap: Config::new("127.0.0.1", IMAP, Security::Clear),
            policy: Policy::default().clear_login(true),
            upstream: Vec::new(),
            grace: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }

    /// With TLS to the client and to the IMAP server.
    pub(crate) fn with_tls(mut self, client: TlsOffer, upstream: Security) -> Self {
        self.policy.tls = client;
        self.imap.security = upstream;
        self.imap.server_name = NAME.into();
        if upstream == Security::StartTls {
            self.options = self.options.with("STARTTLS");
        }
        self
    }

    pub(crate) fn upstream_route(mut self, route: Route) -> Self {
        self.upstream.push(route);
        self
    }

    pub(crate) fn start(self) -> Rig {
        Rig::new(self)
    }
}

/// The world with all its inhabitants.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) server: Server,
    metrics: Metrics,
    pub(crate) imap: ImapServer,
    pub(crate) host: ImapHost,
    pub(crate) tasks: Tasks,
    pub(crate) meter: Meter,
    pop3: u16,
    implicit_tls: bool,
}

impl Rig {
    fn new(setup: Setup) -> Self {
        let mut world = World::new();
        let store = Store::new();
        store.add_user(USER, PASSWORD);
        for mail in setup.mails {
            store.deliver(USER, mail);
        }
        let imap = ImapServer::new(store, setup.options);
        let secure = setup.imap.security;
        let host = ImapHost::new(&world, IMAP, imap.clone(), secure == Security::Implicit);
        for route in setup.upstream {
            world.network().plan(IMAP, route);
        }
        let (tasks, meter) = (Tasks::new(), Meter::default());
        let runtime = Simulated::new(world.network(), &tasks, &meter);
        let implicit_tls = setup.policy.tls == TlsOffer::Implicit;
        let metrics = Metrics::default();
        let server = metrics.server();
        let lot = (!setup.imap.park.is_zero()).then(|| server.parking().lot());
        let settings = settings(setup.imap, setup.policy, lot).limits(setup.limits);
        let (socket, pop3) = port(0).unwrap();
        let serve = pop3_server::setup::Setup::new()
            .server(server.clone())
            .pop3(socket, settings)
            .grace(setup.grace)
            .serve(runtime, NoSignals);
        tasks.spawn(async { serve.await.unwrap() });
        world.add(tasks.clone());
        world.add(host.clone());
        world.settle();
        Self {
            world,
            server,
            metrics,
            imap,
            host,
            tasks,
            meter,
            pop3,
            implicit_tls,
        }
    }

    /// A client that connects.
    pub(crate) fn client(&mut self) -> Client {
        self.client_by(Route::default())
    }

    /// A client that connects on such a line.
    pub(crate) fn client_by(&mut self, route: Route) -> Client {
        self.world.network().plan(self.pop3, route);
        let socket = self.world.network().connect(self.pop3).unwrap();
        let client = Client::new(socket, self.implicit_tls);
        self.world.add(client.clone());
        client
    }

    /// What the client hears when it says this.
    pub(crate) fn ask(&mut self, client: &Client, line: &str) -> String {
        self.world.settle();
        client.take();
        client.say(format!("{line}\r\n"));
        self.world.settle();
        client.take()
    }

    /// A client that is logged in.
    pub(crate) fn logged_in(&mut self) -> Client {
        let client = self.client();
        let heard = self.log_in(&client);
        assert!(heard.starts_with("+OK"), "{heard}");
        client
    }

    pub(crate) fn log_in(&mut self, client: &Client) -> String {
        self.ask(client, &format!("USER {USER}"));
        self.ask(client, &format!("PASS {PASSWORD}"))
    }

    /// Says commands, all at once or one after the other.
    pub(crate) fn say_all<C: AsRef<[u8]>>(&mut self, client: &Client, commands: &[C], pace: Pace) {
        for command in commands {
            client.say([command.as_ref(), b"\r\n"].concat());
            if pace == Pace::OneByOne {
                self.world.settle();
            }
        }
        self.world.settle();
    }

    /// The maildrop as a client that logs in now sees it.
    pub(crate) fn model(&self) -> Maildrop {
        let messages = self.imap.store().edit(USER, "INBOX", |folder| {
            let validity = folder.uid_validity;
            let each = folder.messages().iter();
            let message = |message: &testkit::imap_server::Message| {
                Message::new(
                    format!("{validity}.{}", message.uid),
                    message.content.clone(),
                )
            };
            each.map(message).collect::<Vec<_>>()
        });
        Maildrop::new(messages.unwrap_or_default())
    }

    pub(crate) fn uids(&self) -> Vec<u32> {
        self.imap.store().uids(USER, "INBOX")
    }

    /// How many connections wait for the next login.
    pub(crate) fn parked(&self) -> usize {
        self.server.parking().waiting()
    }

    /// How many maildrops are locked.
    pub(crate) fn locks(&self) -> usize {
        self.server.locks().held()
    }

    /// What Prometheus would read, in the older format.
    pub(crate) fn scrape(&self) -> String {
        self.metrics.exposition().unwrap().text(Format::Text)
    }

    /// A figure of it.
    pub(crate) fn figure(&self, row: &str) -> u64 {
        let text = self.scrape();
        let row = format!("pop3_gateway_{row} ");
        let mut rows = text.lines().filter_map(|line| line.strip_prefix(&row));
        let figure = rows.next().unwrap_or_else(|| panic!("{row}\n{text}"));
        figure.parse().unwrap()
    }

    /// Whether commands were received that change a mailbox.
    pub(crate) fn was_changed(&self) -> bool {
        [
            "UID STORE",
            "UID EXPUNGE",
            "EXPUNGE",
            "UID MOVE",
            "UID COPY",
            "CLOSE",
            "STORE",
        ]
        .iter()
        .any(|words| self.imap.received(words))
    }

    /// Clients can come and go as if nothing had happened: a new client logs in, reads everything that
    /// is there, and quits.
    pub(crate) fn is_usable(&mut self) {
        let model = self.model();
        let mut commands = login();
        commands.extend((1..=model.messages().len()).map(|number| format!("RETR {number}")));
        commands.push("QUIT".into());
        let client = self.client();
        self.say_all(&client, &commands, Pace::AtOnce);
        let heard = client.judged(&commands, model, Tolerance::Nothing);
        assert_eq!(heard.map(|heard| heard.quit), Ok(Some(true)));
        client.vanish();
        self.world.settle();
        assert_eq!(self.locks(), 0);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // what runs can spawn, and so keeps itself alive
        self.tasks.cancel();
        if std::thread::panicking() {
            return;
        }
        // whatever ended them, no session is counted as open
        assert_eq!(self.metrics.sessions.open(), 0);
    }
}

/// How commands are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// All at once.
    AtOnce,
    /// Each when the reply to the one before is there, or nothing moves.
    OneByOne,
}

/// USER and PASS.
pub(crate) fn login() -> Vec<String> {
    vec![format!("USER {USER}"), format!("PASS {PASSWORD}")]
}

/// The login, these, and QUIT.
pub(crate) fn session(commands: &[&str]) -> Vec<String> {
    let mut all = login();
    all.extend(commands.iter().map(|&command| command.to_owned()));
    all.push("QUIT".into());
    all
}

/// What an upstream may do in the place of selecting the folder on a connection that is taken up.
pub(crate) fn of_no_use() -> [Trouble; 7] {
    [
        Trouble::Answer("NO not now".into()),
        Trouble::Answer("BAD what?".into()),
        Trouble::Bye("too long".into()),
        Trouble::Drop,
        Trouble::Raw(b"* what\r\n".to_vec()),
        Trouble::Raw(b"this is no IMAP\r\n".to_vec()),
        Trouble::Hang,
    ]
}

/// How many octets the commands take.
pub(crate) fn octets(commands: &[String]) -> u64 {
    commands
        .iter()
        .map(|command| command.len() as u64 + 2)
        .sum()
}

/// A line that ends after this many octets.
pub(crate) fn cut(after: u64, ending: Ending) -> Conditions {
    Conditions {
        cut: Some(Cut { after, ending }),
        ..Conditions::default()
    }
}

/// A line in pieces of these sizes, less one.
pub(crate) fn pieces(sizes: &[u8]) -> Route {
    let conditions = Conditions {
        sizes: sizes.to_vec(),
        ..Conditions::default()
    };
    Route {
        there: conditions.clone(),
        back: conditions,
    }
}

/// Runs a session on an untroubled line and judges it.
pub(crate) fn judged(
    rig: &mut Rig,
    client: &Client,
    commands: &[String],
    pace: Pace,
    tolerance: Tolerance,
) -> Heard {
    let model = rig.model();
    rig.say_all(client, commands, pace);
    client
        .judged(commands, model, tolerance)
        .unwrap_or_else(|fault| panic!("{fault}\n{}", client.heard().escape_ascii()))
}

fn settings(imap: Config, policy: Policy, lot: Option<Lot>) -> Settings<Gateway> {
    let tls = match imap.security {
        Security::Clear => None,
        Security::StartTls | Security::Implicit => Some(Arc::clone(&self::tls().upstream)),
    };
    let upstream = Arc::new(Ready {
        name: "world".into(),
        imap: Arc::new(imap),
        tls,
        lot,
        #[cfg(feature = "cluster")]
        cap: None,
        #[cfg(feature = "oauth")]
        desk: None,
    });
    let gateway = Gateway {
        names: Names::default(),
        routes: Routes::everybody(Target {
            mailboxes: upstream,
            user: None,
            rewrite: Rewrite::default(),
        }),
        monitor: None,
        shared: Shared {
            budget: Budget::default(),
            broken: Arc::<imap_backend::SharedMessages>::default(),
            read_ahead_total: 64 * 1024 * 1024,
        },
    };
    let offer = policy.tls;
    let settings = Settings::new(Arc::new(gateway)).policy(policy);
    match offer {
        TlsOffer::None => settings,
        TlsOffer::Stls | TlsOffer::Implicit => settings.tls(offer, self::tls().server.clone()),
    }
}
