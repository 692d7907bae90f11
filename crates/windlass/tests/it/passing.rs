//! What passes through: bytes that are nobody's business but the two ends', and the providers' own troubles
//! told in the caller's words.

use serde_json::{Value, json};
use testkit::{Answer, Vendor, openai};

use crate::client::Ask;
use crate::house::{House, soon};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// JSON that no parser of numbers, and no writer of text, gives back as it was.
const ODD: &str = r#""big":123456789012345678901234567890,"odd":-0.1e-400, "esc":"\u00e9\/\ud83e\udd80 é🦀","nul":null , "deep":{"a":[1.0,1.00,{"b" :[]}]}"#;

#[tokio::test]
async fn bytes_pass_as_they_are_where_both_ends_speak_one_dialect() {
    let answer = format!(
        r#"{{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"ü"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}},{ODD}}}"#
    );
    let vendor = Vendor::start(Answer::json(200, answer.clone())).await.unwrap();
    let house = House::before_both(&vendor, "");
    let gateway = house.serve().await;
    let body = |model: &str| {
        format!(r#"{{ {ODD},"messages":[{{"role":"user","content":"x"}}], "model" : "{model}" ,"x":1e2}}"#)
    };
    let reply = gateway.ask(Ask::bytes(CHAT, body("there/m"))).await;
    assert_eq!(reply.text(), answer);
    let sent = soon("the request", vendor.request()).await;
    assert_eq!(String::from_utf8_lossy(&sent.body), body("m"));
    assert_eq!(sent.header("authorization"), Some("Bearer the-providers-key"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_is_the_same_however_its_bytes_are_cut() {
    let events = |text: &str| -> Vec<String> {
        openai::chat_stream(3, 5).into_iter().map(|event| event.replace("w1 ", text)).collect()
    };
    let odd = "é🦀日本\\\"\\n ";
    let asked = json!({ "include_usage": true });
    let messages = json!([{ "role": "user", "content": "x" }]);
    let body = json!({ "model": "there/m", "max_tokens": 9, "stream": true, "messages": messages });
    let mut answers = Vec::new();
    for bytewise in [false, true] {
        let answer = Answer::events(events(odd));
        let vendor = Vendor::start(if bytewise { answer.bytewise() } else { answer }).await.unwrap();
        let house = House::before_both(&vendor, "");
        let gateway = house.serve().await;
        let mut with_usage = body.clone();
        with_usage["stream_options"] = asked.clone();
        // What the caller asked for comes byte for byte; what it did not ask for is taken out again.
        assert_eq!(gateway.ask(Ask::post(CHAT, &with_usage)).await.text(), events(odd).concat());
        let plain = gateway.ask(Ask::post(CHAT, &body)).await.text();
        let expected: String =
            events(odd).into_iter().filter(|event| !event.contains("prompt_tokens")).collect();
        assert_eq!(plain, expected, "bytewise: {bytewise}");
        let sent = [vendor.request().await.json(), vendor.request().await.json()];
        assert!(sent.iter().all(|sent| sent["stream_options"]["include_usage"] == true), "{sent:#?}");
        let reply = gateway.ask(Ask::post(MESSAGES, &body)).await;
        let row = gateway.rows(reply.header("x-windlass-call").unwrap(), 1).await.remove(0);
        assert_eq!((&row["usage"]["input"], &row["usage"]["output"]), (&json!(5), &json!(3)), "{row:#}");
        let call = reply.header("x-windlass-call").unwrap().to_owned();
        answers.push(reply.text().replace(&call, "CALL"));
    }
    assert!(answers[0].contains("message_stop") && answers[0].contains("é🦀日本"), "{}", answers[0]);
    assert_eq!(said(&answers[0]), said(&answers[1]));
}

/// The text in a stream of Anthropic's dialect.
fn said(stream: &str) -> String {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let data = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
    data.filter_map(|data| data["delta"]["text"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_providers_trouble_is_told_with_its_code() {
    let error = |message: &str, kind: &str, code| openai::error(message, kind, code);
    for (answer, openai, anthropic, code) in [
        (
            Answer::json(401, error("bad key", "invalid_request_error", Some("invalid_api_key"))),
            502,
            502,
            "WL4007",
        ),
        (Answer::json(500, error("oops", "server_error", None)), 502, 502, "WL4003"),
        (Answer::json(503, "<html>"), 503, 529, "WL4003"),
        (
            Answer::json(429, error("no money", "insufficient_quota", Some("insufficient_quota"))),
            429,
            402,
            "WL3003",
        ),
        (
            Answer::json(400, error("too long", "invalid_request_error", Some("context_length_exceeded"))),
            400,
            400,
            "WL1010",
        ),
        (Answer::json(400, error("no", "invalid_request_error", Some("content_filter"))), 400, 400, "WL4008"),
        (Answer::json(200, "hello"), 502, 502, "WL4004"),
        (Answer::raw("what\r\n\r\n"), 502, 502, "WL4004"),
    ] {
        let vendor = Vendor::start(answer).await.unwrap();
        let house = House::before_both(&vendor, "defaults: { retry: { attempts: 1 } }\n");
        let gateway = house.serve().await;
        for (path, status) in [(CHAT, openai), (MESSAGES, anthropic)] {
            for stream in [false, true] {
                let messages = json!([{ "role": "user", "content": "x" }]);
                let body =
                    json!({ "model": "there/m", "max_tokens": 9, "stream": stream, "messages": messages });
                let reply = gateway.ask(Ask::post(path, &body)).await;
                let text = reply.text();
                assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path} {stream}: {text}");
                assert_eq!(reply.json()["error"]["provider"], "there", "{text}");
                assert!(!text.contains("the-providers-key"), "{text}");
            }
        }
        gateway.stop().await;
        let rows = house.ledger().await;
        assert_eq!(rows.len(), 4, "{rows:#?}");
        assert!(rows.iter().all(|row| row["outcome"] == "failed" && row["code"] == code), "{rows:#?}");
    }
}

#[tokio::test]
async fn a_deadline_holds_whoever_sets_it() {
    let vendor = Vendor::start(Answer::silent()).await.unwrap();
    let house = House::before_both(&vendor, "defaults: { timeouts: { total: 1s, first_token: 700ms } }\n");
    let gateway = house.serve().await;
    let messages = json!([{ "role": "user", "content": "x" }]);
    for (path, stream, header) in [
        (CHAT, false, None),
        (MESSAGES, true, None),
        (CHAT, true, Some("300ms")),
        (MESSAGES, false, Some("300ms")),
    ] {
        let body = json!({ "model": "there/m", "max_tokens": 9, "stream": stream, "messages": messages });
        let ask = Ask::post(path, &body);
        let ask = if let Some(wait) = header { ask.header("x-windlass-deadline", wait) } else { ask };
        let reply = gateway.ask(ask).await;
        assert_eq!((reply.status, reply.code().as_str()), (504, "WL4002"), "{path}: {}", reply.text());
        assert!(soon("the provider's release", vendor.closed()).await.during_answer);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn nobody_there_and_nothing_installed() {
    let house = House::new(
        "version: 1
providers:
  gone: { kind: openai, base_url: 'http://127.0.0.1:9/v1' }
  local: { kind: local, server: ./no-such-program, model: ./no-such-model.gguf }
defaults: { retry: { attempts: 1 } }
",
    );
    let gateway = house.serve().await;
    let messages = json!([{ "role": "user", "content": "x" }]);
    for (model, status, code) in [("gone/m", 502, "WL4001"), ("local/smollm2", 503, "WL4009")] {
        for path in [CHAT, MESSAGES] {
            let body = json!({ "model": model, "max_tokens": 9, "messages": messages });
            let reply = gateway.ask(Ask::post(path, &body)).await;
            assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
            let row = gateway.rows(reply.header("x-windlass-call").unwrap(), 1).await.remove(0);
            assert_eq!((&row["usage_source"], &row["cost"]), (&json!("none"), &json!("0.00")), "{row:#}");
        }
    }
    gateway.stop().await;
}
