//! How long the machine waits: for a stream's first content, for a plain answer, and for the whole call.
//!
//! The first byte of a plain answer comes when all of it is done, so its silence looks like a long answer. Where
//! nobody says how long one may take, an attempt gets a share of the time left: then a silent target leaves
//! enough of it for those behind it.

use types::{Code, Fault, Kind, Moment, Retry};

use super::{Allowances, Cause, Causes, MOST_TARGETS, Machine, Target};

impl Machine {
    /// Whether `target` may be asked after what has been `met`, if it was not left.
    pub(super) fn suits(&self, target: &Target, met: Causes) -> bool {
        (target.when.is_empty() || target.when.meets(met))
            && self.too_small.is_none_or(|least| target.context_tokens > Some(least))
    }

    /// Until when an attempt at `target` that begins at `now` waits for a stream's first content.
    pub(super) fn content_by(&self, target: usize, now: Moment, allow: &impl Allowances) -> Moment {
        let configured = self.timeouts.first_token;
        let patience = allow.first_token(target, now).map_or(configured, |own| own.min(configured));
        (now + patience).min(self.total_by)
    }

    /// Until when an attempt at `target` that begins at `now` waits for a plain answer.
    pub(super) fn whole_by(&self, target: usize, now: Moment) -> Moment {
        let left = self.total_by.since(now);
        let after_silence = self.met.with(Cause::Silent);
        let behind = self.route.targets.iter().enumerate().take(MOST_TARGETS).filter(|(index, other)| {
            *index != target && self.left & (1 << index) == 0 && self.suits(other, after_silence)
        });
        let behind = u32::try_from(behind.count()).unwrap_or(u32::MAX);
        let share = match self.timeouts.answer {
            Some(answer) => answer,
            None if behind == 0 => left,
            None => (left / behind.saturating_add(1)).max(self.timeouts.first_token.min(left / 2)),
        };
        (now + share).min(self.total_by)
    }

    pub(super) fn out_of_time(&self) -> Fault {
        let message = format!("the call's deadline passed after {} attempts", self.attempts);
        Fault::new(Kind::NetworkTimeout, Code::Timeout, message)
            .with_hint("raise the route's timeouts.total or the caller's deadline")
            .with_retry(Retry::Never)
    }
}
