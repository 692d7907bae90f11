//! How much a model is to think, in the words that it takes.
//!
//! From version 3 on by level, before that by a budget of tokens; the levels and budgets for OpenAI's words are
//! those of Google's own compatibility layer. A model that cannot stop thinking is asked to think as little as
//! it can. Whoever asks for reasoning gets to see the thoughts: the callers' dialects show them.

use serde::Serialize;
use types::Fault;
use types::chat::Reasoning;

use super::model::Model;
use crate::omission::Omissions;

/// `generationConfig.thinkingConfig`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Thinking {
    #[serde(flatten)]
    amount: Amount,
    #[serde(rename = "includeThoughts", skip_serializing_if = "std::ops::Not::not")]
    shown: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
enum Amount {
    #[serde(rename = "thinkingLevel")]
    Level(&'static str),
    #[serde(rename = "thinkingBudget")]
    Budget(u64),
}

#[derive(Clone, Copy)]
enum Effort {
    Off,
    Minimal,
    Low,
    Medium,
    High,
    Utmost,
}

/// What the caller wants of a model. Fails, or notes it, where the model does not think at all.
pub(super) fn thinking(
    reasoning: Option<&Reasoning>,
    model: Model<'_>,
    omit: &mut Omissions,
) -> Result<Option<Thinking>, Fault> {
    let Some(reasoning) = reasoning else { return Ok(None) };
    if model.is_thoughtless() {
        if *reasoning != Reasoning::Off {
            omit.field_with_hint("reasoning_effort", "choose a model that thinks: Gemini 2.5 or later")?;
        }
        return Ok(None);
    }
    let amount = if model.is_third() {
        Amount::Level(level(effort(reasoning), model))
    } else {
        Amount::Budget(budget(reasoning, model))
    };
    Ok(Some(Thinking { amount, shown: *reasoning != Reasoning::Off }))
}

fn effort(reasoning: &Reasoning) -> Effort {
    match reasoning {
        Reasoning::Off | Reasoning::Budget(0) => Effort::Off,
        Reasoning::Budget(..4_096) => Effort::Low,
        Reasoning::Budget(..16_384) => Effort::Medium,
        Reasoning::Budget(_) => Effort::High,
        Reasoning::Effort(word) => match word.as_str() {
            "minimal" => Effort::Minimal,
            "low" => Effort::Low,
            "high" => Effort::High,
            "xhigh" | "max" => Effort::Utmost,
            _ => Effort::Medium,
        },
    }
}

fn level(effort: Effort, model: Model<'_>) -> &'static str {
    match effort {
        Effort::Off | Effort::Minimal if model.is_pro() => "low",
        Effort::Off | Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium if model.is_first_third_pro() => "high",
        Effort::Medium => "medium",
        Effort::High | Effort::Utmost => "high",
    }
}

fn budget(reasoning: &Reasoning, model: Model<'_>) -> u64 {
    let most = if model.is_pro() { 32_768 } else { 24_576 };
    let wanted = match (reasoning, effort(reasoning)) {
        (Reasoning::Budget(tokens), _) => *tokens,
        (_, Effort::Off) => 0,
        (_, Effort::Minimal | Effort::Low) => 1_024,
        (_, Effort::Medium) => 8_192,
        (_, Effort::High) => 24_576,
        (_, Effort::Utmost) => most,
    };
    if model.is_pro() {
        wanted.clamp(128, most)
    } else if model.is_lite() && wanted > 0 {
        wanted.clamp(512, most)
    } else if model.is_flash() {
        wanted.min(most)
    } else {
        wanted
    }
}
