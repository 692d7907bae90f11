//! Journals that last as long as the process: for runs that nobody wants to keep, and for tests.
//!
//! The same rules as on SQLite, without a database's cost. The oldest finished runs make room.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use types::{RunId, Timestamp};

use crate::journal::{Claim, Ending, Entry, Held, Journal, NewRun, RunFilter, RunHead, Status, Stored, Wish};
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
    head: RunHead,
    source: Arc<str>,
    inputs: Value,
    /// What happened and how it ended, as they were given: nothing is made JSON of before somebody asks.
    events: Vec<Arc<dyn Entry>>,
    result: Option<Arc<dyn Entry>>,
    epoch: i64,
}

impl Run {
    /// Whether `claim` may still write.
    fn held_by(&mut self, claim: &Claim) -> Result<&mut Self, StoreError> {
        if self.epoch == claim.epoch && self.head.held.is_some() {
            Ok(self)
        } else {
            Err(StoreError::ClaimLost(claim.run))
        }
    }

    /// Whether the next event has the number `seq`.
    fn at(&self, seq: u64) -> Result<(), StoreError> {
        let expected = self.head.events;
        if seq == expected {
            return Ok(());
        }
        Err(StoreError::OutOfStep { run: self.head.id, expected, got: seq })
    }

    fn stored(&self) -> Result<Stored, StoreError> {
        let value =
            |entry: &Arc<dyn Entry>| entry.value().map_err(|error| StoreError::unreadable("event", error));
        Ok(Stored {
            head: self.head.clone(),
            source: Arc::clone(&self.source),
            inputs: self.inputs.clone(),
            result: self.result.as_ref().map(value).transpose()?,
            events: self.events.iter().map(value).collect::<Result<_, _>>()?,
        })
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
            let oldest = runs.iter().find(|(_, run)| run.head.status != Status::Running);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                runs.remove(&oldest);
            }
        }
        let head = RunHead {
            id: run.id,
            chain: Arc::clone(&run.chain),
            status: Status::Running,
            trace: run.trace,
            caller: run.caller.clone(),
            tenant: run.tenant.clone(),
            at: run.at,
            ended: None,
            held: Some(Held { owner: Arc::from(owner), until: until(run.at, lease) }),
            events: 0,
        };
        let (source, inputs) = (Arc::clone(&run.source), run.inputs.clone());
        let claim = Claim::first(run.id);
        let new = Run { head, source, inputs, result: None, events: Vec::new(), epoch: claim.epoch };
        runs.insert(run.id, new);
        Ok(claim)
    }

    fn claim_run(&self, wish: &Wish) -> Result<Claim, StoreError> {
        let mut runs = self.lock();
        let run = runs.get_mut(&wish.run).ok_or(StoreError::UnknownRun(wish.run))?;
        let head = &mut run.head;
        if head.status == Status::Complete {
            return Err(StoreError::Complete(wish.run));
        }
        if let Some(held) = &head.held
            && held.owner != wish.owner
            && held.until > wish.now
            && !wish.seize.takes_from(&held.owner)
        {
            let Held { owner, until } = held.clone();
            return Err(StoreError::Claimed { run: wish.run, owner, until });
        }
        head.status = Status::Running;
        head.ended = None;
        head.held = Some(Held { owner: Arc::clone(&wish.owner), until: until(wish.now, wish.lease) });
        run.result = None;
        run.epoch += 1;
        Ok(Claim { run: wish.run, epoch: run.epoch })
    }
}

impl Journal for Memory {
    fn create(&self, run: &NewRun, owner: &str, lease: Duration) -> Answer<'static, Claim> {
        Box::pin(ready(self.create_run(run, owner, lease)))
    }

    fn claim<'a>(&'a self, wish: &'a Wish) -> Answer<'a, Claim> {
        Box::pin(ready(self.claim_run(wish)))
    }

    fn renew<'a>(&'a self, claim: &'a Claim, now: Timestamp, lease: Duration) -> Answer<'a, ()> {
        Box::pin(ready(self.with(claim, |run| {
            if let Some(held) = &mut run.head.held {
                held.until = until(now, lease);
            }
            Ok(())
        })))
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Answer<'a, ()> {
        Box::pin(ready(self.with(claim, |run| {
            run.head.held = None;
            Ok(())
        })))
    }

    fn append(&self, claim: &Claim, seq: u64, events: Vec<Arc<dyn Entry>>) -> Answer<'static, ()> {
        Box::pin(ready(self.with(claim, |run| {
            run.at(seq)?;
            run.head.events += events.len() as u64;
            run.events.extend(events);
            Ok(())
        })))
    }

    fn finish(&self, claim: &Claim, seq: u64, ending: &Ending) -> Answer<'static, ()> {
        Box::pin(ready(self.with(claim, |run| {
            run.at(seq)?;
            run.head.status = ending.status;
            run.head.ended = Some(ending.at);
            run.head.held = None;
            run.result = Some(Arc::clone(&ending.result));
            Ok(())
        })))
    }

    fn load(&self, run: RunId) -> Answer<'_, Stored> {
        let runs = self.lock();
        let stored = runs.get(&run).ok_or(StoreError::UnknownRun(run)).and_then(Run::stored);
        Box::pin(ready(stored))
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
        let heads = runs.values().rev().map(|run| &run.head).filter(fits).take(most).cloned().collect();
        Box::pin(ready(Ok(heads)))
    }
}
