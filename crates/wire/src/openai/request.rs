//! Reads a Chat Completions request.

use serde_json::json;
use types::chat::{Format, Reasoning, Request, Tool, ToolChoice};
use types::{Fault, RawJson};

use super::message;
use crate::fields::{Extra, Fields, TextOr, bad, text_item, text_or_items};
use crate::tape::Json;

/// Reads a request. What it says beyond the vocabulary is in [`Request::extra`], by path.
pub(crate) fn decode(body: Json<'_>) -> Result<Request, Fault> {
    let mut fields = Fields::of(body)?;
    let mut extra = Extra::new();
    let model = fields.required("model", Fields::text)?;
    let mut messages = Vec::new();
    for item in fields.required("messages", Fields::items)? {
        messages.push(message::decode(item, &mut extra)?);
    }
    let mut tools = Vec::new();
    for item in fields.items("tools")?.unwrap_or_default() {
        tools.extend(tool(item, &mut extra)?);
    }
    let tool_choice = choice(&mut fields, &mut extra)?;
    defaults(&mut fields);
    let longest = (fields.count("max_completion_tokens")?, fields.count("max_tokens")?);
    let mut request = Request {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        max_tokens: longest.0.or(longest.1),
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        presence_penalty: fields.number("presence_penalty")?,
        seed: fields.integer("seed")?,
        choices: fields.count("n")?,
        logprobs: logprobs(&mut fields)?,
        stop: stop(&mut fields)?,
        format: format(&mut fields, &mut extra)?,
        reasoning: fields.text("reasoning_effort")?.map(|effort| match effort.as_str() {
            "none" => Reasoning::Off,
            _ => Reasoning::Effort(effort),
        }),
        stream: fields.flag("stream")?.unwrap_or_default(),
        stream_usage: false,
        user: fields.text("user")?,
        extra: Extra::new(),
    };
    let identifier = fields.text("safety_identifier")?;
    request.user = request.user.or(identifier);
    if let Some(mut options) = fields.object("stream_options")? {
        request.stream_usage = options.flag("include_usage")?.unwrap_or_default();
        options.rest(&mut extra);
    }
    fields.rest(&mut extra);
    request.extra = extra;
    Ok(request)
}

/// Fields that say what holds anyway. SDKs and frameworks like to send them.
fn defaults(fields: &mut Fields<'_>) {
    const SAME: [(&str, &[&str]); 8] = [
        ("n", &["1"]),
        ("logprobs", &["false"]),
        ("frequency_penalty", &["0", "0.0"]),
        ("presence_penalty", &["0", "0.0"]),
        ("logit_bias", &["{}"]),
        ("modalities", &[r#"["text"]"#]),
        ("verbosity", &[r#""medium""#]),
        ("top_logprobs", &["0"]),
    ];
    for (name, values) in SAME {
        fields.leave_if(name, |raw| values.contains(&raw));
    }
}

fn logprobs(fields: &mut Fields<'_>) -> Result<Option<u64>, Fault> {
    let (wanted, alternatives) = (fields.flag("logprobs")?, fields.count("top_logprobs")?);
    Ok(if wanted == Some(true) { Some(alternatives.unwrap_or(0)) } else { alternatives })
}

fn tool(item: Json<'_>, extra: &mut Extra) -> Result<Option<Tool>, Fault> {
    let mut fields = Fields::of(item)?;
    let kind = fields.text("type")?.unwrap_or_else(|| "function".to_owned());
    if kind != "function" {
        extra.push((format!("{}.{kind}", item.path()), item.boxed()));
        return Ok(None);
    }
    let Some(mut function) = fields.object("function")? else {
        let path = item.path();
        return Err(bad(&path, format!("`{path}.function` is missing")));
    };
    let cache = fields.json("cache_control")?;
    let tool = Tool {
        name: function.required("name", Fields::text)?,
        description: function.text("description")?,
        parameters: function.raw("parameters")?.unwrap_or_else(no_parameters),
        strict: function.flag("strict")?,
        cache,
    };
    function.rest(extra);
    fields.rest(extra);
    Ok(Some(tool))
}

/// The schema of a tool without parameters.
pub(crate) fn no_parameters() -> RawJson {
    json!({ "type": "object", "properties": {} }).into()
}

fn choice(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Option<ToolChoice>, Fault> {
    let Some(value) = fields.take("tool_choice") else { return Ok(None) };
    if value.get().starts_with('"') {
        return match value.get() {
            r#""auto""# => Ok(Some(ToolChoice::Auto)),
            r#""none""# => Ok(Some(ToolChoice::None)),
            r#""required""# => Ok(Some(ToolChoice::Any)),
            _ => Err(bad("tool_choice", "`tool_choice` must be auto, none, required or an object")),
        };
    }
    let mut choice = Fields::of(value)?;
    match choice.text("type")?.as_deref() {
        Some("function") => {
            let mut function = choice.required("function", Fields::object)?;
            Ok(Some(ToolChoice::Named(function.required("name", Fields::text)?)))
        }
        kind => {
            extra.push((format!("tool_choice.{}", kind.unwrap_or("type")), value.boxed()));
            Ok(None)
        }
    }
}

fn stop(fields: &mut Fields<'_>) -> Result<Vec<String>, Fault> {
    let Some(value) = fields.take("stop") else { return Ok(Vec::new()) };
    match text_or_items(value)? {
        TextOr::Text(text) => Ok(vec![text]),
        TextOr::Items(items) => items.into_iter().map(text_item).collect(),
    }
}

fn format(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Format, Fault> {
    let Some(mut format) = fields.object("response_format")? else { return Ok(Format::Text) };
    match &*format.required("type", Fields::text)? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let mut schema = format.required("json_schema", Fields::object)?;
            let read = Format::Schema {
                name: schema.required("name", Fields::text)?,
                description: schema.text("description")?,
                schema: schema.json("schema")?.unwrap_or_else(|| json!({})),
                strict: schema.flag("strict")?,
            };
            schema.rest(extra);
            Ok(read)
        }
        _ => Err(bad("response_format.type", "`response_format.type` is not one that is known")),
    }
}
