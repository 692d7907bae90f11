//! Chain runs: order, journal, resuming, cancelling.

use std::sync::Arc;

use chain::{Chain, RunStatus, Step};
use engine::{NewRun, Who};
use serde_json::{Map, json};
use store::journal::Seize;
use testkit::{Answer, Gate, Vendor, openai as gpt};
use types::Code;

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
