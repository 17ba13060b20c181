//! Processes of ours, and what they use: processor time and memory, their children's included.
//!
//! Owns the processes it started; they end when it is dropped, and when the harness dies.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Outcome;

/// Linux tells processor time to programs in hundredths of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server: how to start it, and its process.
pub(crate) struct Served {
    name: String,
    argv: Vec<OsString>,
    log: PathBuf,
    /// It is ready once these ports are open.
    ports: Vec<u16>,
    child: Option<Child>,
}

impl Served {
    pub(crate) fn start(
        name: &str,
        argv: Vec<OsString>,
        log: PathBuf,
        ports: Vec<u16>,
    ) -> Outcome<Self> {
        let mut served = Self {
            name: name.into(),
            argv,
            log,
            ports,
            child: None,
        };
        served.restart()?;
        Ok(served)
    }

    /// Ends the process, if there is one, and starts a new one.
    pub(crate) fn restart(&mut self) -> Outcome {
        self.stop();
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        // setpriv: the server goes with us even if we are killed
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .args(&self.argv)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let child = self.child.insert(child);
        let end = Instant::now() + PATIENCE;
        for port in &self.ports {
            while TcpStream::connect(("127.0.0.1", *port)).is_err() {
                if child.try_wait()?.is_some() || Instant::now() > end {
                    let said = fs::read_to_string(&self.log).unwrap_or_default();
                    return Err(format!("{} does not start:\n{said}", self.name).into());
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // what fails here has ended already
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let end = Instant::now() + PATIENCE;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = child.kill();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A process and all that come from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree(pub(crate) u32);

impl Tree {
    /// The processor time that these processes and those that have ended used so far.
    pub(crate) fn cpu(self) -> Duration {
        let all = processes();
        let ticks: u64 = members(&all, self.0)
            .iter()
            .filter_map(|pid| all.get(pid))
            .map(|process| process.ticks)
            .sum();
        TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// KiB of memory: what is shared among processes counts in parts (PSS).
    pub(crate) fn memory(self) -> u64 {
        self.members().iter().map(|pid| memory(*pid)).sum()
    }

    /// The threads of all that come from it, not its own.
    pub(crate) fn threads_below(self) -> Vec<u32> {
        let below = self.members().into_iter().filter(|pid| *pid != self.0);
        below.flat_map(threads).collect()
    }

    fn members(self) -> BTreeSet<u32> {
        members(&processes(), self.0)
    }

    /// Looks at the memory over and over.
    pub(crate) fn watch(self) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let members = self.members();
            let mut peak = 0;
            while !told.load(Ordering::Relaxed) {
                peak = peak.max(members.iter().map(|pid| memory(*pid)).sum());
                thread::sleep(Duration::from_millis(1));
            }
            peak
        });
        Watch { stop, thread }
    }
}

/// The memory of a [`Tree`] while something happens.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    /// The most that was seen, in KiB.
    pub(crate) fn peak(self) -> Outcome<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| "the watching thread died".into())
    }
}

struct Process {
    parent: u32,
    ticks: u64,
}

fn processes() -> BTreeMap<u32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, process(pid)?)))
        .collect()
}

fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name in brackets may hold anything; fields are counted after it
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(number(1)?).ok()?,
        // utime, stime, cutime, cstime
        ticks: (11..=14).filter_map(number).sum(),
    })
}

fn members(all: &BTreeMap<u32, Process>, root: u32) -> BTreeSet<u32> {
    let mut members = BTreeSet::from([root]);
    loop {
        let before = members.len();
        for (pid, process) in all {
            if members.contains(&process.parent) {
                members.insert(*pid);
            }
        }
        if members.len() == before {
            return members;
        }
    }
}

fn threads(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The processor time that the threads of a process used so far; those that ended do not count.
pub(crate) fn precise_cpu(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let used = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum())
}

/// The most memory that a process ever had, in KiB.
pub(crate) fn peak(pid: u32) -> u64 {
    field(&format!("/proc/{pid}/status"), "VmHWM:")
}

fn memory(pid: u32) -> u64 {
    field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
