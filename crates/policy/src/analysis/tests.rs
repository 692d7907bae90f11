use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use types::Moment;

use super::*;
use crate::attempt::Cause;
use crate::breaker::{Breaker, Judge, Sample};

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

proptest! {
    /// The tally counts what a list counts, over any stretch of time.
    #[test]
    fn a_tally_counts_like_a_list(
        events in prop::collection::vec((0_u64..400, prop::option::of(0..Cause::ALL.len())), 1..200),
        minutes in 1_usize..=60,
    ) {
        let tally = Tally::new();
        let mut list = Vec::new();
        let mut now = 0;
        for (gap, which) in events {
            now += gap;
            let cause = which.map(|which| Cause::ALL[which]);
            tally.record(at(now), cause);
            list.push((now / 60, cause));
        }
        let recent = || list.iter().filter(|(minute, _)| minute + minutes as u64 > now / 60);
        prop_assert_eq!(tally.attempts(at(now), minutes), recent().count() as u64);
        for cause in Cause::ALL {
            let expect = recent().filter(|(_, is)| *is == Some(cause)).count() as u64;
            prop_assert_eq!(tally.count(at(now), minutes, cause), expect);
            let series = tally.series(at(now), cause);
            let newest: u32 = series.iter().rev().take(minutes).sum();
            prop_assert_eq!(u64::from(newest), expect);
        }
    }
}

#[test]
fn a_report_sums_by_class_provider_and_model() {
    let tallies: Vec<Tally> = (0..3).map(|_| Tally::new()).collect();
    let names = [("north", "large"), ("north", "small"), ("south", "large")];
    for (index, tally) in tallies.iter().enumerate() {
        for _ in 0..10 {
            tally.record(at(30), None);
        }
        for _ in 0..index {
            tally.record(at(30), Some(Cause::RateLimited));
        }
    }
    tallies[0].record(at(30), Some(Cause::Failed));
    let deployments =
        names.iter().zip(&tallies).map(|((provider, model), tally)| Deployment { provider, model, tally });
    let report = report(deployments, at(60), 5);
    assert_eq!(report.all, Count { attempts: 34, failures: 4 });
    assert_eq!(report.by_provider["north"], Count { attempts: 22, failures: 2 });
    assert_eq!(report.by_model[&("south", "large")], Count { attempts: 12, failures: 2 });
    assert_eq!(
        report.by_class,
        [
            (Cause::RateLimited, Count { attempts: 34, failures: 3 }),
            (Cause::Failed, Count { attempts: 34, failures: 1 }),
        ]
    );
    assert!((report.by_provider["north"].rate() - 1.0 / 11.0).abs() < 1e-12);
}

#[test]
fn what_recurs_is_named() {
    let bursts = |every: usize| (0..60).map(|minute| if minute % every == 3 { 9 } else { 0 }).collect();
    let series = |provider, model, cause, minutes| Series { provider, model, cause, minutes };
    let load: Vec<f64> = (0..60).map(|minute| if minute % 12 == 3 { 0.9 } else { 0.2 }).collect();
    let metrics = [Metric { name: "memory", minutes: load }];
    let found = patterns(&[series("north", "large", Cause::RateLimited, bursts(12))], &metrics);
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "north/large: 5 bursts of rate_limited in the last hour, about every 12 min",
            "north/large: rate_limited follows memory (correlation 1.00)",
        ]
    );
    let once = |minute: usize| (0..60).map(|at| if at == minute { 20 } else { 0 }).collect::<Vec<u32>>();
    let found = patterns(
        &[
            series("north", "large", Cause::Silent, once(8)),
            series("north", "small", Cause::Silent, once(8)),
            series("south", "large", Cause::Silent, once(30)),
        ],
        &[],
    );
    assert_eq!(found, [Pattern::Provider { provider: "north", cause: Cause::Silent, models: 2 }]);
    let found = patterns(
        &[series("north", "large", Cause::Silent, once(8)), series("south", "large", Cause::Silent, once(8))],
        &[],
    );
    assert_eq!(found, [Pattern::Everywhere { cause: Cause::Silent, providers: 2 }]);
    assert_eq!(patterns(&[series("north", "large", Cause::Silent, vec![2; 60])], &metrics), []);
}

/// `SplitMix64`, as a share of one.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn noise_foretells_nothing() {
    let mut alarms = 0;
    for seed in 0..8_u64 {
        let mut random = seed;
        let mut forecast = Forecast::new(Outlook::default());
        for second in 0..3_600 {
            let attempts = 5 + seed * 10;
            let failures = (0..attempts).filter(|_| uniform(&mut random) < 0.01).count() as u64;
            let p95 = Some(Duration::from_secs_f64(0.8 + 0.4 * uniform(&mut random)));
            alarms += u32::from(forecast.tick(at(second), Seen { attempts, failures, p95 }).is_some());
        }
    }
    println!("forecast: {alarms} proposals in 8 hours of noise");
    assert!(alarms <= 2, "{alarms}");
}

/// Failures creep up by one in a hundred every two seconds: weight is shifted before the breaker opens.
#[test]
fn rising_failures_shift_weight_before_the_breaker_opens() {
    let (mut foretold, mut earlier) = (0, Vec::new());
    for seed in 0..40_u64 {
        let mut random = seed;
        let breaker = Arc::new(Breaker::new(Arc::new(Judge::default())));
        let mut forecast = Forecast::new(Outlook::default());
        let (mut proposal, mut opened) = (None, None);
        for second in 0..200_u64 {
            let share = 0.005 + second.saturating_sub(100) as f64 * 0.005;
            let mut failures = 0;
            for call in 0..50_u64 {
                let now = at(second) + Duration::from_millis(call * 20);
                let failed = uniform(&mut random) < share;
                failures += u64::from(failed);
                if let Ok(permit) = breaker.admit(now, 0) {
                    let sample = if failed { Sample::Failed } else { Sample::Good };
                    if permit.settle(sample, now, 0).is_some() {
                        opened = opened.or(Some(second));
                    }
                }
            }
            let seen = Seen { attempts: 50, failures, p95: Some(Duration::from_secs(1)) };
            if second >= 100 && forecast.tick(at(second), seen).is_some() {
                proposal = proposal.or(Some(second));
            } else if second < 100 {
                forecast.tick(at(second), seen);
            }
        }
        let (proposal, opened) = (proposal.unwrap(), opened.unwrap());
        foretold += u32::from(proposal <= opened);
        earlier.push(i64::try_from(opened).unwrap() - i64::try_from(proposal).unwrap());
    }
    earlier.sort_unstable();
    println!("forecast: before the breaker in {foretold} of 40 scripts, {} s in the middle", earlier[20]);
    assert!(foretold >= 24, "{foretold}");
}

#[test]
fn rising_latency_is_foretold_with_its_reason_and_taken_back() {
    let mut forecast = Forecast::new(Outlook { deadline: Duration::from_secs(10), ..Outlook::default() });
    let mut tick = |second: u64, p95: f64| {
        let seen = Seen { attempts: 20, failures: 0, p95: Some(Duration::from_secs_f64(p95)) };
        forecast.tick(at(second), seen)
    };
    assert!((0..120).all(|second| tick(second, 1.0).is_none()));
    // Eight per cent more each second: the deadline of 10 s is reached after thirty.
    let (mut shift, mut open) = (None, None);
    let mut p95 = 1.0;
    for second in 120..150 {
        p95 *= 1.08;
        match tick(second, p95) {
            Some(Prediction { action: Action::ShiftWeight(weight), sign }) => {
                assert!((0.1..0.9).contains(&weight) && sign.trend == Trend::Latency);
                shift = shift.or(Some(second));
            }
            Some(Prediction { action: Action::OpenEarly, sign }) => {
                assert!(sign.to_string().starts_with("p95 to first token: usually 1"), "{sign}");
                open = open.or(Some(second));
            }
            None => {}
        }
    }
    println!("forecast: latency that reaches its deadline at 149 s: shift {shift:?}, open {open:?}");
    assert!(shift.unwrap() < 140 && open.unwrap() < 149);
    let back = (150..240).find_map(|second| tick(second, 1.0));
    assert_eq!(back.map(|prediction| prediction.action), Some(Action::ShiftWeight(1.0)));
}
