//! One attempt's row, from its first moment to the ledger.
//!
//! A record ends exactly once: by [`Record::end`], or by being dropped, which is how a call ends whose caller
//! hung up, whose process stops, or whose code panicked. That is work in `Drop`, against the house's habit:
//! there is no other place that all ways out pass. It is one bounded append to the spool, never a wait.

use std::sync::Arc;

use policy::limit::Signal;
use telemetry::trace::{Context, SpanId};
use types::ledger::{Outcome, Rest, Row, Seam};
use types::{AttemptKey, Blame, Fault, Moment, Money, Progress, Timing, Usage, UsageSource};
use upstream::clock;

use crate::Engine;
use crate::call::{Planned, Target};
use crate::counting::{Job, Told};
use crate::limits::Grant;

/// What an attempt came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settled {
    /// Tokens.
    pub usage: Usage,
    /// How they are known.
    pub source: UsageSource,
    /// What they cost; `None`: the price is unknown.
    pub cost: Option<Money>,
    /// Where the time went.
    pub timing: Timing,
}

/// An attempt that is going on.
pub(crate) struct Record {
    engine: Engine,
    target: Arc<Target>,
    context: Context,
    began: Moment,
    /// Gone once the row is in the spool.
    row: Option<Box<Row>>,
    /// Our own guess at the input's tokens, before any factor: what calibration compares with the truth.
    rough_input: u64,
    /// What the provider's headers said of its own limits.
    limits: wire::RateLimits,
    /// What it counts of its model's own limit, until that is settled.
    counted: Option<Box<Grant>>,
    /// What can be counted should no usage be reported.
    told: Option<Box<Told>>,
}

impl Record {
    /// Begins the record of attempt number `attempt`.
    pub(super) fn begin(
        engine: &Engine,
        planned: &Planned<'_>,
        target: &Arc<Target>,
        attempt: policy::attempt::Send,
        context: Context,
    ) -> Self {
        let parsed = &planned.admitted.parsed;
        let who = &planned.admitted.who;
        let step = parsed.inbound.head.step.as_ref();
        let row = Row {
            key: AttemptKey { call: parsed.call, attempt: attempt.attempt },
            at: clock::wall(),
            trace: context.trace,
            caller: who.key.clone(),
            tenant: who.tenant.clone(),
            user: who.user.clone(),
            asked: Arc::clone(&planned.plan.name),
            provider: Arc::clone(&target.provider.name),
            model: Arc::clone(&target.id),
            dialect: parsed.inbound.dialect,
            streamed: parsed.peek.stream,
            fallback: planned.is_fallback(attempt),
            simulated: target.provider.is_simulated(),
            outcome: Outcome::Failed,
            status: None,
            fault: None,
            code: None,
            usage: Usage::default(),
            usage_source: UsageSource::None,
            cost: None,
            timing: Timing::default(),
            run: step.map(|step| step.run),
            step: step.map(|step| Arc::clone(&step.name)),
            profile: None,
            seam: None,
        };
        Self {
            engine: engine.clone(),
            target: Arc::clone(target),
            context,
            began: clock::now(),
            row: Some(Box::new(row)),
            rough_input: models::tokens::rough(parsed.inbound.body.len()),
            limits: wire::RateLimits::default(),
            counted: None,
            told: if planned.admitted.snapshot.config().storage.count_tokens {
                Told::of(parsed.inbound.dialect, &parsed.inbound.body, &target.id)
            } else {
                None
            },
        }
    }

    /// With what the attempt counts of its model's own limit: settled with the row.
    pub(super) fn counting(mut self, counted: Option<Box<Grant>>) -> Self {
        self.counted = counted;
        self
    }

    /// The trace context that the provider is sent: this attempt's own span.
    pub(super) fn traceparent(&self) -> Option<http::HeaderValue> {
        let key = self.row.as_ref()?.key;
        let span = SpanId::from(key.call).child(key.attempt.into());
        let sampled = self.engine.exporter().sampled(&self.context);
        http::HeaderValue::from_bytes(self.context.traceparent(span, sampled).as_bytes()).ok()
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// The row, while it may still be changed.
    pub(super) fn row(&mut self) -> Option<&mut Row> {
        self.row.as_deref_mut()
    }

    /// It goes on with an answer that another attempt began.
    pub(super) fn goes_on(&mut self, seam: Seam) {
        // What is read and what is said is not what the caller's request and its answer are.
        self.told = None;
        if seam.how == Rest::Prefill {
            // The beginning is part of what is read.
            self.rough_input += models::tokens::rough(usize::try_from(seam.at_bytes).unwrap_or(usize::MAX));
        }
        if let Some(row) = &mut self.row {
            row.seam = Some(seam);
        }
    }

    /// The answer's head has come: from here on the attempt costs something, however it ends.
    pub(super) fn answered(&mut self, status: u16, timing: Timing) {
        if let Some(row) = &mut self.row {
            row.status = Some(status);
            row.timing = timing;
        }
    }

    /// What the provider's headers say of its own limits.
    pub(super) fn told(&mut self, limits: wire::RateLimits) {
        self.limits = limits;
    }

    pub(super) const fn limits(&self) -> wire::RateLimits {
        self.limits
    }

    /// The request is on its way: if nothing better is learned, its input counts as read.
    pub(super) fn sent(&mut self) {
        let usage = Usage::plain(self.estimate(self.rough_input), 0);
        self.know(usage, UsageSource::Estimated);
    }

    /// What is known of the usage so far. A reported figure replaces every estimate.
    pub(super) fn know(&mut self, usage: Usage, source: UsageSource) {
        if let Some(row) = &mut self.row {
            row.usage = usage;
            row.usage_source = source;
        }
    }

    /// Whether the answer's text is wanted, should the provider not tell its usage.
    pub(super) const fn counts(&self) -> bool {
        self.told.is_some()
    }

    /// What came of the answer; `None`: not only text.
    pub(super) fn heard(&mut self, text: Option<&str>) {
        if let Some(told) = &mut self.told {
            told.answered(text);
        }
    }

    /// Part of the answer was seen and the provider said nothing of usage: an estimate, labelled as one.
    pub(super) fn know_partial(&mut self, reported: Option<Usage>, text_bytes: u64) {
        let output = self.estimate(models::tokens::rough(usize::try_from(text_bytes).unwrap_or(usize::MAX)));
        match reported {
            // Anthropic tells the input at the start and the output at the end: keep what is larger.
            Some(usage) => {
                let output = usage.output.max(output);
                self.know(Usage { output, ..usage }, UsageSource::Estimated);
            }
            None => self.know(Usage::plain(self.estimate(self.rough_input), output), UsageSource::Estimated),
        }
    }

    fn estimate(&self, rough: u64) -> u64 {
        self.engine.estimates().correct(&self.target.id, rough)
    }

    /// The attempt is over.
    pub(super) fn end(mut self, outcome: Outcome, fault: Option<&Fault>) -> Settled {
        self.settle(outcome, fault).unwrap_or_default()
    }

    /// Nobody waits for its end any more.
    pub(super) fn dropped(mut self) -> Settled {
        self.drop_now().unwrap_or_default()
    }

    fn drop_now(&mut self) -> Option<Settled> {
        let why = self.engine.why_dropped();
        // The same fault as where the call itself sees that the process stops.
        let fault = if why == Outcome::Stopped { self.engine.cut_off() } else { None };
        self.settle(why, fault.as_ref())
    }

    /// The attempt failed before the caller saw anything of it.
    pub(super) fn fail(mut self, fault: &Fault) -> Settled {
        if let Some(row) = &mut self.row {
            row.status = row.status.or(fault.status);
            // What answers with an error status charges nothing; what fell silent may have.
            let refused = row.status.is_some_and(|status| status >= 400);
            if refused || fault.progress == Progress::NothingSent {
                row.usage = Usage::default();
                row.usage_source = UsageSource::None;
            }
        }
        self.settle(Outcome::Failed, Some(fault)).unwrap_or_default()
    }

    fn settle(&mut self, outcome: Outcome, fault: Option<&Fault>) -> Option<Settled> {
        let mut row = self.row.take()?;
        row.outcome = outcome;
        row.fault = fault.map(|fault| fault.kind);
        row.code = fault.map(|fault| fault.code);
        row.timing.total = Some(clock::now() - self.began);
        row.cost = match row.usage_source {
            // Nothing was used, so nothing is owed, whatever the price.
            UsageSource::None => Some(Money::ZERO),
            UsageSource::Reported | UsageSource::Counted | UsageSource::Estimated => {
                self.target.cost(&row.usage)
            }
        };
        if let Some(counted) = self.counted.take() {
            settle_limit(*counted, &row, fault);
        }
        self.engine.settled(&self.target, &row, self.rough_input, &self.context, fault);
        let settled =
            Settled { usage: row.usage, source: row.usage_source, cost: row.cost, timing: row.timing };
        if row.usage_source == UsageSource::Estimated
            && let Some(told) = self.told.take()
        {
            self.engine.counting().later(Job { row, target: Arc::clone(&self.target), told });
        }
        Some(settled)
    }
}

/// Gives back what an attempt took of its model's own limit and did not use.
fn settle_limit(counted: Grant, row: &Row, fault: Option<&Fault>) {
    let now = clock::now();
    if row.status.is_none() && row.usage_source == UsageSource::None {
        // It never reached the provider.
        return counted.cancel(now);
    }
    let signal = match row.outcome {
        Outcome::Complete => {
            row.timing.first_token.or(row.timing.total).map_or(Signal::None, Signal::Answered)
        }
        Outcome::Failed | Outcome::Cut | Outcome::Stalled
            if fault.is_some_and(|fault| fault.blame != Blame::Caller) =>
        {
            Signal::Failed
        }
        _ => Signal::None,
    };
    counted.settle(row.usage.total(), signal, now);
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.row.is_none() {
            return;
        }
        self.drop_now();
    }
}
