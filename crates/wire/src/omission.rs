//! What a dialect cannot say: refused by the caller's name for it, or left out with a note, as the route says.

use serde_json::Number;
use types::Fault;
use types::chat::Request;

use crate::fields::{unsupported, unsupported_in};

/// What to do with what the provider's dialect cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// Refuse the call: a 400 that names the field.
    #[default]
    Refuse,
    /// Leave it out, and say so.
    Drop,
}

/// Notes what is left out, or refuses it.
#[derive(Debug)]
pub(crate) struct Omissions {
    policy: Unsupported,
    target: &'static str,
    dropped: Vec<String>,
}

impl Omissions {
    /// `target` names the dialect in messages: `OpenAI's`.
    pub(crate) const fn new(policy: Unsupported, target: &'static str) -> Self {
        Self { policy, target, dropped: Vec::new() }
    }

    /// `field`, as the caller calls it, cannot be said.
    pub(crate) fn field(&mut self, field: &str) -> Result<(), Fault> {
        self.note(field, |target| unsupported(field, target))
    }

    /// Those of the named settings that the request has cannot be said: `top_k`, `frequency_penalty`,
    /// `presence_penalty`, `seed`, `n`, `logprobs`, `stop`.
    pub(crate) fn settings(&mut self, request: &Request, names: &[&str]) -> Result<(), Fault> {
        let set = [
            ("top_k", request.top_k.is_some()),
            ("frequency_penalty", request.frequency_penalty.is_some()),
            ("presence_penalty", request.presence_penalty.is_some()),
            ("seed", request.seed.is_some()),
            ("n", request.choices.is_some_and(|choices| choices > 1)),
            ("logprobs", request.logprobs.is_some()),
            ("stop", !request.stop.is_empty()),
        ];
        let unsaid = set.into_iter().filter(|(name, set)| *set && names.contains(name));
        unsaid.into_iter().try_for_each(|(name, _)| self.field(name))
    }

    /// Anthropic's and Bedrock's temperature goes from 0 to 1: the request's, unless it is above.
    pub(crate) fn heat<'a>(
        &mut self,
        request: &'a Request,
        hint: &'static str,
    ) -> Result<Option<&'a Number>, Fault> {
        if request.temperature.as_ref().and_then(Number::as_f64).is_some_and(|heat| heat > 1.0) {
            self.field_with_hint("temperature", hint)?;
            return Ok(None);
        }
        Ok(request.temperature.as_ref())
    }

    /// The same with a hint on what to do instead.
    pub(crate) fn field_with_hint(&mut self, field: &str, hint: &'static str) -> Result<(), Fault> {
        self.note(field, |target| unsupported(field, target).with_hint(hint))
    }

    /// Something within `field` cannot be said: `what` names it in words.
    pub(crate) fn within(&mut self, field: &str, what: &str) -> Result<(), Fault> {
        self.note(field, |target| unsupported_in(field, what, target))
    }

    fn note(&mut self, field: &str, fault: impl FnOnce(&'static str) -> Fault) -> Result<(), Fault> {
        if self.policy == Unsupported::Refuse {
            return Err(fault(self.target));
        }
        if !self.dropped.iter().any(|known| known == field) {
            self.dropped.push(field.to_owned());
        }
        Ok(())
    }

    /// What was left out, by the caller's names.
    pub(crate) fn into_dropped(self) -> Vec<String> {
        self.dropped
    }
}
