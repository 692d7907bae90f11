//! One lane of the queue: fair between flows, first come first served within one (start-time fair queueing,
//! Goyal, Vin, Cheng 1996).
//!
//! A flow pays when it is served, not when it begins to wait: one whose entries time out is not charged for
//! what it never got.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use types::Moment;

use super::queue::{Place, Rank};

/// An entry: its flow and its number in order of arrival.
pub(super) type Spot = (u64, u64);

/// Flows without entries that are remembered for what they owe.
const REMEMBERED: usize = 4_096;

#[derive(Debug)]
pub(super) struct Waiting<T> {
    pub(super) item: T,
    pub(super) since: Moment,
    pub(super) deadline: Moment,
    cost: u64,
    rank: Rank,
}

#[derive(Debug)]
struct Flow<T> {
    /// When its next entry may start, on the lane's clock.
    start: u64,
    waiting: BTreeMap<u64, Waiting<T>>,
}

#[derive(Debug)]
pub(super) struct Lane<T> {
    flows: HashMap<u64, Flow<T>>,
    /// Flows that wait: start, number of the head, flow.
    order: BTreeSet<(u64, u64, u64)>,
    /// Who may be made to go: rank, the newest first, flow.
    ranks: BTreeSet<(u8, Reverse<u64>, u64)>,
    /// The start of what was served last.
    clock: u64,
}

impl<T> Lane<T> {
    pub(super) fn new() -> Self {
        Self { flows: HashMap::new(), order: BTreeSet::new(), ranks: BTreeSet::new(), clock: 0 }
    }

    pub(super) fn push(&mut self, item: T, place: &Place, (number, since): (u64, Moment)) -> Spot {
        let Place { flow, cost, deadline, rank, .. } = *place;
        let clock = self.clock;
        if self.flows.len() - self.order.len() >= REMEMBERED {
            self.flows.retain(|_, flow| !flow.waiting.is_empty());
        }
        let state = self.flows.entry(flow).or_insert_with(|| Flow { start: 0, waiting: BTreeMap::new() });
        if state.waiting.is_empty() {
            state.start = state.start.max(clock);
            self.order.insert((state.start, number, flow));
        }
        state.waiting.insert(number, Waiting { item, since, deadline, cost, rank });
        if let Rank::At(rank) = rank {
            self.ranks.insert((rank, Reverse(number), flow));
        }
        (flow, number)
    }

    /// How many go before one more of `flow`, and what they cost: those of its own, and of each other flow as many as
    /// have their turn until then. Without a `flow`: all.
    pub(super) fn before(&self, flow: Option<u64>) -> (u64, u64) {
        let own = flow.and_then(|flow| self.flows.get(&flow)).map_or(0, |own| own.waiting.len());
        let turns = flow.map_or(usize::MAX, |_| own.saturating_add(1));
        let before = self.flows.values().flat_map(|flow| flow.waiting.values().take(turns));
        before.fold((0, 0), |(count, cost), next| (count + 1, next.cost.saturating_add(cost)))
    }

    /// Who is next.
    pub(super) fn head(&self) -> Option<(Spot, &Waiting<T>)> {
        let (_, number, flow) = *self.order.first()?;
        let waiting = self.flows.get(&flow)?.waiting.get(&number)?;
        Some(((flow, number), waiting))
    }

    /// The newest of the flow that waits for most.
    pub(super) fn last(&self) -> Option<Spot> {
        let longest = self.flows.iter().max_by_key(|(name, flow)| (flow.waiting.len(), **name))?;
        let (number, _) = longest.1.waiting.last_key_value()?;
        Some((*longest.0, *number))
    }

    /// Who ranks lowest: the newest of those.
    pub(super) fn lowest(&self) -> Option<(u8, Spot)> {
        self.ranks.first().map(|(rank, Reverse(number), flow)| (*rank, (*flow, *number)))
    }

    /// Takes one out that is served: its flow pays.
    pub(super) fn serve(&mut self, spot: Spot) -> Option<Waiting<T>> {
        let start = self.flows.get(&spot.0)?.start;
        let out = self.take(spot, |cost| cost.max(1))?;
        self.clock = self.clock.max(start);
        Some(out)
    }

    /// Takes one out that goes away unserved.
    pub(super) fn remove(&mut self, spot: Spot) -> Option<Waiting<T>> {
        self.take(spot, |_| 0)
    }

    fn take(&mut self, (name, number): Spot, pays: impl FnOnce(u64) -> u64) -> Option<Waiting<T>> {
        let flow = self.flows.get_mut(&name)?;
        let head = flow.waiting.first_key_value().map(|(head, _)| *head)?;
        let out = flow.waiting.remove(&number)?;
        self.order.remove(&(flow.start, head, name));
        if let Rank::At(rank) = out.rank {
            self.ranks.remove(&(rank, Reverse(number), name));
        }
        flow.start = flow.start.saturating_add(pays(out.cost));
        match flow.waiting.first_key_value() {
            Some((head, _)) => {
                self.order.insert((flow.start, *head, name));
            }
            None if flow.start <= self.clock => {
                self.flows.remove(&name);
            }
            None => {}
        }
        Some(out)
    }
}
