//! Replicas that share one Redis, as callers and operators see them: limits hold to the request however calls
//! are spread, and no call fails while Redis is paused, killed or cut off.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use testkit::{Cable, Redis};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Ask, Reply};
use crate::house::{Gateway, House, soon};

/// Callers at once of each replica.
const CALLERS: usize = 8;
/// What the limit lets pass, and how many calls each replica gets beside it.
const LIMIT: usize = 100;
/// What the small limits let pass.
const FEW: usize = 20;

/// Of `storage.redis_timeout`: longer than usual, so that a machine that does much else does not look like a
/// Redis that is away.
fn configuration(redis: &str, timeout: &str, limits: &str) -> String {
    format!(
        "
version: 1
providers: {{ demo: {{ kind: simulated, models: {{ talker: {{ output_tokens: 2 }} }} }} }}
storage: {{ redis: '{redis}', redis_timeout: {timeout} }}
{limits}
"
    )
}

/// One of the replicas, with a folder and a database of its own.
struct Replica {
    house: House,
    gateway: Arc<Gateway>,
}

/// As many as wanted, each of which shares its limits already.
async fn replicas(count: usize, configuration: &str) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for _ in 0..count {
        let house = House::new(configuration);
        let gateway = Arc::new(house.serve().await);
        gateway.logged("Redis is there", 0).await;
        replicas.push(Replica { house, gateway });
    }
    replicas
}

impl Replica {
    /// What its ledger has, once it has stopped in order: the calls.
    async fn ledger(self) -> Vec<String> {
        let Ok(gateway) = Arc::try_unwrap(self.gateway) else { panic!("somebody still calls") };
        gateway.stop().await;
        let rows = self.house.ledger().await;
        rows.iter().map(|row| row["call"].as_str().unwrap().to_owned()).collect()
    }
}

fn call(key: &str) -> Ask {
    let body = json!({ "model": "demo/talker", "messages": [{ "role": "user", "content": "hello" }] });
    Ask::post("/v1/chat/completions", &body).key(key)
}

fn name(reply: &Reply) -> String {
    reply.header("x-windlass-call").unwrap().to_owned()
}

/// So many calls of each replica, by many callers at once: the names of those that each has answered. All
/// others were refused for the limit and for nothing else.
async fn passed(replicas: &[Replica], key: &'static str, calls: usize) -> Vec<HashSet<String>> {
    let mut callers = JoinSet::new();
    for (number, replica) in replicas.iter().enumerate() {
        for caller in 0..CALLERS {
            let gateway = Arc::clone(&replica.gateway);
            callers.spawn(async move {
                let mut answered = Vec::new();
                for _ in (caller..calls).step_by(CALLERS) {
                    let reply = gateway.ask(call(key)).await;
                    if reply.status == 200 {
                        answered.push(name(&reply));
                    } else {
                        assert_eq!((reply.status, reply.code().as_str()), (429, "WL3005"), "{reply:?}");
                    }
                }
                (number, answered)
            });
        }
    }
    let mut passed = vec![HashSet::new(); replicas.len()];
    while let Some(caller) = callers.join_next().await {
        let (number, answered) = caller.unwrap();
        for call in answered {
            assert!(passed[number].insert(call), "two calls of one name");
        }
    }
    passed
}

fn count(passed: &[HashSet<String>]) -> usize {
    passed.iter().map(HashSet::len).sum()
}

async fn exactly_the_limit(number: usize, rule: &str) {
    let redis = Redis::start().unwrap();
    let limits = format!(
        "keys: {{ all: {{ key: a-key-that-is-known-here }} }}
limits: {{ replicas: {number}, global: {rule}, on_exceeded: deny }}"
    );
    let replicas = replicas(number, &configuration(&redis.address(), "10s", &limits)).await;
    // Each replica alone gets more calls than all of them may let pass.
    let passed = passed(&replicas, "a-key-that-is-known-here", LIMIT + FEW).await;
    assert_eq!(count(&passed), LIMIT, "over {number} replicas");
    for (replica, answered) in replicas.into_iter().zip(passed) {
        let rows = replica.ledger().await;
        assert_eq!(rows.len(), answered.len(), "what was refused was never tried");
        assert_eq!(rows.into_iter().collect::<HashSet<_>>(), answered);
    }
}

#[tokio::test]
async fn two_replicas_let_exactly_the_limit_pass() {
    exactly_the_limit(2, "{ requests_per_hour: 100, algorithm: sliding_window }").await;
}

#[tokio::test]
async fn four_replicas_let_exactly_the_limit_pass() {
    exactly_the_limit(4, "{ requests_per_day: 100, burst: 100 }").await;
}

/// `calm` never reaches its limit; the others do, at twenty.
const LIMITS: &str = "
keys:
  calm: { key: calm-key-that-is-known-here }
  before: { key: before-key-that-is-known-here }
  away: { key: away-key-that-is-known-here }
  after: { key: after-key-that-is-known-here }
limits:
  replicas: 2
  per_key: { requests_per_day: 20, burst: 20 }
  keys: { calm: { requests_per_second: 1000000 } }
  on_exceeded: deny
";
const CALM: &str = "calm-key-that-is-known-here";
const BEFORE: &str = "before-key-that-is-known-here";
const AWAY: &str = "away-key-that-is-known-here";
const AFTER: &str = "after-key-that-is-known-here";

/// Calls of one replica that do not stop, each of which must be answered.
struct Load {
    enough: Arc<AtomicBool>,
    answered: watch::Receiver<usize>,
    callers: JoinSet<HashSet<String>>,
}

impl Load {
    fn on(replica: &Replica) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (count, answered) = watch::channel(0);
        let count = Arc::new(count);
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS / 2 {
            let (gateway, enough) = (Arc::clone(&replica.gateway), Arc::clone(&enough));
            let count = Arc::clone(&count);
            callers.spawn(async move {
                let mut calls = HashSet::new();
                while !enough.load(Ordering::Relaxed) {
                    let reply = gateway.ask(call(CALM)).await;
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    calls.insert(name(&reply));
                    count.send_modify(|count| *count += 1);
                }
                calls
            });
        }
        Self { enough, answered, callers }
    }

    /// Waits until so many more calls have been answered.
    async fn more(&mut self, calls: usize) {
        let wanted = *self.answered.borrow() + calls;
        // A caller that failed tells why; that there is none left would tell nothing.
        let more = async {
            tokio::select! {
                biased;
                ended = self.callers.join_next() => panic!("a caller ended: {ended:?}"),
                reached = self.answered.wait_for(|count| *count >= wanted) => drop(reached.unwrap()),
            }
        };
        soon("more answers", more).await;
    }

    async fn end(mut self) -> HashSet<String> {
        self.enough.store(true, Ordering::Relaxed);
        let mut all = HashSet::new();
        while let Some(calls) = self.callers.join_next().await {
            all.extend(calls.unwrap());
        }
        all
    }
}

fn marks(replicas: &[Replica]) -> Vec<usize> {
    replicas.iter().map(|replica| replica.gateway.mark()).collect()
}

async fn logged(replicas: &[Replica], what: &str, marks: &[usize]) {
    for (replica, mark) in replicas.iter().zip(marks) {
        replica.gateway.logged(what, *mark).await;
    }
}

/// Two replicas under load, from which Redis is taken and to which it is given back.
async fn no_call_fails(address: &str, mut take: impl FnMut(), mut give: impl FnMut()) {
    let replicas = replicas(2, &configuration(address, "2s", LIMITS)).await;
    let mut passed_here = passed(&replicas, BEFORE, FEW).await;
    assert_eq!(count(&passed_here), FEW);
    let mut loads: Vec<_> = replicas.iter().map(Load::on).collect();
    for load in &mut loads {
        load.more(20).await;
    }

    let mark = marks(&replicas);
    take();
    logged(&replicas, "Redis is away", &mark).await;
    for load in &mut loads {
        load.more(100).await;
    }
    let alone = passed(&replicas, AWAY, FEW).await;
    for (all, calls) in passed_here.iter_mut().zip(&alone) {
        assert_eq!(calls.len(), FEW / 2, "each has its share");
        all.extend(calls.iter().cloned());
    }

    let mark = marks(&replicas);
    give();
    logged(&replicas, "Redis is there", &mark).await;
    for load in &mut loads {
        load.more(20).await;
    }
    let together = passed(&replicas, AFTER, FEW).await;
    assert_eq!(count(&together), FEW, "they share again");
    for ((replica, load), (mut all, calls)) in
        replicas.into_iter().zip(loads).zip(passed_here.into_iter().zip(together))
    {
        all.extend(calls);
        all.extend(load.end().await);
        let rows = replica.ledger().await;
        assert_eq!(rows.len(), all.len(), "each answered call has one row");
        assert_eq!(rows.into_iter().collect::<HashSet<_>>(), all);
    }
}

#[tokio::test]
async fn no_call_fails_while_redis_is_paused() {
    let redis = Redis::start().unwrap();
    no_call_fails(&redis.address(), || redis.pause().unwrap(), || redis.resume().unwrap()).await;
}

#[tokio::test]
async fn no_call_fails_while_redis_is_killed() {
    let redis = std::cell::RefCell::new(Redis::start().unwrap());
    let address = redis.borrow().address();
    let (kill, restart) = (|| redis.borrow_mut().kill().unwrap(), || redis.borrow_mut().restart().unwrap());
    no_call_fails(&address, kill, restart).await;
}

#[tokio::test]
async fn no_call_fails_while_redis_is_cut_off() {
    let redis = Redis::start().unwrap();
    let cable = Cable::to(redis.socket()).await.unwrap();
    no_call_fails(&cable.address(), || cable.cut(), || cable.mend()).await;
}
