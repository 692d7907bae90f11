//! Redis paused, killed and cut off: no call fails or waits long for it, each replica goes on with its share,
//! and Redis counts again when it is back.

use std::time::{Duration, Instant};

use policy::limit::{Limits, Rule, Rules, Signal, Tier, Unit};
use store::limits::{RedisLimits, Settings, Shared};
use testkit::{Cable, Redis};

use crate::limits::{keeper, one, rules};

/// Longer than usual: a machine that does much else must not look like a Redis that is away.
const PATIENCE: Duration = Duration::from_secs(1);

fn ten_a_day() -> Rules {
    rules(Tier::Tenant, &[Rule::bucket(Unit::Requests, 10, Duration::from_secs(86_400))])
}

async fn replica(address: &str) -> Shared {
    Shared::new(Some(keeper(address, PATIENCE).await), Limits::new(8, 0), 2)
}

/// How many of `calls` pass, and that none of them is counted by the wrong side.
async fn passed(replica: &Shared, name: &str, calls: usize, shared: bool) -> usize {
    let tier = ten_a_day();
    let mut passed = 0;
    let mut take = one(name, &tier, 0);
    for _ in 0..calls {
        // The one that waits for Redis is counted later than it began.
        take.now = take.now + Duration::from_secs(1);
        if let Ok(held) = replica.take(&take).await {
            assert_eq!(held.is_shared(), shared, "{name}");
            held.settle(0, Signal::None, types::Moment::from_nanos(5));
            passed += 1;
        }
    }
    passed
}

/// Two replicas while it is away: 200 calls wait once at the most, five of ten pass at each.
async fn both_go_on_with_their_share(replicas: &[Shared], name: &str) {
    let start = Instant::now();
    for replica in replicas {
        assert_eq!(passed(replica, name, 100, false).await, 5);
    }
    let waited = start.elapsed();
    // 200 calls that waited each would be minutes.
    assert!(waited < Duration::from_secs(20), "{waited:?}");
}

async fn come_back(replicas: &[Shared], name: &str) {
    for replica in replicas {
        replica.redis().unwrap().until(true).await;
    }
    let mut all = 0;
    for replica in replicas {
        all += passed(replica, name, 10, true).await;
    }
    assert_eq!(all, 10, "together again");
}

#[tokio::test]
async fn paused() {
    let redis = Redis::start().unwrap();
    let replicas = [replica(&redis.address()).await, replica(&redis.address()).await];
    assert_eq!(passed(&replicas[0], "before", 10, true).await, 10);
    assert_eq!(passed(&replicas[1], "before", 10, true).await, 0);
    redis.pause().unwrap();
    both_go_on_with_their_share(&replicas, "away").await;
    redis.resume().unwrap();
    come_back(&replicas, "after").await;
    assert_eq!(passed(&replicas[1], "before", 10, true).await, 0, "what was known is known still");
}

#[tokio::test]
async fn killed_and_started_anew() {
    let mut redis = Redis::start().unwrap();
    let replicas = [replica(&redis.address()).await, replica(&redis.address()).await];
    assert_eq!(passed(&replicas[0], "before", 10, true).await, 10);
    redis.kill().unwrap();
    both_go_on_with_their_share(&replicas, "away").await;
    redis.restart().unwrap();
    come_back(&replicas, "after").await;
}

#[tokio::test]
async fn cut_off() {
    let redis = Redis::start().unwrap();
    let cable = Cable::to(redis.socket()).await.unwrap();
    let replicas = [replica(&cable.address()).await, replica(&cable.address()).await];
    assert_eq!(passed(&replicas[0], "before", 5, true).await, 5);
    assert_eq!(passed(&replicas[1], "before", 10, true).await, 5);
    cable.cut();
    both_go_on_with_their_share(&replicas, "away").await;
    cable.mend();
    come_back(&replicas, "after").await;
}

/// What others take of the share meanwhile is later than its beginning, and not too much.
#[tokio::test]
async fn a_call_that_waited_is_counted_when_it_has_waited() {
    let redis = Redis::start().unwrap();
    let replica = replica(&redis.address()).await;
    replica.set_replicas(1);
    let second = Duration::from_secs(1);
    let tier = rules(Tier::Tenant, &[Rule::bucket(Unit::Requests, 100, second).with_burst(10)]);
    redis.pause().unwrap();
    let (first, mut other) = (one("t", &tier, 0), one("t", &tier, 0));
    other.now = other.now + PATIENCE * 9 / 10;
    let meanwhile = async { replica.take_local(&other) };
    let (waited, other) = tokio::join!(replica.take(&first), meanwhile);
    assert!(other.is_ok());
    assert!(!waited.unwrap().is_shared());
}

/// What is settled while it is away reaches it when it is back, and what was taken here is settled here.
#[tokio::test]
async fn settlements_go_to_the_side_that_granted() {
    let redis = Redis::start().unwrap();
    let cable = Cable::to(redis.socket()).await.unwrap();
    let replica = replica(&cable.address()).await;
    let tier = rules(Tier::Tenant, &[Rule::bucket(Unit::Tokens, 1_000, Duration::from_secs(86_400))]);
    let now = types::Moment::from_nanos(5);
    let far = replica.take(&one("t", &tier, 1_000)).await.unwrap();
    cable.cut();
    let near = replica.take(&one("t", &tier, 500)).await.unwrap();
    assert!(far.is_shared() && !near.is_shared());
    near.settle(100, Signal::None, now);
    let mut again = one("t", &tier, 400);
    again.now = again.now + Duration::from_secs(10);
    let again = replica.take(&again).await.unwrap();
    assert_eq!(again.standing().tokens.unwrap().remaining, 0, "400 of the share of 500 had come back");
    far.settle(300, Signal::None, now);
    cable.mend();
    replica.redis().unwrap().until(true).await;
    replica.redis().unwrap().flush().await;
    let standing = replica.take(&one("t", &tier, 0)).await.unwrap().standing();
    assert_eq!(standing.tokens.unwrap().remaining, 700);
}

#[tokio::test]
async fn one_that_was_never_there_is_away() {
    let settings = Settings::new("redis://user:hidden-0123@127.0.0.1:1/0", PATIENCE);
    let (keeper, task) = RedisLimits::new(settings).unwrap();
    let task = tokio::spawn(task);
    let replica = Shared::new(Some(keeper), Limits::new(8, 0), 2);
    assert_eq!(passed(&replica, "t", 10, false).await, 5);
    assert!(!format!("{settings:?} {replica:?}").contains("hidden"), "{replica:?}");
    replica.set_replicas(1);
    assert_eq!(passed(&replica, "t", 10, false).await, 10, "alone again");
    drop(replica);
    task.await.unwrap();
    let error = RedisLimits::new(Settings::new("hidden-0123", PATIENCE)).err().unwrap();
    assert!(!format!("{error} {error:?}").contains("hidden"));
}
