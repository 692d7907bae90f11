//! What a run tells about itself.

use std::sync::Arc;
use std::time::Duration;

use chain::{Event, RunResult, StepResult};
use serde_json::json;
use types::{Code, Fault, Kind, RunId, Timestamp, TraceId};

use crate::given::{Run, answer, chain};

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
