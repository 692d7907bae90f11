//! Chain runs: started, resumed, watched, cancelled.
//!
//! The chain's machine decides; [`runner`] carries out what it decides and writes down what happened;
//! [`step`] makes one step a call on the call path.

mod owner;
mod runner;
mod step;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chain::{Chain, Event, Machine, RunResult, Source, Spec};
use serde_json::{Map, Value};
use store::StoreError;
use store::journal::{self, Seize, Stored, Wish};
use telemetry::trace::Context;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Level;
use types::{Blame, Code, Fault, Kind, RunId, TraceId};
use upstream::clock;

use crate::runs::runner::Runner;
use crate::{Engine, Who, ids};

/// How long a run belongs to a process that says nothing more: a killed one's run can be taken over then.
const LEASE: Duration = Duration::from_secs(30);
/// Events that a watcher may be behind before it has to read the journal.
const WATCHERS_QUEUE: usize = 64;

/// How the stored text of a chain begins that was built in code: a comment in YAML, so no file is like it.
const BUILT: &str = "#built\n";

/// A run to be started.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The chain.
    pub chain: Arc<Chain>,
    /// Its file's text, from which the run can be resumed; `None` for a chain that was built in code.
    pub source: Option<Arc<str>>,
    /// The variables.
    pub vars: Map<String, Value>,
    /// Who starts it.
    pub who: Who,
    /// The trace that it belongs to.
    pub trace: Option<Context>,
    /// The model of steps that name none.
    pub model: Option<String>,
}

/// Something that happened in a run, with its place in the journal.
#[derive(Clone, Debug)]
pub struct Seen {
    /// From 0.
    pub seq: u64,
    /// What happened.
    pub event: Arc<Event>,
}

/// A run under way in this process.
#[derive(Debug)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its trace.
    pub trace: TraceId,
    /// Its chain.
    pub chain: Arc<Chain>,
    /// How many steps had finished before, in a run that was resumed.
    pub finished_before: usize,
    /// What happens in it, from now on.
    pub events: broadcast::Receiver<Seen>,
    done: JoinHandle<RunResult>,
}

impl Run {
    /// Waits for its end.
    pub async fn finished(self) -> Result<RunResult, Fault> {
        self.done.await.map_err(|_| Fault::internal("a bug ended the run; it can be resumed"))
    }
}

/// The runs that this process works on.
#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<HashMap<RunId, Active>>);

#[derive(Clone, Debug)]
pub(crate) struct Active {
    cancel: CancellationToken,
    events: broadcast::Sender<Seen>,
}

impl Runs {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remove(&self, run: RunId) {
        self.lock().remove(&run);
    }
}

impl Engine {
    /// Starts a run: checks its variables, opens its journal, and goes on in a task of its own. The run is kept
    /// when this returns: it can be named to anybody, and found.
    pub async fn start_run(&self, new: NewRun) -> Result<Run, Fault> {
        let (begun, created) = self.begin(new)?;
        created.await?;
        Ok(self.go(begun))
    }

    /// Runs a chain to its end. As [`Engine::start_run`], but nobody hears of the run before its end, so its
    /// first steps do not wait for its journal.
    pub async fn run(&self, new: NewRun) -> Result<RunResult, Fault> {
        let (mut begun, created) = self.begin(new)?;
        begun.runner.created(created);
        self.go(begun).finished().await
    }

    fn begin(&self, new: NewRun) -> Result<(Begun, store::Answer<'static, journal::Claim>), Fault> {
        self.readiness()?;
        let inputs = new.chain.check_inputs(&new.vars)?;
        self.knows_models(&new)?;
        let id = ids::run();
        let context = traced(&new.chain, new.trace.unwrap_or_else(|| Context::root(TraceId::from(id))));
        let stored = journal::NewRun {
            id,
            chain: Arc::from(new.chain.name()),
            source: match new.source {
                Some(source) => source,
                None => built(&new.chain)?,
            },
            inputs: Value::Object(inputs.values().clone()),
            trace: context.trace,
            caller: new.who.key.clone(),
            tenant: new.who.tenant.clone(),
            at: clock::wall(),
        };
        let created = self.journal().create(&stored, owner::this(), LEASE);
        let mut machine = Machine::new(Arc::clone(&new.chain), &inputs);
        let started = Event::Started { inputs };
        let commands = machine.next(&started, clock::now());
        let claim = journal::Claim::first(id);
        let runner = Runner::new(self.clone(), machine, claim, (context, new.who, new.model));
        Ok((Begun { runner, started, commands }, created))
    }

    /// Every step's model is known, and its caller may use it: nothing is paid for a run that cannot end well.
    fn knows_models(&self, new: &NewRun) -> Result<(), Fault> {
        let snapshot = self.snapshot();
        for step in new.chain.steps() {
            let named = Some(step.model()).filter(|model| !model.is_empty()).or(new.model.as_deref());
            // A step that names none is asked of the first that there is.
            if let Some(name) = named {
                crate::call::check_model(&snapshot, &new.who, name)
                    .map_err(|fault| in_step(&fault, step.name()))?;
            }
        }
        Ok(())
    }

    fn go(&self, Begun { runner, started, commands }: Begun) -> Run {
        self.spawn(runner, vec![started], commands)
    }

    /// Goes on with a run where its journal ends.
    pub async fn resume_run(&self, id: RunId, seize: Seize) -> Result<Run, Fault> {
        self.readiness()?;
        let mut wish =
            Wish { run: id, owner: Arc::from(owner::this()), now: clock::wall(), lease: LEASE, seize };
        let claim = match self.journal().claim(&wish).await {
            Err(StoreError::Claimed { owner, .. }) if owner::is_gone(&owner) => {
                wish.seize = Seize::From(owner);
                self.journal().claim(&wish).await
            }
            claim => claim,
        };
        let claim = claim.map_err(held)?;
        let stored = self.journal().load(id).await?;
        let chain = Arc::new(stored_chain(&stored)?);
        let events = stored.events_as::<Event>()?;
        let (machine, commands) = Machine::resume(chain, &events, clock::now())?;
        let finished = machine.finished();
        if says(machine.chain(), Level::INFO) {
            telemetry::log::run_resumed(id, &stored.head.chain, finished as u64);
        }
        let context = traced(machine.chain(), Context::root(stored.head.trace));
        // Its calls are still those of whoever started it; what that key may use was asked then.
        let Stored { head, .. } = stored;
        let who = Who { key: head.caller, tenant: head.tenant, ..Who::default() };
        let mut runner = Runner::new(self.clone(), machine, claim, (context, who, None));
        runner.goes_on_at(head.events);
        Ok(self.spawn(runner, Vec::new(), commands))
    }

    /// Cancels a run that this process works on; false if it does not.
    pub fn cancel_run(&self, id: RunId) -> bool {
        let active = self.0.runs.lock().get(&id).cloned();
        active.is_some_and(|active| {
            active.cancel.cancel();
            true
        })
    }

    /// What happens from now on in a run that this process works on.
    pub fn watch_run(&self, id: RunId) -> Option<broadcast::Receiver<Seen>> {
        self.0.runs.lock().get(&id).map(|active| active.events.subscribe())
    }

    fn spawn(&self, runner: Runner, events: Vec<Event>, commands: Vec<chain::Command>) -> Run {
        let (sender, receiver) = broadcast::channel(WATCHERS_QUEUE);
        let cancel = CancellationToken::new();
        let id = runner.id();
        let (trace, chain, finished_before) = (runner.trace(), Arc::clone(runner.chain()), runner.finished());
        self.0.runs.lock().insert(id, Active { cancel: cancel.clone(), events: sender.clone() });
        let done = self.0.tasks.spawn(runner.drive(events, commands, (sender, cancel)));
        Run { id, trace, chain, finished_before, events: receiver, done }
    }
}

/// The fault, with the step that it is about.
fn in_step(fault: &Fault, step: &str) -> Fault {
    let told = Fault::new(fault.kind, fault.code, format!("step `{step}`: {}", fault.message));
    let told = told.with_blame(fault.blame).with_param("model");
    match &fault.hint {
        Some(hint) => told.with_hint(&**hint),
        None => told,
    }
}

/// A run about to be spawned.
struct Begun {
    runner: Runner,
    started: Event,
    commands: Vec<chain::Command>,
}

/// The trace of a run: nothing of it is recorded, here or further down, if its chain says `enable_tracing: false`.
fn traced(chain: &Chain, context: Context) -> Context {
    match chain.spec().switches.tracing {
        Some(false) => Context { sampled: Some(false), ..context },
        Some(true) | None => context,
    }
}

/// Whether a run of this chain writes log lines of its own at this level: not below its `log_level`. What the
/// process logs at all is the configuration's business.
fn says(chain: &Chain, level: Level) -> bool {
    let least = chain.spec().switches.log_level.as_deref().and_then(|least| least.parse::<Level>().ok());
    least.is_none_or(|least| level <= least)
}

/// A stored run's chain, as it was when the run began: from its file's text, or from what a chain built in code
/// was built from.
pub fn stored_chain(stored: &Stored) -> Result<Chain, Fault> {
    let unknown =
        |message: String| Fault::new(Kind::Permanent, Code::UnknownRun, message).with_blame(Blame::Operator);
    let invalid = |report| unknown(format!("the run's chain is no longer valid: {report}"));
    if let Some(built) = stored.source.strip_prefix(BUILT) {
        let spec: Spec = serde_json::from_str(built)
            .map_err(|error| unknown(format!("the run's chain cannot be read: {error}")))?;
        return Chain::from_spec(spec).map_err(invalid);
    }
    // A chain without a name of its own is called like its file.
    let name = format!("{}.yaml", stored.head.chain);
    chain::parse(&Source { name: &name, text: &stored.source }).map_err(invalid)
}

/// What a run stores of a chain that has no file.
fn built(chain: &Chain) -> Result<Arc<str>, Fault> {
    let spec = serde_json::to_string(&**chain.spec());
    let spec =
        spec.map_err(|error| Fault::internal(format!("a chain cannot be written as JSON: {error}")))?;
    Ok(Arc::from(format!("{BUILT}{spec}")))
}

/// Why a run cannot be claimed, and what to do where somebody else holds it.
fn held(error: StoreError) -> Fault {
    let StoreError::Claimed { run, owner, until } = &error else { return Fault::from(error) };
    let left =
        Duration::from_micros(u64::try_from(until.as_micros() - clock::wall().as_micros()).unwrap_or(0));
    let seconds = left.as_secs() + 1;
    let hint = format!(
        "if that process is gone, come back in {seconds} s, when its claim ends; or take it over now: \
         windlass runs resume {run} --force"
    );
    let told = StoreError::Claimed { run: *run, owner: Arc::from(owner::shown(owner)), until: *until };
    Fault::from(told).with_hint(hint)
}

/// What the journal could not do, as a fault of the run.
pub(crate) fn journal_fault(error: StoreError) -> Fault {
    Fault::from(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(config: &str) -> Chain {
        let text = format!("config: {{ {config} }}\nprompts: [x]\n");
        chain::parse(&Source { name: "c.yaml", text: &text }).unwrap()
    }

    #[test]
    fn a_chain_can_ask_for_no_traces() {
        let context = Context::root(TraceId::from(ids::run()));
        let asked = Context { sampled: Some(true), ..context };
        assert_eq!(traced(&chain("enable_tracing: false"), asked).sampled, Some(false));
        assert_eq!(traced(&chain("enable_tracing: true"), asked).sampled, Some(true));
        assert_eq!(traced(&chain("enable_caching: false"), context).sampled, None);
    }

    #[test]
    fn a_chain_says_which_lines_its_runs_write() {
        let said = |config: &str| {
            let chain = chain(config);
            [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(|level| says(&chain, level))
        };
        assert_eq!(said("log_level: ERROR"), [true, false, false, false]);
        assert_eq!(said("log_level: warning"), [true, true, false, false]);
        assert_eq!(said("log_level: INFO"), [true, true, true, false]);
        assert_eq!(said("enable_tracing: true"), [true; 4]);
    }
}
