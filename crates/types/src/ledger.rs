//! The ledger's row: what one attempt did and cost. One attempt, one row, whatever way it ended.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Applied, AttemptKey, Code, Dialect, Kind, Money, RunId, Timestamp, Timing, TraceId, Usage, UsageSource,
};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer was received and handed on.
    Complete,
    /// It failed before the caller saw anything of it.
    Failed,
    /// The provider broke the stream off after the caller had seen part of it.
    Cut,
    /// The stream went silent after the caller had seen part of it.
    Stalled,
    /// The caller hung up.
    HungUp,
    /// This process stopped before the answer was whole, or ended the run that asked.
    Stopped,
    /// A bug of ours ended the call.
    Panicked,
}

impl Outcome {
    /// The name in rows and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Stalled => "stalled",
            Self::HungUp => "hung_up",
            Self::Stopped => "stopped",
            Self::Panicked => "panicked",
        }
    }
}

/// Where an attempt goes on with an answer whose beginning came from earlier attempts of the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seam {
    /// Bytes of text that the caller had by then.
    pub at_bytes: u64,
    /// How the rest was asked for.
    pub how: Rest,
}

/// How the rest of an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// The model was given the beginning, to write on from there.
    Prefill,
    /// The model was asked anew, and what it said again was left out.
    Anew,
}

impl Rest {
    /// The name in rows and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Anew => "anew",
        }
    }
}

/// One attempt. Holds no prompt, no answer and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The row's own key: written twice, it is stored once.
    #[serde(flatten)]
    pub key: AttemptKey,
    /// When the attempt began.
    pub at: Timestamp,
    /// The caller's trace.
    pub trace: TraceId,
    /// Name of the key that the caller showed, if keys are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Arc<str>>,
    /// Tenant, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Arc<str>>,
    /// End user, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
    /// What the caller asked for: a route, an alias or `provider/model`.
    pub asked: Arc<str>,
    /// The provider, as configured.
    pub provider: Arc<str>,
    /// The provider's name of the model.
    pub model: Arc<str>,
    /// The caller's dialect.
    pub dialect: Dialect,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// Whether this was not the route's first choice.
    pub fallback: bool,
    /// Whether the provider is a simulated one.
    pub simulated: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The provider's HTTP status, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong, of the taxonomy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Kind>,
    /// The code of what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Tokens, also those of a call that was cut or hung up.
    pub usage: Usage,
    /// How the tokens are known.
    pub usage_source: UsageSource,
    /// The cost; `None` where the price is not known, never zero for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Where the time went.
    pub timing: Timing,
    /// The chain run that this call is a step of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The step's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Arc<str>>,
    /// What a task or profile added to the request, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Box<Applied>>,
    /// Where it goes on with an answer that an earlier attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seam: Option<Seam>,
}
