//! The machine, event by event.

use std::sync::Arc;
use std::time::Duration;

use chain::{Event, Machine};
use serde_json::json;
use types::{Code, Fault, Kind, Moment};

use crate::given::{Run, answer, chain, inputs};

const DIAMOND: &str = "
steps:
  a: start
  b: '{{ steps.a }}'
  c: { prompt: '{{ steps.a }}', priority: high }
  d: '{{ steps.b }}{{ steps.c }}'
  e: alone
outputs: { d: '{{ steps.d }}' }
";

fn timeout() -> Fault {
    Fault::new(Kind::NetworkTimeout, Code::Timeout, "no answer within 30s")
}

#[test]
fn each_step_starts_the_moment_its_own_inputs_are_there() {
    let mut run = Run::start(&chain(DIAMOND), json!({}));
    assert_eq!(run.open(), ["a", "e"]);
    run.answer("a", "A");
    assert_eq!(run.open(), ["e", "c", "b"], "the more important one first, without waiting for e");
    run.answer("b", "B");
    run.answer("c", "C");
    assert_eq!(run.prompt("d"), "BC");
    run.answer("d", "D");
    assert!(run.ends.is_empty(), "e is under way");
    run.answer("e", "E");
    assert_eq!(run.outputs(), json!({ "d": "D" }));
}

#[test]
fn no_more_than_the_limit_are_under_way() {
    let text = format!("limits: {{ concurrency: 1 }}{DIAMOND}");
    let mut run = Run::start(&chain(&text), json!({}));
    let mut order = Vec::new();
    while let Some(name) = run.open().first().map(|name| (*name).to_owned()) {
        assert_eq!(run.open().len(), 1);
        run.answer(&name, "x");
        order.push(name);
    }
    assert_eq!(order, ["a", "c", "b", "d", "e"]);
}

#[test]
fn a_failed_step_fails_the_run_when_those_under_way_have_finished() {
    let chain = chain(DIAMOND);
    let mut run = Run::start(&chain, json!({}));
    run.answer("a", "A");
    run.fail("c", timeout());
    assert!(run.ends.is_empty());
    run.answer("b", "B");
    assert_eq!(run.open(), ["e"]);
    run.answer("e", "E");
    let fault = run.ends[0].clone().unwrap_err();
    assert_eq!((fault.code, fault.kind), (Code::StepFailed, Kind::NetworkTimeout));
    assert_eq!(fault.message, "step `c` failed: no answer within 30s (WL4002)");

    let mut again = Run::resume(&chain, run.journal);
    assert_eq!(again.open(), ["c"]);
    again.answer("c", "C");
    assert_eq!(again.prompt("d"), "BC");
    again.answer("d", "D");
    assert_eq!(again.outputs(), json!({ "d": "D" }));
}

#[test]
fn cost_stops_the_start_of_steps_and_a_higher_limit_lets_the_run_go_on() {
    let with = |limit: &str| chain(&format!("limits: {{ cost: {limit}, concurrency: 1 }}{DIAMOND}"));
    let mut run = Run::start(&with("0.02"), json!({}));
    run.answer("a", "A");
    run.answer("c", "C");
    let fault = run.ends[0].clone().unwrap_err();
    assert_eq!((fault.code, fault.kind), (Code::RunLimit, Kind::Budget));
    assert_eq!(fault.message, "the run has cost $0.02, and its limit is $0.02");
    let more = Run::resume(&with("1"), run.journal.clone());
    assert_eq!(more.open(), ["b"]);
    let same = Run::resume(&with("0.02"), run.journal);
    assert_eq!(same.ends.len(), 1);
    // All steps started already: the limit stops nothing.
    let mut last = Run::start(&chain("{ limits: { cost: 0.01 }, steps: { a: x } }"), json!({}));
    last.answer("a", "A");
    assert_eq!(last.outputs(), json!({ "a": "A" }));
}

#[test]
fn time_and_cancelling_end_the_run_at_once() {
    let chain = chain(&format!("limits: {{ time: 2m }}{DIAMOND}"));
    let mut run = Run::start(&chain, json!({}));
    assert_eq!(run.machine.deadline(), Some(Moment::from_nanos(120_000_000_000)));
    run.tell(Event::DeadlinePassed);
    assert_eq!(run.ends[0].clone().unwrap_err().code, Code::RunLimit);
    run.tell(Event::StepFinished { step: 0, result: answer("late") });
    assert_eq!(run.ends.len(), 1, "what comes late changes nothing");
    let mut run = Run::start(&chain, json!({}));
    run.tell(Event::Cancelled);
    assert_eq!(run.ends[0].clone().unwrap_err().code, Code::Cancelled);
    assert_eq!(Run::resume(&chain, run.journal).open(), ["a", "e"]);
}

#[test]
fn answers_that_do_not_fit_their_schema_are_bad_output() {
    let text = "
steps:
  a: { prompt: x, output: { schema: { type: object, required: [n], properties: { n: { type: integer } } } } }
  b: '{{ steps.a.n + 1 }}'
";
    let chain = chain(text);
    for (text, says) in [
        ("{\"n\": 41}", None),
        ("```json\n{\"n\": 41}\n```", None),
        ("Sure! {\"n\": 41}", Some("is not JSON")),
        ("{\"n\": \"forty\"}", Some("/n: value is not of type \"integer\"")),
        ("{}", Some("\"n\" is a required property")),
    ] {
        let mut run = Run::start(&chain, json!({}));
        run.answer("a", text);
        match says {
            None => assert_eq!(run.prompt("b"), "42"),
            Some(says) => {
                let fault = run.ends[0].clone().unwrap_err();
                assert!(fault.message.contains(says) && fault.message.contains("WL5008"), "{fault}");
                assert!(!fault.message.contains("forty"), "the model's words are not shown: {fault}");
                let direct = chain.read_answer(0, text).unwrap_err();
                assert_eq!((direct.code, direct.kind), (Code::BadOutput, Kind::InvalidResponse));
            }
        }
    }
}

#[test]
fn a_template_that_cannot_be_filled_in_fails_its_step() {
    let mut run =
        Run::start(&chain("steps: { a: x, b: '{{ steps.a }}{{ v.missing.field }}' }"), json!({ "v": {} }));
    run.answer("a", "secret words");
    let fault = run.ends[0].clone().unwrap_err();
    assert_eq!(fault.code, Code::StepFailed);
    assert!(
        fault.message.starts_with("step `b` failed: the template of step `b` cannot be filled in"),
        "{fault}"
    );
    assert!(!fault.message.contains("secret"));
}

#[test]
fn a_journal_without_a_start_cannot_be_resumed() {
    let chain = chain(DIAMOND);
    let fault = Machine::resume(Arc::clone(&chain), &[], Moment::default()).unwrap_err();
    assert_eq!(fault.code, Code::UnknownRun);
}

#[test]
fn the_journal_is_json_that_reads_back() {
    let mut run = Run::start(&chain(DIAMOND), json!({}));
    run.answer("a", "A");
    run.fail("b", timeout());
    run.tell(Event::Cancelled);
    for event in &run.journal {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), *event, "{text}");
    }
    insta::assert_json_snapshot!(&run.journal[..4]);
    let old = r#"{"event":"step_finished","step":1,"result":{"text":"hi"}}"#;
    assert!(matches!(serde_json::from_str(old), Ok(Event::StepFinished { step: 1, .. })));
}

#[test]
fn the_machine_costs_little() {
    // Not a bench: a guard against work that grows with the chain for every step.
    let text =
        format!("steps: {{ {} }}", (0..900).map(|i| format!("s{i}: 'x'")).collect::<Vec<_>>().join(", "));
    let chain = chain(&text);
    let inputs = inputs(&chain, json!({}));
    let began = std::time::Instant::now();
    let mut machine = Machine::new(Arc::clone(&chain), &inputs);
    let mut asked = machine.next(&Event::Started { inputs }, Moment::default()).len();
    let result = answer("y");
    for step in 0..900 {
        asked +=
            machine.next(&Event::StepFinished { step, result: Arc::clone(&result) }, Moment::default()).len();
    }
    assert_eq!(asked, 901);
    assert!(machine.is_over());
    assert!(began.elapsed() < Duration::from_secs(5));
}
