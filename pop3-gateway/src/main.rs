//! `pop3-gateway`: see the library of the same name.

use std::process::ExitCode;

use pop3_gateway::cli::Cli;

/// Requests to providers of tokens leave nothing in memory that was freed.
#[cfg(feature = "oauth")]
#[global_allocator]
static HEAP: wiping_alloc::Wiping = wiping_alloc::Wiping;

fn main() -> ExitCode {
    pop3_gateway::run(Cli::of_process())
}
