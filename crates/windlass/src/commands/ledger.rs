//! `windlass ledger`: what attempts used and cost.

use engine::Engine;
use store::ledger::{Filter, Group, Order, Total};
use types::Timestamp;

use crate::args::{self, Cli};
use crate::exit::Failure;
use crate::output;

/// Prints rows, or sums over them.
pub(crate) async fn show(engine: Engine, cli: &Cli, args: &args::Ledger) -> Result<(), Failure> {
    let since = document::parse_duration(&args.since)
        .ok_or_else(|| Failure::Usage(format!("`{}` is not a duration like 90m, 24h or 7d", args.since)))?;
    let now = jiff::Timestamp::now().as_microsecond();
    let since = now.saturating_sub(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    let filter = Filter {
        since: Some(Timestamp::from_micros(since)),
        run: args.run,
        call: args.call,
        order: Order::Newest,
        limit: Some(args.limit),
        ..Filter::default()
    };
    match args.by {
        Some(by) => totals(&engine, cli, &filter, by).await,
        None => rows(&engine, cli, &filter).await,
    }
}

async fn rows(engine: &Engine, cli: &Cli, filter: &Filter) -> Result<(), Failure> {
    let rows = engine.ledger().query(filter).await?;
    if cli.json {
        return output::json(&rows);
    }
    let header = ["AT (UTC)", "CALL", "TRY", "MODEL", "OUTCOME", "IN", "OUT", "SOURCE", "COST", "TIME"];
    let mut table = output::table(&header, &[2, 5, 6, 8, 9]);
    for row in &rows {
        table.add_row([
            output::time(row.at),
            row.key.call.to_string(),
            row.key.attempt.to_string(),
            format!("{}/{}", row.provider, row.model),
            row.code.map_or_else(
                || row.outcome.as_str().to_owned(),
                |code| format!("{} {code}", row.outcome.as_str()),
            ),
            row.usage.input.to_string(),
            row.usage.output.to_string(),
            format!("{:?}", row.usage_source).to_lowercase(),
            output::cost(row.cost),
            output::duration(row.timing.total.unwrap_or_default()),
        ]);
    }
    output::line(&table);
    Ok(())
}

async fn totals(engine: &Engine, cli: &Cli, filter: &Filter, by: args::Group) -> Result<(), Failure> {
    let group = match by {
        args::Group::Provider => Group::Provider,
        args::Group::Model => Group::Model,
        args::Group::Caller => Group::Caller,
        args::Group::Day => Group::Day,
    };
    let totals = engine.ledger().totals(filter, group).await?;
    if cli.json {
        let rows: Vec<_> = totals.iter().map(known).collect::<Result<_, _>>().map_err(anyhow::Error::from)?;
        return output::json(&rows);
    }
    let mut table =
        output::table(&["GROUP", "CALLS", "ATTEMPTS", "IN", "OUT", "COST", "UNPRICED"], &[1, 2, 3, 4, 5, 6]);
    for total in &totals {
        table.add_row([
            total.key.clone(),
            total.calls.to_string(),
            total.attempts.to_string(),
            total.usage.input.to_string(),
            total.usage.output.to_string(),
            if nothing_known(total) { output::cost(None) } else { output::cost(Some(total.cost)) },
            total.unpriced.to_string(),
        ]);
    }
    output::line(&table);
    Ok(())
}

/// Whether all that a group used has no price that is known: its cost is unknown then, and not zero.
fn nothing_known(total: &Total) -> bool {
    total.unpriced > 0 && total.cost == types::Money::ZERO
}

/// As programs read it.
fn known(total: &Total) -> serde_json::Result<serde_json::Value> {
    let mut value = serde_json::to_value(total)?;
    if nothing_known(total)
        && let Some(cost) = value.get_mut("cost")
    {
        *cost = serde_json::Value::Null;
    }
    Ok(value)
}
