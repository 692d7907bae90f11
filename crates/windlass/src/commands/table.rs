//! A run's result for people: outputs, then a line a step, then what it came to.

use chain::{RunResult, StepReport, StepStatus};
use serde_json::Value;

use crate::output;

/// Prints a result.
pub(crate) fn result(result: &RunResult, quiet: bool) {
    for (name, value) in &result.outputs {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            other => serde_json::to_string_pretty(other).unwrap_or_default(),
        };
        if quiet && result.outputs.len() == 1 {
            output::answer(&text);
        } else {
            output::answer(&format!("── {name} ──\n{text}\n"));
        }
    }
    if quiet {
        return;
    }
    let header = ["STEP", "STATUS", "MODEL", "LATENCY", "MODEL'S PART", "TOKENS IN", "OUT", "COST", "TRIES"];
    let mut table = output::table(&header, &[3, 4, 5, 6, 7, 8]);
    for step in &result.steps {
        table.add_row([
            step.name.clone(),
            status(step),
            model(step),
            output::duration(step.latency_ms),
            output::duration(step.api_latency_ms),
            step.usage.input.to_string(),
            step.usage.output.to_string(),
            if step.attempts == 0 { String::new() } else { output::cost(step.cost) },
            step.attempts.to_string(),
        ]);
    }
    output::line(&table);
    let analysis = &result.cost_analysis;
    let complete = if analysis.complete { "" } else { ", and what is not known" };
    output::line(format_args!(
        "\n{} tokens in, {} out · ${}{complete} · {} · run {} · trace {}",
        analysis.usage.input,
        analysis.usage.output,
        analysis.total,
        output::duration(result.wall_ms),
        result.run,
        result.trace_id,
    ));
}

fn model(step: &StepReport) -> String {
    // A step that was not answered shows what it asked for, which is a full name already.
    let name = match step.status {
        StepStatus::Succeeded => format!("{}/{}", step.provider, step.model),
        StepStatus::Waiting | StepStatus::Running | StepStatus::Failed => step.model.clone(),
    };
    if step.simulated { format!("{name} (simulated)") } else { name }
}

fn status(step: &StepReport) -> String {
    match step.status {
        StepStatus::Succeeded if step.truncated => "truncated".to_owned(),
        StepStatus::Succeeded => "done".to_owned(),
        StepStatus::Waiting => "waiting".to_owned(),
        StepStatus::Running => "running".to_owned(),
        StepStatus::Failed => "failed".to_owned(),
    }
}
