//! What goes past Converse to the model itself: `additionalModelRequestFields`.
//!
//! Converse passes them on as they are, so they are in the words of the model's own vendor, and which words
//! these are follows from the model's id.

use serde_json::{Map, Value, json};
use types::Fault;
use types::chat::{Reasoning, Request, ToolChoice};

use crate::anthropic::request_out::think;
use crate::omission::Omissions;

/// Whose model it is, as far as its requests differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    Anthropic,
    /// Amazon's Nova.
    Nova,
    /// OpenAI's open models.
    OpenAi,
    Other,
}

impl Vendor {
    /// The vendor of a model id, an inference profile's id or an ARN that names one:
    /// `us.anthropic.claude-sonnet-4-5-20250929-v1:0`. The ARN of an application's own profile names none.
    pub(crate) fn of(model: &str) -> Self {
        let named = |name: &str| model.contains(name);
        if named("anthropic.") || named("claude") {
            Self::Anthropic
        } else if named("amazon.nova") {
            Self::Nova
        } else if named("openai.") {
            Self::OpenAi
        } else {
            Self::Other
        }
    }
}

/// What is said past Converse, and what follows from it for the rest.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) fields: Map<String, Value>,
    /// `inferenceConfig.maxTokens`.
    pub(crate) max_tokens: Option<u64>,
    /// The choice of tools is among the fields: said twice, the model refuses it.
    pub(crate) choice_said: bool,
}

/// The fields for the model.
pub(crate) fn extra(request: &Request, model: &str, omit: &mut Omissions) -> Result<Extra, Fault> {
    let vendor = Vendor::of(model);
    let mut extra = Extra { max_tokens: request.max_tokens, ..Extra::default() };
    top_k(request, vendor, &mut extra, omit)?;
    reasoning(request, vendor, model, &mut extra, omit)?;
    choice(request, vendor, &mut extra, omit)?;
    Ok(extra)
}

fn top_k(request: &Request, vendor: Vendor, extra: &mut Extra, omit: &mut Omissions) -> Result<(), Fault> {
    let Some(k) = request.top_k else { return Ok(()) };
    match vendor {
        Vendor::Anthropic => drop(extra.fields.insert("top_k".into(), k.into())),
        Vendor::Nova => drop(extra.fields.insert("inferenceConfig".into(), json!({ "topK": k }))),
        Vendor::OpenAi | Vendor::Other => omit.field("top_k")?,
    }
    Ok(())
}

fn reasoning(
    request: &Request,
    vendor: Vendor,
    model: &str,
    extra: &mut Extra,
    omit: &mut Omissions,
) -> Result<(), Fault> {
    let Some(wanted) = &request.reasoning else { return Ok(()) };
    match (vendor, wanted) {
        (Vendor::Anthropic, _) => {
            let (thinking, effort, max_tokens) = think(request, model);
            let budget = matches!(&thinking, Some(thinking) if thinking.get("budget_tokens").is_some());
            if budget {
                extra.max_tokens = Some(max_tokens);
            }
            extra.fields.extend(thinking.map(|thinking| ("thinking".to_owned(), thinking)));
            let config = effort.map(|effort| json!({ "effort": effort }));
            extra.fields.extend(config.map(|config| ("output_config".to_owned(), config)));
        }
        (Vendor::Nova, Reasoning::Effort(effort)) => {
            let effort = match effort.as_str() {
                "minimal" | "low" => "low",
                "high" | "xhigh" | "max" => "high",
                _ => "medium",
            };
            let config = json!({ "type": "enabled", "maxReasoningEffort": effort });
            extra.fields.insert("reasoningConfig".into(), config);
        }
        (Vendor::Nova, Reasoning::Off) => {
            extra.fields.insert("reasoningConfig".into(), json!({ "type": "disabled" }));
        }
        (Vendor::OpenAi, Reasoning::Effort(effort)) => {
            extra.fields.insert("reasoning_effort".into(), effort.as_str().into());
        }
        (_, Reasoning::Budget(_)) => omit.field("thinking")?,
        (_, Reasoning::Effort(_)) => omit.field("reasoning_effort")?,
        // Models of which nothing is known are not asked to reason.
        (_, Reasoning::Off) => {}
    }
    Ok(())
}

/// No tool, or one at a time: Converse has no word for either, Anthropic's models have.
fn choice(request: &Request, vendor: Vendor, extra: &mut Extra, omit: &mut Omissions) -> Result<(), Fault> {
    let one_at_a_time = request.parallel_tool_calls == Some(false)
        && !request.tools.is_empty()
        && request.tool_choice != Some(ToolChoice::None);
    if vendor != Vendor::Anthropic {
        return if one_at_a_time { omit.field("parallel_tool_calls") } else { Ok(()) };
    }
    let choice = match &request.tool_choice {
        Some(ToolChoice::None) if !request.tools.is_empty() => json!({ "type": "none" }),
        _ if !one_at_a_time => return Ok(()),
        Some(ToolChoice::Any) => json!({ "type": "any", "disable_parallel_tool_use": true }),
        Some(ToolChoice::Named(name)) => {
            json!({ "type": "tool", "name": name, "disable_parallel_tool_use": true })
        }
        None | Some(ToolChoice::Auto | ToolChoice::None) => {
            json!({ "type": "auto", "disable_parallel_tool_use": true })
        }
    };
    extra.fields.insert("tool_choice".into(), choice);
    extra.choice_said = true;
    Ok(())
}
