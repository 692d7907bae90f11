//! Redis with TLS, and a cluster: the same limits, exact over keepers.

use std::time::Duration;

use policy::limit::{Limits, Rule, Signal, Tier, Unit};
use store::limits::{NoAddress, RedisLimits, Settings, Shared};
use testkit::{RedisCluster, TlsRedis};

use crate::limits::{one, rules};

/// Longer than usual: a machine that does much else must not look like a Redis that is away.
const PATIENCE: Duration = Duration::from_secs(10);

async fn replica(settings: Settings<'_>) -> Shared {
    let (keeper, task) = RedisLimits::new(settings).unwrap();
    tokio::spawn(task);
    keeper.until(true).await;
    Shared::new(Some(keeper), Limits::new(8, 0), 2)
}

/// Of 30 calls over two keepers exactly ten pass, and what is given back passes again.
async fn exactly_ten(settings: Settings<'_>) {
    let replicas = [replica(settings).await, replica(settings).await];
    let tier = rules(Tier::Tenant, &[Rule::bucket(Unit::Requests, 10, Duration::from_secs(86_400))]);
    let take = one("acme", &tier, 0);
    let mut held = Vec::new();
    for call in 0..30 {
        held.extend(replicas[call % 2].take(&take).await);
    }
    assert_eq!(held.len(), 10);
    assert!(held.iter().all(store::limits::Held::is_shared));
    held.pop().unwrap().cancel(take.now);
    held.pop().unwrap().settle(0, Signal::None, take.now);
    for replica in &replicas {
        replica.redis().unwrap().flush().await;
        assert_eq!(replica.redis().unwrap().dropped(), 0);
    }
    assert!(replicas[1].take(&take).await.unwrap().is_shared());
    assert!(replicas[0].take(&take).await.is_err());
}

#[tokio::test]
async fn with_tls_and_an_authority_of_its_own() {
    let redis = TlsRedis::start().unwrap();
    let address = redis.address();
    let settings = Settings::new(&address, PATIENCE);
    exactly_ten(settings.trusting(Some(redis.authority().as_bytes()))).await;
    let wrong = RedisLimits::new(settings.trusting(Some(b"nothing"))).map(|_| ());
    assert_eq!(wrong, Err(NoAddress::Authority));
    // Whom no authority speaks for is not believed: it counts as away.
    let (untrusting, task) = RedisLimits::new(settings).unwrap();
    let tending = tokio::spawn(task);
    assert!(tokio::time::timeout(Duration::from_millis(500), untrusting.until(true)).await.is_err());
    tending.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_cluster_of_three() {
    let cluster = RedisCluster::start().unwrap();
    exactly_ten(Settings::new(&cluster.address(), PATIENCE)).await;
}
