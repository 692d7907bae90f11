//! Whole answers: forwarded, translated, retried, refused.

use testkit::{Answer, Vendor, anthropic as claude, openai as gpt};
use types::ledger::Outcome;
use types::{Code, Fault, Kind, UsageSource};

use crate::house::{House, anthropic, chat, message, openai, whole};

#[tokio::test]
async fn bytes_pass_untouched_but_for_the_model_and_the_row_says_what_was_used() {
    let odd = r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi","new_field":1.0e400}}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    let vendor = Vendor::start(Answer::json(200, odd)).await.unwrap();
    let house = House::with(&openai("up", &vendor), "prices: { 'up/m': { input: 1, output: 2 } }").await;
    let answered = whole(house.engine().call(chat("up/m", false)).await.unwrap());
    assert_eq!(answered.body, odd.as_bytes());
    assert_eq!(answered.settled.cost.unwrap().to_string(), "0.000013");
    let seen = vendor.request().await;
    let sent = std::str::from_utf8(&seen.body).unwrap();
    assert!(sent.contains(r#""model":"m""#), "{sent}");
    assert!(sent.contains(r#""huge":123456789012345678901234567890,"odd":1.0e400"#), "{sent}");
    assert_eq!(seen.header("authorization"), Some("Bearer sk-test"));
    assert!(seen.header("traceparent").is_some());
    let rows = house.rows().await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.outcome, row.usage.input, row.usage.output), (Outcome::Complete, 7, 3));
    assert_eq!((row.usage_source, row.status), (UsageSource::Reported, Some(200)));
    assert!(row.timing.connect.is_some() && row.timing.first_byte.is_some() && row.timing.total.is_some());
}

#[tokio::test]
async fn dialects_cross_in_both_directions() {
    let upstream = Vendor::start(Answer::json(200, gpt::chat("hello", 5, 2))).await.unwrap();
    let house = House::with(&openai("up", &upstream), "").await;
    let answered = whole(house.engine().call(message("up/m", false)).await.unwrap());
    let body: serde_json::Value = serde_json::from_slice(&answered.body).unwrap();
    assert_eq!(body["type"], "message");
    assert_eq!(body["content"][0]["text"], "hello");
    assert_eq!(upstream.request().await.path, "/v1/chat/completions");
    assert_eq!(house.rows().await.len(), 1);

    let upstream = Vendor::start(Answer::json(200, claude::message("bonjour", 5, 2))).await.unwrap();
    let house = House::with(&anthropic("up", &upstream), "").await;
    let mut plain = chat("up/m", false);
    plain.body = r#"{"model":"up/m","messages":[{"role":"user","content":"hi"}]}"#.into();
    let answered = whole(house.engine().call(plain).await.unwrap());
    let body: serde_json::Value = serde_json::from_slice(&answered.body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "bonjour");
    assert_eq!(upstream.request().await.path, "/v1/messages");
    // What the target cannot say is refused by name, and nothing is sent.
    let refusal = house.engine().call(chat("up/m", false)).await.unwrap_err();
    assert_eq!(refusal.fault.code, Code::Unsupported);
    assert!(matches!(refusal.fault.param.as_deref(), Some("huge" | "odd")), "{}", refusal.fault);
}

#[tokio::test]
async fn a_failed_attempt_has_a_row_of_its_own_and_the_fallback_says_so() {
    let bad = Vendor::start(Answer::json(500, gpt::error("boom", "server_error", None))).await.unwrap();
    let good = Vendor::start(Answer::json(200, gpt::chat("ok", 5, 2))).await.unwrap();
    let providers = openai("bad", &bad) + &openai("good", &good);
    let route = "routes: { r: { models: [bad/m, good/m], retry: { attempts: 2, base: 1ms, max: 2ms } } }";
    let house = House::with(&providers, route).await;
    let answered = whole(house.engine().call(chat("r", false)).await.unwrap());
    assert_eq!((answered.about.attempts, answered.about.fallback), (3, true));
    let rows = house.rows().await;
    let told: Vec<_> = rows.iter().map(|row| (&*row.provider, row.key.attempt, row.outcome)).collect();
    let expected = [("bad", 1, Outcome::Failed), ("bad", 2, Outcome::Failed), ("good", 3, Outcome::Complete)];
    assert_eq!(told, expected);
    assert_eq!(rows[0].fault, Some(Kind::DependencyFailure));
}

#[tokio::test]
async fn a_provider_that_asks_for_time_gets_it() {
    let script = [
        Answer::json(429, gpt::error("slow down", "rate_limit_error", None)).header("retry-after-ms", "30"),
        Answer::json(200, gpt::chat("ok", 5, 2)),
    ];
    let vendor = Vendor::start(script).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let answered = whole(house.engine().call(chat("up/m", false)).await.unwrap());
    assert_eq!(answered.about.attempts, 2);
    let (first, second) = (vendor.request().await, vendor.request().await);
    assert!(second.at - first.at >= std::time::Duration::from_millis(30));
}

#[tokio::test]
async fn a_refused_connection_is_our_fault_to_tell_and_costs_nothing() {
    let house = House::with("  up: { kind: openai, base_url: 'http://127.0.0.1:1/v1' }\n", "").await;
    let refusal = house.engine().call(chat("up/m", false)).await.unwrap_err();
    assert_eq!(refusal.fault.code, Code::Unreachable);
    let rows = house.rows().await;
    assert!(rows.iter().all(|row| row.usage_source == UsageSource::None && row.outcome == Outcome::Failed));
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn the_callers_deadline_ends_a_silent_call() {
    let vendor = Vendor::start(Answer::silent()).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let mut inbound = chat("up/m", false);
    inbound.head.deadline = Some(std::time::Duration::from_millis(500));
    let refusal = house.engine().call(inbound).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.attempts), (Code::Timeout, 1));
    vendor.closed().await;
    let rows = house.rows().await;
    assert_eq!((rows.len(), rows[0].usage_source), (1, UsageSource::Estimated));
}

#[tokio::test]
async fn reasoning_of_another_provider_is_not_forwarded() {
    let vendor = Vendor::start(Answer::json(200, claude::message("hi", 5, 2))).await.unwrap();
    let house = House::with(&anthropic("claude", &vendor), "").await;
    let own = r#"{"type":"thinking","thinking":"t","signature":"EqQB"}"#;
    let other = r#"{"type":"thinking","thinking":"u","signature":"signed-by-openai:gAAA"}"#;
    let body = |model: &str, thoughts: &str| {
        format!(
            r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"assistant","content":[{thoughts},{{"type":"text","text":"a"}}]}}]}}"#
        )
    };
    let mut call = message("", false);
    call.body = body("claude/x", &format!("{own},{other}")).into();
    house.engine().call(call).await.unwrap();
    assert_eq!(vendor.request().await.body, body("x", own).as_bytes());
}

#[tokio::test]
async fn refusals_are_counted_whether_they_were_calls_or_not() {
    let vendor =
        Vendor::start(Answer::json(400, gpt::error("no", "invalid_request_error", None))).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let engine = house.engine();
    engine.turned_away(&Fault::new(Kind::Authentication, Code::BadKey, "no such key"));
    for number in 0..100 {
        engine.call(chat(&format!("nobody/{number}"), false)).await.unwrap_err();
    }
    // What a provider was asked is no refusal of ours.
    engine.call(chat("up/m", false)).await.unwrap_err();
    let text = engine.metrics().render();
    for line in [
        r#"windlass_refusals_total{type="authentication"} 1"#,
        r#"windlass_refusals_total{type="validation"} 100"#,
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(house.rows().await.len(), 1);
}
