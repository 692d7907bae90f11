//! A provider with limits of its own in requests and tokens a minute, told in its headers, and half as much again
//! asked of it.

use super::{Asked, BASE, Figure, Goal, Size, StudyError, mean, secs, sound, worst};
use crate::dice::Dice;
use crate::figures::{share, within};
use crate::invariants::{Promises, limited};
use crate::provider::{Fate, Limits, Model};
use crate::scenario::{Scenario, calls};

/// Told by the provider.
pub(super) fn told(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let end = if asked.size == Size::Large { secs(300) } else { secs(60) };
    let mut dice = Dice::new(asked.seed, 9);
    let mut who = calls(&asked.traces.conversation, "r", (15.0, end), &mut dice);
    for call in &mut who {
        (call.input, call.output) = (call.input.clamp(20, 400), call.output.clamp(20, 200));
    }
    let mut model = Model::new("one");
    model.limits = Some(Limits { requests: 600.0, tokens: 1e9, burst: 10.0, told: true });
    let route = "routes: { r: { models: [one/one] } }\n";
    let scenario = Scenario::new("told_limits", format!("{route}{BASE}"), vec![model], who);
    let run = sound(&scenario, asked.seed, &Promises { targets: 1, ..Promises::default() })?;
    let span = (secs(15), end);
    let served =
        run.visits.iter().filter(|visit| visit.fate == Fate::Served && within(visit.at, span)).count();
    let possible = 10.0 * end.saturating_sub(secs(15)).as_secs_f64();
    Ok(vec![
        worst("over_the_limit", share(limited(&run), 1), "requests", Goal::AtMost(0.0)),
        mean("used_of_the_limit", share(served, 1) / possible, "share", Goal::AtLeast(0.98)),
    ])
}
