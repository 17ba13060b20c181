//! What the figures were measured on.

use std::fs;
use std::process::Command;

/// How many processes wanted a processor in the last minute.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// One line each.
pub(crate) fn describe() -> Vec<String> {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let memory = memory
        .split(' ')
        .next()
        .and_then(|kib| kib.parse::<u64>().ok());
    let gib = memory.unwrap_or_default() as f64 / 1024.0 / 1024.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    vec![
        format!("{cpu}, {cores} cores, {gib:.0} GiB of memory"),
        format!(
            "{}, Linux {}",
            system.unwrap_or_default().trim_matches('"'),
            kernel.trim()
        ),
        format!("Dovecot {}", first_line("dovecot", &["--version"])),
        first_line("haproxy", &["-v"]),
        first_line("rustc", &["--version"]),
    ]
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let path = crate::place::program(program, program).unwrap_or_else(|_| program.into());
    let said = Command::new(path).args(arguments).output();
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    said.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
