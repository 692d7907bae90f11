//! `windlass run`: a chain, its progress, then its outputs, costs and timings.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use chain::{Event, RunResult, RunStatus, Source};
use engine::{Engine, NewRun, Run, Who};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use tokio::sync::broadcast::error::RecvError;
use types::{Code, Fault, RunId};

use crate::args::{self, Cli};
use crate::commands::{check, table};
use crate::exit::{Failure, unreadable};
use crate::output;

/// Runs a chain file.
pub(crate) async fn run(engine: Engine, cli: &Cli, args: &args::Run) -> Result<(), Failure> {
    let (chain, source) = read(&args.file, &engine)?;
    let vars = vars(args)?;
    let new = NewRun {
        chain: Arc::new(chain),
        source: Some(Arc::from(source)),
        vars,
        who: Who::default(),
        trace: None,
        model: args.model.clone(),
    };
    let run = engine.start_run(new).await?;
    let result = watch(run, cli).await?;
    finish(cli, &result)
}

/// Reads and checks a chain file.
fn read(path: &Path, engine: &Engine) -> Result<(chain::Chain, String), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(Code::BadChain, path, &error))?;
    let name = path.display().to_string();
    let source = Source { name: &name, text: &text };
    // All problems at once, as `check` tells them.
    let chain =
        chain::parse(&source).map_err(|report| report.and(check::models(source, &engine.config())))?;
    Ok((chain, text))
}

fn vars(args: &args::Run) -> Result<Map<String, Value>, Failure> {
    let mut vars = match &args.vars_file {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| unreadable(Code::BadField, path, &error))?;
            serde_json::from_str(&text).map_err(|error| {
                let message = format!("{} is not a JSON object: {error}", path.display());
                Fault::invalid(Code::BadField, "vars", message)
            })?
        }
        None => Map::new(),
    };
    vars.extend(args.vars.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
    Ok(vars)
}

/// Shows what happens in a run, and waits for its end.
pub(crate) async fn watch(mut run: Run, cli: &Cli) -> Result<RunResult, Failure> {
    let total = run.chain.steps().len();
    let bar = bar(cli, total, run.finished_before);
    if !cli.quiet && !cli.json {
        let name = output::harmless_line(run.chain.name());
        bar.println(format!("run {} of `{name}`, {total} steps", run.id));
    }
    loop {
        match run.events.recv().await {
            Ok(seen) => show(&seen.event, &run, &bar),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => break,
        }
    }
    let result = run.finished().await?;
    bar.finish_and_clear();
    Ok(result)
}

fn show(event: &Event, run: &Run, bar: &ProgressBar) {
    let name = |step: usize| run.chain.steps().get(step).map_or("?", chain::PlannedStep::name).to_owned();
    match event {
        Event::StepStarted { step, .. } => bar.set_message(name(*step)),
        Event::StepFinished { step, result } => {
            bar.inc(1);
            bar.println(format!(
                "  {} {} · {} · {} tokens · {}",
                name(*step),
                output::duration(result.latency),
                output::harmless_line(&format!("{}/{}", result.provider, result.model)),
                result.usage.total(),
                output::cost(result.cost),
            ));
        }
        Event::StepFailed { step, fault, .. } => {
            let fault = fault.to_string();
            bar.println(format!("  {} failed: {}", name(*step), output::harmless_line(&fault)));
        }
        Event::Started { .. } | Event::Cancelled | Event::DeadlinePassed => {}
    }
}

/// A bar on a terminal; nothing where nobody looks.
fn bar(cli: &Cli, total: usize, done: usize) -> ProgressBar {
    if cli.quiet || cli.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total as u64).with_position(done as u64);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}

/// Prints a result; a run that did not succeed fails the command.
pub(crate) fn finish(cli: &Cli, result: &RunResult) -> Result<(), Failure> {
    if cli.json {
        output::json(result)?;
    } else {
        table::result(result, cli.quiet);
    }
    match (&result.status, &result.error) {
        (RunStatus::Succeeded, _) => Ok(()),
        // The JSON has told it already.
        (_, Some(fault)) => {
            // Resumed, it would reach the same limit.
            let resume = (fault.code != Code::RunLimit).then(|| resume(cli, result.run));
            Err(Failure::Run { fault: fault.clone(), resume })
        }
        (_, None) => {
            let resume = resume(cli, result.run);
            Err(anyhow::anyhow!("the run did not end; go on with: {resume}").into())
        }
    }
}

/// The command that goes on with a run of this configuration.
fn resume(cli: &Cli, run: RunId) -> String {
    match &cli.config {
        Some(path) => format!("windlass runs resume {run} --config {}", quoted(&path.display().to_string())),
        None => format!("windlass runs resume {run}"),
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '=' | ':' | '@');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
