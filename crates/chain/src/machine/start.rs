//! Which steps start now, and what the run gives in the end.

use std::cmp::Reverse;
use std::sync::Arc;

use types::chat::{Message, Part, Role};
use types::{Code, Fault, Kind};

use super::{Command, Machine, Phase, Progress, Spent, StepCall};
use crate::chain::{PlannedStep, Planning};
use crate::report::Outputs;
use crate::spec::Limits;
use crate::template::TemplateError;

impl Machine {
    /// Starts what can start, and ends the run if there is nothing left to wait for.
    pub(super) fn advance(&mut self, commands: &mut Vec<Command>) {
        let most = self.chain.limits().concurrency.unwrap_or(Limits::CONCURRENCY).max(1);
        while matches!(self.phase, Phase::Running) && self.running < most {
            if self.ready.is_empty() {
                break;
            }
            if let Some(fault) = self.over_cost() {
                self.phase = Phase::Draining(fault);
                break;
            }
            let Some((_, Reverse(index))) = self.ready.pop() else { break };
            // A resumed run finds steps that have finished already among the ready ones.
            if matches!(self.steps.get(index), Some(Progress::Finished(_))) {
                continue;
            }
            match self.call(index) {
                Ok(call) => {
                    self.running += 1;
                    if let Some(progress) = self.steps.get_mut(index) {
                        *progress = Progress::Running;
                    }
                    commands.push(Command::Call(Box::new(call)));
                }
                Err(fault) => self.fail(index, &fault, Spent::default()),
            }
        }
        if self.running > 0 {
            return;
        }
        match &self.phase {
            Phase::Draining(fault) => {
                let fault = fault.clone();
                self.finish(Err(fault), commands);
            }
            Phase::Running if self.finished == self.steps.len() => {
                let outcome = self.outputs();
                self.finish(outcome, commands);
            }
            Phase::New | Phase::Running | Phase::Over(_) => {}
        }
    }

    fn over_cost(&self) -> Option<Fault> {
        let limit = self.chain.limits().cost.filter(|limit| self.cost >= *limit)?;
        let message = format!("the run has cost ${}, and its limit is ${limit}", self.cost);
        let hint = "start a new run of the chain with a higher limits.cost: a resumed run keeps the limit that it began with";
        let fault =
            Fault::new(Kind::Budget, Code::RunLimit, message).with_param("limits.cost").with_hint(hint);
        Some(self.may_have_charged(fault))
    }

    fn call(&self, index: usize) -> Result<StepCall, Fault> {
        let Some(step) = self.chain.steps.get(index) else { return Err(Fault::internal("no such step")) };
        let mut request = step.request.clone();
        if let Some(system) = &step.system {
            request.messages.push(message(Role::System, self.text(step, index, system)?));
        }
        request.messages.push(message(Role::User, self.text(step, index, &step.prompt)?));
        Ok(StepCall {
            step: index,
            name: Arc::clone(&step.name),
            request,
            timeout: step.timeout,
            retries: step.retries,
            task: step.task.clone(),
            profile: step.profile.clone(),
            priority: step.priority,
        })
    }

    fn text(&self, step: &PlannedStep, index: usize, template: &str) -> Result<String, Fault> {
        let rendered = self.chain.templates.render(template, self.scope_before(index));
        rendered.map_err(|error| bad_template(template, &format!("of step `{}`", step.name), &error))
    }

    fn outputs(&self) -> Result<Outputs, Fault> {
        let scope = || self.scope_before(self.steps.len());
        let templates = &self.chain.templates;
        let mut outputs = Outputs::new();
        for (name, plan) in &self.chain.outputs {
            let value = match plan {
                Planning::Step(index) => Ok(self.answer(*index)),
                Planning::Expression(expression) => templates.evaluate(expression, scope()),
                Planning::Template(template) => templates.render(template, scope()).map(Into::into),
            };
            let path = format!("outputs.{name}");
            let value =
                value.map_err(|error| bad_template(&path, &format!("of the output `{name}`"), &error))?;
            outputs.insert(name.clone(), value);
        }
        Ok(outputs)
    }

    /// A step's answer as JSON: its value if it has a schema, its text if not.
    fn answer(&self, index: usize) -> serde_json::Value {
        match self.steps.get(index) {
            Some(Progress::Finished(result)) => match &result.value {
                Some(value) => value.clone(),
                None => match self.chain.read_answer(index, &result.text) {
                    Ok(Some(value)) => value,
                    _ => result.text.clone().into(),
                },
            },
            _ => serde_json::Value::Null,
        }
    }
}

fn message(role: Role, text: String) -> Message {
    Message { role, parts: vec![Part::Text { text }], name: None }
}

fn bad_template(path: &str, of: &str, error: &TemplateError) -> Fault {
    let line = error.line.map(|line| format!(", line {line} of it")).unwrap_or_default();
    let message = format!("the template {of} cannot be filled in: {}{line}", error.message);
    Fault::new(Kind::Validation, Code::BadTemplate, message).with_param(path)
}
