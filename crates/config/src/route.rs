//! Routes: a name for callers, the models behind it, and what happens when one fails.

use std::time::Duration;

pub use policy::attempt::StreamFailure;
use policy::attempt::{Causes, Filtered};
use policy::{Timeouts, breaker, hedge, retry};

/// One entry of `routes`, with its models resolved: aliases and routes in its list are replaced by what
/// they stand for, and what stands there twice is dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The model name for callers.
    pub name: String,
    /// The models, in order. Never empty.
    pub targets: Vec<Target>,
    /// What is said of each of them, in their order.
    pub terms: Vec<Terms>,
    /// How the first is chosen.
    pub strategy: Strategy,
    /// How often each is asked.
    pub retry: retry::Rules,
    /// How many calls of the route may be asked again.
    pub retry_budget: retry::Share,
    /// Deadlines, where they differ from the provider's.
    pub timeouts: Deadlines,
    /// Whether the deadline to first content follows the model's p99.
    pub adaptive_timeouts: bool,
    /// When a failing model is left alone: the defaults, where the route says nothing.
    pub breaker: Breaker,
    /// Backups for slow calls.
    pub hedge: hedge::Settings,
    /// What happens to a call that a provider refuses for its content.
    pub filtered: Filtered,
    /// What happens to a stream that breaks after its first content.
    pub stream_failure: StreamFailure,
    /// What becomes of that which a provider's dialect cannot say.
    pub unsupported: Unsupported,
    /// What its calls are for, unless they say it themselves. Known to [`crate::Config::profiles`].
    pub task: Option<String>,
    /// The performance profile of its calls, unless they name one. Known in the same way.
    pub profile: Option<String>,
}

/// What becomes of a field that the chosen provider's dialect cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// The call is refused with a 400 that names it.
    #[default]
    Refuse,
    /// It is left out, and the answer's `x-windlass-dropped` header names it.
    Drop,
}

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The provider's configured name. It exists.
    pub provider: String,
    /// The model's name for callers, without the provider.
    pub model: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// What a route says of one of its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its share under [`Strategy::Weighted`] and [`Strategy::LeastOutstanding`].
    pub weight: u32,
    /// Asked only after one of these has happened in the call; empty: always.
    pub when: Causes,
}

impl Default for Terms {
    fn default() -> Self {
        Self { weight: 1, when: Causes::NONE }
    }
}

/// How a route chooses whom to ask first. Whatever it is, the others come after, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The first that works, in order.
    #[default]
    Fallback,
    /// One after the other.
    RoundRobin,
    /// As often as its weight says.
    Weighted,
    /// The one with the fewest tokens to do, for its weight.
    LeastOutstanding,
    /// The quicker one of two random ones.
    Latency,
    /// The one that has read such a beginning before; where there is nothing to keep, as [`Strategy::Latency`].
    Affinity,
}

/// What holds for calls that name a model and no route, and for routes that do not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// How often a model is asked.
    pub retry: retry::Rules,
    /// How many calls may be asked again, of each route and of all together.
    pub retry_budget: retry::Share,
    /// Whether deadlines to first content follow the p99.
    pub adaptive_timeouts: bool,
    /// The breaker of each model of each provider.
    pub breaker: Breaker,
}

/// When a failing model is left alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breaker {
    /// Whether at all.
    pub enabled: bool,
    /// Its numbers.
    pub settings: breaker::Settings,
    /// A call is slow whose first content took longer; `None`: none is.
    pub slow: Option<Duration>,
    /// Whether it opens early where failure is foreseen.
    pub forecast: bool,
}

/// Deadlines that may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// See [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// See [`Timeouts::first_token`].
    pub first_token: Option<Duration>,
    /// See [`Timeouts::answer`].
    pub answer: Option<Duration>,
    /// See [`Timeouts::idle`].
    pub idle: Option<Duration>,
    /// See [`Timeouts::total`].
    pub total: Option<Duration>,
}

impl Deadlines {
    /// `base`, with what is set here in place of it.
    pub fn over(&self, base: Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.unwrap_or(base.connect),
            first_token: self.first_token.unwrap_or(base.first_token),
            answer: self.answer.or(base.answer),
            idle: self.idle.unwrap_or(base.idle),
            total: self.total.unwrap_or(base.total),
        }
    }
}
