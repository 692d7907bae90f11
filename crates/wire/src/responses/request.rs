//! Reads a Responses request.
//!
//! Two fields say nothing here that is passed on: `store`, because the gateway keeps the answers of this dialect
//! itself, and `include` of encrypted reasoning, because reasoning always comes with what vouches for it.
//! `previous_response_id` must have been resolved before; one that is still there is refused by name.

use serde_json::json;
use types::Fault;
use types::chat::{Format, Message, Part, Reasoning, Request, Role, Tool, ToolChoice};

use super::input;
use crate::fields::{Extra, Fields, bad, text_item};
use crate::openai::request::no_parameters;
use crate::tape::Json;

/// Reads a request. What it says beyond the vocabulary is in [`Request::extra`], by path.
pub(crate) fn decode(body: Json<'_>) -> Result<Request, Fault> {
    let mut fields = Fields::of(body)?;
    let mut extra = Extra::new();
    let model = fields.required("model", Fields::text)?;
    let mut messages = Vec::new();
    if let Some(text) = fields.text("instructions")? {
        messages.push(Message { role: Role::System, parts: vec![Part::Text { text }], name: None });
    }
    if let Some(value) = fields.take("input") {
        input::read(value, &mut messages, &mut extra)?;
    }
    let mut tools = Vec::new();
    for item in fields.items("tools")?.unwrap_or_default() {
        tools.extend(tool(item, &mut extra)?);
    }
    let tool_choice = choice(&mut fields, &mut extra)?;
    let (format, reasoning) = (format(&mut fields, &mut extra)?, reasoning(&mut fields, &mut extra)?);
    let logprobs = logprobs(&mut fields, &mut extra)?;
    defaults(&mut fields);
    let mut request = Request {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        max_tokens: fields.count("max_output_tokens")?,
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        logprobs,
        format,
        reasoning,
        stream: fields.flag("stream")?.unwrap_or_default(),
        stream_usage: true,
        user: fields.text("user")?,
        ..Request::default()
    };
    let identifier = fields.text("safety_identifier")?;
    request.user = request.user.or(identifier);
    if let Some(options) = fields.object("stream_options")? {
        options.rest(&mut extra);
    }
    fields.take("store");
    fields.rest(&mut extra);
    request.extra = extra;
    Ok(request)
}

/// Fields that say what holds anyway.
fn defaults(fields: &mut Fields<'_>) {
    const SAME: [(&str, &str); 2] = [("background", "false"), ("truncation", r#""disabled""#)];
    for (name, value) in SAME {
        fields.leave_if(name, |raw| raw == value);
    }
}

fn tool(item: Json<'_>, extra: &mut Extra) -> Result<Option<Tool>, Fault> {
    let mut fields = Fields::of(item)?;
    let kind = fields.required("type", Fields::text)?;
    if kind != "function" {
        extra.push((format!("{}.{kind}", item.path()), item.boxed()));
        return Ok(None);
    }
    let tool = Tool {
        name: fields.required("name", Fields::text)?,
        description: fields.text("description")?,
        parameters: fields.raw("parameters")?.unwrap_or_else(no_parameters),
        strict: fields.flag("strict")?,
        cache: None,
    };
    fields.leave_if("defer_loading", |raw| raw == "false");
    fields.leave_if("async", |raw| raw == "false");
    fields.leave_if("allowed_callers", |raw| raw.replace(' ', "") == r#"["direct"]"#);
    fields.rest(extra);
    Ok(Some(tool))
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
        Some("function") => Ok(Some(ToolChoice::Named(choice.required("name", Fields::text)?))),
        kind => {
            extra.push((format!("tool_choice.{}", kind.unwrap_or("type")), value.boxed()));
            Ok(None)
        }
    }
}

fn format(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Format, Fault> {
    let Some(mut text) = fields.object("text")? else { return Ok(Format::Text) };
    text.leave_if("verbosity", |raw| raw == r#""medium""#);
    let Some(mut format) = text.object("format")? else {
        text.rest(extra);
        return Ok(Format::Text);
    };
    let read = match &*format.required("type", Fields::text)? {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => Format::Schema {
            name: format.required("name", Fields::text)?,
            description: format.text("description")?,
            schema: format.json("schema")?.unwrap_or_else(|| json!({})),
            strict: format.flag("strict")?,
        },
        _ => return Err(bad("text.format.type", "`text.format.type` is not one that is known")),
    };
    format.rest(extra);
    text.rest(extra);
    Ok(read)
}

/// How much to think. Whether a summary is wanted stays behind under its name: it is only a wish.
fn reasoning(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Option<Reasoning>, Fault> {
    let Some(mut reasoning) = fields.object("reasoning")? else { return Ok(None) };
    let effort = reasoning.text("effort")?;
    reasoning.leave_if("context", |raw| raw == r#""auto""#);
    reasoning.leave_if("mode", |raw| raw == r#""standard""#);
    reasoning.rest(extra);
    Ok(effort.map(|effort| match effort.as_str() {
        "none" => Reasoning::Off,
        _ => Reasoning::Effort(effort),
    }))
}

fn logprobs(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Option<u64>, Fault> {
    let alternatives = fields.count("top_logprobs")?;
    let mut wanted = alternatives.is_some_and(|alternatives| alternatives > 0);
    for item in fields.items("include")?.unwrap_or_default() {
        match &*text_item(item)? {
            "message.output_text.logprobs" => wanted = true,
            "reasoning.encrypted_content" => {}
            _ => extra.push((item.path(), item.boxed())),
        }
    }
    Ok(wanted.then(|| alternatives.unwrap_or(0)))
}
