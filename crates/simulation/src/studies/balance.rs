//! Ten endpoints, one five times as slow as the others and one that fails at once: by our own balance, in turn, and by
//! Prequal's.

use std::fmt::Write as _;

use super::{Asked, BASE, Figure, Goal, Size, StudyError, mean, millis, secs, sound};
use crate::dice::Dice;
use crate::drive::Run;
use crate::figures::{Span, firsts, quantile, share, within};
use crate::invariants::Promises;
use crate::provider::{Kind, Model};
use crate::scenario::{Scenario, calls};

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const TO: [&str; 10] = ["to-a", "to-b", "to-c", "to-d", "to-e", "to-f", "to-g", "to-h", "to-i", "to-j"];

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
    let probing = Scenario {
        config: format!("routes:\n{}{BASE}", routes(&names)),
        prequal: Some(&TO),
        ..Scenario::new("prequal", "", own.models.clone(), own.calls.clone())
    };
    let promises = Promises { targets: 10, tries: 1, ..Promises::default() };
    let (run, other) = (sound(&own, asked.seed, &promises)?, sound(&turns, asked.seed, &promises)?);
    let probed = sound(&probing, asked.seed, &promises)?;
    let span = (secs(5), end);
    let p99 = |scenario, run| quantile(&firsts(scenario, run, span), 0.99).as_secs_f64();
    let (one, two, three) = (p99(&own, &run), p99(&turns, &other), p99(&probing, &probed));
    let to = |run: &Run, names: [usize; 2]| {
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
        mean("first_content_p99_of_prequal", one / three.max(1e-9), "times", Goal::AtMost(1.1)),
        mean("to_the_bad_two", to(&run, [3, 6]), "share", Goal::AtMost(0.04)),
        mean("to_the_bad_two_prequal", to(&probed, [3, 6]), "share", Goal::None),
        mean("to_the_slow_one", to(&run, [3, 3]), "share", Goal::None),
        mean("first_content_p99", one, "s", Goal::None),
        mean("first_content_p99_prequal", three, "s", Goal::None),
        mean("first_content_p99_round_robin", two, "s", Goal::None),
        mean("first_content_p50", middle(&own, &run, span), "s", Goal::None),
        mean("first_content_p50_prequal", middle(&probing, &probed, span), "s", Goal::None),
    ])
}

fn middle(scenario: &Scenario, run: &Run, span: Span) -> f64 {
    quantile(&firsts(scenario, run, span), 0.5).as_secs_f64()
}

/// A route for each endpoint: it first, and then the others in order, as our own balance goes on when its choice fails.
fn routes(names: &[String]) -> String {
    let mut text = String::new();
    for (to, first) in TO.iter().zip(names) {
        let rest = names.iter().filter(|name| *name != first);
        let order: Vec<&str> = std::iter::once(first).chain(rest).map(String::as_str).collect();
        let _ = writeln!(text, "  {to}: {{ models: [{}], retry: {{ attempts: 1 }} }}", order.join(", "));
    }
    text
}
