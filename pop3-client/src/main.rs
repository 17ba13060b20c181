//! `pop3-client`: see the library of the same name.

use std::process::ExitCode;

use clap::Parser as _;
use pop3_client::cli::{Cli, run};

fn main() -> ExitCode {
    run(&Cli::parse())
}
