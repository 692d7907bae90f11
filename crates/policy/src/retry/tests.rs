use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use types::{Kind, Moment};

use super::*;

#[test]
fn waits_lie_under_their_ceiling() {
    let policy = Policy { attempts: 9, ..Policy::default() };
    for (next, ceiling_ms) in [(2, 250), (3, 500), (4, 1_000), (7, 8_000), (60, 8_000)] {
        assert_eq!(policy.wait(next, u64::MAX), Duration::from_millis(ceiling_ms));
        assert_eq!(policy.wait(next, 0), Duration::ZERO);
        let middle = policy.wait(next, u64::MAX / 2);
        assert!(middle.abs_diff(Duration::from_millis(ceiling_ms / 2)) < Duration::from_micros(1));
    }
    let fixed = Policy { backoff: Backoff::Fixed, ..policy };
    assert_eq!(fixed.wait(9, u64::MAX), fixed.base);
}

#[test]
fn each_kind_grows_in_its_own_way() {
    let ceilings = |backoff| {
        let policy =
            Policy { attempts: 9, backoff, base: Duration::from_millis(100), max: Duration::from_secs(60) };
        (2..8).map(|next| policy.ceiling(next, Pressure::default()).as_millis()).collect::<Vec<_>>()
    };
    assert_eq!(ceilings(Backoff::Exponential), [100, 200, 400, 800, 1_600, 3_200]);
    assert_eq!(ceilings(Backoff::Linear), [100, 200, 300, 400, 500, 600]);
    assert_eq!(ceilings(Backoff::Fixed), [100; 6]);
    assert_eq!(ceilings(Backoff::Fibonacci), [100, 200, 300, 500, 800, 1_300]);
    assert_eq!(ceilings(Backoff::Adaptive), [100, 150, 225, 337, 506, 759]);
}

#[test]
fn adaptive_waits_longer_for_a_slow_and_failing_target() {
    let policy = Policy { backoff: Backoff::Adaptive, attempts: 9, ..Policy::default() };
    let well = Pressure { latency: Duration::from_millis(300), failing: 0.0 };
    let badly = Pressure { latency: Duration::from_secs(2), failing: 1.0 };
    assert_eq!(policy.ceiling(2, well), Duration::from_millis(300));
    assert_eq!(policy.ceiling(2, badly), Duration::from_secs(2));
    assert_eq!(policy.ceiling(3, badly), policy.max);
    let nonsense = Pressure { latency: Duration::MAX, failing: f32::NAN };
    assert_eq!(policy.ceiling(u16::MAX, nonsense), policy.max);
}

#[test]
fn a_kind_may_have_rules_of_its_own() {
    let patient = Policy { attempts: 5, ..Policy::default() };
    let rules = Rules::from(Policy::default())
        .with(Kind::RateLimit, patient)
        .with(Kind::InvalidResponse, Policy::NEVER);
    assert_eq!(rules.of(Kind::RateLimit), &patient);
    assert_eq!(rules.of(Kind::InvalidResponse).attempts, 1);
    assert_eq!(rules.of(Kind::Throttling), &Policy::default());
    assert_eq!(rules.with(Kind::Cancelled, patient).of(Kind::Cancelled), &patient, "the last kind has room");
}

proptest! {
    /// No kind ever waits above its maximum, for any numbers.
    #[test]
    fn no_wait_is_above_the_maximum(
        which in 0..Backoff::ALL.len(), next: u16, random: u64,
        base in 0_u64..100_000, max in 0_u64..100_000, latency in 0_u64..10_000_000, failing in -1.0_f32..2.0,
    ) {
        let policy = Policy {
            attempts: 3,
            backoff: Backoff::ALL[which],
            base: Duration::from_millis(base),
            max: Duration::from_millis(max),
        };
        let pressure = Pressure { latency: Duration::from_millis(latency), failing };
        prop_assert!(policy.wait_under(next, pressure, random) <= policy.max);
    }

    /// The budget against a list of everything that ever happened: what was granted fits the share at that
    /// moment, and nothing that would have fitted is refused.
    #[test]
    fn the_budget_grants_what_a_list_would(
        floor in 0_u32..3, per_thousand in 0_u32..400,
        events in prop::collection::vec((0_u64..1_500, 0_u8..4), 1..400),
    ) {
        let budget = Budget::new(Share { per_thousand, floor });
        let (mut calls, mut retries) = (Vec::new(), Vec::new());
        let mut now = Moment::default();
        for (gap, what) in events {
            now = now + Duration::from_millis(gap);
            let second = now.as_nanos() / 1_000_000_000;
            let within = |list: &[u64], seconds| list.iter().filter(|at| **at + seconds > second).count() as u64;
            let recent = |list: &[u64]| within(list, 60);
            if what > 0 {
                budget.call(now);
                calls.push(second);
                continue;
            }
            let share = recent(&calls) * u64::from(per_thousand) / 1_000;
            let floor = u64::from(floor);
            let quiet = recent(&retries) < 60 * floor && within(&retries, 20) < 20 * floor;
            let granted = budget.take(now);
            prop_assert_eq!(granted, recent(&retries) < share || quiet);
            if granted {
                retries.push(second);
            }
        }
    }
}

#[test]
fn a_quiet_route_may_retry_a_busy_one_within_its_share() {
    let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
    let granted = |budget: &Budget, now| (0..1_000).take_while(|_| budget.take(now)).count();
    // A call a second, and each fails: all of them are tried again.
    let quiet = Budget::default();
    for second in 0..300 {
        quiet.call(at(second));
        assert!(quiet.take(at(second)), "{second}");
    }
    // Without a call, twenty at once, and again when those are twenty seconds old; never more than sixty a minute.
    let idle = Budget::default();
    assert_eq!([0, 19, 20, 40, 59, 60].map(|second| granted(&idle, at(second))), [20, 0, 20, 20, 0, 20]);
    // A hundred a second, all of which fail: a tenth.
    let busy = Budget::default();
    let mut retries = 0;
    for call in 0..12_000_u64 {
        let now = Moment::from_nanos(call * 10_000_000);
        busy.call(now);
        retries += u64::from(busy.take(now));
    }
    assert!((1_150..=1_220).contains(&retries), "{retries} of 12,000");
}

#[test]
fn both_budgets_are_taken_or_none() {
    let now = Moment::from_nanos(5_000_000_000);
    let route = Budget::new(Share { per_thousand: 100, floor: 1 });
    let overall = Budget::new(Share { per_thousand: 1_000, floor: 0 });
    let both = Budgets { route: &route, overall: &overall };
    both.call(now);
    assert!(both.take(now));
    assert!(!both.take(now), "the process has no retry left");
    assert_eq!((route.counts(now), overall.counts(now)), ((1, 1), (1, 1)), "the route got its own back");
}

/// Threads race for the last permissions, over moments in which the seconds change.
#[test]
fn threads_together_never_take_too_many() {
    for round in 0..20_u64 {
        let budget = Arc::new(Budget::new(Share { per_thousand: 100, floor: 0 }));
        let began = Moment::from_nanos(round * 999_999_937);
        for _ in 0..200 {
            budget.call(began);
        }
        let granted = Arc::new(AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (budget, granted) = (Arc::clone(&budget), Arc::clone(&granted));
                scope.spawn(move || {
                    for step in 0..50 {
                        let now = began + Duration::from_millis(thread * 7 + step * 40);
                        if budget.take(now) {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(granted.load(Ordering::Relaxed) <= 20, "10 % of 200 calls");
        assert!(granted.load(Ordering::Relaxed) >= 15, "racing threads do not starve each other");
    }
}
