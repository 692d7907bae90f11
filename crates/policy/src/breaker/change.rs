//! What a breaker tells when its state changes.

use std::fmt;

use types::Moment;

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// All.
    Closed,
    /// None.
    Open,
    /// A few probes.
    HalfOpen,
    /// A growing share.
    Ramping,
}

impl State {
    /// The name in rows, labels and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Ramping => "ramping",
        }
    }
}

/// Why it changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// So many calls failed in a row.
    Streak {
        /// How many; overloads count half.
        failures: u32,
    },
    /// The failures of the last ten seconds prove a rate above the threshold.
    Rate {
        /// Failures; overloads count half.
        failures: u32,
        /// Among so many calls.
        calls: u32,
    },
    /// The failures have gathered faster than the threshold allows (a cumulative sum, whatever the traffic).
    Drift,
    /// The calls of the last ten seconds prove a share of slow ones above its threshold.
    Slow {
        /// Slow calls.
        slow: u32,
        /// Among so many.
        calls: u32,
    },
    /// The time is over: probes may go.
    Waited,
    /// The probes went well.
    ProbesWell,
    /// The probes, or the first of the returning traffic, went badly.
    ProbesBad,
    /// All traffic is back.
    Ramped,
    /// Failure is coming, says the forecast.
    Foreseen(crate::analysis::Sign),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Streak { failures } => write!(f, "{failures} calls failed in a row"),
            Self::Rate { failures, calls } => {
                write!(f, "{failures} of {calls} calls failed in the last 10 s")
            }
            Self::Drift => f.write_str("failures gather faster than the threshold allows"),
            Self::Slow { slow, calls } => write!(f, "{slow} of {calls} calls were slow in the last 10 s"),
            Self::Waited => f.write_str("the wait is over, probes may go"),
            Self::ProbesWell => f.write_str("the probes went well"),
            Self::ProbesBad => f.write_str("the probes went badly"),
            Self::Ramped => f.write_str("all traffic is back"),
            Self::Foreseen(sign) => write!(f, "opened early: {sign}"),
        }
    }
}

/// A change of state: an event for logs, metrics and the dashboard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// From.
    pub from: State,
    /// To.
    pub to: State,
    /// Why.
    pub why: Why,
    /// When.
    pub at: Moment,
    /// For an opened one: no call goes through before.
    pub until: Option<Moment>,
}
