//! Streams: the commit rule, cuts, stalls, hang-ups.

use std::time::Duration;

use http_body_util::BodyExt as _;
use testkit::{Answer, Gate, Vendor, anthropic as claude, openai as gpt};
use tokio::time::Instant;
use types::ledger::Outcome;
use types::{Code, UsageSource};

use crate::house::{House, anthropic, chat, message, openai, stream, text};

/// A stream of `n` tokens with its usage and its end.
fn tokens(n: u64) -> Answer {
    Answer::events(gpt::chat_stream(n, 5))
}

#[tokio::test]
async fn a_stream_passes_whole_and_usage_that_we_asked_for_stays_with_us() {
    let vendor = Vendor::start(tokens(5)).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let seen = text(stream(house.engine().call(chat("up/m", true)).await.unwrap())).await;
    assert!(seen.ends_with("data: [DONE]\n\n"), "{seen}");
    assert!(!seen.contains(r#""choices":[]"#), "{seen}");
    let sent = vendor.request().await.body;
    assert!(std::str::from_utf8(&sent).unwrap().contains(r#""stream_options":{"include_usage":true}"#));
    let rows = house.rows().await;
    assert_eq!((rows.len(), rows[0].outcome), (1, Outcome::Complete));
    assert_eq!((rows[0].usage_source, rows[0].usage.output), (UsageSource::Reported, 5));
    assert!(rows[0].timing.first_token.is_some());
}

#[tokio::test]
async fn streams_cross_dialects_byte_by_byte() {
    let vendor = Vendor::start(tokens(4).bytewise()).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let seen = text(stream(house.engine().call(message("up/m", true)).await.unwrap())).await;
    assert!(
        seen.starts_with("event: message_start\n") && seen.trim_end().ends_with(r#"{"type":"message_stop"}"#),
        "{seen}"
    );

    let vendor = Vendor::start(Answer::events(claude::message_stream(4, 5)).bytewise()).await.unwrap();
    let house = House::with(&anthropic("up", &vendor), "").await;
    let mut inbound = chat("up/m", true);
    inbound.body = r#"{"model":"up/m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#.into();
    let seen = text(stream(house.engine().call(inbound).await.unwrap())).await;
    assert!(seen.ends_with("data: [DONE]\n\n"), "{seen}");
}

#[tokio::test]
async fn what_fails_before_its_first_content_falls_back_unseen() {
    let preamble = gpt::chat_stream(1, 5).into_iter().next().unwrap();
    let error = format!("data: {}\n\n", gpt::error("overloaded", "server_error", None));
    for bad in [
        Answer::json(503, gpt::error("no", "server_error", None)),
        Answer::events([preamble.clone()]).cut(),
        Answer::events([preamble.clone(), error]),
        Answer::events([preamble]),
        Answer::json(200, gpt::chat("not a stream", 5, 2)),
    ] {
        let bad = Vendor::start(bad).await.unwrap();
        let good = Vendor::start(tokens(2)).await.unwrap();
        let route = "routes: { r: { models: [bad/m, good/m], retry: { attempts: 1 } } }";
        let house = House::with(&(openai("bad", &bad) + &openai("good", &good)), route).await;
        let relay = stream(house.engine().call(chat("r", true)).await.unwrap());
        assert!(relay.about.fallback);
        let seen = text(relay).await;
        assert!(seen.ends_with("data: [DONE]\n\n") && !seen.contains("error"), "{seen}");
        let outcomes: Vec<_> = house.rows().await.iter().map(|row| row.outcome).collect();
        assert_eq!(outcomes, [Outcome::Failed, Outcome::Complete]);
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_first_content_is_one_that_was_cut() {
    let preamble = gpt::chat_stream(1, 5).into_iter().next().unwrap();
    for events in [vec![], vec![preamble]] {
        for cut in [Answer::events(events.clone()).cut(), Answer::events(events.clone())] {
            let vendor = Vendor::start(cut).await.unwrap();
            let house = House::with(&openai("up", &vendor), "defaults: { retry: { attempts: 1 } }").await;
            let refusal = house.engine().call(chat("up/m", true)).await.unwrap_err();
            assert_eq!((refusal.fault.code, refusal.attempts), (Code::StreamCut, 1), "{}", refusal.fault);
            let rows = house.rows().await;
            assert_eq!((rows[0].outcome, rows[0].code), (Outcome::Failed, Some(Code::StreamCut)));
        }
    }
}

#[tokio::test]
async fn a_cut_stream_is_never_presented_as_whole() {
    for (inbound, marker) in [(chat("up/m", true), "[DONE]"), (message("up/m", true), "message_stop")] {
        let events: Vec<_> = gpt::chat_stream(8, 5).into_iter().take(4).collect();
        let vendor = Vendor::start(Answer::events(events).cut()).await.unwrap();
        let house = House::with(&openai("up", &vendor), "").await;
        let seen = text(stream(house.engine().call(inbound).await.unwrap())).await;
        assert!(seen.contains("error") && seen.contains("WL400"), "{seen}");
        assert!(!seen.contains(marker), "{seen}");
        let rows = house.rows().await;
        assert_eq!((rows.len(), rows[0].outcome), (1, Outcome::Cut));
        assert_eq!(rows[0].usage_source, UsageSource::Estimated);
        assert!(rows[0].usage.output > 0);
    }
}

#[tokio::test]
async fn a_silent_stream_ends_with_an_error_in_bounded_time() {
    let events: Vec<_> = gpt::chat_stream(8, 5).into_iter().take(4).collect();
    let vendor = Vendor::start(Answer::events(events).stalls()).await.unwrap();
    let house = House::with(&openai("up", &vendor), "defaults: { timeouts: { idle: 80ms } }").await;
    let seen = text(stream(house.engine().call(chat("up/m", true)).await.unwrap())).await;
    assert!(seen.contains("WL4006") && !seen.contains("[DONE]"), "{seen}");
    assert_eq!(house.rows().await[0].outcome, Outcome::Stalled);
}

#[tokio::test]
async fn hanging_up_cancels_the_provider_at_once_and_is_accounted_for() {
    let gate = Gate::new();
    let vendor = Vendor::start(tokens(8).behind(&gate)).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    // Before any answer.
    let waiting = {
        let engine = house.engine().clone();
        tokio::spawn(async move { engine.call(chat("up/m", true)).await })
    };
    vendor.request().await;
    waiting.abort();
    vendor.closed().await;
    // In the middle of a stream.
    let events: Vec<_> = gpt::chat_stream(8, 5).into_iter().take(4).collect();
    let vendor = Vendor::start(Answer::events(events).stalls()).await.unwrap();
    let second = House::with(&openai("up", &vendor), "").await;
    // The quickest of a few: a machine that does much else may hold any one of them up.
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let mut relay = stream(second.engine().call(chat("up/m", true)).await.unwrap());
        relay.frame().await.unwrap().unwrap();
        let hung_up = Instant::now();
        drop(relay);
        let closed = vendor.closed().await;
        assert!(closed.during_answer);
        quickest = quickest.min(closed.at - hung_up);
    }
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
    let rows = second.rows().await;
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!((row.outcome, row.usage_source), (Outcome::HungUp, UsageSource::Estimated));
        assert!(row.usage.output > 0);
    }
    let rows = house.rows().await;
    assert_eq!((rows.len(), rows[0].outcome), (1, Outcome::HungUp));
}
