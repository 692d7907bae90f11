//! Bulkheads (B5): how many calls may run at once for one step type, one provider, one tenant, so that none of
//! them can fill the ship. A call enters all of its compartments or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use types::Moment;

use crate::keyed::{Entry, Fingerprint, Idle, Keyed};

/// What a compartment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A step type of chains.
    Step,
    /// A provider.
    Provider,
    /// A tenant.
    Tenant,
}

/// How many kinds there are.
const KINDS: usize = 3;

impl Kind {
    /// The name in messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Provider => "provider",
            Self::Tenant => "tenant",
        }
    }
}

/// A compartment that a call must enter.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What it is for.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
    /// How many it holds, as configured now.
    pub size: u32,
}

/// A compartment is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{size} calls of this {} are already running", kind.as_str())]
pub struct Full {
    /// Which kind.
    pub kind: Kind,
    /// How many it holds.
    pub size: u32,
}

/// One compartment, for a dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is for.
    pub kind: Kind,
    /// Its name.
    pub name: Arc<str>,
    /// How many it holds.
    pub size: u32,
    /// How many are in it.
    pub running: u32,
    /// The most that ever were.
    pub peak: u32,
    /// How many it turned away.
    pub refused: u64,
}

impl Row {
    /// The used part: 1 is full.
    pub fn utilisation(&self) -> f64 {
        f64::from(self.running) / f64::from(self.size.max(1))
    }
}

#[derive(Debug)]
struct Compartment {
    kind: Kind,
    name: Arc<str>,
    size: AtomicU32,
    running: AtomicU32,
    peak: AtomicU32,
    refused: AtomicU64,
}

impl Compartment {
    fn new(ask: Ask<'_>) -> Self {
        Self {
            kind: ask.kind,
            name: ask.name.into(),
            size: AtomicU32::new(ask.size),
            running: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            refused: AtomicU64::new(0),
        }
    }

    fn enter(&self, size: u32) -> bool {
        self.size.store(size, Ordering::Relaxed);
        let entered = self.running.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |running| {
            (running < size).then_some(running + 1)
        });
        if let Ok(before) = entered {
            self.peak.fetch_max(before + 1, Ordering::Relaxed);
            return true;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        false
    }
}

impl Idle for Compartment {
    fn busy_for(&self, _now: Moment) -> Duration {
        if self.running.load(Ordering::Relaxed) > 0 { Duration::MAX } else { Duration::ZERO }
    }
}

/// All compartments, bounded.
#[derive(Debug)]
pub struct Bulkheads {
    keyed: Keyed<Compartment>,
    seed: u64,
}

impl Bulkheads {
    /// Bulkheads for at most `capacity` names; `seed` is the process's own randomness.
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self { keyed: Keyed::new(capacity), seed }
    }

    /// Enters all of `asks` (at most one per kind; later ones of a kind are ignored) or none.
    pub fn enter(&self, asks: &[Ask<'_>], now: Moment) -> Result<Pass, Full> {
        // Dropped half way it leaves what it has entered.
        let mut pass = Pass { held: [const { None }; KINDS] };
        for ask in asks {
            let Some(place @ None) = pass.held.get_mut(ask.kind as usize) else { continue };
            let name = Fingerprint::of(ask.kind as u64, ask.name, self.seed);
            let entry = self.keyed.get(name, now, || Compartment::new(*ask));
            if !entry.value.enter(ask.size) {
                return Err(Full { kind: ask.kind, size: ask.size });
            }
            *place = Some(entry);
        }
        Ok(pass)
    }

    /// Every compartment, the fullest first. For a dashboard: it walks over all of them.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.keyed.each(|held| {
            rows.push(Row {
                kind: held.kind,
                name: Arc::clone(&held.name),
                size: held.size.load(Ordering::Relaxed),
                running: held.running.load(Ordering::Relaxed),
                peak: held.peak.load(Ordering::Relaxed),
                refused: held.refused.load(Ordering::Relaxed),
            });
        });
        rows.sort_by(|one, two| {
            two.utilisation()
                .total_cmp(&one.utilisation())
                .then_with(|| (one.kind, &one.name).cmp(&(two.kind, &two.name)))
        });
        rows
    }
}

/// A place in every compartment of a call; left when dropped.
#[derive(Debug)]
#[must_use = "a pass is held as long as the call runs"]
pub struct Pass {
    held: [Option<Arc<Entry<Compartment>>>; KINDS],
}

impl Drop for Pass {
    fn drop(&mut self) {
        for entry in self.held.iter().flatten() {
            entry.value.running.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a count of who is inside: all or none, never more than the size, nothing lost.
        #[test]
        fn all_compartments_or_none(steps in prop::collection::vec((0_usize..2, 0_usize..3, any::<bool>()), 1..200)) {
            let bulkheads = Bulkheads::new(64, 1);
            let mut inside: Vec<(usize, usize, Pass)> = Vec::new();
            for (provider, tenant, enter) in steps {
                if enter {
                    let names = [format!("p{provider}"), format!("t{tenant}")];
                    let asks = [
                        Ask { kind: Kind::Provider, name: &names[0], size: 5 },
                        Ask { kind: Kind::Tenant, name: &names[1], size: 3 },
                    ];
                    let fits = inside.iter().filter(|pass| pass.0 == provider).count() < 5
                        && inside.iter().filter(|pass| pass.1 == tenant).count() < 3;
                    match bulkheads.enter(&asks, Moment::default()) {
                        Ok(pass) => { prop_assert!(fits); inside.push((provider, tenant, pass)); }
                        Err(_) => prop_assert!(!fits),
                    }
                } else if !inside.is_empty() {
                    drop(inside.remove(0));
                }
                let mut counts: BTreeMap<String, u32> = BTreeMap::new();
                for (provider, tenant, _) in &inside {
                    *counts.entry(format!("p{provider}")).or_default() += 1;
                    *counts.entry(format!("t{tenant}")).or_default() += 1;
                }
                for row in bulkheads.rows() {
                    prop_assert_eq!(row.running, counts.get(&*row.name).copied().unwrap_or(0));
                    prop_assert!(row.running <= row.size && row.peak <= row.size);
                }
            }
        }
    }

    #[test]
    fn utilisation_is_shown_the_fullest_first() {
        let bulkheads = Bulkheads::new(64, 1);
        let ask = |kind, name, size| Ask { kind, name, size };
        let held: Vec<_> = (0..4)
            .map(|_| {
                bulkheads
                    .enter(&[ask(Kind::Step, "llm", 10), ask(Kind::Tenant, "acme", 4)], Moment::default())
            })
            .collect();
        assert!(held.iter().all(Result::is_ok));
        let full =
            bulkheads.enter(&[ask(Kind::Step, "llm", 10), ask(Kind::Tenant, "acme", 4)], Moment::default());
        assert_eq!(full.unwrap_err(), Full { kind: Kind::Tenant, size: 4 });
        let rows = bulkheads.rows();
        let shown: Vec<_> = rows.iter().map(|row| (&*row.name, row.utilisation(), row.refused)).collect();
        assert_eq!(shown, [("acme", 1.0, 1), ("llm", 0.4, 0)]);
        // A smaller size takes effect at once, and a bigger one.
        assert!(bulkheads.enter(&[ask(Kind::Step, "llm", 4)], Moment::default()).is_err());
        assert!(bulkheads.enter(&[ask(Kind::Step, "llm", 5)], Moment::default()).is_ok());
    }
}
