//! What must hold in every run, whatever the scenario and the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use types::ledger::{Outcome, Row};
use types::{CallId, Timestamp};

use crate::drive::{End, Run};
use crate::provider::Fate;
use crate::scenario::Scenario;

/// What a scenario promises beyond what holds always.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// Attempts on each model, the first included.
    pub tries: usize,
    /// The most models that a route has.
    pub targets: usize,
    /// Probes of a breaker at a time.
    pub probes: usize,
    /// Retries of a minute, as a share of its calls; sixty are always allowed.
    pub budget: f64,
    /// The longest wait for a place.
    pub wait: Duration,
}

impl Default for Promises {
    /// The defaults of the configuration, for routes of two models.
    fn default() -> Self {
        Self { tries: 2, targets: 2, probes: 3, budget: 0.1, wait: Duration::from_secs(2) }
    }
}

/// Everything in `run` that must not be; empty: all is well.
pub fn broken(scenario: &Scenario, run: &Run, promises: &Promises) -> Vec<String> {
    let mut broken = Vec::new();
    ends(scenario, run, &mut broken);
    let calls = by_call(run);
    rows(run, &calls, promises, &mut broken);
    leftovers(run, &mut broken);
    breakers(run, promises, &mut broken);
    retries(scenario, run, &calls, promises, &mut broken);
    waits(scenario, run, &calls, promises, &mut broken);
    broken
}

type Calls<'a> = BTreeMap<CallId, Vec<&'a Row>>;

fn by_call(run: &Run) -> Calls<'_> {
    let mut calls = Calls::new();
    for row in &run.rows {
        calls.entry(row.key.call).or_default().push(row);
    }
    calls
}

/// No call without an end, and an end that its attempts explain.
fn ends(scenario: &Scenario, run: &Run, broken: &mut Vec<String>) {
    if run.seen.len() != scenario.calls.len() {
        broken.push(format!("{} of {} calls were seen", run.seen.len(), scenario.calls.len()));
    }
    for (number, seen) in run.seen.iter().enumerate() {
        if matches!(seen.end, End::Never) {
            broken.push(format!("call {number} has no end"));
        }
        if let End::Refused(fault) = &seen.end
            && fault.kind == types::Kind::Permanent
        {
            broken.push(format!("call {number} met a bug: {fault}"));
        }
    }
}

/// A row for each attempt, in a row, and each attempt at a provider; nothing tried again behind a first content.
fn rows(run: &Run, calls: &Calls<'_>, promises: &Promises, broken: &mut Vec<String>) {
    for (call, rows) in calls {
        for (row, number) in rows.iter().zip(1_u16..) {
            if row.key.attempt != number {
                broken.push(format!("{call} has attempt {} where {number} should be", row.key.attempt));
            }
        }
        // One backup beside them.
        if rows.len() > promises.tries * promises.targets + 1 {
            broken.push(format!("{call} was tried {} times", rows.len()));
        }
        let shown = |row: &&&Row| matches!(row.outcome, Outcome::Complete | Outcome::Cut | Outcome::Stalled);
        if rows.iter().filter(shown).count() > 1 {
            broken.push(format!("{call} was answered twice"));
        }
        if let Some(at) = rows.iter().position(|row| shown(&row))
            && rows.iter().skip(at + 1).any(|row| row.at > finished(rows[at]))
        {
            broken.push(format!("{call} was tried again behind its answer"));
        }
    }
    for (number, seen) in run.seen.iter().enumerate() {
        let (Some(id), Some(attempts)) = (seen.id, seen.attempts) else { continue };
        let rows = calls.get(&id).map_or(0, Vec::len);
        if rows != usize::from(attempts) {
            broken.push(format!("call {number} made {attempts} attempts and has {rows} rows"));
        }
        if matches!(seen.end, End::Good) && !calls.get(&id).is_some_and(|rows| one(rows, Outcome::Complete)) {
            broken.push(format!("call {number} was answered and no row says so"));
        }
    }
    if run.visits.len() != run.rows.len() {
        broken.push(format!("{} requests at providers and {} rows", run.visits.len(), run.rows.len()));
    }
}

fn one(rows: &[&Row], outcome: Outcome) -> bool {
    rows.iter().filter(|row| row.outcome == outcome).count() == 1
}

/// Nothing runs, waits or is held at the end.
fn leftovers(run: &Run, broken: &mut Vec<String>) {
    let (standing, in_flight) = &run.left;
    if *in_flight > 0 {
        broken.push(format!("{in_flight} calls in flight at the end"));
    }
    for places in &standing.places {
        if places.running > 0 || places.waiting > 0 {
            broken.push(format!(
                "{} has {} running and {} waiting at the end",
                places.provider, places.running, places.waiting
            ));
        }
    }
    for row in &standing.bulkheads {
        if row.running > 0 {
            broken.push(format!("the compartment {} is not empty at the end", row.name));
        }
    }
    if run.busy > 0 {
        broken.push(format!("{} places at providers were not given back", run.busy));
    }
}

/// Nothing goes to an open breaker but in panic; no more probes than allowed.
fn breakers(run: &Run, promises: &Promises, broken: &mut Vec<String>) {
    let mut astray = 0;
    for (index, change) in run.changes.iter().enumerate() {
        let until = run.changes.iter().skip(index + 1).find(|later| later.provider == change.provider);
        let until = until.map_or(Duration::MAX, |later| later.at);
        let inside = run.rows.iter().filter(|row| {
            let at = since(row.at);
            *row.provider == *change.provider && at > change.at && at < until
        });
        match change.to.as_str() {
            "open" => astray += inside.count(),
            "half_open" => {
                let mut edges: Vec<_> =
                    inside.flat_map(|row| [(since(row.at), 1), (first_known(row), -1)]).collect();
                edges.sort_unstable();
                let mut running = 0_i64;
                let most = edges
                    .iter()
                    .map(|(_, step)| {
                        running += step;
                        running
                    })
                    .max()
                    .unwrap_or(0);
                // What goes in panic goes to a breaker whose probes are out, too.
                astray += usize::try_from(most).unwrap_or(0).saturating_sub(promises.probes);
            }
            _ => {}
        }
    }
    let panics = counter(&run.metrics, "windlass_panic_attempts_total");
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    if astray as f64 > panics {
        broken.push(format!("{astray} attempts too many at open breakers, {panics} in panic"));
    }
}

/// The same model again: not more than the budget allows in any minute.
fn retries(scenario: &Scenario, run: &Run, calls: &Calls<'_>, promises: &Promises, broken: &mut Vec<String>) {
    let mut again: Vec<Duration> = Vec::new();
    for rows in calls.values() {
        let mut asked = BTreeSet::new();
        again.extend(rows.iter().filter(|row| !asked.insert(&row.provider)).map(|row| since(row.at)));
    }
    again.sort_unstable();
    let minute = Duration::from_secs(60);
    for (index, at) in again.iter().enumerate() {
        // Whoever was allowed to try again waited before doing so, ten seconds at most: what seventy seconds allowed
        // may come in sixty. (The budget's own promise, to the retry, is a property in `policy::retry`.)
        let from = at.saturating_sub(minute + Duration::from_secs(10));
        let retries = index + 1 - again.partition_point(|other| *other <= at.saturating_sub(minute));
        let came = scenario.calls.iter().filter(|call| call.at >= from && call.at <= *at).count();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let allowed = (came as f64 * promises.budget).max(60.0) * 70.0 / 60.0;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        if retries as f64 > allowed.floor() + 1.0 {
            broken.push(format!("{retries} retries in the minute up to {at:?}, {came} calls"));
            return;
        }
    }
    let _ = run;
}

/// Nobody waits for a place longer than configured.
fn waits(scenario: &Scenario, run: &Run, calls: &Calls<'_>, promises: &Promises, broken: &mut Vec<String>) {
    // Timers are as fine as a millisecond, and two may follow each other.
    let most = promises.wait + Duration::from_millis(5);
    for (number, (seen, call)) in run.seen.iter().zip(&scenario.calls).enumerate() {
        let first = seen.id.and_then(|id| calls.get(&id)).and_then(|rows| rows.first());
        let waited = match (first, &seen.end) {
            (Some(row), _) => since(row.at).saturating_sub(call.at),
            (None, End::Refused(_)) => seen.over,
            _ => continue,
        };
        if waited > most {
            broken.push(format!("call {number} waited {waited:?} for a place"));
        }
    }
}

/// A moment of a row, since the run began.
pub(crate) fn since(at: Timestamp) -> Duration {
    let micros = at.as_micros() - upstream::driven::WALL;
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// When it was known how an attempt does: at its first content, or at its end.
fn first_known(row: &Row) -> Duration {
    since(row.at) + row.timing.first_token.or(row.timing.total).unwrap_or_default()
}

fn finished(row: &Row) -> Timestamp {
    let total = row.timing.total.unwrap_or_default();
    Timestamp::from_micros(row.at.as_micros() + i64::try_from(total.as_micros()).unwrap_or(i64::MAX))
}

/// The sum of a counter of the exposition.
pub(crate) fn counter(metrics: &str, name: &str) -> f64 {
    let values = metrics.lines().filter(|line| line.starts_with(name));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Requests that a provider's own limit refused.
pub(crate) fn limited(run: &Run) -> usize {
    run.visits.iter().filter(|visit| visit.fate == Fate::Limited).count()
}
