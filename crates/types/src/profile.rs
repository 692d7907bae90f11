//! Parameters that a task or a profile sets where the caller says nothing, and what became of them.
//!
//! Which task means what is `policy`'s business, what a server takes is `wire`'s.

use serde::{Deserialize, Serialize};

/// A parameter that a profile may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// Sampling temperature.
    Temperature,
    /// Greatest number of tokens to write.
    MaxTokens,
    /// Nucleus sampling.
    TopP,
    /// Penalty for tokens by how often they stand there already.
    FrequencyPenalty,
    /// Penalty for tokens that stand there already.
    PresencePenalty,
}

impl Parameter {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Temperature, Self::MaxTokens, Self::TopP, Self::FrequencyPenalty, Self::PresencePenalty];

    /// The name in configurations and records, which is OpenAI's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::MaxTokens => "max_tokens",
            Self::TopP => "top_p",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::PresencePenalty => "presence_penalty",
        }
    }
}

/// Values for some of the parameters. No number here is infinite or not a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// Sampling temperature, 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Greatest number of tokens to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Nucleus sampling, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Penalty for tokens by how often they stand there already, -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Penalty for tokens that stand there already, -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
}

/// Every number equals itself here: see [`Parameters`].
impl Eq for Parameters {}

impl Parameters {
    /// No parameter.
    pub const NONE: Self = Self {
        temperature: None,
        max_tokens: None,
        top_p: None,
        frequency_penalty: None,
        presence_penalty: None,
    };

    /// Field by field: what is set here, else what `base` sets.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        Self {
            temperature: self.temperature.or(base.temperature),
            max_tokens: self.max_tokens.or(base.max_tokens),
            top_p: self.top_p.or(base.top_p),
            frequency_penalty: self.frequency_penalty.or(base.frequency_penalty),
            presence_penalty: self.presence_penalty.or(base.presence_penalty),
        }
    }

    /// Whether the parameter is set.
    pub const fn sets(&self, parameter: Parameter) -> bool {
        match parameter {
            Parameter::Temperature => self.temperature.is_some(),
            Parameter::MaxTokens => self.max_tokens.is_some(),
            Parameter::TopP => self.top_p.is_some(),
            Parameter::FrequencyPenalty => self.frequency_penalty.is_some(),
            Parameter::PresencePenalty => self.presence_penalty.is_some(),
        }
    }

    /// Sets the parameter no longer.
    pub const fn unset(&mut self, parameter: Parameter) {
        match parameter {
            Parameter::Temperature => self.temperature = None,
            Parameter::MaxTokens => self.max_tokens = None,
            Parameter::TopP => self.top_p = None,
            Parameter::FrequencyPenalty => self.frequency_penalty = None,
            Parameter::PresencePenalty => self.presence_penalty = None,
        }
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

/// What a profile did to one attempt's request: part of the ledger's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The task, the profile, or both in the order in which they count: `code+speed_optimized`.
    pub name: String,
    /// What was added to the request. What the caller set itself is not here.
    pub applied: Parameters,
    /// What the provider or the model does not take, so that it was not added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Parameter>,
}
