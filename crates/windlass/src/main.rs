//! The `windlass` binary: reads the command line, sets the process up, and does one command.

#![expect(clippy::print_stderr, reason = "a command-line program talks on its standard streams")]

mod args;
mod commands;
mod exit;
mod output;
mod setup;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::exit::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match commands::dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            Failure::report(&failure, json);
            failure.code()
        }
    }
}
