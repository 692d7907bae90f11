//! Rate limits as callers see them: the headers of their dialect, the 429, and where an operator looks.

use serde_json::{Value, json};

use crate::client::{Ask, Reply};
use crate::house::{Gateway, House};

const KEY: &str = "a-key-that-is-known-here";

const LIMITED: &str = "
version: 1
providers: { demo: { kind: simulated, models: { talker: {} } } }
keys:
  tests: { key: a-key-that-is-known-here, tenant: acme }
  chief: { key: another-key-known-here, admin: true, tenant: ops }
limits:
  per_key: { requests_per_hour: 3, tokens_per_hour: 100000 }
  keys: { chief: { requests_per_hour: 0 } }
  on_exceeded: deny
overload: { bulkheads: { tenant: 7 } }
";

async fn ask(gateway: &Gateway, path: &str, key: &str) -> Reply {
    let body = json!({
        "model": "demo/talker", "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }],
    });
    gateway.ask(Ask::post(path, &body).key(key).header("x-windlass-priority", "high")).await
}

fn number(reply: &Reply, name: &str) -> u64 {
    let value = reply.header(name).unwrap_or_else(|| panic!("{name} is missing: {reply:?}"));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

#[tokio::test]
async fn callers_see_their_limits_in_their_dialects_own_words() {
    let house = House::new(LIMITED);
    let gateway = house.serve().await;
    let chat = ask(&gateway, "/v1/chat/completions", KEY).await;
    assert_eq!(chat.status, 200);
    assert_eq!(number(&chat, "x-ratelimit-limit-requests"), 3);
    assert_eq!(number(&chat, "x-ratelimit-remaining-requests"), 2);
    assert!(number(&chat, "x-ratelimit-remaining-tokens") < 100_000);
    let reset = chat.header("x-ratelimit-reset-requests").unwrap();
    assert!(reset.starts_with("20m") || reset.starts_with("19m"), "a third of an hour: {reset}");
    let message = ask(&gateway, "/v1/messages", KEY).await;
    assert_eq!(number(&message, "anthropic-ratelimit-requests-remaining"), 1);
    assert!(message.header("anthropic-ratelimit-requests-reset").unwrap().ends_with('Z'));
    assert_eq!(message.header("x-ratelimit-limit-requests"), None);
    assert_eq!(ask(&gateway, "/v1/chat/completions", KEY).await.status, 200);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let refused = ask(&gateway, path, KEY).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        let error = &refused.json()["error"];
        assert_eq!(error["code"], "WL3005", "{error}");
        let kind = if path == "/v1/messages" { "rate_limit_error" } else { "rate_limit_exceeded" };
        assert!(error["type"].as_str().is_some_and(|told| told.starts_with(&kind[..10])), "{error}");
        let wait = number(&refused, "retry-after");
        assert!((1_000..=1_200).contains(&wait), "{wait}");
    }
    // The chief's own limit lets nothing pass, and an administrator sees where everything stands.
    assert_eq!(ask(&gateway, "/v1/chat/completions", "another-key-known-here").await.status, 429);
    assert_eq!(gateway.ask(Ask::get("/api/v1/limits").key(KEY)).await.status, 403);
    let seen = gateway.ask(Ask::get("/api/v1/limits").key("another-key-known-here")).await.json();
    assert_eq!((&seen["level"], &seen["calls"]["most"]), (&json!("full"), &json!(10_000)), "{seen:#}");
    let row = seen["bulkheads"].as_array().unwrap().iter().find(|row| row["name"] == "acme").unwrap();
    assert_eq!((&row["size"], &row["running"]), (&json!(7), &json!(0)), "{seen:#}");
    assert_eq!(seen["places"][0]["provider"], "demo", "{seen:#}");
    assert!(seen["memory"]["percent"].is_u64(), "{seen:#}");
    gateway.stop().await;
    assert_eq!(house.ledger().await.len(), 3, "what was refused was never tried");
}

#[tokio::test]
async fn a_priority_or_level_that_is_none_is_refused_by_name() {
    let house = House::new(LIMITED);
    let gateway = house.serve().await;
    for (name, value) in [("x-windlass-priority", "urgent"), ("x-windlass-min-level", "1.5")] {
        let body = json!({ "model": "demo/talker", "messages": [{ "role": "user", "content": "hello" }] });
        let ask = Ask::post("/v1/chat/completions", &body).key(KEY).header(name, value);
        let refused = gateway.ask(ask).await;
        let error: Value = refused.json()["error"].clone();
        assert_eq!((refused.status, &error["code"]), (400, &json!("WL1004")), "{error}");
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
        assert!(error["call"].as_str().is_some_and(|call| call.starts_with("call_")), "{error}");
    }
    // A ceiling that nobody would hold is not taken, wherever it stands.
    let plain = json!({ "model": "demo/talker", "messages": [{ "role": "user", "content": "hello" }] });
    let mut inside = plain.clone();
    inside["metadata"] = json!({ "windlass": { "max_cost": 0.01 } });
    let header = Ask::post("/v1/chat/completions", &plain).key(KEY).header("x-windlass-max-cost", "0.01");
    let inside = Ask::post("/v1/chat/completions", &inside).key(KEY);
    for ask in [header, inside] {
        let refused = gateway.ask(ask).await;
        assert_eq!(
            (refused.status, &refused.json()["error"]["code"]),
            (400, &json!("WL1006")),
            "{refused:?}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_fails_is_shown_by_class_with_what_was_done_about_it() {
    let house = House::new(
        "
version: 1
providers: { gone: { kind: openai, base_url: 'http://127.0.0.1:9/v1', api_key: k } }
keys:
  tests: { key: a-key-that-is-known-here, tenant: acme }
  chief: { key: another-key-known-here, admin: true, tenant: ops }
defaults: { retry: { attempts: 1 } }
",
    );
    let gateway = house.serve().await;
    let body = json!({ "model": "gone/m", "messages": [{ "role": "user", "content": "hello" }] });
    for _ in 0..12 {
        gateway.ask(Ask::post("/v1/chat/completions", &body).key(KEY)).await;
    }
    assert_eq!(gateway.ask(Ask::get("/api/v1/errors").key(KEY)).await.status, 403);
    let asked = Ask::get("/api/v1/errors?minutes=61").key("another-key-known-here");
    assert_eq!(gateway.ask(asked).await.status, 400);
    let seen = gateway.ask(Ask::get("/api/v1/errors?minutes=5").key("another-key-known-here")).await.json();
    let class = &seen["by_class"][0];
    assert_eq!((&class["class"], &class["rate"]), (&json!("unreachable"), &json!(1.0)), "{seen:#}");
    let model = &seen["by_model"][0];
    assert_eq!((&model["provider"], &model["model"]), (&json!("gone"), &json!("m")), "{seen:#}");
    assert!(model["failures"].as_u64() >= Some(5), "{seen:#}");
    let action = &seen["actions"][0];
    assert_eq!(action["action"], "breaker closed → open", "{seen:#}");
    assert!(action["why"].as_str().is_some_and(|why| !why.is_empty()), "{seen:#}");
    let metrics = gateway.ask(Ask::get("/metrics")).await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let counted = r#"windlass_failures_total{provider="gone",model="m",class="unreachable"}"#;
    assert!(metrics.contains(counted), "{metrics}");
    gateway.stop().await;
}
