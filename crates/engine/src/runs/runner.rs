//! The driver of one run: carries out the machine's commands, writes down what happened, tells who watches.
//!
//! What happens is handed to the journal at once and in order. Three rules say who waits for it:
//!
//! 1. *Told means kept.* Nobody hears of an event, nor of the run's end, before it is kept.
//! 2. *What is kept is a beginning of what happened*, so a resumed run never has an answer without those that it
//!    was made from.
//! 3. *No step starts before the answers so far are kept*, but for answers that came within [`QUICK`] (no call
//!    over a network does), and these only for as long as the oldest has not waited for longer than [`LATE`].
//!
//! So a killed run, resumed, asks no model again for a step that anybody was told of, nor for one that another
//! step was started after; except for steps that took less than [`QUICK`], of which nobody was told. Steps that
//! answer at once need not wait for a transaction each, and share one. Why: `docs/book/decisions/0005`.
//!
//! All steps of a run are polled in one task; they wait for networks, not for processors.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chain::{Command, Event, Machine, RunResult, RunStatus};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use store::journal::{Claim, Ending, Entry, Status};
use store::{Answer, StoreError};
use telemetry::log::RunEnded;
use telemetry::metrics::{RunEnd, RunStatus as Told};
use telemetry::trace::{Context, RunSpan, StepSpan};
use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::Level;
use types::{Blame, Fault, Moment, Timestamp, TraceId};
use upstream::clock;

use crate::runs::step::{Cut, Shared};
use crate::runs::{LEASE, Seen, journal_fault, says};
use crate::{Engine, Who};

/// How often the claim is renewed: twice in vain before it is lost.
const RENEW: Duration = Duration::from_secs(10);

/// A step that took no longer may be asked again after a kill: doing so costs less than keeping its answer.
const QUICK: Duration = Duration::from_micros(100);
/// How long the journal may take for quick steps before the run waits for it.
const LATE: Duration = Duration::from_millis(10);

pub(super) struct Runner {
    shared: Arc<Shared>,
    machine: Machine,
    claim: Claim,
    /// The number of the next event.
    seq: u64,
    /// What has been handed to the journal and is not known to be kept, the oldest first.
    writes: VecDeque<Write>,
    start: Timestamp,
    began: Moment,
}

/// Events on their way into the journal.
struct Write {
    kept: Answer<'static, ()>,
    since: Moment,
    /// The number of the first.
    seq: u64,
    events: Vec<Arc<Event>>,
    /// Whether no step may start before it is kept.
    dear: bool,
}

/// Why the driver stops.
enum Stop {
    /// The run has ended.
    Over,
    /// This process stops; another one can go on.
    Left,
    /// The journal cannot be written, or the run belongs to somebody else by now.
    Lost(Fault),
}

impl Runner {
    pub(super) fn new(
        engine: Engine,
        machine: Machine,
        claim: Claim,
        (context, who, model): (Context, Who, Option<String>),
    ) -> Self {
        let chain = Arc::clone(machine.chain());
        let shared = Shared { engine, chain, run: claim.run, context, who, model, cut: Cut::default() };
        Self {
            shared: Arc::new(shared),
            machine,
            claim,
            seq: 0,
            writes: VecDeque::new(),
            start: clock::wall(),
            began: clock::now(),
        }
    }

    /// The run's creation is still on its way into the journal.
    pub(super) fn created(&mut self, kept: Answer<'static, Claim>) {
        let kept: Answer<'static, ()> = Box::pin(async { kept.await.map(|_| ()) });
        self.writes.push_back(Write { kept, since: self.began, seq: 0, events: Vec::new(), dear: false });
    }

    /// The journal has so many events already.
    pub(super) fn goes_on_at(&mut self, seq: u64) {
        self.seq = seq;
    }

    pub(super) const fn id(&self) -> types::RunId {
        self.claim.run
    }

    pub(super) fn trace(&self) -> TraceId {
        self.shared.context.trace
    }

    pub(super) fn chain(&self) -> &Arc<chain::Chain> {
        &self.shared.chain
    }

    pub(super) fn finished(&self) -> usize {
        self.machine.finished()
    }

    /// Drives the run to its end. `events` are not in the journal yet, `commands` follow from them.
    pub(super) async fn drive(
        mut self,
        events: Vec<Event>,
        commands: Vec<Command>,
        (watchers, cancel): (broadcast::Sender<Seen>, CancellationToken),
    ) -> RunResult {
        let engine = self.shared.engine.clone();
        engine.enter();
        let metrics = engine.metrics().chain(self.shared.chain.name());
        let active = metrics.run_started();
        let stop = self.work(events, commands, &watchers, &cancel).await;
        let mut result = self.machine.result(self.claim.run, self.trace(), clock::now() - self.began);
        let result = match stop {
            Stop::Over => self.end(result, &watchers).await,
            Stop::Left => {
                self.leave(&watchers).await;
                Arc::new(result)
            }
            Stop::Lost(fault) => {
                result.status = RunStatus::Failed;
                result.error = Some(fault);
                Arc::new(result)
            }
        };
        drop(active);
        self.tell(&result);
        engine.0.runs.remove(self.claim.run);
        engine.leave();
        Arc::unwrap_or_clone(result)
    }

    async fn work(
        &mut self,
        mut events: Vec<Event>,
        mut commands: Vec<Command>,
        watchers: &broadcast::Sender<Seen>,
        cancel: &CancellationToken,
    ) -> Stop {
        let mut calls = FuturesUnordered::new();
        let mut renew = every(RENEW);
        let aborting = self.shared.engine.0.aborting.clone();
        loop {
            let mut over = false;
            let mut asked = Vec::new();
            for command in commands.drain(..) {
                match command {
                    Command::Call(call) => {
                        events.push(Event::StepStarted { step: call.step, call: None });
                        asked.push(call);
                    }
                    Command::Finish(_) => over = true,
                }
            }
            self.write(events.drain(..));
            if over {
                return Stop::Over;
            }
            let mut kept = self.look(watchers);
            if kept.is_ok() && !asked.is_empty() && self.must_wait() {
                kept = self.catch_up(watchers).await;
            }
            if let Err(fault) = kept {
                return Stop::Lost(fault);
            }
            // Boxed, because a call is large and would be moved from hand to hand.
            calls.extend(asked.into_iter().map(|call| Box::pin(Arc::clone(&self.shared).ask(call))));
            let deadline = self.machine.deadline().map(clock::instant);
            let event = loop {
                tokio::select! {
                    biased;
                    Some(event) = calls.next() => break event,
                    kept = oldest(&mut self.writes) => {
                        if let Err(fault) = self.kept(kept, watchers) {
                            return Stop::Lost(fault);
                        }
                    }
                    () = cancel.cancelled() => break Event::Cancelled,
                    () = aborting.cancelled() => return Stop::Left,
                    () = until(deadline) => break Event::DeadlinePassed,
                    _ = renew.tick() => {
                        let now = clock::wall();
                        if let Err(error) = self.shared.engine.journal().renew(&self.claim, now, LEASE).await {
                            return Stop::Lost(journal_fault(error));
                        }
                    }
                }
            };
            self.step_ended(&event);
            commands = self.machine.next(&event, clock::now());
            events.push(event);
            // Ended from outside: what is under way ends now, and tells what it took.
            if self.machine.running() > 0
                && let Some(Err(fault)) = self.machine.outcome()
            {
                self.shared.cut.now(fault.clone());
                while let Some(event) = calls.next().await {
                    self.step_ended(&event);
                    commands.extend(self.machine.next(&event, clock::now()));
                    events.push(event);
                }
            }
        }
    }

    /// Hands events to the journal, which has them in order from here on.
    fn write(&mut self, events: impl Iterator<Item = Event>) {
        let events: Vec<Arc<Event>> = events.map(Arc::new).collect();
        if events.is_empty() {
            return;
        }
        let entries = events.iter().map(|event| -> Arc<dyn Entry> { Arc::<Event>::clone(event) }).collect();
        let kept = self.shared.engine.journal().append(&self.claim, self.seq, entries);
        let seq = self.seq;
        self.seq += events.len() as u64;
        let dear = events.iter().any(|event| is_dear(event));
        self.writes.push_back(Write { kept, since: clock::now(), seq, events, dear });
    }

    /// Whether the next step must wait for the journal.
    fn must_wait(&self) -> bool {
        self.writes.iter().any(|write| write.dear)
            || self.writes.front().is_some_and(|write| clock::now() - write.since > LATE)
    }

    /// The oldest write is kept, or cannot be: those who watch hear of its events.
    fn kept(
        &mut self,
        kept: Result<(), StoreError>,
        watchers: &broadcast::Sender<Seen>,
    ) -> Result<(), Fault> {
        let write = self.writes.pop_front();
        kept.map_err(journal_fault)?;
        if let Some(Write { seq, events, .. }) = write {
            for (seq, event) in (seq..).zip(events) {
                // Nobody need watch.
                let _ = watchers.send(Seen { seq, event });
            }
        }
        Ok(())
    }

    /// Sees what is kept by now, without waiting.
    fn look(&mut self, watchers: &broadcast::Sender<Seen>) -> Result<(), Fault> {
        while let Some(kept) = self.writes.front_mut().and_then(|write| (&mut write.kept).now_or_never()) {
            self.kept(kept, watchers)?;
        }
        Ok(())
    }

    /// Waits until everything is kept.
    async fn catch_up(&mut self, watchers: &broadcast::Sender<Seen>) -> Result<(), Fault> {
        while !self.writes.is_empty() {
            let kept = oldest(&mut self.writes).await;
            self.kept(kept, watchers)?;
        }
        Ok(())
    }

    /// Writes down how the run ended, together with what is still on its way.
    async fn end(&mut self, result: RunResult, watchers: &broadcast::Sender<Seen>) -> Arc<RunResult> {
        let status = match result.status {
            RunStatus::Running | RunStatus::Failed => Status::Failed,
            RunStatus::Succeeded => Status::Complete,
            RunStatus::Cancelled => Status::Cancelled,
        };
        let mut result = Arc::new(result);
        let ending = Ending { status, result: Arc::<RunResult>::clone(&result), at: clock::wall() };
        let finished = self.shared.engine.journal().finish(&self.claim, self.seq, &ending);
        drop(ending);
        if let Err(fault) = self.catch_up(watchers).await {
            let result = Arc::make_mut(&mut result);
            result.status = RunStatus::Failed;
            result.error = Some(fault);
        } else if let Err(error) = finished.await {
            tracing::warn!(run = %self.claim.run, %error, "a run's end could not be written; it can be resumed");
        }
        result
    }

    /// Leaves the run to whoever resumes it.
    async fn leave(&mut self, watchers: &broadcast::Sender<Seen>) {
        let kept = self.catch_up(watchers).await;
        let released = self.shared.engine.journal().release(&self.claim).await;
        if let Err(error) = kept.and(released.map_err(journal_fault)) {
            tracing::warn!(run = %self.claim.run, %error, "a run's claim lasts until its lease ends");
        }
    }

    fn step_ended(&self, event: &Event) {
        let (step, duration, fault) = match event {
            Event::StepFinished { step, result } => (*step, result.latency, None),
            Event::StepFailed { step, fault, spent } => (*step, spent.latency, Some(fault)),
            Event::Started { .. } | Event::StepStarted { .. } | Event::Cancelled | Event::DeadlinePassed => {
                return;
            }
        };
        let shared = &self.shared;
        let Some(planned) = shared.chain.steps().get(step) else { return };
        shared.engine.metrics().chain(shared.chain.name()).step_ended(planned.name(), duration);
        if shared.engine.exporter().wants(&shared.context) {
            let took = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
            shared.engine.exporter().step(&StepSpan {
                context: shared.context,
                run: shared.run,
                index: u32::try_from(step).unwrap_or(u32::MAX),
                step: planned.name(),
                start: Timestamp::from_micros(clock::wall().as_micros().saturating_sub(took)),
                duration,
                status: if fault.is_some() { Told::Failed } else { Told::Completed },
                fault: fault.map(|fault| (fault.kind, fault.code)),
            });
        }
    }

    /// Metrics, trace and log of the ended run.
    fn tell(&self, result: &RunResult) {
        let shared = &self.shared;
        let cost = result.cost_analysis.complete.then_some(result.cost_analysis.total);
        let end = RunEnd {
            status: match result.status {
                RunStatus::Succeeded => Told::Completed,
                RunStatus::Cancelled => Told::Cancelled,
                RunStatus::Running | RunStatus::Failed => Told::Failed,
            },
            fault: result.error.as_ref().map(|fault| fault.kind),
            duration: result.wall_ms,
            cost,
            usage: result.cost_analysis.usage,
            steps: self.machine.finished() as u64,
        };
        shared.engine.metrics().chain(shared.chain.name()).run_ended(&end);
        let told = RunEnded {
            run: shared.run,
            trace: shared.context.trace,
            chain: shared.chain.name(),
            steps: end.steps,
            duration: end.duration,
            cost,
        };
        match &result.error {
            Some(fault) if says(&shared.chain, level(fault)) => {
                let failed = result.steps.iter().find(|step| step.error.is_some());
                telemetry::log::run_failed(&told, failed.map(|step| step.name.as_str()), fault);
            }
            None if says(&shared.chain, Level::INFO) => telemetry::log::run_done(&told),
            Some(_) | None => {}
        }
        shared.engine.exporter().run(&RunSpan {
            context: shared.context,
            run: shared.run,
            chain: shared.chain.name(),
            start: self.start,
            end,
            code: result.error.as_ref().map(|fault| fault.code),
        });
    }
}

/// Whether an event is the end of a step that nobody would like to pay or wait for again.
fn is_dear(event: &Event) -> bool {
    match event {
        Event::StepFinished { result, .. } => result.latency > QUICK,
        Event::StepFailed { .. } => true,
        Event::Started { .. } | Event::StepStarted { .. } | Event::Cancelled | Event::DeadlinePassed => false,
    }
}

/// How much a failed run matters to the operator, as in every other log line.
fn level(fault: &Fault) -> Level {
    match fault.blame {
        Blame::Caller => Level::INFO,
        Blame::Provider | Blame::Network => Level::WARN,
        Blame::Operator | Blame::Us => Level::ERROR,
    }
}

/// What becomes of the oldest write; never, if there is none.
async fn oldest(writes: &mut VecDeque<Write>) -> Result<(), StoreError> {
    match writes.front_mut() {
        Some(write) => (&mut write.kept).await,
        None => std::future::pending().await,
    }
}

/// Done at `deadline`; never, if there is none.
async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
