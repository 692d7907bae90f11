//! Reads the `input` of a request: the items of a conversation, as turns.

use types::Fault;
use types::chat::{Message, Part, Role};

use super::content::content;
use super::item::{call, image, thought};
use crate::fields::{Extra, Fields, TextOr, bad, text_or_items};
use crate::tape::Json;

/// Reads `input`, a string or items, and appends its turns. Items that have no word in the vocabulary go to
/// `extra` under their type: `input[3].web_search_call`.
pub(super) fn read(value: Json<'_>, out: &mut Vec<Message>, extra: &mut Extra) -> Result<(), Fault> {
    match text_or_items(value)? {
        TextOr::Text(text) => out.push(turn(Role::User, vec![Part::Text { text }])),
        TextOr::Items(items) => {
            for item in items {
                read_item(item, out, extra)?;
            }
        }
    }
    Ok(())
}

const fn turn(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts, name: None }
}

fn read_item(item: Json<'_>, out: &mut Vec<Message>, extra: &mut Extra) -> Result<(), Fault> {
    let mut fields = Fields::of(item)?;
    let role = fields.text("role")?;
    // A message may leave out its type; a reference, which has no role, too.
    let plain = if role.is_some() { "message" } else { "item_reference" };
    let kind = fields.text("type")?.unwrap_or_else(|| plain.to_owned());
    match kind.as_str() {
        "message" => message(&mut fields, role.as_deref(), out, extra)?,
        "function_call" => {
            let part = call(&mut fields)?;
            fields.leave_if("caller", |raw| raw.replace(' ', "") == r#"{"type":"direct"}"#);
            model_said(vec![part], out);
        }
        "function_call_output" => {
            let id = fields.required("call_id", Fields::text)?;
            let parts = content(fields.required("output", Fields::value)?, extra)?;
            fields.leave_if("caller", |raw| raw.replace(' ', "") == r#"{"type":"direct"}"#);
            fields.take("name");
            out.push(turn(Role::Tool, vec![Part::ToolResult { id, parts, failed: false }]));
        }
        "reasoning" => {
            if let Some(part) = thought(&mut fields)? {
                model_said(vec![part], out);
            }
        }
        "image_generation_call" => {
            if let Some(part) = image(&mut fields)? {
                model_said(vec![part], out);
            }
        }
        _ => {
            extra.push((format!("{}.{kind}", item.path()), item.boxed()));
            return Ok(());
        }
    }
    // Of use only to who made the item.
    for name in ["id", "status"] {
        fields.take(name);
    }
    fields.rest(extra);
    Ok(())
}

fn message(
    fields: &mut Fields<'_>,
    role: Option<&str>,
    out: &mut Vec<Message>,
    extra: &mut Extra,
) -> Result<(), Fault> {
    let role = match role {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => {
            let place = fields.path_of("role");
            return Err(bad(&place, format!("`{place}` must be system, developer, user or assistant")));
        }
    };
    let parts = content(fields.required("content", Fields::value)?, extra)?;
    // Whether the model was still working when it said this: a label.
    fields.take("phase");
    if role == Role::Assistant {
        model_said(parts, out);
    } else {
        out.push(turn(role, parts));
    }
    Ok(())
}

/// What the model made without anybody else's word between is one turn: the other dialects need the calls of a
/// round in one. A second message without a call before it is a turn of its own.
fn model_said(parts: Vec<Part>, out: &mut Vec<Message>) {
    let speaks = |parts: &[Part]| {
        parts.iter().any(|part| {
            !matches!(part, Part::ToolCall { .. } | Part::Thinking { .. } | Part::HiddenThinking { .. })
        })
    };
    let calls = |parts: &[Part]| parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    match out.last_mut() {
        Some(last)
            if last.role == Role::Assistant
                && (!speaks(&parts) || !speaks(&last.parts) || calls(&last.parts)) =>
        {
            last.parts.extend(parts);
        }
        _ => out.push(turn(Role::Assistant, parts)),
    }
}
