//! Limits in a real Redis: the same answers as the keeper in memory, and exact over keepers that do not know
//! of each other.

use std::time::{Duration, Instant};

use policy::limit::{Adaptive, Algorithm, Limits, Rule, Rules, Shares, Signal, Take, Tier, Unit};
use proptest::prelude::*;
use store::limits::{Held, RedisLimits, Settings, Shared};
use testkit::Redis;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use types::{Moment, Priority};

const PATIENCE: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);

pub(crate) async fn keeper(address: &str, patience: Duration) -> RedisLimits {
    let rest = Duration::from_millis(20);
    let (keeper, task) = RedisLimits::new(Settings { address, authority: None, patience, rest }).unwrap();
    tokio::spawn(task);
    keeper.until(true).await;
    keeper
}

pub(crate) fn rules(tier: Tier, rules: &[Rule]) -> Rules {
    Rules::new(tier, rules).unwrap()
}

pub(crate) fn one(name: &str, rules: &Rules, tokens: u64) -> Take<'static> {
    // Tests leak a few names and rules; takes are then as short as the engine's.
    let (rules, name) = (Box::leak(Box::new(rules.clone())), name.to_owned().leak());
    Take::new(tokens, Priority::Normal, Moment::from_nanos(5)).with(rules, name)
}

/// The same with 1,000 tokens of a global limit.
fn both(name: &str, calls: &Rules, tokens: &Rules) -> Take<'static> {
    let mut take = one(name, calls, 1_000);
    take.claims[Tier::Global as usize] = one(name, tokens, 0).claims[Tier::Global as usize];
    take
}

fn algorithms() -> [Algorithm; 3] {
    [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::Adaptive(Adaptive::around(100))]
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Keeps,
    Settles(u64, bool),
    SettlesLater(u64),
    Cancels,
}

fn rule() -> impl Strategy<Value = Rule> {
    let limit = prop_oneof![1 => Just(0_u64), 20 => 1_u64..60, 2 => 1_000_u64..5_000_000];
    let per = prop_oneof![Just(10_u64), Just(60), Just(61), Just(3_600)];
    (any::<bool>(), limit, per, 0_u64..40, 0..3).prop_map(|(tokens, limit, per, burst, algorithm)| {
        let (unit, per) = (if tokens { Unit::Tokens } else { Unit::Requests }, Duration::from_secs(per));
        let rule = Rule::bucket(unit, limit, per).with_burst(burst);
        // A rate that moves makes a later settlement worth another time; only calls are counted by one.
        let adaptive = Adaptive { period: Duration::from_secs(30), ..Adaptive::around(limit) };
        rule.with_algorithm(match (algorithm, unit) {
            (0, _) => Algorithm::SlidingWindow,
            (1, Unit::Requests) => Algorithm::Adaptive(adaptive),
            _ => Algorithm::TokenBucket,
        })
    })
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        1 => Just(End::Keeps),
        3 => (0_u64..60, any::<bool>()).prop_map(|(used, good)| End::Settles(used, good)),
        2 => (0_u64..60).prop_map(End::SettlesLater),
        1 => Just(End::Cancels),
    ]
}

#[test]
fn redis_answers_as_memory_does() {
    let redis = Redis::start().unwrap();
    let runtime = Runtime::new().unwrap();
    let keeper = runtime.block_on(keeper(&redis.address(), PATIENCE)).with_callers_clock();
    let case = std::cell::Cell::new(0);
    let strategy = (
        prop::collection::vec(rule(), 1..4),
        prop::collection::vec(rule(), 0..4),
        prop::collection::vec((0_u64..20_000_000, 0..2, 0_u64..50, 0_usize..4, end()), 1..50),
    );
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) };
    proptest!(config, |((global, tenant, steps) in strategy)| {
        case.set(case.get() + 1);
        let (global, tenant) = (rules(Tier::Global, &global), rules(Tier::Tenant, &tenant));
        let shared = Shared::new(Some(keeper.clone()), Limits::new(64, 1), 1);
        let memory = Limits::new(64, 2);
        let mut open: Vec<(u64, Held, policy::limit::Reservation)> = Vec::new();
        // The state of another case is of another name.
        let everybody = format!("case {}", case.get());
        let mut now = 1_000_000_000_000_000;
        for (pause, who, tokens, priority, end) in steps {
            now += pause * 1_000;
            let at = Moment::from_nanos(now);
            if pause % 3 == 0 && !open.is_empty() {
                let (used, ours, theirs) = open.remove(0);
                ours.settle(used, Signal::None, at);
                theirs.settle(used, Signal::None, at);
                runtime.block_on(keeper.flush());
            }
            let name = format!("{everybody} {who}");
            let priority = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical][priority];
            let take = Take::new(tokens, priority, at)
                .with(&global, &everybody)
                .with(&tenant, &name)
                .with_shares(if who == 0 { Shares::REFERENCE } else { Shares::WHOLE });
            match (runtime.block_on(shared.take(&take)), memory.take(&take)) {
                (Ok(ours), Ok(theirs)) => {
                    prop_assert!(ours.is_shared(), "Redis went away");
                    prop_assert_eq!(ours.standing(), theirs.standing());
                    match end {
                        End::Keeps => {}
                        End::Settles(used, good) => {
                            let signal = if good { Signal::Answered(Duration::ZERO) } else { Signal::Failed };
                            ours.settle(used, signal, at);
                            theirs.settle(used, signal, at);
                        }
                        End::SettlesLater(used) => open.push((used, ours, theirs)),
                        End::Cancels => {
                            ours.cancel(at);
                            theirs.cancel(at);
                        }
                    }
                    runtime.block_on(keeper.flush());
                }
                (Err(ours), Err(theirs)) => prop_assert_eq!(ours, theirs),
                (ours, theirs) => prop_assert!(false, "Redis: {ours:?}, memory: {theirs:?}"),
            }
        }
        prop_assert_eq!(keeper.dropped(), 0);
    });
}

/// Two and four keepers with connections of their own, all at once: exactly the limit passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keepers_that_share_a_redis_let_exactly_the_limit_pass() {
    let redis = Redis::start().unwrap();
    for keepers in [2, 4] {
        for (number, algorithm) in algorithms().into_iter().enumerate() {
            let name = format!("{keepers} {number}");
            let rule = |unit, limit| Rule::bucket(unit, limit, DAY);
            let start = Instant::now();
            let calls = rules(Tier::Tenant, &[rule(Unit::Requests, 100).with_algorithm(algorithm)]);
            let algorithm = if number == 2 { Algorithm::TokenBucket } else { algorithm };
            let tokens = rules(Tier::Global, &[rule(Unit::Tokens, 864_000).with_algorithm(algorithm)]);
            let mut tasks = JoinSet::new();
            for _ in 0..keepers {
                let redis = keeper(&redis.address(), PATIENCE).await;
                let shared = Shared::new(Some(redis), Limits::new(8, 0), 1);
                for lane in 0..8_u64 {
                    let shared = shared.clone();
                    let take = both(&name, &calls, &tokens);
                    tasks.spawn(async move {
                        let mut granted = 0_u64;
                        for step in 0..25 {
                            match shared.take(&take).await {
                                Ok(held) if (step + lane) % 3 == 0 => held.cancel(take.now),
                                Ok(held) => {
                                    assert!(held.is_shared());
                                    held.settle(600, Signal::None, take.now);
                                    granted += 1;
                                }
                                Err(denial) => assert_eq!(denial.tier, Tier::Tenant),
                            }
                        }
                        shared.redis().unwrap().flush().await;
                        assert_eq!(shared.redis().unwrap().dropped(), 0);
                        granted
                    });
                }
            }
            let granted: u64 = tasks.join_all().await.into_iter().sum();
            assert!(granted <= 100, "{algorithm:?}: {granted}");
            // What was cancelled last may have come back after everybody had given up.
            let shared = Shared::new(Some(keeper(&redis.address(), PATIENCE).await), Limits::new(8, 0), 1);
            let mut late = 0;
            while let Ok(held) = shared.take(&one(&name, &calls, 0)).await {
                late += 1;
                assert!(held.is_shared());
            }
            assert_eq!(granted + late, 100, "{algorithm:?}");
            // Every call used 600 of the 1,000 tokens that it had reserved. A bucket refills ten a second.
            let standing = shared.take(&one(&name, &tokens, 0)).await.unwrap().standing().tokens.unwrap();
            let (used, refilled) = (864_000 - standing.remaining, 10 * (start.elapsed().as_secs() + 1));
            assert!((600 * granted - refilled..=600 * granted).contains(&used), "{used} by {granted}");
        }
    }
}

/// While time goes on, no more than the burst and what the rate brings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_holds_over_keepers() {
    let redis = Redis::start().unwrap();
    let rule = Rule::bucket(Unit::Requests, 500, Duration::from_secs(1)).with_burst(10);
    let tier = rules(Tier::Key, &[rule]);
    let mut keepers = Vec::new();
    for _ in 0..3 {
        keepers.push(keeper(&redis.address(), PATIENCE).await);
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for keeper in keepers {
        let (shared, take) = (Shared::new(Some(keeper), Limits::new(8, 0), 1), one("k", &tier, 0));
        tasks.spawn(async move {
            let mut granted = 0_u32;
            // A machine that does much else may not get far in that time.
            while start.elapsed() < Duration::from_millis(600) || granted < 20 {
                granted += u32::from(shared.take(&take).await.is_ok_and(|held| held.is_shared()));
            }
            granted
        });
    }
    let granted = f64::from(tasks.join_all().await.into_iter().sum::<u32>());
    let seconds = start.elapsed().as_secs_f64();
    assert!(granted <= 11.0 + 500.0 * seconds, "{granted} in {seconds}");
    assert!(granted >= 50.0, "{granted} in {seconds}");
}

/// All keys lie in one slot of a cluster, hold no names, and none stays for ever.
#[tokio::test]
async fn keys_are_few_nameless_and_expire() {
    let redis = Redis::start().unwrap();
    let shared = Shared::new(Some(keeper(&redis.address(), PATIENCE).await), Limits::new(8, 0), 1);
    for (number, algorithm) in algorithms().into_iter().enumerate() {
        let rule = Rule::bucket(Unit::Requests, 10, Duration::from_secs(60)).with_algorithm(algorithm);
        let take = one(&format!("ann@example.org {number}"), &rules(Tier::User, &[rule]), 0);
        shared.take(&take).await.unwrap().settle(0, Signal::None, take.now);
        let cancelled = one(&format!("bob {number}"), &rules(Tier::Key, &[rule]), 0);
        shared.take(&cancelled).await.unwrap().cancel(cancelled.now);
    }
    shared.redis().unwrap().flush().await;
    let client = redis_client(&redis);
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert_eq!(keys.len(), 3, "what was given back leaves nothing: {keys:?}");
    for key in keys {
        assert!(key.starts_with("{wl}:limit:user:") && !key.contains("ann"), "{key}");
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert!((1..=61_000).contains(&left), "{key}: {left}");
    }
}

/// What a model's own limit holds of a call goes another way than the rest, and neither touches the other.
#[tokio::test]
async fn a_part_of_what_was_taken_is_settled_on_its_own() {
    let redis = Redis::start().unwrap();
    let shared = Shared::new(Some(keeper(&redis.address(), PATIENCE).await), Limits::new(8, 0), 1);
    let everybody = rules(Tier::Global, &[Rule::bucket(Unit::Tokens, 1_000, DAY)]);
    let model =
        rules(Tier::Model, &[Rule::bucket(Unit::Tokens, 1_000, DAY), Rule::bucket(Unit::Requests, 1, DAY)]);
    let take = |tokens| {
        Take::new(tokens, Priority::Normal, Moment::from_nanos(5)).with(&everybody, "").with(&model, "p/m")
    };
    let mut whole = shared.take(&take(600)).await.unwrap();
    let part = whole.part(Tier::Model).unwrap();
    assert!(part.is_shared() && whole.part(Tier::Model).is_none());
    part.cancel(Moment::from_nanos(5));
    whole.settle(400, Signal::None, Moment::from_nanos(5));
    shared.redis().unwrap().flush().await;
    let standing = shared.take(&take(1)).await.unwrap().standing();
    assert_eq!(standing.tokens.unwrap().remaining, 599, "what the global tier has left");
    assert_eq!(standing.requests.unwrap().remaining, 0, "the model's one call was free again");
}

/// A flushed script is sent again, and the state of a killed Redis is gone with it.
#[tokio::test]
async fn a_script_that_redis_forgot_is_sent_again() {
    let redis = Redis::start().unwrap();
    let shared = Shared::new(Some(keeper(&redis.address(), PATIENCE).await), Limits::new(8, 0), 1);
    let tier = rules(Tier::Key, &[Rule::bucket(Unit::Requests, 2, DAY)]);
    let mut connection = redis_client(&redis).get_multiplexed_async_connection().await.unwrap();
    let _: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await.unwrap();
    assert!(shared.take(&one("k", &tier, 0)).await.unwrap().is_shared());
}

fn redis_client(redis: &Redis) -> redis::Client {
    redis::Client::open(redis.address()).unwrap()
}
