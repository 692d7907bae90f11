//! `windlass runs`: list, show, resume.

use chain::{Event, Machine, RunResult};
use engine::Engine;
use store::journal::{RunFilter, Seize, Stored};
use types::Moment;

use crate::args::{Cli, Runs};
use crate::commands::{run, table};
use crate::exit::Failure;
use crate::output;

/// Looks at runs, or goes on with one.
pub(crate) async fn runs(engine: Engine, cli: &Cli, args: &Runs) -> Result<(), Failure> {
    match args {
        Runs::List { limit } => list(&engine, cli, *limit).await,
        Runs::Show { id } => {
            let result = result(&engine.journal().load(*id).await?)?;
            if cli.json {
                return output::json(&result);
            }
            table::result(&result, cli.quiet);
            Ok(())
        }
        Runs::Resume { id, force } => {
            let seize = if *force { Seize::Held } else { Seize::Expired };
            let resumed = engine.resume_run(*id, seize).await?;
            let result = run::watch(resumed, cli).await?;
            run::finish(cli, &result)
        }
    }
}

async fn list(engine: &Engine, cli: &Cli, limit: u32) -> Result<(), Failure> {
    let runs = engine.journal().list(&RunFilter { limit: Some(limit), ..RunFilter::default() }).await?;
    if cli.json {
        return output::json(&runs);
    }
    let mut table = output::table(&["RUN", "CHAIN", "STATUS", "BEGAN (UTC)", "EVENTS"], &[4]);
    for run in &runs {
        table.add_row([
            run.id.to_string(),
            run.chain.to_string(),
            run.status.as_str().to_owned(),
            output::time(run.at),
            run.events.to_string(),
        ]);
    }
    output::line(&table);
    Ok(())
}

/// What a stored run came to: as it was written at its end, or folded from its journal so far.
fn result(stored: &Stored) -> Result<RunResult, Failure> {
    if let Some(result) = &stored.result
        && let Ok(result) = serde_json::from_value(result.clone())
    {
        return Ok(result);
    }
    let chain = std::sync::Arc::new(engine::stored_chain(stored)?);
    let events: Vec<Event> = stored.events_as()?;
    let (machine, _) = Machine::resume(chain, &events, Moment::default())?;
    Ok(machine.result(stored.head.id, stored.head.trace, std::time::Duration::ZERO))
}
