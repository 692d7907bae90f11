//! Backups: what they save where two of a hundred streams are ten times as slow to begin, and that there are none where
//! everything is slow.

use types::ledger::Outcome;

use super::{Asked, BASE, Figure, Goal, Size, StudyError, mean, secs, sound, worst};
use crate::dice::Dice;
use crate::figures::{firsts, quantile, share, within};
use crate::invariants::{Promises, since};
use crate::provider::{Kind, Model};
use crate::scenario::{Call, Scenario, calls};

fn config(hedge: bool) -> String {
    let more = if hedge { ", hedge: { enabled: true }" } else { "" };
    format!("routes: {{ r: {{ models: [one/one, two/two]{more} }} }}\n{BASE}")
}

fn who(asked: &Asked<'_>, span: u64, salt: u64) -> Vec<Call> {
    let mut dice = Dice::new(asked.seed, salt);
    let mut who = calls(&asked.traces.conversation, "r", (20.0, secs(span)), &mut dice);
    for call in &mut who {
        call.output = call.output.clamp(10, 200);
    }
    who
}

/// Two of a hundred are late.
pub(super) fn tail(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let end = if asked.size == Size::Large { 300 } else { 75 };
    let who = who(asked, end, 10);
    let late = |name| Model::new(name).trouble(secs(0), secs(end), Kind::Tail(0.02, 10.0));
    let models = vec![late("one"), late("two")];
    let with = Scenario::new("hedging", config(true), models.clone(), who.clone());
    let without = Scenario::new("no_hedging", config(false), models, who);
    let (hedged, plain) =
        (sound(&with, asked.seed, &Promises::default())?, sound(&without, asked.seed, &Promises::default())?);
    // There must be a p95 first.
    let span = (secs(20), secs(end));
    let p99 = |q: f64| {
        let one = quantile(&firsts(&with, &hedged, span), q).as_secs_f64();
        (one, quantile(&firsts(&without, &plain, span), q).as_secs_f64())
    };
    let (one, other) = p99(0.99);
    let cost = |run: &crate::drive::Run| {
        run.rows.iter().filter_map(|row| row.cost).map(types::Money::as_pico).sum::<i128>()
    };
    let (paid, usual) = (cost(&hedged), cost(&plain));
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let extra = paid as f64 / usual.max(1) as f64 - 1.0;
    let backups = share(hedged.rows.len(), hedged.seen.len()) - 1.0;
    Ok(vec![
        mean("first_content_p99_cut", 1.0 - one / other.max(1e-9), "share", Goal::AtLeast(0.6)),
        mean("extra_cost", extra, "share", Goal::AtMost(0.04)),
        mean("backups", backups, "of calls", Goal::AtMost(0.05)),
        mean("first_content_p99", one, "s", Goal::None),
        mean("first_content_p99_without", other, "s", Goal::None),
    ])
}

/// Everything is five times as slow from one moment to the next.
pub(super) fn slowdown(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let (from, end) = if asked.size == Size::Large { (120, 300) } else { (30, 60) };
    let slow = |name| Model::new(name).trouble(secs(from), secs(end), Kind::Slow(5.0));
    let scenario =
        Scenario::new("slowdown", config(true), vec![slow("one"), slow("two")], who(asked, end, 11));
    let run = sound(&scenario, asked.seed, &Promises::default())?;
    let backups = |span| {
        let beaten = run.rows.iter().filter(|row| row.key.attempt > 1 && within(since(row.at), span));
        beaten.filter(|row| row.outcome != Outcome::Panicked).count()
    };
    let calls = |span| scenario.calls.iter().filter(|call| within(call.at, span)).count();
    let part = |span| share(backups(span), calls(span));
    // A minute later what was slow is the usual, and its own late ones get backups again.
    let usual = secs(from + 60).min(secs(end));
    Ok(vec![
        worst("backups_from_5_s_on", part((secs(from + 5), usual)), "of calls", Goal::AtMost(0.0)),
        mean("backups_in_the_first_5_s", part((secs(from), secs(from + 5))), "of calls", Goal::None),
        mean("backups_from_a_minute_on", part((usual, secs(end))), "of calls", Goal::None),
    ])
}
