//! Ten endpoints, one five times as slow as the others and one that fails at once.

use super::{Asked, BASE, Figure, Goal, Size, StudyError, mean, millis, secs, sound};
use crate::dice::Dice;
use crate::figures::{firsts, quantile, share, within};
use crate::invariants::Promises;
use crate::provider::{Kind, Model};
use crate::scenario::{Scenario, calls};

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// Ten endpoints.
pub(super) fn ten(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let end = if asked.size == Size::Large { secs(300) } else { secs(40) };
    let mut dice = Dice::new(asked.seed, 12);
    let mut who = calls(&asked.traces.conversation, "r", (30.0, end), &mut dice);
    for call in &mut who {
        call.output = call.output.clamp(10, 200);
    }
    let models = NAMES.map(|name| {
        let mut model = Model::new(name);
        model.places = vec![(secs(0), 12)];
        match name {
            "d" => model.trouble(secs(0), end, Kind::Slow(5.0)),
            "g" => model.trouble(secs(0), end, Kind::Fails(500, millis(5))),
            _ => model,
        }
    });
    let names: Vec<String> = NAMES.iter().map(|name| format!("{name}/{name}")).collect();
    let config = |strategy: &str| {
        let more = "retry: { attempts: 1 }";
        format!("routes: {{ r: {{ models: [{}], strategy: {strategy}, {more} }} }}\n{BASE}", names.join(", "))
    };
    let own = Scenario::new("balance", config("latency"), models.to_vec(), who.clone());
    let turns = Scenario::new("round_robin", config("round_robin"), models.to_vec(), who);
    let promises = Promises { targets: 10, tries: 1, ..Promises::default() };
    let (run, other) = (sound(&own, asked.seed, &promises)?, sound(&turns, asked.seed, &promises)?);
    let span = (secs(5), end);
    let one = quantile(&firsts(&own, &run, span), 0.99).as_secs_f64();
    let two = quantile(&firsts(&turns, &other, span), 0.99).as_secs_f64();
    let to = |names: [usize; 2]| {
        let all = run.visits.iter().filter(|visit| within(visit.at, span));
        let (mut bad, mut count) = (0, 0);
        for visit in all {
            count += 1;
            bad += usize::from(names.contains(&visit.model));
        }
        share(bad, count)
    };
    Ok(vec![
        mean("first_content_p99_of_round_robin", one / two.max(1e-9), "times", Goal::AtMost(0.5)),
        mean("to_the_bad_two", to([3, 6]), "share", Goal::AtMost(0.04)),
        mean("to_the_slow_one", to([3, 3]), "share", Goal::None),
        mean("first_content_p99", one, "s", Goal::None),
    ])
}
