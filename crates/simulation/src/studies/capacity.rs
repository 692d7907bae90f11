//! A provider has half as many places from one moment to the next, and far more is asked of it than it can do. Beside
//! it, an oracle: the same engine with a fixed limit that is always what the provider has, and no
//! shedding.

use super::{Asked, Figure, Goal, Size, StudyError, mean, millis, secs, sound};
use crate::dice::Dice;
use crate::drive::Run;
use crate::figures::{Span, goodput, quantile, queued};
use crate::invariants::Promises;
use crate::provider::Model;
use crate::scenario::{Scenario, calls};

const PLACES: usize = 32;

/// Capacity halves.
pub(super) fn halves(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let (step, end) = if asked.size == Size::Large { (secs(300), secs(600)) } else { (secs(60), secs(140)) };
    let mut dice = Dice::new(asked.seed, 7);
    // A call takes some two seconds: the whole is 16 a second, the half 8, and 12 come.
    let mut who = calls(&asked.traces.conversation, "r", (12.0, end), &mut dice);
    for call in &mut who {
        call.output = call.output.clamp(20, 400);
    }
    let mut model = Model::new("one");
    model.places = vec![(secs(0), PLACES), (step, PLACES / 2)];
    (model.first, model.write, model.line) = (millis(400), millis(8), 200);
    let config = |concurrency: &str, shed: bool| {
        format!(
            "routes: {{ r: {{ models: [one/one], retry: {{ attempts: 1 }}, timeouts: {{ first_token: 20s }} }} }}\n\
             overload: {{ memory: {{ enabled: false }}, concurrency: {{ {concurrency} }}, shed: {{ enabled: {shed} }} }}\n"
        )
    };
    let own = Scenario::new(
        "capacity_halves",
        config("algorithm: gradient", true),
        vec![model.clone()],
        who.clone(),
    );
    let promises = Promises { targets: 1, tries: 1, ..Promises::default() };
    let run = sound(&own, asked.seed, &promises)?;
    let mut oracle = Scenario::new("oracle", config(&format!("most: {PLACES}"), false), vec![model], who);
    oracle.reloads = vec![(step, config(&format!("most: {}", PLACES / 2), false))];
    let best = sound(&oracle, asked.seed, &promises)?;
    let plain = Scenario { config: config("algorithm: gradient", false), ..own.clone() };
    let unshed = sound(&plain, asked.seed, &promises)?;
    let steady: Span = (step + secs(30), end);
    let p99 = |scenario: &Scenario, run: &Run| quantile(&queued(scenario, run, steady), 0.99).as_secs_f64();
    let (own_p99, best_p99) = (p99(&own, &run), p99(&oracle, &best));
    let (converged, apart) = converged(&own, &run, (&oracle, &best), (step, end));
    Ok(vec![
        mean(
            "goodput_of_the_oracle",
            goodput(&own, &run, steady) / goodput(&oracle, &best, steady).max(1e-9),
            "share",
            Goal::AtLeast(0.95),
        ),
        mean(
            "goodput_of_the_oracle_without_shedding",
            goodput(&plain, &unshed, steady) / goodput(&oracle, &best, steady).max(1e-9),
            "share",
            Goal::AtLeast(0.95),
        ),
        mean("converged_to_10_percent", converged, "s", Goal::AtMost(30.0)),
        mean("steps_of_10_s_within_10_percent", apart, "share", Goal::None),
        mean("queueing_p99_of_the_oracle", own_p99 / best_p99.max(1e-9), "times", Goal::AtMost(1.5)),
        mean("queueing_p99", own_p99, "s", Goal::None),
        mean("queueing_p99_oracle", best_p99, "s", Goal::None),
        mean("limit_at_the_end", limit(&run), "places", Goal::None),
    ])
}

/// Seconds after the step from which on ten seconds' goodput is within a tenth of the oracle's; and in which part of
/// all such steps it is.
fn converged(own: &Scenario, run: &Run, (oracle, best): (&Scenario, &Run), (step, end): Span) -> (f64, f64) {
    let wide = secs(10);
    let (mut at, mut first, mut near, mut all) = (step, None, 0_u32, 0_u32);
    while at + wide <= end {
        let (mine, other) = (goodput(own, run, (at, at + wide)), goodput(oracle, best, (at, at + wide)));
        all += 1;
        if (mine - other).abs() <= other * 0.1 {
            near += 1;
            first.get_or_insert(at.saturating_sub(step));
        }
        at += secs(5);
    }
    let never = end.saturating_sub(step);
    (first.unwrap_or(never).as_secs_f64(), f64::from(near) / f64::from(all.max(1)))
}

fn limit(run: &Run) -> f64 {
    let last = run.standings.iter().rev().find_map(|(_, standing)| Some(standing.places.first()?.limit));
    last.map_or(0.0, f64::from)
}
