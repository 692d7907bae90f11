//! A waiting line in front of something that is crowded: a deployment's places, a limit's tokens.
//!
//! Who waits is served by priority, fairly between tenants, and no longer than its deadline: all of that is
//! `policy`'s queue; who goes where too many wait is its shedder's. While somebody waits one task drives the line: it asks the gate for whoever is next, and
//! sleeps until the gate says that it is worth asking again. Without a crowd there is no task, and nobody
//! who comes passes by those who wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy::limit::{Place, Queue, QueueSettings, Ticket};
use policy::shed::{Shed, Shedder};
use tokio::sync::{Notify, oneshot};
use types::Moment;
use upstream::clock;

/// What a line stands before.
pub(crate) trait Gate: Send + Sync + 'static {
    /// What one wants of it.
    type Ask: Clone + Send + 'static;
    /// What one gets. Dropped without being used it gives back what was taken.
    type Grant: Send + 'static;

    /// Takes, or says how long until it could be worth asking again; `None`: not before somebody gives back.
    fn take(&self, ask: &Self::Ask) -> impl Future<Output = Result<Self::Grant, Option<Duration>>> + Send;
}

/// Waited, or did not even wait, in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InVain {
    /// It was not to be had in time, or too many wait already.
    Late,
    /// Too many wait, and this one ranks lowest.
    Shed(Shed),
}

/// Who wants to be in a line that sheds: what its rank is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// A hash of its tenant.
    pub(crate) tenant: Option<u64>,
    /// A hash of its user, and of the hour.
    pub(crate) user: Option<u64>,
}

/// The line before `gate`.
#[derive(Debug)]
pub(crate) struct Line<G: Gate> {
    gate: G,
    state: Mutex<State<G>>,
    /// How many wait; read by everybody who comes.
    waiting: AtomicUsize,
    /// Somebody gave back, came, or went.
    stir: Notify,
}

#[derive(Debug)]
struct State<G: Gate> {
    queue: Queue<Waiter<G>>,
    /// Who goes where too many wait; `None`: nobody.
    shedder: Option<Shedder>,
    /// Whether a task drives the line.
    driven: bool,
}

struct Waiter<G: Gate> {
    ask: G::Ask,
    tenant: Option<u64>,
    grant: oneshot::Sender<Result<G::Grant, Shed>>,
}

impl<G: Gate> std::fmt::Debug for Waiter<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}

impl<G: Gate> Line<G> {
    pub(crate) fn new(gate: G, settings: QueueSettings, shedder: Option<Shedder>) -> Self {
        let state = State { queue: Queue::new(settings), shedder, driven: false };
        Self { gate, state: Mutex::new(state), waiting: AtomicUsize::new(0), stir: Notify::new() }
    }

    pub(crate) const fn gate(&self) -> &G {
        &self.gate
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Calls shed so far.
    pub(crate) fn shed(&self) -> u64 {
        self.lock().shedder.as_ref().map_or(0, Shedder::shed)
    }

    /// Something was given back.
    pub(crate) fn stir(&self) {
        if self.waiting() > 0 {
            self.stir.notify_one();
        }
    }

    /// Waits for it. Without a `standing` it is not shed, and sheds nobody. Dropping the future leaves the line.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        ask: G::Ask,
        place: Place,
        standing: Option<Standing>,
    ) -> Result<G::Grant, InVain> {
        self.wait_with(ask, place, standing, |_| true).await
    }

    /// The same, where those who go before it, by number and cost, leave some `hope`.
    pub(crate) async fn wait_with(
        self: &Arc<Self>,
        ask: G::Ask,
        mut place: Place,
        standing: Option<Standing>,
        hope: impl FnOnce((u64, u64)) -> bool,
    ) -> Result<G::Grant, InVain> {
        let (grant, granted) = oneshot::channel();
        let ticket = {
            let now = clock::now();
            let mut guard = self.lock();
            let state = &mut *guard;
            if !hope(state.queue.before(place.priority, place.flow)) {
                return Err(InVain::Late);
            }
            if let (Some(shedder), Some(Standing { tenant, user })) = (&mut state.shedder, standing) {
                place.rank = shedder.rank(place.priority, tenant, user, now);
            }
            let tenant = standing.and_then(|standing| standing.tenant);
            // Whoever is pushed out for somebody more important learns it by its sender being gone.
            let pushed = state.queue.push(Waiter { ask, tenant, grant }, place, now);
            let (ticket, _pushed_out) = pushed.map_err(|_| InVain::Late)?;
            if let (Some(shedder), Some(_)) = (&mut state.shedder, standing)
                && let Some((out, shed)) = shedder.came(&mut state.queue, now)
            {
                let _ = out.grant.send(Err(shed));
            }
            self.count(state, now);
            if !std::mem::replace(&mut state.driven, true) {
                tokio::spawn(Arc::clone(self).drive());
            }
            ticket
        };
        self.stir.notify_one();
        let _leave = Leave { line: self, ticket };
        match granted.await {
            Ok(granted) => granted.map_err(InVain::Shed),
            Err(_) => Err(InVain::Late),
        }
    }

    async fn drive(self: Arc<Self>) {
        loop {
            let now = clock::now();
            let (ticket, ask, deadline) = {
                let mut guard = self.lock();
                let state = &mut *guard;
                while state.queue.expire(now).is_some() {}
                self.count(state, now);
                let Some((ticket, waiter)) = state.queue.peek(now) else {
                    state.driven = false;
                    return;
                };
                (ticket, waiter.ask.clone(), state.queue.next_deadline())
            };
            match self.gate.take(&ask).await {
                Ok(grant) => {
                    // Gone meanwhile: what was taken is given back by being dropped.
                    if let Some(waiter) = self.served(ticket) {
                        let _ = waiter.grant.send(Ok(grant));
                    }
                }
                Err(again) => {
                    let again = again.map(|wait| now + wait);
                    let by = match (again, deadline) {
                        (Some(again), Some(deadline)) => again.min(deadline),
                        (Some(by), None) | (None, Some(by)) => by,
                        (None, None) => now,
                    };
                    // A stir between the question and here is remembered by the notification itself.
                    let _ = tokio::time::timeout_at(clock::instant(by), self.stir.notified()).await;
                }
            }
        }
    }

    /// Takes out one that is served; `None` if it is gone.
    fn served(&self, ticket: Ticket) -> Option<Waiter<G>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let waiter = state.queue.serve(ticket)?;
        if let Some(shedder) = &mut state.shedder {
            shedder.served(waiter.tenant, state.queue.len(), clock::now());
        }
        Some(waiter)
    }

    fn count(&self, state: &mut State<G>, now: Moment) {
        let waiting = state.queue.len();
        if let Some(shedder) = &mut state.shedder {
            shedder.left(waiting, now);
        }
        self.waiting.store(waiting, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State<G>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the line, served or not.
struct Leave<'a, G: Gate> {
    line: &'a Line<G>,
    ticket: Ticket,
}

impl<G: Gate> Drop for Leave<'_, G> {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        drop(state.queue.remove(self.ticket));
        self.line.count(&mut state, clock::now());
        drop(state);
        self.line.stir.notify_one();
    }
}
