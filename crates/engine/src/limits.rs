//! Rate limits, taken and given back: the keeper, what a call took of it, and the lines of those who wait.
//!
//! All tiers that count a call are taken together or not at all. What a call really used is settled when it
//! ends; one of which nothing is known stays taken as estimated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use policy::limit::{Algorithm, Denial, Place, Rule, Rules, Shares, Signal, Standing, Take, Tier, Unit};
use store::limits::{Held, Shared};
use types::{Moment, Priority};
use upstream::clock;

use crate::ids;
use crate::line::{Gate, InVain, Line};

/// Timers are late by so much; who has no more time to spare waits in vain.
const LATE: Duration = Duration::from_millis(10);

/// The keeper of limits: this process's own, or those that replicas share.
#[derive(Debug)]
pub(crate) struct Keeper {
    limits: Shared,
    /// Who waits, by the limit that refused them first. One without anybody is forgotten.
    lines: Mutex<HashMap<u64, Arc<Line<Limited>>>>,
}

/// What a call took.
#[derive(Debug)]
pub(crate) struct Grant {
    /// Gone once it is settled or given back.
    held: Option<Held>,
    standing: Standing,
}

/// What a call asks for, free of borrows: it may have to wait.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) claims: Vec<(Rules, Arc<str>)>,
    pub(crate) tokens: u64,
    pub(crate) priority: Priority,
    pub(crate) shares: Shares,
}

/// The gate before which calls wait for a limit.
#[derive(Debug)]
struct Limited(Shared);

/// A grant on its way to who waited for it: one that does not arrive is given back.
#[derive(Debug)]
struct Carried(Option<Grant>);

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some(grant) = self.0.take() {
            grant.cancel(clock::now());
        }
    }
}

impl Gate for Limited {
    type Ask = Arc<Ask>;
    type Grant = Carried;

    async fn take(&self, ask: &Arc<Ask>) -> Result<Carried, Option<Duration>> {
        let taken = take(&self.0, &ask.take(clock::now())).await;
        taken.map(|grant| Carried(Some(grant))).map_err(|denial| Some(denial.retry_after))
    }
}

/// How long `rule` takes at least to let so many calls of so many tokens pass.
fn turns(rule: Rule, (calls, tokens): (u64, u64)) -> Duration {
    let units = match rule.unit {
        Unit::Requests => calls,
        Unit::Tokens => tokens,
    };
    let limit = rule.limit.max(1);
    let whole = rule.per.saturating_mul(u32::try_from(units / limit).unwrap_or(u32::MAX));
    match rule.algorithm {
        // What it lets pass comes back as it went, maybe all at once.
        Algorithm::SlidingWindow => whole,
        Algorithm::TokenBucket | Algorithm::Adaptive(_) => {
            let part = rule.per.as_nanos() * u128::from(units % limit) / u128::from(limit);
            whole.saturating_add(Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX)))
        }
    }
}

async fn take(limits: &Shared, take: &Take<'_>) -> Result<Grant, Denial> {
    let held = limits.take(take).await?;
    Ok(Grant { standing: held.standing(), held: Some(held) })
}

impl Keeper {
    pub(crate) fn new(limits: Shared) -> Self {
        Self { limits, lines: Mutex::default() }
    }

    /// Who counts.
    pub(crate) const fn shared(&self) -> &Shared {
        &self.limits
    }

    /// Takes of every claim or of none. Who comes while others wait for the same is not let pass before them:
    /// what they wait for is not there.
    pub(crate) async fn take(&self, take: &Take<'_>) -> Result<Grant, Denial> {
        self::take(&self.limits, take).await
    }

    /// Waits for it, in the line of the limit that refused. `most` calls wait at once, over all lines.
    pub(crate) async fn wait(
        &self,
        ask: Ask,
        denial: &Denial,
        place: Place,
        queue: policy::limit::QueueSettings,
    ) -> Result<Grant, InVain> {
        let Some(name) = ask.name(denial.tier) else { return Err(InVain::Late) };
        let key = ids::hash(denial.tier.as_str().bytes().chain(*b"/").chain(name.bytes()));
        let line = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.retain(|_, line| Arc::strong_count(line) > 1 || line.waiting() > 0);
            if lines.values().map(|line| line.waiting()).sum::<usize>() >= queue.capacity {
                return Err(InVain::Late);
            }
            let new = || Arc::new(Line::new(Limited(self.limits.clone()), queue, None));
            Arc::clone(lines.entry(key).or_insert_with(new))
        };
        let rule = ask.rule(denial);
        let left = place.deadline.since(clock::now()).saturating_sub(LATE);
        let hope = |before| rule.is_none_or(|rule| denial.retry_after + turns(rule, before) <= left);
        let mut carried = line.wait_with(Arc::new(ask), place, None, hope).await?;
        carried.0.take().ok_or(InVain::Late)
    }

    /// Calls that wait for a limit.
    pub(crate) fn waiting(&self) -> usize {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.values().map(|line| line.waiting()).sum()
    }
}

impl Ask {
    fn take(&self, now: Moment) -> Take<'_> {
        let take = Take::new(self.tokens, self.priority, now).with_shares(self.shares);
        self.claims.iter().fold(take, |take, (rules, name)| take.with(rules, name))
    }

    /// The rule that has refused, as far as a replica may take its share of it.
    fn rule(&self, denial: &Denial) -> Option<Rule> {
        let (rules, _) = self.claims.iter().find(|(rules, _)| rules.tier == denial.tier)?;
        let is = |rule: &&Rule| (rule.unit, rule.per) == (denial.unit, denial.per);
        rules.all().iter().find(is).map(|rule| Rule { limit: denial.limit, ..*rule })
    }

    fn name(&self, tier: Tier) -> Option<&str> {
        self.claims.iter().find(|(rules, _)| rules.tier == tier).map(|(_, name)| &**name)
    }
}

impl Grant {
    /// Where the limits stood right after.
    pub(crate) const fn standing(&self) -> Standing {
        self.standing
    }

    /// What it took of `tier`, to be settled on its own.
    pub(crate) fn part(&mut self, tier: Tier) -> Option<Self> {
        let part = self.held.as_mut()?.part(tier)?;
        Some(Self { held: Some(part), standing: self.standing })
    }

    /// The call is over and has used `tokens`.
    pub(crate) fn settle(mut self, tokens: u64, signal: Signal, now: Moment) {
        if let Some(held) = self.held.take() {
            held.settle(tokens, signal, now);
        }
    }

    /// Nothing was sent.
    pub(crate) fn cancel(mut self, now: Moment) {
        if let Some(held) = self.held.take() {
            held.cancel(now);
        }
    }
}
