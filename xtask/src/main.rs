//! Chores of the repository, run as `cargo xtask NAME`. What each one does is in its own module; this
//! file reads the command line and turns the outcome into an exit code.

mod generated;
mod source;
mod tidy;
mod tree;

use std::io::{self, Write};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask tidy                 the rules of ARCHITECTURE.md that the compiler does not know
       cargo xtask generated [--check]  write the generated reference, or say which of it is stale
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["tidy"] => tidy::run(&tree::root()),
        ["generated"] => generated::write(&tree::root()),
        ["generated", "--check"] => generated::check(&tree::root()),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(report) => {
            say(&report);
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            say(&complaint);
            ExitCode::FAILURE
        }
    }
}

/// Best effort: a closed standard error is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}
