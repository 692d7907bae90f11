//! Providers that fail: how soon that is noticed, what it costs callers and providers, and how soon it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use super::quiet::opened;
use super::{Asked, BASE, Figure, Goal, Size, StudyError, mean, millis, secs, sound, worst};
use crate::dice::Dice;
use crate::drive::Run;
use crate::figures::{Span, answered, share, within};
use crate::invariants::{Promises, since};
use crate::provider::{Kind, Model};
use crate::scenario::{Scenario, calls};

const ROUTE: &str =
    "routes: { r: { models: [one/one, two/two], timeouts: { first_token: 2s, total: 20s } } }\n";

/// One of two is out: refuses, fails at once or slowly, has too much to do, or says nothing, as the seed wants.
pub(super) fn of_one(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let (from, healed, end) = if asked.size == Size::Large {
        (secs(60), secs(120), secs(180))
    } else {
        (secs(8), secs(16), secs(36))
    };
    let mut dice = Dice::new(asked.seed, 3);
    let kind = match dice.below(4) {
        0 => Kind::Unreachable,
        1 => Kind::Fails(500, millis(20)),
        2 => Kind::Fails(502, millis(700)),
        _ => Kind::Silent,
    };
    let who = calls(&asked.traces.conversation, "r", (12.0, end), &mut dice);
    let models = vec![Model::new("one").trouble(from, healed, kind), Model::new("two")];
    let scenario = Scenario::new("outage_of_one", format!("{ROUTE}{BASE}"), models, who);
    let run = sound(&scenario, asked.seed, &Promises::default())?;
    let (requests, after) = noticed(&run, from);
    // Ten requests or two seconds, whichever is later; silence is a failure only after its own deadline.
    let deadline = if kind == Kind::Silent { 2.0 } else { 0.0 };
    let slow = (requests / 10.0).min((after - deadline) / 2.0);
    Ok(vec![
        worst("requests_until_noticed", requests, "requests", Goal::None),
        worst("seconds_until_noticed", after, "s", Goal::None),
        worst("noticed_in_10_requests_or_2_s", slow, "of that", Goal::AtMost(1.0)),
        mean("probes_during_the_outage", probes(&run, (from, healed)), "a minute", Goal::None),
        worst("answered", answered(&scenario, &run, (secs(0), end)), "share", Goal::AtLeast(0.99)),
        worst("back_to_90_percent", back(&run, healed, end), "s", Goal::AtMost(15.0)),
    ])
}

/// A fifth of one's calls fail.
pub(super) fn brown_out(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let (from, end) = if asked.size == Size::Large { (secs(60), secs(120)) } else { (secs(10), secs(25)) };
    let mut dice = Dice::new(asked.seed, 4);
    let who = calls(&asked.traces.conversation, "r", (12.0, end), &mut dice);
    let models = vec![Model::new("one").trouble(from, end, Kind::Brown(0.2)), Model::new("two")];
    let scenario = Scenario::new("brown_out", format!("{ROUTE}{BASE}"), models, who);
    let run = sound(&scenario, asked.seed, &Promises::default())?;
    let (requests, after) = noticed(&run, from);
    Ok(vec![
        mean("requests_until_noticed", requests, "requests", Goal::AtMost(60.0)),
        mean(
            "noticed_within_60_requests",
            f64::from(u8::from(requests <= 60.0)),
            "of seeds",
            Goal::AtLeast(0.99),
        ),
        worst("most_requests_until_noticed", requests, "requests", Goal::None),
        mean("seconds_until_noticed", after, "s", Goal::None),
        worst("answered", answered(&scenario, &run, (secs(0), end)), "share", Goal::AtLeast(0.99)),
    ])
}

/// Both are out.
pub(super) fn of_all(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    all(asked, "outage_of_all", "")
}

/// Both are out, and only the budget stands between callers and them.
pub(super) fn without_breakers(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    all(asked, "outage_of_all_without_breakers", "defaults: { breaker: { enabled: false } }\n")
}

fn all(asked: &Asked<'_>, name: &'static str, more: &str) -> Result<Vec<Figure>, StudyError> {
    let (from, healed, end) = if asked.size == Size::Large {
        (secs(60), secs(120), secs(180))
    } else {
        (secs(10), secs(25), secs(45))
    };
    let mut dice = Dice::new(asked.seed, 5);
    let who = calls(&asked.traces.conversation, "r", (12.0, end), &mut dice);
    let out = |name| Model::new(name).trouble(from, healed, Kind::Fails(500, millis(50)));
    let config = format!("{ROUTE}{BASE}{more}");
    let scenario = Scenario::new(name, config, vec![out("one"), out("two")], who);
    let run = sound(&scenario, asked.seed, &Promises::default())?;
    let during = scenario.calls.iter().filter(|call| within(call.at, (from, healed))).count();
    let visits = run.visits.iter().filter(|visit| within(visit.at, (from, healed))).count();
    Ok(vec![
        worst(
            "retries_during_the_outage",
            share(again(&run, (from, healed)), during),
            "of calls",
            Goal::AtMost(0.2),
        ),
        mean("requests_during_the_outage", share(visits, during), "of calls", Goal::None),
        mean(
            "answered_before",
            answered(&scenario, &run, (secs(0), from.saturating_sub(secs(1)))),
            "share",
            Goal::AtLeast(0.999),
        ),
        mean(
            "answered_from_15_s_after",
            answered(&scenario, &run, (healed + secs(15), end)),
            "share",
            Goal::AtLeast(0.99),
        ),
    ])
}

/// One is up and down by turns.
pub(super) fn flapping(asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
    let end = if asked.size == Size::Large { secs(240) } else { secs(40) };
    let mut dice = Dice::new(asked.seed, 6);
    let who = calls(&asked.traces.conversation, "r", (12.0, end), &mut dice);
    let mut one = Model::new("one");
    let mut at = secs(5);
    while at < end {
        let down = Duration::from_secs_f64(dice.between(1.0, 5.0));
        one = one.trouble(at, at + down, Kind::Fails(500, millis(20)));
        at += down + Duration::from_secs_f64(dice.between(1.0, 5.0));
    }
    let scenario = Scenario::new("flapping", format!("{ROUTE}{BASE}"), vec![one, Model::new("two")], who);
    let run = sound(&scenario, asked.seed, &Promises::default())?;
    let failed = run.rows.iter().filter(|row| row.fault.is_some()).count();
    Ok(vec![
        worst("answered", answered(&scenario, &run, (secs(0), end)), "share", Goal::AtLeast(0.99)),
        mean("failed_attempts", share(failed, run.seen.len()), "of calls", Goal::None),
        mean("times_opened", opened(&run) * 60.0 / end.as_secs_f64(), "a minute", Goal::None),
    ])
}

/// Requests that `one` got and seconds that passed from the outage on, until its breaker opened.
fn noticed(run: &Run, from: Duration) -> (f64, f64) {
    let opened = run
        .changes
        .iter()
        .find(|change| change.provider == "one" && change.to == "open" && change.at >= from);
    let at = opened.map_or(Duration::MAX, |change| change.at);
    let requests =
        run.visits.iter().filter(|visit| visit.model == 0 && visit.at >= from && visit.at < at).count();
    (share(requests, 1), at.saturating_sub(from).as_secs_f64().min(1e6))
}

/// Requests a minute that `one` gets once its breaker has opened, until it is well again.
fn probes(run: &Run, (from, healed): Span) -> f64 {
    let opened = run.changes.iter().find(|change| change.provider == "one" && change.at >= from);
    let at = opened.map_or(healed, |change| change.at);
    let requests = run.visits.iter().filter(|visit| visit.model == 0 && within(visit.at, (at, healed)));
    share(requests.count(), 1) * 60.0 / healed.saturating_sub(at).as_secs_f64().max(1e-9)
}

/// Seconds from the healing until `one` gets nine of ten calls again, seen over two seconds.
fn back(run: &Run, healed: Duration, end: Duration) -> f64 {
    let mut at = healed;
    while at + secs(2) <= end {
        let window = run.visits.iter().filter(|visit| within(visit.at, (at, at + secs(2))));
        let (mut all, mut one) = (0, 0);
        for visit in window {
            all += 1;
            one += usize::from(visit.model == 0);
        }
        if all > 0 && share(one, all) >= 0.9 {
            return at.saturating_sub(healed).as_secs_f64();
        }
        at += millis(250);
    }
    end.as_secs_f64()
}

/// Attempts in `span` at a model that the same call had asked before.
fn again(run: &Run, span: Span) -> usize {
    let mut asked = BTreeSet::new();
    let again = |row: &&types::ledger::Row| !asked.insert((row.key.call, row.provider.clone()));
    run.rows.iter().filter(again).filter(|row| within(since(row.at), span)).count()
}
