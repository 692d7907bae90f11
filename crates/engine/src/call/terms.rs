//! On what terms a call is answered, worked out once: by its caller, its limits and the load. They hold for every
//! attempt, and also for the rest of a stream that broke. Where the call may go is its plan's business.

use policy::degrade::Level;
use policy::limit::Standing;
use policy::retry;
use types::Moment;

use crate::call::profile::Wanted;
use crate::call::ration::Ration;

/// The terms of a call.
#[derive(Clone)]
pub(super) struct Terms {
    /// The call's own retries, instead of the route's.
    pub(super) retry: Option<retry::Policy>,
    /// The caller's own deadline.
    pub(super) deadline: Option<Moment>,
    /// When it must be over, as long as there is too much to do.
    pub(super) within: Option<Moment>,
    /// The target to be asked first; `None`: they are asked in order.
    pub(super) preferred: Option<usize>,
    /// The tokens that it will likely take in and give out.
    pub(super) expected: (u64, u64),
    /// The best that a limit which it exceeds lets it have.
    pub(super) least: Level,
    /// What it gets, if that is less than it asks for.
    pub(super) ration: Option<Ration>,
    /// Where its limits stand.
    pub(super) limits: Standing,
    /// The parameters of a task or profile, where one was asked for.
    pub(super) profile: Option<Box<Wanted>>,
}

impl Terms {
    /// The tokens that it will likely use.
    pub(super) const fn tokens(&self) -> u64 {
        self.expected.0 + self.expected.1
    }

    /// When the call must be over: the caller's own deadline, or what load allows.
    pub(super) fn over_by(&self) -> Option<Moment> {
        self.deadline.into_iter().chain(self.within).min()
    }
}
