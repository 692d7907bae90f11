//! What staying up costs a call that meets no trouble (one that finds a place asks no shedder): limits, places, breaker, balance, budgets and
//! the attempt machine, as the call path asks them. Time, instructions and allocations: `guards.json`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use policy::attempt::{Event, Machine, Route, Step};
use policy::balance::{Balance, Endpoint, Kind, Settings};
use policy::breaker::{Judge, Sample};
use policy::concurrency::Limiter;
use policy::health::{Guards, Health, Known};
use policy::limit::{Limits, Rule, Rules, Signal, Take, Tier, Unit};
use policy::retry::{Budget, Budgets, Policy, Share};
use policy::{Timeouts, memory};
use types::{Moment, Priority};

use crate::instructions::{allocations, count};
use crate::report::{Goal, Report};

/// Deployments of the route.
const TARGETS: usize = 4;
/// Calls of one timed round, and rounds of which the median counts.
const CALLS: u64 = 200_000;
const ROUNDS: usize = 7;
/// Calls in the two counts whose difference is taken.
const FEW: u64 = 200;
const MANY: u64 = 2_200;
/// The goal for all of it together.
const NANOS: f64 = 3_000.0;

const TIERS: [Tier; 6] = [Tier::Global, Tier::Tenant, Tier::User, Tier::Key, Tier::Endpoint, Tier::Model];
const NAMES: [&str; 6] = ["", "acme", "acme/ann", "backend", "/v1/chat/completions", "openai/gpt-4o"];

/// `windlass-bench guards`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

/// One round of the guards, for counting.
#[derive(Debug, clap::Args)]
pub(crate) struct Round {
    tiers: usize,
    calls: u64,
}

/// Everything that a call asks, for a route of [`TARGETS`] deployments.
struct House {
    limits: Limits,
    rules: Vec<Rules>,
    memory: memory::Guard,
    balance: Balance,
    route: Arc<Route>,
    own: Budget,
    overall: Budget,
    health: Vec<Health>,
    endpoints: Vec<Arc<Endpoint>>,
    limiters: Vec<Arc<Limiter>>,
}

impl House {
    /// With limits of requests and of tokens in each of the first `tiers` tiers.
    fn new(tiers: usize) -> Result<Self> {
        let start = Moment::from_nanos(0);
        let judge = Arc::new(Judge::new(policy::breaker::Settings::default()));
        let minute = Duration::from_secs(60);
        // Never reached, and of the size that limits have: more than 2^63 nanoseconds times units is another division.
        let many = 100_000_000;
        let rules = [Rule::bucket(Unit::Requests, many, minute), Rule::bucket(Unit::Tokens, many, minute)];
        let rules: Result<Vec<_>, _> =
            TIERS.iter().take(tiers).map(|tier| Rules::new(*tier, &rules)).collect();
        let endpoint = |id| Arc::new(Endpoint::new(id, 100, Settings::default(), start));
        Ok(Self {
            limits: Limits::new(10_000, 7),
            rules: rules?,
            memory: memory::Guard::new(memory::Settings::default()),
            balance: Balance::new(Kind::PowerOfTwo),
            route: Arc::new(Route::plain(TARGETS, Policy::default())),
            own: Budget::new(Share::default()),
            overall: Budget::new(Share::default()),
            health: (0..TARGETS).map(|_| Health::new(Arc::clone(&judge))).collect(),
            endpoints: (0..TARGETS as u64).map(endpoint).collect(),
            limiters: (0..TARGETS)
                .map(|_| Arc::new(Limiter::new(policy::concurrency::Settings::default())))
                .collect(),
        })
    }

    /// One call that is answered 50 ms later.
    fn call(&self, number: u64) -> Result<()> {
        let now = Moment::from_nanos(black_box(number) * 1_000_000);
        let later = now + Duration::from_millis(50);
        self.memory.admit(Priority::Normal)?;
        let take = Take::new(700, Priority::Normal, now);
        let take = self.rules.iter().zip(NAMES).fold(take, |take, (rules, name)| take.with(rules, name));
        let Ok(reservation) = self.limits.take(&take) else {
            anyhow::bail!("a limit that is not there refused")
        };
        let mut guards = Guards::new(TARGETS, |target| self.health.get(target).map(Known::from));
        let budgets = Budgets { route: &self.own, overall: &self.overall };
        budgets.call(now);
        guards.budgets = Some(budgets);
        let chosen = self.balance.pick(&self.endpoints, 700, number, now).context("nobody was chosen")?;
        let timeouts = Timeouts::default();
        let mut machine =
            Machine::on(Arc::clone(&self.route), timeouts, (now, None), number).preferring(chosen);
        let Step::Send(send) = machine.next_with(Event::Start, now, &mut guards) else {
            anyhow::bail!("nothing was sent")
        };
        let at = send.target;
        let mut place = self.limiters[at].acquire(700, now)?;
        let outstanding = self.endpoints[at].send(700);
        let permit = guards.permit().context("a breaker gave no permit")?;
        let took = Duration::from_millis(20 + number % 20);
        place.first_token(took);
        outstanding.first_token(took, later);
        let health = &self.health[at];
        health.first_token.record(later, took);
        permit.settle(Sample::Good, later, number);
        place.finish(later);
        health.total.record(later, later.since(now));
        health.tally.record(later, None);
        drop(outstanding);
        let end = machine.next_with(Event::Completed, later, &mut guards);
        ensure!(end == Step::Finish(Ok(())), "the machine goes on after a whole answer");
        reservation.settle(650, Signal::Answered(took), later);
        Ok(())
    }
}

/// Does `calls` calls; what the counts are taken of.
///
/// # Errors
/// When something refuses.
pub(crate) fn round(round: &Round) -> Result<()> {
    let house = House::new(round.tiers)?;
    (0..round.calls).try_for_each(|number| house.call(number))
}

/// Measures and writes the report.
///
/// # Errors
/// When valgrind is missing or something refuses.
pub(crate) async fn run(_: &Options) -> Result<()> {
    let mut report = Report::new("guards");
    let directory = tempfile::tempdir()?;
    for (tiers, name) in [(0, "no_limits"), (3, "limits_in_3_tiers"), (6, "limits_in_6_tiers")] {
        report.add(format!("guards.{name}.time"), time(tiers)?, "ns per call", Goal::AtMost(NANOS));
        let round = |calls: u64| ["guards-round".to_owned(), tiers.to_string(), calls.to_string()];
        let (few, many) = (round(FEW), round(MANY));
        let (few, many) = (few.each_ref().map(String::as_str), many.each_ref().map(String::as_str));
        let instructions =
            difference(count(&few, directory.path()).await?, count(&many, directory.path()).await?);
        report.add(format!("guards.{name}.instructions"), instructions, "instructions per call", Goal::None);
        let made = difference(
            allocations(&few, directory.path()).await?,
            allocations(&many, directory.path()).await?,
        );
        report.add(format!("guards.{name}.allocations"), made, "allocations per call", Goal::AtMost(0.0));
    }
    report.publish()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn difference(few: u64, many: u64) -> f64 {
    many.saturating_sub(few) as f64 / (MANY - FEW) as f64
}

/// The median time of a call in nanoseconds.
fn time(tiers: usize) -> Result<f64> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let house = House::new(tiers)?;
        let began = Instant::now();
        (0..CALLS).try_for_each(|number| house.call(number))?;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        rounds.push(began.elapsed().as_nanos() as f64 / CALLS as f64);
    }
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().context("no round was run")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_round_runs() {
        for tiers in [0, 3, 6] {
            super::round(&super::Round { tiers, calls: 50 }).unwrap();
        }
    }
}
