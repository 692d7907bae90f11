//! The driver of one run: carries out the machine's commands, writes down what happened, tells who watches.
//!
//! An event is in the journal before anything is done because of it: a process that is killed between the two
//! asks nothing twice that had an answer. All steps of a run are polled in one task; they wait for networks,
//! not for processors.

use std::sync::Arc;
use std::time::Duration;

use chain::{Command, Event, Machine, RunResult, RunStatus};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use store::journal::{Claim, Ending, Status};
use telemetry::log::RunEnded;
use telemetry::metrics::{RunEnd, RunStatus as Told};
use telemetry::trace::{Context, RunSpan, StepSpan};
use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use types::{Fault, Moment, Timestamp, TraceId};
use upstream::clock;

use crate::runs::step::Shared;
use crate::runs::{LEASE, Seen, journal_fault};
use crate::{Engine, Who};

/// How often the claim is renewed: twice in vain before it is lost.
const RENEW: Duration = Duration::from_secs(10);

pub(super) struct Runner {
    shared: Arc<Shared>,
    machine: Machine,
    claim: Claim,
    /// The number of the next event.
    seq: u64,
    start: Timestamp,
    began: Moment,
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
        let shared = Shared { engine, chain, run: claim.run, context, who, model };
        Self { shared: Arc::new(shared), machine, claim, seq: 0, start: clock::wall(), began: clock::now() }
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
        match stop {
            Stop::Over => self.end(&result).await,
            Stop::Left => {
                if let Err(error) = engine.journal().release(&self.claim).await {
                    tracing::warn!(run = %self.claim.run, %error, "a run's claim lasts until its lease ends");
                }
            }
            Stop::Lost(fault) => {
                result.status = RunStatus::Failed;
                result.error = Some(fault);
            }
        }
        drop(active);
        self.tell(&result);
        engine.0.runs.remove(self.claim.run);
        engine.leave();
        result
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
            if let Err(fault) = self.write(std::mem::take(&mut events), watchers).await {
                return Stop::Lost(fault);
            }
            if over {
                return Stop::Over;
            }
            calls.extend(asked.into_iter().map(|call| Arc::clone(&self.shared).ask(call)));
            let deadline = self.machine.deadline().map(clock::instant);
            let event = loop {
                tokio::select! {
                    biased;
                    Some(event) = calls.next() => break event,
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
        }
    }

    async fn write(&mut self, events: Vec<Event>, watchers: &broadcast::Sender<Seen>) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        let values = store::journal::events(&events).map_err(journal_fault)?;
        self.shared.engine.journal().append(&self.claim, self.seq, &values).await.map_err(journal_fault)?;
        for event in events {
            // Nobody need watch.
            let _ = watchers.send(Seen { seq: self.seq, event: Arc::new(event) });
            self.seq += 1;
        }
        Ok(())
    }

    async fn end(&self, result: &RunResult) {
        let status = match result.status {
            RunStatus::Running | RunStatus::Failed => Status::Failed,
            RunStatus::Succeeded => Status::Complete,
            RunStatus::Cancelled => Status::Cancelled,
        };
        let value = serde_json::to_value(result).unwrap_or_default();
        let ending = Ending { status, result: value, at: clock::wall() };
        if let Err(error) = self.shared.engine.journal().finish(&self.claim, &ending).await {
            tracing::warn!(run = %self.claim.run, %error, "a run's end could not be written; it can be resumed");
        }
    }

    fn step_ended(&self, event: &Event) {
        let (step, duration, fault) = match event {
            Event::StepFinished { step, result } => (*step, result.latency, None),
            Event::StepFailed { step, fault, .. } => (*step, Duration::ZERO, Some(fault)),
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
            Some(fault) => {
                let failed = result.steps.iter().find(|step| step.error.is_some());
                telemetry::log::run_failed(&told, failed.map(|step| step.name.as_str()), fault);
            }
            None => telemetry::log::run_done(&told),
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
