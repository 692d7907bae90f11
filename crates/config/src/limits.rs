//! Rate limits: which rules hold for whom. Counting is a keeper's business, not this crate's.

use std::collections::BTreeMap;
use std::time::Duration;

use policy::limit::{Excess, QueueSettings, Rules, Shares, TIERS, Tier};

/// The `limits` section.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Replicas that share the limits: each goes on with its share of them while Redis is away.
    pub replicas: u32,
    /// What happens to a call that a limit does not let pass.
    pub excess: Excess,
    /// What each priority may use of a limit.
    pub shares: Shares,
    /// The `Retry-After` of every refusal; `None`: when the limit will let it pass.
    pub retry_after: Option<Duration>,
    /// The bounds of the queue.
    pub queue: QueueSettings,
    tiers: [Option<Rules>; TIERS],
    own: [BTreeMap<String, Option<Rules>>; TIERS],
}

impl Default for Limits {
    /// Nothing is limited.
    fn default() -> Self {
        Self {
            replicas: 1,
            excess: Excess::default(),
            shares: Shares::default(),
            retry_after: None,
            queue: QueueSettings::default(),
            tiers: Default::default(),
            own: Default::default(),
        }
    }
}

impl Limits {
    /// Whether nobody is limited: then there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.tiers().next().is_none()
    }

    /// The rules of `tier` for `name`: its own, else the tier's. `None`: it is not limited.
    ///
    /// Names: none for the global tier, the tenant's, `tenant/user`, the key's in the configuration, the path,
    /// `provider/model`.
    pub fn rules(&self, tier: Tier, name: &str) -> Option<&Rules> {
        let own = self.own.get(tier as usize).and_then(|own| own.get(name));
        match own {
            Some(own) => own.as_ref(),
            None => self.tiers.get(tier as usize)?.as_ref(),
        }
    }

    /// The tiers in which anybody is limited.
    pub fn tiers(&self) -> impl Iterator<Item = Tier> {
        let any = |tier: &Tier| {
            let at = *tier as usize;
            self.tiers.get(at).is_some_and(Option::is_some)
                || self.own.get(at).is_some_and(|own| own.values().any(Option::is_some))
        };
        Tier::ALL.into_iter().filter(any)
    }

    /// Sets what holds for everybody of a tier.
    pub(crate) fn set_tier(&mut self, tier: Tier, rules: Option<Rules>) {
        if let Some(place) = self.tiers.get_mut(tier as usize) {
            *place = rules;
        }
    }

    /// Sets what holds for one of a tier in place of that; `None`: it is not limited.
    pub(crate) fn set_own(&mut self, tier: Tier, name: String, rules: Option<Rules>) {
        if let Some(place) = self.own.get_mut(tier as usize) {
            place.insert(name, rules);
        }
    }
}
