//! What is asked of a keeper of limits and what it says, as plain data.

use std::time::Duration;

use types::{Moment, Priority};

use super::{Rules, Shares, TIERS, Tier, Unit};

/// One tier's rules and whom they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// Who: a tenant's name, `tenant/user`, a key's id, a path, a model; empty for the global tier.
    pub name: &'a str,
}

/// What one call asks for: all claims or none. At most one claim per tier; later ones of a tier are ignored.
#[derive(Clone, Copy, Debug)]
pub struct Take<'a> {
    /// Every tier that counts this call.
    pub claims: [Option<Claim<'a>>; TIERS],
    /// Tokens that it will likely use, in and out.
    pub tokens: u64,
    /// How much it matters.
    pub priority: Priority,
    /// What each priority may use.
    pub shares: Shares,
    /// Now.
    pub now: Moment,
}

impl<'a> Take<'a> {
    /// An ask for `tokens` that no tier counts yet.
    pub const fn new(tokens: u64, priority: Priority, now: Moment) -> Self {
        Self { claims: [None; TIERS], tokens, priority, shares: Shares::WHOLE, now }
    }

    /// Adds a claim, in the place of its tier.
    #[must_use]
    pub fn with(mut self, rules: &'a Rules, name: &'a str) -> Self {
        if let Some(place) = self.claims.get_mut(rules.tier as usize) {
            *place = Some(Claim { rules, name });
        }
        self
    }

    /// With other shares.
    #[must_use]
    pub const fn with_shares(mut self, shares: Shares) -> Self {
        self.shares = shares;
        self
    }

    /// The share of this call's priority in percent.
    pub const fn percent(&self) -> u8 {
        self.shares.of(self.priority)
    }
}

/// Where one limit stands, for `x-ratelimit-*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// Units per span.
    pub limit: u64,
    /// Units that would pass now.
    pub remaining: u64,
    /// Until nothing of it is used any more.
    pub reset: Duration,
}

impl Gauge {
    /// The one that bites first: the smaller part left.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        // Cross-multiplied: no division.
        let part = |gauge: &Self, of: &Self| u128::from(gauge.remaining) * u128::from(of.limit.max(1));
        if part(&other, &self) < part(&self, &other) { other } else { self }
    }
}

/// The tightest limits of a call: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Of those in requests.
    pub requests: Option<Gauge>,
    /// Of those in tokens.
    pub tokens: Option<Gauge>,
}

impl Standing {
    /// Takes one more limit into account.
    pub fn see(&mut self, unit: Unit, gauge: Gauge) {
        let place = match unit {
            Unit::Requests => &mut self.requests,
            Unit::Tokens => &mut self.tokens,
        };
        *place = Some(place.map_or(gauge, |seen| seen.tighter(gauge)));
    }
}

/// Why a call may not pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Whose limit: of those that refused, the one that will refuse longest.
    pub tier: Tier,
    /// What it counts.
    pub unit: Unit,
    /// How many of them per [`Denial::per`].
    pub limit: u64,
    /// Its span.
    pub per: Duration,
    /// When all of them would let it pass if nobody else came. `Duration::MAX`: never.
    pub retry_after: Duration,
    /// Where the limits stand.
    pub standing: Standing,
}

impl Denial {
    /// `Retry-After` in whole seconds, rounded up, at least 1; never more than a day.
    pub fn retry_after_seconds(&self) -> u64 {
        let up = u64::from(self.retry_after.subsec_nanos() > 0);
        self.retry_after.as_secs().saturating_add(up).clamp(1, 86_400)
    }
}

/// A keeper's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was taken.
    Granted(Standing),
    /// Nothing was taken.
    Denied(Denial),
}
