//! A provider with limits of its own in requests and tokens a minute, and half as much again asked of it: told in its
//! headers, or declared in the configuration.

use std::time::Duration;

use super::{Asked, BASE, Figure, Goal, Size, StudyError, mean, secs, sound, worst};
use crate::dice::Dice;
use crate::figures::{share, within};
use crate::invariants::{Promises, limited};
use crate::provider::{Fate, Limits, Model};
use crate::scenario::{Scenario, calls};

/// Requests a minute, and tokens a minute, that the provider takes.
const REQUESTS: f64 = 600.0;
const TOKENS: f64 = 180_000.0;
/// What may come at once, in seconds of the rate.
const BURST: f64 = 10.0;

/// Told by the provider.
pub(super) fn told(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let limits = Limits { requests: REQUESTS, tokens: TOKENS, burst: BURST, told: true };
    let requests =
        Case { name: "told_requests", model: "one/one", limits: Limits { tokens: 1e12, ..limits }, more: "" };
    let tokens = Case { name: "told_tokens", limits: Limits { requests: 1e9, ..limits }, ..requests };
    both(asked, &requests, &tokens)
}

/// Declared by the operator; the provider says nothing.
pub(super) fn declared(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let limits = Limits { requests: REQUESTS, tokens: TOKENS, burst: BURST, told: false };
    let requests = Case {
        name: "declared_requests",
        model: "one/one",
        limits: Limits { tokens: 1e12, ..limits },
        more: "limits: { models: { one/one: { requests_per_minute: 600, burst: 100 } } }\n",
    };
    // A bucket of tokens holds a whole minute's: so does the provider's, here.
    let tokens = Case {
        name: "declared_tokens",
        limits: Limits { requests: 1e9, burst: 60.0, ..limits },
        more: "limits: { models: { one/one: { tokens_per_minute: 180000 } } }\n",
        ..requests
    };
    both(asked, &requests, &tokens)
}

#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    model: &'static str,
    limits: Limits,
    more: &'static str,
}

fn both(asked: &Asked<'_>, requests: &Case, tokens: &Case) -> Result<Vec<Figure>, StudyError> {
    let (over, used) = one(asked, requests)?;
    let (over_tokens, used_tokens) = one(asked, tokens)?;
    Ok(vec![
        worst("over_the_requests", over, "requests", Goal::AtMost(0.0)),
        mean("used_of_the_requests", used.0, "share", Goal::AtLeast(0.98)),
        worst("over_the_tokens", over_tokens, "requests", Goal::AtMost(0.0)),
        mean("used_of_the_tokens", used_tokens.1, "share", Goal::AtLeast(0.98)),
    ])
}

/// Requests that were refused for the limit, and the used share of the limits in requests and tokens once what was saved
/// up is gone.
fn one(asked: &Asked<'_>, case: &Case) -> Result<(f64, (f64, f64)), StudyError> {
    let end = if asked.size == Size::Large { secs(420) } else { secs(150) };
    let mut dice = Dice::new(asked.seed, 9);
    let mut who = calls(&asked.traces.conversation, case.model, (15.0, end), &mut dice);
    for call in &mut who {
        (call.input, call.output) = (call.input.clamp(100, 400), call.output.clamp(50, 200));
    }
    let mut model = Model::new("one");
    model.limits = Some(case.limits);
    let route = "defaults: { retry: { attempts: 2 } }\n";
    let scenario = Scenario::new(case.name, format!("{route}{BASE}{}", case.more), vec![model], who);
    let wait = secs(7);
    let run = sound(&scenario, asked.seed, &Promises { targets: 1, wait, ..Promises::default() })?;
    let span = (secs(120), end);
    let served = run.visits.iter().filter(|visit| visit.fate == Fate::Served && within(visit.at, span));
    let (mut requests, mut tokens) = (0, 0);
    for call in served.filter_map(|visit| scenario.calls.get(usize::try_from(visit.call).ok()?)) {
        requests += 1;
        tokens += call.input + call.output;
    }
    let minutes = span.1.saturating_sub(span.0).as_secs_f64() / Duration::from_secs(60).as_secs_f64();
    let used = (share(requests, 1) / (REQUESTS * minutes), f64::from(tokens) / (TOKENS * minutes));
    Ok((share(limited(&run), 1), used))
}
