//! Writes the body of `generateContent`. The model and whether to stream stand in the address.
//!
//! What the dialect cannot say is refused by the caller's name for it. Left out without a word, because nothing
//! of the answer hangs on them: cache markers (Gemini caches by itself), the caller's name for its end user,
//! the name and strictness of an answer's schema (every schema is kept to).

use serde::Serialize;
use serde_json::{Number, Value};
use types::Fault;
use types::chat::{Format, Request};

use super::model::Model;
use super::thinking::{Thinking, thinking};
use super::tools::{self, ToolConfig, Tools};
use super::turns::{Conversation, Instruction, Turn, conversation};
use crate::codec::Writing;
use crate::omission::Omissions;

/// Greatest number of stop texts.
const STOPS: usize = 5;

/// The request as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction<'a>>,
    contents: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tools<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<Generation<'a>>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Generation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    response_logprobs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking>,
}

/// The request for the model that `writing` names.
pub(crate) fn encode<'a>(
    request: &'a Request,
    writing: &Writing<'a>,
    omit: &mut Omissions,
) -> Result<Body<'a>, Fault> {
    let model = Model::of(writing.model);
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        omit.field("parallel_tool_calls")?;
    }
    let Conversation { instruction, turns } = conversation(&request.messages, model, omit)?;
    let generation = generation(request, model, omit)?;
    Ok(Body {
        system_instruction: instruction,
        contents: turns,
        tools: tools::tools(&request.tools),
        tool_config: tools::config(request),
        generation_config: (generation != Generation::default()).then_some(generation),
    })
}

fn generation<'a>(
    request: &'a Request,
    model: Model<'_>,
    omit: &mut Omissions,
) -> Result<Generation<'a>, Fault> {
    let mut seed = request.seed;
    if seed.is_some_and(|seed| i32::try_from(seed).is_err()) {
        omit.field_with_hint("seed", "Gemini's seed has 32 bits")?;
        seed = None;
    }
    let mut stop_sequences = &*request.stop;
    if let Some(few) = stop_sequences.get(..STOPS).filter(|few| few.len() < stop_sequences.len()) {
        omit.within("stop", "more than five stop texts")?;
        stop_sequences = few;
    }
    let (response_mime_type, response_json_schema) = match &request.format {
        Format::Text => (None, None),
        Format::Json => (Some("application/json"), None),
        Format::Schema { schema, .. } => (Some("application/json"), Some(schema)),
    };
    Ok(Generation {
        max_output_tokens: request.max_tokens,
        temperature: request.temperature.as_ref(),
        top_p: request.top_p.as_ref(),
        top_k: request.top_k,
        frequency_penalty: request.frequency_penalty.as_ref(),
        presence_penalty: request.presence_penalty.as_ref(),
        seed,
        candidate_count: request.choices.filter(|choices| *choices != 1),
        response_logprobs: request.logprobs.is_some(),
        logprobs: request.logprobs.filter(|alternatives| *alternatives > 0),
        stop_sequences,
        response_mime_type,
        response_json_schema,
        thinking_config: thinking(request.reasoning.as_ref(), model, omit)?,
    })
}
