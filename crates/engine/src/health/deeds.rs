//! What was done of itself for a deployment, and why: changes of its breaker, shifts of its weight.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use types::Moment;

/// Deeds that one deployment remembers.
const MOST: usize = 8;

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// When.
    pub(crate) at: Moment,
    /// What was done.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
}

/// The last ones, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Deeds(Mutex<VecDeque<Deed>>);

impl Deeds {
    pub(super) fn note(&self, at: Moment, what: String, why: &dyn Display) {
        let mut deeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if deeds.len() >= MOST {
            deeds.pop_front();
        }
        deeds.push_back(Deed { at, what, why: why.to_string() });
    }

    pub(crate) fn all(&self) -> Vec<Deed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
