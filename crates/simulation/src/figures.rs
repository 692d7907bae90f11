//! Figures of a run: goodput, percentiles, shares, fairness.

use std::time::Duration;

use crate::drive::{End, Run};
use crate::provider::Visit;
use crate::scenario::Scenario;

/// A window of a run.
pub type Span = (Duration, Duration);

/// Whether `at` lies in `span`.
pub fn within(at: Duration, (from, until): Span) -> bool {
    from <= at && at < until
}

/// The part of the calls that came in `span` and got all of their answer.
pub fn answered(scenario: &Scenario, run: &Run, span: Span) -> f64 {
    let came = scenario.calls.iter().zip(&run.seen).filter(|(call, _)| within(call.at, span));
    let (mut all, mut good) = (0, 0);
    for (_, seen) in came {
        all += 1;
        good += u32::from(matches!(seen.end, End::Good));
    }
    if all == 0 { 1.0 } else { f64::from(good) / f64::from(all) }
}

/// Answers that were whole in `span`, a second.
pub fn goodput(scenario: &Scenario, run: &Run, span: Span) -> f64 {
    let good = scenario.calls.iter().zip(&run.seen);
    let good = good.filter(|(call, seen)| matches!(seen.end, End::Good) && within(call.at + seen.over, span));
    share(good.count(), 1) / (span.1.saturating_sub(span.0)).as_secs_f64()
}

/// Places that worked in `span` on answers that became whole, on average: seconds of places, a second. Unlike a count of
/// answers it does not depend on how long these happen to be.
pub fn work(scenario: &Scenario, run: &Run, (from, until): Span) -> f64 {
    let mut last: Vec<Option<&Visit>> = vec![None; run.seen.len()];
    for visit in &run.visits {
        if let Some(place) = usize::try_from(visit.call).ok().and_then(|call| last.get_mut(call)) {
            *place = Some(visit);
        }
    }
    let good = scenario.calls.iter().zip(&run.seen).zip(last);
    let good = good.filter(|((_, seen), _)| matches!(seen.end, End::Good));
    let within = good.filter_map(|((call, seen), visit)| {
        let began = visit.map(|visit| visit.at + visit.waited)?;
        Some((call.at + seen.over).min(until).saturating_sub(began.max(from)).as_secs_f64())
    });
    within.sum::<f64>() / until.saturating_sub(from).as_secs_f64().max(1e-9)
}

/// Times to the first content of the calls that came in `span`, in order; those that got none are left out.
pub fn firsts(scenario: &Scenario, run: &Run, span: Span) -> Vec<Duration> {
    let came = scenario.calls.iter().zip(&run.seen).filter(|(call, _)| within(call.at, span));
    sorted(came.filter_map(|(_, seen)| seen.first).collect())
}

/// How long the answered calls that came in `span` waited for a place: in the gateway and at the provider.
pub fn queued(scenario: &Scenario, run: &Run, span: Span) -> Vec<Duration> {
    let mut last: Vec<Option<&Visit>> = vec![None; run.seen.len()];
    for visit in &run.visits {
        if let Some(place) = usize::try_from(visit.call).ok().and_then(|call| last.get_mut(call)) {
            *place = Some(visit);
        }
    }
    let came = scenario.calls.iter().zip(&run.seen).zip(last);
    let good = came.filter(|((call, seen), _)| within(call.at, span) && matches!(seen.end, End::Good));
    sorted(
        good.filter_map(|((call, _), visit)| {
            visit.map(|visit| visit.at.saturating_sub(call.at) + visit.waited)
        })
        .collect(),
    )
}

/// The q-quantile of times in order; nothing of none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "few"
)]
pub fn quantile(sorted: &[Duration], q: f64) -> Duration {
    let at = (sorted.len() as f64 * q).ceil() as usize;
    sorted.get(at.max(1) - 1).or(sorted.last()).copied().unwrap_or_default()
}

/// Jain's index: 1 is all the same, 1/n is all for one.
pub fn jain(parts: &[f64]) -> f64 {
    let sum: f64 = parts.iter().sum();
    let squares: f64 = parts.iter().map(|part| part * part).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (share(parts.len(), 1) * squares) }
}

/// `part` of `whole`.
#[expect(clippy::cast_precision_loss, reason = "some thousand")]
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_what_their_names_say() {
        let times: Vec<_> = (1..=100).map(Duration::from_secs).collect();
        assert_eq!(quantile(&times, 0.99), Duration::from_secs(99));
        assert_eq!(quantile(&times, 0.5), Duration::from_secs(50));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
        assert!((jain(&[1.0, 1.0, 1.0]) - 1.0).abs() < 1e-9);
        assert!((jain(&[1.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-9);
    }
}
