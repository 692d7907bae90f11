//! Machines that are asked alone, because what they promise shows only in a million calls, or in prompts that the
//! scenarios' callers do not write.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use policy::analysis::{Action, Forecast, Outlook, Seen, Tally};
use policy::attempt::Cause;
use policy::balance::{Endpoint, Outstanding, Settings, affine};
use policy::breaker::{Breaker, Judge, Sample, State};
use types::Moment;

use super::{Asked, Figure, Goal, Size, StudyError, mean, worst};
use crate::dice::Dice;
use crate::figures::share;

/// Calls a second, by turns.
const RATES: [f64; 4] = [2.0, 10.0, 100.0, 1_000.0];
/// A breaker on its own, in a million calls of which one in a hundred fails, and in many brown-outs.
#[expect(clippy::unnecessary_wraps, reason = "a study, and most can fail")]
pub(super) fn breaker(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let (calls, scripts) = if asked.size == Size::Large { (1_000_000, 500) } else { (50_000, 50) };
    let judge = Arc::new(Judge::new(policy::breaker::Settings::default()));
    let mut dice = Dice::new(asked.seed, 15);
    let rate = RATES[usize::try_from(asked.seed).unwrap_or(0) % RATES.len()];
    let (opened, foreseen) = false_alarms(&judge, (calls, rate), &mut dice);
    let million = 1e6 / share(calls, 1);
    let noticed = |usual: f64, dice: &mut Dice| {
        let mut needed: Vec<usize> = (0..scripts).map(|_| brown_out(&judge, usual, dice)).collect();
        needed.sort_unstable();
        let within = needed.iter().filter(|calls| **calls <= 60).count();
        (share(within, scripts), needed.get(scripts / 2).map_or(0.0, |median| share(*median, 1)))
    };
    let (clean, clean_median) = noticed(0.0, &mut dice);
    let (usual, usual_median) = noticed(0.01, &mut dice);
    Ok(vec![
        mean("opened_at_1_percent", share(opened, 1) * million, "in a million calls", Goal::AtMost(1.0)),
        mean("foreseen_at_1_percent", share(foreseen, 1) * million, "in a million calls", Goal::AtMost(1.0)),
        mean("brown_outs_noticed_within_60_requests", clean, "share", Goal::AtLeast(0.99)),
        mean("requests_until_noticed_median", clean_median, "requests", Goal::None),
        mean("brown_outs_noticed_within_60_requests_after_1_percent", usual, "share", Goal::None),
        mean("requests_until_noticed_median_after_1_percent", usual_median, "requests", Goal::None),
    ])
}

/// How often the breaker opens, and how often the forecast would open it, where one call in a hundred fails.
fn false_alarms(judge: &Arc<Judge>, (calls, rate): (usize, f64), dice: &mut Dice) -> (usize, usize) {
    let breaker = Arc::new(Breaker::new(Arc::clone(judge)));
    let (tally, mut forecast) = (Tally::new(), Forecast::new(Outlook::default()));
    let (mut now, mut second, mut before) = (Moment::default(), 0, (0, 0));
    let (mut opened, mut foreseen) = (0, 0);
    for _ in 0..calls {
        now = now + Duration::from_secs_f64(1.0 / rate);
        while now.as_nanos() / 1_000_000_000 > second {
            second += 1;
            let (attempts, failures) = tally.totals();
            let seen = Seen { attempts: attempts - before.0, failures: failures - before.1, p95: None };
            before = (attempts, failures);
            let told = forecast.tick(now, seen);
            foreseen += usize::from(told.is_some_and(|told| told.action == Action::OpenEarly));
        }
        let fails = dice.unit() < 0.01;
        tally.record(now, fails.then_some(Cause::Failed));
        let Ok(permit) = breaker.admit(now, dice.number()) else { continue };
        let change = permit.settle(if fails { Sample::Failed } else { Sample::Good }, now, dice.number());
        opened += usize::from(change.is_some_and(|change| change.from == State::Closed));
    }
    (opened, foreseen)
}

/// Calls until a brown-out of a fifth is noticed, after a thousand calls of which `usual` failed.
fn brown_out(judge: &Arc<Judge>, usual: f64, dice: &mut Dice) -> usize {
    let breaker = Arc::new(Breaker::new(Arc::clone(judge)));
    let mut now = Moment::default();
    let mut call = |fails: f64, dice: &mut Dice| {
        now = now + Duration::from_millis(80);
        let sample = if dice.unit() < fails { Sample::Failed } else { Sample::Good };
        let permit = breaker.admit(now, dice.number()).ok()?;
        permit.settle(sample, now, dice.number())
    };
    for _ in 0..1_000 {
        let _ = call(usual, dice);
    }
    (1..10_000).find(|_| call(0.2, dice).is_some_and(|change| change.from == State::Closed)).unwrap_or(10_000)
}

/// Prompts of Mooncake's trace over eight nodes, each to the one that keeps its beginning: the rule of
/// [`policy::balance::affine`] alone, given the trace's own blocks.
#[expect(clippy::unnecessary_wraps, reason = "a study, and most can fail")]
pub(super) fn prefixes(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    const NODES: usize = 8;
    let prompts = &asked.traces.prompts;
    let start = Moment::default();
    let node = |id| Arc::new(Endpoint::new(id, 1, Settings::default(), start));
    let mut dice = Dice::new(asked.seed, 16);
    let nodes: Vec<Arc<Endpoint>> = (0..NODES).map(|_| node(dice.number())).collect();
    let mut everywhere = HashSet::new();
    let mut seen: Vec<HashSet<u64>> = vec![HashSet::new(); NODES];
    let mut running: Vec<(Duration, Outstanding)> = Vec::new();
    let (mut bound, mut found, mut all, mut given) = (0, 0, 0, [0_usize; NODES]);
    for prompt in prompts {
        all += prompt.blocks.len();
        bound += hits(&mut everywhere, &prompt.blocks);
        running.retain(|(ends, _)| *ends > prompt.at);
        let prefix = prompt.blocks.iter().take(2).fold(0, |hash: u64, block| {
            (hash ^ block).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_add(*block)
        });
        let Some(which) = affine(&nodes, prefix) else { continue };
        let (Some(node), Some(kept), Some(count)) =
            (nodes.get(which), seen.get_mut(which), given.get_mut(which))
        else {
            continue;
        };
        let ends = prompt.at + Duration::from_secs_f64(1.0 + f64::from(prompt.output) * 0.02);
        running.push((ends, node.send(u64::from(prompt.output))));
        found += hits(kept, &prompt.blocks);
        *count += 1;
    }
    let most = given.iter().copied().max().unwrap_or(0);
    Ok(vec![
        mean("hits_of_the_bound", share(found, bound), "share", Goal::AtLeast(0.9)),
        worst("most_calls_of_the_mean", share(most * NODES, given.iter().sum()), "times", Goal::AtMost(1.25)),
        mean("bound", share(bound, all), "of blocks", Goal::None),
    ])
}

/// How many of the first blocks are there; all are from now on.
fn hits(seen: &mut HashSet<u64>, blocks: &[u64]) -> usize {
    let known = blocks.iter().take_while(|block| seen.contains(block)).count();
    seen.extend(blocks);
    known
}
