//! Who waits for a limit, and who goes next: by priority, then fairly between tenants, then by arrival.
//!
//! Bounded, with a deadline for each. Nobody starves: waiting lifts an entry by one priority for each
//! `aging`. The engine's driver holds it, asks [`Queue::pop`] when something may pass, and wakes at
//! [`Queue::next_deadline`].

use std::collections::BTreeSet;
use std::time::Duration;

use types::{Moment, Priority};

use super::fair::{Lane, Spot};
use crate::number::nanos;

/// The queue's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most that wait.
    pub capacity: usize,
    /// Waiting this long counts as one priority more.
    pub aging: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { capacity: 1_024, aging: Duration::from_secs(2) }
    }
}

/// How an entry waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Higher goes first.
    pub priority: Priority,
    /// Whose it is: flows of one priority take turns. A hash of the tenant; 0 for all makes it first come
    /// first served.
    pub flow: u64,
    /// Its weight in taking turns: expected tokens, or 1.
    pub cost: u64,
    /// It waits no longer than to then.
    pub deadline: Moment,
    /// Its rank among those of its priority when somebody has to go ([`Queue::shed`]): the lowest goes first.
    pub rank: Rank,
}

/// Who has to go first among those of the same priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// One who may be made to go; the lower, the sooner.
    At(u8),
    /// One who stays.
    Spared,
}

/// Names one entry, for [`Queue::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    lane: usize,
    spot: Spot,
}

/// The queue.
#[derive(Debug)]
pub struct Queue<T> {
    settings: Settings,
    lanes: [Lane<T>; 4],
    deadlines: BTreeSet<(Moment, usize, Spot)>,
    arrivals: u64,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            lanes: [Lane::new(), Lane::new(), Lane::new(), Lane::new()],
            deadlines: BTreeSet::new(),
            arrivals: 0,
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// How many would likely be served before one more of this priority and flow, and what they cost together: all of
    /// higher priority, and of its own those whose turn comes before. Who comes later may still go before it.
    pub fn before(&self, priority: Priority, flow: u64) -> (u64, u64) {
        let lanes = self.lanes.iter().enumerate().skip(priority as usize);
        let own = |lane| (lane == priority as usize).then_some(flow);
        let sums = lanes.map(|(lane, held)| held.before(own(lane)));
        sums.fold((0, 0), |(count, cost), (more, dear)| (count + more, dear.saturating_add(cost)))
    }

    /// Lets `item` wait. A full queue refuses it, unless something of lower priority waits: the last of the
    /// lowest is then pushed out and returned beside the ticket.
    pub fn push(&mut self, item: T, place: Place, now: Moment) -> Result<(Ticket, Option<T>), T> {
        let mut out = None;
        let lane = place.priority as usize;
        if self.len() >= self.settings.capacity.max(1) {
            let Some((lower, spot)) = (0..lane).find_map(|at| Some((at, self.lanes[at].last()?))) else {
                return Err(item);
            };
            out = self.remove(Ticket { lane: lower, spot });
        }
        self.arrivals += 1;
        let spot = self.lanes[lane].push(item, &place, (self.arrivals, now));
        self.deadlines.insert((place.deadline, lane, spot));
        Ok((Ticket { lane, spot }, out))
    }

    /// Who goes next, without taking it out. Call [`Queue::expire`] before: this one does not look at deadlines.
    pub fn peek(&self, now: Moment) -> Option<(Ticket, &T)> {
        let ticket = self.next(now)?;
        self.lanes[ticket.lane].head().map(|(_, waiting)| (ticket, &waiting.item))
    }

    /// Takes out who goes next.
    pub fn pop(&mut self, now: Moment) -> Option<T> {
        let ticket = self.next(now)?;
        self.serve(ticket)
    }

    /// Takes out one that is served; `None` if it is out already.
    pub fn serve(&mut self, ticket: Ticket) -> Option<T> {
        let out = self.lanes.get_mut(ticket.lane)?.serve(ticket.spot)?;
        self.deadlines.remove(&(out.deadline, ticket.lane, ticket.spot));
        Some(out.item)
    }

    /// Takes out who ranks lowest, the newest of those of the same rank; `None` if all are spared.
    pub fn shed(&mut self) -> Option<(Priority, u8, T)> {
        let (priority, rank, ticket) = self.lowest()?;
        Some((priority, rank, self.remove(ticket)?))
    }

    /// Priority and rank of who would go next by [`Queue::shed`].
    pub fn lowest(&self) -> Option<(Priority, u8, Ticket)> {
        const LADDER: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
        self.lanes.iter().zip(LADDER).enumerate().find_map(|(lane, (held, priority))| {
            let (rank, spot) = held.lowest()?;
            Some((priority, rank, Ticket { lane, spot }))
        })
    }

    /// Takes out one whose time is over; call until `None`.
    pub fn expire(&mut self, now: Moment) -> Option<T> {
        let (deadline, lane, spot) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.remove(Ticket { lane, spot })
    }

    /// When the next one's time is over.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|(deadline, ..)| *deadline)
    }

    /// Takes out one whose caller went away; `None` if it is out already.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let out = self.lanes.get_mut(ticket.lane)?.remove(ticket.spot)?;
        self.deadlines.remove(&(out.deadline, ticket.lane, ticket.spot));
        Some(out.item)
    }

    fn next(&self, now: Moment) -> Option<Ticket> {
        let aging = nanos(self.settings.aging).max(1);
        let mut best: Option<(u64, Moment, Ticket)> = None;
        for (lane, held) in self.lanes.iter().enumerate() {
            let Some((spot, waiting)) = held.head() else { continue };
            let rank = lane as u64 + nanos(now.since(waiting.since)) / aging;
            let better = best.is_none_or(|(highest, since, _)| {
                rank > highest || (rank == highest && waiting.since < since)
            });
            if better {
                best = Some((rank, waiting.since, Ticket { lane, spot }));
            }
        }
        best.map(|(.., ticket)| ticket)
    }
}
