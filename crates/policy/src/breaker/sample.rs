//! What one attempt says about the health of its deployment.

use types::{Blame, Code, Fault, Kind};

/// One settled attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It went well.
    Good,
    /// It went well, but took longer than the deployment's calls may.
    Slow,
    /// It failed, and the deployment or the way to it is to blame.
    Failed,
    /// The deployment said that it has too much to do: half a failure, because it lives and will be back.
    Overloaded,
}

impl Sample {
    /// What a fault says; `None`: nothing about health, so the permit is dropped without a sample.
    ///
    /// Rate limits are the limiter's business. What the caller did wrong, gave up or refused to wait for says
    /// nothing. Neither do our key, our credit and our own bugs: an open breaker would only hide them.
    pub fn of(fault: &Fault) -> Option<Self> {
        if matches!(fault.blame, Blame::Caller | Blame::Us) {
            return None;
        }
        match fault.kind {
            Kind::NetworkTimeout | Kind::InvalidResponse | Kind::DependencyFailure => Some(Self::Failed),
            Kind::Throttling => Some(Self::Overloaded),
            Kind::ResourceExhausted if fault.blame == Blame::Provider => match fault.code {
                Code::ContextTooLong => None,
                _ => Some(Self::Overloaded),
            },
            Kind::ResourceExhausted
            | Kind::RateLimit
            | Kind::Parsing
            | Kind::Validation
            | Kind::Authentication
            | Kind::Permanent
            | Kind::Budget
            | Kind::Cancelled => None,
        }
    }

    /// Failures, in halves.
    pub(super) const fn halves(self) -> u16 {
        match self {
            Self::Good | Self::Slow => 0,
            Self::Overloaded => 1,
            Self::Failed => 2,
        }
    }
}
