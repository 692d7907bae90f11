//! Ready-made bodies in Anthropic's dialect.

use serde_json::{Value, json};

/// A whole answer.
pub fn message(text: &str, input_tokens: u64, output_tokens: u64) -> String {
    let mut message = head(input_tokens, output_tokens);
    message["content"] = json!([{"type": "text", "text": text}]);
    message["stop_reason"] = json!("end_turn");
    message.to_string()
}

/// A stream of `tokens` text deltas with one word each (`w0 `, `w1 ` …), from `message_start` to
/// `message_stop`.
pub fn message_stream(tokens: u64, input_tokens: u64) -> Vec<String> {
    let mut events = vec![
        event("message_start", json!({"message": head(input_tokens, 1)})),
        event("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}})),
        event("ping", json!({})),
    ];
    events.extend((0..tokens).map(|token| {
        let delta = json!({"type": "text_delta", "text": format!("w{token} ")});
        event("content_block_delta", json!({"index": 0, "delta": delta}))
    }));
    events.push(event("content_block_stop", json!({"index": 0})));
    let stop = json!({"stop_reason": "end_turn", "stop_sequence": null});
    events.push(event("message_delta", json!({"delta": stop, "usage": {"output_tokens": tokens}})));
    events.push(event("message_stop", json!({})));
    events
}

/// An error.
pub fn error(message: &str, kind: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})
        .to_string()
}

fn head(input_tokens: u64, output_tokens: u64) -> Value {
    json!({
        "id": "msg_scripted", "type": "message", "role": "assistant", "model": "scripted", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens},
    })
}

fn event(name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}
