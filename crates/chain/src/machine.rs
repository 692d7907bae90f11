//! The step machine: events in, commands out. No clock, no tasks, no network.
//!
//! The events are the run's journal: the driver writes each down, then hands it in. Rules:
//!
//! - A step starts the moment the steps that it needs have finished; there are no levels. Of the ready ones
//!   the most important goes first, then the file's order. At most `limits.concurrency` are under way.
//! - A failed step fails the run: nothing more starts, but what is under way is let finish and is journalled,
//!   because it is paid for and a resumed run can use it. Then the run ends with the first fault.
//! - The same holds when the known cost reaches `limits.cost` and a step is still to start.
//! - Cancelling and the run's deadline end the run at once; the driver cuts off the calls under way, and hands in
//!   what they came to: it changes nothing but the report.
//! - Resuming folds the journal: finished steps are never asked again; a failed one, and one that was under
//!   way, is. The time limit starts anew, the cost does not.

mod event;
mod start;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use types::{Blame, Code, Fault, Kind, Moment, Money, Priority, Progress as Sent};

pub use event::{Command, Event, Spent, StepCall, StepResult};

use crate::report::Outputs;
use crate::template::{RunScope, Scope, json_value, text_value};
use crate::{Chain, Inputs};

/// What a step has come to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Progress {
    /// It waits for so many other steps, or for its turn.
    #[default]
    Waiting,
    /// It is under way, in this try.
    Running,
    /// It has answered.
    Finished(Arc<StepResult>),
    /// It has not, and its call is over.
    Failed(Fault, Spent),
}

/// How the run stands.
#[derive(Clone, Debug)]
enum Phase {
    /// Before [`Event::Started`].
    New,
    Running,
    /// Nothing more starts; the run ends with this fault when nothing is under way.
    Draining(Fault),
    Over(Result<Outputs, Fault>),
}

/// One run of a chain.
#[derive(Debug)]
pub struct Machine {
    chain: Arc<Chain>,
    scope: Arc<RunScope>,
    phase: Phase,
    steps: Vec<Progress>,
    /// For each step, how many of its needs have not finished.
    waiting: Vec<usize>,
    ready: BinaryHeap<(Priority, Reverse<usize>)>,
    running: usize,
    finished: usize,
    cost: Money,
    /// Whether something was spent that no event tells: a call that a kill or a cancelling cut off.
    lost_sight: bool,
    deadline: Option<Moment>,
}

impl Machine {
    /// A run that has not started: give it [`Event::Started`] with the same inputs.
    pub fn new(chain: Arc<Chain>, inputs: &Inputs) -> Self {
        let values = inputs.values().iter().map(|(name, value)| (name.clone(), json_value(value)));
        let results = chain.steps.iter().map(|_| OnceLock::new()).collect();
        let scope = RunScope { inputs: values.collect(), results, names: Arc::clone(&chain.names) };
        let waiting: Vec<usize> = chain.steps.iter().map(|step| step.needs.len()).collect();
        let mut ready = BinaryHeap::new();
        for (index, step) in chain.steps.iter().enumerate().filter(|(_, step)| step.needs.is_empty()) {
            ready.push((step.priority, Reverse(index)));
        }
        Self {
            scope: Arc::new(scope),
            phase: Phase::New,
            steps: vec![Progress::Waiting; chain.steps.len()],
            waiting,
            ready,
            running: 0,
            finished: 0,
            cost: Money::ZERO,
            lost_sight: false,
            deadline: None,
            chain,
        }
    }

    /// The run as its journal left it, and what is to be done now. The journal must begin with
    /// [`Event::Started`]; an empty one is [`Code::UnknownRun`].
    pub fn resume(chain: Arc<Chain>, journal: &[Event], now: Moment) -> Result<(Self, Vec<Command>), Fault> {
        let Some(Event::Started { inputs }) = journal.first() else {
            let message = "the run's journal does not begin with its start";
            return Err(Fault::new(Kind::Permanent, Code::UnknownRun, message).with_blame(Blame::Operator));
        };
        let mut machine = Self::new(chain, inputs);
        let mut open = BTreeSet::new();
        for event in journal {
            match event {
                Event::StepStarted { step, .. } => machine.lost_sight |= !open.insert(*step),
                Event::StepFinished { step, result } => {
                    open.remove(step);
                    machine.lost_sight |= result.cost.is_none();
                    // An answer that its schema refuses counts as not given: the step is asked again.
                    let _ = machine.keep(*step, result);
                }
                Event::StepFailed { step, spent, .. } => {
                    open.remove(step);
                    machine.lost_sight |= spent.cost.is_none() && spent.attempts > 0;
                    machine.spend(spent.cost);
                }
                Event::Started { .. } | Event::Cancelled | Event::DeadlinePassed => {}
            }
        }
        machine.lost_sight |= !open.is_empty();
        let commands = machine.next(&Event::Started { inputs: inputs.clone() }, now);
        Ok((machine, commands))
    }

    /// Takes an event that has been written down; what is to be done because of it.
    pub fn next(&mut self, event: &Event, now: Moment) -> Vec<Command> {
        let mut commands = Vec::new();
        // What comes in once it is over changes nothing but the report.
        let over = self.is_over();
        match event {
            Event::Started { .. } => {
                if matches!(self.phase, Phase::New) {
                    self.phase = Phase::Running;
                    self.deadline = self.chain.limits().time.map(|time| now + time);
                }
            }
            // The command to call it has marked the step as running already.
            Event::StepStarted { .. } => {}
            Event::StepFinished { step, result } => self.step_finished(*step, result),
            Event::StepFailed { step, fault, spent } => self.step_failed(*step, fault, spent),
            Event::Cancelled if !over => {
                let fault = Fault::new(Kind::Cancelled, Code::Cancelled, "the run was cancelled");
                self.finish(Err(self.may_have_charged(fault)), &mut commands);
            }
            Event::DeadlinePassed if !over => {
                let time = self.chain.limits().time.unwrap_or_default();
                self.finish(Err(self.may_have_charged(over_time(time))), &mut commands);
            }
            Event::Cancelled | Event::DeadlinePassed => {}
        }
        if !over {
            self.advance(&mut commands);
        }
        commands
    }

    /// The chain.
    pub const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// When the driver is to say [`Event::DeadlinePassed`].
    pub const fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    /// Whether the run has ended.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// Steps under way.
    pub const fn running(&self) -> usize {
        self.running
    }

    /// Steps that have finished.
    pub const fn finished(&self) -> usize {
        self.finished
    }

    /// The known cost so far.
    pub const fn cost(&self) -> Money {
        self.cost
    }

    /// Whether the run spent something that its events do not tell.
    pub(crate) const fn lost_sight(&self) -> bool {
        self.lost_sight
    }

    /// How the run ended, if it has.
    pub const fn outcome(&self) -> Option<&Result<Outputs, Fault>> {
        match &self.phase {
            Phase::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = (&str, &str, &Progress)> {
        self.chain.steps.iter().zip(&self.steps).map(|(step, progress)| (step.name(), step.model(), progress))
    }

    fn step_finished(&mut self, step: usize, result: &Arc<StepResult>) {
        self.no_longer_running(step);
        if let Err(fault) = self.keep(step, result) {
            let spent = Spent {
                latency: result.latency,
                attempts: result.attempts,
                cost: result.cost,
                usage: result.usage,
                call: result.call,
                model: Some(format!("{}/{}", result.provider, result.model)),
            };
            self.fail(step, &fault, spent);
        }
    }

    fn step_failed(&mut self, step: usize, fault: &Fault, spent: &Spent) {
        self.no_longer_running(step);
        self.spend(spent.cost);
        self.fail(step, fault, spent.clone());
    }

    fn no_longer_running(&mut self, step: usize) {
        if let Some(Progress::Running) = self.steps.get(step) {
            self.running -= 1;
        }
    }

    fn spend(&mut self, cost: Option<Money>) {
        self.cost += cost.unwrap_or_default();
    }

    /// Takes a step's answer in: its value for the templates, its cost, and the steps that waited for it. An
    /// answer that is there already stays.
    fn keep(&mut self, index: usize, result: &Arc<StepResult>) -> Result<(), Fault> {
        let chain = Arc::clone(&self.chain);
        let (Some(step), Some(progress)) = (chain.steps.get(index), self.steps.get_mut(index)) else {
            return Ok(());
        };
        if matches!(progress, Progress::Finished(_)) {
            return Ok(());
        }
        self.cost += result.cost.unwrap_or_default();
        let value = match (&result.value, &step.schema) {
            (Some(value), _) => json_value(value),
            (None, None) => text_value(&result.text),
            (None, Some(_)) => json_value(&chain.read_answer(index, &result.text)?.unwrap_or_default()),
        };
        *progress = Progress::Finished(Arc::clone(result));
        self.finished += 1;
        if let Some(slot) = self.scope.results.get(index) {
            // Set once, because a finished step returns above.
            let _ = slot.set(value);
        }
        for later in &step.needed_by {
            let Some(waiting) = self.waiting.get_mut(*later) else { continue };
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                let priority = chain.steps.get(*later).map(|step| step.priority).unwrap_or_default();
                self.ready.push((priority, Reverse(*later)));
            }
        }
        Ok(())
    }

    fn fail(&mut self, step: usize, fault: &Fault, spent: Spent) {
        if let Some(progress) = self.steps.get_mut(step) {
            *progress = Progress::Failed(fault.clone(), spent);
        }
        if matches!(self.phase, Phase::Running) {
            let name = self.chain.steps.get(step).map_or("?", |step| step.name());
            self.phase = Phase::Draining(because_of(name, fault));
        }
    }

    fn scope_before(&self, step: usize) -> Scope {
        Scope { run: Arc::clone(&self.scope), before: step }
    }

    /// The fault of a run that is ended from outside, with how far it may have come.
    fn may_have_charged(&self, fault: Fault) -> Fault {
        let asked = |step: &Progress| match step {
            Progress::Running | Progress::Finished(_) => true,
            Progress::Failed(_, spent) => spent.attempts > 0,
            Progress::Waiting => false,
        };
        if self.steps.iter().any(asked) { fault.with_progress(Sent::PerhapsExecuted) } else { fault }
    }

    fn finish(&mut self, outcome: Result<Outputs, Fault>, commands: &mut Vec<Command>) {
        self.phase = Phase::Over(outcome.clone());
        commands.push(Command::Finish(outcome));
    }
}

/// The run's fault for a step's: of the same kind, with the step named.
fn because_of(step: &str, cause: &Fault) -> Fault {
    let message = format!("step `{step}` failed: {} ({})", cause.message, cause.code);
    let mut fault = Fault::new(cause.kind, Code::StepFailed, message)
        .with_blame(cause.blame)
        .with_retry(cause.retry)
        .with_progress(cause.progress)
        .with_param(format!("steps.{step}"));
    if let Some(hint) = &cause.hint {
        fault = fault.with_hint(hint.as_str());
    }
    if let Some(provider) = &cause.provider {
        fault = fault.with_provider(provider.as_str());
    }
    fault
}

fn over_time(time: Duration) -> Fault {
    let message = format!("the run passed its time limit of {time:?}");
    Fault::new(Kind::Budget, Code::RunLimit, message).with_param("limits.time")
}
