//! The cases: each fault in each way of asking, and what a gateway owes its caller and the provider there.

use std::ops::RangeInclusive;

use wall::{Fault, Way};

/// One row of the scorecard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) fault: Fault,
    pub(super) way: Way,
    pub(super) owed: Owed,
    /// Requests that the provider may get for each call.
    pub(super) most: usize,
}

/// What the caller must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// The whole answer: there is no reason why not.
    Whole,
    /// The whole answer, or an error: both are right.
    Either(Wrong),
    /// An error: nothing else would be true.
    Error(Wrong),
    /// A stream that never ends: the caller leaves, and then the provider must be left too.
    Leaving,
}

/// What went wrong, in the status of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// 429.
    Throttled,
    /// 5xx.
    Failed,
    /// 5xx or 408.
    Late,
}

impl Case {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Fault::ALL.into_iter().flat_map(|fault| fault.ways().iter().map(move |way| Self::of(fault, *way)))
    }

    fn of(fault: Fault, way: Way) -> Self {
        use Owed::{Either, Error, Leaving, Whole};
        let (owed, most) = match fault {
            Fault::Well | Fault::OneByte => (Whole, 1),
            Fault::ErrorOnce => (Whole, 2),
            Fault::SlowStart | Fault::SlowBytes => (Either(Wrong::Late), 2),
            Fault::ThrottledOnce => (Either(Wrong::Throttled), 2),
            // Whoever is told to wait for an hour and asks again has not listened.
            Fault::ThrottledLong => (Error(Wrong::Throttled), 1),
            Fault::ThrottledBare => (Error(Wrong::Throttled), 3),
            Fault::Flapping | Fault::NoMark | Fault::WrongType | Fault::HugeHeader => {
                (Either(Wrong::Failed), 3)
            }
            // A silent provider has the call's time already: it gets no second helping of it.
            Fault::Silence | Fault::Stall => (Error(Wrong::Late), 2),
            Fault::Endless if way == Way::Streamed => (Leaving, 1),
            Fault::Endless => (Error(Wrong::Late), 2),
            Fault::Unavailable
            | Fault::Reset
            | Fault::Closed
            | Fault::Cut
            | Fault::CutInside
            | Fault::ShortLength
            | Fault::Malformed
            | Fault::NoEnd
            | Fault::Html
            | Fault::ErrorFirst
            | Fault::ErrorMidway
            | Fault::Empty
            | Fault::Braces => (Error(Wrong::Failed), 3),
        };
        Self { fault, way, owed, most }
    }

    /// Calls, one after the other.
    pub(super) const fn calls(&self) -> usize {
        if matches!(self.fault, Fault::Flapping) { 6 } else { 1 }
    }

    /// Its name at the wall.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.fault, self.way)
    }
}

impl Wrong {
    pub(super) const fn fits(self, status: u16) -> bool {
        const SERVERS: RangeInclusive<u16> = 500..=599;
        let server = *SERVERS.start() <= status && status <= *SERVERS.end();
        match self {
            Self::Throttled => status == 429,
            Self::Failed => server,
            Self::Late => server || status == 408,
        }
    }

    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Throttled => "429",
            Self::Failed => "5xx",
            Self::Late => "5xx or 408",
        }
    }
}
