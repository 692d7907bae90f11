//! What limits say, as plain data: the same for every keeper of limits.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use types::Priority;

use super::Adaptive;
use crate::number::{nanos, scale_up, small};

/// Whom a limit counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Everybody together.
    Global,
    /// Each tenant.
    Tenant,
    /// Each user of a tenant.
    User,
    /// Each key.
    Key,
    /// Each path of the interface.
    Endpoint,
    /// Each model or deployment.
    Model,
}

/// How many tiers there are.
pub const TIERS: usize = 6;

/// Rules that one tier may have; more are refused by [`Rules::new`].
pub const MAX_RULES: usize = 8;

impl Tier {
    /// All, in the order in which they are asked.
    pub const ALL: [Self; TIERS] =
        [Self::Global, Self::Tenant, Self::User, Self::Key, Self::Endpoint, Self::Model];

    /// The name in messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Key => "key",
            Self::Endpoint => "endpoint",
            Self::Model => "model",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Calls: one each.
    Requests,
    /// Tokens, in and out: reserved by estimate, settled to what was used.
    Tokens,
}

/// How it is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// A bucket of `burst` units that refills evenly. The long-run rate is `limit` per `per`; right after a
    /// pause `burst` units pass at once, so a span of `per` may see up to `limit + burst`.
    #[default]
    TokenBucket,
    /// Never more than `limit` in any span of `per`. Counted in [`SLOTS`](super::SLOTS) slots; a unit counts
    /// until its whole slot has left the span, so for `per` to `per × 61/60`: full use is 98.3 % of `limit`.
    SlidingWindow,
    /// A token bucket whose rate follows how calls fare; `limit` is where it starts.
    Adaptive(Adaptive),
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What is counted.
    pub unit: Unit,
    /// Units per `per`. 0 lets nothing pass.
    pub limit: u64,
    /// The span: a second, a minute, an hour, a day.
    pub per: Duration,
    /// Units that may pass at once after a pause; not used by the sliding window. At least 1.
    pub burst: u64,
    /// How it is counted.
    pub algorithm: Algorithm,
}

impl Rule {
    /// A token bucket of `limit` units per `per` whose burst is the whole limit.
    pub const fn bucket(unit: Unit, limit: u64, per: Duration) -> Self {
        Self { unit, limit, per, burst: limit, algorithm: Algorithm::TokenBucket }
    }

    /// The same with another burst.
    #[must_use]
    pub const fn with_burst(self, burst: u64) -> Self {
        Self { burst, ..self }
    }

    /// The same, counted another way.
    #[must_use]
    pub const fn with_algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// The most that can be taken at once.
    pub const fn capacity(&self) -> u64 {
        match self.algorithm {
            Algorithm::SlidingWindow => self.limit,
            Algorithm::TokenBucket | Algorithm::Adaptive(_) if self.limit == 0 => 0,
            Algorithm::TokenBucket | Algorithm::Adaptive(_) if self.burst == 0 => 1,
            Algorithm::TokenBucket | Algorithm::Adaptive(_) => self.burst,
        }
    }

    /// The part of the capacity that a share of `percent` may use: at least one unit if there is any.
    pub fn capacity_for(&self, percent: u8) -> u64 {
        let whole = self.capacity();
        scale_up(whole, u64::from(percent.min(100)), 100).max(1).min(whole)
    }

    /// What a call of `tokens` takes of this rule. One that asks for more than the whole takes the whole: it
    /// passes when everything is free, and what it used beyond is settled as debt. Otherwise a generous
    /// estimate could never pass.
    pub fn amount(&self, tokens: u64, percent: u8) -> u64 {
        match self.unit {
            Unit::Requests => 1,
            Unit::Tokens => tokens.min(self.capacity_for(percent)),
        }
    }

    /// This rule for one of `replicas` that cannot talk to each other: together they stay within it.
    #[must_use]
    pub fn local_share(&self, replicas: u32) -> Self {
        let replicas = replicas.max(1);
        match self.algorithm {
            Algorithm::SlidingWindow if self.limit >= u64::from(replicas) => {
                Self { limit: self.limit / u64::from(replicas), ..*self }
            }
            // Fewer units than replicas: one each, in a span that is longer by as much as that is too many.
            Algorithm::SlidingWindow if self.limit > 0 => {
                let longer = u32::try_from(u64::from(replicas).div_ceil(self.limit)).unwrap_or(replicas);
                Self { limit: 1, per: self.per.saturating_mul(longer), ..*self }
            }
            Algorithm::SlidingWindow => *self,
            // The same units over a longer span is the exact share of the rate, also where it is no whole number.
            Algorithm::TokenBucket | Algorithm::Adaptive(_) => Self {
                per: self.per.saturating_mul(replicas),
                burst: (self.burst / u64::from(replicas)).max(1),
                ..*self
            },
        }
    }

    /// The span in nanoseconds.
    pub(super) fn span(&self) -> u64 {
        nanos(self.per).max(1)
    }
}

/// The part of every limit, in percent, that each priority may use: what is above it is kept for higher ones.
/// In a bucket that is a part of the burst (the rate is for whoever comes); in a window, of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shares {
    /// For `low`.
    pub low: u8,
    /// For `normal`.
    pub normal: u8,
    /// For `high`.
    pub high: u8,
    /// For `critical`.
    pub critical: u8,
}

impl Shares {
    /// Everything for everybody.
    pub const WHOLE: Self = Self { low: 100, normal: 100, high: 100, critical: 100 };
    /// Seed 003 §3: 0.25, 0.5, 0.75, 1.
    pub const REFERENCE: Self = Self { low: 25, normal: 50, high: 75, critical: 100 };

    /// The share of a priority in percent.
    pub const fn of(&self, priority: Priority) -> u8 {
        match priority {
            Priority::Low => self.low,
            Priority::Normal => self.normal,
            Priority::High => self.high,
            Priority::Critical => self.critical,
        }
    }
}

impl Default for Shares {
    /// [`Shares::WHOLE`]: whoever is allowed 100 requests a minute gets 100, whatever their priority.
    fn default() -> Self {
        Self::WHOLE
    }
}

/// What to do with a call that a limit does not let pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// 429 with `Retry-After`.
    Deny,
    /// Wait for it, by priority, up to a time.
    #[default]
    Queue,
    /// Let it pass on a degraded level.
    Degraded,
}

/// What happens on excess. Defaults: seed 003 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Excess {
    /// What to do.
    pub action: Action,
    /// The longest wait, whatever the priority: a higher one only comes sooner.
    pub queue_timeout: Duration,
}

impl Default for Excess {
    fn default() -> Self {
        Self { action: Action::Queue, queue_timeout: Duration::from_secs(5) }
    }
}

/// The rules of one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whom they count for.
    pub tier: Tier,
    id: u64,
    all: Arc<[Rule]>,
}

/// More than [`MAX_RULES`] rules for one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tier has {0} limits; {MAX_RULES} are the most")]
pub struct TooMany(pub usize);

impl Rules {
    /// The rules of `tier`.
    ///
    /// Equal rules have equal ids: state is kept over a reload that does not touch them, and begins anew
    /// for rules that changed.
    pub fn new(tier: Tier, rules: &[Rule]) -> Result<Self, TooMany> {
        if rules.len() > MAX_RULES {
            return Err(TooMany(rules.len()));
        }
        let mut hasher = DefaultHasher::new();
        (tier, rules).hash(&mut hasher);
        Ok(Self { tier, id: hasher.finish(), all: rules.into() })
    }

    /// What tells these rules from others.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The rules.
    pub fn all(&self) -> &[Rule] {
        &self.all
    }

    pub(super) fn shared(&self) -> Arc<[Rule]> {
        Arc::clone(&self.all)
    }

    /// Whether a rate among them follows how calls fare.
    pub fn adapt(&self) -> bool {
        self.all.iter().any(|rule| matches!(rule.algorithm, Algorithm::Adaptive(_)))
    }

    /// The same rules for one of `replicas` that cannot talk to each other.
    #[must_use]
    pub fn local_share(&self, replicas: u32) -> Self {
        let shared: Vec<Rule> = self.all.iter().map(|rule| rule.local_share(replicas)).collect();
        let mut hasher = DefaultHasher::new();
        (self.tier, &*shared).hash(&mut hasher);
        Self { tier: self.tier, id: hasher.finish(), all: shared.into() }
    }
}

/// Percent of a fraction, for configuration that writes 0.75.
impl Shares {
    /// A fraction of 1 as percent.
    pub fn percent(fraction: f64) -> u8 {
        u8::try_from(small((fraction * 100.0).round())).unwrap_or(100).min(100)
    }
}
