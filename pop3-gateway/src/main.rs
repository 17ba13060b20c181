//! `pop3-gateway`: see the library of the same name.

use std::process::ExitCode;

use pop3_gateway::cli::Cli;

fn main() -> ExitCode {
    pop3_gateway::run(Cli::of_process())
}
