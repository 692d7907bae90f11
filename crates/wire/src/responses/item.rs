//! The items that a model makes: messages, calls of functions, reasoning.

use serde_json::{Map, Value, json};
use types::Fault;
use types::chat::Part;

use crate::fields::Fields;

/// What stands between the pieces of reasoning of one item.
pub(super) const BETWEEN: &str = "\n\n";

/// Reads a call of a function.
pub(super) fn call(fields: &mut Fields<'_>) -> Result<Part, Fault> {
    Ok(Part::ToolCall {
        id: fields.required("call_id", Fields::text)?,
        name: fields.required("name", Fields::text)?,
        arguments: fields.text("arguments")?.unwrap_or_default(),
    })
}

/// Reads reasoning: a summary, the reasoning itself where the model shows it, and what vouches for it. `None` for
/// an item that holds nothing but an id.
pub(super) fn thought(fields: &mut Fields<'_>) -> Result<Option<Part>, Fault> {
    let mut texts = Vec::new();
    for name in ["summary", "content"] {
        for (path, item) in fields.items(name)?.unwrap_or_default() {
            texts.push(Fields::of(path, item)?.required("text", Fields::text)?);
        }
    }
    let proof = fields.text("encrypted_content")?.filter(|proof| !proof.is_empty());
    Ok(match proof {
        Some(data) if texts.is_empty() => Some(Part::HiddenThinking { data }),
        None if texts.is_empty() => None,
        signature => Some(Part::Thinking { text: texts.join(BETWEEN), signature }),
    })
}

/// A text within a message.
pub(super) fn text_json(text: &str, logprobs: &[Value]) -> Value {
    json!({ "type": "output_text", "annotations": [], "logprobs": logprobs, "text": text })
}

/// A refusal within a message.
pub(super) fn refusal_json(text: &str) -> Value {
    json!({ "type": "refusal", "refusal": text })
}

/// A message of the model.
pub(super) fn message_json(id: &str, status: &str, content: Vec<Value>) -> Value {
    let mut message = json!({ "id": id, "type": "message", "status": status, "role": "assistant" });
    message["content"] = content.into();
    message
}

/// A call of a function. A caller's item has no id and no status of its own; `place` gives both.
pub(super) fn call_json(place: Option<(&str, &str)>, id: &str, name: &str, arguments: &str) -> Value {
    let call = json!({ "type": "function_call", "call_id": id, "name": name, "arguments": arguments });
    match place {
        Some((item, status)) => with_id(item, Some(status), call),
        None => call,
    }
}

/// The arguments of a call, of which some models write nothing where there are none: the field must hold JSON.
pub(super) fn arguments_of(arguments: &str) -> &str {
    if arguments.trim_ascii().is_empty() { "{}" } else { arguments }
}

/// Reasoning: its text, if it is shown, and what vouches for it.
pub(super) fn thought_json(id: Option<&str>, text: Option<&str>, proof: Option<&str>) -> Value {
    let summary: Vec<Value> =
        text.into_iter().map(|text| json!({ "type": "summary_text", "text": text })).collect();
    let thought = json!({ "type": "reasoning", "summary": summary, "encrypted_content": proof });
    match id {
        Some(id) => with_id(id, None, thought),
        None => thought,
    }
}

fn with_id(id: &str, status: Option<&str>, item: Value) -> Value {
    let mut named = Map::new();
    named.insert("id".into(), id.into());
    if let Value::Object(fields) = item {
        named.extend(fields);
    }
    if let Some(status) = status {
        named.insert("status".into(), status.into());
    }
    named.into()
}

/// Log-probabilities as this dialect has them: the same as in Chat Completions, but `bytes` must be a list.
pub(super) fn logprobs_json(tokens: &Value) -> Vec<Value> {
    let mut tokens = tokens.as_array().cloned().unwrap_or_default();
    for token in &mut tokens {
        fill(token, "top_logprobs");
        let alternatives = token.get_mut("top_logprobs").and_then(Value::as_array_mut);
        for one in alternatives.into_iter().flatten() {
            fill(one, "bytes");
        }
        fill(token, "bytes");
    }
    tokens
}

fn fill(token: &mut Value, name: &str) {
    if let Some(fields) = token.as_object_mut()
        && !fields.get(name).is_some_and(Value::is_array)
    {
        fields.insert(name.to_owned(), json!([]));
    }
}
