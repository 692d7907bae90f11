//! Rate limits that replicas share (B13): Redis keeps them exactly for all; while it is away each replica goes
//! on with its share in memory, and no call fails or waits for it. Without Redis, memory is all there is.
//!
//! What limits mean is `policy::limit`'s; which hold for a call is the caller's.

mod address;
mod ask;
mod link;
mod redis;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use policy::limit::{Claim, Denial, Limits, Reservation, Rules, Signal, Standing, TIERS, Take, Tier};
use types::Moment;

pub use address::NoAddress;
pub use link::Away;
pub use redis::{RedisLimits, Settings};

/// Shares of rules that are remembered; a reload may bring new rules.
const REMEMBERED: usize = 4_096;

/// The keeper of limits that calls ask. A clone is the same.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    redis: Option<RedisLimits>,
    local: Limits,
    replicas: AtomicU32,
    /// By the id of the whole rules and the number of replicas.
    shares: RwLock<HashMap<(u64, u32), Rules>>,
}

impl Shared {
    /// Limits of which this process, one of `replicas`, keeps its share in `local`; and all of them together
    /// in `redis`, if there is one.
    pub fn new(redis: Option<RedisLimits>, local: Limits, replicas: u32) -> Self {
        let (replicas, shares) = (AtomicU32::new(replicas.max(1)), RwLock::default());
        Self(Arc::new(Inner { redis, local, replicas, shares }))
    }

    /// Another number of replicas, after a reload.
    pub fn set_replicas(&self, replicas: u32) {
        self.0.replicas.store(replicas.max(1), Ordering::Relaxed);
    }

    /// Redis, if there is one: to see whether it is there, to flush before the end.
    pub fn redis(&self) -> Option<&RedisLimits> {
        self.0.redis.as_ref()
    }

    /// Takes of every claim or of none. Waits for Redis if it is there, never longer than its patience.
    pub async fn take(&self, take: &Take<'_>) -> Result<Held, Denial> {
        let mut own = *take;
        if let Some(redis) = &self.0.redis
            && redis.is_there()
        {
            let asked = Instant::now();
            let rates = |claim: Claim<'_>| claim.rules.adapt().then(|| self.0.rates(claim, take.now));
            if let Ok(answer) = redis.take(take, rates).await {
                let shared = Arc::clone(&self.0);
                return answer.map(|taken| Held(Side::Redis(Box::new(taken), shared)));
            }
            // It waited: by its old time, what others took here meanwhile would look like a limit overdrawn.
            own.now = own.now + asked.elapsed();
        }
        self.take_local(&own)
    }

    /// Takes of this process's share alone.
    pub fn take_local(&self, take: &Take<'_>) -> Result<Held, Denial> {
        let replicas = self.0.replicas.load(Ordering::Relaxed);
        let held = if replicas == 1 {
            self.0.local.take(take)?
        } else {
            let rules: [Option<Rules>; TIERS] =
                take.claims.map(|claim| claim.map(|claim| self.0.share(claim.rules, replicas)));
            let mut own = *take;
            for (place, rules) in own.claims.iter_mut().zip(&rules) {
                *place = place.zip(rules.as_ref()).map(|(claim, rules)| Claim { rules, ..claim });
            }
            self.0.local.take(&own)?
        };
        Ok(Held(Side::Local(held)))
    }
}

impl Inner {
    fn share(&self, rules: &Rules, replicas: u32) -> Rules {
        let id = (rules.id(), replicas);
        if let Some(share) = self.shares.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return share.clone();
        }
        let share = rules.local_share(replicas);
        let mut shares = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= REMEMBERED {
            shares.clear();
        }
        shares.insert(id, share.clone());
        share
    }

    /// Where adaptive rules are: what this replica's calls have taught it. A share has the whole's numbers over
    /// a longer span, so its rate is the whole's.
    fn rates(&self, claim: Claim<'_>, now: Moment) -> [u64; policy::limit::MAX_RULES] {
        let rules = self.share(claim.rules, self.replicas.load(Ordering::Relaxed));
        self.local.rates(Claim { rules: &rules, name: claim.name }, now)
    }

    fn learn(&self, rules: &Rules, name: &str, signal: Signal, now: Moment) {
        let rules = self.share(rules, self.replicas.load(Ordering::Relaxed));
        self.local.learn(Claim { rules: &rules, name }, signal, now);
    }
}

/// What one call took, and of whom: it is settled there. Dropped, it stays taken as estimated: the safe side.
#[derive(Debug)]
#[must_use = "what is held is settled or cancelled; dropped it stays taken in full"]
pub struct Held(Side);

#[derive(Debug)]
enum Side {
    Local(Reservation),
    Redis(Box<ask::Taken>, Arc<Inner>),
}

impl Held {
    /// Where the limits stood right after.
    pub fn standing(&self) -> Standing {
        match &self.0 {
            Side::Local(held) => held.standing(),
            Side::Redis(taken, _) => taken.standing,
        }
    }

    /// Whether it was taken of all replicas' limits, not of a share.
    pub const fn is_shared(&self) -> bool {
        matches!(self.0, Side::Redis(..))
    }

    /// What was taken of `tier`, to be settled on its own; `None`: nothing was. This one is then without it.
    pub fn part(&mut self, tier: Tier) -> Option<Self> {
        match &mut self.0 {
            Side::Local(held) => held.part(tier).map(|part| Self(Side::Local(part))),
            Side::Redis(taken, shared) => {
                let part = taken.part(tier)?;
                Some(Self(Side::Redis(Box::new(part), Arc::clone(shared))))
            }
        }
    }

    /// The call is over and used `tokens`: the rest is given back, or what is missing is charged. `signal` is
    /// for adaptive rules. Waits for nothing.
    pub fn settle(self, tokens: u64, signal: Signal, now: Moment) {
        match self.0 {
            Side::Local(held) => held.settle(tokens, signal, now),
            Side::Redis(taken, shared) => {
                if ask::says_something(signal) {
                    taken.adapting().for_each(|(rules, name)| shared.learn(rules, name, signal, now));
                }
                if let Some(redis) = &shared.redis {
                    redis.settle(&taken, tokens, now);
                }
            }
        }
    }

    /// The call was never sent: everything is given back, the request too.
    pub fn cancel(self, now: Moment) {
        match self.0 {
            Side::Local(held) => held.cancel(now),
            Side::Redis(taken, shared) => {
                if let Some(redis) = &shared.redis {
                    redis.cancel(&taken, now);
                }
            }
        }
    }
}
