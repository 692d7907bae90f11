//! Chains, answers and a driver of the machine for tests.

use std::sync::Arc;
use std::time::Duration;

use chain::{Chain, Command, Event, Inputs, Machine, Source, StepCall, StepResult};
use serde_json::{Map, Value, json};
use types::chat::{Part, Role};
use types::{Moment, Money, Timing, Usage, UsageSource};

/// A chain from a text that must be right.
pub(crate) fn chain(text: &str) -> Arc<Chain> {
    Arc::new(chain::parse(&Source { name: "test.yaml", text }).unwrap_or_else(|report| panic!("{report}")))
}

/// The report on a text that must be wrong.
pub(crate) fn refused(text: &str) -> String {
    chain::parse(&Source { name: "test.yaml", text }).unwrap_err().to_string()
}

/// Variables, checked.
pub(crate) fn inputs(chain: &Chain, vars: Value) -> Inputs {
    let Value::Object(vars) = vars else { panic!("variables are a map") };
    chain.check_inputs(&vars).unwrap()
}

/// An answer with a text, for a cent.
pub(crate) fn answer(text: &str) -> Arc<StepResult> {
    Arc::new(StepResult {
        text: text.to_owned(),
        model: "m-1".to_owned(),
        provider: "test".to_owned(),
        usage: Usage::plain(10, 5),
        usage_source: UsageSource::Reported,
        cost: Some(Money::from_pico(10_000_000_000)),
        latency: Duration::from_micros(12_500),
        api: Timing { total: Some(Duration::from_millis(12)), ..Timing::default() },
        attempts: 1,
        ..StepResult::default()
    })
}

/// A run and the calls that it has asked for and not had an answer to.
pub(crate) struct Run {
    pub(crate) machine: Machine,
    pub(crate) journal: Vec<Event>,
    pub(crate) open: Vec<StepCall>,
    pub(crate) ends: Vec<Result<Map<String, Value>, types::Fault>>,
}

impl Run {
    pub(crate) fn start(chain: &Arc<Chain>, vars: Value) -> Self {
        let inputs = inputs(chain, vars);
        let machine = Machine::new(Arc::clone(chain), &inputs);
        let mut run = Self { machine, journal: Vec::new(), open: Vec::new(), ends: Vec::new() };
        run.tell(Event::Started { inputs });
        run
    }

    pub(crate) fn resume(chain: &Arc<Chain>, journal: Vec<Event>) -> Self {
        let (machine, commands) = Machine::resume(Arc::clone(chain), &journal, Moment::default()).unwrap();
        let mut run = Self { machine, journal, open: Vec::new(), ends: Vec::new() };
        run.obey(commands);
        run
    }

    /// Writes an event down and hands it in.
    pub(crate) fn tell(&mut self, event: Event) {
        self.journal.push(event);
        let commands = self.machine.next(self.journal.last().unwrap(), Moment::default());
        self.obey(commands);
    }

    fn obey(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Call(call) => {
                    self.journal.push(Event::StepStarted { step: call.step, call: None });
                    self.open.push(*call);
                }
                Command::Finish(outcome) => self.ends.push(outcome),
            }
        }
    }

    /// Answers the open call of a step.
    pub(crate) fn answer(&mut self, name: &str, text: &str) {
        let at = self
            .open
            .iter()
            .position(|call| &*call.name == name)
            .unwrap_or_else(|| panic!("{name} is not open"));
        let call = self.open.remove(at);
        self.tell(Event::StepFinished { step: call.step, result: answer(text) });
    }

    /// Fails the open call of a step.
    pub(crate) fn fail(&mut self, name: &str, fault: types::Fault) {
        let at = self.open.iter().position(|call| &*call.name == name).unwrap();
        let call = self.open.remove(at);
        self.tell(Event::StepFailed {
            step: call.step,
            fault,
            spent: chain::Spent { attempts: 2, ..Default::default() },
        });
    }

    /// The names of the open calls, in the order they were asked for.
    pub(crate) fn open(&self) -> Vec<&str> {
        self.open.iter().map(|call| &*call.name).collect()
    }

    /// The prompt of an open call.
    pub(crate) fn prompt(&self, name: &str) -> &str {
        let call = self.open.iter().find(|call| &*call.name == name).unwrap();
        text_of(call, Role::User)
    }

    /// The outputs of a run that has ended well.
    pub(crate) fn outputs(&self) -> Value {
        match self.ends.as_slice() {
            [Ok(outputs)] => Value::Object(outputs.clone()),
            ends => panic!("the run has not ended well, once: {ends:?}"),
        }
    }
}

/// The text of a call's message of a role.
pub(crate) fn text_of(call: &StepCall, role: Role) -> &str {
    let message = call.request.messages.iter().find(|message| message.role == role);
    match message.map(|message| message.parts.as_slice()) {
        Some([Part::Text { text }]) => text,
        other => panic!("not one text: {other:?}"),
    }
}

/// The prompt that a one-step chain with this template sends.
pub(crate) fn filled(template: &str, vars: Value) -> Result<String, String> {
    let text = json!({ "name": "t", "steps": { "a": { "prompt": template } } }).to_string();
    let chain = chain::parse(&Source { name: "t", text: &text }).map_err(|report| report.to_string())?;
    let run = Run::start(&Arc::new(chain), vars);
    match run.ends.as_slice() {
        [] => Ok(run.prompt("a").to_owned()),
        [Err(fault)] => Err(fault.to_string()),
        [..] => panic!("ended"),
    }
}
