//! Which retry policy holds for which class of fault.

use types::Kind;

use crate::retry::Policy;

/// Kinds of fault that can have a policy of their own.
const KINDS: usize = 12;

/// One policy for all faults, and others for some kinds of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    usual: Policy,
    of: [Option<Policy>; KINDS],
}

impl Rules {
    /// The same for all kinds.
    pub const fn new(usual: Policy) -> Self {
        Self { usual, of: [None; KINDS] }
    }

    /// Another policy for one kind; [`Policy::NEVER`] switches its retries off.
    #[must_use]
    pub fn with(mut self, kind: Kind, policy: Policy) -> Self {
        if let Some(own) = self.of.get_mut(kind as usize) {
            *own = Some(policy);
        }
        self
    }

    /// What holds for a kind.
    pub fn of(&self, kind: Kind) -> &Policy {
        self.of.get(kind as usize).and_then(Option::as_ref).unwrap_or(&self.usual)
    }

    /// What holds for kinds without a policy of their own.
    pub const fn usual(&self) -> &Policy {
        &self.usual
    }
}

impl From<Policy> for Rules {
    fn from(usual: Policy) -> Self {
        Self::new(usual)
    }
}
