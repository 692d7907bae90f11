//! What a dialect cannot say: refused by the caller's name for it, or left out with a note, as the route says.

use types::Fault;

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
