//! What kind of second chance a fault deserves.

use types::{Code, Fault, Kind, Progress, Retry};

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Give up: no target would do better.
    GiveUp,
    /// This target will not do it; another one may.
    Next,
    /// The same target may do it next time.
    Again,
    /// A target with a larger context may do it.
    Larger,
    /// Refused for its content: the route says whether another target may be asked.
    Filtered,
}

/// One line per kind: a new kind does not compile without one.
pub(super) fn judge(fault: &Fault) -> Verdict {
    if fault.progress == Progress::Streaming {
        return Verdict::GiveUp;
    }
    match (fault.kind, fault.code) {
        // Whatever kind a provider makes of it.
        (Kind::Validation | Kind::ResourceExhausted | Kind::Permanent, Code::ContextTooLong) => {
            Verdict::Larger
        }
        // A refusal for content is the provider's answer, not a failure to route around.
        (Kind::Permanent, Code::ContentFiltered) => Verdict::Filtered,
        // The caller's own: no provider would take it. What one provider cannot express another one may.
        (Kind::Validation, Code::Unsupported) => Verdict::Next,
        (Kind::Validation | Kind::Parsing | Kind::Cancelled, _) => Verdict::GiveUp,
        (Kind::Permanent, Code::Internal) => Verdict::GiveUp,
        // Silence: asking the silent one again would double the caller's wait.
        (Kind::NetworkTimeout, Code::Timeout | Code::StreamStalled) => Verdict::Next,
        // Our credentials, our credit or the model's absence there: another provider is not concerned.
        (Kind::Authentication | Kind::Budget | Kind::Permanent, _) => Verdict::Next,
        (
            Kind::NetworkTimeout
            | Kind::RateLimit
            | Kind::InvalidResponse
            | Kind::DependencyFailure
            | Kind::ResourceExhausted
            | Kind::Throttling,
            _,
        ) => match fault.retry {
            Retry::Never => Verdict::Next,
            Retry::Maybe | Retry::After(_) => Verdict::Again,
        },
    }
}
