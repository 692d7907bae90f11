//! A provider has half as many places from one moment to the next, and far more is asked of it than it can do. Beside
//! it, an oracle: the same engine with a fixed limit that is always what the provider has, and no
//! shedding.

use std::time::Duration;

use super::{Asked, Figure, Goal, Size, StudyError, mean, millis, secs, sound, worst};
use crate::dice::Dice;
use crate::drive::Run;
use crate::figures::{Span, goodput, quantile, queued, share, work};
use crate::invariants::Promises;
use crate::provider::Model;
use crate::scenario::{Call, Scenario, calls};

const PLACES: usize = 32;

/// Capacity halves.
pub(super) fn halves(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let (step, end) = if asked.size == Size::Large { (secs(300), secs(600)) } else { (secs(60), secs(140)) };
    let mut dice = Dice::new(asked.seed, 7);
    let mut model = Model::new("one");
    model.places = vec![(secs(0), PLACES), (step, PLACES / 2)];
    (model.first, model.write, model.line) = (millis(400), millis(8), 200);
    let who = arrivals(asked, &model, end, &mut dice);
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
    // The limit alone: shedding spends a burst's work at another time, which is not what this is about.
    let limit_alone = converged((&plain, &unshed), (&oracle, &best), (step, end));
    let shed = converged((&own, &run), (&oracle, &best), (step, end));
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
        worst("converged_to_10_percent", limit_alone.reached, "s", Goal::AtMost(30.0)),
        mean("time_within_10_percent", limit_alone.near, "share", Goal::AtLeast(0.95)),
        worst("last_beyond_10_percent", limit_alone.last_beyond, "s", Goal::None),
        mean("time_within_10_percent_with_shedding", shed.near, "share", Goal::None),
        worst("waits_settled", limit_alone.waits, "s", Goal::None),
        worst("waits_settled_with_shedding", shed.waits, "s", Goal::None),
        mean("queueing_p99_of_the_oracle", own_p99 / best_p99.max(1e-9), "times", Goal::AtMost(1.5)),
        mean("queueing_p99", own_p99, "s", Goal::None),
        mean("queueing_p99_oracle", best_p99, "s", Goal::None),
        mean("limit_at_the_end", limit(&run), "places", Goal::None),
    ])
}

/// Three quarters as much as the whole can do, and half as much again as the half can, from any of the traces.
fn arrivals(asked: &Asked<'_>, model: &Model, end: Duration, dice: &mut Dice) -> Vec<Call> {
    let traces = asked.traces;
    let trace = match asked.seed % 3 {
        0 => &traces.mooncake,
        1 => &traces.conversation,
        _ => &traces.code,
    };
    let clamped = |rate: f64, dice: &mut Dice| {
        let mut who = calls(trace, "r", (rate, end), dice);
        for call in &mut who {
            call.output = call.output.clamp(20, 400);
        }
        who
    };
    let some = clamped(10.0, dice);
    let written: Duration = some.iter().map(|call| model.write * call.output).sum();
    let each = model.first.as_secs_f64() + written.as_secs_f64() / share(some.len(), 1).max(1.0);
    clamped(0.75 * share(PLACES, 1) / each, dice)
}

/// How the work done in each half minute after the step compares with the oracle's. Times are in seconds after it.
struct Converged {
    /// When the first minute begins throughout which it is within a tenth.
    reached: f64,
    /// When the last half minute ends that is not. One window of hundreds is so by chance: arrivals come in bursts,
    /// and a burst's work may fall on the other side of a window's edge.
    last_beyond: f64,
    /// The part of all half minutes within a tenth.
    near: f64,
    /// From when on the mean wait stays below one and a half times the oracle's.
    waits: f64,
}

fn converged(
    (own, run): (&Scenario, &Run),
    (oracle, best): (&Scenario, &Run),
    (step, end): Span,
) -> Converged {
    const WIDE: Duration = secs(30);
    /// Windows in a row, one beginning each second, that make up a minute.
    const MINUTE: usize = 31;
    let windows = |well: &dyn Fn(Span) -> bool| -> Vec<bool> {
        let starts = (0..).map(|second| step + secs(second)).take_while(|at| *at + WIDE <= end);
        starts.map(|at| well((at, at + WIDE))).collect()
    };
    let near = windows(&|span| {
        let (mine, other) = (work(own, run, span), work(oracle, best, span));
        (mine - other).abs() <= other * 0.1
    });
    let wait = |scenario, run, span| {
        let waits = queued(scenario, run, span);
        waits.iter().sum::<Duration>().as_secs_f64() / share(waits.len(), 1).max(1.0)
    };
    let brief = windows(&|span| wait(own, run, span) <= 1.5 * wait(oracle, best, span).max(0.05));
    let reached = near.windows(MINUTE).position(|minute| minute.iter().all(|near| *near));
    let after_last = |well: &[bool]| share(well.iter().rposition(|well| !well).map_or(0, |at| at + 1), 1);
    Converged {
        reached: share(reached.unwrap_or(near.len()), 1),
        last_beyond: after_last(&near),
        near: share(near.iter().filter(|near| **near).count(), near.len().max(1)),
        waits: after_last(&brief),
    }
}

fn limit(run: &Run) -> f64 {
    let last = run.standings.iter().rev().find_map(|(_, standing)| Some(standing.places.first()?.limit));
    last.map_or(0.0, f64::from)
}
