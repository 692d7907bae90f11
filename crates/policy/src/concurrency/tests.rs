//! The limit against scripted providers: a slot machine whose capacity halves, with real arrivals, beside an
//! oracle that knows the capacity.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use types::{Moment, Priority};

use super::*;
use crate::limit::{Place, Queue, QueueSettings, Rank};

fn at(seconds: f64) -> Moment {
    Moment::from_nanos(crate::number::whole(seconds * 1e9))
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Seconds from the start and answer tokens of a real hour.
fn arrivals(file: &str, longer: f64) -> Vec<(f64, f64)> {
    let path = format!("{}/../../../shared/data/traffic/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{path}: {error}. The data lies beside the repository: see its README")
    });
    let mut first = None;
    let rows = text.lines().skip(1).map(|line| {
        let mut fields = line.trim().split(',');
        let clock = fields.next().unwrap().split(' ').nth(1).unwrap();
        let parts: Vec<f64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
        let second = parts[0] * 3600.0 + parts[1] * 60.0 + parts[2];
        let start = *first.get_or_insert(second);
        (second - start, longer * fields.nth(1).unwrap().parse::<f64>().unwrap())
    });
    rows.collect()
}

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        crate::number::float(self.0 >> 11) / 9_007_199_254_740_992.0
    }
}

#[derive(Clone, Copy)]
struct Call {
    arrived: f64,
    tokens: f64,
    tenant: u64,
    noise: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Then {
    FirstToken,
    End,
    Arrival,
    Change,
}

struct Outcome {
    /// Finished within the deadline, and when each ended.
    good: Vec<(f64, usize)>,
    waits: Vec<f64>,
    limits: Vec<(f64, u32)>,
}

const PATIENCE: f64 = 10.0;
const PER_TOKEN: f64 = 0.02;
const FIRST: f64 = 0.3;

/// A gateway with a queue before a provider that runs `capacity` calls at once and lets others wait in line.
fn simulate(calls: &[Call], change: (f64, u32, u32), oracle: bool) -> Outcome {
    let (step, before, after) = change;
    let settings = if oracle {
        Settings { initial: before, least: 1, most: 1_000, algorithm: Algorithm::Fixed }
    } else {
        Settings::default()
    };
    let mut limiter = Arc::new(Limiter::new(settings));
    let mut queue = Queue::new(QueueSettings { capacity: 4_096, ..QueueSettings::default() });
    let mut events: BinaryHeap<Reverse<(u64, Then, usize)>> = BinaryHeap::new();
    let nanos = |seconds: f64| crate::number::whole(seconds * 1e9);
    for (index, call) in calls.iter().enumerate() {
        events.push(Reverse((nanos(call.arrived), Then::Arrival, index)));
    }
    events.push(Reverse((nanos(step), Then::Change, 0)));
    let mut capacity = before;
    let mut inside = 0;
    let mut line: VecDeque<usize> = VecDeque::new();
    let mut permits: Vec<Option<Permit>> = calls.iter().map(|_| None).collect();
    let mut sent = vec![0.0; calls.len()];
    let mut out = Outcome { good: Vec::new(), waits: Vec::new(), limits: Vec::new() };
    while let Some(Reverse((nano, then, index))) = events.pop() {
        let now = crate::number::float(nano) / 1e9;
        match then {
            Then::Arrival => {
                let call = &calls[index];
                let place = Place {
                    priority: Priority::Normal,
                    flow: call.tenant,
                    cost: crate::number::whole(call.tokens).max(1),
                    deadline: at(now + PATIENCE),
                    rank: Rank::Spared,
                };
                let _full = queue.push(index, place, at(now));
            }
            Then::FirstToken => {
                if let Some(permit) = &mut permits[index] {
                    permit.first_token(secs(now - sent[index]));
                }
            }
            Then::End => {
                inside -= 1;
                if let Some(permit) = permits[index].take() {
                    permit.finish(at(now));
                }
                let call = &calls[index];
                let wait = now - call.arrived - FIRST * call.noise - call.tokens * PER_TOKEN;
                out.waits.push(wait);
                out.good.push((now, index));
            }
            Then::Change => {
                capacity = after;
                if oracle {
                    limiter = Arc::new(Limiter::new(Settings { initial: after, ..settings }));
                    // Who runs already counts for the old one; the oracle stops sending until they fit.
                }
            }
        }
        while queue.expire(at(now)).is_some() {}
        while !queue.is_empty() {
            if oracle && inside >= capacity {
                break;
            }
            let Ok(permit) = limiter.acquire(0, at(now)) else { break };
            let next = queue.pop(at(now)).unwrap();
            permits[next] = Some(permit);
            sent[next] = now;
            line.push_back(next);
        }
        while inside < capacity {
            let Some(next) = line.pop_front() else { break };
            inside += 1;
            let first = now + FIRST * calls[next].noise;
            events.push(Reverse((nanos(first), Then::FirstToken, next)));
            events.push(Reverse((nanos(first + calls[next].tokens * PER_TOKEN), Then::End, next)));
        }
        out.limits.push((now, limiter.limit()));
    }
    out
}

fn p99(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() * 99 / 100]
}

fn scripted(file: &str, longer: f64, until: f64, seed: u64) -> Vec<Call> {
    let mut random = Random(seed);
    let real = arrivals(file, longer).into_iter().filter(|(arrived, _)| *arrived < until);
    // Half a spread around the usual first token; the second draw is a tenant, the first one a hog.
    real.map(|(arrived, tokens)| {
        let (noise, tenant) = (0.75 + 0.5 * random.unit(), crate::number::whole(random.unit() * 14.0));
        Call { arrived, tokens, tenant: tenant.saturating_sub(4), noise }
    })
    .collect()
}

/// G §1.8. Capacity halves at 600 s under a real hour's arrivals: more than what is left can serve.
#[test]
fn it_finds_the_capacity_after_half_of_it_is_gone() {
    for (file, longer, before, after) in
        [("azure_conv_2023.csv", 1.0, 28, 14), ("azure_code_2023.csv", 10.0, 16, 8)]
    {
        for seed in 1..=3 {
            let calls = scripted(file, longer, 1_500.0, seed);
            let mut ours = simulate(&calls, (600.0, before, after), false);
            let mut oracle = simulate(&calls, (600.0, before, after), true);
            let steady = |outcome: &Outcome| outcome.good.iter().filter(|(end, _)| *end > 630.0).count();
            let goodput = steady(&ours) as f64 / steady(&oracle) as f64;
            let queueing = p99(&mut ours.waits) / p99(&mut oracle.waits);
            // A tenth, and at least the one place more that finds out whether there is room.
            let slack = (f64::from(after) * 0.1).max(1.0);
            let within = |limit: u32| (f64::from(limit) - f64::from(after)).abs() <= slack;
            let settled = |from: f64| {
                let late = ours.limits.iter().filter(|(when, _)| (from..1_500.0).contains(when));
                let (inside, all) = late
                    .fold((0, 0), |(inside, all), (_, limit)| (inside + u32::from(within(*limit)), all + 1));
                f64::from(inside) / f64::from(all)
            };
            let converged = ours.limits.iter().find(|(when, limit)| *when >= 600.0 && within(*limit));
            let converged = converged.map_or(f64::INFINITY, |(when, _)| when - 600.0);
            println!(
                "{file} seed {seed}: goodput {goodput:.3} of the oracle's, p99 queueing {queueing:.2} x, \
                 within 10 % after {converged:.1} s, then for {:.1} % of the time",
                settled(630.0) * 100.0
            );
            assert!(goodput >= 0.95, "{goodput}");
            assert!(queueing <= 1.5, "{queueing}");
            assert!(converged <= 30.0, "{converged}");
            assert!(settled(630.0) >= 0.8, "{}", settled(630.0));
        }
    }
}

/// G §1.8. Ten tenants, one of which asks five times as much as each other; everybody asks too much.
#[test]
fn tenants_get_equal_parts() {
    let calls = scripted("azure_conv_2023.csv", 1.0, 900.0, 5);
    let ours = simulate(&calls, (0.0, 6, 6), false);
    let mut served = [0.0; 10];
    for (end, index) in &ours.good {
        if *end > 60.0 {
            served[calls[*index].tenant as usize] += calls[*index].tokens.max(1.0);
        }
    }
    let sum: f64 = served.iter().sum();
    let squares: f64 = served.iter().map(|part| part * part).sum();
    let jain = sum * sum / (10.0 * squares);
    println!("Jain {jain:.3}: {served:?}");
    assert!(jain >= 0.95, "{jain}");
}

#[test]
fn it_grows_into_new_room_and_not_while_it_is_not_used() {
    // Doubles at 300 s: the limit follows.
    let calls = scripted("azure_conv_2023.csv", 1.0, 900.0, 9);
    let ours = simulate(&calls, (300.0, 7, 14), false);
    let found = ours.limits.iter().find(|(when, limit)| *when > 300.0 && *limit >= 13).unwrap().0 - 300.0;
    println!("grown after {found:.1} s");
    assert!(found < 60.0, "{found}");

    let limiter = Arc::new(Limiter::new(Settings::default()));
    for second in 0..1_000 {
        let mut permit = limiter.acquire(0, at(f64::from(second))).unwrap();
        permit.first_token(secs(0.3));
        permit.finish(at(f64::from(second) + 1.0));
    }
    assert_eq!(limiter.limit(), 20, "one at a time proves no room for twenty");
}

#[test]
fn a_reply_from_a_cache_does_not_poison_the_baseline() {
    let limiter = Arc::new(Limiter::new(Settings::default()));
    let mut held = Vec::new();
    for step in 0..400 {
        let mut permit = limiter.acquire(0, at(f64::from(step))).unwrap();
        permit.first_token(secs(if step % 40 == 20 { 0.001 } else { 0.3 }));
        held.push(permit);
        if held.len() > 15 {
            held.remove(0).finish(at(f64::from(step)));
        }
    }
    assert!(limiter.limit() >= 20, "{}", limiter.limit());
}

#[test]
fn a_cancelled_call_gives_its_place_back_and_says_nothing() {
    let limiter = Arc::new(Limiter::new(Settings { initial: 2, ..Settings::default() }));
    let (one, two) = (limiter.acquire(0, at(0.0)).unwrap(), limiter.acquire(0, at(0.0)).unwrap());
    assert_eq!(limiter.acquire(0, at(0.0)).unwrap_err(), Refused::Full { limit: 2 });
    drop(one);
    assert_eq!((limiter.in_flight(), limiter.limit()), (1, 2));
    two.overloaded(at(1.0));
    assert_eq!((limiter.in_flight(), limiter.limit()), (0, 2), "the floor");
}

#[test]
fn a_round_of_refusals_is_one_decrease_and_growth_begins_from_the_floor() {
    for algorithm in [Algorithm::Gradient(Gradient::default()), Algorithm::Aimd(Aimd::default())] {
        let limiter = Arc::new(Limiter::new(Settings { algorithm, ..Settings::default() }));
        let round: Vec<_> = (0..20).map(|_| limiter.acquire(0, at(1.0)).unwrap()).collect();
        for permit in round {
            permit.overloaded(at(2.0));
        }
        assert_eq!(limiter.limit(), 18);
        for step in 0..200 {
            limiter.acquire(0, at(3.0 + f64::from(step))).unwrap().overloaded(at(3.5 + f64::from(step)));
        }
        assert_eq!(limiter.limit(), 2);
        for step in 0..400 {
            let now = 300.0 + f64::from(step);
            let room = limiter.limit();
            let mut round: Vec<_> = (0..room).map(|_| limiter.acquire(0, at(now)).unwrap()).collect();
            for permit in &mut round {
                permit.first_token(secs(0.3));
            }
            if room > 20 {
                break;
            }
        }
        assert!(limiter.limit() > 20, "{}", limiter.limit());
    }
}

#[test]
fn what_the_provider_says_is_left_is_not_exceeded() {
    let limiter = Arc::new(Limiter::new(Settings { initial: 100, ..Settings::default() }));
    let first = limiter.acquire(10, at(0.0)).unwrap();
    let _second = limiter.acquire(10, at(0.0)).unwrap();
    // The first answer cannot know of the second call: of three, one is gone.
    let room = |limit, remaining, reset| Some(Room { limit, remaining, reset: secs(reset) });
    first.report(&Report { requests: room(None, 3, 10.0), ..Report::default() }, at(1.0));
    let more: Vec<_> = (0..5).map(|_| limiter.acquire(10, at(2.0))).collect();
    assert_eq!(more.iter().filter(|permit| permit.is_ok()).count(), 2);
    assert_eq!(more[4].as_ref().unwrap_err(), &Refused::Paced { wait: secs(9.0) });
    let third = limiter.acquire(10, at(11.0)).unwrap();

    // Coming back evenly: 60 a minute, all gone now, is one a second.
    third.report(&Report { tokens: room(Some(60), 0, 60.0), ..Report::default() }, at(11.0));
    assert!(limiter.acquire(10, at(20.9)).is_err());
    assert!(limiter.acquire(10, at(21.1)).is_ok());

    let fourth = limiter.acquire(1, at(80.0)).unwrap();
    fourth.report(&Report { retry_after: Some(secs(5.0)), ..Report::default() }, at(80.0));
    assert_eq!(limiter.acquire(1, at(81.0)).unwrap_err(), Refused::Paced { wait: secs(4.0) });
    // An answer from before says nothing new; the word of the 429 stands.
    first.report(&Report { requests: room(None, 1_000, 1.0), ..Report::default() }, at(82.0));
    assert!(limiter.acquire(1, at(84.9)).is_err());
    assert!(limiter.acquire(1, at(85.0)).is_ok());
}

#[test]
fn what_is_not_sent_after_all_is_no_part_of_what_the_provider_counts() {
    let limiter = Arc::new(Limiter::new(Settings { initial: 100, ..Settings::default() }));
    let early = limiter.acquire(10, at(0.0)).unwrap();
    let first = limiter.acquire(10, at(0.0)).unwrap();
    let room = |remaining| Some(Room { limit: None, remaining, reset: secs(10.0) });
    first.report(&Report { requests: room(1), tokens: room(50), ..Report::default() }, at(1.0));
    early.unsent();
    limiter.acquire(40, at(2.0)).unwrap().unsent();
    let again = limiter.acquire(40, at(2.0)).unwrap();
    assert!(limiter.acquire(1, at(2.0)).is_err(), "one was left, and what is older than that is no gift");
    drop(again);
    assert!(limiter.acquire(1, at(3.0)).is_err(), "a permit that is dropped may have been sent");
}

#[test]
fn threads_never_exceed_the_limit() {
    let settings = Settings { initial: 3, algorithm: Algorithm::Fixed, ..Settings::default() };
    let limiter = Arc::new(Limiter::new(settings));
    let inside = AtomicU32::new(0);
    let most = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let Ok(permit) = limiter.acquire(1, at(0.0)) else { continue };
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    assert_eq!(limiter.in_flight(), 0);
}

proptest! {
    /// Whatever happens in whatever order: never more than the limit, never a lost place, always in bounds.
    #[test]
    fn places_are_never_lost(steps in prop::collection::vec((0_u8..5, 0_usize..40, 1_u64..5_000), 1..300)) {
        let limiter = Arc::new(Limiter::new(Settings { initial: 8, least: 2, most: 30, ..Settings::default() }));
        let mut held: Vec<Permit> = Vec::new();
        let mut now = 0.0;
        for (what, which, millis) in steps {
            now += millis as f64 / 10_000.0;
            match what {
                0 | 1 => {
                    let room = held.len() < limiter.limit() as usize;
                    match limiter.acquire(1, at(now)) {
                        Ok(permit) => { prop_assert!(room); held.push(permit); }
                        Err(_) => prop_assert!(!room),
                    }
                }
                _ if held.is_empty() => {}
                2 => drop(held.swap_remove(which % held.len())),
                3 => {
                    let mut permit = held.swap_remove(which % held.len());
                    permit.first_token(Duration::from_millis(millis));
                    permit.finish(at(now));
                }
                _ => held.swap_remove(which % held.len()).overloaded(at(now)),
            }
            prop_assert_eq!(limiter.in_flight() as usize, held.len());
            prop_assert!((2..=30).contains(&limiter.limit()));
        }
    }
}
