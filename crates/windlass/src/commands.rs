//! The commands, one file each.

mod certify;
mod chat;
mod check;
mod ledger;
mod models;
mod run;
mod runs;
mod serve;
mod stop;
mod table;

use clap::CommandFactory as _;
use types::{Code, Fault, Kind};

use crate::args::{Cli, Command, Schema};
use crate::exit::Failure;
use crate::{output, setup};

/// Does what the command line says.
pub(crate) fn dispatch(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "windlass", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::Schema { of: Schema::Config } => output::json(&config::json_schema()),
        Command::Schema { of: Schema::Chain } => output::json(&chain::json_schema()),
        Command::Check(args) => check::check(cli, args),
        Command::Models(args) => models::list(cli, args),
        Command::Certify(args) => certify::certify(cli, args),
        Command::Serve(_) => serve::serve(cli),
        Command::Run(args) => on_engine(cli, |started, cli| Box::pin(run::run(started, cli, args))),
        Command::Chat(args) => on_engine(cli, |started, cli| Box::pin(chat::chat(started, cli, args))),
        Command::Runs(args) => on_engine(cli, |started, cli| Box::pin(runs::runs(started, cli, args))),
        Command::Ledger(args) => on_engine(cli, |started, cli| Box::pin(ledger::show(started, cli, args))),
    }
}

/// How long an interrupted command may take to say what it leaves behind.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// Starts an engine for one command and stops it in order, whatever the command came to.
fn on_engine<'a>(
    cli: &'a Cli,
    work: impl FnOnce(engine::Engine, &'a Cli) -> Work<'a>,
) -> Result<(), Failure> {
    let loaded = setup::load(cli)?;
    setup::start_logging(&loaded.config, cli, false);
    let drain = loaded.config.server.drain;
    setup::runtime(&loaded.config)?.block_on(async {
        let started = setup::start(loaded.config).await?;
        let mut told = stop::Told::new().map_err(anyhow::Error::from)?;
        let engine = started.engine.clone();
        let mut work = work(engine, cli);
        let result = tokio::select! {
            result = &mut work => result,
            () = told.stopped() => {
                // A run leaves its journal in order and says how to go on with it.
                started.engine.abort();
                let interrupted = || {
                    Err(Failure::Fault(Fault::new(Kind::Cancelled, Code::Cancelled, "interrupted")))
                };
                match tokio::time::timeout(LAST_WORDS, work).await {
                    // A call that was cut off says that the process stops: here, it was told to.
                    Ok(Err(Failure::Fault(fault))) if fault.code == Code::Stopping => interrupted(),
                    Ok(result) => result,
                    Err(_) => interrupted(),
                }
            }
        };
        started.stop(drain, std::future::ready(())).await;
        result
    })
}
