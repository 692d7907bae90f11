//! What a run tells about itself.

use std::sync::Arc;
use std::time::Duration;

use chain::{Event, RunResult, Spent, StepResult};
use serde_json::json;
use types::{Code, Fault, Kind, RunId, Timestamp, TraceId};

use crate::given::{Run, answer, chain};

/// A result whose price is unknown.
fn unpriced(text: &str) -> Arc<StepResult> {
    Arc::new(StepResult { cost: None, ..StepResult::clone(&answer(text)) })
}

fn result(run: &Run) -> RunResult {
    let id = RunId::new(Timestamp::from_micros(1_700_000_000_000_000), [7; 10]);
    run.machine.result(id, TraceId::from(id), Duration::from_micros(1_234_500))
}

#[test]
fn a_result_has_the_seeds_names_and_everything_else() {
    let chain = chain(
        "{ name: r, version: 3, limits: { cost: 1 }, model: demo/m, steps: { a: x, b: '{{ steps.a }}' } }",
    );
    let mut run = Run::start(&chain, json!({}));
    run.answer("a", "A");
    let half = result(&run);
    assert_eq!(half.steps[1].model, "demo/m");
    run.answer("b", "B");
    let whole = result(&run);
    insta::assert_json_snapshot!(&whole);
    let text = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), whole);
}

#[test]
fn an_unknown_price_is_said_and_a_failure_is_told() {
    let chain = chain("steps: { a: x, b: '{{ steps.a }}', c: '{{ steps.b }}' }");
    let mut run = Run::start(&chain, json!({}));
    let call = run.open.remove(0);
    let result_a = StepResult { cost: None, simulated: true, ..StepResult::clone(&answer("A")) };
    run.tell(Event::StepFinished { step: call.step, result: Arc::new(result_a) });
    run.fail("b", Fault::new(Kind::RateLimit, Code::RateLimited, "slow down").with_provider("groq"));
    let result = result(&run);
    assert!(!result.cost_analysis.complete);
    insta::assert_json_snapshot!((&result.status, &result.steps[1..], &result.cost_analysis, &result.error));
}

#[test]
fn what_was_cut_off_leaves_the_cost_incomplete() {
    let chain = chain("steps: { a: x, b: y }");
    let mut run = Run::start(&chain, json!({}));
    run.answer("a", "A");
    run.tell(Event::Cancelled);
    let cancelled = result(&run);
    assert_eq!(cancelled.status, chain::RunStatus::Cancelled);
    assert!(!cancelled.cost_analysis.complete, "what `b` took is in the ledger, not here");

    // Nor does going on with it make whole what nobody knows.
    let mut resumed = Run::resume(&chain, run.journal);
    resumed.answer("b", "B");
    let resumed = result(&resumed);
    assert_eq!(resumed.status, chain::RunStatus::Succeeded);
    assert!(!resumed.cost_analysis.complete);

    let mut run = Run::start(&chain, json!({}));
    run.answer("a", "A");
    run.answer("b", "B");
    assert!(result(&run).cost_analysis.complete);
}

#[test]
fn what_a_cut_off_step_took_is_in_the_report_of_the_ended_run() {
    let chain = chain("{ limits: { time: 1s }, steps: { a: x, b: y, c: '{{ steps.b }}' } }");
    let mut run = Run::start(&chain, json!({}));
    run.answer("a", "A");
    run.tell(Event::DeadlinePassed);
    let over = run.ends[0].clone().unwrap_err();
    assert_eq!(over.progress, types::Progress::PerhapsExecuted);
    let call = run.open.remove(0);
    let spent = Spent { attempts: 2, cost: "0.02".parse().ok(), ..Spent::default() };
    run.tell(Event::StepFailed { step: call.step, fault: over.clone(), spent });
    assert_eq!(run.ends.len(), 1, "it ends once");
    let ended = result(&run);
    assert_eq!((ended.status, ended.error), (chain::RunStatus::Failed, Some(over.clone())));
    let [_, cut, waiting] = &ended.steps[..] else { panic!("three steps") };
    assert_eq!((cut.status, cut.attempts, &cut.error), (chain::StepStatus::Failed, 2, &Some(over)));
    assert_eq!(waiting.status, chain::StepStatus::Waiting);
    assert!(ended.cost_analysis.complete, "all that it took is told");
}

#[test]
fn a_failed_try_without_a_price_is_not_forgotten_when_the_run_goes_on() {
    let chain = chain("steps: { a: x }");
    let mut run = Run::start(&chain, json!({}));
    run.fail("a", Fault::new(Kind::RateLimit, Code::RateLimited, "slow down"));
    let mut resumed = Run::resume(&chain, run.journal);
    resumed.answer("a", "A");
    assert!(!result(&resumed).cost_analysis.complete);
}

#[test]
fn costs_are_told_by_provider_and_model_however_the_step_ended() {
    let chain = chain("{ model: fast, steps: { a: x, b: y, c: z } }");
    let mut run = Run::start(&chain, json!({}));
    run.answer("a", "A");
    let spent = chain::Spent {
        attempts: 1,
        cost: Some("0.5".parse().unwrap()),
        model: Some("test/m-1".to_owned()),
        ..Default::default()
    };
    run.tell(Event::StepFailed {
        step: 1,
        fault: Fault::new(Kind::InvalidResponse, Code::BadOutput, "no JSON"),
        spent,
    });
    run.tell(Event::StepFinished { step: 2, result: unpriced("C") });
    let cost = result(&run).cost_analysis;
    assert_eq!(cost.by_model.keys().collect::<Vec<_>>(), ["test/m-1"]);
    assert_eq!(cost.by_model["test/m-1"], cost.total);
    assert!(!cost.complete);
}

#[test]
fn durations_are_milliseconds_and_journals_from_before_are_read() {
    let event = Event::StepFinished { step: 0, result: answer("A") };
    let now = serde_json::to_value(&event).unwrap();
    assert_eq!(now["result"]["latency_ms"], json!(12.5));
    assert_eq!(serde_json::from_value::<Event>(now.clone()).unwrap(), event);
    let mut before = now;
    let fields = before["result"].as_object_mut().unwrap();
    fields.remove("latency_ms");
    fields.insert("latency".to_owned(), json!({ "secs": 0, "nanos": 12_500_000 }));
    assert_eq!(serde_json::from_value::<Event>(before).unwrap(), event);
}
