//! The vendors' own SDKs, unmodified, against the program: `tests/sdk` has the scripts.
//!
//! A check that is skipped counts as a failure: everything that the scripts need is given to them here.

use std::path::PathBuf;

use tokio::process::Command;

use crate::house::{Gateway, House, Said, project, said};

pub(crate) const KEY: &str = "a-key-that-is-known-here";

/// Who hangs up has ten seconds for it before the stream ends by itself.
const SIMULATED: &str = "
version: 1
providers:
  demo:
    kind: simulated
    models: { talker: { output_tokens: 2000, tokens_per_second: 200 }, tool: {}, embed: {} }
keys: { tests: { key: a-key-that-is-known-here } }
";

/// An interpreter or a package that `make setup` installs.
pub(crate) fn installed(path: &str) -> PathBuf {
    let path = project().join(path);
    assert!(path.exists(), "{} is missing: `make setup` installs it", path.display());
    path
}

pub(crate) fn python(script: &str) -> Command {
    python_of("sdk", script)
}

/// A script with the packages of one of the Python environments.
pub(crate) fn python_of(environment: &str, script: &str) -> Command {
    let mut command = Command::new(installed(&format!(".cache/python/{environment}/bin/python")));
    command.arg("-B").arg(installed("tests/sdk").join(script));
    command
}

pub(crate) fn node(script: &str) -> Command {
    installed(".cache/node/sdk/node_modules");
    let mut command = Command::new("node");
    command.arg(installed("tests/sdk").join(script));
    command
}

/// Starts the gateway of a house where it finds the real model: in the checkout.
pub(crate) async fn serve_with_a_real_model(house: &House) -> Gateway {
    installed(".cache/python/model");
    let configuration = house.path("windlass.yaml");
    let database = format!("sqlite:{}", house.path("windlass.db").display());
    let mut command =
        house.command(&["serve", "--listen", "127.0.0.1:0", "--config", configuration.to_str().unwrap()]);
    command.current_dir(project()).env("WINDLASS__STORAGE__DATABASE", database);
    Gateway::start(command).await
}

/// Runs a script, and looks at what it says about each check.
pub(crate) async fn drive(mut script: Command, gateway: &Gateway, model: &str) -> Said {
    script.env("BASE_URL", format!("http://{}", gateway.address)).env("KEY", KEY).env("MODEL", model);
    let said = said(script).await.well();
    assert!(!said.out.lines().any(|line| line.starts_with("skip ")), "a check was skipped: {said:?}");
    assert!(said.out.contains("ok "), "nothing was checked: {said:?}");
    said
}

async fn all_checks(mut script: Command, checks: &[&str]) {
    let house = House::new(SIMULATED);
    let gateway = house.serve().await;
    script
        .env("TOOL_MODEL", "demo/tool")
        .env("EMBED_MODEL", "demo/embed")
        .env("BAD_KEY", "nobody-knows-this");
    let said = drive(script, &gateway, "demo/talker").await;
    for check in checks {
        assert!(said.out.contains(&format!("ok {check}\n")), "{check}: {said:?}");
    }
    gateway.stop().await;
    let rows = house.ledger().await;
    assert!(rows.iter().any(|row| row["outcome"] == "hung_up"), "the scripts hang up once");
    assert!(rows.iter().all(|row| row["caller"] == "tests" && row["simulated"] == true), "{rows:#?}");
}

const CHECKED_WITH_OPENAI: [&str; 6] =
    ["chat", "chat_stream", "tools", "tools_stream", "embeddings", "wrong_key"];

#[tokio::test]
async fn openai_for_python() {
    all_checks(python("openai_chat.py"), &CHECKED_WITH_OPENAI).await;
}

#[tokio::test]
async fn openai_for_node() {
    all_checks(node("openai_chat.mjs"), &CHECKED_WITH_OPENAI).await;
}

#[tokio::test]
async fn anthropic_for_python() {
    all_checks(python("anthropic_messages.py"), &["messages", "messages_stream", "tools", "wrong_key"]).await;
}

#[tokio::test]
async fn anthropic_for_node() {
    all_checks(node("anthropic_messages.mjs"), &["messages", "messages_stream", "tools", "wrong_key"]).await;
}

#[tokio::test]
async fn a_real_model_answers_a_vendors_sdk() {
    let house = House::new("version: 1\nproviders: { local: { kind: local } }\n");
    let gateway = serve_with_a_real_model(&house).await;
    let mut script = python("openai_chat.py");
    script.args(["chat", "chat_stream", "chat_stream_with_usage", "models"]).env("MAX_TOKENS", "8");
    drive(script, &gateway, "local/smollm2").await;
    gateway.stop().await;
    let rows = house.ledger().await;
    assert_eq!(rows.len(), 3, "{rows:#?}");
    for row in &rows {
        assert_eq!(
            (&row["outcome"], &row["usage_source"]),
            (&"complete".into(), &"reported".into()),
            "{row:#}"
        );
        assert_eq!(row["cost"], "0.00", "a model on this machine costs nothing: {row:#}");
        assert_eq!(row["simulated"], false, "{row:#}");
    }
}
