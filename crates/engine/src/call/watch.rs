//! What one attempt tells about its deployment: to the breaker, the latencies, the balance and the tallies.
//!
//! The breaker's permit is settled with the first content, so that a deployment that is back is known to be
//! so before its first long answer has ended. A stream that is cut later counts as a failure of its own.
//! Whoever drops a watch before it was told anything has gone away: that says no more than that it took so long.

use std::sync::Arc;
use std::time::Duration;

use policy::attempt::Cause;
use policy::balance::Outstanding;
use policy::breaker::{Permit, Sample};
use policy::bulkhead::Pass;
use policy::concurrency::{Report, Room};
use types::{Blame, Code, Fault, Kind, Moment, Progress, Retry};
use upstream::clock;

use crate::call::Target;
use crate::call::permissions::Granted;
use crate::health::{Deployment, Place, Switch};

/// Tokens of an answer that are reckoned to take as long as its beginning.
const TOKENS: f64 = 50.0;

/// For how long one answer's headers can hold back what may come all at once, without the whole limit being known.
const MOST_CLOSED: Duration = Duration::from_mins(1);

/// For how long one refusal can close a deployment to all calls: providers say `Retry-After` for the rest of a day's
/// quota, and nobody for longer.
const MOST_REFUSED: Duration = Duration::from_hours(24);

/// An attempt, as its deployment sees it.
#[derive(Debug)]
pub(super) struct Watch {
    deployment: Arc<Deployment>,
    switch: Arc<Switch>,
    permit: Option<Permit>,
    place: Option<Place>,
    _pass: Option<Pass>,
    outstanding: Outstanding,
    /// What the route's own balance counts, where it has weights of its own.
    _share: Option<Outstanding>,
    began: Moment,
    /// The caller's own deadline.
    caller_by: Option<Moment>,
    /// The most tokens of an answer that comes whole; `None`: it streams.
    whole: Option<u64>,
    /// Whether its content has begun.
    begun: bool,
    over: bool,
}

/// What a watch starts from.
pub(super) struct Start {
    pub(super) granted: Granted,
    pub(super) share: Option<Outstanding>,
    /// Tokens that the call is expected to take.
    pub(super) tokens: u64,
    pub(super) caller_by: Option<Moment>,
    pub(super) whole: Option<u64>,
}

impl Watch {
    pub(super) fn begin(target: &Target, start: Start) -> Self {
        Self {
            outstanding: target.deployment.endpoint.send(start.tokens),
            deployment: Arc::clone(&target.deployment),
            switch: Arc::clone(&target.switch),
            permit: start.granted.permit,
            place: start.granted.place,
            _pass: start.granted.pass,
            _share: start.share,
            began: clock::now(),
            caller_by: start.caller_by,
            whole: start.whole,
            begun: false,
            over: false,
        }
    }

    /// What the provider's headers said of its own limits.
    pub(super) fn told(&self, limits: wire::RateLimits) {
        let Some(place) = self.place.as_ref().filter(|_| limits != wire::RateLimits::default()) else {
            return;
        };
        let room = |left: wire::Left| {
            let wire::Left { limit, remaining, reset } = left;
            // What comes back bit by bit closes nothing for long.
            let reset = if limit.is_some() { reset } else { reset.min(MOST_CLOSED) };
            Room { limit, remaining, reset }
        };
        let report = Report {
            requests: limits.requests.map(room),
            tokens: limits.tokens.map(room),
            retry_after: None,
        };
        place.report(&report, clock::now());
    }

    /// A stream's first content is there.
    pub(super) fn begun(&mut self) {
        let now = clock::now();
        let took = now.since(self.began);
        self.begun = true;
        self.deployment.health.first_token.record(now, took);
        self.outstanding.first_token(took, now);
        if let Some(place) = &mut self.place {
            place.first_token(took);
        }
        self.settle(|switch| switch.judge(took), now);
    }

    /// A whole answer of `tokens` is there.
    pub(super) fn whole(&mut self, tokens: u64) {
        let now = clock::now();
        let took = now.since(self.began);
        self.begun = true;
        // A long answer is not a slow model.
        let begun = self.deployment.health.answers.record(now, took, tokens);
        let took = beginning(took, tokens);
        self.outstanding.first_token(took, now);
        if let Some(place) = &mut self.place {
            place.first_token(took);
        }
        self.settle(|switch| switch.judge(begun), now);
        self.completed(now);
    }

    /// All of it has come.
    pub(super) fn complete(&mut self) {
        self.completed(clock::now());
    }

    fn completed(&mut self, now: Moment) {
        if let Some(place) = self.place.take() {
            place.finish(now);
        }
        if !std::mem::replace(&mut self.over, true) {
            self.deployment.health.total.record(now, now.since(self.began));
            self.deployment.ended(now, None);
        }
    }

    /// It failed, before its content or in the middle of it.
    pub(super) fn failed(&mut self, fault: &Fault) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let now = clock::now();
        let took = now.since(self.began);
        if fault.kind == Kind::NetworkTimeout {
            self.cut_off(now);
        }
        let impatient = self.impatient(fault, now);
        self.leave(fault, impatient, now);
        let cause = (!impatient).then(|| Cause::of(fault));
        self.deployment.ended(now, cause);
        match Sample::of(fault).filter(|_| !impatient) {
            Some(sample) => {
                self.outstanding.failed(took, now);
                self.settle(|_| sample, now);
            }
            None => self.permit = None,
        }
    }

    /// `fault`, with the blame where it belongs: on the caller who did not want to wait any longer. A connection that
    /// was not open by then is that caller's deadline, too, and says nothing about the provider.
    pub(super) fn blamed(&self, fault: Fault) -> Fault {
        if !self.impatient(&fault, clock::now()) {
            return fault;
        }
        let fault = match fault.code {
            Code::Unreachable if fault.progress == Progress::NothingSent => {
                let message = "the caller's own deadline passed before the provider could be reached";
                Fault::new(Kind::NetworkTimeout, Code::Timeout, message).with_progress(Progress::NothingSent)
            }
            _ => fault,
        };
        fault.with_blame(Blame::Caller)
    }

    fn impatient(&self, fault: &Fault, now: Moment) -> bool {
        fault.kind == Kind::NetworkTimeout && self.caller_by.is_some_and(|by| now >= by)
    }

    /// Nobody waits any longer for its content, if that has not begun.
    fn cut_off(&self, now: Moment) {
        let (health, waited) = (&self.deployment.health, now.since(self.began));
        match self.whole {
            _ if self.begun => {}
            None => health.first_token.record_at_least(now, waited),
            Some(most) => health.answers.record_at_least(now, waited, most),
        }
    }

    /// Gives its place back, and tells what the failure means for the others.
    fn leave(&mut self, fault: &Fault, impatient: bool, now: Moment) {
        let Some(place) = self.place.take() else { return };
        match (fault.kind, fault.retry) {
            (Kind::RateLimit, Retry::After(wait)) => {
                let retry_after = Some(wait.min(MOST_REFUSED));
                place.report(&Report { retry_after, ..Report::default() }, now);
            }
            (Kind::Throttling | Kind::NetworkTimeout, _) if !impatient => place.overloaded(now),
            _ => {}
        }
    }

    fn settle(&mut self, sample: impl Fn(&Switch) -> Sample, now: Moment) {
        self.deployment.settle(&self.switch, self.permit.take(), sample, now);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.over {
            self.cut_off(clock::now());
        }
    }
}

/// What the beginning of an answer of `tokens` would have taken.
#[expect(clippy::cast_precision_loss, reason = "no answer has so many tokens")]
fn beginning(took: Duration, tokens: u64) -> Duration {
    took.div_f64(1.0 + tokens as f64 / TOKENS)
}
