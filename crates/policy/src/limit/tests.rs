//! The keeper of limits against naive models that know every unit exactly, and the goal of the algorithms'
//! page: nothing over a declared bucket, 98 % of it used.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use types::{Moment, Priority};

use super::*;

const SECOND: u64 = 1_000_000_000;

fn at(nanos: u64) -> Moment {
    Moment::from_nanos(nanos)
}

/// A bucket in exact arithmetic: the level is kept in units × span.
struct NaiveBucket {
    rule: Rule,
    level: i128,
    seen: u64,
}

impl NaiveBucket {
    fn new(rule: Rule) -> Self {
        Self { level: i128::from(rule.capacity()) * Self::span(&rule), rule, seen: 0 }
    }

    fn span(rule: &Rule) -> i128 {
        i128::try_from(rule.per.as_nanos()).unwrap()
    }

    /// Units free at `now`, in units × span.
    fn level(&mut self, now: u64) -> i128 {
        let full = i128::from(self.rule.capacity()) * Self::span(&self.rule);
        let elapsed = i128::from(now.saturating_sub(self.seen));
        self.level = (self.level + elapsed * i128::from(self.rule.limit)).min(full);
        self.seen = self.seen.max(now);
        self.level
    }
}

/// A window that remembers every unit and the slot it came in.
struct NaiveWindow {
    rule: Rule,
    log: Vec<(u64, u64)>,
}

impl NaiveWindow {
    fn used(&self, now: u64) -> u64 {
        let slot = u64::try_from(self.rule.per.as_nanos()).unwrap().div_ceil(SLOTS);
        self.log.iter().filter(|(at, _)| at / slot + SLOTS >= now / slot).map(|(_, units)| units).sum()
    }
}

fn rules(tier: Tier, rules: &[Rule]) -> Rules {
    Rules::new(tier, rules).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Takes and settlements in any order: the bucket agrees with exact arithmetic to within one unit, and
    /// exactly where a unit is a whole number of nanoseconds.
    #[test]
    fn a_bucket_agrees_with_exact_arithmetic(
        limit in 1_u64..5_000, burst in 1_u64..5_000, seconds in 1_u64..90,
        steps in prop::collection::vec((0_u64..3 * SECOND, 1_u64..800, 0_u64..1_600), 1..80),
    ) {
        let rule = Rule::bucket(Unit::Tokens, limit, Duration::from_secs(seconds)).with_burst(burst);
        let tier = rules(Tier::Model, &[rule]);
        let limits = Limits::new(16, 1);
        let mut naive = NaiveBucket::new(rule);
        let mut now = 0;
        let span = NaiveBucket::span(&rule);
        let slack = if (seconds * SECOND).is_multiple_of(limit) { 0 } else { span };
        for (pause, asked, actual) in steps {
            now += pause;
            let level = naive.level(now);
            let amount = i128::from(asked.min(rule.capacity())) * span;
            match limits.take(&Take::new(asked, Priority::Normal, at(now)).with(&tier, "m")) {
                Ok(held) => {
                    prop_assert!(level + slack >= amount, "took {asked} of {}", level / span);
                    held.settle(actual, Signal::None, at(now));
                    naive.level -= i128::from(actual) * span;
                }
                Err(denial) => {
                    prop_assert!(level - slack < amount, "refused {asked} of {}", level / span);
                    prop_assert_eq!(denial.tier, Tier::Model);
                    // It says when, and then it is so.
                    let then = now + u64::try_from(denial.retry_after.as_nanos()).unwrap();
                    let early = Take::new(asked, Priority::Normal, at(then - 1)).with(&tier, "m");
                    prop_assert!(limits.take(&early).is_err());
                    let later = Take::new(asked, Priority::Normal, at(then)).with(&tier, "m");
                    let held = limits.take(&later);
                    prop_assert!(held.is_ok());
                    held.unwrap().cancel(at(then));
                    now = then;
                }
            }
        }
    }

    /// A window agrees with a log of every unit, and no span of its length ever holds more than the limit.
    #[test]
    fn a_window_never_holds_more_than_its_limit(
        limit in 1_u64..60,
        steps in prop::collection::vec((0_u64..8 * SECOND, 1_u64..20, 0_u64..20), 1..120),
    ) {
        let per = Duration::from_secs(60);
        let rule = Rule::bucket(Unit::Tokens, limit, per).with_algorithm(Algorithm::SlidingWindow);
        let tier = rules(Tier::Tenant, &[rule]);
        let limits = Limits::new(16, 1);
        let mut naive = NaiveWindow { rule, log: Vec::new() };
        let mut now = 0;
        for (pause, asked, actual) in steps {
            now += pause;
            let amount = asked.min(limit);
            let fits = naive.used(now) + amount <= limit;
            match limits.take(&Take::new(asked, Priority::Normal, at(now)).with(&tier, "t")) {
                Ok(held) => {
                    prop_assert!(fits);
                    let actual = actual.min(amount);
                    held.settle(actual, Signal::None, at(now));
                    naive.log.push((now, actual));
                }
                Err(denial) => {
                    prop_assert!(!fits);
                    now += u64::try_from(denial.retry_after.as_nanos()).unwrap();
                    prop_assert!(naive.used(now) + amount <= limit);
                    prop_assert!(naive.used(now - 1) + amount > limit);
                }
            }
        }
        for (start, _) in &naive.log {
            let until = start + 60 * SECOND;
            let inside: u64 =
                naive.log.iter().filter(|(at, _)| (*start..=until).contains(at)).map(|(_, units)| units).sum();
            prop_assert!(inside <= limit, "{inside} of {limit}");
        }
    }

    /// All tiers or none: after any sequence every tier's use is the sum of what was granted.
    #[test]
    fn all_tiers_or_none(
        steps in prop::collection::vec((0_usize..3, 0_usize..4, 1_u64..40, 0_u64..SECOND), 1..120),
    ) {
        let hour = Duration::from_secs(3600);
        let window = |unit, limit| Rule::bucket(unit, limit, hour).with_algorithm(Algorithm::SlidingWindow);
        let global = rules(Tier::Global, &[window(Unit::Tokens, 600)]);
        let tenant = rules(Tier::Tenant, &[window(Unit::Requests, 20), window(Unit::Tokens, 300)]);
        let user = rules(Tier::User, &[window(Unit::Tokens, 120)]);
        let limits = Limits::new(64, 3);
        let mut used: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut now = 0;
        for (t, u, tokens, pause) in steps {
            now += pause;
            let (tenant_name, user_name) = (format!("t{t}"), format!("t{t}/u{u}"));
            let take = Take::new(tokens, Priority::Normal, at(now))
                .with(&global, "").with(&tenant, &tenant_name).with(&user, &user_name);
            let of = |name: &str| used.get(name).copied().unwrap_or_default();
            let fits = of("").1 + tokens <= 600
                && of(&tenant_name).0 < 20
                && of(&tenant_name).1 + tokens <= 300
                && of(&user_name).1 + tokens <= 120;
            let granted = limits.verdict(&take);
            prop_assert_eq!(matches!(granted, Verdict::Granted(_)), fits);
            if fits {
                for name in ["", &tenant_name, &user_name] {
                    let entry = used.entry(name.to_owned()).or_default();
                    *entry = (entry.0 + 1, entry.1 + tokens);
                }
            }
            let standing = limits.standing(&take);
            prop_assert_eq!(standing.requests.unwrap().remaining, 20 - used.get(&tenant_name).map_or(0, |u| u.0));
        }
    }

    /// The queue against a list that is sorted anew each time (one flow, no aging): priority, then arrival.
    #[test]
    fn the_queue_serves_by_priority_then_arrival(
        steps in prop::collection::vec((0_usize..4, prop::bool::weighted(0.6), 0_u64..50), 1..100),
    ) {
        let settings = QueueSettings { capacity: 12, aging: Duration::from_secs(1_000) };
        let mut queue = Queue::new(settings);
        let mut naive: Vec<(usize, u64, Moment)> = Vec::new();
        let ladder = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
        for (step, (priority, push, patience)) in (0_u64..).zip(steps) {
            let now = at(step);
            naive.retain(|(_, _, deadline)| *deadline > now);
            while queue.expire(now).is_some() {}
            if push {
                let deadline = now + Duration::from_nanos(patience + 1);
                let place = Place { priority: ladder[priority], flow: 0, cost: 1, deadline, rank: Rank::Spared };
                match queue.push(step, place, now) {
                    Ok((_, None)) => prop_assert!(naive.len() < 12),
                    Ok((_, Some(out))) => {
                        let last = naive.iter().map(|w| (w.0, std::cmp::Reverse(w.1))).min().unwrap();
                        prop_assert_eq!(last.1.0, out);
                        naive.retain(|waiting| waiting.1 != out);
                    }
                    Err(_) => {
                        prop_assert!(naive.len() == 12 && naive.iter().all(|w| w.0 >= priority));
                        continue;
                    }
                }
                naive.push((priority, step, deadline));
            } else {
                let first = naive.iter().map(|w| (std::cmp::Reverse(w.0), w.1)).min();
                prop_assert_eq!(queue.pop(now), first.map(|w| w.1));
                naive.retain(|w| Some(w.1) != first.map(|f| f.1));
            }
            prop_assert_eq!(queue.len(), naive.len());
            prop_assert_eq!(queue.next_deadline(), naive.iter().map(|w| w.2).min());
        }
    }
}

/// Four threads that take, settle and cancel at once: not one unit too many, none lost.
#[test]
fn threads_get_exactly_the_limit() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow] {
        let hour = Duration::from_secs(3600);
        let rule = |unit, limit| Rule::bucket(unit, limit, hour).with_algorithm(algorithm);
        let global = rules(Tier::Global, &[rule(Unit::Tokens, 36_000)]);
        let tenant = rules(Tier::Tenant, &[rule(Unit::Requests, 100)]);
        let limits = Limits::new(64, 1);
        let passed: usize = std::thread::scope(|scope| {
            let work = |thread: u64| {
                let (limits, global, tenant) = (&limits, &global, &tenant);
                move || {
                    let take = Take::new(100, Priority::Normal, at(5)).with(global, "").with(tenant, "t");
                    let kept = (0..400_u64).filter(|step| match limits.take(&take) {
                        Ok(held) if (step + thread).is_multiple_of(3) => {
                            held.cancel(at(5));
                            false
                        }
                        Ok(held) => {
                            held.settle(60, Signal::None, at(5));
                            true
                        }
                        Err(_) => false,
                    });
                    kept.count()
                }
            };
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(work(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let take = Take::new(1, Priority::Normal, at(5)).with(&global, "").with(&tenant, "t");
        let standing = limits.standing(&take);
        assert_eq!(passed, 100);
        assert_eq!(standing.requests.unwrap().remaining, 0);
        assert_eq!(standing.tokens.unwrap().remaining, 30_000);
    }
}

/// A call that takes longer than the span has nothing to give back: what stands in the window is others'.
#[test]
fn a_late_settlement_gives_no_strangers_units_away() {
    let rule =
        Rule::bucket(Unit::Tokens, 100, Duration::from_secs(60)).with_algorithm(Algorithm::SlidingWindow);
    let tier = rules(Tier::Tenant, &[rule]);
    let limits = Limits::new(8, 0);
    let take = |tokens, second| {
        limits.take(&Take::new(tokens, Priority::Normal, at(second * SECOND)).with(&tier, "t"))
    };
    let late = take(100, 0).unwrap();
    let _stays = take(100, 61).unwrap();
    late.settle(0, Signal::None, at(62 * SECOND));
    assert!(take(1, 62).is_err());
    assert!(take(1, 121).is_err());
    assert!(take(1, 122).is_ok());
}

#[test]
fn a_part_of_what_was_taken_is_settled_on_its_own() {
    let limits = Limits::new(16, 1);
    let hour = Duration::from_secs(3_600);
    let everybody = rules(Tier::Global, &[Rule::bucket(Unit::Tokens, 1_000, hour)]);
    let model =
        rules(Tier::Model, &[Rule::bucket(Unit::Tokens, 1_000, hour), Rule::bucket(Unit::Requests, 1, hour)]);
    let take = |tokens| Take::new(tokens, Priority::Normal, at(5)).with(&everybody, "").with(&model, "p/m");
    let mut whole = limits.take(&take(600)).unwrap();
    let part = whole.part(Tier::Model).unwrap();
    assert!(whole.part(Tier::Model).is_none() && whole.part(Tier::User).is_none());
    part.cancel(at(6));
    whole.settle(400, Signal::None, at(6));
    let standing = limits.take(&take(1)).unwrap().standing();
    assert_eq!(standing.tokens.unwrap().remaining, 599, "what the global tier has left");
    assert_eq!(standing.requests.unwrap().remaining, 0, "the model's one call was free again");
}

#[test]
fn a_burst_passes_exactly_also_at_an_odd_rate() {
    for limit in [1, 3, 7, 60, 100, 999] {
        let tier = rules(Tier::Key, &[Rule::bucket(Unit::Requests, limit, Duration::from_secs(1))]);
        let limits = Limits::new(8, 0);
        let passed = (0..2 * limit)
            .filter(|_| limits.take(&Take::new(0, Priority::Normal, at(5)).with(&tier, "k")).is_ok())
            .count();
        assert_eq!(passed as u64, limit);
    }
}

#[test]
fn no_one_starves_in_the_queue_and_flows_take_turns() {
    let mut queue = Queue::new(QueueSettings { capacity: 100, aging: Duration::from_secs(1) });
    let place =
        |priority, flow| Place { priority, flow, cost: 1, deadline: at(u64::MAX), rank: Rank::Spared };
    queue.push("low", place(Priority::Low, 1), at(0)).unwrap();
    let mut served_after = None;
    for second in 0..20 {
        queue.push("critical", place(Priority::Critical, 1), at(second * SECOND)).unwrap();
        if queue.pop(at(second * SECOND)) == Some("low") {
            served_after = Some(second);
            break;
        }
    }
    assert_eq!(served_after, Some(3), "three agings above three priorities");

    let mut queue = Queue::new(QueueSettings::default());
    for number in 0..9 {
        queue.push(("hog", number), place(Priority::Normal, 1), at(0)).unwrap();
    }
    queue.push(("small", 0), place(Priority::Normal, 2), at(1)).unwrap();
    assert_eq!(queue.pop(at(1)), Some(("hog", 0)));
    assert_eq!(queue.pop(at(1)), Some(("small", 0)));
}

#[test]
fn priorities_keep_a_reserve() {
    let tier = rules(Tier::Global, &[Rule::bucket(Unit::Requests, 100, Duration::from_secs(3600))]);
    let limits = Limits::new(8, 0);
    let mut passed = Vec::new();
    for priority in [Priority::Low, Priority::Normal, Priority::High, Priority::Critical] {
        let take = Take::new(0, priority, at(0)).with(&tier, "").with_shares(Shares::REFERENCE);
        passed.push((0..200).filter(|_| limits.take(&take).is_ok()).count());
    }
    assert_eq!(passed, [25, 25, 25, 25]);
}

#[test]
fn replicas_on_their_own_stay_within_the_limit_together() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow] {
        for (limit, replicas) in [(3_u64, 4_u32), (10, 4), (100, 3), (1, 7)] {
            let rule = Rule::bucket(Unit::Requests, limit, Duration::from_secs(60)).with_algorithm(algorithm);
            let shared = rules(Tier::Global, &[rule]).local_share(replicas);
            let nodes: Vec<_> = (0..replicas).map(|_| Limits::new(8, 0)).collect();
            let mut passed = 0;
            // An hour, tried every second by everybody.
            for tick in 0..3_600 {
                let take = Take::new(0, Priority::Normal, at(tick * SECOND)).with(&shared, "");
                passed += nodes.iter().filter(|node| node.take(&take).is_ok()).count() as u64;
            }
            let bursts = u64::from(replicas) * (limit / u64::from(replicas)).max(1);
            assert!(passed <= limit * 60 + bursts, "{algorithm:?} {limit}/{replicas}: {passed}");
            assert!(passed * 100 >= limit * 60 * 60, "{algorithm:?} {limit}/{replicas}: {passed}");
        }
    }
}

#[test]
fn an_adaptive_rate_follows_how_calls_fare() {
    let adaptive = Adaptive { period: Duration::from_secs(10), ..Adaptive::around(100) };
    let rule = Rule::bucket(Unit::Requests, 100, Duration::from_secs(1))
        .with_algorithm(Algorithm::Adaptive(adaptive));
    let tier = rules(Tier::Model, &[rule]);
    let limits = Limits::new(8, 0);
    let mut now = 0;
    let mut run = |signal: Signal, seconds: u64| {
        for _ in 0..seconds * 20 {
            now += SECOND / 20;
            if let Ok(held) = limits.take(&Take::new(0, Priority::Normal, at(now)).with(&tier, "m")) {
                held.settle(0, signal, at(now));
            }
        }
        limits.standing(&Take::new(0, Priority::Normal, at(now)).with(&tier, "m")).requests.unwrap().limit
    };
    let up = run(Signal::Answered(Duration::from_secs(9)), 60);
    assert!(up > 150, "{up}");
    assert_eq!(run(Signal::Failed, 1_000), 10, "the floor");
    assert_eq!(run(Signal::Answered(Duration::ZERO), 2_000), 1_000, "the ceiling");
}

/// A saturated gateway before a provider that enforces its own RPM and TPM buckets, charging what calls use.
#[test]
fn nothing_goes_over_a_declared_bucket_and_98_percent_of_it_is_used() {
    let minute = Duration::from_secs(60);
    let declared = [Rule::bucket(Unit::Requests, 600, minute), Rule::bucket(Unit::Tokens, 300_000, minute)];
    for (least, most) in [(20, 200), (200, 2_000)] {
        let tier = rules(Tier::Model, &declared);
        let limits = Limits::new(8, 0);
        let mut provider = declared.map(NaiveBucket::new);
        let mut random = 42_u64;
        let mut draw = |least: u64, most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            least + (random >> 33) % (most - least)
        };
        let (mut now, mut sent, mut used, mut over) = (0, 0_u64, 0_u64, 0_u64);
        let mut open: Vec<(u64, u64, Reservation)> = Vec::new();
        while now < 600 * SECOND {
            now += SECOND / 50;
            for index in (0..open.len()).rev() {
                if open[index].0 <= now {
                    let (_, actual, held) = open.swap_remove(index);
                    held.settle(actual, Signal::None, at(now));
                    // What was less than estimated comes back to the provider's bucket too.
                }
            }
            let actual = draw(least, most);
            let reserved = actual + draw(0, most);
            if let Ok(held) = limits.take(&Take::new(reserved, Priority::Normal, at(now)).with(&tier, "m")) {
                for bucket in &mut provider {
                    let amount = if bucket.rule.unit == Unit::Requests { 1 } else { actual };
                    let amount = i128::from(amount) * NaiveBucket::span(&bucket.rule);
                    over += u64::from(bucket.level(now) < amount);
                    bucket.level -= amount;
                }
                sent += 1;
                used += actual;
                open.push((now + draw(1, 20) * SECOND, actual, held));
            }
        }
        let requests = sent as f64 / 6_600.0;
        let tokens = used as f64 / 3_300_000.0;
        println!("RPM used {:.2} %, TPM used {:.2} %, over: {over}", requests * 100.0, tokens * 100.0);
        assert_eq!(over, 0);
        assert!(requests.max(tokens) >= 0.98, "{requests} {tokens}");
    }
}
