//! The process: processor, memory, descriptors, threads. The names are those that Prometheus' own libraries have.
//!
//! Reads what Linux says in `/proc/self`; what cannot be read is left out.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use rustix::process::{Resource, getrlimit};

use super::out::{Family, Out};

/// The process, and when it started.
#[derive(Debug)]
pub(super) struct Process {
    started: i64,
}

/// What `/proc/self/stat` says.
struct Stat {
    /// Seconds of the processor, in user and in system mode.
    seconds: f64,
    threads: i64,
    /// Octets.
    virtual_memory: i64,
    resident_memory: i64,
}

impl Process {
    pub(super) fn started_now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
        Self { started }
    }
}

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        let started = Family::new("process_start_time", "When the process started, since 1970");
        out.gauge(started.seconds(), self.started)?;
        if let Some(stat) = Stat::read() {
            let cpu = Family::new("process_cpu", "Time of the processor, user and system");
            out.seconds(cpu, stat.seconds)?;
            for (name, help, octets) in [
                (
                    "process_resident_memory",
                    "Memory that is in use",
                    stat.resident_memory,
                ),
                (
                    "process_virtual_memory",
                    "Addresses that are taken",
                    stat.virtual_memory,
                ),
            ] {
                out.gauge(Family::new(name, help).bytes(), octets)?;
            }
            let threads = Family::new("process_threads", "Threads that run or wait");
            out.gauge(threads, stat.threads)?;
        }
        if let Some(open) = open_descriptors() {
            let family = Family::new("process_open_fds", "Files and sockets that are open");
            out.gauge(family, open)?;
        }
        let most = getrlimit(Resource::Nofile).current;
        let most = most.map_or(i64::MAX, |most| i64::try_from(most).unwrap_or(i64::MAX));
        let family = Family::new("process_max_fds", "Files and sockets that may be open");
        out.gauge(family, most)
    }
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// proc_pid_stat(5). The name of the program stands in brackets and may have any character.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        // the first one here is the third of the manual
        let field = |number: usize| fields.get(number - 3)?.trim().parse::<i64>().ok();
        let ticks = u32::try_from(field(14)? + field(15)?).ok()?;
        let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        let page = i64::try_from(rustix::param::page_size()).ok()?;
        Some(Self {
            seconds: f64::from(ticks) / f64::from(per_second),
            threads: field(20)?,
            virtual_memory: field(23)?,
            resident_memory: field(24)?.saturating_mul(page),
        })
    }
}

/// Newer kernels say it without a look at each of them.
fn open_descriptors() -> Option<i64> {
    let folder = fs::metadata("/proc/self/fd").ok()?;
    match folder.size() {
        0 => {
            let all = fs::read_dir("/proc/self/fd").ok()?;
            // the folder that is read is one of them
            i64::try_from(all.count().saturating_sub(1)).ok()
        }
        many => i64::try_from(many).ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_name_of_the_program_may_be_anything() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 3 0 99 4096 2 18446744073709551615\n";
        let stat = Stat::parse(stat).unwrap();
        let page = i64::try_from(rustix::param::page_size()).unwrap();
        assert_eq!(
            (stat.threads, stat.virtual_memory, stat.resident_memory),
            (3, 4096, 2 * page)
        );
        let ticks = rustix::param::clock_ticks_per_second();
        let seconds = stat.seconds * f64::from(u32::try_from(ticks).unwrap());
        assert!((seconds - 200.0).abs() < 1e-6);
    }
}
