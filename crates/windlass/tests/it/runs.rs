//! Chains, the ways in which they can be run: the command line, the HTTP interface and its events, the
//! library. All of them lead to the same engine, so they must lead to the same result.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::Windlass;
use windlass::chain::{Chain, RunResult, Step};

use crate::client::Ask;
use crate::house::{House, project, said};

const SIMULATED: &str = "
version: 1
providers:
  demo:
    kind: simulated
    seed: 7
    models: { writer: { output_tokens: 12, price: { input: 1, output: 2 } } }
chains: { short: short.yaml }
";

const CHAIN: &str = "
name: short
inputs: { topic: { type: string } }
defaults: { model: demo/writer }
steps:
  summary: { prompt: 'Summarize {{ topic }}' }
  use: { prompt: 'One use of {{ steps.summary }}' }
outputs: { report: '{{ steps.use }}' }
";

/// What must be the same however a run was started: everything but names, times and moments.
fn lasting(mut result: Value) -> Value {
    let fields = result.as_object_mut().unwrap();
    for own in ["run", "trace_id", "wall_ms"] {
        assert!(fields.remove(own).is_some(), "{own} is missing");
    }
    for step in fields["steps"].as_array_mut().unwrap() {
        let step = step.as_object_mut().unwrap();
        for own in ["latency_ms", "api_latency_ms", "timing", "call"] {
            assert!(step.remove(own).is_some(), "{own} is missing");
        }
    }
    result
}

fn house() -> House {
    let house = House::new(SIMULATED);
    house.write("short.yaml", CHAIN);
    house
}

fn value(result: &RunResult) -> Value {
    serde_json::to_value(result).unwrap()
}

#[tokio::test]
async fn command_line_http_and_library_give_the_same_result() {
    let house = house();
    let typed = house.run(&["run", "short.yaml", "--var", "topic=tides", "--json"]).await.well().json();
    assert_eq!(typed["status"], "succeeded");
    assert!(typed["outputs"]["report"].as_str().unwrap().starts_with("[simulated]"), "{typed:#}");
    assert_eq!(typed["cost_analysis"]["complete"], true);
    let expected = lasting(typed);

    let gateway = house.serve().await;
    let start = Ask::post("/api/v1/chains/short/runs", &json!({ "vars": { "topic": "tides" } }));
    let posted = gateway.ask(start.clone()).await.json();
    let run = posted["run"].as_str().unwrap().to_owned();
    assert_eq!(lasting(posted.clone()), expected);
    let shown = gateway.ask(Ask::get(format!("/api/v1/runs/{run}"))).await.json();
    assert_eq!(shown["result"], posted);

    let wrong = [("{\"vrs\":{}}", "WL1004", json!("vrs")), ("{\"vars\":1}", "WL1004", json!(null))];
    for (body, code, param) in wrong.into_iter().chain([("{\"vars\"", "WL1001", json!(null))]) {
        let ask = Ask::bytes("/api/v1/chains/short/runs", body);
        let reply = gateway.ask(ask).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{}", reply.text());
        assert_eq!(reply.json()["error"]["param"], param, "{}", reply.text());
    }
    let events = gateway.ask(start.header("accept", "text/event-stream")).await.text();
    check_events(&events, &expected);
    // A run that is over tells the same events to whoever comes late.
    let late = gateway.ask(Ask::get(format!("/api/v1/runs/{run}/events"))).await.text();
    check_events(&late, &expected);
    gateway.stop().await;

    let configuration = SIMULATED.replace(
        "chains: { short: short.yaml }\n",
        "storage: { database: 'sqlite::memory:', spool: SPOOL }\n",
    );
    let spool = house.path("library.spool");
    let windlass =
        Windlass::from_yaml(&configuration.replace("SPOOL", spool.to_str().unwrap())).await.unwrap();
    let read = windlass.chain(CHAIN).unwrap().var("topic", "tides").run().await.unwrap();
    assert_eq!(lasting(value(read.result())), expected);
    let built = Chain::builder("short")
        .input("topic")
        .model("demo/writer")
        .step(Step::prompt("summary", "Summarize {{ topic }}"))
        .step(Step::prompt("use", "One use of {{ steps.summary }}"))
        .output("report", "{{ steps.use }}")
        .build()
        .unwrap();
    let built = windlass.built(built).var("topic", "tides").run().await.unwrap();
    assert_eq!(lasting(value(built.result())), expected);
    windlass.close().await;
}

/// Events are numbered without a gap, tell of each step's start and end, and end with the result.
fn check_events(text: &str, expected: &Value) {
    let events: Vec<_> = text.split("\n\n").filter(|event| event.contains("event: ")).collect();
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
    };
    let kinds: Vec<_> = events.iter().map(|event| field(event, "event").unwrap()).collect();
    let steps = ["step_started", "step_finished", "step_started", "step_finished"];
    assert_eq!(kinds, [&["started"][..], &steps[..], &["result"]].concat(), "{text}");
    let ids: Vec<_> = events.iter().filter_map(|event| field(event, "id")).collect();
    assert_eq!(ids, ["0", "1", "2", "3", "4"]);
    let result: Value = serde_json::from_str(&field(events.last().unwrap(), "data").unwrap()).unwrap();
    assert_eq!(lasting(result), *expected);
}

#[tokio::test]
async fn a_run_can_be_cancelled() {
    let house = House::new(&SIMULATED.replace("output_tokens: 12", "first_token: 10m"));
    house.write("short.yaml", CHAIN);
    let gateway = house.serve().await;
    let start = Ask::post("/api/v1/chains/short/runs", &json!({ "vars": { "topic": "t" }, "detach": true }));
    let run = gateway.ask(start).await.json()["run"].as_str().unwrap().to_owned();
    let mut events = gateway.open(Ask::get(format!("/api/v1/runs/{run}/events"))).await;
    events.until("event: step_started").await;
    let cancelled = gateway.ask(Ask::post(format!("/api/v1/runs/{run}/cancel"), &json!({}))).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    let rest = events.whole().await.unwrap().text();
    assert!(rest.contains("event: cancelled") && rest.contains("\"status\":\"cancelled\""), "{rest}");
    // The step's call was cut off with it, and has its row.
    let path = format!("/api/v1/calls?run={run}");
    let rows = gateway.json_once(&path, |found| found["data"][0].is_object()).await;
    assert_eq!(rows["data"][0]["outcome"], "hung_up", "{rows:#}");
}

#[tokio::test]
async fn a_run_that_its_time_limit_ends_tells_what_was_under_way() {
    let house = House::new(&SIMULATED.replace("output_tokens: 12", "first_token: 10m"));
    let limited = CHAIN.replace("defaults:", "limits: { time: 100ms }\ndefaults:");
    house.write("short.yaml", &limited);
    let said = house.run(&["run", "short.yaml", "--var", "topic=t", "--json"]).await;
    assert_eq!(said.code, 4, "{said:?}");
    let result = said.json();
    let error = &result["error"];
    assert_eq!((&error["code"], &error["progress"]), (&json!("WL5007"), &json!("perhaps_executed")));
    let steps = &result["steps"];
    assert_eq!((&steps[0]["status"], &steps[0]["attempts"]), (&json!("failed"), &json!(1)), "{steps:#}");
    assert_eq!((&steps[0]["error"]["code"], &steps[1]["status"]), (&json!("WL5007"), &json!("waiting")));
    let rows = house.ledger().await;
    let [row] = &rows[..] else { panic!("one attempt, one row: {rows:#?}") };
    assert_eq!((&row["outcome"], &row["code"]), (&json!("stopped"), &json!("WL5007")), "{row:#}");
    assert_eq!((&row["call"], &row["cost"]), (&steps[0]["call"], &steps[0]["cost"]), "{row:#}");
    let run = result["run"].as_str().unwrap();
    assert_eq!(house.run(&["runs", "show", run, "--json"]).await.well().json(), result);
}

#[tokio::test]
async fn a_run_belongs_to_the_key_that_started_it() {
    let keys = "
keys:
  first: { key: the-first-key-that-is-known, tenant: one }
  second: { key: the-second-key-that-is-known, tenant: one }
  chief: { key: the-chiefs-key-that-is-known, admin: true }
";
    let slow = SIMULATED.replace("output_tokens: 12", "first_token: 10m");
    let house = House::new(&format!("{slow}{keys}"));
    house.write("short.yaml", CHAIN);
    let gateway = house.serve().await;
    let (first, second, chief) =
        ("the-first-key-that-is-known", "the-second-key-that-is-known", "the-chiefs-key-that-is-known");
    let start = Ask::post("/api/v1/chains/short/runs", &json!({ "vars": { "topic": "t" }, "detach": true }));
    let run = gateway.ask(start.key(first)).await.json()["run"].as_str().unwrap().to_owned();
    let path = |more: &str| format!("/api/v1/runs/{run}{more}");
    let nothing =
        gateway.ask(Ask::get("/api/v1/runs/run_018bcfe5680077078707070707070707").key(second)).await;
    assert_eq!(nothing.status, 404, "{}", nothing.text());
    for ask in [Ask::get(path("")), Ask::get(path("/events")), Ask::post(path("/cancel"), &json!({}))] {
        let refused = gateway.ask(ask.key(second)).await;
        assert_eq!((refused.status, refused.code()), (404, nothing.code()), "{}", refused.text());
    }
    for key in [first, chief] {
        let shown = gateway.ask(Ask::get(path("")).key(key)).await.json();
        assert_eq!((&shown["run"]["caller"], &shown["run"]["tenant"]), (&json!("first"), &json!("one")));
    }
    let cancelled = gateway.ask(Ask::post(path("/cancel"), &json!({})).key(first)).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    gateway.stop().await;
}

#[tokio::test]
async fn check_warns_of_what_has_no_effect_yet() {
    let house = house();
    house.write("cached.yaml", "config: { enable_caching: true }\nprompts: [x]\n");
    let said = house.run(&["check", "cached.yaml"]).await.well();
    assert!(said.out.contains("a valid chain"), "{}", said.out);
    assert!(said.err.contains("warning: ") && said.err.contains("answers are not cached"), "{}", said.err);
}

#[tokio::test]
async fn the_example_is_answered_by_a_real_model() {
    let model = project().join(".cache/python/model");
    assert!(model.exists(), "{} is missing: `make setup` installs it", model.display());
    let house = House::new("version: 1\n");
    let mut command =
        house.command(&["run", "examples/research.yaml", "--var", "topic=tidal power", "--json"]);
    // The program finds the model beside where it is started.
    command
        .current_dir(project())
        .env("WINDLASS__STORAGE__DATABASE", format!("sqlite:{}", house.path("windlass.db").display()));
    let result = said(command).await.well().json();
    assert_eq!((&result["status"], &result["cost_analysis"]["total"]), (&json!("succeeded"), &json!("0.00")));
    assert!(result["outputs"]["report"].as_str().unwrap().len() > 20, "{result:#}");
    for step in result["steps"].as_array().unwrap() {
        assert_eq!((&step["provider"], &step["simulated"]), (&json!("local"), &json!(false)), "{step:#}");
        assert_eq!(step["usage_source"], "reported", "{step:#}");
        assert!(step["usage"]["output"].as_u64().unwrap() > 0, "{step:#}");
        let latency = |field: &str| Duration::from_secs_f64(step[field].as_f64().unwrap() / 1e3);
        assert!(latency("latency_ms") >= latency("api_latency_ms"), "{step:#}");
        assert!(latency("api_latency_ms") > Duration::ZERO, "{step:#}");
    }
}
