//! A Chat Completions request for a server that differs from OpenAI, its other bytes as they are.
//!
//! The caller speaks the same dialect, so nothing is decoded: a few top-level members get another name or
//! value, or go. Whatever this does not know stays as it stands.

use bytes::Bytes;
use serde_json::value::RawValue;
use types::Fault;
use types::quirks::{MaxTokens, Quirks, ReasoningField, StreamUsage};

use super::request_out::reasons;
use crate::object::{is_null, members};
use crate::omission::Omissions;

/// What becomes of a member.
enum Fate<'a> {
    Stays,
    Goes,
    /// Is written so in its place.
    Becomes(&'a str, String),
}

/// The request for a server with `quirks`, and the names of what was left out; `None`: it fits as it is.
///
/// Fails with `BadField` for a member that the server refuses, unless it may be left out.
pub(crate) fn adapt(
    body: &str,
    model: &str,
    quirks: &Quirks,
    omit: &mut Omissions,
) -> Result<Option<Bytes>, Fault> {
    let mut out = Vec::with_capacity(body.len() + 32);
    let (mut changed, mut empty, mut verdict) = (false, true, Ok(()));
    out.push(b'{');
    members(body, |member| {
        let fate = fate(&member.key, member.value, model, quirks);
        let fate = match fate {
            Fate::Goes if says_something(&member.key, member.value) => {
                if let Err(fault) = omit.field(&member.key) {
                    verdict = Err(fault);
                }
                Fate::Goes
            }
            other => other,
        };
        let (name, value) = match &fate {
            Fate::Stays => (&*member.key, member.value.get()),
            Fate::Becomes(name, value) => (*name, value.as_str()),
            Fate::Goes => {
                changed = true;
                return Ok(());
            }
        };
        changed |= matches!(fate, Fate::Becomes(..));
        if !std::mem::take(&mut empty) {
            out.push(b',');
        }
        out.extend_from_slice(&serde_json::to_vec(name).unwrap_or_default());
        out.push(b':');
        out.extend_from_slice(value.as_bytes());
        Ok(())
    })?;
    verdict?;
    out.push(b'}');
    Ok(changed.then(|| Bytes::from(out)))
}

fn fate<'q>(name: &str, value: &RawValue, model: &str, quirks: &'q Quirks) -> Fate<'q> {
    let raw = value.get();
    if quirks.refuses.contains(&name) {
        return Fate::Goes;
    }
    match name {
        "max_completion_tokens" if quirks.max_tokens == MaxTokens::Old => {
            Fate::Becomes("max_tokens", raw.to_owned())
        }
        "max_tokens"
            if quirks.max_tokens == MaxTokens::New
                || quirks.max_tokens == MaxTokens::ByModel && reasons(model) =>
        {
            Fate::Becomes("max_completion_tokens", raw.to_owned())
        }
        "seed" if quirks.seed != "seed" => Fate::Becomes(quirks.seed, raw.to_owned()),
        "tool_choice" if raw == r#""required""# && quirks.some_tool != "required" => {
            Fate::Becomes("tool_choice", format!("\"{}\"", quirks.some_tool))
        }
        "reasoning_effort" => match quirks.reasoning {
            ReasoningField::Effort => Fate::Stays,
            ReasoningField::Object => Fate::Becomes("reasoning", format!(r#"{{"effort":{raw}}}"#)),
            ReasoningField::None => Fate::Goes,
        },
        "stream_options" if quirks.stream_usage == StreamUsage::ByItself => Fate::Goes,
        "response_format" if !quirks.json_schema && raw.contains(r#""json_schema""#) => Fate::Goes,
        "messages" if !quirks.developer && raw.contains(r#""developer""#) => {
            Fate::Becomes("messages", without_developer(raw))
        }
        _ => Fate::Stays,
    }
}

/// Whether leaving the member out changes the answer.
fn says_something(name: &str, value: &RawValue) -> bool {
    let raw = value.get();
    !(is_null(value)
        || matches!(
            (name, raw),
            ("stream_options", _)
                | ("n", "1")
                | ("logprobs" | "parallel_tool_calls", "false")
                | ("parallel_tool_calls", "true")
                | ("tool_choice", r#""auto""#)
                | ("top_logprobs", "0")
                | ("logit_bias", "{}")
                | ("frequency_penalty" | "presence_penalty", "0" | "0.0")
                | ("modalities", r#"["text"]"#)
                | ("verbosity", r#""medium""#)
        ))
}

/// The turns with the role `developer` called `system`: its older name.
fn without_developer(messages: &str) -> String {
    let Ok(turns) = serde_json::from_str::<Vec<&RawValue>>(messages) else { return messages.to_owned() };
    let mut out = String::with_capacity(messages.len());
    out.push('[');
    for (place, turn) in turns.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        let mut role = None;
        let start = turn.get();
        let found = members(start, |member| {
            if member.key == "role" && member.value.get() == r#""developer""# {
                role = Some(member.value_at());
            }
            Ok(())
        });
        match role.filter(|_| found.is_ok()) {
            Some(at) => {
                out.push_str(&start[..at.start]);
                out.push_str(r#""system""#);
                out.push_str(&start[at.end..]);
            }
            None => out.push_str(start),
        }
    }
    out.push(']');
    out
}
