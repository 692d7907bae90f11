//! Parameters that the caller did not write and a profile adds: what the caller said of them itself, and how they
//! get into a request. What of them a target takes is [`fit`](crate::parameters::fit)'s business.
//!
//! The body is looked at once more for this, so only calls with a profile come here.

mod fit;
mod length;

use std::ops::Range;

use serde_json::Number;
use types::chat::Request;
use types::{Dialect, Parameter, Parameters};

use crate::codec::Writing;
use crate::object::look;
use crate::openai::request_out::max_tokens_name;

pub use fit::{Bounds, fit};
pub use length::text_length;

/// What a request says itself of the parameters that a profile may add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What the caller has set: any value but `null`.
    set: Vec<Parameter>,
    /// Where `null` stands for a field of this name: there a value may be written.
    nulls: Vec<(&'static str, Range<usize>)>,
    /// Where the first field may be written: behind the opening brace.
    start: usize,
    /// Whether the model is to think, where the caller says.
    thinks: Option<bool>,
}

/// A text to write in place of a range of a body.
pub type Edit = (Range<usize>, String);

/// The names under which the dialects' requests set a parameter.
const NAMES: [(&str, Parameter); 7] = [
    ("temperature", Parameter::Temperature),
    ("max_tokens", Parameter::MaxTokens),
    ("max_completion_tokens", Parameter::MaxTokens),
    ("max_output_tokens", Parameter::MaxTokens),
    ("top_p", Parameter::TopP),
    ("frequency_penalty", Parameter::FrequencyPenalty),
    ("presence_penalty", Parameter::PresencePenalty),
];

impl Said {
    /// What a request body says, which a [`crate::peek`] has found to be an object.
    pub fn of(body: &[u8]) -> Self {
        let mut said = Self::default();
        let Ok(text) = std::str::from_utf8(body) else { return said };
        said.start = text.find('{').map_or(0, |at| at + 1);
        // It was looked at before, so it does not fail.
        let _ = look(text, |member| {
            if let Some((name, parameter)) = NAMES.iter().find(|(name, _)| *name == member.key) {
                if member.value == "null" {
                    said.nulls.push((*name, member.value_at()));
                } else if !said.set.contains(parameter) {
                    said.set.push(*parameter);
                }
            } else if member.value != "null" {
                said.thinks = thinks(&member.key, member.value).or(said.thinks);
            }
            Ok(())
        });
        said
    }

    /// Whether the caller sets the parameter itself.
    pub fn sets(&self, parameter: Parameter) -> bool {
        self.set.contains(&parameter)
    }

    /// `wanted` without what the caller sets itself.
    #[must_use]
    pub fn beside(&self, mut wanted: Parameters) -> Parameters {
        self.set.iter().for_each(|parameter| wanted.unset(*parameter));
        wanted
    }

    /// Whether `null` stands for the greatest number of tokens under a name that the server has another for: there
    /// would be two of them.
    fn has_other_null(&self, writing: &Writing<'_>) -> bool {
        let name = max_tokens_in(writing);
        let other = |null: &str| null.starts_with("max_") && null != name;
        self.nulls.iter().any(|(null, _)| other(null))
    }

    /// What to change in the body that this was said in, so that it sets `parameters` for a server that is written
    /// to so. They must be such as [`fit`] lets through.
    pub fn edits(&self, parameters: &Parameters, writing: &Writing<'_>) -> Vec<Edit> {
        let values = [
            ("temperature", parameters.temperature.map(|number| number.to_string())),
            (max_tokens_in(writing), parameters.max_tokens.map(|tokens| tokens.to_string())),
            ("top_p", parameters.top_p.map(|number| number.to_string())),
            ("frequency_penalty", parameters.frequency_penalty.map(|number| number.to_string())),
            ("presence_penalty", parameters.presence_penalty.map(|number| number.to_string())),
        ];
        let mut edits = Vec::new();
        let mut first = String::new();
        for (name, value) in values.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            match self.nulls.iter().find(|(null, _)| *null == name) {
                Some((_, at)) => edits.push((at.clone(), value)),
                // Every request names a model at least, so a field comes after this one.
                None => first.extend(["\"", name, "\":", &value, ","]),
            }
        }
        if !first.is_empty() {
            edits.push((self.start..self.start, first));
        }
        edits
    }
}

/// Whether a field says that the model is to think; `None` for all other fields.
fn thinks(name: &str, value: &str) -> Option<bool> {
    if !matches!(name, "reasoning_effort" | "reasoning" | "thinking") {
        return None;
    }
    let tight: String = value.split_ascii_whitespace().collect();
    let off = [r#""none""#, r#""disabled""#, r#""enabled":false"#];
    Some(!off.iter().any(|off| tight.contains(off)))
}

/// What the greatest number of tokens is called in a request that is written so.
fn max_tokens_in(writing: &Writing<'_>) -> &'static str {
    match writing.dialect {
        Dialect::OpenaiResponses => "max_output_tokens",
        Dialect::OpenaiChat => max_tokens_name(writing.model, writing.quirks),
        Dialect::AnthropicMessages
        | Dialect::OpenaiEmbeddings
        | Dialect::GeminiContent
        | Dialect::BedrockConverse => "max_tokens",
    }
}

/// Sets `parameters` in a request that is to be written in another dialect.
pub fn set_parameters(request: &mut Request, parameters: &Parameters) {
    let number = |number: Option<f64>| number.and_then(Number::from_f64);
    let Parameters { temperature, max_tokens, top_p, frequency_penalty, presence_penalty } = *parameters;
    request.max_tokens = request.max_tokens.or(max_tokens);
    for (place, value) in [
        (&mut request.temperature, temperature),
        (&mut request.top_p, top_p),
        (&mut request.frequency_penalty, frequency_penalty),
        (&mut request.presence_penalty, presence_penalty),
    ] {
        if place.is_none() {
            *place = number(value);
        }
    }
}

/// Takes out again what [`set_parameters`] has set.
pub fn unset_parameters(request: &mut Request, parameters: &Parameters) {
    let Parameters { temperature, max_tokens, top_p, frequency_penalty, presence_penalty } = parameters;
    if max_tokens.is_some() {
        request.max_tokens = None;
    }
    for (place, value) in [
        (&mut request.temperature, temperature),
        (&mut request.top_p, top_p),
        (&mut request.frequency_penalty, frequency_penalty),
        (&mut request.presence_penalty, presence_penalty),
    ] {
        if value.is_some() {
            *place = None;
        }
    }
}
