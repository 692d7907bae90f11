//! Simulated providers answer as OpenAI's dialect has it, at their pace, and always alike.

use std::future::Future as _;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use types::Dialect;
use upstream::simulated::{Model, Settings};
use upstream::{Exchange, Outgoing, Simulated};

use crate::calls::{chat, next, text};

pub(crate) fn provider(model: Model) -> Simulated {
    Simulated::new(Settings { models: vec![model], seed: 7 })
}

pub(crate) async fn ask(provider: &Simulated, body: &Value) -> Exchange {
    provider.send(chat("m", body.to_string())).await.unwrap()
}

pub(crate) fn hello() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "hello there"}]})
}

pub(crate) fn streamed() -> Value {
    with(hello(), &json!({"stream": true, "stream_options": {"include_usage": true}}))
}

/// The request with these fields besides.
fn with(mut request: Value, fields: &Value) -> Value {
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request
}

async fn answer(model: Model, body: &Value) -> Value {
    let mut exchange = ask(&provider(model), body).await;
    assert_eq!(exchange.status, 200);
    assert_eq!(exchange.headers["x-windlass-simulated"], "true");
    serde_json::from_str(&text(&mut exchange).await).unwrap()
}

pub(crate) fn events(text: &str) -> Vec<Value> {
    let data = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
    data.map(|data| if data == "[DONE]" { json!("[DONE]") } else { serde_json::from_str(data).unwrap() })
        .collect()
}

#[tokio::test]
async fn an_answer_has_openais_shape_and_says_what_it_is() {
    let answer = answer(Model::new("m"), &hello()).await;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["system_fingerprint"], "simulated");
    assert_eq!(answer["model"], "m");
    let choice = &answer["choices"][0];
    assert_eq!((&choice["message"]["role"], &choice["finish_reason"]), (&json!("assistant"), &json!("stop")));
    assert!(choice["message"]["content"].as_str().unwrap().starts_with("[simulated]"), "{choice}");
    assert_eq!(answer["usage"], json!({"prompt_tokens": 3, "completion_tokens": 16, "total_tokens": 19}));
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer() {
    let whole = answer(Model::new("m"), &hello()).await;
    let mut exchange = ask(&provider(Model::new("m")), &streamed()).await;
    assert_eq!(exchange.headers["content-type"], "text/event-stream");
    let events = events(&text(&mut exchange).await);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let said: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, whole["choices"][0]["message"]["content"]);
    let [finish, usage, done] = events.last_chunk().unwrap();
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["usage"], whole["usage"]);
    assert_eq!(done, "[DONE]");
    assert_eq!(events.len(), 1 + 16 + 3);
}

#[tokio::test]
async fn answers_depend_on_seed_and_request_alone() {
    let said = async |seed: u64, body: Value| {
        let provider = Simulated::new(Settings { models: vec![Model::new("m")], seed });
        let mut exchange = ask(&provider, &body).await;
        let answer: Value = serde_json::from_str(&text(&mut exchange).await).unwrap();
        answer["choices"][0]["message"]["content"].clone()
    };
    let other = json!({"messages": [{"role": "user", "content": "hello here"}]});
    assert_eq!(said(1, hello()).await, said(1, hello()).await);
    assert_ne!(said(1, hello()).await, said(2, hello()).await);
    assert_ne!(said(1, hello()).await, said(1, other).await);
}

#[tokio::test]
async fn limits_stops_and_choices_are_respected() {
    let short = answer(Model::new("m"), &with(hello(), &json!({"max_tokens": 4, "n": 2}))).await;
    assert_eq!(short["choices"].as_array().unwrap().len(), 2);
    assert_eq!(short["choices"][1]["finish_reason"], "length");
    assert_eq!(short["usage"]["completion_tokens"], 8);
    assert_ne!(short["choices"][0]["message"], short["choices"][1]["message"]);
    let fixed = Model { text: Some("one two three".to_owned()), ..Model::new("m") };
    for (fields, said, finish) in [
        (json!({}), "one two three", "stop"),
        (json!({"stop": " three"}), "one two", "stop"),
        (json!({"stop": ["x", " two"]}), "one", "stop"),
        (json!({"max_completion_tokens": 2}), "one two ", "length"),
    ] {
        let answer = answer(fixed.clone(), &with(hello(), &fields)).await;
        let choice = &answer["choices"][0];
        assert_eq!(
            (&choice["message"]["content"], &choice["finish_reason"]),
            (&json!(said), &json!(finish)),
            "{fields}"
        );
    }
}

#[tokio::test]
async fn tools_are_called_until_one_has_answered() {
    let schema = json!({
        "type": "object", "required": ["city", "days"],
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string"}},
    });
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    let request = with(hello(), &json!({"tools": tools}));
    let called = answer(Model::new("m"), &request).await;
    let choice = &called["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &Value::Null)
    );
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weather")));
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert!(
        arguments["city"].is_string() && arguments["days"].is_i64() && arguments["unit"].is_null(),
        "{arguments}"
    );
    // The same as a stream.
    let mut exchange =
        ask(&provider(Model::new("m")), &with(request.clone(), &json!({"stream": true}))).await;
    let events = events(&text(&mut exchange).await);
    let deltas = || events.iter().filter_map(|event| event["choices"][0]["delta"]["tool_calls"].get(0));
    assert_eq!(deltas().next().unwrap()["id"], call["id"]);
    let streamed: String = deltas().map(|delta| delta["function"]["arguments"].as_str().unwrap()).collect();
    assert_eq!(streamed, call["function"]["arguments"]);
    // Text after a tool's answer, without tools, and where they are switched off.
    let mut answered = request.clone();
    let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"});
    answered["messages"].as_array_mut().unwrap().push(result);
    let silent = Model { calls_tools: false, ..Model::new("m") };
    for (model, request) in [
        (Model::new("m"), answered),
        (Model::new("m"), with(request.clone(), &json!({"tool_choice": "none"}))),
        (silent, request),
    ] {
        let answer = answer(model, &request).await;
        assert!(answer["choices"][0]["message"]["content"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn structured_answers_fit_their_schema() {
    let schema = json!({
        "type": "object", "required": ["mood", "tags"],
        "properties": {"mood": {"enum": ["good", "bad"]}, "tags": {"type": "array", "items": {"type": "string"}}},
    });
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    for (format, fields) in [(format, 2), (json!({"type": "json_object"}), 1)] {
        let answer = answer(Model::new("m"), &with(hello(), &json!({"response_format": format}))).await;
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
        let content: Value = serde_json::from_str(content).unwrap();
        assert_eq!(content.as_object().unwrap().len(), fields, "{content}");
    }
}

#[test]
fn a_model_without_latency_touches_no_timer_and_never_waits() {
    // Outside of any runtime: a timer would panic, and waiting would be seen.
    let mut cx = Context::from_waker(Waker::noop());
    for body in [hello(), streamed()] {
        let provider = provider(Model::new("m"));
        let mut send = Box::pin(provider.send(chat("m", body.to_string())));
        let Poll::Ready(Ok(mut exchange)) = send.as_mut().poll(&mut cx) else { panic!("it waits") };
        assert!(matches!(exchange.body.poll_chunk(&mut cx), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(exchange.body.poll_chunk(&mut cx), Poll::Ready(None)), "one piece");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_come_at_their_pace() {
    let model = Model {
        first_token: Duration::from_millis(300),
        tokens_per_second: Some(10.0),
        output_tokens: 5,
        ..Model::new("m")
    };
    let began = Instant::now();
    let mut exchange = ask(&provider(model.clone()), &streamed()).await;
    let mut at = Vec::new();
    while let Some(chunk) = next(&mut exchange.body).await {
        let text = chunk.unwrap();
        at.push((began.elapsed().as_millis(), events(std::str::from_utf8(&text).unwrap()).len()));
    }
    // The role at once; five tokens; the end, the usage and the end mark with the last.
    assert_eq!(at, [(0, 1), (300, 1), (400, 1), (500, 1), (600, 1), (700, 4)]);
    let began = Instant::now();
    let mut exchange = ask(&provider(model), &hello()).await;
    assert_eq!(began.elapsed().as_millis(), 700, "a whole answer comes when its last token does");
    assert_eq!(exchange.timing.first_byte, Some(Duration::from_millis(700)));
    text(&mut exchange).await;
}

#[tokio::test(start_paused = true)]
async fn jitter_varies_calls_and_repeats_with_the_seed() {
    let model = Model { first_token: Duration::from_secs(1), jitter: 0.5, ..Model::new("m") };
    let times = async || {
        let provider = provider(model.clone());
        let mut times = Vec::new();
        for _ in 0..20 {
            let began = Instant::now();
            ask(&provider, &hello()).await;
            times.push(began.elapsed().as_millis());
        }
        times
    };
    let first = times().await;
    assert!(first.iter().all(|time| (500..=1501).contains(time)), "{first:?}");
    assert!(first.iter().max().unwrap() - first.iter().min().unwrap() > 300, "{first:?}");
    assert_eq!(first, times().await);
}

#[tokio::test]
async fn embeddings_are_alike_for_texts_that_are_alike() {
    let provider = provider(Model::new("m"));
    let ask = async |body: Value| {
        let outgoing = Outgoing { dialect: Dialect::OpenaiEmbeddings, ..chat("m", body.to_string()) };
        let mut exchange = provider.send(outgoing).await.unwrap();
        serde_json::from_str::<Value>(&text(&mut exchange).await).unwrap()
    };
    let vector = |entry: &Value| -> Vec<f64> {
        entry["embedding"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let answer = ask(
        json!({"input": ["the grey cat sat", "the grey cat ran", "stock prices fell"], "dimensions": 128}),
    )
    .await;
    let [a, b, c] = [0, 1, 2].map(|index| vector(&answer["data"][index]));
    let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
    assert_eq!(a.len(), 128);
    assert!((dot(&a, &a) - 1.0).abs() < 1e-5);
    assert!(dot(&a, &b) > dot(&a, &c) + 0.3, "{} {}", dot(&a, &b), dot(&a, &c));
    assert_eq!(answer["usage"], json!({"prompt_tokens": 13, "total_tokens": 13}));
    let plain = ask(json!({"input": "x"})).await;
    let base64 = ask(json!({"input": "x", "encoding_format": "base64"})).await;
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(base64["data"][0]["embedding"].as_str().unwrap());
    let bytes = bytes.unwrap();
    let floats = bytes.chunks(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap())));
    assert!(floats.zip(vector(&plain["data"][0])).all(|(x, y)| (x - y).abs() < 1e-6));
    assert_eq!(ask(json!({"input": [[1, 2, 3], [4]]})).await["usage"]["total_tokens"], 4);
}

#[tokio::test]
async fn what_it_does_not_understand_is_an_error_of_its_own() {
    let provider = provider(Model::new("m"));
    let mut unknown = provider.send(chat("x", hello().to_string())).await.unwrap();
    assert_eq!(unknown.status, 404);
    let error: Value = serde_json::from_str(&text(&mut unknown).await).unwrap();
    assert_eq!(error["error"]["code"], "model_not_found");
    assert!(error["error"]["message"].as_str().unwrap().ends_with("has: m."), "{error}");
    for body in ["not json", "{}", "{\"messages\": 1}"] {
        let mut refused = provider.send(chat("m", body.to_owned())).await.unwrap();
        assert_eq!(refused.status, 400, "{body}");
        assert!(text(&mut refused).await.contains("invalid_request_error"));
    }
    for (n, status) in [(0, 400), (1, 200), (128, 200), (129, 400)] {
        let body = with(hello(), &json!({ "n": n })).to_string();
        let mut answer = provider.send(chat("m", body)).await.unwrap();
        let read: Value = serde_json::from_str(&text(&mut answer).await).unwrap();
        assert_eq!(answer.status, status, "{n}: {read}");
        match status {
            200 => assert_eq!(read["choices"].as_array().unwrap().len(), n),
            _ => assert_eq!(read["error"]["param"], "n"),
        }
    }
}
