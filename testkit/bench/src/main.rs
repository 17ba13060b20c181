//! The gateway measured against Dovecot's own POP3 over IMAP, against Dovecot's POP3 on the Maildir, against
//! haproxy and against a bare IMAP client, all on this machine, all in one run.
//!
//! `cargo run --release -p bench` needs Debian's dovecot-imapd, dovecot-pop3d and haproxy, and nothing
//! of the system's configuration. The load is made here; it decides nothing but what is asked for.

mod chart;
mod cores;
mod delay;
mod imap;
mod limits;
mod machine;
mod mail;
mod place;
mod pop;
mod process;
mod report;
mod scale;
mod servers;
mod table;
mod wire;
mod work;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Parser;

use place::Place;
use servers::{Ours, Servers, Who};
use table::Samples;
use work::{Scale, Work};

/// A result whose error is text for the person who runs this.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the gateway against its peers and prints a table.
#[derive(Debug, Parser)]
struct Cli {
    /// How often everything is measured; the table shows medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// One round with little of everything, to see whether it works.
    #[arg(long)]
    quick: bool,
    /// The gateway's binary. Left out: it is built.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Only rows whose title holds this text; may be repeated.
    #[arg(long)]
    only: Vec<String>,
    /// Only these servers: imapc, native, relay, bare, tokio, smol; may be repeated.
    #[arg(long)]
    server: Vec<String>,
    /// What the gateway may fetch ahead, as its configuration says it; left out: its default.
    #[arg(long, value_name = "SIZE")]
    read_ahead: Option<String>,
    /// Only the behaviour at scale: ten thousand sessions and what they cost.
    #[arg(long)]
    scale: bool,
    /// No round is begun that would not end within this many minutes.
    #[arg(long, default_value_t = 15.0)]
    minutes: f64,
    /// Writes the figures into docs/performance.md, and draws them.
    #[arg(long)]
    write: bool,
    /// Only draws what docs/performance.md says, into docs/book/charts; nothing is measured.
    #[arg(long)]
    charts: bool,
    /// Serves as the upstream at scale on this port, as this program tells itself.
    #[arg(long, hide = true)]
    upstream: Option<u16>,
    /// How many users it has.
    #[arg(long, hide = true, default_value_t = 0)]
    users: usize,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Outcome {
    if let Some(port) = cli.upstream {
        return scale::serve(port, cli.users);
    }
    if cli.charts {
        return report::draw();
    }
    let gateway = match &cli.gateway {
        Some(path) => path.clone(),
        None => build()?,
    };
    let everybody: Vec<Who> = Who::ALL
        .into_iter()
        .filter(|who| cli.server.is_empty() || cli.server.iter().any(|name| name == who.name()))
        .collect();
    let place = Place::new()?;
    let (begin, load) = (Instant::now(), machine::load());
    let (mut rounds, mut measured, mut scale) = (0, None, None);
    if !cli.scale {
        let (samples, done) = compare(cli, &place, &gateway, &everybody)?;
        rounds = done;
        measured = Some((samples, limits::measure()?));
    }
    if cli.scale || cli.only.is_empty() && !cli.quick {
        let ours: Vec<Who> = everybody.into_iter().filter(|who| who.is_ours()).collect();
        let binary = Ours {
            binary: &gateway,
            read_ahead: cli.read_ahead.as_deref(),
            rest: None,
        };
        scale = Some(scale::measure(&place, binary, &ours)?);
    }
    let figures = report::Figures {
        command: std::env::args().skip(1).collect(),
        rounds,
        minutes: begin.elapsed().as_secs_f64() / 60.0,
        load,
        samples: measured,
        scale,
    };
    print!("{}", figures.markdown());
    if cli.write {
        figures.write()?;
    }
    Ok(())
}

/// Everybody at all workloads, in turn; tells how many rounds there was time for.
fn compare(
    cli: &Cli,
    place: &Place,
    gateway: &Path,
    everybody: &[Who],
) -> Outcome<(Samples, usize)> {
    let works: Vec<Work> = Work::ALL
        .into_iter()
        .filter(|work| wanted(*work, &cli.only))
        .collect();
    let (rounds, scale) = if cli.quick {
        (1, Scale::QUICK)
    } else {
        (cli.rounds, Scale::FULL)
    };
    let needed = mail::Needed {
        giant: works.contains(&Work::MemoryGiant),
        huge: works.contains(&Work::Huge),
    };
    eprintln!("preparing the mailboxes");
    let begin = Instant::now();
    let mail = mail::prepare(place, needed)?;
    let ours = Ours {
        binary: gateway,
        read_ahead: cli.read_ahead.as_deref(),
        rest: None,
    };
    let mut servers = Servers::start(place, &mail, ours)?;
    mail::index(servers.imap, needed)?;

    let mut samples = Samples::default();
    for round in 0..rounds {
        let began = Instant::now();
        for work in &works {
            // everybody comes first once, in case that matters
            for turn in 0..everybody.len() {
                let who = everybody[(turn + round) % everybody.len()];
                if work.concerns(who) {
                    eprintln!("round {} of {rounds}: {work:?}, {}", round + 1, who.name());
                    work.run(&mut servers, who, &scale, &mut samples)
                        .map_err(|error| format!("{work:?}, {}: {error}", who.name()))?;
                }
            }
        }
        let next = begin.elapsed() + began.elapsed();
        if next.as_secs_f64() > cli.minutes * 60.0 && round + 1 < rounds {
            eprintln!("no time for more than {} rounds", round + 1);
            return Ok((samples, round + 1));
        }
    }
    Ok((samples, rounds))
}

fn wanted(work: Work, only: &[String]) -> bool {
    let mut titles = work.rows().iter().map(|row| row.title());
    only.is_empty() || titles.any(|title| only.iter().any(|part| title.contains(part.as_str())))
}

/// Builds the gateway beside this program.
fn build() -> Outcome<PathBuf> {
    let cargo = std::env::var_os("CARGO").ok_or("run this with cargo, or say --gateway")?;
    let status = Command::new(cargo)
        .args(["build", "--release", "-p", "pop3-gateway"])
        .status()?;
    if !status.success() {
        return Err("the gateway does not build".into());
    }
    Ok(std::env::current_exe()?.with_file_name("pop3-gateway"))
}
