//! What a route says about falling back: its targets, their order, and what for each of them is there.

use types::{Code, Fault, Kind};

use crate::retry::Rules;

/// Targets that one route can have; the ones past it are never asked.
pub(super) const MOST_TARGETS: usize = 64;

/// Why a call leaves a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It could not be reached, or the connection broke.
    Unreachable,
    /// It said nothing in time.
    Silent,
    /// A rate limit.
    RateLimited,
    /// Too much to do.
    Overloaded,
    /// An error of its own.
    Failed,
    /// An answer that breaks its protocol.
    BadAnswer,
    /// The prompt does not fit its context.
    ContextTooLong,
    /// It refused the content.
    ContentFiltered,
    /// It does not know the model, our key, or a field of the request.
    Refused,
    /// Money: its credit, or a ceiling.
    OutOfCredit,
    /// Its breaker is open, so it was not asked.
    BreakerOpen,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Unreachable,
        Self::Silent,
        Self::RateLimited,
        Self::Overloaded,
        Self::Failed,
        Self::BadAnswer,
        Self::ContextTooLong,
        Self::ContentFiltered,
        Self::Refused,
        Self::OutOfCredit,
        Self::BreakerOpen,
    ];

    /// The name in configuration files, rows and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
            Self::BadAnswer => "bad_answer",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::Refused => "refused",
            Self::OutOfCredit => "out_of_credit",
            Self::BreakerOpen => "breaker_open",
        }
    }

    /// What a fault means for the route.
    pub fn of(fault: &Fault) -> Self {
        match (fault.code, fault.kind) {
            (Code::ContextTooLong, _) => Self::ContextTooLong,
            (Code::ContentFiltered, _) => Self::ContentFiltered,
            (Code::Timeout, Kind::NetworkTimeout) => Self::Silent,
            (_, Kind::NetworkTimeout) => Self::Unreachable,
            (_, Kind::RateLimit) => Self::RateLimited,
            (_, Kind::Throttling | Kind::ResourceExhausted) => Self::Overloaded,
            (_, Kind::DependencyFailure) => Self::Failed,
            (_, Kind::InvalidResponse) => Self::BadAnswer,
            (_, Kind::Budget) => Self::OutOfCredit,
            (
                _,
                Kind::Parsing | Kind::Validation | Kind::Authentication | Kind::Permanent | Kind::Cancelled,
            ) => Self::Refused,
        }
    }
}

/// A set of causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes(u16);

impl Causes {
    /// None.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, cause: Cause) -> Self {
        Self(self.0 | (1 << cause as u16))
    }

    /// Whether the two have a cause in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Cause> for Causes {
    fn from_iter<I: IntoIterator<Item = Cause>>(causes: I) -> Self {
        causes.into_iter().fold(Self::NONE, Self::with)
    }
}

/// One target of a route. The default: no condition, first priority, context unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The model's context in tokens, if known.
    pub context_tokens: Option<u64>,
    /// Only after one of these has happened in the call; empty: always.
    pub when: Causes,
    /// Lower ones are asked first; equal ones in the order of the route.
    pub priority: u8,
}

/// What happens to a call that a provider refuses for its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filtered {
    /// The caller gets the refusal, with the provider's reason.
    #[default]
    Return,
    /// The next target is asked: the route's owner says that it may.
    RouteAround,
}

/// What happens to a stream that breaks after its first content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamFailure {
    /// The caller gets an error event.
    #[default]
    Error,
    /// The rest is asked for, as any failed attempt is made good.
    Continue,
}

/// The part of a route that decides where a call goes. Shared by all its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The targets; no more than 64 are asked.
    pub targets: Box<[Target]>,
    /// How often each is asked.
    pub retry: Rules,
    /// What to do with a content refusal.
    pub filtered: Filtered,
    /// What to do when a stream breaks that the caller sees already.
    pub stream_failure: StreamFailure,
}

impl Route {
    /// So many targets without conditions.
    pub fn plain(targets: usize, retry: impl Into<Rules>) -> Self {
        Self {
            targets: vec![Target::default(); targets.min(MOST_TARGETS)].into_boxed_slice(),
            retry: retry.into(),
            filtered: Filtered::Return,
            stream_failure: StreamFailure::Error,
        }
    }
}
