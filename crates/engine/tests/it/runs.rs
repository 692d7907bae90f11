//! Chain runs: order, journal, resuming, cancelling.

use std::sync::Arc;

use chain::{Chain, RunStatus, Step};
use engine::{NewRun, Who};
use serde_json::{Map, json};
use store::journal::Seize;
use testkit::{Answer, Gate, Vendor, openai as gpt};
use types::ledger::Outcome;
use types::{Code, UsageSource};

use crate::house::{House, openai};

fn new(chain: Chain, topic: &str) -> NewRun {
    let vars = Map::from_iter([("topic".to_owned(), json!(topic))]);
    NewRun { chain: Arc::new(chain), source: None, vars, who: Who::default(), trace: None, model: None }
}

fn two_steps() -> Chain {
    Chain::builder("pair")
        .input("topic")
        .model("up/m")
        .step(Step::prompt("first", "about {{ topic }}"))
        .step(Step::prompt("second", "more on {{ steps.first }}"))
        .output("end", "{{ steps.second }}")
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_run_gives_its_outputs_and_every_call_is_in_the_ledger() {
    let vendor =
        Vendor::start([Answer::json(200, gpt::chat("one", 5, 2)), Answer::json(200, gpt::chat("two", 5, 2))])
            .await
            .unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let result = house.engine().start_run(new(two_steps(), "tides")).await.unwrap().finished().await.unwrap();
    assert_eq!((result.status, &result.outputs["end"]), (RunStatus::Succeeded, &json!("two")));
    let prompts: Vec<_> = [vendor.request().await, vendor.request().await]
        .iter()
        .map(|r| r.json()["messages"][0]["content"].clone())
        .collect();
    assert_eq!(prompts, [json!("about tides"), json!("more on one")]);
    let rows = house.rows().await;
    assert_eq!(rows.iter().map(|row| row.step.as_deref().unwrap()).collect::<Vec<_>>(), ["first", "second"]);
    assert!(rows.iter().all(|row| row.run == Some(result.run)));
}

#[tokio::test]
async fn a_step_and_its_row_agree_on_whether_an_answer_can_be_read() {
    let fine = gpt::chat("two", 5, 2);
    let twice = format!(r#"{{"dup":1,"dup":2,{}"#, fine.strip_prefix('{').unwrap());
    let none = r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1}}"#;
    let script = [&twice, none, r#"{"choices":[{"index":0}]}"#, &fine];
    let script = script.map(|body| Answer::json(200, body.to_owned()));
    let vendor = Vendor::start(script).await.unwrap();
    let house =
        House::with(&openai("up", &vendor), "defaults: { retry: { attempts: 3, base: 1ms, max: 1ms } }")
            .await;
    let result = house.engine().start_run(new(two_steps(), "tides")).await.unwrap().finished().await.unwrap();
    assert_eq!(result.status, RunStatus::Succeeded, "{:?}", result.error);
    let rows = house.rows().await;
    let ends: Vec<_> = rows.iter().map(|row| (row.step.as_deref().unwrap(), row.outcome, row.code)).collect();
    let failed = ("second", Outcome::Failed, Some(Code::BadAnswer));
    let complete = |step| (step, Outcome::Complete, None);
    assert_eq!(ends, [complete("first"), failed, failed, complete("second")]);
    assert_eq!((rows[1].usage_source, rows[1].usage.input), (UsageSource::Reported, 7), "it is billed");
}

#[tokio::test]
async fn a_failed_run_goes_on_where_it_was_left() {
    let script = [
        Answer::json(200, gpt::chat("one", 5, 2)),
        Answer::json(400, gpt::error("no", "invalid_request_error", None)),
        Answer::json(200, gpt::chat("two", 5, 2)),
    ];
    let vendor = Vendor::start(script).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let failed = house.engine().start_run(new(two_steps(), "tides")).await.unwrap().finished().await.unwrap();
    assert_eq!((failed.status, failed.error.unwrap().code), (RunStatus::Failed, Code::StepFailed));
    let resumed = house.engine().resume_run(failed.run, Seize::Expired).await.unwrap();
    assert_eq!(resumed.finished_before, 1);
    let result = resumed.finished().await.unwrap();
    assert_eq!((result.status, &result.outputs["end"]), (RunStatus::Succeeded, &json!("two")));
    for _ in 0..3 {
        vendor.request().await;
    }
    // The first step was asked once, the second twice: three rows.
    assert_eq!(house.rows().await.len(), 3);
}

#[tokio::test]
async fn cancelling_drops_what_is_under_way() {
    let gate = Gate::new();
    let vendor = Vendor::start(Answer::json(200, gpt::chat("late", 5, 2)).behind(&gate)).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let run = house.engine().start_run(new(two_steps(), "tides")).await.unwrap();
    vendor.request().await;
    assert!(house.engine().cancel_run(run.id));
    assert_eq!(run.finished().await.unwrap().status, RunStatus::Cancelled);
    vendor.closed().await;
}

#[tokio::test]
async fn a_missing_variable_stops_a_run_before_anything_is_sent() {
    let vendor = Vendor::start(Answer::silent()).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let bare = NewRun { vars: Map::new(), ..new(two_steps(), "") };
    assert_eq!(house.engine().start_run(bare).await.unwrap_err().code, Code::MissingVariable);
    assert_eq!(vendor.connections(), 0);
}

#[tokio::test]
async fn a_run_is_the_same_whether_or_not_it_is_kept_before_its_first_step() {
    let script = ["one", "two", "one", "two"].map(|text| Answer::json(200, gpt::chat(text, 5, 2)));
    let vendor = Vendor::start(script).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let kept = house.engine().start_run(new(two_steps(), "tides")).await.unwrap();
    // It can be named to anybody from here on.
    assert_eq!(house.engine().journal().load(kept.id).await.unwrap().head.chain.as_ref(), "pair");
    let kept = kept.finished().await.unwrap();
    let direct = house.engine().run(new(two_steps(), "tides")).await.unwrap();
    assert_eq!((&direct.outputs, direct.status), (&kept.outputs, kept.status));
    for run in [kept.run, direct.run] {
        let stored = house.engine().journal().load(run).await.unwrap();
        assert_eq!((stored.head.events, stored.head.held), (5, None));
        let kinds: Vec<_> =
            stored.events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["started", "step_started", "step_finished", "step_started", "step_finished"]);
    }
}

#[tokio::test]
async fn nobody_hears_of_a_step_before_it_is_kept() {
    let script = ["one", "two"].map(|text| Answer::json(200, gpt::chat(text, 5, 2)));
    let vendor = Vendor::start(script).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let mut run = house.engine().start_run(new(two_steps(), "tides")).await.unwrap();
    while let Ok(seen) = run.events.recv().await {
        let stored = house.engine().journal().load(run.id).await.unwrap();
        assert!(stored.head.events > seen.seq, "{seen:?} was told and is not kept");
    }
    assert_eq!(run.finished().await.unwrap().status, RunStatus::Succeeded);
}

#[tokio::test]
async fn a_step_that_failed_is_in_the_costs_under_its_full_name() {
    let vendor = Vendor::start(Answer::json(200, gpt::chat("no JSON", 5, 2))).await.unwrap();
    let more = "prices: { up/m: { input: 1, output: 1 } }";
    let house = House::with(&openai("up", &vendor), more).await;
    let schema = json!({ "type": "object" });
    let chain = Chain::builder("strict").model("up/m").step(Step::prompt("only", "x").schema(schema)).build();
    let chain = Arc::new(chain.unwrap());
    let start = NewRun { vars: Map::new(), model: Some("up/m".to_owned()), chain, ..new(two_steps(), "") };
    let failed = house.engine().run(start).await.unwrap();
    assert_eq!(failed.status, RunStatus::Failed);
    let models: Vec<_> = failed.cost_analysis.by_model.keys().map(String::as_str).collect();
    assert!(models.is_empty() || models == ["up/m"], "{:?}", failed.cost_analysis);
}
