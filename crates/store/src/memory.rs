//! Journals that last as long as the process: for runs that nobody wants to keep, and for tests.
//!
//! The same rules as on SQLite, without a database's cost. The oldest finished runs make room.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use types::{RunId, Timestamp};

use crate::journal::{Claim, Ending, Held, Journal, NewRun, RunFilter, RunHead, Seize, Status, Stored, Wish};
use crate::{Answer, StoreError};

/// Runs that are remembered; running ones are never forgotten.
const MOST_RUNS: usize = 1_000;

/// Journals in memory.
#[derive(Debug, Default)]
pub struct Memory {
    runs: Mutex<BTreeMap<RunId, Run>>,
}

#[derive(Debug)]
struct Run {
    stored: Stored,
    epoch: i64,
}

impl Run {
    /// Whether `claim` may still write.
    fn held_by(&mut self, claim: &Claim) -> Result<&mut Self, StoreError> {
        if self.epoch == claim.epoch && self.stored.head.held.is_some() {
            Ok(self)
        } else {
            Err(StoreError::ClaimLost(claim.run))
        }
    }
}

fn until(now: Timestamp, lease: Duration) -> Timestamp {
    Timestamp::from_micros(
        now.as_micros().saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX)),
    )
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with a run that `claim` holds.
    fn with<T>(
        &self,
        claim: &Claim,
        work: impl FnOnce(&mut Run) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut runs = self.lock();
        let run = runs.get_mut(&claim.run).ok_or(StoreError::ClaimLost(claim.run))?;
        work(run.held_by(claim)?)
    }

    fn create_run(&self, run: &NewRun, owner: &str, lease: Duration) -> Result<Claim, StoreError> {
        let mut runs = self.lock();
        if runs.contains_key(&run.id) {
            return Err(StoreError::KnownRun(run.id));
        }
        if runs.len() >= MOST_RUNS {
            let oldest = runs.iter().find(|(_, run)| run.stored.head.status != Status::Running);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                runs.remove(&oldest);
            }
        }
        let head = RunHead {
            id: run.id,
            chain: Arc::clone(&run.chain),
            status: Status::Running,
            trace: run.trace,
            at: run.at,
            ended: None,
            held: Some(Held { owner: Arc::from(owner), until: until(run.at, lease) }),
            events: 0,
        };
        let (source, inputs) = (Arc::clone(&run.source), run.inputs.clone());
        let stored = Stored { head, source, inputs, result: None, events: Vec::new() };
        runs.insert(run.id, Run { stored, epoch: 1 });
        Ok(Claim { run: run.id, epoch: 1 })
    }

    fn claim_run(&self, wish: &Wish) -> Result<Claim, StoreError> {
        let mut runs = self.lock();
        let run = runs.get_mut(&wish.run).ok_or(StoreError::UnknownRun(wish.run))?;
        let head = &mut run.stored.head;
        if head.status == Status::Complete {
            return Err(StoreError::Complete(wish.run));
        }
        if let Some(held) = &head.held
            && held.owner != wish.owner
            && held.until > wish.now
            && wish.seize == Seize::Expired
        {
            let Held { owner, until } = held.clone();
            return Err(StoreError::Claimed { run: wish.run, owner, until });
        }
        head.status = Status::Running;
        head.ended = None;
        head.held = Some(Held { owner: Arc::clone(&wish.owner), until: until(wish.now, wish.lease) });
        run.stored.result = None;
        run.epoch += 1;
        Ok(Claim { run: wish.run, epoch: run.epoch })
    }
}

impl Journal for Memory {
    fn create<'a>(&'a self, run: &'a NewRun, owner: &'a str, lease: Duration) -> Answer<'a, Claim> {
        Box::pin(ready(self.create_run(run, owner, lease)))
    }

    fn claim<'a>(&'a self, wish: &'a Wish) -> Answer<'a, Claim> {
        Box::pin(ready(self.claim_run(wish)))
    }

    fn renew<'a>(&'a self, claim: &'a Claim, now: Timestamp, lease: Duration) -> Answer<'a, ()> {
        Box::pin(ready(self.with(claim, |run| {
            if let Some(held) = &mut run.stored.head.held {
                held.until = until(now, lease);
            }
            Ok(())
        })))
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Answer<'a, ()> {
        Box::pin(ready(self.with(claim, |run| {
            run.stored.head.held = None;
            Ok(())
        })))
    }

    fn append<'a>(&'a self, claim: &'a Claim, seq: u64, events: &'a [Value]) -> Answer<'a, ()> {
        Box::pin(ready(self.with(claim, |run| {
            let expected = run.stored.head.events;
            if seq != expected {
                return Err(StoreError::OutOfStep { run: claim.run, expected, got: seq });
            }
            run.stored.events.extend_from_slice(events);
            run.stored.head.events += events.len() as u64;
            Ok(())
        })))
    }

    fn finish<'a>(&'a self, claim: &'a Claim, ending: &'a Ending) -> Answer<'a, ()> {
        Box::pin(ready(self.with(claim, |run| {
            run.stored.head.status = ending.status;
            run.stored.head.ended = Some(ending.at);
            run.stored.head.held = None;
            run.stored.result = Some(ending.result.clone());
            Ok(())
        })))
    }

    fn load(&self, run: RunId) -> Answer<'_, Stored> {
        let stored = self.lock().get(&run).map(|run| run.stored.clone());
        Box::pin(ready(stored.ok_or(StoreError::UnknownRun(run))))
    }

    fn list<'a>(&'a self, filter: &'a RunFilter) -> Answer<'a, Vec<RunHead>> {
        let runs = self.lock();
        let fits = |head: &&RunHead| {
            filter.chain.as_ref().is_none_or(|chain| *chain == head.chain)
                && filter.status.is_none_or(|status| status == head.status)
                && filter.since.is_none_or(|since| head.at >= since)
                && filter.before.is_none_or(|before| head.id < before)
        };
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        let heads =
            runs.values().rev().map(|run| &run.stored.head).filter(fits).take(most).cloned().collect();
        Box::pin(ready(Ok(heads)))
    }
}
