//! The plans of one configuration, by the name that the caller wrote. Read without a lock.
//!
//! What is configured keeps its plan. A provider without a list of models takes any name, so those are the
//! callers': the ones asked for last are kept, and the others made anew when they come again.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::call::Plan;

/// Names that nobody has configured: at least so many are kept, and never more than twice that. Each holds a
/// deployment, so it is well below what `health` remembers.
const CALLERS_NAMES: usize = 128;

type ByName = HashMap<Arc<str>, Arc<Plan>>;

/// Plans, by name.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    /// Bounded by the configuration.
    own: ArcSwap<ByName>,
    others: ArcSwap<Generations>,
}

/// When the younger one is full it becomes the older one, and what that held is forgotten.
#[derive(Clone, Debug, Default)]
struct Generations {
    younger: ByName,
    older: Arc<ByName>,
}

impl Plans {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Plan>> {
        if let Some(plan) = self.own.load().get(name) {
            return Some(Arc::clone(plan));
        }
        let others = self.others.load();
        if let Some(plan) = others.younger.get(name) {
            return Some(Arc::clone(plan));
        }
        let plan = Arc::clone(others.older.get(name)?);
        drop(others);
        // Whoever is still asked for stays.
        self.keep(&plan);
        Some(plan)
    }

    /// Keeps a plan, whose name is `configured` or only the caller's.
    pub(super) fn add(&self, plan: &Arc<Plan>, configured: bool) {
        if !configured {
            return self.keep(plan);
        }
        self.own.rcu(|plans| {
            let mut more = ByName::clone(plans);
            more.insert(Arc::clone(&plan.name), Arc::clone(plan));
            more
        });
    }

    fn keep(&self, plan: &Arc<Plan>) {
        self.others.rcu(|kept| {
            let mut next = Generations::clone(kept);
            if next.younger.len() >= CALLERS_NAMES {
                next.older = Arc::new(std::mem::take(&mut next.younger));
            }
            next.younger.insert(Arc::clone(&plan.name), Arc::clone(plan));
            next
        });
    }
}
