//! The one error that crosses crate borders: what went wrong, whose fault it is, and what is known about
//! trying again. What to *do* about it is `policy`'s decision, not this module's.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Code;

/// The taxonomy (B1). Matches on it are exhaustive: a new kind is a decision everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A deadline passed, or the network failed, before an answer came.
    NetworkTimeout,
    /// A rate limit, the provider's or ours.
    RateLimit,
    /// An answer that breaks its protocol.
    InvalidResponse,
    /// The provider, or something that it needs, failed.
    DependencyFailure,
    /// Out of memory, disk, connections or context.
    ResourceExhausted,
    /// A text that does not parse.
    Parsing,
    /// A request that parses but does not make sense.
    Validation,
    /// Credentials missing, wrong or not allowed.
    Authentication,
    /// An error that no repetition mends.
    Permanent,
    /// The provider asks for less: overloaded, slow down.
    Throttling,
    /// Money: a ceiling was reached, ours or the provider's.
    Budget,
    /// The caller went away, or somebody cancelled the call.
    Cancelled,
}

impl Kind {
    /// The name in rows, labels and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NetworkTimeout => "network_timeout",
            Self::RateLimit => "rate_limit",
            Self::InvalidResponse => "invalid_response",
            Self::DependencyFailure => "dependency_failure",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Parsing => "parsing",
            Self::Validation => "validation",
            Self::Authentication => "authentication",
            Self::Permanent => "permanent",
            Self::Throttling => "throttling",
            Self::Budget => "budget",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Who could have avoided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// Who called us.
    Caller,
    /// The model provider.
    Provider,
    /// What lies between us and the provider.
    Network,
    /// Whoever runs this process: configuration, keys, disk.
    Operator,
    /// Windlass: a bug.
    Us,
}

/// Evidence about trying the same thing again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// The same request will fail the same way.
    Never,
    /// It may work next time.
    Maybe,
    /// The provider said when: no sooner than this long after the answer.
    After(Duration),
}

/// How far the attempt had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// No byte of the request reached the provider.
    NothingSent,
    /// The request was sent: it may have been executed, and charged.
    PerhapsExecuted,
    /// The caller has seen part of the answer.
    Streaming,
}

/// A failed call. Cheap to move: one pointer.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault(Box<Detail>);

/// What a [`Fault`] tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Which of the taxonomy.
    pub kind: Kind,
    /// The code with a page in the book.
    pub code: Code,
    /// What happened, in one sentence, without prompts, answers or secrets.
    pub message: String,
    /// What to do about it, if there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whose fault.
    pub blame: Blame,
    /// Evidence about trying again.
    pub retry: Retry,
    /// How far it had come.
    pub progress: Progress,
    /// The field of the request that is to blame: `messages[2].content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// The configured name of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The provider's HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider's own error type or code: `context_length_exceeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_reason: Option<String>,
    /// The provider's id for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Fault {
    /// A fault with the usual blame and retry evidence of its kind; refine it with the `with_…` methods.
    pub fn new(kind: Kind, code: Code, message: impl Into<String>) -> Self {
        let (blame, retry) = match kind {
            Kind::NetworkTimeout => (Blame::Network, Retry::Maybe),
            Kind::RateLimit | Kind::Throttling | Kind::DependencyFailure | Kind::InvalidResponse => {
                (Blame::Provider, Retry::Maybe)
            }
            Kind::ResourceExhausted => (Blame::Operator, Retry::Maybe),
            Kind::Parsing | Kind::Validation | Kind::Authentication | Kind::Cancelled => {
                (Blame::Caller, Retry::Never)
            }
            Kind::Permanent => (Blame::Provider, Retry::Never),
            Kind::Budget => (Blame::Operator, Retry::Never),
        };
        Self(Box::new(Detail {
            kind,
            code,
            message: message.into(),
            hint: None,
            blame,
            retry,
            progress: Progress::NothingSent,
            param: None,
            provider: None,
            status: None,
            provider_reason: None,
            request_id: None,
        }))
    }

    /// The caller's request does not make sense; `param` names the field.
    pub fn invalid(code: Code, param: impl Into<String>, message: impl Into<String>) -> Self {
        let mut fault = Self::new(Kind::Validation, code, message);
        fault.0.param = Some(param.into());
        fault
    }

    /// A bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Permanent, Code::Internal, message).with_blame(Blame::Us)
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says whose fault it is.
    #[must_use]
    pub fn with_blame(mut self, blame: Blame) -> Self {
        self.0.blame = blame;
        self
    }

    /// Says what is known about trying again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Says how far the attempt had come.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.0.progress = progress;
        self
    }

    /// Names the provider, as configured.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<String>) -> Self {
        self.0.provider = Some(provider.into());
        self
    }

    /// Keeps the provider's HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Keeps the provider's own error type or code.
    #[must_use]
    pub fn with_provider_reason(mut self, reason: impl Into<String>) -> Self {
        self.0.provider_reason = Some(reason.into());
        self
    }

    /// Keeps the provider's id for the request.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    /// Names the field of the request that is to blame.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }
}

impl std::ops::Deref for Fault {
    type Target = Detail;

    fn deref(&self) -> &Detail {
        &self.0
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Detail::deserialize(deserializer).map(|detail| Self(Box::new(detail)))
    }
}
