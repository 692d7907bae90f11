//! The log's lines.

use std::time::Duration;

use serde_json::Value;
use telemetry::log::{self, CallEnd, Level, Refusals, Style, subscriber};
use types::ledger::Outcome;
use types::{Blame, Code, Fault, Kind, Moment, Money};

use crate::sample;

/// What is logged while `told` runs, a JSON object a line.
fn lines(level: Level, told: impl FnOnce(&log::Handle)) -> Vec<Value> {
    let page = sample::Page::default();
    let writer = page.clone();
    let (subscriber, handle) = subscriber(level, Style::Json, move || writer.clone());
    tracing::subscriber::with_default(subscriber, || told(&handle));
    page.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn end() -> CallEnd<'static> {
    CallEnd {
        call: sample::call(),
        trace: sample::trace(),
        caller: Some("ci"),
        asked: "smart",
        outcome: Outcome::Failed,
        attempts: 2,
        duration: Duration::from_millis(1_234),
        cost: Some(Money::from_pico(47_000_000)),
    }
}

fn limited() -> Fault {
    Fault::new(Kind::RateLimit, Code::RateLimited, "the provider asks to wait")
        .with_status(429)
        .with_provider("openai")
}

#[test]
fn a_failed_call_says_which_and_why() {
    let lines = lines(Level::Info, |_| {
        log::attempt_failed(&sample::limited(), &limited());
        log::call_failed(&end(), &limited());
    });
    let [attempt, call] = &lines[..] else { panic!("{lines:?}") };
    for line in [attempt, call] {
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["call"], sample::call().to_string());
        assert_eq!(line["trace"], sample::trace().to_string());
        assert_eq!(line["code"], "WL3001");
        assert_eq!(line["kind"], "rate_limit");
        assert_eq!(line["status"], 429);
        assert_eq!(line["reason"], "the provider asks to wait");
        assert!(line["timestamp"].is_string());
    }
    assert_eq!(attempt["message"], "attempt failed");
    assert_eq!((&attempt["provider"], &attempt["attempt"]), (&"openai".into(), &1.into()));
    assert_eq!(call["message"], "call failed");
    assert_eq!((&call["attempts"], &call["duration_ms"]), (&2.into(), &1_234.into()));
    assert_eq!(call["cost_usd"], "0.000047");
    assert_eq!(attempt.get("run"), None, "what does not apply is left out");
    assert!(!format!("{lines:?}").contains("someone@example.com"));
}

#[test]
fn of_a_flood_of_refusals_the_first_are_told_and_then_how_many_more_there_were() {
    let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
    let stranger = Fault::new(Kind::Authentication, Code::BadKey, "no such key");
    let lines = lines(Level::Info, |_| {
        let refusals = Refusals::default();
        for _ in 0..1_000 {
            refusals.tell(&end(), &stranger, at(7));
        }
        // Another kind has lines of its own.
        refusals.tell(&end(), &limited(), at(7));
        refusals.sum_up(at(8));
        refusals.tell(&end(), &stranger, at(8));
    });
    let told = log::REFUSALS_A_SECOND as usize;
    assert_eq!(lines.len(), told + 3, "{lines:#?}");
    assert!(lines[..told].iter().all(|line| line["message"] == "call failed"));
    assert_eq!(lines[told]["kind"], "rate_limit");
    let sum = &lines[told + 1];
    assert_eq!((&sum["level"], &sum["kind"]), (&"WARN".into(), &"authentication".into()));
    assert_eq!(sum["left_out"], 1_000 - told);
    assert_eq!(lines[told + 2]["message"], "call failed");
}

#[test]
fn blame_sets_the_level() {
    let lines = lines(Level::Info, |_| {
        for blame in [Blame::Caller, Blame::Provider, Blame::Network, Blame::Operator, Blame::Us] {
            log::call_failed(&end(), &limited().with_blame(blame));
        }
    });
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["INFO", "WARN", "WARN", "ERROR", "ERROR"]);
}

#[test]
fn an_attempt_is_at_most_a_warning() {
    let lines = lines(Level::Info, |_| {
        log::attempt_failed(&sample::limited(), &limited().with_blame(Blame::Us));
        log::attempt_failed(&sample::limited(), &limited().with_blame(Blame::Caller));
    });
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["WARN", "INFO"]);
}

#[test]
fn the_level_changes_while_running() {
    let lines = lines(Level::Warn, |handle| {
        log::config_reloaded();
        handle.set_level(Level::Info);
        log::config_reloaded();
        log::call_done(&end());
        handle.set_level(Level::Debug);
        log::call_done(&end());
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["configuration reloaded", "call answered"]);
}

#[test]
fn libraries_are_silent_below_warnings() {
    let lines = lines(Level::Trace, |_| {
        tracing::debug!(target: "hyper::proto", "authorization: Bearer secret");
        tracing::info!(target: "h2", "headers");
        tracing::warn!(target: "hyper", "something is wrong");
        tracing::trace!(target: "engine::call", "ours");
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["something is wrong", "ours"]);
}

#[test]
fn long_texts_are_cut_and_line_breaks_are_escaped() {
    let long = format!("{}\n{}", "x".repeat(300), "ü".repeat(3_000));
    let lines = lines(Level::Info, |_| {
        log::call_failed(&end(), &Fault::new(Kind::Permanent, Code::ProviderError, long.clone()));
    });
    let reason = lines[0]["reason"].as_str().unwrap();
    assert!(reason.len() <= 512 && long.starts_with(reason), "{reason}");
}

#[test]
fn every_event_is_one_line() {
    let lines = lines(Level::Trace, |_| {
        log::serving("127.0.0.1:8080".parse().unwrap(), "1.2.3");
        log::large_call(&sample::complete());
        log::config_refused(2, "line 3: unknown key");
        log::ledger_failed(7, &"disk full");
        log::ledger_recovered(7);
        log::provider_started("local", Duration::from_secs(2));
        log::provider_stopped("local", &"exit status 1");
        log::panicked(Some(sample::call()), None, "src/lib.rs:3");
        log::run_resumed(sample::run(), "summary", 3);
        log::spans_lost();
        log::stopping(4, Duration::from_secs(30));
        log::stopped(0);
    });
    assert_eq!(lines.len(), 12);
    assert_eq!(lines[0]["address"], "127.0.0.1:8080");
    assert_eq!(lines[1]["input_tokens"], 100);
    assert_eq!(lines[7]["call"], sample::call().to_string());
    assert_eq!(lines[7].get("trace"), None);
}
