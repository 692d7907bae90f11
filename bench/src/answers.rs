//! What the mock upstream says: every answer is built once, as the bytes that go on the wire. Leaves sockets
//! and pacing to `mock`.

use memchr::memmem;
use serde_json::{Value, json};

use crate::http1::Request;

/// Content events in a streamed answer.
pub(crate) const EVENTS: usize = 20;

/// A stream's bytes: its head, and one HTTP chunk an event.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) parts: Vec<Vec<u8>>,
    pub(crate) whole: Vec<u8>,
}

/// Every answer of the mock.
#[derive(Debug)]
pub(crate) struct Answers {
    chat: Vec<u8>,
    chat_stream: Stream,
    chat_stream_with_usage: Stream,
    messages: Vec<u8>,
    messages_stream: Stream,
    models: Vec<u8>,
    absent: Vec<u8>,
}

/// The answer to one request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer<'a> {
    Whole(&'a [u8]),
    Events(&'a Stream),
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self {
            chat: sized("200 OK", &chat()),
            chat_stream: stream(&chat_events(false)),
            chat_stream_with_usage: stream(&chat_events(true)),
            messages: sized("200 OK", &messages()),
            messages_stream: stream(&messages_events()),
            models: sized(
                "200 OK",
                &json!({"object": "list", "data": [
                {"id": "gpt-4o-mini", "object": "model", "created": 1_721_172_741, "owned_by": "mock"}]}),
            ),
            absent: sized(
                "404 Not Found",
                &json!({"error": {"message": "the mock has no such path",
                "type": "invalid_request_error", "param": null, "code": "not_found"}}),
            ),
        }
    }

    pub(crate) fn to(&self, request: &Request) -> Answer<'_> {
        let streamed = is_true(&request.body, b"\"stream\"");
        match (request.post, request.path.as_str()) {
            (true, "/v1/chat/completions") if !streamed => Answer::Whole(&self.chat),
            (true, "/v1/chat/completions") if is_true(&request.body, b"\"include_usage\"") => {
                Answer::Events(&self.chat_stream_with_usage)
            }
            (true, "/v1/chat/completions") => Answer::Events(&self.chat_stream),
            (true, "/v1/messages") if !streamed => Answer::Whole(&self.messages),
            (true, "/v1/messages") => Answer::Events(&self.messages_stream),
            (false, "/v1/models") => Answer::Whole(&self.models),
            _ => Answer::Whole(&self.absent),
        }
    }
}

/// Whether `key` stands in the JSON text with the value `true`, looked at cheaply: a caller that writes the
/// key inside a string could mislead it, and ours do not.
fn is_true(body: &[u8], key: &[u8]) -> bool {
    let Some(at) = memmem::find(body, key) else { return false };
    let value = body[at + key.len()..].trim_ascii_start();
    value.strip_prefix(b":").is_some_and(|v| v.trim_ascii_start().starts_with(b"true"))
}

/// About 1 KB of body, as one small completion has.
pub(crate) fn chat() -> Value {
    json!({
        "id": "chatcmpl-mock0000000000000000000001", "object": "chat.completion", "created": 1_721_172_741,
        "model": "gpt-4o-mini-2024-07-18", "service_tier": "default", "system_fingerprint": "fp_mock000001",
        "choices": [{"index": 0, "logprobs": null, "finish_reason": "stop",
            "message": {"role": "assistant", "refusal": null, "annotations": [], "content": words(80)}}],
        "usage": {"prompt_tokens": 42, "completion_tokens": 80, "total_tokens": 122,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}
    })
}

/// The events of a stream, one a piece, with a usage chunk where asked for.
pub(crate) fn chat_events(usage: bool) -> Vec<String> {
    let chunk = |choices: Value, totals: Option<Value>| {
        let mut chunk = json!({
            "id": "chatcmpl-mock0000000000000000000001", "object": "chat.completion.chunk",
            "created": 1_721_172_741, "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp_mock000001",
            "choices": choices});
        if usage {
            chunk["usage"] = totals.unwrap_or(Value::Null);
        }
        format!("data: {chunk}\n\n")
    };
    let mut events: Vec<String> = (0..EVENTS)
        .map(|i| {
            let delta = match i {
                0 => json!({"role": "assistant", "content": "word "}),
                _ => json!({"content": "word "}),
            };
            let finish = if i + 1 == EVENTS { json!("stop") } else { Value::Null };
            chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), None)
        })
        .collect();
    if usage {
        let totals = json!({"prompt_tokens": 42, "completion_tokens": EVENTS, "total_tokens": 42 + EVENTS});
        events.push(chunk(json!([]), Some(totals)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// About 1 KB, in Anthropic's dialect.
pub(crate) fn messages() -> Value {
    json!({"id": "msg_mock00000000000000000001", "type": "message", "role": "assistant",
        "model": "claude-haiku-4-5", "content": [{"type": "text", "text": words(120)}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 42, "output_tokens": 120,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}})
}

fn messages_events() -> Vec<String> {
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or(""));
    let mut events = vec![
        event(json!({"type": "message_start", "message": {"id": "msg_mock00000000000000000001",
            "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 42, "output_tokens": 1}}})),
        event(
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
    ];
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}});
    events.extend((0..EVENTS).map(|_| event(delta.clone())));
    events.push(event(json!({"type": "content_block_stop", "index": 0})));
    events.push(event(
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": EVENTS}}),
    ));
    events.push(event(json!({"type": "message_stop"})));
    events
}

fn words(count: usize) -> String {
    "word ".repeat(count)
}

fn sized(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn stream(events: &[String]) -> Stream {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut parts = vec![head.as_bytes().to_vec()];
    parts.extend(events.iter().map(|e| format!("{:x}\r\n{e}\r\n", e.len()).into_bytes()));
    if let Some(last) = parts.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    let whole = parts.concat();
    Stream { parts, whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Responses;

    fn ask(body: &str) -> String {
        let answers = Answers::new();
        let request =
            Request { post: true, path: "/v1/chat/completions".into(), close: false, body: body.into() };
        let bytes = match answers.to(&request) {
            Answer::Whole(bytes) => bytes,
            Answer::Events(stream) => &stream.whole,
        };
        let mut reader = Responses::of(bytes);
        let response = reader.next(false).unwrap().unwrap();
        assert_eq!(response.status, 200);
        String::from_utf8(response.body).unwrap()
    }

    #[test]
    fn a_plain_answer_is_about_a_kilobyte_with_usage() {
        let body = ask(r#"{"stream": false}"#);
        assert!((900..1200).contains(&body.len()), "{}", body.len());
        let value: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["usage"]["total_tokens"], 122);
    }

    #[test]
    fn a_stream_has_twenty_content_events_and_ends_with_done() {
        for (body, usage) in [
            (r#"{"stream":true}"#, false),
            (r#"{"stream" : true, "stream_options": {"include_usage": true}}"#, true),
        ] {
            let text = ask(body);
            let chunks: Vec<Value> = text
                .split_terminator("\n\n")
                .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).ok())
                .collect();
            let content = |v: &&Value| v["choices"][0]["delta"]["content"].is_string();
            assert_eq!(chunks.iter().filter(content).count(), EVENTS);
            assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
            assert_eq!(chunks[EVENTS - 1]["choices"][0]["finish_reason"], "stop");
            assert_eq!(chunks.len(), EVENTS + usize::from(usage));
            assert_eq!(chunks.last().unwrap()["usage"].is_object(), usage);
            assert!(text.ends_with("data: [DONE]\n\n"));
        }
    }
}
