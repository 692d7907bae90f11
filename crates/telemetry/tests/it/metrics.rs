//! The exposition, its bounds, and the counters behind it.

use std::time::Duration;

use telemetry::Metrics;
use telemetry::metrics::{Build, RunEnd, RunStatus, Size};
use types::ledger::{Outcome, Row};
use types::{AttemptKey, Dialect, Kind, Money, Usage, UsageSource};

use crate::sample;

fn empty() -> Metrics {
    Metrics::new(Build { version: "1.2.3", commit: Some("abc1234"), started: sample::AT })
}

/// The lines of one metric's samples.
fn lines(text: &str, name: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

/// The exposition without the two figures that differ from run to run.
fn stable(metrics: &Metrics) -> String {
    let text = metrics.render();
    let differs = |line: &&str| {
        line.starts_with("process_resident_memory_bytes ") || line.starts_with("process_open_fds ")
    };
    assert_eq!(text.lines().filter(differs).count(), if cfg!(target_os = "linux") { 2 } else { 0 });
    text.lines().filter(|line| !differs(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_fixed_scenario_gives_a_fixed_text() {
    let metrics = empty();
    metrics.set_large_call_tokens(50);
    let openai = metrics.target("openai", "gpt-5-mini");
    assert_eq!(openai.attempt(&sample::limited()), Size::Usual);
    let retry = Row { key: AttemptKey { call: sample::call(), attempt: 2 }, ..sample::complete() };
    assert_eq!(openai.attempt(&retry), Size::Large);
    let unpriced = Row { cost: None, fallback: true, streamed: false, ..sample::complete() };
    metrics.target("local", "smollm2\"135m\"\n").attempt(&unpriced);
    metrics.call_ended(Dialect::OpenaiChat, Outcome::Complete);
    let call = metrics.call_started();
    drop(metrics.call_started());

    let chain = metrics.chain("summary");
    drop(chain.run_started());
    chain.step_ended("draft", Duration::from_millis(700));
    chain.step_ended("draft", Duration::from_millis(20));
    chain.run_ended(&RunEnd {
        status: RunStatus::Failed,
        fault: Some(Kind::NetworkTimeout),
        duration: Duration::from_secs(4),
        cost: Some(Money::from_pico(1_500_000_000)),
        usage: Usage::plain(30, 5),
        steps: 2,
    });
    metrics.set_spool(4_096, 12);
    metrics.spool_refused();
    metrics.refused(Kind::Authentication);
    insta::assert_snapshot!(stable(&metrics));
    drop(call);
    assert!(metrics.render().contains("\nllm_requests_in_flight 0\n"));
}

#[test]
fn an_empty_registry_describes_everything() {
    let text = empty().render();
    let described = |kind: &str| {
        let prefix = format!("# {kind} ");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
        lines.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(described("HELP"), described("TYPE"));
    assert!(text.lines().filter(|line| line.starts_with("# HELP")).all(|line| line.split(' ').count() > 3));
    assert!(described("TYPE").iter().any(|name| name == "llm_requests_total"));
}

#[test]
fn targets_beyond_the_cap_are_other() {
    let metrics = empty();
    for model in 0..1_000 {
        metrics.target("openai", &format!("model-{model}")).attempt(&sample::complete());
    }
    for model in 0..50 {
        let target = metrics.target("openai", &format!("made-up-{model}"));
        assert_eq!((target.provider(), target.model()), ("openai", "other"));
        target.attempt(&sample::complete());
    }
    assert_eq!(metrics.target("openai", "model-7").model(), "model-7");
    let stranger = metrics.target("made-up", "model-7");
    assert_eq!((stranger.provider(), stranger.model()), ("other", "other"));

    let text = metrics.render();
    let complete = lines(&text, "llm_requests_total{").into_iter().filter(|line| line.contains("complete"));
    assert_eq!(complete.count(), 1_002);
    assert!(
        text.contains("llm_requests_total{provider=\"openai\",model=\"other\",outcome=\"complete\"} 50\n")
    );
}

#[test]
fn steps_and_chains_beyond_the_cap_are_other() {
    let metrics = empty();
    let chain = metrics.chain("wide");
    for step in 0..2_100 {
        chain.step_ended(&format!("step-{step}"), Duration::from_millis(1));
    }
    let text = metrics.render();
    assert_eq!(lines(&text, "prompt_chain_latency_seconds_count{").len(), 2_001);
    assert!(text.contains("prompt_chain_latency_seconds_count{chain_name=\"wide\",step=\"other\"} 100\n"));
    for name in 0..1_100 {
        drop(metrics.chain(&format!("chain-{name}")));
    }
    assert_eq!(lines(&metrics.render(), "prompt_chain_cost_usd_total{").len(), 1_001);
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let target = empty().target("p", &"ü".repeat(4_000));
    assert_eq!(target.model(), "ü".repeat(64));
}

#[test]
fn the_same_names_are_the_same_counters() {
    let metrics = empty();
    metrics.target("a", "m").attempt(&sample::complete());
    metrics.clone().target("a", "m").attempt(&sample::complete());
    let text = metrics.render();
    assert!(
        text.contains("llm_requests_total{provider=\"a\",model=\"m\",outcome=\"complete\"} 2\n"),
        "{text}"
    );
    assert!(text.contains("llm_token_costs_usd_total{provider=\"a\",model=\"m\"} 0.000094\n"), "{text}");
}

#[test]
fn a_call_that_used_nothing_is_not_unpriced() {
    let metrics = empty();
    let target = metrics.target("a", "m");
    target.attempt(&Row { cost: None, usage_source: UsageSource::None, ..sample::limited() });
    assert!(lines(&metrics.render(), "windlass_unpriced_calls_total{").is_empty());
}
