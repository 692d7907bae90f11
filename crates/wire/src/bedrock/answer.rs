//! Reads a whole answer in Bedrock's dialect.

use serde::Deserialize;
use types::Fault;
use types::chat::{Answer, Choice, Part};

use super::cited::citation;
use super::stream::{malformed, stop_of};
use super::usage::Figures;
use crate::cited::plain;
use crate::fields::Fields;
use crate::rejection;
use crate::tape::Json;

/// Reads an answer. Fields that have no word in the vocabulary are passed over. The dialect gives answers no id
/// (a header has it) and does not name the model.
pub(crate) fn decode(body: Json<'_>) -> Result<Answer, Fault> {
    let mut fields = Fields::of(body)?;
    let mut output = fields.required("output", Fields::object)?;
    let mut message = output.required("message", Fields::object)?;
    let items = message.required("content", Fields::items)?;
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        part(item, &mut parts)?;
    }
    let sequence = match fields.object("additionalModelResponseFields")? {
        Some(mut more) => more.text("stop_sequence")?,
        None => None,
    };
    let reason = fields.text("stopReason")?.unwrap_or_default();
    let shown = |part: &Part| !matches!(part, Part::Thinking { .. } | Part::HiddenThinking { .. });
    if malformed(&reason) && !parts.iter().any(shown) {
        return Err(rejection::model_failed(&reason));
    }
    let stop = stop_of(&reason, sequence);
    let usage = fields.take("usage").and_then(|usage| {
        let figures = Figures::deserialize(&mut serde_json::Deserializer::from_str(usage.get()));
        figures.ok().map(|figures| figures.to_usage())
    });
    Ok(Answer {
        id: String::new(),
        model: String::new(),
        choices: vec![Choice { parts, stop, logprobs: None }],
        usage,
    })
}

fn part(item: Json<'_>, out: &mut Vec<Part>) -> Result<(), Fault> {
    let mut fields = Fields::of(item)?;
    if let Some(text) = fields.text("text")? {
        out.push(Part::Text { text });
    } else if let Some(mut tool) = fields.object("toolUse")? {
        // Tools that the provider runs itself are its own affair.
        if tool.text("type")?.as_deref() == Some("server_tool_use") {
            return Ok(());
        }
        out.push(Part::ToolCall {
            id: tool.required("toolUseId", Fields::text)?,
            name: tool.required("name", Fields::text)?,
            arguments: tool.take("input").map_or("{}", |input| input.get()).to_owned(),
        });
    } else if let Some(mut reasoning) = fields.object("reasoningContent")? {
        if let Some(mut told) = reasoning.object("reasoningText")? {
            out.push(Part::Thinking {
                text: told.text("text")?.unwrap_or_default(),
                signature: told.text("signature")?.filter(|signature| !signature.is_empty()),
            });
        } else if let Some(data) = reasoning.text("redactedContent")? {
            out.push(Part::HiddenThinking { data });
        }
    } else if let Some(mut cited) = fields.object("citationsContent")? {
        let start = plain(out);
        let mut text = String::new();
        for item in cited.items("content")?.unwrap_or_default() {
            text += &Fields::of(item)?.text("text")?.unwrap_or_default();
        }
        out.push(Part::Text { text });
        let span = (start, plain(out));
        for item in cited.items("citations")?.unwrap_or_default() {
            out.extend(citation(item.get(), span).map(Part::Citation));
        }
    }
    Ok(())
}
