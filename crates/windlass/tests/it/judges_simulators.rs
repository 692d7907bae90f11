//! Providers that others simulate, behind the program, and the official SDKs in front of it: `tests/sdk` has
//! the script, and what the simulators are told to answer.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::house::{Gateway, House, project, soon};
use crate::sdk::{drive, installed, python};

/// Somebody else's server. Dropping it kills it.
struct Simulator {
    address: SocketAddr,
    _child: Child,
}

impl Simulator {
    /// Starts it; it is ready when it says where it is.
    async fn start(mut command: Command) -> Self {
        command.current_dir(project()).stdin(Stdio::null()).kill_on_drop(true);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (teller, mut told) = mpsc::unbounded_channel();
        tokio::spawn(read(child.stdout.take().unwrap(), teller.clone()));
        tokio::spawn(read(child.stderr.take().unwrap(), teller));
        let address = soon("a simulator's start", async {
            let mut said = Vec::new();
            while let Some(line) = told.recv().await {
                if let Some(address) = address_in(&line) {
                    return address;
                }
                said.push(line);
            }
            panic!("the simulator has ended: {said:#?}");
        });
        Self { address: address.await, _child: child }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Passes on what a simulator prints. It goes on reading when nobody listens: a full pipe would stop it.
async fn read(from: impl AsyncRead + Unpin, to: mpsc::UnboundedSender<String>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = to.send(line);
    }
}

/// The address in `… on http://127.0.0.1:1234 (…`.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split_once(" on http://")?.1.split_whitespace().next()?.parse().ok()
}

/// The gateway with these providers, asked by the official SDKs.
async fn judged(providers: &str, simulator: (&str, &Simulator), targets: &[&str]) {
    let keys = "keys: { tests: { key: a-key-that-is-known-here } }";
    // Half of the calls are made to fail: that is no provider to be kept away from.
    let calm = "defaults: { breaker: { enabled: false }, retry: { budget: 100% } }";
    let house = House::new(&format!("version: 1\nproviders:\n{providers}\n{keys}\n{calm}\n"));
    let gateway: Gateway = house.serve().await;
    let mut script = python("simulators.py");
    script.env("TARGETS", targets.join(" ")).env(simulator.0, simulator.1.url());
    let said = drive(script, &gateway, "none").await;
    for target in targets {
        let provider = target.split('/').next().unwrap();
        for check in ["plain", "stream", "tools", "tools_stream", "refused_once", "refused", "wrong", "cut"] {
            for dialect in ["openai", "anthropic"] {
                let line = format!("ok {provider}_by_{dialect}_{check}\n");
                assert!(said.out.contains(&line), "{line} is missing: {said:?}");
            }
        }
    }
    gateway.stop().await;
    let rows = house.ledger().await;
    assert!(rows.iter().all(|row| row["caller"] == "tests" && row["simulated"] == false), "{rows:#?}");
}

#[tokio::test]
async fn aimock() {
    let mut command = Command::new("node");
    command.arg(installed(".cache/node/simulators/node_modules/@copilotkit/aimock/dist/cli.js"));
    command.args(["--port", "0", "--strict", "--fixtures"]).arg(installed("tests/sdk/simulators.json"));
    let simulator = Simulator::start(command).await;
    let url = simulator.url();
    // It counts by test: what one provider has been asked is nothing to the others.
    let providers = format!(
        "
  openai: {{ kind: openai, base_url: '{url}/v1', api_key: none, headers: {{ x-test-id: openai }} }}
  anthropic: {{ kind: anthropic, base_url: '{url}', api_key: none, headers: {{ x-test-id: anthropic }} }}
  gemini: {{ kind: gemini, base_url: '{url}/v1beta', api_key: none, headers: {{ x-test-id: gemini }} }}
  bedrock:
    kind: bedrock
    region: us-east-1
    base_url: '{url}'
    access_key_id: nobody
    secret_access_key: none
    headers: {{ x-test-id: bedrock }}
  azure:
    kind: azure
    base_url: '{url}'
    api_version: '2024-10-21'
    api_key: none
    headers: {{ x-test-id: azure }}
"
    );
    let targets = [
        "openai/gpt-4o",
        "anthropic/claude-sonnet-4-5",
        "gemini/gemini-2.5-flash",
        "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "azure/gpt-4o",
    ];
    judged(&providers, ("AIMOCK", &simulator), &targets).await;
}

#[tokio::test]
async fn llmock() {
    installed(".cache/python/simulators");
    let mut command = Command::new(installed(".cache/python/simulators/bin/python"));
    command.args(["-m", "llmock.cli", "serve", "--port", "0"]);
    let simulator = Simulator::start(command).await;
    let url = simulator.url();
    let providers = format!(
        "
  openai: {{ kind: openai, base_url: '{url}/v1', api_key: none }}
  anthropic: {{ kind: anthropic, base_url: '{url}/anthropic', api_key: none }}
  gemini: {{ kind: gemini, base_url: '{url}/gemini/v1beta', api_key: none }}
"
    );
    let targets = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"];
    judged(&providers, ("LLMOCK", &simulator), &targets).await;
}
