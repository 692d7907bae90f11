//! Ready-made bodies in OpenAI's dialect.

use serde_json::{Value, json};

/// A whole chat answer.
pub fn chat(text: &str, prompt_tokens: u64, completion_tokens: u64) -> String {
    json!({
        "id": "chatcmpl-scripted", "object": "chat.completion", "created": 1_700_000_000, "model": "scripted",
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": text, "refusal": null},
            "logprobs": null, "finish_reason": "stop",
        }],
        "usage": usage(prompt_tokens, completion_tokens),
    })
    .to_string()
}

/// A stream of `tokens` events with one word each (`w0 `, `w1 ` …), why it ended, its usage, and `[DONE]`.
pub fn chat_stream(tokens: u64, prompt_tokens: u64) -> Vec<String> {
    let mut events = vec![delta(json!({"role": "assistant", "content": ""}), None)];
    events.extend((0..tokens).map(|token| delta(json!({"content": format!("w{token} ")}), None)));
    events.push(delta(json!({}), Some("stop")));
    events.push(event(&chunk(json!([]), Some(usage(prompt_tokens, tokens)))));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// An embeddings answer with one vector.
pub fn embedding(vector: &[f32], prompt_tokens: u64) -> String {
    json!({
        "object": "list", "model": "scripted",
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens},
    })
    .to_string()
}

/// An error.
pub fn error(message: &str, kind: &str, code: Option<&str>) -> String {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
}

#[expect(clippy::needless_pass_by_value, reason = "literals at every call")]
fn delta(delta: Value, finish_reason: Option<&str>) -> String {
    let choices = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]);
    event(&chunk(choices, None))
}

#[expect(clippy::needless_pass_by_value, reason = "literals at every call")]
fn chunk(choices: Value, usage: Option<Value>) -> Value {
    json!({
        "id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "scripted", "choices": choices, "usage": usage,
    })
}

fn usage(prompt_tokens: u64, completion_tokens: u64) -> Value {
    json!({
        "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    })
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}
