//! The Responses API, judged by the official openai packages, unmodified: `tests/sdk` has the scripts.

use tokio::process::Command;

use crate::house::House;
use crate::sdk::{drive, node, python, serve_with_a_real_model};

const MODELS: &str = "
version: 1
providers:
  local: { kind: local }
  demo: { kind: simulated, models: { tool: {} } }
keys: { tests: { key: a-key-that-is-known-here } }
";

async fn judged(mut script: Command) {
    let house = House::new(MODELS);
    let gateway = serve_with_a_real_model(&house).await;
    script.env("TOOL_MODEL", "demo/tool").env("MAX_TOKENS", "12");
    let said = drive(script, &gateway, "local/smollm2").await;
    for check in ["create", "stream", "tools", "tools_stored", "tools_stream", "previous_response", "parse"] {
        assert!(said.out.contains(&format!("ok {check}\n")), "{check}: {said:?}");
    }
    gateway.stop().await;
    let rows = house.ledger().await;
    assert!(rows.iter().any(|row| row["outcome"] == "complete"), "{rows:#?}");
}

#[tokio::test]
async fn openai_for_python() {
    judged(python("openai_responses.py")).await;
}

#[tokio::test]
async fn openai_for_node() {
    judged(node("openai_responses.mjs")).await;
}
