//! A call as a whole, over all its attempts: in flight while it lasts, told once when it has ended.
//!
//! Like a [`Record`](super::record::Record) it ends by being dropped where nobody ended it before.

use std::sync::Arc;
use std::time::Duration;

use policy::bulkhead::Pass;
use policy::limit::{Signal, Standing, Tier};
use telemetry::log::CallEnd;
use telemetry::metrics::InFlight as Gauge;
use telemetry::trace::{CallSpan, Context};
use types::ledger::Outcome;
use types::{Blame, CallId, Dialect, Fault, Moment, Money, Timestamp, TraceId};
use upstream::clock;

use crate::call::{Inbound, Refusal, Settled};
use crate::limits::Grant;
use crate::{Engine, ids};

/// A call that is going on.
pub(crate) struct Tally {
    engine: Engine,
    call: CallId,
    context: Context,
    dialect: Dialect,
    /// What the caller asked for, once that is known.
    asked: Option<Arc<str>>,
    caller: Option<Arc<str>>,
    start: Timestamp,
    began: Moment,
    attempts: u16,
    /// Attempts whose cost it has not been told.
    open: u16,
    cost: Option<Money>,
    told: bool,
    /// The compartment that it is in.
    pass: Option<Pass>,
    /// What it took of its limits; boxed here and where else a call keeps it, because most have none.
    grant: Option<Box<Grant>>,
    /// The part of it that is the model's own, for the first attempt at this target.
    ahead: Option<(usize, Box<Grant>)>,
    limits: Standing,
    /// Tokens of all attempts that were settled, and the time to the last one's content.
    tokens: u64,
    content: Option<Duration>,
    _gauge: Gauge,
}

impl Engine {
    /// Names a request that never became a call, and tells the log why, so that its caller can ask about it. Of many
    /// in one second the log has the first ones, and how many there were.
    pub fn turned_away(&self, fault: &Fault) -> CallId {
        let call = ids::call();
        let end = CallEnd {
            call,
            trace: TraceId::from(call),
            caller: None,
            asked: "",
            outcome: Outcome::Failed,
            attempts: 0,
            duration: Duration::ZERO,
            cost: Some(Money::ZERO),
        };
        self.refused(&end, fault);
        call
    }

    /// Nothing was sent for it: whoever causes such a line pays nothing for it.
    fn refused(&self, end: &CallEnd<'_>, fault: &Fault) {
        self.metrics().refused(fault.kind);
        self.0.refusals.tell(end, fault, clock::now());
    }
}

impl Tally {
    pub(super) fn begin(engine: &Engine, inbound: &Inbound) -> Self {
        let call = ids::call();
        let given = inbound.head.trace;
        engine.enter();
        Self {
            call,
            context: given.unwrap_or_else(|| Context::root(TraceId::from(call))),
            dialect: inbound.dialect,
            asked: None,
            caller: None,
            start: clock::wall(),
            began: clock::now(),
            attempts: 0,
            open: 0,
            cost: Some(Money::ZERO),
            told: false,
            pass: None,
            grant: None,
            ahead: None,
            limits: Standing::default(),
            tokens: 0,
            content: None,
            _gauge: engine.metrics().call_started(),
            engine: engine.clone(),
        }
    }

    pub(super) const fn call(&self) -> CallId {
        self.call
    }

    pub(super) const fn began(&self) -> Moment {
        self.began
    }

    pub(super) const fn context(&self) -> Context {
        self.context
    }

    /// What the call turned out to be.
    pub(super) fn planned(&mut self, asked: &Arc<str>, caller: Option<&Arc<str>>) {
        self.asked = Some(Arc::clone(asked));
        self.caller = caller.cloned();
    }

    /// The call stays in this compartment until it is over.
    pub(super) fn hold(&mut self, pass: Option<Pass>) {
        self.pass = pass;
    }

    /// One more attempt was made.
    pub(super) fn attempted(&mut self) {
        self.attempts += 1;
        self.open += 1;
    }

    /// Attempts so far.
    pub(super) const fn attempts(&self) -> u16 {
        self.attempts
    }

    /// The call has taken this of its limits, and of the model's own for an attempt at `target`.
    pub(super) fn granted(&mut self, mut grant: Grant, target: usize) {
        self.limits = grant.standing();
        self.ahead = grant.part(Tier::Model).map(|part| (target, Box::new(part)));
        self.grant = Some(Box::new(grant));
    }

    /// What was taken of the model's own limit for an attempt at `target`, which is now made. What was taken for
    /// another target is given back.
    pub(super) fn ahead(&mut self, target: usize) -> Option<Box<Grant>> {
        let (of, part) = self.ahead.take()?;
        if of == target {
            return Some(part);
        }
        part.cancel(clock::now());
        None
    }

    /// A limit did not let it pass.
    pub(super) fn denied(&mut self, standing: Standing) {
        self.limits = standing;
    }

    /// What an attempt came to; a cost that is unknown once makes the whole unknown.
    pub(super) fn spent(&mut self, settled: &Settled) {
        self.open = self.open.saturating_sub(1);
        self.cost = self.cost.and_then(|sum| Some(sum + settled.cost?));
        self.tokens += settled.usage.total();
        self.content = settled.timing.first_token.or(settled.timing.total);
    }

    /// What all attempts so far cost together; of one that was dropped under way only its row tells.
    pub(super) const fn cost(&self) -> Option<Money> {
        if self.open == 0 { self.cost } else { None }
    }

    /// The call has ended; `fault` tells why, where it did not end well.
    pub(super) fn end(mut self, outcome: Outcome, fault: Option<&Fault>) {
        self.tell(outcome, fault);
    }

    /// The call was not answered.
    pub(super) fn refuse(mut self, outcome: Outcome, fault: Fault) -> Refusal {
        self.tell(outcome, Some(&fault));
        Refusal {
            call: self.call,
            trace: self.context.trace,
            attempts: self.attempts,
            cost: self.cost(),
            limits: self.limits,
            fault,
        }
    }

    fn tell(&mut self, outcome: Outcome, fault: Option<&Fault>) {
        self.told = true;
        self.settle_limits(fault);
        let asked = self.asked.as_deref().unwrap_or_default();
        let duration = clock::now() - self.began;
        let failed = fault.is_some_and(|fault| fault.blame != Blame::Caller);
        self.engine.0.pulse.ended(duration, failed);
        self.engine.metrics().call_ended(self.dialect, outcome);
        let end = CallEnd {
            call: self.call,
            trace: self.context.trace,
            caller: self.caller.as_deref(),
            asked,
            outcome,
            attempts: self.attempts,
            duration,
            cost: self.cost(),
        };
        match fault {
            Some(fault) if self.attempts == 0 => self.engine.refused(&end, fault),
            Some(fault) => telemetry::log::call_failed(&end, fault),
            None => telemetry::log::call_done(&end),
        }
        if self.engine.exporter().wants(&self.context) {
            self.engine.exporter().call(&CallSpan {
                context: self.context,
                call: self.call,
                dialect: self.dialect,
                asked,
                start: self.start,
                duration,
                outcome,
                fault: fault.map(|fault| (fault.kind, fault.code)),
                attempts: &[],
            });
        }
    }
}

impl Tally {
    /// Gives back what the call took of its limits and did not use. One that was cut off by its caller and
    /// of which nothing is known stays charged as estimated.
    fn settle_limits(&mut self, fault: Option<&Fault>) {
        if let Some((_, unused)) = self.ahead.take() {
            unused.cancel(clock::now());
        }
        let Some(grant) = self.grant.take() else { return };
        let now = clock::now();
        let signal = match (fault, self.content) {
            (Some(fault), _) if fault.blame == Blame::Caller => Signal::None,
            (Some(_), _) => Signal::Failed,
            (None, Some(content)) => Signal::Answered(content),
            (None, None) => Signal::None,
        };
        if self.attempts == 0 {
            grant.cancel(now);
        } else if fault.is_some() || self.tokens > 0 {
            grant.settle(self.tokens, signal, now);
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if !self.told {
            self.tell(self.engine.why_dropped(), None);
        }
        self.engine.leave();
    }
}
