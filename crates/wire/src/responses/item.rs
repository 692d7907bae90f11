//! The items that a model makes, read: calls of functions, reasoning; and what their fields must hold.

use serde_json::{Value, json};
use types::Fault;
use types::chat::{Image, Part};

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
        for item in fields.items(name)?.unwrap_or_default() {
            texts.push(Fields::of(item)?.required("text", Fields::text)?);
        }
    }
    let proof = fields.text("encrypted_content")?.filter(|proof| !proof.is_empty());
    Ok(match proof {
        Some(data) if texts.is_empty() => Some(Part::HiddenThinking { data }),
        None if texts.is_empty() => None,
        signature => Some(Part::Thinking { text: texts.join(BETWEEN), signature }),
    })
}

/// Reads an image that the model made. `None` for one that is not done.
pub(super) fn image(fields: &mut Fields<'_>) -> Result<Option<Part>, Fault> {
    let format = fields.text("output_format")?;
    for setting in ["action", "background", "quality", "revised_prompt", "size"] {
        fields.take(setting);
    }
    let data = fields.text("result")?.filter(|data| !data.is_empty());
    let media_type = media_type(format.as_deref());
    Ok(data.map(|data| Part::Image(Image::Inline { media_type, data, detail: None })))
}

/// The media type of an image in a format of OpenAI's: PNG, if nothing else is said.
pub(super) fn media_type(format: Option<&str>) -> String {
    format!("image/{}", format.unwrap_or("png"))
}

/// The arguments of a call, of which some models write nothing where there are none: the field must hold JSON.
pub(super) fn arguments_of(arguments: &str) -> &str {
    if arguments.trim_ascii().is_empty() { "{}" } else { arguments }
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
