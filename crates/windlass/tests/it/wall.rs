//! The gateway against the fault wall, both as users run them: `windlass serve`, and `windlass certify` as the
//! caller and the judge.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::house::{House, said, soon};

/// A gateway that has no wall yet: the wall says where it stands once it stands.
const BARE: &str = "version: 1\nproviders: { demo: { kind: simulated, models: { talker: {} } } }\n";

/// Faults of the whole catalogue, and the ways of asking for them.
const CASES: u64 = 52;

/// Runs `windlass certify` against a gateway that it is then pointed at.
async fn certify(house: &House, more: &[&str]) -> (i32, Value, String) {
    let gateway = house.serve().await;
    let url = format!("http://{}", gateway.address);
    let mut command = house.command(&["certify", &url, "--wall", "127.0.0.1:0", "--wait", "20s", "--json"]);
    command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    soon("the wall", err.read_line(&mut first)).await.unwrap();
    let base = first.trim().rsplit(' ').next().unwrap();
    assert!(base.starts_with("http://127.0.0.1:") && base.ends_with("/v1"), "{first}");
    // The defaults, but that what is waited for is shorter.
    house.write(
        "windlass.yaml",
        &format!(
            "version: 1
providers:
  wall:
    kind: openai
    base_url: {base}
    timeouts: {{ connect: 2s, first_token: 3s, idle: 3s, total: 7s }}
"
        ),
    );
    let output = soon("the scorecard", child.wait_with_output()).await.unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).await.unwrap();
    gateway.stop().await;
    let out = String::from_utf8(output.stdout).unwrap();
    let card = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{rest}"));
    (output.status.code().unwrap(), card, rest)
}

#[tokio::test]
async fn the_gateway_passes_every_case_of_the_wall() {
    let house = House::new(BARE);
    let (code, card, err) = certify(&house, &["--deadline", "12s", "--at-once", "24"]).await;
    let failed: Vec<&Value> =
        card["cases"].as_array().unwrap().iter().filter(|case| case["passed"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{err}");
    assert_eq!((code, &card["passed"], &card["of"]), (0, &json!(CASES), &json!(CASES)), "{err}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_and_words_that_make_no_sense() {
    let house = House::new(BARE);
    let nobody = house.run(&["certify", "http://127.0.0.1:1", "--wall", "127.0.0.1:0", "--wait", "0s"]).await;
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.err.contains("kind: openai") && nobody.err.contains("no answer"), "{nobody:?}");
    for (args, why) in [
        (["certify", "https://gateway"].as_slice(), "http://"),
        (&["certify", "http://127.0.0.1:1", "--only", "flying"], "throttled-once"),
        (&["certify", "http://127.0.0.1:1", "--deadline", "soon"], "not a duration"),
        (&["certify"], "<URL>"),
    ] {
        let told = house.run(args).await;
        assert_eq!(told.code, 2, "{told:?}");
        assert!(told.err.contains(why), "{told:?}");
    }
    let printed = house.run(&["certify", "--print-config"]).await.well().out;
    house.write("wall.yaml", &printed);
    said(house.command(&["check", "wall.yaml"])).await.well();
    let litellm = house.run(&["certify", "--print-config", "litellm"]).await.well().out;
    assert!(litellm.contains("model_list:") && litellm.contains("http://127.0.0.1:18080/v1"), "{litellm}");
}
