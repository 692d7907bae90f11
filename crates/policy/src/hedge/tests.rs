//! The budget's invariants, and the two goals by a simulation of one route with two targets.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;
use crate::latency;

fn on() -> Settings {
    Settings { on: true, ..Settings::default() }
}

fn cents(cents: u32) -> Money {
    Money::from_pico(i128::from(cents) * 10_000_000_000)
}

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

#[test]
fn it_is_off_by_default_and_waits_for_a_hundred_samples() {
    let off = Hedger::new(Settings::default());
    assert_eq!(off.take(at(0), cents(1), 0.0), Err(Denied::Off));
    let hedger = Hedger::new(on());
    let window = latency::Window::new();
    for second in 1..=100 {
        assert_eq!(hedger.after(window.quantiles(at(second * 20))), None);
        window.record(at(second * 20), Duration::from_millis(300));
    }
    assert!(hedger.after(window.quantiles(at(4_000))).is_some());
    assert_eq!(off.after(window.quantiles(at(4_000))), None);
}

#[test]
fn it_says_why_not() {
    let hedger = Hedger::new(on());
    assert_eq!(hedger.take(at(0), cents(1), 0.9), Err(Denied::Busy));
    assert_eq!(hedger.take(at(0), cents(1), f32::NAN), Err(Denied::Busy));
    assert_eq!(hedger.take(at(0), cents(1), 0.1), Err(Denied::Calls));
    for call in 0..200 {
        hedger.call(at(5_000 + call * 10), cents(1));
    }
    assert_eq!(hedger.take(at(7_000), cents(100), 0.1), Err(Denied::Money));
    for _ in 0..5 {
        assert_eq!(hedger.take(at(7_000), cents(1), 0.1), Ok(()));
    }
    assert_eq!(hedger.take(at(7_000), cents(1), 0.1), Err(Denied::Calls));
    let wanting: Vec<_> = (0..40).map(|_| hedger.take(at(7_000), cents(1), 0.1)).collect();
    assert_eq!(wanting.last(), Some(&Err(Denied::Slowdown)));
}

proptest! {
    /// Whatever comes in whatever order: never more backups, never more money than the share.
    #[test]
    fn shares_hold_at_every_moment(script in prop::collection::vec((0_u64..200, 0_u32..40, 0_u8..4), 1..500)) {
        let hedger = Hedger::new(Settings { wanted_per_thousand: 1_000, ..on() });
        let mut now = at(0);
        let (mut calls, mut spent, mut backups, mut promised) = (0_u64, 0_i128, 0_u64, 0_i128);
        for (gap, price, what) in script {
            now = now + Duration::from_millis(gap);
            if what > 0 {
                hedger.call(now, cents(price));
                calls += 1;
                spent += cents(price).as_pico();
            } else if hedger.take(now, cents(price), 0.0).is_ok() {
                backups += 1;
                promised += cents(price).as_pico();
            }
            prop_assert!(backups * 1_000 <= calls * 40);
            prop_assert!(promised * 1_000 <= spent * 40);
        }
    }
}

/// `SplitMix64`, as a share of one.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A call arrives.
    Arrive,
    /// The first attempt has been silent for too long.
    Slow { began: u64, token: u64 },
    /// First content, and since when the winner and the loser (if there was one) had been asked.
    Token { began: u64, asked: u64, loser: Option<u64> },
}

struct Outcome {
    times: Vec<u64>,
    backups: Vec<u64>,
    calls: u64,
}

/// Calls at 50 a second for `seconds`; each draws its time to first token, in ms, from `token`.
fn simulate(settings: Settings, seed: u64, seconds: u64, token: impl Fn(u64, &mut u64) -> u64) -> Outcome {
    let (hedger, window) = (Hedger::new(settings), latency::Window::new());
    let mut random = seed;
    let mut events = BinaryHeap::from([Reverse((0_u64, What::Arrive))]);
    let mut outcome = Outcome { times: Vec::new(), backups: Vec::new(), calls: 0 };
    while let Some(Reverse((now, what))) = events.pop() {
        match what {
            What::Arrive => {
                outcome.calls += 1;
                hedger.call(at(now), cents(1));
                let first = now + token(now, &mut random);
                let alone = What::Token { began: now, asked: now, loser: None };
                match hedger.after(window.quantiles(at(now))).map(|wait| now + wait.as_millis() as u64) {
                    Some(slow) if slow < first => {
                        events.push(Reverse((slow, What::Slow { began: now, token: first })));
                    }
                    _ => events.push(Reverse((first, alone))),
                }
                if now < seconds * 1_000 {
                    let gap = (-uniform(&mut random).max(1e-12).ln() * 20.0) as u64;
                    events.push(Reverse((now + gap, What::Arrive)));
                }
            }
            What::Slow { began, token: first } => {
                let mut won = (first, What::Token { began, asked: began, loser: None });
                if hedger.take(at(now), cents(1), 0.5).is_ok() {
                    outcome.backups.push(now);
                    let second = now + token(now, &mut random);
                    won = if second < first {
                        (second, What::Token { began, asked: now, loser: Some(began) })
                    } else {
                        (first, What::Token { began, asked: began, loser: Some(now) })
                    };
                }
                events.push(Reverse(won));
            }
            What::Token { began, asked, loser } => {
                window.record(at(now), Duration::from_millis(now - asked));
                if let Some(loser) = loser {
                    window.record_at_least(at(now), Duration::from_millis(now - loser));
                }
                outcome.times.push(now - began);
            }
        }
    }
    outcome.times.sort_unstable();
    outcome
}

fn usual(random: &mut u64) -> f64 {
    300.0 * (0.3 * (uniform(random) + uniform(random) + uniform(random) - 1.5) * 2.0).exp()
}

/// Goal: with 2 % of the calls ten times as slow, p99 to first token falls by 60 % at 4 % extra cost (a
/// cancelled loser is counted as a whole call here, which is more than it costs).
#[test]
fn goal_cuts_the_tail() {
    for seed in [1, 2, 3] {
        let stray = |_: u64, random: &mut u64| {
            let slow = if uniform(random) < 0.02 { 10.0 } else { 1.0 };
            (usual(random) * slow) as u64
        };
        let p99 = |outcome: &Outcome| outcome.times[outcome.times.len() * 99 / 100];
        let (without, with) =
            (simulate(Settings::default(), seed, 200, stray), simulate(on(), seed, 200, stray));
        let cut = 1.0 - p99(&with) as f64 / p99(&without) as f64;
        let extra = with.backups.len() as f64 / with.calls as f64;
        println!(
            "hedging: p99 {} -> {} ms (cut {cut:.3}), extra calls {extra:.4}",
            p99(&without),
            p99(&with)
        );
        assert!(cut >= 0.6 && extra <= 0.04, "{cut} {extra}");
    }
}

/// Goal: when everything becomes slow, the extra load falls to nothing within five seconds.
#[test]
fn goal_stops_in_a_slowdown() {
    for seed in [1, 2, 3] {
        let outcome = simulate(on(), seed, 120, |now, random| {
            let slow = if now >= 60_000 { 8.0 } else { 1.0 };
            (usual(random) * slow) as u64
        });
        let late = outcome.backups.iter().filter(|at| (65_000..80_000).contains(*at)).count();
        let during = outcome.backups.iter().filter(|at| (60_000..65_000).contains(*at)).count();
        println!("slowdown: {during} backups in its first 5 s, {late} in the next 15 s");
        assert_eq!(late, 0);
    }
}
