//! Clients that others have written, unmodified, against the program: `tests/sdk` has the scripts.
//!
//! A real small model answers them, streams to them and fills their JSON schemas. It is too small to call
//! tools; a simulated model does that.

use tokio::process::Command;

use crate::house::House;
use crate::sdk::{drive, installed, node, python_of, serve_with_a_real_model};

const MODELS: &str = "
version: 1
providers:
  local: { kind: local }
  demo: { kind: simulated, models: { tool: {}, embed: {} } }
keys: { tests: { key: a-key-that-is-known-here } }
";

async fn judged(mut script: Command, checks: &[&str]) {
    let house = House::new(MODELS);
    let gateway = serve_with_a_real_model(&house).await;
    script.env("TOOL_MODEL", "demo/tool").env("EMBED_MODEL", "demo/embed").env("MAX_TOKENS", "12");
    let said = drive(script, &gateway, "local/smollm2").await;
    for check in checks {
        assert!(said.out.contains(&format!("ok {check}\n")), "{check}: {said:?}");
    }
    gateway.stop().await;
    let rows = house.ledger().await;
    assert!(rows.iter().any(|row| row["simulated"] == false), "the real model was asked: {rows:#?}");
    for row in rows {
        assert_eq!(row["caller"], "tests", "{row:#}");
        if row["outcome"] == "complete" {
            assert_eq!(row["usage_source"], "reported", "{row:#}");
        }
    }
}

#[tokio::test]
async fn langchain() {
    let checks = ["chat", "stream", "tools", "tools_stream", "structured", "embeddings", "unknown_model"];
    judged(python_of("clients", "with_langchain.py"), &checks).await;
}

#[tokio::test]
async fn litellm_in_both_dialects() {
    let checks = ["openai_structured", "openai_tools_stream", "anthropic_stream", "anthropic_tools_stream"];
    judged(python_of("clients", "with_litellm.py"), &checks).await;
}

#[tokio::test]
async fn pydantic_ai() {
    let checks = ["text", "stream", "tools", "tools_stream", "output_by_tool", "output_by_schema"];
    judged(python_of("clients", "with_pydantic_ai.py"), &checks).await;
}

#[tokio::test]
async fn instructor() {
    let checks = ["by_schema", "by_schema_stream", "by_tool"];
    judged(python_of("clients", "with_instructor.py"), &checks).await;
}

#[tokio::test]
async fn vercels_ai_sdk() {
    installed(".cache/node/clients/node_modules");
    let checks = [
        "openai_text",
        "openai_object",
        "compatible_stream",
        "compatible_tools_stream",
        "compatible_object_stream",
    ];
    judged(node("with_ai_sdk.mjs"), &checks).await;
}
