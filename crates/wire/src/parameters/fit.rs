//! What of a profile's parameters a target takes. A profile must never make a provider refuse a call that it would
//! have answered without, nor leave a model no room to answer: where that is in doubt, the parameter stays out.

use types::quirks::Quirks;
use types::{Dialect, Parameter, Parameters};

use super::Said;
use crate::codec::Writing;
use crate::gemini::model::Model as Gemini;
use crate::openai::request_out::reasons;

const PENALTIES: &[Parameter] = &[Parameter::FrequencyPenalty, Parameter::PresencePenalty];
const SAMPLING: &[Parameter] =
    &[Parameter::Temperature, Parameter::TopP, Parameter::FrequencyPenalty, Parameter::PresencePenalty];

/// Words in the names of models whose makers refuse parameters that their dialect knows.
const MODELS: [(&str, &[Parameter]); 5] = [
    // "Penalty is not enabled for models/gemini-2.5-flash": 2.5 and later.
    ("gemini", PENALTIES),
    // xAI's models that reason.
    ("grok", PENALTIES),
    ("claude", PENALTIES),
    // OpenAI's models that search take nothing of the kind; Kimi's newer ones one value of each only.
    ("-search-", SAMPLING),
    ("kimi", SAMPLING),
];

/// What is known of the model's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Tokens that it writes at most, if known.
    pub max_output_tokens: Option<u64>,
    /// Tokens that its context has left beside the request, if known.
    pub room: Option<u64>,
}

/// Of what a profile `wanted` that which the target takes in a request that is written so, and what it does not
/// take. What the caller set itself is in neither.
pub fn fit(
    wanted: &Parameters,
    said: &Said,
    writing: &Writing<'_>,
    bounds: Bounds,
) -> (Parameters, Vec<Parameter>) {
    let wanted = said.beside(*wanted);
    let model = writing.model.to_ascii_lowercase();
    let mut fits = wanted;
    without(&mut fits, beyond(writing.dialect, wanted));
    without(&mut fits, refused(writing));
    for (_, these) in MODELS.iter().filter(|(word, _)| model.contains(word)) {
        without(&mut fits, these);
    }
    if is_openais(writing.dialect) && reasons(&model) {
        without(&mut fits, SAMPLING);
    }
    let claude = model.contains("claude");
    if claude || matches!(writing.dialect, Dialect::AnthropicMessages | Dialect::BedrockConverse) {
        if claude && !takes_sampling(&model) || said.thinks == Some(true) {
            without(&mut fits, SAMPLING);
        }
        one_of_two(&mut fits, said);
    }
    if said.thinks.unwrap_or_else(|| thinks_by_itself(&model)) {
        // What it thinks would be taken from it, up to the whole of it.
        fits.max_tokens = None;
    }
    if said.has_other_null(writing) {
        fits.max_tokens = None;
    }
    let tokens = fits.max_tokens.map(|tokens| tokens.min(bounds.max_output_tokens.unwrap_or(u64::MAX)));
    fits.max_tokens = tokens.filter(|tokens| *tokens > 0 && *tokens <= bounds.room.unwrap_or(u64::MAX));
    let lost = |parameter: &Parameter| wanted.sets(*parameter) && !fits.sets(*parameter);
    (fits, Parameter::ALL.into_iter().filter(lost).collect())
}

fn without(fits: &mut Parameters, these: &[Parameter]) {
    for parameter in these {
        fits.unset(*parameter);
    }
}

/// Temperature or `top_p`: both together are refused by Anthropic's models since 4.1.
fn one_of_two(fits: &mut Parameters, said: &Said) {
    if said.sets(Parameter::TopP) {
        fits.temperature = None;
    }
    if said.sets(Parameter::Temperature) || fits.temperature.is_some() {
        fits.top_p = None;
    }
}

const fn is_openais(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses)
}

/// What the dialect cannot say.
fn beyond(dialect: Dialect, wanted: Parameters) -> &'static [Parameter] {
    const COOL: &[Parameter] =
        &[Parameter::FrequencyPenalty, Parameter::PresencePenalty, Parameter::Temperature];
    match dialect {
        Dialect::OpenaiChat => &[],
        Dialect::OpenaiEmbeddings => &Parameter::ALL,
        Dialect::OpenaiResponses | Dialect::GeminiContent => PENALTIES,
        // Temperatures go from 0 to 1 there.
        Dialect::AnthropicMessages | Dialect::BedrockConverse
            if wanted.temperature.is_some_and(|heat| heat > 1.0) =>
        {
            COOL
        }
        Dialect::AnthropicMessages | Dialect::BedrockConverse => PENALTIES,
    }
}

/// What the server refuses, where it speaks one of OpenAI's dialects.
fn refused(writing: &Writing<'_>) -> &'static [Parameter] {
    let Quirks { refuses, .. } = writing.quirks;
    if !is_openais(writing.dialect) || refuses.is_empty() {
        return &[];
    }
    let refused = |parameter: Parameter| refuses.contains(&parameter.as_str());
    match (refused(Parameter::FrequencyPenalty), refused(Parameter::PresencePenalty)) {
        (true, true) => PENALTIES,
        (true, false) => &PENALTIES[..1],
        (false, true) => &PENALTIES[1..],
        (false, false) => &[],
    }
}

/// Whether a model thinks unless it is told not to, and what it thinks counts as written.
fn thinks_by_itself(model: &str) -> bool {
    let gemini = model.contains("gemini") && !Gemini::of(model).is_thoughtless();
    gemini || reasons(model) || ["-r1", "reasoner", "thinking"].iter().any(|word| model.contains(word))
}

/// Whether a model of Anthropic's takes temperature or `top_p`: up to 4.6. One without a number may be newer.
fn takes_sampling(model: &str) -> bool {
    let words = model.split(['-', '.', '@', ':', '/']);
    let mut version = words.filter_map(|word| word.parse::<u32>().ok()).filter(|number| *number < 100);
    match (version.next(), version.next()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) <= (4, 6),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests;
