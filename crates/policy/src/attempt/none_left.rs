//! What a call is told when no target of its route can be asked.

use std::time::Duration;

use types::{Code, Fault, Kind, Retry};

use super::Causes;
use super::OVERLOADED;

pub(super) fn unavailable(wait: Duration, why: Causes) -> Fault {
    let fault = if why.meets(OVERLOADED) {
        let message = "no target of this route has a place for another call now";
        Fault::new(Kind::ResourceExhausted, Code::Overloaded, message).with_hint(
            "as many calls as `overload` allows are running there, or the provider's own limit is used up; try \
             again after the time in Retry-After",
        )
    } else {
        let message = "every target of this route has failed lately, so none is asked now";
        Fault::new(Kind::Throttling, Code::ProviderError, message)
            .with_hint("their circuit breakers are open; try again after the time in Retry-After")
    };
    fault.with_retry(Retry::After(wait))
}

pub(super) fn no_target() -> Fault {
    Fault::new(Kind::Validation, Code::BadConfig, "no target of this route is there for a call's beginning")
        .with_blame(types::Blame::Operator)
        .with_hint("give the route a target without `when`")
}
