//! The whole gateway in a simulated world. The fuzzer decides about every event: clients that talk,
//! stall and vanish, an IMAP server that misbehaves, other programs in the mailbox, time, shutdown.
//!
//! It ends by itself, keeps nothing, and removes only what some client marked before QUIT. In half of
//! the runs nothing goes wrong; then each reply is what the reference maildrop says.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use imap_backend::{Config, DeletePolicy, ImapBackend, PipelineLogin, Security};
use libfuzzer_sys::fuzz_target;
use pop3_proto::backend::Login;
use pop3_proto::server::{Policy, ReadOnly};
use pop3_server::runtime::NoSignals;
use pop3_server::server::Server;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;
use pop3_server::setup::Setup;
use testkit::generate::{self, Source};
use testkit::imap_server::{self, Options, Store};
use testkit::judge::{Tolerance, judge};
use testkit::model::{Maildrop, Message};
use testkit::world::{Client, Conditions, Cut, Ending, ImapHost, Route, Tasks, World};
use testkit_server::simulated::{Meter, Simulated, port};

const USER: &str = "tim";
const PASSWORD: &str = "tanstaaf";
const IMAP: u16 = 143;
/// Longer than anything may take.
const LONG: Duration = Duration::from_secs(2 * 3600);
/// The most that a client may receive in all: a few mails of a few KiB, many times.
const HEARD: usize = 8 * 1024 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let day = if source.below(2) == 0 {
        Day::Bad
    } else {
        Day::Good
    };
    let mut rig = Rig::new(&mut source, day);
    match day {
        Day::Good => rig.agrees_with_the_model(&mut source),
        Day::Bad => {
            while !source.is_empty() {
                rig.step(&mut source);
                rig.look();
            }
        }
    }
    rig.come_to_an_end();
});

/// Whether anything goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    Good,
    Bad,
}

/// One IMAP server serves everybody.
struct OneServer(Arc<Config>);

impl Service for OneServer {
    type Backend = ImapBackend;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<ImapBackend>, Denied> {
        Ok(Routed::new(
            ImapBackend::new(Arc::clone(&self.0)),
            login.user().unwrap_or_default(),
            "world",
        ))
    }
}

struct Rig {
    world: World,
    server: Server,
    imap: imap_server::Server,
    tasks: Tasks,
    clients: Vec<Client>,
    /// What each client sent, in upper case.
    said: Vec<Vec<u8>>,
    pop3: u16,
    /// Messages that other programs removed.
    taken: usize,
    delivered: usize,
    /// Nothing may be removed, whatever clients send.
    keeps: bool,
    /// Nothing may be changed.
    read_only: bool,
    down: bool,
}

impl Rig {
    fn new(source: &mut Source<'_>, day: Day) -> Self {
        let mut world = World::new();
        let store = Store::new();
        store.add_user(USER, PASSWORD);
        let mails = generate::maildrop(source);
        let delivered = mails.len();
        for mail in mails {
            store.deliver(USER, mail);
        }
        let config = config(source);
        let imap = imap_server::Server::new(store, options(source, day));
        for _ in 0..source.below(3) {
            world.network().plan(IMAP, route(source, day));
        }
        world.add(ImapHost::new(&world, IMAP, imap.clone()));
        let tasks = Tasks::new();
        let runtime = Simulated::new(world.network(), &tasks, &Meter::default());
        let keeps = match config.delete {
            DeletePolicy::Seen | DeletePolicy::Keyword(_) | DeletePolicy::Keep => true,
            DeletePolicy::Expunge | DeletePolicy::Trash { .. } | DeletePolicy::Move(_) => false,
        };
        let read_only = day == Day::Bad && source.below(8) == 7;
        let policy = Policy::default().clear_login(true).read_only(if read_only {
            ReadOnly::Always
        } else {
            ReadOnly::OnRequest
        });
        let settings = Settings::new(Arc::new(OneServer(Arc::new(config)))).policy(policy);
        let (socket, pop3) = port(0).expect("loopback");
        let server = Server::new();
        let setup = Setup::new().server(server.clone()).pop3(socket, settings);
        let serve = setup.serve(runtime, NoSignals);
        tasks.spawn(async { serve.await.expect("a listener") });
        world.add(tasks.clone());
        world.settle();
        let mut rig = Self {
            world,
            server,
            imap,
            tasks,
            clients: Vec::new(),
            said: Vec::new(),
            pop3,
            taken: 0,
            delivered,
            keeps,
            read_only,
            down: false,
        };
        rig.connect(source, day);
        rig
    }

    /// One session, played as it comes, and then compared.
    fn agrees_with_the_model(&mut self, source: &mut Source<'_>) {
        let model = self.model();
        let uids = self.imap.store().uids(USER, "INBOX");
        let one_by_one = source.below(2) == 1;
        let mut commands = generate::commands(source, self.delivered);
        commands.retain(|command| !command.trim_ascii().eq_ignore_ascii_case(b"QUIT"));
        commands.push(b"QUIT".to_vec());
        let login = [format!("USER {USER}"), format!("PASS {PASSWORD}")];
        commands.splice(0..0, login.map(String::into_bytes));
        for command in &commands {
            self.say(0, command);
            self.say(0, b"\r\n");
            if one_by_one {
                self.world.settle();
            }
        }
        self.world.settle();
        let client = &self.clients[0];
        let output = client.take();
        let heard = judge(
            &output,
            client.has_ended(),
            &commands,
            model,
            Tolerance::Nothing,
        );
        let heard = heard.unwrap_or_else(|fault| panic!("{fault}: {}", output.escape_ascii()));
        let left = self.imap.store().uids(USER, "INBOX");
        for (number, uid) in (1..).zip(uids) {
            let goes = !self.keeps && heard.marked.contains(&number);
            assert_eq!(left.contains(&uid), !goes, "{number}");
        }
    }

    fn model(&self) -> Maildrop {
        let messages = self.imap.store().edit(USER, "INBOX", |folder| {
            let message = |message: &imap_server::Message| {
                Message::new(format!("1.{}", message.uid), message.content.clone())
            };
            folder.messages().iter().map(message).collect::<Vec<_>>()
        });
        Maildrop::new(messages.unwrap_or_default())
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let which = source.below(self.clients.len());
        let Some(client) = self.clients.get(which).cloned() else {
            return;
        };
        match source.below(24) {
            0..=7 => {
                let command = generate::command(source, self.delivered);
                self.say(which, &command);
                self.say(which, b"\r\n");
            }
            8 | 9 => {
                let lines = format!("USER {USER}\r\nPASS {PASSWORD}\r\n");
                self.say(which, lines.as_bytes());
            }
            10 => self.say(which, source.take(20)),
            11 => self.say(which, b"XPRO\r\nUTF8\r\n"),
            12 => self.say(which, b"QUIT\r\n"),
            13 => client.set_deaf(source.chance(2)),
            14 => match source.below(6) {
                0 => client.hang_up(),
                1 => client.reset(),
                2 => client.vanish(),
                _ => {}
            },
            15 if self.clients.len() < 3 && !self.down => self.connect(source, Day::Bad),
            16 => self.imap.add_fault(generate::fault(source)),
            17 => self.imap.clear_faults(),
            18 => self.other_program(source),
            19 => self
                .world
                .advance(Duration::from_secs(source.below(1000) as u64)),
            20 if source.below(16) == 15 => {
                self.server.shutdown().advance();
                self.down = true;
            }
            // the last line goes out together with the next one
            21..=23 => return,
            _ => {}
        }
        self.world.settle();
    }

    fn connect(&mut self, source: &mut Source<'_>, day: Day) {
        self.world.network().plan(self.pop3, route(source, day));
        let client = Client::connect(&mut self.world, self.pop3).expect("it listens");
        self.clients.push(client);
        self.said.push(Vec::new());
        if day == Day::Bad && source.below(4) < 3 {
            let lines = format!("USER {USER}\r\nPASS {PASSWORD}\r\n");
            self.say(self.clients.len() - 1, lines.as_bytes());
        }
    }

    fn say(&mut self, which: usize, octets: &[u8]) {
        self.clients[which].send(octets);
        self.said[which].extend(octets.to_ascii_uppercase());
    }

    fn other_program(&mut self, source: &mut Source<'_>) {
        let place = source.below(8);
        let (what, mail) = (source.below(5), generate::mail(source));
        let taken = self.imap.store().edit(USER, "INBOX", |folder| {
            let uid = folder.uids().get(place).copied();
            match (what, uid) {
                (0, Some(uid)) => usize::from(folder.expunge(uid)),
                (1, Some(uid)) => {
                    folder.set_flag(uid, "\\Deleted", place % 2 == 0);
                    0
                }
                (2, _) => {
                    folder.renumber(7);
                    0
                }
                (_, _) => 0,
            }
        });
        self.taken += taken.unwrap_or(0);
        if what == 3 && self.delivered < 20 {
            self.imap.store().deliver(USER, mail);
            self.delivered += 1;
        }
    }

    /// What must hold at any time.
    fn look(&self) {
        for client in &self.clients {
            assert!(client.heard() < HEARD, "{} octets", client.heard());
        }
        let left = self.imap.store().uids(USER, "INBOX").len();
        let gone = (self.delivered - self.taken).saturating_sub(left);
        let count =
            |said: &[u8], word: &[u8]| said.windows(word.len()).filter(|w| *w == word).count();
        let quitters = self.said.iter().filter(|said| count(said, b"QUIT") > 0);
        let (mut marks, mut reads) = (0, 0);
        for said in quitters {
            marks += count(said, b"DELE");
            reads += count(said, b"RETR");
        }
        assert!(gone <= marks, "{gone} are gone, {marks} were marked");
        assert!(gone == 0 || !self.keeps, "{gone} are gone");
        let changes = [
            "UID STORE",
            "UID EXPUNGE",
            "EXPUNGE",
            "UID MOVE",
            "UID COPY",
            "CREATE",
        ];
        let changed = changes.iter().any(|words| self.imap.received(words));
        assert!(
            !changed || marks + reads > 0 && !self.read_only,
            "{:#?}",
            self.imap.commands()
        );
        assert!(!self.imap.received("CLOSE"));
    }

    /// Nothing more happens to any client: the gateway ends, and nothing is left.
    fn come_to_an_end(mut self) {
        self.world.advance(LONG);
        self.look();
        for client in &self.clients {
            client.vanish();
        }
        self.world.settle();
        self.world.advance(LONG);
        assert_eq!(self.server.locks().held(), 0);
        let serving = usize::from(!self.down);
        assert_eq!(self.tasks.running(), serving);
        // a running task can spawn others, and so keep itself alive
        self.tasks.cancel();
    }
}

fn config(source: &mut Source<'_>) -> Config {
    let mut config = Config::new("127.0.0.1", IMAP, Security::Clear);
    config.read_ahead = source.pick(&[256 * 1024, 0, 60, 400]);
    config.mark_seen = source.below(2) == 1;
    config.quirks.pipeline_login = source.pick(&[PipelineLogin::Auto, PipelineLogin::Always]);
    config.delete = match source.below(8) {
        0 => DeletePolicy::Trash {
            fallback: "Old".into(),
        },
        1 => DeletePolicy::Move("Away".into()),
        2 => DeletePolicy::Seen,
        3 => DeletePolicy::Keyword("$Gone".into()),
        4 => DeletePolicy::Keep,
        _ => DeletePolicy::Expunge,
    };
    config
}

fn options(source: &mut Source<'_>, day: Day) -> Options {
    let mut options = match source.below(6) {
        0 => Options::plain(),
        1 => Options::default().without("UIDPLUS"),
        2 => Options::default().without("MOVE").without("LITERAL+"),
        3 => Options::default().with("LOGINDISABLED"),
        _ => Options::default(),
    };
    for _ in 0..if day == Day::Bad { source.below(3) } else { 0 } {
        options = options.with_fault(generate::fault(source));
    }
    options
}

fn route(source: &mut Source<'_>, day: Day) -> Route {
    Route {
        there: conditions(source, day),
        back: conditions(source, day),
    }
}

fn conditions(source: &mut Source<'_>, day: Day) -> Conditions {
    let sizes = if source.below(4) == 3 {
        source.take(3).to_vec()
    } else {
        Vec::new()
    };
    let cut = (day == Day::Bad && source.below(4) == 3).then(|| Cut {
        after: source.below(2000) as u64,
        ending: source.pick(&[Ending::End, Ending::Reset, Ending::Silence]),
    });
    // a network that is both slow and narrow would only take endless time
    let (delay, window) = source.pick(&[
        (0, 64 * 1024),
        (0, 64 * 1024),
        (40, 64 * 1024),
        (40, 500),
        (0, 7),
        (0, 1),
    ]);
    Conditions {
        delay: Duration::from_millis(delay),
        window,
        sizes,
        cut,
    }
}
