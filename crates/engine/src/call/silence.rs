//! What a call is told when a provider says nothing in time: which of its deadlines ran out.

use policy::attempt::Send;
use types::{Code, Fault, Kind, Moment, Progress};

use crate::call::{Planned, Target};

/// The attempt that began at `began` has brought nothing by its deadline.
pub(super) fn silent(planned: &Planned<'_>, target: &Target, send: Send, began: Moment) -> Fault {
    let streamed = planned.admitted.parsed.peek.stream;
    let timeouts = &planned.plan.timeouts;
    let by = send.answer_by;
    let waited = by.since(began);
    let total_by = planned.admitted.parsed.began + timeouts.total;
    let which = if by >= send.total_by {
        if planned.terms.deadline == Some(by) {
            "the end of the caller's own deadline".to_owned()
        } else if by >= total_by {
            format!("the end of the call's `timeouts.total` of {:?}", timeouts.total)
        } else {
            "the end of what a call may take while there is too much to do".to_owned()
        }
    } else if streamed && waited < timeouts.first_token {
        "twice what is usual there (`adaptive_timeouts`)".to_owned()
    } else if streamed {
        "its `timeouts.first_token`".to_owned()
    } else if timeouts.answer.is_some() {
        "its `timeouts.answer`".to_owned()
    } else {
        format!("its share of `timeouts.total` ({:?}), as no `timeouts.answer` is set", timeouts.total)
    };
    let what = if streamed { "no content" } else { "no whole answer" };
    let message = format!("{} is silent: {what} came in {}, {which}", target.provider.name, shown(waited));
    Fault::new(Kind::NetworkTimeout, Code::Timeout, message).with_progress(Progress::PerhapsExecuted)
}

/// The deadline of the whole call has passed while its answer was streaming.
pub(super) fn overrun() -> Fault {
    let message = "the call's deadline (`timeouts.total`, or the caller's own where that is shorter) passed while the \
                   answer was streaming";
    Fault::new(Kind::NetworkTimeout, Code::Timeout, message)
}

/// To the millisecond: a wait is measured in nanoseconds, and nobody reads them.
fn shown(wait: std::time::Duration) -> String {
    format!("{:?}", std::time::Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
}
