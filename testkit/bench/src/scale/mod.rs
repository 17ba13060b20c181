//! Behaviour at scale: whether a session costs the same beside ten thousand others, what the idle ones take,
//! how much memory a thousand downloads need, and whether slow clients slow others down.
//!
//! Each runtime serves alone, in one process, in front of [`upstream`]; clients are here.

mod upstream;

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Outcome;
use crate::mail::user;
use crate::place::Place;
use crate::pop::{Door, Pop};
use crate::process::{Served, Tree, peak, precise_cpu};
use crate::servers::{Ours, Ports, Who, gateway};
use crate::table::{digits, median};
use upstream::{LARGE, LARGE_NUMBER};

pub(crate) use upstream::serve;

/// How many sessions are wanted.
const SESSIONS: usize = 10_000;
/// How many of them fetch a large message at once.
const FETCHING: usize = 1000;
/// How many clients do not read.
const SLOW: usize = 100;
/// Sockets of a gateway besides those of its sessions, of which each has two: those of connections that wait, most of all.
const SPARE: usize = 1200;
/// How many sessions are wanted where they rest.
const CROWD: usize = 25_000;
/// After how long they do.
const REST: Duration = Duration::from_secs(2);
/// Files of this process besides its clients' sockets.
const OWN: usize = 60;

/// Until servers have put their things away.
const SETTLE: Duration = Duration::from_millis(1500);
/// How long idle sessions are looked at.
const IDLE: Duration = Duration::from_secs(5);

/// What was seen of one runtime.
#[derive(Clone, Debug)]
struct Seen {
    levels: Vec<Level>,
    /// The share of a processor that the idle sessions of the last level took.
    idle: f64,
    fetching: Fetching,
    /// Seen last, of a process of its own.
    resting: Option<Resting>,
    /// A client alone, and beside clients that do not read.
    alone: Walked,
    beside: Walked,
}

/// The number of sessions that are open and do nothing.
#[derive(Clone, Copy, Debug)]
struct Level {
    open: usize,
    /// KiB for each.
    memory: f64,
    /// Seconds of processor time for another one's login, STAT and QUIT.
    visit: f64,
}

/// Sessions that fetch a large message at once.
#[derive(Clone, Copy, Debug)]
struct Fetching {
    sessions: usize,
    /// KiB for each, at the most.
    memory: f64,
    /// Octets per second in all.
    rate: f64,
}

/// Sessions that rest.
#[derive(Clone, Copy, Debug)]
struct Resting {
    sessions: usize,
    /// KiB for each.
    memory: f64,
    /// How many files the server may open.
    files: usize,
}

/// RETR of small messages, one by one.
#[derive(Clone, Copy, Debug)]
struct Walked {
    per_second: f64,
    /// Seconds of processor time for each.
    cpu: f64,
}

/// What was seen of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seens(Vec<(Who, Seen)>);

/// Measures one runtime after the other.
pub(crate) fn measure(place: &Place, ours: Ours<'_>, runtimes: &[Who]) -> Outcome<Seens> {
    let sessions = SESSIONS.min(files().saturating_sub(SPARE) / 2);
    let port = place.port()?;
    let argv = [
        std::env::current_exe()?.into_os_string(),
        "--upstream".into(),
        port.to_string().into(),
        "--users".into(),
        (sessions + FETCHING).max(CROWD).to_string().into(),
    ];
    let log = place.path("scale.log");
    let _upstream = Served::start("the upstream at scale", argv.into(), log, vec![port])?;
    let mut all = Seens::default();
    for who in runtimes {
        eprintln!("scale: {}, {sessions} sessions", who.name());
        let ports = Ports::new(place)?;
        let name = format!("scale-{}", who.name());
        let mut gateway = gateway::start(place, ours, who.name(), &name, ports, port)?;
        let seen = look(&mut gateway, &Door::Plain(ports.plain), sessions)?;
        drop(gateway);
        let ours = Ours {
            rest: Some("2s"),
            ..ours
        };
        let name = format!("scale-{}-rest", who.name());
        let ports = Ports::new(place)?;
        let gateway = gateway::start(place, ours, who.name(), &name, ports, port)?;
        let seen = Seen {
            resting: Some(rest(&gateway, &Door::Plain(ports.plain))?),
            ..seen
        };
        all.0.push((*who, seen));
    }
    Ok(all)
}

fn look(gateway: &mut Served, door: &Door, sessions: usize) -> Outcome<Seen> {
    let (levels, idle) = climb(gateway, door, sessions)?;
    gateway.restart()?;
    let fetching = fetch(gateway, door, FETCHING.min(sessions))?;
    gateway.restart()?;
    let alone = walk(gateway.pid(), door)?;
    let slow = (1..=SLOW).map(|number| stall(door, number));
    let slow = slow.collect::<Outcome<Vec<Pop>>>()?;
    thread::sleep(SETTLE);
    let beside = walk(gateway.pid(), door)?;
    drop(slow);
    Ok(Seen {
        levels,
        idle,
        fetching,
        resting: None,
        alone,
        beside,
    })
}

/// More and more idle sessions.
fn climb(gateway: &Served, door: &Door, sessions: usize) -> Outcome<(Vec<Level>, f64)> {
    let tree = Tree(gateway.pid());
    // what is made once is no session's
    for _ in 0..100 {
        Pop::login(door, &user(sessions))?.quit()?;
    }
    thread::sleep(SETTLE);
    let empty = tree.memory();
    let (mut open, mut levels) = (Vec::new(), Vec::new());
    for level in [10, 100, 1000, sessions] {
        while open.len() < level {
            open.push(Pop::login(door, &user(open.len()))?);
        }
        thread::sleep(SETTLE);
        let memory = tree.memory().saturating_sub(empty) as f64 / level as f64;
        levels.push(Level {
            open: level,
            memory,
            visit: visit(gateway.pid(), door, sessions)?,
        });
    }
    let before = precise_cpu(gateway.pid());
    thread::sleep(IDLE);
    let used = precise_cpu(gateway.pid()).saturating_sub(before);
    Ok((levels, used.as_secs_f64() / IDLE.as_secs_f64()))
}

/// The processor time of one more session: the median of some batches.
fn visit(pid: u32, door: &Door, first: usize) -> Outcome<f64> {
    const BATCHES: usize = 7;
    const BATCH: usize = 100;
    let mut costs = Vec::new();
    for _ in 0..BATCHES {
        let before = precise_cpu(pid);
        for number in 0..BATCH {
            let mut pop = Pop::login(door, &user(first + number))?;
            pop.ask("STAT")?;
            pop.quit()?;
        }
        let used = precise_cpu(pid).saturating_sub(before);
        costs.push(used.as_secs_f64() / BATCH as f64);
    }
    Ok(median(&mut costs).unwrap_or_default())
}

/// Many sessions ask for a large message before anybody reads; then all read.
fn fetch(gateway: &Served, door: &Door, sessions: usize) -> Outcome<Fetching> {
    const READERS: usize = 8;
    Pop::login(door, &user(sessions))?.quit()?;
    thread::sleep(SETTLE);
    let empty = Tree(gateway.pid()).memory();
    let all = (0..sessions).map(|number| stall(door, number));
    let mut all = all.collect::<Outcome<Vec<Pop>>>()?;
    thread::sleep(SETTLE);
    let begin = Instant::now();
    let share = all.len().div_ceil(READERS);
    let read: Outcome<u64> = thread::scope(|scope| {
        let readers: Vec<_> = all
            .chunks_mut(share)
            .map(|some| scope.spawn(move || read_all(some)))
            .collect();
        let joined = readers.into_iter().map(|reader| reader.join());
        joined
            .map(|read| read.unwrap_or_else(|_| Err("a reader died".into())))
            .sum()
    });
    let rate = read? as f64 / begin.elapsed().as_secs_f64();
    let most = peak(gateway.pid()).saturating_sub(empty);
    Ok(Fetching {
        sessions,
        memory: most as f64 / sessions as f64,
        rate,
    })
}

fn read_all(some: &mut [Pop]) -> Outcome<u64> {
    let mut octets = 0;
    for pop in some {
        pop.ok()?;
        let read = pop.wire.body()?;
        if read < LARGE as u64 / 2 {
            return Err("a message came short".into());
        }
        octets += read;
    }
    Ok(octets)
}

/// As many sessions as there is room for, once those before them rest. The first one still has its mail.
fn rest(gateway: &Served, door: &Door) -> Outcome<Resting> {
    const PATIENCE: usize = 5;
    Pop::login(door, &user(0))?.quit()?;
    thread::sleep(SETTLE);
    let tree = Tree(gateway.pid());
    let empty = tree.memory();
    let most = CROWD.min(files().saturating_sub(OWN));
    let (mut open, mut refused) = (Vec::new(), 0);
    while open.len() < most && refused < PATIENCE {
        if let Ok(pop) = Pop::login(door, &user(open.len())) {
            open.push(pop);
            refused = 0;
        } else {
            refused += 1;
            thread::sleep(REST);
        }
    }
    thread::sleep(REST + SETTLE);
    let memory = tree.memory().saturating_sub(empty) as f64 / open.len().max(1) as f64;
    if let Some(first) = open.first_mut() {
        first.ask_long("RETR 1")?;
    }
    Ok(Resting {
        sessions: open.len(),
        memory,
        files: files(),
    })
}

/// A client that asks for a large message and does not read it.
fn stall(door: &Door, number: usize) -> Outcome<Pop> {
    let mut pop = Pop::login(door, &user(number))?;
    pop.send(&format!("RETR {LARGE_NUMBER}"))?;
    Ok(pop)
}

/// Small messages one by one, without the login: the medians of some batches.
fn walk(pid: u32, door: &Door) -> Outcome<Walked> {
    const BATCHES: usize = 9;
    const BATCH: usize = 300;
    let mut pop = Pop::login(door, &user(0))?;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let (begin, before) = (Instant::now(), precise_cpu(pid));
        for round in 0..BATCH {
            pop.ask_long(&format!("RETR {}", round % (LARGE_NUMBER - 1) + 1))?;
        }
        let used = precise_cpu(pid).saturating_sub(before);
        rates.push(BATCH as f64 / begin.elapsed().as_secs_f64());
        costs.push(used.as_secs_f64() / BATCH as f64);
    }
    pop.quit()?;
    Ok(Walked {
        per_second: median(&mut rates).unwrap_or_default(),
        cpu: median(&mut costs).unwrap_or_default(),
    })
}

/// How many files this process and those that it starts may open: as many as is allowed.
fn files() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
    let allowed = if raised.is_ok() { maximum } else { current };
    allowed.map_or(usize::MAX, |allowed| {
        usize::try_from(allowed).unwrap_or(usize::MAX)
    })
}

impl Seens {
    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| at scale |");
        for (who, _) in &self.0 {
            let _ = write!(text, " {} |", who.name());
        }
        text += "\n|---|";
        text += &"---|".repeat(self.0.len());
        text.push('\n');
        let mut line = |title: String, figure: &dyn Fn(&Seen) -> String| {
            let figures: Vec<String> = self.0.iter().map(|(_, seen)| figure(seen)).collect();
            let _ = writeln!(text, "| {title} | {} |", figures.join(" | "));
        };
        let Some((_, first)) = self.0.first() else {
            return String::new();
        };
        for (at, Level { open, .. }) in first.levels.iter().enumerate() {
            line(format!("{open} idle sessions: memory for each"), &|seen| {
                format!("{} KiB", digits(seen.levels[at].memory))
            });
        }
        for (at, Level { open, .. }) in first.levels.iter().enumerate() {
            line(
                format!("processor time of a login, STAT and QUIT beside {open} idle sessions"),
                &|seen| format!("{} µs", digits(seen.levels[at].visit * 1e6)),
            );
        }
        let most = first.levels.last().map_or(0, |level| level.open);
        line(
            format!("share of a processor that {most} idle sessions take"),
            &|seen| format!("{} %", digits(seen.idle * 100.0)),
        );
        let files = first.resting.map_or(0, |resting| resting.files);
        line(
            format!(
                "sessions that rest, in one process with {files} files: how many, and memory for each"
            ),
            &|seen| {
                seen.resting.map_or_else(
                    || "-".into(),
                    |resting| format!("{}, {} KiB", resting.sessions, digits(resting.memory)),
                )
            },
        );
        let fetching = first.fetching.sessions;
        line(
            format!(
                "{fetching} sessions with a RETR of 2 MiB under way: peak of the memory for each"
            ),
            &|seen| format!("{} KiB", digits(seen.fetching.memory)),
        );
        line(
            format!("the same {fetching}, once they read: MB/s in all"),
            &|seen| digits(seen.fetching.rate / 1e6),
        );
        let walked = |walked: Walked| {
            let cost = digits(walked.cpu * 1e6);
            format!("{}, {cost} µs each", digits(walked.per_second))
        };
        line(
            "RETR of 4 KiB one by one: per second, and processor time".into(),
            &|seen| walked(seen.alone),
        );
        line(
            format!(
                "the same beside {SLOW} clients that stopped reading in the middle of a message"
            ),
            &|seen| walked(seen.beside),
        );
        text
    }
}
