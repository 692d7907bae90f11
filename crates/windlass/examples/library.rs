//! Windlass inside a program: a call, a chain from a file's text, a chain made in code, and what they cost.
//!
//! The model is simulated, so this needs no key and no network: `cargo run --package windlass --example library`.

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use anyhow::Context as _;
use windlass::Windlass;
use windlass::chain::{Chain, Step};

/// Nothing is kept after the program; `{spool}` is a folder for the ledger's rows on their way.
const CONFIGURATION: &str = r#"
storage: { database: "sqlite::memory:", spool: "{spool}" }
providers:
  demo:
    kind: simulated
    models:
      fast: { first_token: 20ms, tokens_per_second: 900, price: { input: 0.15, output: 0.60 } }
"#;

/// Each step waits for the one that it names.
const CHAIN: &str = r#"
name: research
inputs: { topic: { type: string } }
defaults: { model: demo/fast }
steps:
  summary: "Summarize {{ topic }} for a technical audience in two sentences."
  applications: "Name three practical applications of this: {{ steps.summary }}"
outputs: { report: "{{ steps.applications }}" }
"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the spool")?;
    let spool = folder.path().join("spool").display().to_string();
    let windlass = Windlass::from_yaml(&CONFIGURATION.replace("{spool}", &spool)).await?;

    println!("a call: {}\n", windlass.chat("demo/fast", "Name two colours.").await?);

    // Parsed and checked once, run as often as one likes.
    let research = windlass.chain(CHAIN)?;
    for topic in ["tidal power", "heat pumps"] {
        let run = research.clone().var("topic", topic).run().await?;
        println!("{topic}: {}\n  for ${}, {} tokens", run.output("report")?, run.cost(), run.usage().total());
        for step in &run.result().steps {
            let cost = step.cost.map_or_else(|| "unknown".to_owned(), |cost| format!("${cost}"));
            println!("  {}: {:?}, {cost}", step.name, step.latency_ms);
        }
    }

    let haiku = Chain::builder("haiku")
        .input("topic")
        .model("demo/fast")
        .step(Step::prompt("draft", "A haiku about {{ topic }}"))
        .step(Step::prompt("better", "Make this better: {{ steps.draft }}"))
        .output("haiku", "{{ steps.better }}")
        .build()?;
    let run = windlass.built(haiku).var("topic", "the sea").run().await?;
    println!("\na haiku: {}\n  for ${}", run.output("haiku")?, run.cost());

    windlass.close().await;
    Ok(())
}
