//! Anything at once: a random route, random settings, random callers and random trouble. Nothing is measured but that
//! what must always hold does.

use std::time::Duration;

use types::Priority;

use super::{Asked, Goal, StudyError, millis, secs, worst};
use super::{Figure, sound};
use crate::dice::Dice;
use crate::figures::answered;
use crate::invariants::Promises;
use crate::provider::{Kind, Limits, Model};
use crate::scenario::{Call, Scenario, calls};

const NAMES: [&str; 3] = ["one", "two", "three"];
const SPAN: Duration = secs(20);

/// One storm, of about `count` calls.
///
/// # Errors
/// [`StudyError::Broken`] where the engine did what it must never do.
pub fn storm(asked: &Asked<'_>, count: u32) -> Result<Vec<Figure>, StudyError> {
    let (scenario, promises) = storm_of(asked, count);
    let run = sound(&scenario, asked.seed, &promises)?;
    Ok(vec![worst("answered", answered(&scenario, &run, (secs(0), SPAN * 2)), "share", Goal::None)])
}

/// The storm of a seed, with about `count` calls, and what it promises.
pub fn storm_of(asked: &Asked<'_>, count: u32) -> (Scenario, Promises) {
    let mut dice = Dice::new(asked.seed, 13);
    let targets = 1 + dice.below(3);
    let tries = 1 + dice.below(3);
    let wait = dice.below(3);
    let models: Vec<Model> = NAMES.iter().take(targets).map(|name| model(name, &mut dice)).collect();
    let config = config(&mut dice, (targets, tries, wait));
    let trace = match dice.below(3) {
        0 => &asked.traces.conversation,
        1 => &asked.traces.code,
        _ => &asked.traces.mooncake,
    };
    let rate = f64::from(count) / SPAN.as_secs_f64();
    let mut who = calls(trace, "r", (rate, SPAN), &mut dice);
    for call in &mut who {
        dress(call, &mut dice);
    }
    let wait = secs(wait.try_into().unwrap_or(0));
    (Scenario::new("storm", config, models, who), Promises { tries, targets, wait, ..Promises::default() })
}

fn dress(call: &mut Call, dice: &mut Dice) {
    call.stream = dice.unit() < 0.7;
    call.tenant = [None, Some("ada"), Some("ben")].get(dice.below(3)).copied().flatten();
    call.priority = match dice.below(6) {
        0 => Priority::Low,
        1 => Priority::High,
        2 => Priority::Critical,
        _ => Priority::Normal,
    };
    call.patience = (dice.unit() < 0.15).then(|| Duration::from_secs_f64(dice.between(0.01, 4.0)));
}

fn model(name: &'static str, dice: &mut Dice) -> Model {
    let mut model = Model::new(name);
    let places = 1 + dice.below(12);
    model.places = vec![(secs(0), places), (secs(10), 1 + dice.below(12))];
    model.line = dice.below(20);
    model.first = Duration::from_secs_f64(dice.between(0.02, 0.8));
    model.write = Duration::from_secs_f64(dice.between(0.001, 0.02));
    if dice.unit() < 0.25 {
        let told = dice.unit() < 0.7;
        let (requests, tokens) = (dice.between(30.0, 300.0), dice.between(20_000.0, 400_000.0));
        model.limits = Some(Limits { requests, tokens, burst: dice.between(1.0, 30.0), told });
    }
    for _ in 0..dice.below(4) {
        let kind = match dice.below(8) {
            0 => Kind::Unreachable,
            1 => Kind::Silent,
            2 => Kind::Fails(500, millis(10)),
            3 => Kind::Fails(503, millis(300)),
            4 => Kind::Brown(dice.between(0.05, 0.9)),
            5 => Kind::Slow(dice.between(1.5, 8.0)),
            6 => Kind::Tail(dice.between(0.01, 0.3), 10.0),
            _ => Kind::Cuts(dice.between(0.1, 0.9)),
        };
        let from = dice.between(0.0, 18.0);
        let until = from + dice.between(0.2, 10.0);
        model = model.trouble(Duration::from_secs_f64(from), Duration::from_secs_f64(until), kind);
    }
    model
}

fn config(dice: &mut Dice, (targets, tries, wait): (usize, usize, usize)) -> String {
    let names: Vec<String> = NAMES.iter().take(targets).map(|name| format!("{name}/{name}")).collect();
    let of =
        |dice: &mut Dice, words: &[&'static str]| words.get(dice.below(words.len())).copied().unwrap_or("");
    let strategy = of(dice, &["fallback", "round_robin", "least_outstanding", "latency", "affinity"]);
    let hedge = of(dice, &["false", "true"]);
    let backoff = of(dice, &["exponential", "linear", "fixed", "fibonacci", "adaptive"]);
    let algorithm = of(dice, &["fixed", "gradient", "aimd"]);
    let adaptive = of(dice, &["false", "true"]);
    let most = 1 + dice.below(16);
    let least = 1 + dice.below(most);
    let queue = 1 + dice.below(20);
    format!(
        "routes:\n  r:\n    models: [{}]\n    strategy: {strategy}\n    adaptive_timeouts: {adaptive}\n    \
         hedge: {{ enabled: {hedge}, samples: 10 }}\n    retry: {{ attempts: {tries}, backoff: {backoff} }}\n    \
         timeouts: {{ first_token: 3s, idle: 2s, total: 15s }}\n\
         overload:\n  memory: {{ enabled: false }}\n  \
         concurrency: {{ algorithm: {algorithm}, initial: {least}, least: 1, most: {most}, wait: {wait}s, queue: {queue} }}\n",
        names.join(", ")
    )
}
