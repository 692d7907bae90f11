//! A gateway that is killed at any moment, and started again: no answered call is without its rows, none has
//! them twice, and no finished step of a run is asked again.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Answer, Gate, Script, Vendor, openai};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::client::Ask;
use crate::house::{House, soon};

const MOMENTS: u64 = 100;
const CALLERS: u64 = 6;
/// As configured below.
const ATTEMPTS: u64 = 3;

/// Every third call of `flaky` fails, so some calls take two attempts; `slow` has streams that last.
const UNDER_LOAD: &str = "
version: 1
providers:
  demo:
    kind: simulated
    models:
      quick: { output_tokens: 4 }
      slow: { output_tokens: 6, tokens_per_second: 400 }
      flaky: { output_tokens: 4, faults: [{ kind: status, status: 503, every: 3 }] }
defaults: { retry: { attempts: 3, base: 1ms, max: 2ms } }
";

/// One call. If it was answered to the end: its name, and the attempts that it took.
async fn answered(ask: &Ask, streams: bool, to: std::net::SocketAddr) -> Option<(String, u64)> {
    let reply = ask.send(to).await.ok()?;
    let attempts = if reply.status == 200 {
        if streams && !reply.text().ends_with("data: [DONE]\n\n") {
            return None;
        }
        reply.header("x-windlass-attempts").unwrap().parse().unwrap()
    } else {
        // Callers in each other's way can meet the fault at each of a call's attempts: an answer too.
        assert_eq!(reply.code(), "WL4003", "{}", reply.text());
        ATTEMPTS
    };
    Some((reply.header("x-windlass-call").unwrap().to_owned(), attempts))
}

/// Calls one after the other until the gateway is gone; gives those that were answered.
async fn call_on(caller: u64, to: std::net::SocketAddr, count: Arc<AtomicU64>) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for turn in caller.. {
        let model = ["demo/quick", "demo/slow", "demo/flaky"][usize::try_from(turn % 3).unwrap()];
        let streams = turn % 2 == 0;
        let body = json!({
            "model": model, "stream": streams, "messages": [{ "role": "user", "content": "go on" }],
        });
        let ask = Ask::post("/v1/chat/completions", &body);
        match answered(&ask, streams, to).await {
            Some(call) => all.push(call),
            None => break,
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    all
}

#[tokio::test]
async fn kills_under_load_lose_no_answered_calls_rows_and_double_none() {
    let house = House::new(UNDER_LOAD);
    let mut answered: HashMap<String, u64> = HashMap::new();
    for moment in 0..MOMENTS {
        let gateway = house.serve().await;
        let to = gateway.address;
        let count = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            callers.spawn(call_on(caller, to, Arc::clone(&count)));
        }
        // A moment that no clock chooses alone: so many answers, and a little of the work after them.
        let answers = moment * 7 % 23;
        while count.load(Ordering::Relaxed) < answers {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(moment * 7_919 % 5_000)).await;
        gateway.kill().await;
        while let Some(calls) = callers.join_next().await {
            for (call, attempts) in calls.unwrap() {
                assert!(answered.insert(call, attempts).is_none(), "two calls of one name");
            }
        }
    }
    // What the last one has left is taken up by the next, which ends in order.
    house.serve().await.stop().await;
    assert!(answered.len() as u64 > MOMENTS * 8, "{} calls are no load", answered.len());
    assert!(answered.values().any(|attempts| *attempts > 1), "no call took two attempts");
    let mut rows: HashMap<String, Vec<u64>> = HashMap::new();
    for row in house.ledger().await {
        let call = row["call"].as_str().unwrap().to_owned();
        rows.entry(call).or_default().push(row["attempt"].as_u64().unwrap());
    }
    for (call, attempts) in &answered {
        let mut found = rows.remove(call).unwrap_or_default();
        found.sort_unstable();
        assert_eq!(found, (1..=*attempts).collect::<Vec<_>>(), "the attempts of {call}");
    }
    // Calls that were not answered have a row where the process lived to write it; never two of one attempt.
    for (call, mut attempts) in rows {
        attempts.sort_unstable();
        let written = attempts.len();
        attempts.dedup();
        assert_eq!(attempts.len(), written, "{call} has an attempt twice");
    }
}

const THREE_STEPS: &str = "
name: three
inputs: { topic: { type: string } }
defaults: { model: vendor/scripted }
steps:
  first: { prompt: 'first {{ topic }}' }
  second: { prompt: 'second {{ steps.first }}' }
  third: { prompt: 'third {{ steps.second }}' }
outputs: { all: '{{ steps.first }} {{ steps.second }} {{ steps.third }}' }
";

/// Answers each step with its first word, and counts. The third waits at the gate.
async fn step_vendor(gate: &Gate) -> Vendor {
    let gate = gate.clone();
    let script = Script::by(move |request| {
        let prompt = request.json()["messages"][0]["content"].as_str().unwrap().to_owned();
        let word = prompt.split(' ').next().unwrap().to_uppercase();
        let answer = Answer::json(200, openai::chat(&word, 3, 1));
        if word == "THIRD" { answer.behind(&gate) } else { answer }
    });
    Vendor::start(script).await.unwrap()
}

fn vendor_house(vendor: &Vendor) -> House {
    let house = House::before(vendor, "chains: { three: three.yaml }\n");
    house.write("three.yaml", THREE_STEPS);
    house
}

/// The prompts that have been asked so far, by their first words.
async fn asked(vendor: &Vendor, count: usize) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..count {
        let prompt = soon("a request", vendor.request()).await.json();
        let prompt = prompt["messages"][0]["content"].as_str().unwrap().to_owned();
        words.push(prompt.split(' ').next().unwrap().to_owned());
    }
    words
}

async fn resumed(house: &House, run: &str, gate: &Gate) -> Value {
    // Its claim lasts, but who held it is surely gone.
    gate.open();
    let said = house.run(&["runs", "resume", run, "--json"]).await.well();
    said.json()
}

fn check_resumed(result: &Value, run: &str) {
    assert_eq!(result["status"], "succeeded", "{result:#}");
    assert_eq!(result["run"], run);
    assert_eq!(result["outputs"]["all"], "FIRST SECOND THIRD");
    assert!(result["steps"].as_array().unwrap().iter().all(|step| step["attempts"] == 1), "{result:#}");
}

#[tokio::test]
async fn a_killed_run_goes_on_without_asking_for_a_finished_step_again() {
    let gate = Gate::new();
    let vendor = step_vendor(&gate).await;
    let house = vendor_house(&vendor);
    let mut running = house.command(&["run", "three.yaml", "--var", "topic=tides"]).spawn().unwrap();
    soon("the third step", gate.reached()).await;
    // While it lives, nobody else may.
    let run =
        house.run(&["runs", "list", "--json"]).await.well().json()[0]["id"].as_str().unwrap().to_owned();
    let refused = house.run(&["runs", "resume", &run]).await;
    assert!(refused.code == 1 && refused.err.contains("--force"), "{refused:?}");
    assert!(!refused.err.contains('@'), "{refused:?}");
    running.kill().await.unwrap();
    let runs = house.run(&["runs", "list", "--json"]).await.well().json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs:#}");
    let run = runs[0]["id"].as_str().unwrap();
    let shown = house.run(&["runs", "show", run, "--json"]).await.well().json();
    assert_eq!((&shown["status"], &shown["steps"][1]["status"]), (&json!("running"), &json!("succeeded")));
    check_resumed(&resumed(&house, run, &gate).await, run);
    // The third was under way, so whether it was answered is not known: it alone is asked again.
    assert_eq!(asked(&vendor, 4).await, ["first", "second", "third", "third"]);
    let again = house.run(&["runs", "resume", run, "--force"]).await;
    assert_ne!(again.code, 0, "there is nothing to go on with: {again:?}");
}

#[tokio::test]
async fn a_run_of_a_killed_gateway_goes_on_from_the_command_line() {
    let gate = Gate::new();
    let vendor = step_vendor(&gate).await;
    let house = vendor_house(&vendor);
    let gateway = house.serve().await;
    let start =
        Ask::post("/api/v1/chains/three/runs", &json!({ "vars": { "topic": "tides" }, "detach": true }));
    let reply = gateway.ask(start).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let run = reply.json()["run"].as_str().unwrap().to_owned();
    soon("the third step", gate.reached()).await;
    gateway.kill().await;
    check_resumed(&resumed(&house, &run, &gate).await, &run);
    assert_eq!(asked(&vendor, 4).await, ["first", "second", "third", "third"]);
    // Each attempt that ended has its row, under the run and its step.
    let rows = house.run(&["ledger", "--run", &run, "--json"]).await.well().json();
    let mut steps: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["step"].as_str().unwrap()).collect();
    steps.sort_unstable();
    assert_eq!(steps, ["first", "second", "third"]);
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_leaves_its_rows_and_how_to_go_on() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let gate = Gate::new();
        let vendor = step_vendor(&gate).await;
        let house = vendor_house(&vendor);
        let mut command = house.command(&["run", "three.yaml", "--var", "topic=tides"]);
        let running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        soon("the third step", gate.reached()).await;
        let pid = running.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
        let output = soon("the command's end", running.wait_with_output()).await.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{signal}: {err}");
        assert!(err.contains("go on with: windlass runs resume run_"), "{signal}: {err}");
        let mut ends: Vec<_> =
            house.ledger().await.iter().map(|row| (row["step"].clone(), row["outcome"].clone())).collect();
        ends.sort_by_key(|(step, _)| step.to_string());
        let expected = [("first", "complete"), ("second", "complete"), ("third", "stopped")];
        assert_eq!(ends, expected.map(|(step, end)| (json!(step), json!(end))), "{signal}: {err}");
    }
}

#[tokio::test]
async fn a_run_started_to_outlive_its_terminal_does() {
    let gate = Gate::new();
    let vendor = step_vendor(&gate).await;
    let house = vendor_house(&vendor);
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_windlass")).args(["run", "three.yaml", "--var", "topic=tides", "--json"]);
    command.current_dir(house.path("")).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
    let running = command.stderr(Stdio::piped()).spawn().unwrap();
    soon("the third step", gate.reached()).await;
    let pid = running.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().await.unwrap().success());
    gate.open();
    let output = soon("the command's end", running.wait_with_output()).await.unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &result["status"]), (Some(0), &json!("succeeded")));
}
