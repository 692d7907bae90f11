//! Routes: a name for callers, the models behind it, and what happens when one fails.

use std::time::Duration;

use policy::{Timeouts, retry};

/// One entry of `routes`, with its models resolved: aliases and routes in its list are replaced by what
/// they stand for, and what stands there twice is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The model name for callers.
    pub name: String,
    /// The models, in order. Never empty.
    pub targets: Vec<Target>,
    /// How the first is chosen.
    pub strategy: Strategy,
    /// How often each is asked.
    pub retry: retry::Policy,
    /// Deadlines, where they differ from the provider's.
    pub timeouts: Deadlines,
    /// What happens to a stream that breaks after its first content.
    pub stream_failure: StreamFailure,
    /// What becomes of that which a provider's dialect cannot say.
    pub unsupported: Unsupported,
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

/// How a route chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The first that works, in order.
    #[default]
    Fallback,
}

/// What happens to a stream that breaks after its first content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamFailure {
    /// The caller gets an error event.
    #[default]
    Error,
}

/// Deadlines that may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// See [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// See [`Timeouts::first_token`].
    pub first_token: Option<Duration>,
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
            idle: self.idle.unwrap_or(base.idle),
            total: self.total.unwrap_or(base.total),
        }
    }
}
