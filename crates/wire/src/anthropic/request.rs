//! Reads a Messages request.

use serde_json::value::RawValue;
use serde_json::{Value, json};
use types::Fault;
use types::chat::{Format, Message, Part, Reasoning, Request, Role, Tool, ToolChoice};

use super::block::content;
use crate::fields::{Extra, Fields, bad, text_item};
use crate::tape::Json;

/// Reads a request. What it says beyond the vocabulary is in [`Request::extra`], by path.
pub(crate) fn decode(body: Json<'_>) -> Result<Request, Fault> {
    let mut fields = Fields::of(body)?;
    let mut extra = Extra::new();
    let mut messages = Vec::new();
    if let Some(system) = fields.take("system") {
        let parts = content(system, &mut extra)?;
        messages.push(Message { role: Role::System, parts, name: None });
    }
    for item in fields.required("messages", Fields::items)? {
        turn(item, &mut messages, &mut extra)?;
    }
    let mut tools = Vec::new();
    for item in fields.items("tools")?.unwrap_or_default() {
        tools.extend(tool(item, &mut extra)?);
    }
    let (tool_choice, parallel_tool_calls) = choice(&mut fields)?;
    let (reasoning, format) = shape(&mut fields, &mut extra)?;
    let stop = fields.items("stop_sequences")?.unwrap_or_default();
    let mut request = Request {
        model: fields.required("model", Fields::text)?,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        max_tokens: Some(fields.required("max_tokens", Fields::count)?),
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        frequency_penalty: None,
        presence_penalty: None,
        seed: None,
        choices: None,
        logprobs: None,
        stop: stop.into_iter().map(text_item).collect::<Result<_, _>>()?,
        format,
        reasoning,
        stream: fields.flag("stream")?.unwrap_or_default(),
        stream_usage: true,
        user: None,
        extra: Extra::new(),
    };
    if let Some(mut metadata) = fields.object("metadata")? {
        request.user = metadata.text("user_id")?;
        metadata.rest(&mut extra);
    }
    fields.rest(&mut extra);
    request.extra = extra;
    Ok(request)
}

/// Reads a turn. Tool results, which stand in the user's turn here, become turns of their own.
fn turn(item: Json<'_>, out: &mut Vec<Message>, extra: &mut Extra) -> Result<(), Fault> {
    let mut fields = Fields::of(item)?;
    let role = match &*fields.required("role", Fields::text)? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => {
            let place = fields.path_of("role");
            return Err(bad(&place, format!("`{place}` must be user, assistant or system")));
        }
    };
    let parts = content(fields.required("content", Fields::value)?, extra)?;
    fields.rest(extra);
    if role != Role::User || parts.is_empty() {
        out.push(Message { role, parts, name: None });
        return Ok(());
    }
    let mut last = None;
    for part in parts {
        let role = match part {
            Part::ToolResult { .. } => Role::Tool,
            // A marker belongs to what stands before it.
            Part::CachePoint { .. } => last.unwrap_or(Role::User),
            _ => Role::User,
        };
        match out.last_mut().filter(|_| last == Some(role)) {
            Some(message) => message.parts.push(part),
            None => out.push(Message { role, parts: vec![part], name: None }),
        }
        last = Some(role);
    }
    Ok(())
}

fn tool(item: Json<'_>, extra: &mut Extra) -> Result<Option<Tool>, Fault> {
    let mut fields = Fields::of(item)?;
    let kind = fields.text("type")?;
    if let Some(kind) = kind.filter(|kind| kind != "custom") {
        extra.push((format!("{}.{kind}", item.path()), item.boxed()));
        return Ok(None);
    }
    let tool = Tool {
        name: fields.required("name", Fields::text)?,
        description: fields.text("description")?,
        parameters: fields.required("input_schema", Fields::raw)?,
        strict: fields.flag("strict")?,
        cache: fields.json("cache_control")?,
    };
    // Only how the arguments are streamed.
    fields.take("eager_input_streaming");
    fields.rest(extra);
    Ok(Some(tool))
}

fn choice(fields: &mut Fields<'_>) -> Result<(Option<ToolChoice>, Option<bool>), Fault> {
    let Some(mut choice) = fields.object("tool_choice")? else { return Ok((None, None)) };
    let one_at_a_time = choice.flag("disable_parallel_tool_use")?;
    let choice = match &*choice.required("type", Fields::text)? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Any,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.required("name", Fields::text)?),
        _ => return Err(bad("tool_choice.type", "`tool_choice.type` must be auto, any, none or tool")),
    };
    Ok((Some(choice), one_at_a_time.map(|one| !one)))
}

/// Reasoning and the answer's shape. Adaptive thinking without an effort is the model's own way.
fn shape(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<(Option<Reasoning>, Format), Fault> {
    let (mut reasoning, mut format) = (None, Format::Text);
    if let Some(mut config) = fields.object("output_config")? {
        reasoning = config.text("effort")?.map(Reasoning::Effort);
        if let Some(mut wanted) = config.object("format")? {
            if wanted.required("type", Fields::text)? != "json_schema" {
                let place = "output_config.format.type";
                return Err(bad(place, format!("`{place}` must be json_schema")));
            }
            let schema: Value = wanted.json("schema")?.unwrap_or_else(|| json!({}));
            format =
                Format::Schema { name: "answer".to_owned(), description: None, schema, strict: Some(true) };
        }
        config.rest(extra);
    }
    if let Some(mut thinking) = fields.object("thinking")? {
        match &*thinking.required("type", Fields::text)? {
            "enabled" => {
                let budget = thinking.required("budget_tokens", Fields::count)?;
                reasoning = Some(Reasoning::Budget(budget));
            }
            "disabled" => reasoning = Some(Reasoning::Off),
            "adaptive" => {}
            kind => extra.push((format!("thinking.{kind}"), RawValue::NULL.to_owned())),
        }
        // Whether it is shown; it is shown where the provider shows it.
        thinking.take("display");
        thinking.rest(extra);
    }
    Ok((reasoning, format))
}
