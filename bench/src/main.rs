//! `windlass-bench`: how fast and how small Windlass is beside others, measured on one machine in one run. A
//! mock upstream, a load generator, the comparison of proxies, the chain engine beside Python's, instruction
//! counts of the hot path. Not part of the product.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

mod answers;
mod caller;
mod chains;
mod child;
mod dialects;
mod engine;
mod guards;
mod hot;
mod http1;
mod instructions;
mod latency;
mod load;
mod mock;
mod nginx;
mod pace;
mod peers;
mod procfs;
mod proxy;
mod replicas;
mod report;
mod stays_up;
mod summary;
mod target;
mod windlass;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// How fast and how small Windlass is beside others.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Serve canned answers of an OpenAI-compatible upstream, as cheaply as possible.
    Mock(mock::Options),
    /// Send load to a server on this machine; fails when any request does.
    Load(load::Options),
    /// Compare Windlass with nginx and the direct way: bench/results/proxy.json.
    Proxy(proxy::Options),
    /// Compare the chain engine with `LangChain` and `LangGraph`: bench/results/chains.json.
    Chains(chains::Options),
    /// Count the hot path's instructions: bench/results/instructions.json.
    Instructions(instructions::Options),
    /// Count what translations between dialects cost: bench/results/dialects.json.
    Dialects(dialects::Options),
    /// Time and count what staying up costs a call: bench/results/guards.json.
    Guards(guards::Options),
    /// Take Redis from two replicas under load: bench/results/replicas.json.
    Replicas(replicas::Options),
    /// Do one round of it; what `guards` counts.
    #[command(hide = true)]
    GuardsRound(guards::Round),
    /// Ask the engine as a whole how it stays up, on a driven clock: bench/results/stays-up.json.
    StaysUp(stays_up::Options),
    /// Do one translation; what `dialects` counts.
    #[command(hide = true)]
    Translation(dialects::Round),
    /// Run one workload of the hot path; what `instructions` counts.
    #[command(hide = true)]
    Hot(hot::Options),
}

/// The product's, so that what is counted and timed here is what it does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = tokio::select! {
        // By chance, listening for signals would be part of every second count of allocations.
        biased;
        outcome = dispatch(Command::parse()) => outcome,
        // Leaving by the front door drops what runs, and that ends every child.
        name = told_to_stop() => Err(anyhow::anyhow!("stopped by {name}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("windlass-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Mock(options) => mock::serve(&options).await,
        Command::Load(options) => load::run(&options).await,
        Command::Proxy(options) => proxy::run(&options).await,
        Command::Chains(options) => chains::run(&options).await,
        Command::Instructions(options) => instructions::run(&options).await,
        Command::Dialects(options) => dialects::run(&options).await,
        Command::StaysUp(options) => {
            // On a thread of its own: each run builds a runtime, and a signal must still be heard.
            let (done, told) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || done.send(stays_up::run(&options)));
            told.await?
        }
        Command::Translation(options) => dialects::round(&options),
        Command::Guards(options) => guards::run(&options).await,
        Command::Replicas(options) => replicas::run(&options).await,
        Command::GuardsRound(options) => guards::round(&options),
        Command::Hot(options) => hot::run(&options),
    }
}

async fn told_to_stop() -> &'static str {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
