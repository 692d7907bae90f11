//! Scripts against one breaker, and the goals as figures over many seeds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use types::{Blame, Code, Fault, Kind};

use super::*;
use crate::analysis::Sign;

const MILLI: Duration = Duration::from_millis(1);

fn breaker() -> Arc<Breaker> {
    with(&judge())
}

fn with(judge: &Arc<Judge>) -> Arc<Breaker> {
    Arc::new(Breaker::new(Arc::clone(judge)))
}

fn judge() -> Arc<Judge> {
    Arc::new(Judge::default())
}

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn one_in(&mut self, share: f64) -> bool {
        ((self.bits() >> 11) as f64) < share * (1_u64 << 53) as f64
    }
}

/// One call with this outcome; what changed, or `None` if it was refused or nothing did.
fn call(breaker: &Arc<Breaker>, sample: Sample, now: Moment) -> Option<Change> {
    breaker.admit(now, 0).ok()?.settle(sample, now, 0)
}

/// An outage until it opens; the moment it is open until.
fn opened(breaker: &Arc<Breaker>, from: Moment) -> Moment {
    (0..20).find_map(|_| call(breaker, Sample::Failed, from)).unwrap().until.unwrap()
}

#[test]
fn it_opens_probes_ramps_and_closes_and_tells_each_change() {
    let breaker = breaker();
    let now = at(10_000);
    let change = (0..20).find_map(|_| call(&breaker, Sample::Failed, now)).unwrap();
    assert_eq!((change.from, change.to), (State::Closed, State::Open));
    assert_eq!(change.why.to_string(), "7 calls failed in a row");
    let until = change.until.unwrap();
    assert_eq!(breaker.admit(now, 0).unwrap_err(), Refused { until });
    assert_eq!(until, now + 250 * MILLI);

    let probe = breaker.admit(until, 0).unwrap();
    assert_eq!(probe.change().map(|change| (change.to, change.why)), Some((State::HalfOpen, Why::Waited)));
    let others = [breaker.admit(until, 0).unwrap(), breaker.admit(until, 0).unwrap()];
    assert!(breaker.admit(until, 0).is_err(), "three probes, no more");
    drop(others);
    assert_eq!(probe.settle(Sample::Good, until, 0), None);
    let change = (0..4).find_map(|_| call(&breaker, Sample::Good, until)).unwrap();
    assert_eq!((change.to, change.why), (State::Ramping, Why::ProbesWell));
    assert!(breaker.admit(until, u64::MAX).is_err(), "a small share at first");
    assert!(breaker.admit(until, 0).is_ok());
    let later = until + 3_000 * MILLI;
    let permit = breaker.admit(later, u64::MAX).unwrap();
    assert_eq!(permit.change().map(|change| (change.to, change.why)), Some((State::Closed, Why::Ramped)));
    assert_eq!(breaker.state(later), State::Closed);
}

#[test]
fn a_probe_that_fails_doubles_the_wait_up_to_32_times() {
    let breaker = breaker();
    let mut until = opened(&breaker, at(1_000));
    for times in [2, 4, 8, 16, 32, 32, 32] {
        let now = until;
        until = (0..9).find_map(|_| call(&breaker, Sample::Failed, now)).unwrap().until.unwrap();
        assert_eq!(until - now, 250 * MILLI * times);
    }
}

#[test]
fn jitter_only_shortens_and_by_a_quarter_at_most() {
    for random in [0, 1 << 60, u64::MAX / 2, u64::MAX] {
        let breaker = breaker();
        let change = breaker.open_early(at(0), random, Sign::default()).unwrap();
        let wait = change.until.unwrap() - at(0);
        assert!(wait <= 250 * MILLI && wait >= 187 * MILLI, "{wait:?}");
    }
}

#[test]
fn what_does_not_speak_of_health_is_no_sample() {
    let fault = |kind, code| Fault::new(kind, code, "test");
    for silent in [
        fault(Kind::RateLimit, Code::RateLimited),
        fault(Kind::Validation, Code::BadField),
        fault(Kind::Cancelled, Code::Cancelled),
        fault(Kind::ResourceExhausted, Code::ContextTooLong).with_blame(Blame::Caller),
        fault(Kind::ResourceExhausted, Code::Overloaded),
        fault(Kind::Permanent, Code::ContentFiltered),
        fault(Kind::NetworkTimeout, Code::Timeout).with_blame(Blame::Caller),
        Fault::internal("bug"),
    ] {
        assert_eq!(Sample::of(&silent), None, "{silent:?}");
    }
    assert_eq!(Sample::of(&fault(Kind::NetworkTimeout, Code::Timeout)), Some(Sample::Failed));
    assert_eq!(Sample::of(&fault(Kind::DependencyFailure, Code::ProviderError)), Some(Sample::Failed));
    assert_eq!(Sample::of(&fault(Kind::Throttling, Code::ProviderError)), Some(Sample::Overloaded));
}

#[test]
fn an_overload_weighs_half() {
    let calls = |sample| {
        let breaker = breaker();
        (1..50).find(|_| call(&breaker, sample, at(0)).is_some()).unwrap()
    };
    assert_eq!((calls(Sample::Failed), calls(Sample::Overloaded)), (7, 14));
}

#[test]
fn the_streak_adapts_to_how_it_usually_is() {
    let limit = |usual: f64| {
        let breaker = with(&Arc::new(Judge::new(Settings { threshold: 0.9, ..Settings::default() })));
        let mut random = Random(1);
        for call_at in 0..5_000 {
            let sample = if random.one_in(usual) { Sample::Failed } else { Sample::Good };
            call(&breaker, sample, at(call_at * 1_000));
        }
        breaker.streak_limit()
    };
    assert_eq!(limit(0.0), 3);
    assert!((4..=6).contains(&limit(0.01)), "{}", limit(0.01));
    assert!((8..=12).contains(&limit(0.1)), "{}", limit(0.1));
    assert_eq!(limit(0.5), 20);
}

#[test]
fn slow_calls_open_it_too() {
    let breaker = breaker();
    let change = (0..40).find_map(|_| call(&breaker, Sample::Slow, at(500))).unwrap();
    assert_eq!(change.why, Why::Slow { slow: 20, calls: 20 });
}

#[test]
fn a_late_failure_of_before_the_outage_does_not_count_after_it() {
    let breaker = breaker();
    let old: Vec<_> = (0..50).map(|_| breaker.admit(at(0), 0).unwrap()).collect();
    let until = opened(&breaker, at(0));
    for _ in 0..5 {
        call(&breaker, Sample::Good, until);
    }
    let closed = until + 4_000 * MILLI;
    drop(breaker.admit(closed, 0).unwrap());
    assert_eq!(breaker.state(closed), State::Closed);
    for permit in old {
        assert_eq!(permit.settle(Sample::Failed, closed, 0), None);
    }
    assert_eq!(breaker.state(closed), State::Closed);
}

#[test]
fn panic_needs_a_pool() {
    assert!(!panic_mode(1, 1) && !panic_mode(2, 2), "too small to be a mistake");
    assert!(!panic_mode(1, 3) && panic_mode(2, 3) && !panic_mode(2, 4) && panic_mode(3, 4));
}

/// Goal: total outage found within 10 calls or 2 s, for 50 scripts: rates from 1 to 500 a second, usual
/// failures from none to 5 %.
#[test]
fn goal_total_outage() {
    let judge = judge();
    let (mut worst_calls, mut worst_time) = (0, Duration::ZERO);
    for seed in 0..50_u64 {
        let mut random = Random(seed);
        let gap =
            Duration::from_secs_f64(1.0 / [1.0, 5.0, 20.0, 100.0, 500.0][usize::try_from(seed % 5).unwrap()]);
        let usual = f64::from(u32::try_from(seed / 5).unwrap()) * 0.005;
        let breaker = with(&judge);
        let mut now = at(0);
        for _ in 0..2_000 {
            now = now + gap;
            let sample = if random.one_in(usual) { Sample::Failed } else { Sample::Good };
            if let Ok(permit) = breaker.admit(now, random.bits()) {
                permit.settle(sample, now, random.bits());
            }
        }
        // Whatever it is in, wait until it is closed.
        while breaker.state(now) != State::Closed {
            now = now + gap;
            call(&breaker, Sample::Good, now);
        }
        let began = now;
        let calls = (1..100).find(|_| {
            now = now + gap;
            call(&breaker, Sample::Failed, now).is_some()
        });
        worst_calls = worst_calls.max(calls.unwrap());
        worst_time = worst_time.max(now - began);
    }
    println!("total outage: at most {worst_calls} calls, {worst_time:?} at one call a second");
    assert!(worst_calls <= 10, "{worst_calls}");
}

/// Goal: a brown-out of 20 % (threshold 10 %) within 60 calls, whatever the traffic.
#[test]
fn goal_brown_out() {
    let judge = judge();
    let mut needed = Vec::new();
    for seed in 0..600_u64 {
        let mut random = Random(seed);
        let gap = Duration::from_secs_f64(1.0 / [1.0, 20.0, 400.0][usize::try_from(seed % 3).unwrap()]);
        let breaker = with(&judge);
        let mut now = at(0);
        for _ in 0..500 {
            now = now + gap;
            call(&breaker, Sample::Good, now);
        }
        let calls = (1_u32..100_000).find(|_| {
            now = now + gap;
            let sample = if random.one_in(0.2) { Sample::Failed } else { Sample::Good };
            call(&breaker, sample, now).is_some()
        });
        needed.push(calls.unwrap());
    }
    needed.sort_unstable();
    let within = needed.iter().filter(|calls| **calls <= 60).count() as f64 / needed.len() as f64;
    let (median, p90) = (needed[300], needed[540]);
    println!("brown-out: median {median} calls, p90 {p90}, within 60 in {within:.3} of the scripts");
    assert!(median <= 20 && p90 <= 40 && within >= 0.99, "{median} {p90} {within}");
}

/// Goal: at most one false trip in a million calls at 1 % failures. Two million here, in several rates; and the drift
/// alone keeps it at 4 %, which is under the threshold too.
#[test]
fn goal_false_trips() {
    let judge = judge();
    for usual in [0.01, 0.04] {
        false_trips(&judge, usual);
    }
}

fn false_trips(judge: &Arc<Judge>, usual: f64) {
    let (mut trips, mut drifts) = (0, 0);
    for (seed, rate) in [(1_u64, 2.0_f64), (2, 10.0), (3, 100.0), (4, 1_000.0)] {
        let mut random = Random(seed);
        let gap = Duration::from_secs_f64(1.0 / rate);
        let breaker = with(judge);
        let mut now = at(0);
        for _ in 0..500_000 {
            now = now + gap;
            let sample = if random.one_in(usual) { Sample::Failed } else { Sample::Good };
            if let Ok(permit) = breaker.admit(now, random.bits()) {
                let change = permit.settle(sample, now, random.bits());
                let opened = change.filter(|change| change.from == State::Closed);
                trips += u32::from(opened.is_some());
                drifts += u32::from(opened.is_some_and(|change| change.why == Why::Drift));
            }
        }
    }
    println!("false trips at {usual}: {trips} in 2,000,000 calls, {drifts} of them for drift");
    assert!(drifts <= 2 && (usual > 0.01 || trips <= 2), "{trips} {drifts}");
}

/// Goal: 90 % of the traffic at most 15 s after the deployment is well again, however long it was ill.
#[test]
fn goal_recovery() {
    let judge = judge();
    let mut worst = Duration::ZERO;
    for seed in 0..60_u64 {
        let mut random = Random(seed);
        let gap = Duration::from_secs_f64(1.0 / [3.0, 20.0, 200.0][usize::try_from(seed % 3).unwrap()]);
        let breaker = with(&judge);
        let heal = at(5_000 + seed * 1_973);
        let mut now = at(0);
        let mut after = Vec::new();
        while after.len() < 10_000 && now < heal + Duration::from_secs(40) {
            now = now + gap;
            let well = now >= heal;
            let admitted = breaker.admit(now, random.bits()).map(|permit| {
                let good = well && !random.one_in(0.01);
                permit.settle(if good { Sample::Good } else { Sample::Failed }, now, random.bits());
            });
            if well {
                after.push((now - heal, admitted.is_ok()));
            }
        }
        // From then on nine in ten calls go through.
        let through = |calls: &[(Duration, bool)]| calls.iter().filter(|(_, through)| *through).count();
        let found = after.windows(20).find(|calls| through(calls) >= 18).unwrap()[0].0;
        worst = worst.max(found);
    }
    println!("recovery to 90 % of the traffic: at most {worst:?} after the heal");
    assert!(worst <= Duration::from_secs(15), "{worst:?}");
}

/// Real threads race for the probes of a half-open breaker: the count of those under way is exact.
#[test]
fn never_more_probes_than_permits() {
    for round in 0..30_u64 {
        let breaker = breaker();
        let until = opened(&breaker, at(round));
        let (running, most) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (breaker, running, most) = (&breaker, &running, &most);
                scope.spawn(move || {
                    let mut random = Random(thread);
                    for _ in 0..200 {
                        let Ok(permit) = breaker.admit(until, random.bits()) else { continue };
                        if permit.is_probe() {
                            let now_running = running.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now_running, Ordering::SeqCst);
                            std::thread::yield_now();
                            running.fetch_sub(1, Ordering::SeqCst);
                        }
                        // Neither outcome may decide, or the probing would be over.
                        drop(permit);
                    }
                });
            }
        });
        let most = most.load(Ordering::SeqCst);
        assert!(most <= 3, "{most} probes at once");
        assert_eq!(breaker.lock().probes(), 0, "every permit came back");
    }
}

/// The machine as anybody would write it from the description, slowly.
#[derive(Default)]
struct Naive {
    probes: i64,
}

proptest! {
    /// Any script of asking, settling and dropping: never more probes than permits, none lost, an open breaker
    /// lets nobody through before its time, and changes follow each other without a gap.
    #[test]
    fn any_script_keeps_the_invariants(script in prop::collection::vec((0_u8..8, 0_u64..700, any::<u64>()), 1..400)) {
        let breaker = breaker();
        let mut now = at(0);
        let mut held: Vec<Permit> = Vec::new();
        let mut naive = Naive::default();
        let mut state = State::Closed;
        let mut open_until = at(0);
        let mut follow = |change: Option<Change>, naive: &mut Naive, open_until: &mut Moment| {
            if let Some(change) = change {
                assert_eq!(change.from, state, "{change:?}");
                assert_ne!(change.to, state);
                state = change.to;
                naive.probes = 0;
                if let Some(until) = change.until {
                    *open_until = until;
                }
            }
            state
        };
        let mut generation = 0_u32;
        let mut born: Vec<u32> = Vec::new();
        for (what, gap, random) in script {
            now = now + Duration::from_millis(gap);
            let before = follow(None, &mut naive, &mut open_until);
            if what < 4 {
                if let Ok(permit) = breaker.admit(now, random) {
                    let change = permit.change();
                    generation += u32::from(change.is_some());
                    let state = follow(change, &mut naive, &mut open_until);
                    prop_assert!(now >= open_until || state == State::Closed);
                    prop_assert_eq!(permit.is_probe(), state == State::HalfOpen);
                    naive.probes += i64::from(permit.is_probe());
                    held.push(permit);
                    born.push(generation);
                } else {
                    prop_assert!(before != State::Closed);
                }
            } else if !held.is_empty() {
                let which = usize::try_from(random).unwrap_or(0) % held.len();
                let (permit, birth) = (held.swap_remove(which), born.swap_remove(which));
                if permit.is_probe() && birth == generation {
                    naive.probes -= 1;
                }
                let change = match what {
                    4 => { drop(permit); None }
                    5 => permit.settle(Sample::Good, now, random),
                    6 => permit.settle(Sample::Overloaded, now, random),
                    _ => permit.settle(Sample::Failed, now, random),
                };
                generation += u32::from(change.is_some());
                follow(change, &mut naive, &mut open_until);
            }
            prop_assert_eq!(i64::from(breaker.lock().probes()), naive.probes);
            prop_assert!(naive.probes <= 3);
        }
    }
}
